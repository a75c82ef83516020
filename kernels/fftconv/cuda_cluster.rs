//! Launches of convolutions whose transforms a cluster holds.
//!
//! The contract stands at the source's head; this file states it once more as data.

use super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, SIGNALS, STAGES,
    Scratch,
};
use super::cuda_backward::CLUSTERS;
use super::cuda_passes::Filters;
use super::{POST, PRE, Sizes, U, y_index};
use crate::tile::{self, needs_sm};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Info, Problem};

static CLUSTER: Source = Source {
    path: "fftconv/sm90_cluster.cu",
    text: include_str!("sm90_cluster.cu"),
    headers: &[
        MONARCH_HEADER,
        FRAGMENTS,
        AMD_FRAGMENTS,
        STAGES,
        SIGNALS,
        CLUSTERS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};

/// The shortest transform that is worth two blocks.
const SHORTEST: u64 = 8192;

/// `supports`.
pub fn any_since_sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 90)?;
    let Sizes { n, fold, taps, .. } = Sizes::of(problem);
    if fold > 1 || taps.is_some() {
        return Err("multiplies by a whole spectrum that is at hand".into());
    }
    let n = n as u64;
    if !(SHORTEST..=LONGEST).contains(&n) {
        return Err(format!("transforms {SHORTEST} to {LONGEST} points, not {n}"));
    }
    cuda::any_of_points(problem, info, n)
}

/// Brings spectra and tables into the kernel's order, then convolves, two blocks a transform.
pub fn plan(problem: &Problem, _info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let (n, heads, last) = (sizes.n as u64, sizes.h as u64, y_index(sizes.gated));
    let cut = Cut::holding(n, n / 2).clustered();
    let scratch = Scratch::after(last);
    let convolution = Convolution {
        cut,
        dtype: problem.dtype,
        extents: [sizes.b, sizes.h, sizes.l].map(|size| size as u64),
        pitch: sizes.l as u64,
        u: U,
        gates: sizes.gated.then_some([PRE, POST]),
        y: last,
        scaled_rows: false,
    };
    let arrange = cuda::arrange(cut, problem.dtype, heads, Filters::WHOLE, scratch);
    Plan {
        scratch: cut.scratch(heads, 1),
        steps: vec![Step::Launch(arrange), Step::Early(convolve(&convolution, scratch))],
    }
}

/// Convolves by clusters.
fn convolve(convolution: &Convolution, scratch: Scratch) -> Launch {
    let Convolution { cut, extents: [batch, heads, _], .. } = *convolution;
    let [of_band, groups, bands] = cut.grid(batch, heads).map(|extent| extent as u32);
    let residues = cut.residues() as u32;
    Launch {
        source: &CLUSTER,
        entry: "fftconv_cluster",
        constants: cuda::constants_of(convolution),
        grid: [of_band * residues, groups, bands],
        block: [if cut.radix() == 1 { 64 } else { 128 }, 1, 1],
        cluster: [residues, 1, 1],
        dynamic_shared_bytes: cut.plane_bytes() as u32,
        arguments: cuda::arguments(convolution, scratch),
    }
}
