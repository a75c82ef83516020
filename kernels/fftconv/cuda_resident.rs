//! Launches of convolutions whose blocks stay: of transforms of at most 8192 points, with tables and
//! a head's spectrum in shared memory.
//!
//! The contract stands at the source's head; this file states it once more as data.

use super::Sizes;
use super::cuda::{self, Convolution, Cut, NARROW, Scratch};
use super::cuda_passes::{self, Filters, Kernels};
use super::cuda_short::{ARRANGE, HEADERS};
use crate::tile::needs_sm;
use tilemark_core::launch::{Launch, Plan, Source};
use tilemark_core::{Dtype, Info, Problem};

static RESIDENT: Source = Source {
    path: "fftconv/sm90_resident.cu",
    text: include_str!("sm90_resident.cu"),
    headers: HEADERS,
};

/// The longest transform of which a block has all rows and tables.
const LONGEST: usize = 8192;

/// Rows of 256 elements that all groups of a block have.
const BLOCK_ROWS: u64 = 128;

/// `supports`.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    if NARROW.contains(&info.arch.as_str()) {
        return Err(format!("takes 226 KB of shared memory, more than {} has", info.arch));
    }
    cuda_passes::any_up_to(LONGEST, problem, info)
}

/// The passes that the filter needs.
pub fn plan(problem: &Problem, info: &Info) -> Plan {
    let convolve = |convolution: &Convolution, scratch| convolve(convolution, scratch, info);
    let kernels = Kernels { arrange, convolve: &convolve };
    cuda_passes::plan_of(problem, &Sizes::of(problem).passes(), &kernels)
}

fn arrange(cut: Cut, dtype: Dtype, heads: u64, filters: Filters, scratch: Scratch) -> Launch {
    let mut launch = cuda::arrange(cut, dtype, heads, filters, scratch);
    launch.constants.push(("RESIDENT", 1.into()));
    Launch { source: &ARRANGE, entry: "fftconv_arrange_short", ..launch }
}

fn convolve(convolution: &Convolution, scratch: Scratch, info: &Info) -> Launch {
    let Convolution { cut, extents: [batch, heads, _], .. } = *convolution;
    let mut launch = cuda::convolve(convolution, scratch);
    launch.constants.push(("RESIDENT", 1.into()));
    let rows_of_pair = cut.n / 256;
    let items = 2 * BLOCK_ROWS / rows_of_pair;
    // No group of a full turn is idle.
    if !batch.is_multiple_of(items) {
        launch.constants.retain(|(name, _)| *name != "FULL");
    }
    let turns = heads * batch.div_ceil(items);
    let groups = BLOCK_ROWS / rows_of_pair.max(16);
    Launch {
        source: &RESIDENT,
        entry: "fftconv_resident",
        grid: [turns.min(info.units.max(1).into()) as u32, 1, 1],
        block: [512, 1, 1],
        // The rows, factors and a scale, for each k1 two complex matrices and its bins, and the
        // groups' turns.
        dynamic_shared_bytes: (BLOCK_ROWS * 1024 + 2064 + rows_of_pair * 3072 + groups * 32) as u32,
        ..launch
    }
}
