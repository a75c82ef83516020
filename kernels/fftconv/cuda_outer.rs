//! Launches of transforms that no block holds: an outer stage, its parts as transforms that one
//! holds, and back. On either vendor: each says which kernels these are.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, NARROW, Scratch,
};
use super::cuda_passes::Filters;
use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use crate::tile::{self, NULL, count, tensor};
use tilemark_core::launch::{Argument, Constant, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

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

/// Columns of a warp of the outer stage.
const COLUMNS: u64 = 64;

/// Warps of its blocks, which come and go.
const WARPS: u64 = 2;

/// Warps of its blocks that stay for all columns: as many as registers allow.
const RESIDENT_WARPS: u64 = 8;

/// How a transform is cut up into an outer stage and parts.
#[derive(Clone, Copy)]
pub struct Outer {
    n: u64,
    /// Points of the outer stage.
    points: u64,
    /// Of a part.
    cut: Cut,
    /// Whether the stage leaves residues of parts, each of which is convolved by itself.
    apart: bool,
}

impl Outer {
    /// Of n points; those that a block holds are one part.
    pub fn of(n: u64) -> Self {
        let points = if n > LONGEST { (n / SHORTEST).min(WIDEST) } else { 1 };
        Outer { n, points, cut: Cut::of(n / points), apart: false }
    }

    /// The same, whose parts are cut up so.
    pub fn cut_by(self, cut: fn(u64) -> Cut) -> Self {
        Outer { cut: cut(self.inner()), ..self }
    }

    /// The same, of whose parts a stage leaves residues or not.
    pub fn apart(self, apart: bool) -> Self {
        Outer { apart, ..self }
    }

    /// How a part is cut up.
    pub fn cut(self) -> Cut {
        self.cut
    }

    /// Points of a part.
    pub fn inner(self) -> u64 {
        self.n / self.points
    }

    /// Parts of a real sequence that do not mirror another.
    pub fn parts(self) -> u64 {
        self.points / 2 + 1
    }

    /// Transforms by which a part is convolved.
    fn transforms(self) -> u64 {
        if self.apart { self.cut.residues() } else { 1 }
    }

    /// How one of these is cut up.
    fn convolved(self) -> Cut {
        match self.transforms() {
            1 => self.cut,
            transforms => Cut::of(self.inner() / transforms),
        }
    }

    /// Turns that blocks of so many warps take for a sequence.
    fn chunks(self, warps: u64) -> u64 {
        self.inner() / (COLUMNS * warps)
    }

    /// Rows of a part's spectrum, each with a scale of its own.
    fn rows(self) -> u64 {
        16 * self.cut.residues()
    }

    /// Of these, what a block arranges at once: of neighbouring parts.
    fn group(self) -> u64 {
        if self.points == 16 || self.cut.radix() == 4 { 8 } else { 16 }
    }

    /// Blocks of the outer stage, at most, of the convolution of its parts and of what arranges
    /// spectra.
    pub fn grids(self, batch: u64, heads: u64) -> [u64; 3] {
        let sequences = batch * heads;
        [
            sequences * self.chunks(WARPS),
            sequences * self.parts() * self.transforms(),
            heads * self.parts() * self.rows() / self.group(),
        ]
    }
}

/// How the outer stage's blocks share its columns.
#[derive(Default)]
pub struct Blocks {
    /// How many there are.
    pub grid: u64,
    /// Warps of each.
    pub warps: u64,
    /// Shared memory of each.
    pub shared_bytes: u64,
    /// Macros that say so.
    pub constants: Vec<(&'static str, Constant)>,
    /// Arguments behind those that vendors have in common.
    pub arguments: Vec<Argument>,
}

impl Blocks {
    /// Those that come and go.
    pub fn of(outer: Outer, sequences: u64, _info: &Info) -> Self {
        Blocks { grid: sequences * outer.chunks(WARPS), warps: WARPS, ..Blocks::default() }
    }

    /// NVIDIA's: they stay where the matrix is large and there is room for it.
    fn resident(outer: Outer, sequences: u64, info: &Info) -> Self {
        let resident = outer.points == WIDEST && !NARROW.contains(&info.arch.as_str());
        let warps = if resident { RESIDENT_WARPS } else { WARPS };
        let chunks = sequences * outer.chunks(warps);
        let staged = warps * 2 * outer.parts() * 2 * COLUMNS;
        let matrix = 2 * outer.points * outer.points;
        Blocks {
            grid: if resident { chunks.min(u64::from(info.units)) } else { chunks },
            warps,
            shared_bytes: if resident { staged + matrix } else { staged },
            constants: if resident { vec![("RESIDENT", 1.into())] } else { Vec::new() },
            arguments: vec![count(chunks)],
        }
    }
}

/// What a vendor has of its own.
pub struct Kernels {
    /// Source of the outer stage.
    pub outer: &'static Source,
    /// Its entries, forward and back.
    pub entries: [&'static str; 2],
    /// Its blocks, for so many sequences.
    pub blocks: fn(Outer, u64, &Info) -> Blocks,
    /// How a part is cut up.
    pub cut: fn(u64) -> Cut,
    /// Whether its residues leave the stage as transforms of their own.
    pub apart: bool,
    /// The convolution of parts.
    pub convolve: fn(&Convolution, Scratch) -> Launch,
}

/// NVIDIA's.
pub static CUDA: Kernels = Kernels {
    outer: &OUTER,
    entries: ["fftconv_outer_forward", "fftconv_outer_inverse"],
    blocks: Blocks::resident,
    cut: Cut::of,
    apart: true,
    convolve: cuda::convolve,
};

/// What prepares parts: their spectra and tables, and the outer stage's matrices.
#[derive(Clone, Copy)]
pub struct Prepared {
    /// Of the parts' convolution.
    pub inner: Scratch,
    matrices: usize,
}

impl Prepared {
    /// Numbered after the family's last tensor.
    pub fn after(last: usize) -> Self {
        Prepared { inner: Scratch::after(last), matrices: last + 4 }
    }

    /// The number of the first tensor behind it.
    pub fn end(self) -> usize {
        self.matrices + 1
    }

    /// Its sizes.
    pub fn scratch(outer: Outer, heads: u64) -> Vec<Bytes> {
        let mut scratch = outer.cut.scratch(heads * outer.parts(), outer.rows());
        scratch.push(Bytes(4 * outer.points * outer.points));
        scratch
    }

    /// What makes it.
    pub fn launches(self, problem: &Problem, outer: Outer) -> Vec<Launch> {
        let tables = cuda::arrange(outer.convolved(), problem.dtype, 0, Filters::WHOLE, self.inner);
        let heads = problem.shape.integer("h");
        let [_, _, rows] = outer.grids(1, heads);
        let Scratch { spectra, scales, .. } = self.inner;
        let launch = |entry, grid: u64, arguments: &[usize]| Launch {
            source: &OUTER_SPECTRUM,
            entry,
            constants: constants(outer, problem.dtype),
            grid: [grid as u32, 1, 1],
            block: [32 * outer.group() as u32, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments: arguments.iter().map(|number| tensor(*number)).collect(),
        };
        let arranged = [SPECTRUM, spectra, scales];
        vec![
            tables,
            launch("fftconv_outer_matrices", outer.points / 16, &[self.matrices]),
            launch("fftconv_outer_arrange", rows, &arranged),
        ]
    }
}

/// Bytes of all parts of a problem's sequences.
pub fn parts_bytes(problem: &Problem, outer: Outer) -> Bytes {
    let [b, h] = ["b", "h"].map(|axis| problem.shape.integer(axis));
    Bytes(4 * b * h * outer.parts() * outer.inner())
}

/// Three passes over memory, after what prepares the filters.
pub fn plan(problem: &Problem, info: &Info, kernels: &Kernels) -> Plan {
    let sizes = Sizes::of(problem);
    let outer = Outer::of(sizes.n as u64).cut_by(kernels.cut).apart(kernels.apart);
    let y = y_index(sizes.gated);
    let prepared = Prepared::after(y);
    let [first, second] = [prepared.end(), prepared.end() + 1];
    let mut scratch = Prepared::scratch(outer, sizes.h as u64);
    scratch.extend([parts_bytes(problem, outer); 2]);
    let forward = Stage { way: Way::Forward, signal: U, gate: PRE, parts: first };
    let back = Stage { way: Way::Back, signal: y, gate: POST, parts: second };
    let mut launches = prepared.launches(problem, outer);
    launches.push(stage(problem, info, outer, prepared, kernels, &forward));
    let convolution = of_parts(problem, outer, [first, second]);
    launches.push((kernels.convolve)(&convolution, prepared.inner));
    launches.push(stage(problem, info, outer, prepared, kernels, &back));
    Plan { scratch, steps: launches.into_iter().map(Step::Launch).collect() }
}

/// The convolution of parts, from one tensor to another: the planes of an item are two items.
pub fn of_parts(problem: &Problem, outer: Outer, [from, to]: [usize; 2]) -> Convolution {
    let [b, h] = ["b", "h"].map(|axis| problem.shape.integer(axis));
    let transforms = outer.transforms();
    let length = outer.inner() / transforms;
    Convolution {
        cut: outer.convolved(),
        dtype: problem.dtype,
        extents: [2 * b, h * outer.parts() * transforms, length],
        pitch: length,
        u: from,
        gates: None,
        y: to,
        scaled_rows: true,
    }
}

/// Which way an outer stage goes.
#[derive(Clone, Copy)]
pub enum Way {
    /// To parts.
    Forward,
    /// From them.
    Back,
}

/// An outer stage: the number of a sequence's tensor, of the gate of it where there are gates, and of its parts.
pub struct Stage {
    /// Which way.
    pub way: Way,
    /// Of u or y.
    pub signal: usize,
    /// Of what it is multiplied by.
    pub gate: usize,
    /// Of its parts.
    pub parts: usize,
}

/// Its launch.
pub fn stage(
    problem: &Problem,
    info: &Info,
    outer: Outer,
    prepared: Prepared,
    kernels: &Kernels,
    stage: &Stage,
) -> Launch {
    let [forward, back] = kernels.entries;
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let gate: Argument = if gated { tensor(stage.gate) } else { NULL };
    let mut constants = constants(outer, problem.dtype);
    constants.push(("GATED", i64::from(gated).into()));
    constants.push(("ALIGNED", i64::from(l.is_multiple_of(8)).into()));
    let blocks = (kernels.blocks)(outer, (b * h) as u64, info);
    constants.extend(blocks.constants);
    let [heads, length] = [h, l].map(|size| count(size as u64));
    let [signal, parts, matrices] = [stage.signal, stage.parts, prepared.matrices].map(tensor);
    let mut arguments = vec![signal, gate, parts, matrices, heads, length];
    arguments.extend(blocks.arguments);
    Launch {
        source: kernels.outer,
        entry: match stage.way {
            Way::Forward => forward,
            Way::Back => back,
        },
        constants,
        grid: [blocks.grid as u32, 1, 1],
        block: [32 * blocks.warps as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: blocks.shared_bytes as u32,
        arguments,
    }
}

/// The macros of `monarch.h`.
pub fn constants(outer: Outer, dtype: Dtype) -> Vec<(&'static str, Constant)> {
    let mut constants = cuda::constants(outer.cut, dtype);
    constants.push(("OUTER", (outer.points as i64).into()));
    constants
}
