//! Launches of the gradients on AMD's matrix cores: all of them at once, then the end of dK.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{self, AMD_FRAGMENTS, Cut, FRAGMENTS, MONARCH_HEADER, SIGNALS, Scratch};
use super::hip::{self, STAGES};
use super::{Sizes, cuda_backward};
use crate::tile::{self, needs_31_bits};
use tilemark_core::launch::{Launch, Plan, Source};
use tilemark_core::{Info, Problem};

static GRADIENTS: Source = Source {
    path: "fftconv/gfx942_gradients.hip",
    text: include_str!("gfx942_gradients.hip"),
    headers: &[
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        STAGES,
        SIGNALS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
        tile::HIP,
    ],
};

/// Points of both signals that a block holds, in 64 KB of LDS and 256 registers a wave.
const LONGEST: u64 = 8192;

/// Waves that share a unit, by its registers.
const WAVES: u64 = 8;

/// `supports` of the kernel that differentiates whole transforms in a block.
pub fn any_since_gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    hip::any_since_gfx942(problem, info)?;
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    if n > LONGEST {
        return Err(format!("a block differentiates {LONGEST} points, not {n}"));
    }
    needs_31_bits(&[b, h * (n / 2 + 1)])
}

/// Parts in which a head's batch is gone through at the same time: those that are done first, if
/// blocks come in waves, and whose start and end cost as much as a group of pairs.
fn splits(problem: &Problem, info: &Info) -> u64 {
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    let cut = Cut::of(n);
    let at_once = u64::from(info.units.max(1)) * (WAVES / (4 * cut.radix()));
    let groups = cut.groups(b);
    let cost = |splits: u64| (h * splits).div_ceil(at_once) * (groups.div_ceil(splits) + 1);
    (1..=groups).min_by_key(|splits| cost(*splits)).expect("a group at least")
}

/// Spectra and tables in order, the gradients of sequences and gates, and that of the spectrum.
pub fn monarch(problem: &Problem, info: &Info) -> Plan {
    let cut = Cut::of(problem.shape.integer("n"));
    cuda_backward::plan(problem, cut, splits(problem, info), differentiate)
}

fn differentiate(problem: &Problem, cut: Cut, scratch: Scratch, splits: u64) -> Launch {
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let extents = [b, h, l].map(|size| size as u64);
    let mut constants = cuda::constants(cut, problem.dtype);
    constants.extend(cut.of_signals(extents, extents[2], gated));
    Launch {
        source: &GRADIENTS,
        entry: "fftconv_gfx942_gradients",
        constants,
        grid: [(h as u64 * splits) as u32, 1, 1],
        block: [256 * cut.radix() as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: cuda_backward::arguments(problem, scratch, splits),
    }
}
