//! Who can run the backward pass on AMD's matrix cores, and its launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::super::Sizes;
use super::super::hip::{BLOCK_ROWS, MFMA_ROWS, fits};
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::tile::{self, count, element, needs_amd, tensor};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

static GFX942: Kernels = Kernels {
    source: Source {
        path: "attention/gfx942_flash_backward.hip",
        text: include_str!("../gfx942_flash_backward.hip"),
        headers: HEADERS,
    },
    entries: ["attention_gfx942_flash_backward_queries", "attention_gfx942_flash_backward_keys"],
};
static GFX950: Kernels = Kernels {
    source: Source {
        path: "attention/gfx950_flash_backward.hip",
        text: include_str!("../gfx950_flash_backward.hip"),
        headers: HEADERS,
    },
    entries: ["attention_gfx950_flash_backward_queries", "attention_gfx950_flash_backward_keys"],
};
static HEADERS: &[Header] = &[
    GFX942_BACKWARD,
    GFX950_BACKWARD,
    FLASH_MFMA_BACKWARD,
    MFMA_ROWS,
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
    tile::HIP,
];

/// What a backward pass over any rows includes: the stream that the architecture has, or either one.
pub const MFMA_BACKWARD: Header =
    Header { name: "attention/mfma_backward.h", text: include_str!("../mfma_backward.h") };
pub const GFX942_BACKWARD: Header =
    Header { name: "attention/gfx942_backward.h", text: include_str!("../gfx942_backward.h") };
pub const GFX950_BACKWARD: Header =
    Header { name: "attention/gfx950_backward.h", text: include_str!("../gfx950_backward.h") };
pub const FLASH_MFMA_BACKWARD: Header = Header {
    name: "attention/flash_mfma_backward.h",
    text: include_str!("../flash_mfma_backward.h"),
};

/// Place of the numbers that the first kernel leaves to the second, after the family's tensors.
const STATISTICS: usize = DV + 1;

/// A source with its kernel of queries and its kernel of keys.
struct Kernels {
    source: Source,
    entries: [&'static str; 2],
}

/// `supports` of the kernels that stage tiles in registers.
pub fn gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx942"])?;
    fits(problem)
}

/// `supports` of the kernels that copy tiles straight to LDS.
pub fn gfx950(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx950"])?;
    fits(problem)
}

/// Tiles staged in registers.
pub fn staged(problem: &Problem, _info: &Info) -> Plan {
    flash(&GFX942, problem)
}

/// Tiles copied straight to LDS.
pub fn copied(problem: &Problem, _info: &Info) -> Plan {
    flash(&GFX950, problem)
}

fn flash(kernels: &'static Kernels, problem: &Problem) -> Plan {
    let Sizes { n, nk, .. } = Sizes::of(problem);
    let [b, h, hk] = ["b", "h", "hk"].map(|axis| problem.shape.index(axis));
    let [query_tiles, key_tiles] = [n, nk].map(|rows| rows.div_ceil(BLOCK_ROWS));
    let [queries, keys] = kernels.entries;
    let launch = |entry, blocks: usize, tensors: &[usize]| {
        Step::Launch(Launch {
            source: &kernels.source,
            entry,
            constants: constants(problem),
            grid: [blocks as u32, 1, 1],
            block: [512, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments: tensors.iter().copied().map(tensor).chain(sizes(problem)).collect(),
        })
    };
    Plan {
        scratch: vec![Bytes((b * h * 2 * query_tiles * BLOCK_ROWS * 4) as u64)],
        steps: vec![
            launch(queries, b * h * query_tiles, &[Q, K, V, O, DO, LSE, STATISTICS, DQ]),
            launch(keys, b * hk * key_tiles, &[Q, K, V, DO, STATISTICS, DK, DV]),
        ],
    }
}

fn constants(problem: &Problem) -> Vec<(&'static str, Constant)> {
    let sizes = Sizes::of(problem);
    vec![
        ("ELEMENT", element(problem.dtype).into()),
        ("HEAD_DIM", if sizes.d <= 64 { 64 } else { 128 }.into()),
        ("CAUSAL", i64::from(sizes.causal).into()),
    ]
}

/// The arguments after the tensors.
fn sizes(problem: &Problem) -> impl Iterator<Item = Argument> {
    let sizes = Sizes::of(problem);
    let extents = [sizes.h, sizes.hk, sizes.n, sizes.nk, sizes.d].map(|n| count(n as u64));
    let scales = [sizes.scale(), sizes.scale() * LOG2_E].map(|scale| Argument::F32(scale as f32));
    extents.into_iter().chain(scales)
}
