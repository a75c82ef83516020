//! Who can run the kernel for AMD's matrix cores, and its launch.
//!
//! The contract stands at the source's head; this file states it once more as data.

use super::schedule::blocks;
use super::work_list::{Grain, argument, fits, work_list};
use super::{LSE, heads, scale};
use crate::attention::{
    BLOCK_ROWS, FLASH_MFMA, GFX942_STREAM, GFX950_STREAM, MFMA_ROWS, MFMA_STREAM,
};
use crate::tile::{self, AMD, count, element, needs_31_bits, needs_amd, tensor};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Header, Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

static BLOCKS: Source = Source {
    path: "block_sparse_attention/mfma_blocks.hip",
    text: include_str!("mfma_blocks.hip"),
    headers: &[
        MFMA_BLOCKS,
        BLOCK_LIST,
        MFMA_STREAM,
        GFX942_STREAM,
        GFX950_STREAM,
        FLASH_MFMA,
        MFMA_ROWS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
        tile::HIP,
    ],
};

/// A list of work as the matrix cores' kernels read it.
pub const MFMA_BLOCKS: Header =
    Header { name: "block_sparse_attention/mfma_blocks.h", text: include_str!("mfma_blocks.h") };
/// The list itself, on either vendor.
pub const BLOCK_LIST: Header =
    Header { name: "block_sparse_attention/block_list.h", text: include_str!("block_list.h") };

/// Rows of a wave.
const WAVE_ROWS: usize = 32;

/// `supports` of the kernel.
pub fn matrix_cores(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, AMD)?;
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let d = problem.shape.integer("d");
    if d > 128 || !d.is_multiple_of(8) {
        return Err(format!("takes heads of whole vectors of 8 up to 128 elements, not {d}"));
    }
    let blocks = blocks(problem)?;
    fits(&blocks)?;
    needs_31_bits(&[(heads(problem) * blocks.iter().map(|b| b.rows.len()).sum::<usize>()) as u64])
}

/// Flash attention over a work list.
pub fn flash(problem: &Problem, _info: &Info) -> Plan {
    let d = problem.shape.index("d");
    let head_dim = head_dim(d);
    let grain = grain(8192 / head_dim);
    let blocks = blocks(problem).expect("`supports` admits one range of keys a query");
    let segments = work_list(&blocks, grain);
    let heads = heads(problem);
    let rows = blocks.last().map_or(0, |block| block.rows.end);
    let tiles: usize = segments.iter().map(|s| grain.tiles(s.whole.rows.len())).sum();
    let mut arguments = vec![
        argument(blocks.iter().map(|block| (block, false))),
        argument(segments.iter().map(|segment| (&segment.whole, segment.packed))),
    ];
    arguments.extend((0..=LSE).map(tensor));
    arguments.extend([heads, rows, d].map(|size| count(size as u64)));
    arguments.push(Argument::F32((scale(d) * LOG2_E) as f32));
    let launch = Launch {
        source: &BLOCKS,
        entry: "attention_mfma_blocks",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("HEAD_DIM", (head_dim as i64).into()),
        ],
        grid: [(heads * tiles) as u32, 1, 1],
        block: [512, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    };
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

/// Columns of a tile, of which a narrower head leaves some empty.
pub fn head_dim(d: usize) -> usize {
    if d <= 64 { 64 } else { 128 }
}

/// What a tile is to a work list, where it meets so many keys at a time.
pub fn grain(keys: usize) -> Grain {
    Grain { rows: WAVE_ROWS, groups: BLOCK_ROWS / WAVE_ROWS, keys }
}
