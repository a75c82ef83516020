//! Launches of convolutions whose first and last stage go straight to memory: of transforms of at
//! most 4096 points.
//!
//! They differ from those of any length in their sources alone.

use super::super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, MONARCH_HEADER, SIGNALS, STAGES, Scratch,
};
use super::Filters;
use crate::tile;
use tilemark_core::Dtype;
use tilemark_core::launch::{Header, Launch, Source};

const CUT: Header = Header { name: "fftconv/short.h", text: include_str!("../short.h") };

static ARRANGE: Source = Source {
    path: "fftconv/arrange_short.cu",
    text: include_str!("../arrange_short.cu"),
    headers: &[
        CUT,
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
static SHORT: Source = Source {
    path: "fftconv/sm80_short.cu",
    text: include_str!("../sm80_short.cu"),
    headers: &[
        CUT,
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        STAGES,
        SIGNALS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};

/// The longest transform of which a block has whole rows of 256 elements.
pub const LONGEST: usize = 4096;

/// Makes the tables of a transform, and brings so many spectra into its order.
pub fn arrange(cut: Cut, dtype: Dtype, heads: u64, filters: Filters, scratch: Scratch) -> Launch {
    Launch {
        source: &ARRANGE,
        entry: "fftconv_arrange_short",
        ..cuda::arrange(cut, dtype, heads, filters, scratch)
    }
}

/// Convolves in one pass over memory.
pub fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    Launch { source: &SHORT, entry: "fftconv_short", ..cuda::convolve(convolution, scratch) }
}
