//! Launches of the gradients on AMD's matrix cores: all of them at once, then the end of dK.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::backward::{DY, GATES, Places};
use super::cuda::{self, AMD_FRAGMENTS, Cut, FRAGMENTS, MONARCH_HEADER, SIGNALS, Scratch, arrange};
use super::cuda_backward::finish;
use super::cuda_passes::Filters;
use super::hip::{self, STAGES};
use super::{Sizes, U};
use crate::tile::{self, NULL, count, needs_31_bits, tensor};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

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
    let Sizes { h, n, gated, .. } = Sizes::of(problem);
    let (cut, heads) = (Cut::of(n as u64), h as u64);
    let scratch = Scratch::after(Places::of(gated).last(gated));
    let (sums, splits) = (scratch.scales + 1, splits(problem, info));
    let mut bytes = cut.scratch(heads, 1);
    bytes.push(Bytes(4 * heads * splits * cut.sums()));
    let launches = [
        arrange(cut, problem.dtype, heads, Filters::GIVEN, scratch),
        differentiate(problem, cut, scratch, splits),
        finish(problem, cut, sums, splits),
    ];
    Plan { scratch: bytes, steps: launches.into_iter().map(Step::Launch).collect() }
}

fn differentiate(problem: &Problem, cut: Cut, scratch: Scratch, splits: u64) -> Launch {
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let places = Places::of(gated);
    let of_gates =
        |tensors: [usize; 2]| tensors.map(|place| if gated { tensor(place) } else { NULL });
    let ([pre, post], [dpre, dpost]) = (of_gates(GATES), of_gates([places.dpre, places.dpost]));
    let Scratch { tables, spectra, scales } = scratch;
    let mut arguments = vec![tensor(U), pre, tensor(DY), post];
    arguments.extend([tables, spectra, scales, scales + 1, places.du].map(tensor));
    arguments.extend([dpre, dpost]);
    let extents = [b, h, l].map(|size| size as u64);
    arguments.extend(extents.into_iter().chain([splits]).map(count));
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
        arguments,
    }
}
