//! Launches of the gradients: all of them at once, then the end of dK.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::backward::{DY, GATES, Places};
use super::cuda::{
    self, AMD_FRAGMENTS, Cut, FRAGMENTS, MONARCH_HEADER, SIGNALS, STAGES, Scratch, arrange,
};
use super::cuda_passes::Filters;
use super::{Sizes, U, cuda_outer_backward};
use crate::tile::{self, NULL, count, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Argument, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

/// The ways of sequences in and out that blocks go together.
pub const CLUSTERS: Header =
    Header { name: "fftconv/clusters.h", text: include_str!("clusters.h") };

/// The gradients of sequences, and sums.
pub static GRADIENTS: Source = Source {
    path: "fftconv/sm90_gradients.cu",
    text: include_str!("sm90_gradients.cu"),
    headers: &[
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        STAGES,
        SIGNALS,
        CLUSTERS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
static GRADIENT: Source = Source {
    path: "fftconv/gradient.cu",
    text: include_str!("gradient.cu"),
    headers: &[
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
        tile::HIP,
    ],
};

/// Points of both signals that a block transforms at once, as shared memory of three blocks holds.
pub const HELD: u64 = 8192;

/// Warps that share a multiprocessor.
const WARPS: u64 = 12;

/// Threads of a block that finishes dK.
pub const GRADIENT_THREADS: u64 = 256;

/// `supports`: clusters, and additions of four floats at once, are sm_90's.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    cuda::any_since_sm80(problem, info)?;
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    if cuda_outer_backward::is_long(problem) {
        return cuda_outer_backward::fits(problem);
    }
    let cut = Cut::holding(n, HELD);
    let blocks = h * cut.groups(b) * cut.residues();
    needs_31_bits(&[b, blocks, h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)])
}

/// Parts in which a head's batch is gone through at the same time: those that are done first, if
/// blocks come in waves, and whose sums cost as much as a group of pairs.
fn splits(problem: &Problem, info: &Info) -> u64 {
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    let cut = Cut::holding(n, HELD);
    let (threads, _) = cut.differentiating_block();
    let wave = u64::from(info.units.max(1)) * (WARPS * 32 / threads);
    let groups = cut.groups(b);
    let cost =
        |splits: u64| (h * cut.residues() * splits).div_ceil(wave) * (groups.div_ceil(splits) + 1);
    (1..=groups).min_by_key(|splits| cost(*splits)).expect("a group at least")
}

/// Spectra and tables in order, the gradients of sequences and gates, and that of the spectrum.
pub fn monarch(problem: &Problem, info: &Info) -> Plan {
    if cuda_outer_backward::is_long(problem) {
        return cuda_outer_backward::plan(problem, info);
    }
    let cut = Cut::holding(problem.shape.integer("n"), HELD).clustered();
    plan(problem, cut, splits(problem, info), differentiate)
}

/// The same with the launch that differentiates, on either vendor.
pub fn plan(
    problem: &Problem,
    cut: Cut,
    splits: u64,
    differentiate: fn(&Problem, Cut, Scratch, u64) -> Launch,
) -> Plan {
    let Sizes { h, gated, .. } = Sizes::of(problem);
    let heads = h as u64;
    let scratch = Scratch::after(Places::of(gated).last(gated));
    let mut bytes = cut.scratch(heads, 1);
    bytes.push(Bytes(4 * heads * splits * cut.sums()));
    let launches = [
        arrange(cut, problem.dtype, heads, Filters::WHOLE, scratch),
        differentiate(problem, cut, scratch, splits),
        finish(problem, cut, scratch.scales + 1, splits),
    ];
    Plan { scratch: bytes, steps: launches.into_iter().map(Step::Launch).collect() }
}

/// What the launch that differentiates is given, on either vendor.
pub fn arguments(problem: &Problem, scratch: Scratch, splits: u64) -> Vec<Argument> {
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let places = Places::of(gated);
    let of_gates =
        |tensors: [usize; 2]| tensors.map(|place| if gated { tensor(place) } else { NULL });
    let ([pre, post], [dpre, dpost]) = (of_gates(GATES), of_gates([places.dpre, places.dpost]));
    let Scratch { tables, spectra, scales } = scratch;
    let mut arguments = vec![tensor(U), pre, tensor(DY), post];
    arguments.extend([tables, spectra, scales, scales + 1, places.du].map(tensor));
    arguments.extend([dpre, dpost]);
    arguments.extend([b, h, l].map(|size| count(size as u64)));
    arguments.push(count(splits));
    arguments
}

fn differentiate(problem: &Problem, cut: Cut, scratch: Scratch, splits: u64) -> Launch {
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let extents = [b, h, l].map(|size| size as u64);
    let mut constants = cuda::constants(cut, problem.dtype);
    constants.extend(cut.of_signals(extents, l as u64, gated));
    if !gated {
        // All loads at once are more than memory likes: 0.771 ms for 0.748 at 4096 on an H200.
        constants.retain(|(name, _)| *name != "FULL");
    }
    let (threads, shared_bytes) = cut.differentiating_block();
    Launch {
        source: &GRADIENTS,
        entry: "fftconv_gradients",
        constants,
        grid: [(h as u64 * splits * cut.residues()) as u32, 1, 1],
        block: [threads as u32, 1, 1],
        cluster: [cut.residues() as u32, 1, 1],
        dynamic_shared_bytes: shared_bytes as u32,
        arguments: arguments(problem, scratch, splits),
    }
}

/// Ends the spectrum's gradient.
fn finish(problem: &Problem, cut: Cut, sums: usize, splits: u64) -> Launch {
    let gradient = Places::of(problem.shape.flag("gated")).dk;
    let [h, n] = ["h", "n"].map(|axis| problem.shape.integer(axis));
    Launch {
        source: &GRADIENT,
        entry: "fftconv_gradient",
        constants: cuda::constants(cut, problem.dtype),
        grid: [(h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)) as u32, 1, 1],
        block: [GRADIENT_THREADS as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: vec![tensor(sums), tensor(gradient), count(splits)],
    }
}
