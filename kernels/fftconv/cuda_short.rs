//! Launches of convolutions whose first and last stage go straight to memory: of transforms of at
//! most 4096 points.
//!
//! They differ from those of any length in their sources alone.

use super::Sizes;
use super::cuda::{
    self, AHEAD, AMD_FRAGMENTS, BINS, Convolution, Cut, FRAGMENTS, MONARCH_HEADER, SIGNALS, STAGES,
    Scratch, TAPS,
};
use super::cuda_passes::{self, Filters, Kernels};
use crate::tile::{self, needs_sm};
use tilemark_core::launch::{Header, Launch, Plan, Source};
use tilemark_core::{Dtype, Info, Problem};

/// How a transform is cut up whose first and last stage go straight to memory.
const CUT: Header = Header { name: "fftconv/short.h", text: include_str!("short.h") };

/// Their way in and out.
const ROWS: Header = Header { name: "fftconv/rows.h", text: include_str!("rows.h") };

/// Brings spectra and tables into the order of kernels that follow that cut.
pub static ARRANGE: Source = Source {
    path: "fftconv/arrange_short.cu",
    text: include_str!("arrange_short.cu"),
    headers: &[
        BINS,
        TAPS,
        CUT,
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
/// What such kernels are written over.
pub const HEADERS: &[Header] = &[
    CUT,
    ROWS,
    MONARCH_HEADER,
    FRAGMENTS,
    AMD_FRAGMENTS,
    STAGES,
    SIGNALS,
    AHEAD,
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];

static SHORT: Source =
    Source { path: "fftconv/sm80_short.cu", text: include_str!("sm80_short.cu"), headers: HEADERS };

const SHORT_KERNELS: Kernels<'static> = Kernels { arrange, convolve: &convolve };

/// The longest transform of which a block has whole rows of 256 elements.
const LONGEST: usize = 4096;

/// `supports`.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    cuda_passes::any_up_to(LONGEST, problem, info)
}

/// The passes that the filter needs.
pub fn plan(problem: &Problem, _info: &Info) -> Plan {
    cuda_passes::plan_of(problem, &Sizes::of(problem).passes(), &SHORT_KERNELS)
}

fn arrange(cut: Cut, dtype: Dtype, heads: u64, filters: Filters, scratch: Scratch) -> Launch {
    Launch {
        source: &ARRANGE,
        entry: "fftconv_arrange_short",
        ..cuda::arrange(cut, dtype, heads, filters, scratch)
    }
}

fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    let launch = cuda::convolve(convolution, scratch);
    let bins_ahead = if convolution.cut.n == LONGEST as u64 { 2048 } else { 0 };
    Launch {
        source: &SHORT,
        entry: "fftconv_short",
        dynamic_shared_bytes: launch.dynamic_shared_bytes + bins_ahead,
        ..launch
    }
}
