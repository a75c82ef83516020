//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Both ways make
//! parts of the softmax first and merge them in a second launch, but for pairs of blocks.

use super::parts::{MOST_PARTS, PARTS, best_parts, merge, parts_of, scale_of_powers};
use super::{LEVEL_K, LEVEL_V, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use crate::block_sparse_attention::{BOX_WIDTH, CONSUMER, FEEDER, ROWS, SCORES, SOFTMAX, STREAM};
use crate::tile::{
    self, SM90_SHARED_BYTES, count, element, needs_31_bits, needs_sm_90a, swizzled_map,
};
use tilemark_core::launch::{Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static HYDRAGEN: Source = Source {
    path: "shared_prefix_attention/sm90_hydragen.cu",
    text: include_str!("sm90_hydragen.cu"),
    headers: &[
        Header {
            name: "shared_prefix_attention/sm90_levels.h",
            text: include_str!("sm90_levels.h"),
        },
        Header { name: "shared_prefix_attention/sm90_own.h", text: include_str!("sm90_own.h") },
        Header { name: "shared_prefix_attention/sm90_pair.h", text: include_str!("sm90_pair.h") },
        PARTS,
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
static DECODE: Source = Source {
    path: "shared_prefix_attention/sm90_decode.cu",
    text: include_str!("sm90_decode.cu"),
    headers: &[SOFTMAX, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// Of `sm90_hydragen.cu`: warpgroups with 64 rows of a tile each, and own keys that are worked on
/// together.
const CONSUMERS: usize = 2;
const OWN_KEYS: usize = 64;

/// How a block of `sm90_hydragen.cu` divides its shared memory: keys of a stage of shared ones, how
/// many stages have room, and how many panels of own keys.
#[derive(Clone, Copy, PartialEq)]
struct Rings {
    keys: usize,
    stages: usize,
    own_panels: usize,
    /// Whether queries stay in registers, for which stages of 128 keys at d = 128 leave no room; not
    /// tried at d = 64.
    held_queries: bool,
}

/// For heads of 64; for those of 128, of which two stages of 128 keys have room; for these where three
/// of 96 keys take the room of own ones.
const NARROW: Rings = Rings { keys: 128, stages: 3, own_panels: 7, held_queries: false };
const WIDE: Rings = Rings { keys: 128, stages: 2, own_panels: 7, held_queries: false };
const WIDE_AND_LONG: Rings = Rings { keys: 96, stages: 3, own_panels: 5, held_queries: true };

/// Of a multiprocessor's tensor cores, in 16 bits.
const FLOPS_A_CLOCK: usize = 4096;

/// What a block of `sm90_hydragen.cu` needs beside its rings where two make a tile's O together.
/// For groups beyond this one there is no room.
const PAIR_BYTES: usize = 1056;
const MOST_PAIRED_GROUP: usize = 8;

/// Keys of a stage of `sm90_decode.cu`, its threads, and blocks that share a multiprocessor.
const DECODE_KEYS: usize = 64;
const DECODE_THREADS: u32 = 128;
const DECODE_BLOCKS: usize = 3;

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
    let rows = sizes.b * sizes.h;
    let shared = MOST_PARTS * (sizes.p + sizes.groups * sizes.m);
    needs_31_bits(&[rows, shared, sizes.b * sizes.hk * sizes.u].map(|extent| extent as u64))
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
    let rows = (parts * sizes.b * sizes.h) as u64;
    let launches = [Reads::Prefix { keys }, Reads::Own].map(|reads| decode(problem, reads, parts));
    Plan {
        scratch: vec![Bytes(rows * sizes.d as u64 * problem.dtype.size()), Bytes(rows * 4)],
        steps: launches.into_iter().map(Step::Launch).collect(),
    }
}

/// Shared keys by one dense attention for all queries that share them, own keys meanwhile.
pub fn hydragen(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let units = info.units.max(1) as usize;
    let run_tiles = (sizes.run() * sizes.group()).div_ceil(ROWS as usize * CONSUMERS);
    let tiles = run_tiles * sizes.runs() * sizes.hk;
    let rings = rings(sizes, tiles, units);
    let parts = best_parts(tiles, rings.stages_of(sizes), units);
    let paired = parts == 2 && has_pairs(sizes, tiles, units);
    let all = Step::Launch(all_keys(problem, rings, parts, parts * tiles, units, paired));
    if paired {
        return Plan { scratch: room_of_parts(sizes, 1), steps: vec![all] };
    }
    Plan {
        scratch: room_of_parts(sizes, parts + 1),
        steps: vec![all, Step::Early(merge(problem, parts + 1))],
    }
}

/// Whether two blocks may take each tile, all at once, in the room that there is, and no more own keys
/// than if all multiprocessors shared them. Where products take long it was slower.
fn has_pairs(sizes: Sizes, tiles: usize, units: usize) -> bool {
    let sequences = (ROWS as usize * CONSUMERS / sizes.group()).min(sizes.run());
    let own = (sizes.b * sizes.hk).div_ceil(units);
    !multiplies_long(sizes, tiles, units)
        && 2 * tiles <= units
        && sequences.div_ceil(2) <= own
        && sizes.group() <= MOST_PAIRED_GROUP
}

fn room_of_parts(sizes: Sizes, parts: usize) -> Vec<Bytes> {
    let rows = (parts * sizes.b * sizes.h) as u64;
    vec![Bytes(rows * sizes.d as u64 * 4), Bytes(rows * 8)]
}

impl Rings {
    /// Of shared keys, those of each level by themselves.
    fn stages_of(self, sizes: Sizes) -> usize {
        sizes.p.div_ceil(self.keys) + sizes.m.div_ceil(self.keys)
    }
}

/// With two stages, a warpgroup's next keys and values are asked for a stage before it needs them, by
/// whichever warpgroup is last: where that is too late both wait for the same bytes, and from then on
/// for the tensor cores at the same time. A third stage keeps them apart; it pays where a block has
/// many stages, and products take so long that own keys need not come as fast as they can.
fn rings(sizes: Sizes, tiles: usize, units: usize) -> Rings {
    if sizes.d == 64 {
        return NARROW;
    }
    // Also in stages of so many keys: an own one's bytes take 1.5 times as long as a shared one's products.
    let own = sizes.b * sizes.hk * sizes.u.div_ceil(WIDE.keys);
    let most_are_shared = tiles * WIDE.stages_of(sizes) >= 3 * own;
    if multiplies_long(sizes, tiles, units) && most_are_shared { WIDE_AND_LONG } else { WIDE }
}

/// Whether a block has many stages of shared keys.
fn multiplies_long(sizes: Sizes, tiles: usize, units: usize) -> bool {
    tiles * WIDE.stages_of(sizes) >= 32 * units
}

/// Clocks from one panel of own keys to the next, so that they last as long as a block's products would
/// at the tensor cores' full rate. Only where products take long: own keys bound the rest.
fn pace(sizes: Sizes, rings: Rings, tiles: usize, units: usize) -> usize {
    if rings != WIDE_AND_LONG {
        return 0;
    }
    let stage = 4 * ROWS as usize * CONSUMERS * rings.keys * sizes.d / FLOPS_A_CLOCK;
    let products = tiles * rings.stages_of(sizes) * stage / units;
    let items = (sizes.b * sizes.hk).div_ceil(units);
    let panels = 2 * (sizes.d / BOX_WIDTH as usize) * sizes.u.div_ceil(OWN_KEYS);
    products / (items * panels).max(1)
}

/// Parts of shared keys, and one of own keys.
fn all_keys(
    problem: &Problem,
    rings: Rings,
    parts: usize,
    tiles: usize,
    units: usize,
    paired: bool,
) -> Launch {
    let sizes = Sizes::of(problem);
    let group = sizes.group() as u32;
    let blocks = if paired { tiles } else { tiles.max(sizes.b * sizes.hk).min(units) };
    let q_dims = [sizes.d, sizes.group(), sizes.hk, sizes.b].map(|extent| extent as u64);
    let map = |tensor, keys: usize, heads: usize, box_rows: usize| {
        let dims = [sizes.d, keys, heads].map(|extent| extent as u64);
        swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, box_rows as u32, 1])
    };
    let prefix = [PREFIX_K, PREFIX_V].map(|tensor| map(tensor, sizes.p, sizes.hk, rings.keys));
    let level = match sizes.m {
        0 => prefix.clone(),
        m => {
            let heads = sizes.hk * sizes.groups;
            [LEVEL_K, LEVEL_V].map(|tensor| map(tensor, m, heads, rings.keys))
        }
    };
    let own = [OWN_K, OWN_V].map(|tensor| map(tensor, sizes.u, sizes.b * sizes.hk, OWN_KEYS));
    let queries =
        |sequences| swizzled_map(Q, problem.dtype, &q_dims, &[BOX_WIDTH, group, 1, sequences]);
    let mut arguments = vec![queries(ROWS / group)];
    arguments.extend([prefix, level].concat());
    arguments.push(queries(1));
    arguments.extend(own);
    arguments.extend(parts_of(sizes).map(tile::tensor));
    let (runs, ragged) = (sizes.runs(), usize::from(sizes.ragged));
    let counts = [sizes.b, sizes.hk, runs, sizes.p, sizes.m, sizes.u, ragged, parts, tiles];
    arguments.extend(counts.map(|size| count(size as u64)));
    arguments.push(scale_of_powers(sizes));
    arguments.extend([sizes.output(), sizes.output() + 1].map(tile::tensor));
    arguments.push(count(pace(sizes, rings, tiles / parts, units) as u64));
    let number = |value: usize| Constant::Integer(value as i64);
    Launch {
        source: &HYDRAGEN,
        entry: "attention_sm90_hydragen",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("D", number(sizes.d)),
            ("TILE_N", number(rings.keys)),
            ("CONSUMERS", number(CONSUMERS)),
            ("STAGES", number(rings.stages)),
            ("SLOTS", number(rings.own_panels)),
            ("GROUP", number(sizes.group())),
            ("PAIRED", number(paired.into())),
            ("HELD_QUERIES", number(rings.held_queries.into())),
        ],
        grid: [blocks as u32, 1, 1],
        block: [128 * (2 + CONSUMERS as u32), 1, 1],
        cluster: [1 + u32::from(paired), 1, 1],
        dynamic_shared_bytes: shared_bytes(sizes, rings, paired),
        arguments,
    }
}

/// Of a block of `sm90_hydragen.cu`: queries, stages, barriers; of own keys weights and queries, panels;
/// what pairs send.
fn shared_bytes(sizes: Sizes, rings: Rings, paired: bool) -> u32 {
    let shared = (ROWS as usize * CONSUMERS * 2 + rings.stages * rings.keys * 4) * sizes.d;
    let own = sizes.group().max(8) * 640 + rings.own_panels * OWN_KEYS * 128;
    let bytes = shared + 1024 + own + if paired { PAIR_BYTES } else { 0 };
    debug_assert!(bytes <= SM90_SHARED_BYTES as usize);
    bytes as u32
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
    let map = |tensor, keys: usize, heads: usize| {
        let dims = [sizes.d, keys, heads].map(|extent| extent as u64);
        swizzled_map(tensor, problem.dtype, &dims, &[BOX_WIDTH, DECODE_KEYS as u32, 1])
    };
    let (last, keys, items, maps) = match reads {
        Reads::Prefix { keys } => {
            (0, keys, heads * parts, [PREFIX_K, PREFIX_V].map(|k| map(k, sizes.p, sizes.hk)))
        }
        Reads::Own => (1, sizes.u, heads, [OWN_K, OWN_V].map(|k| map(k, sizes.u, heads))),
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
