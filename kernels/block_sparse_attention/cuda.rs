//! Who can run the CUDA kernel, and its launch.
//!
//! The contract stands at the source's head; this file states it once more as data.

use super::hip::BLOCK_LIST;
use super::range_list::RangeList;
use super::schedule::{Block, blocks, sights, tokens};
use super::work_list::{Grain, argument, fits, work_list};
use super::{LSE, heads, scale};
use crate::tile::{self, SM90_SHARED_BYTES, count, element, needs_31_bits, needs_sm_90a};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

static BLOCKS: Source = Source {
    path: "block_sparse_attention/sm90_blocks.cu",
    text: include_str!("sm90_blocks.cu"),
    headers: &[
        Header {
            name: "block_sparse_attention/sm90_blocks.h",
            text: include_str!("sm90_blocks.h"),
        },
        BLOCK_LIST,
        HEADS,
        CONSUMER,
        FEEDER,
        SCORES,
        SOFTMAX,
        STREAM,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
static RANGES: Source = Source {
    path: "block_sparse_attention/sm90_ranges.cu",
    text: include_str!("sm90_ranges.cu"),
    headers: &[
        Header {
            name: "block_sparse_attention/sm90_ranges.h",
            text: include_str!("sm90_ranges.h"),
        },
        HEADS,
        CONSUMER,
        FEEDER,
        SCORES,
        SOFTMAX,
        STREAM,
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};
const HEADS: Header =
    Header { name: "block_sparse_attention/sm90_heads.h", text: include_str!("sm90_heads.h") };

/// What attention over a list of work includes.
pub const CONSUMER: Header = Header {
    name: "block_sparse_attention/sm90_consumer.h",
    text: include_str!("sm90_consumer.h"),
};
pub const FEEDER: Header =
    Header { name: "block_sparse_attention/sm90_feeder.h", text: include_str!("sm90_feeder.h") };
pub const SCORES: Header =
    Header { name: "attention/sm90_scores.h", text: include_str!("../attention/sm90_scores.h") };
pub const SOFTMAX: Header =
    Header { name: "attention/softmax.h", text: include_str!("../attention/softmax.h") };
pub const STREAM: Header =
    Header { name: "attention/sm90_stream.h", text: include_str!("../attention/sm90_stream.h") };

/// Indices in the family's list of tensors.
const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;
const O: usize = 3;

/// Rows of a warpgroup, and elements of a row of every box: 128 bytes, the width of the swizzle.
pub const ROWS: u32 = 64;
pub const BOX_WIDTH: u32 = 64;

/// `supports` of Hopper's kernels.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    takes_operands(problem, info)?;
    if packable(problem).is_none() {
        let grain = Tile::of(problem.shape.index("d")).grain();
        RangeList::new(&sights(problem), grain).fits()?;
    }
    Ok(())
}

/// `Ok` if the device, the element type and the sizes are right, whatever the list of blocks.
pub fn takes_operands(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let d = problem.shape.integer("d");
    if d > 128 || !d.is_multiple_of(8) {
        return Err(format!("takes heads of whole vectors of 8 up to 128 elements, not {d}"));
    }
    needs_31_bits(&[(heads(problem) * tokens(problem.shape.word("schedule"))) as u64])
}

/// Blocks with one range of keys each, few enough that small ones can share tiles.
fn packable(problem: &Problem) -> Option<Vec<Block>> {
    blocks(problem).ok().filter(|blocks| fits(blocks).is_ok())
}

/// Flash attention over a work list.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    let grain = Tile::of(problem.shape.index("d")).grain();
    let launch = match packable(problem) {
        Some(blocks) => {
            let segments = work_list(&blocks, grain);
            let tiles = segments.iter().map(|s| grain.tiles(s.whole.rows.len())).sum();
            let lists = [
                argument(blocks.iter().map(|block| (block, false))),
                argument(segments.iter().map(|segment| (&segment.whole, segment.packed))),
            ];
            launch(problem, info, &BLOCKS, "attention_sm90_blocks", lists, tiles)
        }
        None => {
            let list = RangeList::new(&sights(problem), grain);
            let lists = [list.spans_argument(), list.segments_argument()];
            launch(problem, info, &RANGES, "attention_sm90_ranges", lists, list.tiles)
        }
    };
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

/// The launch over lists with so many tiles of a head.
fn launch(
    problem: &Problem,
    info: &Info,
    source: &'static Source,
    entry: &'static str,
    lists: [Argument; 2],
    head_tiles: usize,
) -> Launch {
    let d = problem.shape.index("d");
    let (tile, heads) = (Tile::of(d), heads(problem));
    let rows = tokens(problem.shape.word("schedule"));
    let tiles = heads * head_tiles;
    let map = |tensor: usize, box_rows: u32| {
        let dims = [d, rows, heads].map(|extent| extent as u64);
        tile::swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, box_rows, 1])
    };
    let mut arguments = vec![map(Q, ROWS), map(K, tile.keys), map(V, tile.keys)];
    arguments.extend(lists);
    arguments.extend([O, LSE].map(tile::tensor));
    arguments.extend([heads, rows, d, tiles].map(|size| count(size as u64)));
    arguments.push(Argument::F32((scale(d) * LOG2_E) as f32));
    Launch {
        source,
        entry,
        constants: tile.constants(problem.dtype),
        grid: [tiles.min(info.units.max(1) as usize) as u32, 1, 1],
        block: [128 * (1 + tile.consumers), 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(),
        arguments,
    }
}

/// The constants of `sm90_consumer.h`.
pub struct Tile {
    /// Elements of a head, padded with zeros by the copy engine.
    pub head: u32,
    /// Of a stage.
    pub keys: u32,
    /// Warpgroups with 64 queries each.
    pub consumers: u32,
    /// Of keys, and of values.
    pub stages: u32,
    /// Tiles whose queries have room.
    pub query_stages: u32,
}

impl Tile {
    /// Those of dense attention, which were measured to be its best.
    pub fn of(d: usize) -> Self {
        match d {
            0..=64 => Tile { head: 64, keys: 128, consumers: 3, stages: 3, query_stages: 2 },
            _ => Tile { head: 128, keys: 128, consumers: 2, stages: 2, query_stages: 1 },
        }
    }

    /// What it is to a work list.
    pub fn grain(&self) -> Grain {
        let [rows, groups, keys] = [ROWS, self.consumers, self.keys].map(|n| n as usize);
        Grain { rows, groups, keys }
    }

    /// As macros.
    pub fn constants(&self, dtype: Dtype) -> Vec<(&'static str, Constant)> {
        let number = |value: u32| Constant::Integer(value.into());
        vec![
            ("ELEMENT", element(dtype).into()),
            ("D", number(self.head)),
            ("TILE_N", number(self.keys)),
            ("CONSUMERS", number(self.consumers)),
            ("STAGES", number(self.stages)),
            ("Q_STAGES", number(self.query_stages)),
        ]
    }

    /// Of a block.
    pub fn shared_bytes(&self) -> u32 {
        let rows = ROWS * self.consumers * self.head * 2;
        let stages = self.stages * self.keys * self.head * 4;
        let bytes = self.query_stages * (rows + 256) + rows + stages;
        debug_assert!(bytes <= SM90_SHARED_BYTES);
        bytes
    }
}
