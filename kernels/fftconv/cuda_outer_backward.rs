//! Launches of the gradients of transforms that no block holds: both signals in parts, all gradients
//! of these at once, and back.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::backward::{DY, GATES, Places};
use super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, Scratch,
};
use super::cuda_backward::{GRADIENT_THREADS, GRADIENTS, HELD};
use super::cuda_outer::{self, CUDA, Kernels, Outer, Prepared, Stage, Way, of_parts, stage};
use super::{Sizes, U};
use crate::tile::{self, NULL, count, needs_31_bits, tensor};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

static OUTER_GRADIENT: Source = Source {
    path: "fftconv/outer_gradient.cu",
    text: include_str!("outer_gradient.cu"),
    headers: &[MONARCH_HEADER, FRAGMENTS, AMD_FRAGMENTS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// How both signals of a part are cut up.
fn cut(inner: u64) -> Cut {
    Cut::holding(inner, HELD).clustered()
}

/// The stage's kernels, and what convolves parts where gates ask for y.
static KERNELS: Kernels = Kernels { cut, ..CUDA };

/// Whether grids hold so many, and a block both signals of a part: where clusters have residues of
/// parts, the roundings of dK would come near what it may err by.
pub fn fits(problem: &Problem) -> Result<(), String> {
    let [b, h, n] = ["b", "h", "n"].map(|axis| problem.shape.integer(axis));
    let outer = Outer::of(n).cut_by(cut);
    if outer.inner() > HELD {
        return Err(format!(
            "differentiates parts of at most {HELD} points, not {}",
            outer.inner()
        ));
    }
    let blocks = h * outer.parts() * outer.cut().residues();
    needs_31_bits(&[2 * b, blocks, h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)])
}

/// Whether a problem's transforms are so long.
pub fn is_long(problem: &Problem) -> bool {
    problem.shape.integer("n") > LONGEST
}

/// Both signals to parts, their gradients, and back: du = pre·dx and dpre = u·dx of the same parts,
/// and dpost = dy·conv(pre·u), whose parts are convolved as forward.
pub fn plan(problem: &Problem, info: &Info) -> Plan {
    let Sizes { h, n, gated, .. } = Sizes::of(problem);
    let outer = Outer::of(n as u64).cut_by(cut);
    let places = Places::of(gated);
    let prepared = Prepared::after(places.last(gated));
    let [sums, x, g, dx, y] = [0, 1, 2, 3, 4].map(|number| prepared.end() + number);
    let mut scratch = Prepared::scratch(outer, h as u64);
    scratch.push(Bytes(4 * h as u64 * outer.parts() * outer.cut().sums()));
    let signals = if gated { 4 } else { 3 };
    scratch.extend(vec![cuda_outer::parts_bytes(problem, outer); signals]);
    let [pre, post] = GATES;
    let at = |way, signal, gate, parts| {
        stage(problem, info, outer, prepared, &KERNELS, &Stage { way, signal, gate, parts })
    };
    let mut launches = prepared.launches(problem, outer);
    launches.push(at(Way::Forward, U, pre, x));
    launches.push(at(Way::Forward, DY, post, g));
    launches.push(differentiate(problem, outer, prepared.inner, [x, g, sums, dx]));
    launches.push(finish(problem, outer, [sums, places.dk]));
    launches.push(at(Way::Back, places.du, pre, dx));
    if gated {
        launches.push((KERNELS.convolve)(&of_parts(problem, outer, [x, y]), prepared.inner));
        launches.push(at(Way::Back, places.dpre, U, dx));
        launches.push(at(Way::Back, places.dpost, DY, y));
    }
    Plan { scratch, steps: launches.into_iter().map(Step::Launch).collect() }
}

/// The gradients of parts, each of which one block or cluster goes through the batch with.
fn differentiate(
    problem: &Problem,
    outer: Outer,
    scratch: Scratch,
    [x, g, sums, dx]: [usize; 4],
) -> Launch {
    let cut = outer.cut();
    let Convolution { extents: [items, heads, length], .. } = of_parts(problem, outer, [x, dx]);
    let mut constants = cuda::constants(cut, problem.dtype);
    constants.push(("SCALED_ROWS", 1.into()));
    let (threads, shared_bytes) = cut.differentiating_block();
    let Scratch { tables, spectra, scales } = scratch;
    let mut arguments = vec![tensor(x), NULL, tensor(g), NULL];
    arguments.extend([tables, spectra, scales, sums, dx].map(tensor));
    arguments.extend([NULL, NULL]);
    arguments.extend([items, heads, length, 1].map(count));
    Launch {
        source: &GRADIENTS,
        entry: "fftconv_gradients",
        constants,
        grid: [(heads * cut.residues()) as u32, 1, 1],
        block: [threads as u32, 1, 1],
        cluster: [cut.residues() as u32, 1, 1],
        dynamic_shared_bytes: shared_bytes as u32,
        arguments,
    }
}

/// Ends the spectrum's gradient.
fn finish(problem: &Problem, outer: Outer, [sums, gradient]: [usize; 2]) -> Launch {
    let [h, n] = ["h", "n"].map(|axis| problem.shape.integer(axis));
    Launch {
        source: &OUTER_GRADIENT,
        entry: "fftconv_outer_gradient",
        constants: cuda_outer::constants(outer, problem.dtype),
        grid: [(h * (n / 2 + 1).div_ceil(GRADIENT_THREADS)) as u32, 1, 1],
        block: [GRADIENT_THREADS as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: [sums, gradient].map(tensor).to_vec(),
    }
}
