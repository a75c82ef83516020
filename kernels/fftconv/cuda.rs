//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Transforms
//! that no block holds are cut up by `cuda_outer.rs`, which launches these kernels on the parts.

use super::cuda_outer::{self, Outer};
use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use crate::tile::{self, NULL, count, element, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

/// How a transform is cut up, for device code.
pub const MONARCH_HEADER: Header =
    Header { name: "fftconv/monarch.h", text: include_str!("monarch.h") };
/// The stages of a transform.
pub const STAGES: Header = Header { name: "fftconv/stages.h", text: include_str!("stages.h") };
/// The ways of sequences in and out.
pub const SIGNALS: Header = Header { name: "fftconv/signals.h", text: include_str!("signals.h") };

static ARRANGE: Source = Source {
    path: "fftconv/arrange.cu",
    text: include_str!("arrange.cu"),
    headers: &[MONARCH_HEADER, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};
static MONARCH: Source = Source {
    path: "fftconv/sm80_monarch.cu",
    text: include_str!("sm80_monarch.cu"),
    headers: &[MONARCH_HEADER, STAGES, SIGNALS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// The longest transform that one block does.
pub const LONGEST: u64 = 32768;

/// Architectures whose blocks have less than the 128 KB of shared memory that it takes.
const NARROW: [&str; 4] = ["sm_86", "sm_89", "sm_120", "sm_121"];

/// Blocks of `arrange.cu` that compute tables.
const TABLE_BLOCKS: u64 = 32;

/// `supports` of the kernel that does whole transforms in a block.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let outer = Outer::of(n);
    if outer.inner() == LONGEST && NARROW.contains(&info.arch.as_str()) {
        return Err(format!("{n} points take 128 KB of shared memory, more than {}", info.arch));
    }
    needs_31_bits(&[b * h, l])?;
    if n > LONGEST { needs_31_bits(&outer.grids(b, h)) } else { Ok(()) }
}

/// Brings spectra and tables into the kernel's order, then convolves.
pub fn monarch(problem: &Problem, _info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    if sizes.n as u64 > LONGEST {
        return cuda_outer::plan(problem);
    }
    let cut = Cut::of(sizes.n as u64);
    let scratch = Scratch::after(y_index(sizes.gated));
    let heads = sizes.h as u64;
    let convolution = Convolution {
        cut,
        dtype: problem.dtype,
        extents: [sizes.b, sizes.h, sizes.l].map(|size| size as u64),
        u: U,
        gates: sizes.gated.then_some([PRE, POST]),
        y: y_index(sizes.gated),
        adjoint: false,
        scaled_rows: false,
    };
    Plan {
        scratch: cut.scratch(heads, 1),
        steps: vec![
            Step::Launch(arrange(cut, problem.dtype, heads, scratch)),
            Step::Launch(convolve(&convolution, scratch)),
        ],
    }
}

/// Tensors of the implementation's own.
#[derive(Clone, Copy)]
pub struct Scratch {
    /// Of a transform.
    pub tables: usize,
    /// Filters' spectra in the order of fragments.
    pub spectra: usize,
    /// What a head's result is multiplied by.
    pub scales: usize,
}

impl Scratch {
    /// Numbered after the family's last tensor.
    pub fn after(last: usize) -> Self {
        Scratch { tables: last + 1, spectra: last + 2, scales: last + 3 }
    }
}

/// How a transform is cut up: what `monarch.h` derives from its length.
#[derive(Clone, Copy)]
pub struct Cut {
    n: u64,
    halves: u64,
    pairs: u64,
    radix: u64,
    /// Complex numbers of a half of all pairs.
    points: u64,
}

impl Cut {
    /// Of n points, at most [`LONGEST`].
    pub fn of(n: u64) -> Self {
        let halves = if n > 16384 { 2 } else { 1 };
        let third = n / halves / 256;
        let slots = third.max(16);
        Cut { n, halves, pairs: slots / third, radix: slots / 16, points: 256 * slots }
    }

    /// Sizes of [`Scratch`] for so many spectra, and scales of each.
    pub fn scratch(self, heads: u64, scales: u64) -> Vec<Bytes> {
        let spectra = heads * self.spectrum_vectors();
        vec![Bytes(16 * self.table_vectors()), Bytes(16 * spectra), Bytes(4 * heads * scales)]
    }

    fn threads(self) -> u64 {
        32 * if self.radix == 1 { 2 } else { 4 * self.halves }
    }

    /// Transforms that a sequence is.
    pub fn halves(self) -> u64 {
        self.halves
    }

    /// Groups of pairs that a block has at a time.
    pub fn groups(self, batch: u64) -> u64 {
        batch.div_ceil(2 * self.pairs)
    }

    /// Threads of a block that correlates.
    pub fn correlating_threads(self) -> u64 {
        32 * 2 * self.radix
    }

    /// Shared memory of a block that correlates: both signals of a half.
    pub fn correlating_bytes(self) -> u64 {
        8 * self.points
    }

    /// Floats that a head's split of the batch sums, of all halves.
    pub fn sums(self) -> u64 {
        let third = self.n / self.halves / 256;
        let kept = match third {
            ..8 => 1,
            8 => 2,
            _ => 4,
        };
        self.halves * 16 * self.radix * kept * 128
    }

    fn table_vectors(self) -> u64 {
        320 + self.points / 2 + (self.halves - 1) * self.n / self.halves / 4
    }

    fn spectrum_vectors(self) -> u64 {
        self.halves * self.points / 4
    }
}

/// Makes the tables of a transform, and brings so many spectra into its order.
pub fn arrange(cut: Cut, dtype: Dtype, heads: u64, scratch: Scratch) -> Launch {
    let Cut { n, .. } = cut;
    let threads = match n {
        ..2048 => 128,
        2048..16384 => n / 16,
        _ => 1024,
    };
    Launch {
        source: &ARRANGE,
        entry: "fftconv_arrange",
        constants: constants(n, dtype),
        grid: [(TABLE_BLOCKS + heads) as u32, 1, 1],
        block: [threads as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 4 * (n / 2 + n / 32 + n / 512 + 1) as u32,
        arguments: [SPECTRUM, scratch.tables, scratch.spectra, scratch.scales].map(tensor).to_vec(),
    }
}

/// What a launch of the convolution works on.
pub struct Convolution {
    /// Of each of its sequences.
    pub cut: Cut,
    /// Of u and y.
    pub dtype: Dtype,
    /// Batch, heads and the length of sequences.
    pub extents: [u64; 3],
    /// The number of u.
    pub u: usize,
    /// Those of pre and post.
    pub gates: Option<[usize; 2]>,
    /// The number of y.
    pub y: usize,
    /// Whether the filter is conjugated.
    pub adjoint: bool,
    /// Whether each row of a spectrum has a scale of its own.
    pub scaled_rows: bool,
}

/// Convolves in one pass over memory.
pub fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    let Convolution { cut, dtype, extents, u, gates, y, adjoint, scaled_rows } = *convolution;
    let [batch, heads, length] = extents;
    let mut arguments = vec![tensor(u)];
    arguments.extend(gates.map_or([NULL, NULL], |gates| gates.map(tensor)));
    arguments.extend([scratch.tables, scratch.spectra, scratch.scales, y].map(tensor));
    arguments.extend(extents.map(count));
    let mut constants = constants(cut.n, dtype);
    constants.push(("GATED", i64::from(gates.is_some()).into()));
    constants.push(("ALIGNED", i64::from(length.is_multiple_of(8)).into()));
    constants.push(("ADJOINT", i64::from(adjoint).into()));
    constants.push(("SCALED_ROWS", i64::from(scaled_rows).into()));
    Launch {
        source: &MONARCH,
        entry: "fftconv_monarch",
        constants,
        grid: [(heads * cut.groups(batch)) as u32, 1, 1],
        block: [cut.threads() as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (cut.halves * 4 * cut.points) as u32,
        arguments,
    }
}

/// The macros of `monarch.h`.
pub fn constants(n: u64, dtype: Dtype) -> Vec<(&'static str, Constant)> {
    vec![("TRANSFORM", (n as i64).into()), ("ELEMENT", element(dtype).into())]
}
