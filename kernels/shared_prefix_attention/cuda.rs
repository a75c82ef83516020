//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Both ways make
//! parts of the prefix first and merge them where a sequence's own keys are read.

use super::{LEVEL_K, LEVEL_V, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
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

/// Keys of a stage of `sm90_decode.cu`, its threads, and blocks that share a multiprocessor.
const DECODE_KEYS: usize = 64;
const DECODE_THREADS: u32 = 128;
const DECODE_BLOCKS: usize = 3;

/// Segments that one work list has room for.
const MOST_SEGMENTS: usize = 15;

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
    let rows = 0..sizes.b * group;
    let level = 0..sizes.groups * sizes.m;
    fits(&[Block { rows: rows.clone(), keys: 0..sizes.p }, Block { rows, keys: level }])?;
    needs_31_bits(&[
        (MOST_SEGMENTS * sizes.b * sizes.h) as u64,
        (sizes.b * sizes.hk * sizes.u) as u64,
    ])
}

/// `supports` of decoding all keys by sequence.
pub fn hopper_flat(problem: &Problem, info: &Info) -> Result<(), String> {
    hopper(problem, info)?;
    match problem.shape.integer("m") {
        0 => Ok(()),
        m => Err(format!("reads one shared level, and there is a second of {m} keys")),
    }
}

/// The prefix by decoding, as if every sequence had its own.
pub fn flat(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    // Enough blocks that the last ones to run do not leave the device idle, yet long streams.
    let together = DECODE_BLOCKS * info.units.max(1) as usize;
    let keys = (sizes.p * sizes.b * sizes.hk).div_ceil(8 * together);
    let keys = keys.clamp(256, 2048).next_multiple_of(DECODE_KEYS);
    let parts = sizes.p.div_ceil(keys);
    plan(problem, parts, vec![decode(problem, Reads::Prefix { keys }, parts)])
}

/// Shared keys by one dense attention for all queries that share them.
pub fn hydragen(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let tile = Tile::of(sizes.d);
    let rows = sizes.b * sizes.group();
    let tiles = tile.grain().tiles(rows) * sizes.hk;
    let stages = sizes.p.div_ceil(tile.keys as usize);
    let cut = best_parts(tiles, stages, info.units.max(1) as usize);
    let keys = stages.div_ceil(cut) * tile.keys as usize;
    let segments: Vec<Block> = (0..sizes.p)
        .step_by(keys)
        .map(|first| Block { rows: 0..rows, keys: first..(first + keys).min(sizes.p) })
        .collect();
    let mut parts = segments.len();
    let mut launches = vec![shared(problem, info, Level::Prefix, &segments)];
    if sizes.m > 0 {
        let run = sizes.run() * sizes.group();
        let block = |idx: usize| Block {
            rows: idx * run..(idx + 1) * run,
            keys: idx * sizes.m..(idx + 1) * sizes.m,
        };
        let runs: Vec<Block> = (0..sizes.groups).map(block).collect();
        let of_part = |runs: &[Block]| shared(problem, info, Level::Runs { part: parts }, runs);
        launches.extend(runs.chunks(MOST_SEGMENTS).map(of_part));
        parts += 1;
    }
    plan(problem, parts, launches)
}

/// Whose keys `sm90_prefix.cu` reads.
#[derive(Clone, Copy)]
enum Level {
    /// The prefix's: a segment is a part.
    Prefix,
    /// Those of runs of sequences: a segment is a run, and all of them are one part.
    Runs { part: usize },
}

fn shared(problem: &Problem, info: &Info, level: Level, segments: &[Block]) -> Launch {
    let sizes = Sizes::of(problem);
    let tile = Tile::of(sizes.d);
    let group = sizes.group() as u32;
    let rows = sizes.b * sizes.group();
    let tiles: usize = segments.iter().map(|run| tile.grain().tiles(run.rows.len())).sum();
    let tiles = tiles * sizes.hk;
    let (k, v, keys, part) = match level {
        Level::Prefix => (PREFIX_K, PREFIX_V, sizes.p, 0),
        Level::Runs { part } => (LEVEL_K, LEVEL_V, sizes.groups * sizes.m, part),
    };
    let q_dims = [sizes.d, sizes.group(), sizes.hk, sizes.b].map(|extent| extent as u64);
    let map = |tensor| shared_map(problem, tensor, keys, tile.keys);
    let part_rows = (part * sizes.b * sizes.h) as u64;
    let part_bytes = part_rows * sizes.d as u64 * problem.dtype.size();
    let [o, lse] = parts_of(sizes);
    let mut constants = tile.constants(problem.dtype);
    let runs = matches!(level, Level::Runs { .. });
    constants.extend([("GROUP", i64::from(group).into()), ("RUNS", i64::from(runs).into())]);
    Launch {
        source: &PREFIX,
        entry: "attention_sm90_prefix",
        constants,
        grid: [tiles.min(info.units.max(1) as usize) as u32, 1, 1],
        block: [128 * (1 + tile.consumers), 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(),
        arguments: vec![
            swizzled_map(Q, problem.dtype, &q_dims, &[BOX_WIDTH, group, 1, ROWS / group]),
            map(k),
            map(v),
            argument(segments.iter().map(|segment| (segment, false))),
            Argument::Tensor { tensor: o, offset_bytes: part_bytes },
            Argument::Tensor { tensor: lse, offset_bytes: part_rows * 4 },
            count(sizes.hk as u64),
            count(rows as u64),
            count(tiles as u64),
            scale_of_powers(sizes),
        ],
    }
}

/// Into how many parts a prefix of so many stages is cut: as many as make the busiest multiprocessor's
/// tiles the shortest, each of which costs about two stages more for its first scores, its output and
/// the merge of that.
fn best_parts(tiles: usize, stages: usize, units: usize) -> usize {
    let cost = |parts: &usize| {
        let each = stages.div_ceil(*parts);
        (tiles * stages.div_ceil(each)).div_ceil(units) * (each + 2)
    };
    (1..=MOST_SEGMENTS.min(stages)).min_by_key(cost).unwrap_or(1)
}

/// Launches that make so many parts of the shared keys, then the one that merges them.
fn plan(problem: &Problem, parts: usize, mut launches: Vec<Launch>) -> Plan {
    let sizes = Sizes::of(problem);
    let rows = (parts * sizes.b * sizes.h) as u64;
    let o = Bytes(rows * sizes.d as u64 * problem.dtype.size());
    launches.push(decode(problem, Reads::Own, parts));
    Plan {
        scratch: vec![o, Bytes(rows * 4)],
        steps: launches.into_iter().map(Step::Launch).collect(),
    }
}

/// The plan's own memory: parts of O and of LSE.
fn parts_of(sizes: Sizes) -> [usize; 2] {
    [sizes.output() + 2, sizes.output() + 3]
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
    let heads = sizes.b * sizes.hk;
    let (last, keys, items, maps) = match reads {
        Reads::Prefix { keys } => {
            let map = |tensor| shared_map(problem, tensor, sizes.p, DECODE_KEYS as u32);
            (0, keys, heads * parts, [map(PREFIX_K), map(PREFIX_V)])
        }
        Reads::Own => {
            let dims = [sizes.d, sizes.u, heads].map(|extent| extent as u64);
            let map = |tensor| {
                swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, DECODE_KEYS as u32, 1])
            };
            (1, sizes.u, heads, [map(OWN_K), map(OWN_V)])
        }
    };
    let mut arguments = maps.to_vec();
    let [part_o, part_lse] = parts_of(sizes);
    let tensors = [Q, part_o, part_lse, sizes.output(), sizes.output() + 1];
    arguments.extend(tensors.map(tile::tensor));
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
        grid: [items as u32, 1, 1],
        block: [DECODE_THREADS, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (2 * stages * DECODE_KEYS * sizes.d * 2) as u32,
        arguments,
    }
}

/// Shared keys or values, (Hk, keys, D), in boxes of `box_rows` of a head.
fn shared_map(problem: &Problem, tensor: usize, keys: usize, box_rows: u32) -> Argument {
    let sizes = Sizes::of(problem);
    let dims = [sizes.d, keys, sizes.hk].map(|extent| extent as u64);
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
