//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Transforms
//! that no block holds are cut up by `cuda_outer.rs`, which launches these kernels on the parts.

use super::cuda_outer::{self, Outer};
use super::cuda_passes::{self, Filters};
pub use super::cut::{Cut, LONGEST};
use super::{SPECTRUM, Sizes};
use crate::tile::{self, NULL, count, element, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source};
use tilemark_core::{Dtype, Info, Problem};

/// How a transform is cut up, for device code.
pub const MONARCH_HEADER: Header =
    Header { name: "fftconv/monarch.h", text: include_str!("monarch.h") };
/// How a block that arranges a spectrum holds it.
pub const BINS: Header = Header { name: "fftconv/bins.h", text: include_str!("bins.h") };
/// How it makes one of taps.
pub const TAPS: Header = Header { name: "fftconv/taps.h", text: include_str!("taps.h") };
/// What `monarch.h` includes for NVIDIA.
pub const FRAGMENTS: Header =
    Header { name: "fftconv/sm80_fragments.h", text: include_str!("sm80_fragments.h") };
/// What `monarch.h` includes for AMD.
pub const AMD_FRAGMENTS: Header =
    Header { name: "fftconv/gfx942_fragments.h", text: include_str!("gfx942_fragments.h") };
/// The stages of a transform.
pub const STAGES: Header = Header { name: "fftconv/stages.h", text: include_str!("stages.h") };
/// The ways of sequences in and out.
pub const SIGNALS: Header = Header { name: "fftconv/signals.h", text: include_str!("signals.h") };
/// What they ask L2 for ahead.
pub const AHEAD: Header = Header { name: "fftconv/ahead.h", text: include_str!("ahead.h") };

static ARRANGE: Source = Source {
    path: "fftconv/arrange.cu",
    text: include_str!("arrange.cu"),
    headers: &[
        BINS,
        TAPS,
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
        tile::HIP,
    ],
};
static MONARCH: Source = Source {
    path: "fftconv/sm80_monarch.cu",
    text: include_str!("sm80_monarch.cu"),
    headers: &[
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        STAGES,
        SIGNALS,
        AHEAD,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};

/// Architectures whose blocks have less than the 128 KB of shared memory that it takes.
pub const NARROW: [&str; 4] = ["sm_86", "sm_89", "sm_120", "sm_121"];

/// Blocks of a grid along y.
const MOST_GROUPS: u64 = 65_535;

/// Blocks of `arrange.cu` that compute tables.
const TABLE_BLOCKS: u64 = 32;

/// `supports` of the kernel that does whole transforms in a block.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    let Sizes { n, fold, taps, .. } = Sizes::of(problem);
    if n as u64 > LONGEST && (fold > 1 || taps.is_some()) {
        return Err(format!("cuts filters of at most {LONGEST} points, not {n}"));
    }
    any_of_points(problem, info, n as u64)
}

/// The same, whose transforms have so many points.
pub fn any_of_points(problem: &Problem, info: &Info, points: u64) -> Result<(), String> {
    let [b, h, l] = ["b", "h", "l"].map(|axis| problem.shape.integer(axis));
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let outer = Outer::of(points).apart(true);
    if points == LONGEST && NARROW.contains(&info.arch.as_str()) {
        return Err(format!(
            "{points} points take 128 KB of shared memory, more than {}",
            info.arch
        ));
    }
    needs_31_bits(&[b * h, l])?;
    if b > MOST_GROUPS {
        return Err(format!("its grid covers a batch of {MOST_GROUPS}, not {b}"));
    }
    if points > LONGEST { needs_31_bits(&outer.grids(b, h)) } else { Ok(()) }
}

/// Brings spectra and tables into the kernel's order, then convolves.
pub fn monarch(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    if sizes.n as u64 > LONGEST {
        return cuda_outer::plan(problem, info, &cuda_outer::CUDA);
    }
    cuda_passes::plan_of(problem, &[sizes.whole()], &cuda_passes::ANY)
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

/// Makes the tables of a transform, and brings the spectra of so many filters into its order.
pub fn arrange(cut: Cut, dtype: Dtype, heads: u64, filters: Filters, scratch: Scratch) -> Launch {
    let Cut { n, .. } = cut;
    let mut constants = constants(cut, dtype);
    let mut shared_bytes = 4 * (n / 2 + n / 32 + n / 128 + 1);
    match filters {
        Filters::Spectra { passed: 1 } => {}
        Filters::Spectra { passed } => constants.push(("PASSED", (passed as i64).into())),
        Filters::Taps { given, taken } => {
            constants.extend(
                [("TAPS", given), ("TAKEN", taken)]
                    .map(|(name, taps)| (name, (taps as i64).into())),
            );
            shared_bytes = 4 * n;
        }
    }
    let threads = match n {
        ..2048 => 128,
        2048..16384 => n / 16,
        _ => n / 32,
    };
    Launch {
        source: &ARRANGE,
        entry: "fftconv_arrange",
        constants,
        grid: [(TABLE_BLOCKS + heads) as u32, 1, 1],
        block: [threads as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: shared_bytes as u32,
        arguments: [SPECTRUM, scratch.tables, scratch.spectra, scratch.scales].map(tensor).to_vec(),
    }
}

/// What a launch of the convolution works on.
pub struct Convolution {
    /// Of each of its sequences.
    pub cut: Cut,
    /// Of u and y.
    pub dtype: Dtype,
    /// Batch, heads and the elements of a sequence that take part.
    pub extents: [u64; 3],
    /// Elements from one sequence to the next.
    pub pitch: u64,
    /// The number of u.
    pub u: usize,
    /// Those of pre and post.
    pub gates: Option<[usize; 2]>,
    /// The number of y.
    pub y: usize,
    /// Whether each row of a spectrum has a scale of its own.
    pub scaled_rows: bool,
}

/// Convolves in one pass over memory.
pub fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    let Convolution { cut, extents: [batch, heads, _], .. } = *convolution;
    Launch {
        source: &MONARCH,
        entry: "fftconv_monarch",
        constants: constants_of(convolution),
        grid: cut.grid(batch, heads).map(|extent| extent as u32),
        block: [cut.threads() as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (cut.residues * 4 * cut.points) as u32,
        arguments: arguments(convolution, scratch),
    }
}

/// The arguments of a convolution, on either vendor.
pub fn arguments(convolution: &Convolution, scratch: Scratch) -> Vec<Argument> {
    let Convolution { extents, pitch, u, gates, y, .. } = *convolution;
    let mut arguments = vec![tensor(u)];
    arguments.extend(gates.map_or([NULL, NULL], |gates| gates.map(tensor)));
    arguments.extend([scratch.tables, scratch.spectra, scratch.scales, y].map(tensor));
    arguments.extend(extents.into_iter().chain([pitch]).map(count));
    arguments
}

/// The macros of a convolution, on either vendor.
pub fn constants_of(convolution: &Convolution) -> Vec<(&'static str, Constant)> {
    let Convolution { cut, dtype, extents, pitch, gates, scaled_rows, .. } = *convolution;
    let mut constants = constants(cut, dtype);
    constants.extend(cut.of_signals(extents, pitch, gates.is_some()));
    constants.push(("SCALED_ROWS", i64::from(scaled_rows).into()));
    constants
}

/// The macros of `monarch.h`.
pub fn constants(cut: Cut, dtype: Dtype) -> Vec<(&'static str, Constant)> {
    let mut constants = vec![
        ("TRANSFORM", (cut.n as i64).into()),
        ("HELD", (cut.held as i64).into()),
        ("ELEMENT", element(dtype).into()),
    ];
    if cut.shifted {
        constants.push(("SHIFTED", 1.into()));
    }
    if cut.fold > 1 {
        constants.push(("FOLD", (cut.fold as i64).into()));
    }
    constants
}
