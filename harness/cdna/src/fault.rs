//! The faults this interpreter finds, and where each was found. Text only: no state of a machine.

use std::fmt;

use thiserror::Error;

use crate::asm::Location;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Kind {
    #[error("{register} is used before the s_waitcnt that covers its load")]
    RegisterBeforeWait { register: String },
    #[error("{register} is written while a load into it is outstanding")]
    OverwriteBeforeWait { register: String },
    #[error("{register} is read but was never written")]
    UninitialisedRegister { register: String },
    #[error("LDS byte {address:#x} is read but was never written")]
    UninitialisedLds { address: u64 },
    #[error("LDS byte {address:#x} is read before the s_waitcnt that covers the load into it")]
    LdsBeforeWait { address: u64 },
    #[error("scratch byte {address:#x} is read but was never written")]
    UninitialisedScratch { address: u64 },
    #[error("{bytes} bytes at LDS address {address:#x} are outside its {size} bytes")]
    LdsOutOfBounds { address: u64, bytes: usize, size: usize },
    #[error("{bytes} bytes at scratch address {address:#x} are outside its {size} bytes")]
    ScratchOutOfBounds { address: u64, bytes: usize, size: usize },
    #[error("{bytes} bytes at {address:#x} are outside every buffer{}", near(.nearest))]
    GlobalOutOfBounds { address: u64, bytes: usize, nearest: Option<(u64, usize)> },
    #[error(
        "LDS byte {address:#x} is {access} here and {other_access} by wave {other} with no barrier between"
    )]
    LdsRace { address: u64, access: &'static str, other: u32, other_access: &'static str },
    #[error("{space} address {address:#x} is not a multiple of {alignment}")]
    Misaligned { space: &'static str, address: u64, alignment: usize },
    #[error("waves {waiting:?} wait at a barrier that waves {ended:?} ended without reaching")]
    BarrierNotReached { waiting: Vec<u32>, ended: Vec<u32> },
    #[error("{rule} needs {required} wait states after line {after}, found {found}")]
    WaitStates { rule: &'static str, required: u32, found: u32, after: u32 },
    #[error("register index {index} is outside the wave's {count} registers")]
    RegisterIndex { index: usize, count: usize },
    #[error("still running after {limit} instructions")]
    InstructionLimit { limit: u64 },
    #[error("{what} is not interpreted")]
    Unsupported { what: String },
}

fn near(nearest: &Option<(u64, usize)>) -> String {
    nearest.map_or_else(String::new, |(base, size)| {
        format!("; the nearest begins at {base:#x} and has {size} bytes")
    })
}

/// A fault on its way out of an instruction, before it is known where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    pub kind: Kind,
    pub lane: Option<u32>,
}

/// The result of something an instruction does.
pub type Step<T> = Result<T, Box<Trap>>;

impl Kind {
    pub fn trap<T>(self) -> Step<T> {
        Err(Box::new(Trap { kind: self, lane: None }))
    }

    pub fn at<T>(self, lane: usize) -> Step<T> {
        Err(Box::new(Trap { kind: self, lane: Some(lane as u32) }))
    }
}

/// A fault with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub kernel: String,
    pub location: Location,
    pub workgroup: [u32; 3],
    pub wave: u32,
    pub lane: Option<u32>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup;
        write!(
            f,
            "{}: {}\n  in {}, assembly line {}",
            self.location.text, self.kind, self.kernel, self.location.line
        )?;
        if let Some((file, line)) = &self.location.source {
            write!(f, ", source {file}:{line}")?;
        }
        write!(f, ", workgroup ({x}, {y}, {z}), wave {}", self.wave)?;
        match self.lane {
            Some(lane) => write!(f, ", lane {lane}"),
            None => Ok(()),
        }
    }
}
