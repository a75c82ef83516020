//! Launches of transforms that no block holds: an outer stage, its parts as transforms that one
//! holds, and back. On either vendor: each says which kernels these are.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, Scratch,
};
use super::cuda_passes::Filters;
use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use crate::tile::{self, NULL, count, tensor};
use tilemark_core::launch::{Argument, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Problem};

static OUTER: Source = Source {
    path: "fftconv/outer.cu",
    text: include_str!("outer.cu"),
    headers: &[MONARCH_HEADER, FRAGMENTS, AMD_FRAGMENTS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};
static OUTER_SPECTRUM: Source = Source {
    path: "fftconv/outer_spectrum.cu",
    text: include_str!("outer_spectrum.cu"),
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

/// Points of the outer stage at most: its rows are all in a warp's registers.
const WIDEST: u64 = 128;

/// Points of a part at least: where a block convolves an element fastest.
const SHORTEST: u64 = 4096;

/// Threads of a block of the outer stage; each has two columns.
const THREADS: u64 = 64;

/// Threads of a block that arranges spectra.
const SPECTRUM_THREADS: u64 = 256;

/// How a transform is cut up into an outer stage and parts.
#[derive(Clone, Copy)]
pub struct Outer {
    n: u64,
    /// Points of the outer stage.
    points: u64,
}

impl Outer {
    /// Of n points; those that a block holds are one part.
    pub fn of(n: u64) -> Self {
        let points = if n > LONGEST { (n / SHORTEST).min(WIDEST) } else { 1 };
        Outer { n, points }
    }

    /// Points of a part.
    pub fn inner(self) -> u64 {
        self.n / self.points
    }

    /// Parts of a real sequence that do not mirror another.
    fn parts(self) -> u64 {
        self.points / 2 + 1
    }

    /// Rows of a part's spectrum, each with a scale of its own.
    fn rows(self) -> u64 {
        16 * Cut::of(self.inner()).residues()
    }

    /// Blocks of the outer stage, of the convolution of its parts and of what arranges spectra.
    pub fn grids(self, batch: u64, heads: u64) -> [u64; 3] {
        let groups = self.parts().div_ceil(8);
        let sequences = batch * heads;
        [
            sequences * self.inner() / (2 * THREADS),
            sequences * self.parts(),
            heads * groups * self.rows(),
        ]
    }
}

/// What a vendor has of its own.
pub struct Kernels {
    /// Source of the outer stage.
    pub outer: &'static Source,
    /// Its entries, forward and back.
    pub entries: [&'static str; 2],
    /// The convolution of parts.
    pub convolve: fn(&Convolution, Scratch) -> Launch,
}

/// NVIDIA's.
pub static CUDA: Kernels = Kernels {
    outer: &OUTER,
    entries: ["fftconv_outer_forward", "fftconv_outer_inverse"],
    convolve: cuda::convolve,
};

/// Tensors of the implementation's own beside those of the parts' convolution.
struct Tensors {
    inner: Scratch,
    matrices: usize,
    /// What the outer stage leaves, and what its inverse finds.
    parts: [usize; 2],
}

impl Tensors {
    fn after(last: usize) -> Self {
        let [matrices, first, second] = [4, 5, 6].map(|number| last + number);
        Tensors { inner: Scratch::after(last), matrices, parts: [first, second] }
    }
}

/// Three passes over memory, after what prepares the filters.
pub fn plan(problem: &Problem, kernels: &Kernels) -> Plan {
    let sizes = Sizes::of(problem);
    let [b, h] = [sizes.b, sizes.h].map(|size| size as u64);
    let outer = Outer::of(sizes.n as u64);
    let (cut, spectra) = (Cut::of(outer.inner()), h * outer.parts());
    let tensors = Tensors::after(y_index(sizes.gated));
    let mut scratch = cut.scratch(spectra, outer.rows());
    let parts = Bytes(4 * b * spectra * outer.inner());
    scratch.extend([Bytes(4 * outer.points * outer.points), parts, parts]);
    let convolution = Convolution {
        cut,
        dtype: problem.dtype,
        extents: [2 * b, spectra, outer.inner()],
        pitch: outer.inner(),
        u: tensors.parts[0],
        gates: None,
        y: tensors.parts[1],
        scaled_rows: true,
    };
    let mut launches = vec![cuda::arrange(cut, problem.dtype, 0, Filters::GIVEN, tensors.inner)];
    launches.extend(spectrum_launches(problem, outer, &tensors));
    launches.push(stage(problem, outer, &tensors, kernels, Way::Forward));
    launches.push((kernels.convolve)(&convolution, tensors.inner));
    launches.push(stage(problem, outer, &tensors, kernels, Way::Back));
    Plan { scratch, steps: launches.into_iter().map(Step::Launch).collect() }
}

/// Matrices of the stage, and the spectra of parts in order.
fn spectrum_launches(problem: &Problem, outer: Outer, tensors: &Tensors) -> [Launch; 2] {
    let heads = problem.shape.integer("h");
    let [_, _, rows] = outer.grids(1, heads);
    let Scratch { spectra, scales, .. } = tensors.inner;
    let launch = |entry, grid: u64, arguments: &[usize]| Launch {
        source: &OUTER_SPECTRUM,
        entry,
        constants: constants(outer, problem.dtype),
        grid: [grid as u32, 1, 1],
        block: [SPECTRUM_THREADS as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: arguments.iter().map(|number| tensor(*number)).collect(),
    };
    let arranged = [SPECTRUM, spectra, scales];
    [
        launch("fftconv_outer_matrices", outer.points / 16, &[tensors.matrices]),
        launch("fftconv_outer_arrange", rows, &arranged),
    ]
}

/// Which way the outer stage goes.
#[derive(Clone, Copy)]
enum Way {
    Forward,
    Back,
}

fn stage(
    problem: &Problem,
    outer: Outer,
    tensors: &Tensors,
    kernels: &Kernels,
    way: Way,
) -> Launch {
    let [forward, back] = kernels.entries;
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let (entry, signal, gate, parts) = match way {
        Way::Forward => (forward, U, PRE, tensors.parts[0]),
        Way::Back => (back, y_index(gated), POST, tensors.parts[1]),
    };
    let gate: Argument = if gated { tensor(gate) } else { NULL };
    let mut constants = constants(outer, problem.dtype);
    constants.push(("GATED", i64::from(gated).into()));
    constants.push(("ALIGNED", i64::from(l.is_multiple_of(8)).into()));
    let [columns, ..] = outer.grids(b as u64, h as u64);
    let [heads, length] = [h, l].map(|size| count(size as u64));
    Launch {
        source: kernels.outer,
        entry,
        constants,
        grid: [columns as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: vec![
            tensor(signal),
            gate,
            tensor(parts),
            tensor(tensors.matrices),
            heads,
            length,
        ],
    }
}

/// The macros of `monarch.h`.
fn constants(outer: Outer, dtype: Dtype) -> Vec<(&'static str, tilemark_core::launch::Constant)> {
    let mut constants = cuda::constants(Cut::of(outer.inner()), dtype);
    constants.push(("OUTER", (outer.points as i64).into()));
    constants
}
