//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Both ways make
//! parts of the prefix first and merge them where a sequence's own keys are read.

use super::{LSE, O, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use crate::block_sparse_attention::{
    BOX_WIDTH, Block, ROWS, Tile, WORK_LIST_HEADERS, argument, fits,
};
use crate::tile::{self, count, element, needs_31_bits, needs_sm_90a, swizzled_map};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static PREFIX: Source = Source {
    path: "shared_prefix_attention/sm90_prefix.cu",
    text: include_str!("sm90_prefix.cu"),
    headers: WORK_LIST_HEADERS,
};
static DECODE: Source = Source {
    path: "shared_prefix_attention/sm90_decode.cu",
    text: include_str!("sm90_decode.cu"),
    headers: &[
        Header { name: "attention/softmax.h", text: include_str!("../attention/softmax.h") },
        tile::TILE,
        tile::CUDA,
        tile::CUDA_WGMMA,
    ],
};

/// The plan's own memory: parts of O and of LSE.
const PART_O: usize = LSE + 1;
const PART_LSE: usize = LSE + 2;

/// Keys of a stage of `sm90_decode.cu`, its threads, and blocks that share a multiprocessor.
const DECODE_KEYS: usize = 64;
const DECODE_THREADS: u32 = 128;
const DECODE_BLOCKS: usize = 3;

/// Parts that one work list has room for.
const MOST_PARTS: usize = 15;

/// `supports` of both ways.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let sizes = Sizes::of(problem);
    if !matches!(sizes.d, 64 | 128) {
        return Err(format!("takes heads of 64 or 128 elements, not {}", sizes.d));
    }
    let group = sizes.group();
    if !matches!(group, 1 | 2 | 4 | 8 | 16) {
        return Err(format!("takes 1, 2, 4, 8 or 16 query heads a key head, not {group}"));
    }
    fits(&[Block { rows: 0..sizes.b * group, keys: 0..sizes.p }])?;
    needs_31_bits(&[(MOST_PARTS * sizes.b * sizes.h) as u64, (sizes.b * sizes.hk * sizes.u) as u64])
}

/// The prefix by decoding, as if every sequence had its own.
pub fn flat(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    // Enough blocks that the last ones to run do not leave the device idle, yet long streams.
    let together = DECODE_BLOCKS * info.units.max(1) as usize;
    let keys = (sizes.p * sizes.b * sizes.hk).div_ceil(8 * together);
    let keys = keys.clamp(256, 2048).next_multiple_of(DECODE_KEYS);
    let parts = sizes.p.div_ceil(keys);
    plan(problem, parts, decode(problem, Reads::Prefix { keys }, parts))
}

/// The prefix as one dense attention of all queries.
pub fn hydragen(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let tile = Tile::of(sizes.d);
    let rows = sizes.b * sizes.group();
    let tiles = tile.grain().tiles(rows) * sizes.hk;
    let units = info.units.max(1) as usize;
    let stages = sizes.p.div_ceil(tile.keys as usize);
    let parts = best_parts(tiles, stages, units);
    let keys = stages.div_ceil(parts) * tile.keys as usize;
    let segments: Vec<Block> = (0..sizes.p)
        .step_by(keys)
        .map(|first| Block { rows: 0..rows, keys: first..(first + keys).min(sizes.p) })
        .collect();
    let tiles = tiles * segments.len();
    let group = sizes.group() as u32;
    let q_dims = [sizes.d, sizes.group(), sizes.hk, sizes.b].map(|extent| extent as u64);
    let map = |tensor| prefix_map(problem, tensor, tile.keys);
    let mut constants = tile.constants(problem.dtype);
    constants.push(("GROUP", Constant::Integer(group.into())));
    let prefix = Launch {
        source: &PREFIX,
        entry: "attention_sm90_prefix",
        constants,
        grid: [tiles.min(units) as u32, 1, 1],
        block: [128 * (1 + tile.consumers), 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(),
        arguments: vec![
            swizzled_map(Q, problem.dtype, &q_dims, &[BOX_WIDTH, group, 1, ROWS / group]),
            map(PREFIX_K),
            map(PREFIX_V),
            argument(segments.iter().map(|segment| (segment, false))),
            tile::tensor(PART_O),
            tile::tensor(PART_LSE),
            count(sizes.hk as u64),
            count(rows as u64),
            count(tiles as u64),
            scale_of_powers(sizes),
        ],
    };
    plan(problem, segments.len(), prefix)
}

/// Into how many parts a prefix of so many stages is cut: as many as make the busiest multiprocessor's
/// tiles the shortest, each of which costs about two stages more for its first scores, its output and
/// the merge of that.
fn best_parts(tiles: usize, stages: usize, units: usize) -> usize {
    let cost = |parts: &usize| {
        let each = stages.div_ceil(*parts);
        (tiles * stages.div_ceil(each)).div_ceil(units) * (each + 2)
    };
    (1..=MOST_PARTS.min(stages)).min_by_key(cost).unwrap_or(1)
}

/// A launch that makes so many parts of the prefix, then the one that merges them.
fn plan(problem: &Problem, parts: usize, prefix: Launch) -> Plan {
    let sizes = Sizes::of(problem);
    let rows = (parts * sizes.b * sizes.h) as u64;
    let o = Bytes(rows * sizes.d as u64 * problem.dtype.size());
    Plan {
        scratch: vec![o, Bytes(rows * 4)],
        steps: vec![Step::Launch(prefix), Step::Launch(decode(problem, Reads::Own, parts))],
    }
}

/// Whose keys `sm90_decode.cu` reads.
#[derive(Clone, Copy)]
enum Reads {
    /// The prefix's, so many a part.
    Prefix { keys: usize },
    /// Each sequence's own, to merge with the parts.
    Own,
}

fn decode(problem: &Problem, reads: Reads, parts: usize) -> Launch {
    let sizes = Sizes::of(problem);
    let number = |value: usize| Constant::Integer(value as i64);
    let stages = if sizes.d == 64 { 4 } else { 2 };
    let items = sizes.b * sizes.hk;
    let (last, keys, blocks, maps) = match reads {
        Reads::Prefix { keys } => {
            let map = |tensor| prefix_map(problem, tensor, DECODE_KEYS as u32);
            (0, keys, items * parts, [map(PREFIX_K), map(PREFIX_V)])
        }
        Reads::Own => {
            let dims = [sizes.d, sizes.u, items].map(|extent| extent as u64);
            let map = |tensor| {
                swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, DECODE_KEYS as u32, 1])
            };
            (1, sizes.u, items, [map(OWN_K), map(OWN_V)])
        }
    };
    let mut arguments = maps.to_vec();
    arguments.extend([Q, PART_O, PART_LSE, O, LSE].map(tile::tensor));
    let ragged = usize::from(sizes.ragged);
    arguments
        .extend([sizes.b, sizes.hk, parts, keys, sizes.p, ragged].map(|size| count(size as u64)));
    arguments.push(scale_of_powers(sizes));
    Launch {
        source: &DECODE,
        entry: "attention_sm90_decode",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("D", number(sizes.d)),
            ("GROUP", number(sizes.group())),
            ("LAST", number(last)),
            ("STAGES", number(stages)),
        ],
        grid: [blocks as u32, 1, 1],
        block: [DECODE_THREADS, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (2 * stages * DECODE_KEYS * sizes.d * 2) as u32,
        arguments,
    }
}

/// Keys or values of the prefix, (Hk, P, D), in boxes of `box_rows` of a head.
fn prefix_map(problem: &Problem, tensor: usize, box_rows: u32) -> Argument {
    let sizes = Sizes::of(problem);
    let dims = [sizes.d, sizes.p, sizes.hk].map(|extent| extent as u64);
    swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, box_rows, 1])
}

/// The factor on q·kᵀ for exponentials to the base 2.
fn scale_of_powers(sizes: Sizes) -> Argument {
    Argument::F32((sizes.scale() * LOG2_E) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_device_and_no_more() {
        // Tiles of rows and heads, stages of the prefix.
        assert_eq!(best_parts(64, 128, 132), 2);
        assert_eq!(best_parts(64, 16, 132), 2);
        assert_eq!(best_parts(32, 8, 132), 4);
        assert_eq!(best_parts(1, 1, 132), 1);
        assert_eq!(best_parts(1024, 16, 132), 1);
    }
}
