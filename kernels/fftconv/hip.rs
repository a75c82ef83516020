//! Who can run the kernels for AMD's matrix cores, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. How a transform
//! is cut up, and what prepares spectra and tables, are CUDA's.

use super::cuda::{
    AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, SIGNALS, Scratch,
    arguments, arrange, constants_of,
};
use super::cuda_outer::{self, Blocks, Kernels, Outer};
use super::cuda_passes::Filters;
use super::{POST, PRE, Sizes, U, y_index};
use crate::tile::{self, needs_31_bits, needs_amd};
use tilemark_core::launch::{Header, Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

/// The stages of a transform.
pub const STAGES: Header =
    Header { name: "fftconv/gfx942_stages.h", text: include_str!("gfx942_stages.h") };

static MONARCH: Source = Source {
    path: "fftconv/gfx942_monarch.hip",
    text: include_str!("gfx942_monarch.hip"),
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

static OUTER: Source = Source {
    path: "fftconv/gfx942_outer.hip",
    text: include_str!("gfx942_outer.hip"),
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

/// Those of transforms that no block holds.
static KERNELS: Kernels = Kernels {
    outer: &OUTER,
    entries: ["fftconv_gfx942_outer_forward", "fftconv_gfx942_outer_inverse"],
    blocks: Blocks::of,
    cut: Cut::of,
    apart: false,
    convolve,
};

/// The longest transform that a block does: 64 KB of LDS hold 16384 points, gfx950's 160 KB both
/// halves of twice as many.
fn longest(info: &Info) -> u64 {
    if info.arch == "gfx950" { 32768 } else { 16384 }
}

/// `supports` of the kernel that does whole transforms in a block.
pub fn any_since_gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, tile::AMD)?;
    let Sizes { fold, taps, .. } = Sizes::of(problem);
    if fold > 1 || taps.is_some() {
        return Err("takes whole spectra alone".to_owned());
    }
    let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let outer = Outer::of(n);
    if outer.inner() > longest(info) {
        let (arch, held) = (&info.arch, longest(info));
        return Err(format!("a block of {arch} holds {held} points, not {}", outer.inner()));
    }
    if n > LONGEST {
        needs_31_bits(&outer.grids(b, h))?;
        // Two planes of a batch item are two items of parts, and eight of them a turn of dies.
        return needs_31_bits(&[16 * outer.grids(b, h)[1], l]);
    }
    // Dies take turns of eight heads.
    needs_31_bits(&[b * h, l, 8 * h * Cut::of(n).groups(b)])
}

/// Brings spectra and tables into the kernel's order, then convolves.
pub fn monarch(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    if sizes.n as u64 > LONGEST {
        return cuda_outer::plan(problem, info, &KERNELS);
    }
    let (cut, heads) = (Cut::of(sizes.n as u64), sizes.h as u64);
    let scratch = Scratch::after(y_index(sizes.gated));
    let convolution = Convolution {
        cut,
        dtype: problem.dtype,
        extents: [sizes.b, sizes.h, sizes.l].map(|size| size as u64),
        pitch: sizes.l as u64,
        u: U,
        gates: sizes.gated.then_some([PRE, POST]),
        y: y_index(sizes.gated),
        scaled_rows: false,
    };
    Plan {
        scratch: cut.scratch(heads, 1),
        steps: vec![
            Step::Launch(arrange(cut, problem.dtype, heads, Filters::WHOLE, scratch)),
            Step::Launch(convolve(&convolution, scratch)),
        ],
    }
}

/// Convolves in one pass over memory.
fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    let Convolution { cut, extents: [batch, heads, _], .. } = *convolution;
    let mut constants = constants_of(convolution);
    if cut.residues() > 1 {
        // All loads at once are more than registers hold.
        constants.retain(|(name, _)| *name != "FULL");
    }
    Launch {
        source: &MONARCH,
        entry: "fftconv_gfx942_monarch",
        constants,
        grid: [(heads * cut.groups(batch)) as u32, 1, 1],
        block: [if cut.radix() == 1 { 256 } else { 512 }, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: arguments(convolution, scratch),
    }
}
