//! Who can run the kernels for AMD's matrix cores of the backward pass, and their launches.
//!
//! The contracts stand at the source's head; this file states them once more as data.

use super::super::hip::{BLOCK_LIST, MFMA_BLOCKS, grain, head_dim, matrix_cores as forward};
use super::super::schedule::{Block, blocks};
use super::super::work_list::{argument, fits, work_list};
use super::super::{heads, scale};
use super::key_work::{queries_are_ranges, seen_ranges};
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::attention::{
    FLASH_MFMA_BACKWARD, GFX942_BACKWARD, GFX950_BACKWARD, MFMA_BACKWARD, MFMA_ROWS,
};
use crate::tile::{self, count, element, tensor};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Info, Problem};

static BLOCKS: Source = Source {
    path: "block_sparse_attention/mfma_blocks_backward.hip",
    text: include_str!("../mfma_blocks_backward.hip"),
    headers: &[
        MFMA_BLOCKS,
        BLOCK_LIST,
        MFMA_BACKWARD,
        GFX942_BACKWARD,
        GFX950_BACKWARD,
        FLASH_MFMA_BACKWARD,
        MFMA_ROWS,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
        tile::HIP,
    ],
};

/// Place of the numbers that the first kernel leaves to the second, after the family's tensors.
const STATISTICS: usize = DV + 1;

/// `supports` of both kernels.
pub fn matrix_cores(problem: &Problem, info: &Info) -> Result<(), String> {
    forward(problem, info)?;
    let blocks = blocks(problem)?;
    let tokens = tokens(&blocks);
    queries_are_ranges(&blocks, tokens)?;
    fits(&seen_ranges(&blocks, tokens))
}

/// dQ over the list of queries, then dK and dV over that of keys.
pub fn flash(problem: &Problem, _info: &Info) -> Plan {
    let blocks = blocks(problem).expect("`supports` admits one range of keys a query");
    let tokens = tokens(&blocks);
    let ranges = seen_ranges(&blocks, tokens);
    let queries = [Q, K, V, O, DO, LSE, STATISTICS, DQ];
    let keys = [Q, K, V, DO, STATISTICS, DK, DV];
    Plan {
        scratch: vec![Bytes((heads(problem) * 2 * tokens * 4) as u64)],
        steps: vec![
            launch(problem, "attention_mfma_blocks_backward_queries", &blocks, &queries),
            launch(problem, "attention_mfma_blocks_backward_keys", &ranges, &keys),
        ],
    }
}

fn tokens(blocks: &[Block]) -> usize {
    blocks.last().map_or(0, |block| block.rows.end)
}

/// A kernel over a list of these blocks, be they queries that see keys or keys that queries see.
fn launch(problem: &Problem, entry: &'static str, blocks: &[Block], tensors: &[usize]) -> Step {
    let d = problem.shape.index("d");
    let grain = grain(4096 / head_dim(d));
    let segments = work_list(blocks, grain);
    let tiles: usize = segments.iter().map(|s| grain.tiles(s.whole.rows.len())).sum();
    let mut arguments = vec![
        argument(blocks.iter().map(|block| (block, false))),
        argument(segments.iter().map(|segment| (&segment.whole, segment.packed))),
    ];
    arguments.extend(tensors.iter().copied().map(tensor));
    arguments.extend([heads(problem), tokens(blocks), d].map(|size| count(size as u64)));
    arguments.extend([scale(d), scale(d) * LOG2_E].map(|scale| Argument::F32(scale as f32)));
    Step::Launch(Launch {
        source: &BLOCKS,
        entry,
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("HEAD_DIM", (head_dim(d) as i64).into()),
        ],
        grid: [(heads(problem) * tiles) as u32, 1, 1],
        block: [512, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    })
}
