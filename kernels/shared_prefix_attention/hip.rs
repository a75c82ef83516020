//! Who can run the kernels for AMD's matrix cores, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Both ways make
//! parts of the softmax first and merge them in a last launch.

use super::parts::{MOST_PARTS, PARTS, best_parts, merge, parts_of, scale_of_powers};
use super::{LEVEL_K, LEVEL_V, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use crate::attention::{
    BLOCK_ROWS, FLASH_MFMA, GFX942_STREAM, GFX950_STREAM, MFMA_ROWS, MFMA_STREAM,
};
use crate::tile::{self, AMD, count, element, needs_31_bits, needs_amd, tensor};
use tilemark_core::launch::{Argument, Constant, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static HYDRAGEN: Source = Source {
    path: "shared_prefix_attention/mfma_hydragen.hip",
    text: include_str!("mfma_hydragen.hip"),
    headers: &[
        PARTS,
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
static DECODE: Source = Source {
    path: "shared_prefix_attention/mfma_decode.hip",
    text: include_str!("mfma_decode.hip"),
    headers: &[PARTS, FLASH_MFMA, MFMA_ROWS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA, tile::HIP],
};

/// Of `mfma_decode.hip`: columns of a product, waves of a block, and waves that share a unit.
const MOST_GROUP: usize = 32;
const DECODE_WAVES: usize = 4;
const WAVES_OF_A_UNIT: usize = 8;

/// `supports` of both ways.
pub fn matrix_cores(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, AMD)?;
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    let sizes = Sizes::of(problem);
    if sizes.d > 128 || !sizes.d.is_multiple_of(8) {
        return Err(format!(
            "takes heads of whole vectors of 8 up to 128 elements, not {}",
            sizes.d
        ));
    }
    if sizes.group() > MOST_GROUP {
        return Err(format!(
            "takes up to {MOST_GROUP} query heads a key head, not {}",
            sizes.group()
        ));
    }
    let rows = sizes.b * sizes.h;
    if [rows, sizes.p, sizes.m, sizes.u].iter().any(|rows| rows * sizes.d >= 1 << 30) {
        return Err("elements of the queries, or of a head, exceed a buffer's offsets".to_owned());
    }
    let keys = sizes.p + sizes.groups * sizes.m + sizes.u;
    needs_31_bits(&[rows * MOST_PARTS, sizes.b * sizes.hk * keys].map(|extent| extent as u64))
}

/// Every sequence's keys by decoding, as if none were shared.
pub fn flat(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let mut sets = vec![Keys::PREFIX, Keys::own(sizes)];
    if sizes.m > 0 {
        sets.push(Keys::level(sizes));
    }
    let mut parts = 0;
    let mut launches = Vec::new();
    for set in sets {
        let keys = set.of_a_part(sizes, info);
        launches.push(decode(problem, set, keys, parts));
        parts += set.count(sizes).div_ceil(keys);
    }
    merged(problem, launches, parts)
}

/// Shared keys by one dense attention for all queries that share them, own keys by decoding.
pub fn hydragen(problem: &Problem, info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let run_tiles = (sizes.run() * sizes.group()).div_ceil(BLOCK_ROWS);
    let tiles = run_tiles * sizes.runs() * sizes.hk;
    let keys = 8192 / head_dim(sizes);
    let stages = sizes.p.div_ceil(keys) + sizes.m.div_ceil(keys);
    let shared = best_parts(tiles, stages, info.units.max(1) as usize);
    let own = Keys::own(sizes);
    let own_keys = own.of_a_part(sizes, info);
    let launches =
        vec![shared_keys(problem, shared, shared * tiles), decode(problem, own, own_keys, shared)];
    merged(problem, launches, shared + sizes.u.div_ceil(own_keys))
}

/// Launches that make so many parts, and the merge.
fn merged(problem: &Problem, mut launches: Vec<Launch>, parts: usize) -> Plan {
    let sizes = Sizes::of(problem);
    let rows = (parts * sizes.b * sizes.h) as u64;
    launches.push(merge(problem, parts));
    Plan {
        scratch: vec![Bytes(rows * sizes.d as u64 * 4), Bytes(rows * 8)],
        steps: launches.into_iter().map(Step::Launch).collect(),
    }
}

/// All parts of shared keys.
fn shared_keys(problem: &Problem, parts: usize, blocks: usize) -> Launch {
    let sizes = Sizes::of(problem);
    let level = if sizes.m > 0 { [LEVEL_K, LEVEL_V] } else { [PREFIX_K, PREFIX_V] };
    let tensors = [[Q, PREFIX_K, PREFIX_V].as_slice(), &level, &parts_of(sizes)].concat();
    let mut arguments: Vec<Argument> = tensors.into_iter().map(tensor).collect();
    let Sizes { b, hk, p, m, d, .. } = sizes;
    let counts = [b, hk, sizes.group(), sizes.runs(), p, m, parts, d];
    arguments.extend(counts.map(|size| count(size as u64)));
    arguments.push(scale_of_powers(sizes));
    Launch {
        source: &HYDRAGEN,
        entry: "attention_mfma_hydragen",
        constants: constants(problem),
        grid: [blocks as u32, 1, 1],
        block: [512, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    }
}

/// Whose keys `mfma_decode.hip` reads.
#[derive(Clone, Copy)]
struct Keys {
    tensors: [usize; 2],
    /// Runs of sequences that share them; 0 where each sequence has its own.
    runs: usize,
    ragged: bool,
}

impl Keys {
    const PREFIX: Keys = Keys { tensors: [PREFIX_K, PREFIX_V], runs: 1, ragged: false };

    fn own(sizes: Sizes) -> Self {
        Keys { tensors: [OWN_K, OWN_V], runs: 0, ragged: sizes.ragged }
    }

    fn level(sizes: Sizes) -> Self {
        Keys { tensors: [LEVEL_K, LEVEL_V], runs: sizes.groups, ragged: false }
    }

    /// How many a sequence sees at most.
    fn count(self, sizes: Sizes) -> usize {
        match self.tensors[0] {
            PREFIX_K => sizes.p,
            OWN_K => sizes.u,
            _ => sizes.m,
        }
    }

    /// Enough waves that the last ones to run do not leave the device idle, yet long streams.
    fn of_a_part(self, sizes: Sizes, info: &Info) -> usize {
        let together = WAVES_OF_A_UNIT * info.units.max(1) as usize;
        let keys = (self.count(sizes) * sizes.b * sizes.hk).div_ceil(8 * together);
        keys.clamp(256, 2048)
    }
}

/// Parts of so many of these keys, of which the first is this one.
fn decode(problem: &Problem, keys: Keys, of_a_part: usize, first_part: usize) -> Launch {
    let sizes = Sizes::of(problem);
    let [part_o, part_sums] = parts_of(sizes);
    let rows_before = (first_part * sizes.b * sizes.h) as u64;
    let part =
        |tensor, row_bytes: u64| Argument::Tensor { tensor, offset_bytes: rows_before * row_bytes };
    let [k, v] = keys.tensors;
    let mut arguments = [Q, k, v].map(tensor).to_vec();
    arguments.extend([part(part_o, sizes.d as u64 * 4), part(part_sums, 8)]);
    let Sizes { b, hk, d, .. } = sizes;
    let n = keys.count(sizes);
    let parts = n.div_ceil(of_a_part);
    let ragged = usize::from(keys.ragged);
    let counts = [b, hk, sizes.group(), keys.runs, n, ragged, of_a_part, parts, d];
    arguments.extend(counts.map(|size| count(size as u64)));
    arguments.push(scale_of_powers(sizes));
    Launch {
        source: &DECODE,
        entry: "attention_mfma_decode",
        constants: constants(problem),
        grid: [(b * hk * parts).div_ceil(DECODE_WAVES) as u32, 1, 1],
        block: [64 * DECODE_WAVES as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    }
}

/// Columns of a tile, of which a narrower head leaves some empty.
fn head_dim(sizes: Sizes) -> usize {
    if sizes.d <= 64 { 64 } else { 128 }
}

fn constants(problem: &Problem) -> Vec<(&'static str, Constant)> {
    let head_dim = head_dim(Sizes::of(problem));
    vec![("ELEMENT", element(problem.dtype).into()), ("HEAD_DIM", (head_dim as i64).into())]
}
