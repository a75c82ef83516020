//! The two architectures this crate interprets, and where they differ in fact rather than in syntax.

use std::fmt;
use std::str::FromStr;

use crate::number::{E4M3, E4M3_FNUZ, E5M2, E5M2_FNUZ, Minifloat};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    Gfx942,
    Gfx950,
}

impl Arch {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gfx942 => "gfx942",
            Self::Gfx950 => "gfx950",
        }
    }

    /// The 8-bit float called `fp8` in mnemonics.
    pub fn fp8(self) -> Minifloat {
        match self {
            Self::Gfx942 => E4M3_FNUZ,
            Self::Gfx950 => E4M3,
        }
    }

    /// The 8-bit float called `bf8` in mnemonics.
    pub fn bf8(self) -> Minifloat {
        match self {
            Self::Gfx942 => E5M2_FNUZ,
            Self::Gfx950 => E5M2,
        }
    }

    /// Shared memory of one compute unit.
    pub fn lds_bytes(self) -> usize {
        match self {
            Self::Gfx942 => 64 << 10,
            Self::Gfx950 => 160 << 10,
        }
    }

    /// Compute units of the largest board (MI300X, MI355X).
    pub fn compute_units(self) -> u32 {
        match self {
            Self::Gfx942 => 304,
            Self::Gfx950 => 256,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Gfx942, Self::Gfx950]
            .into_iter()
            .find(|arch| arch.name() == text)
            .ok_or_else(|| format!("architecture {text} is not gfx942 or gfx950"))
    }
}
