//! Launches of the gradients: the forward pass's kernel with other tensors, and the sums of dK.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::backward::{DY, GATES, Places};
use super::cuda::{
    self, Convolution, Cut, LONGEST, MONARCH_HEADER, SIGNALS, STAGES, Scratch, arrange, convolve,
};
use super::{Sizes, U};
use crate::tile::{self, NULL, count, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

static CORRELATE: Source = Source {
    path: "fftconv/sm90_correlate.cu",
    text: include_str!("sm90_correlate.cu"),
    headers: &[MONARCH_HEADER, STAGES, SIGNALS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};
static GRADIENT: Source = Source {
    path: "fftconv/gradient.cu",
    text: include_str!("gradient.cu"),
    headers: &[MONARCH_HEADER, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// Blocks that fill a device some times over, as far as there are pairs: a head's pairs are split
/// among them.
const BLOCKS: u64 = 2048;

/// Threads of a block that finishes dK.
const GRADIENT_THREADS: u64 = 256;

/// `supports`: additions of four floats at once are sm_90's.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    cuda::any_since_sm80(problem, info)?;
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    if n > LONGEST {
        return Err(format!("correlates at most {LONGEST} points in a block, not {n}"));
    }
    let (cut, splits) = (Cut::of(n), splits(problem));
    needs_31_bits(&[b, h * splits * cut.halves(), h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)])
}

/// Parts in which a head's batch is gone through at the same time.
fn splits(problem: &Problem) -> u64 {
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    let cut = Cut::of(n);
    BLOCKS.div_ceil(h * cut.halves()).min(cut.groups(b))
}

/// The gradients of sequences and gates, each by a convolution, then that of the spectrum.
pub fn monarch(problem: &Problem, _info: &Info) -> Plan {
    let Sizes { b, h, n, l, gated } = Sizes::of(problem);
    let heads = h as u64;
    let (cut, places) = (Cut::of(n as u64), Places::of(gated));
    let scratch = Scratch::after(places.last(gated));
    let sums = scratch.scales + 1;
    let [pre, post] = GATES;
    let convolution = |u, gates: [usize; 2], y, adjoint| {
        let extents = [b, h, l].map(|size| size as u64);
        let gates = gated.then_some(gates);
        let dtype = problem.dtype;
        let scaled_rows = false;
        convolve(&Convolution { cut, dtype, extents, u, gates, y, adjoint, scaled_rows }, scratch)
    };
    let mut launches = vec![
        arrange(cut, problem.dtype, heads, scratch),
        convolution(DY, [post, pre], places.du, true),
    ];
    if gated {
        launches.push(convolution(DY, [post, U], places.dpre, true));
        launches.push(convolution(U, [pre, DY], places.dpost, false));
    }
    let mut bytes = cut.scratch(heads, 1);
    bytes.push(Bytes(4 * heads * splits(problem) * cut.sums()));
    let mut steps: Vec<Step> = launches.into_iter().map(Step::Launch).collect();
    steps.push(Step::Fill { tensor: sums, byte: 0 });
    steps.push(Step::Launch(correlate(problem, cut, scratch, sums)));
    steps.push(Step::Launch(finish(problem, sums, places.dk)));
    Plan { scratch: bytes, steps }
}

fn correlate(problem: &Problem, cut: Cut, scratch: Scratch, sums: usize) -> Launch {
    let Sizes { b, h, n, l, gated } = Sizes::of(problem);
    let [pre, post] = GATES.map(|gate| if gated { tensor(gate) } else { NULL });
    let splits = splits(problem);
    let mut arguments = vec![tensor(U), pre, tensor(DY), post, tensor(scratch.tables)];
    arguments.push(tensor(sums));
    arguments.extend([b as u64, h as u64, l as u64, splits].map(count));
    let mut constants = cuda::constants(n as u64, problem.dtype);
    constants.push(("GATED", i64::from(gated).into()));
    constants.push(("ALIGNED", i64::from(l.is_multiple_of(8)).into()));
    Launch {
        source: &CORRELATE,
        entry: "fftconv_correlate",
        constants,
        grid: [(h as u64 * splits * cut.halves()) as u32, 1, 1],
        block: [cut.correlating_threads() as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: cut.correlating_bytes() as u32,
        arguments,
    }
}

fn finish(problem: &Problem, sums: usize, gradient: usize) -> Launch {
    let [h, n] = ["h", "n"].map(|axis| problem.shape.integer(axis));
    Launch {
        source: &GRADIENT,
        entry: "fftconv_gradient",
        constants: cuda::constants(n, problem.dtype),
        grid: [(h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)) as u32, 1, 1],
        block: [GRADIENT_THREADS as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: vec![tensor(sums), tensor(gradient), count(splits(problem))],
    }
}
