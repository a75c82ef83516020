//! Who can run the CUDA kernels of the forward pass, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data, with the
//! tiles that were measured to be the best for a size of heads.

use super::{LSE, Sizes};
use crate::tile::{self, SM90_SHARED_BYTES, count, element, needs_31_bits, needs_sm, needs_sm_90a};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{
    Argument, Constant, Header, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Dtype, Info, Problem};

static NAIVE: Source =
    Source { path: "attention/naive.cu", text: include_str!("naive.cu"), headers: tile::HEADERS };
static FLASH: Source = Source {
    path: "attention/sm90_flash.cu",
    text: include_str!("sm90_flash.cu"),
    headers: FLASH_HEADERS,
};
pub(super) static FLASH_HEADERS: &[Header] = &[
    Header { name: "attention/sm90_scores.h", text: include_str!("sm90_scores.h") },
    Header { name: "attention/softmax.h", text: include_str!("softmax.h") },
    Header { name: "attention/sm90_stream.h", text: include_str!("sm90_stream.h") },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
];

/// Indices in the family's list of tensors; of 8 bits, scales stand before O.
pub(super) const Q: usize = 0;
pub(super) const K: usize = 1;
pub(super) const V: usize = 2;
const O: usize = 3;

/// The head that fits the shared memory which a block of `naive.cu` has without asking for more.
const NAIVE_LONGEST_HEAD: u64 = 8192;

/// Rows of a warpgroup, and elements of a row of every box: 128 bytes, the width of the swizzle.
const ROWS: u32 = 64;
const BOX_WIDTH: u32 = 64;

/// Keys and values that are read by tiles in flight together should stay in L2, which H200 has 50
/// MB of in two halves.
const BAND_BYTES: usize = 32 << 20;
/// From this many heads on, a band gains no more balance.
const BAND_HEADS: usize = 32;

/// `supports` of the formula alone.
pub fn any_nvidia(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, if problem.dtype == Dtype::Bf16 { 80 } else { 70 })?;
    if problem.dtype == Dtype::E4m3 {
        return Err("has no place for the scales of 8-bit elements".to_owned());
    }
    let [b, h, n, nk, d] = ["b", "h", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
    needs_31_bits(&[b * h * n, nk])?;
    if d > NAIVE_LONGEST_HEAD {
        return Err(format!("holds heads of at most {NAIVE_LONGEST_HEAD} elements, not {d}"));
    }
    Ok(())
}

/// `supports` of Hopper's kernel.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    let [b, h, n, nk, d] = ["b", "h", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    if d > 256 || !d.is_multiple_of(8) {
        return Err(format!("takes heads of whole vectors of 8 up to 256 elements, not {d}"));
    }
    needs_31_bits(&[b * h * n, nk])
}

/// The formula, a query a block.
pub fn naive(problem: &Problem, _info: &Info) -> Plan {
    let Sizes { h, hk, n, nk, d, causal } = Sizes::of(problem);
    let mut arguments = [Q, K, V, O, LSE].map(tile::tensor).to_vec();
    arguments.extend([h / hk, n, nk].map(|size| count(size as u64)));
    arguments.push(scale_of_powers(problem));
    one_launch(Launch {
        source: &NAIVE,
        entry: "attention_naive",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("D", number(d)),
            ("CAUSAL", number(causal.into())),
        ],
        grid: [(heads(problem) * n) as u32, 1, 1],
        block: [128, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    })
}

/// Flash attention on the warpgroup's tensor cores.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    let Sizes { h, hk, n, nk, d, causal } = Sizes::of(problem);
    let tile = Tile::of(d);
    let heads = heads(problem);
    let tiles = n.div_ceil(tile.queries() as usize) * heads;
    let mut arguments = vec![
        map(problem, Q, heads, n, ROWS),
        map(problem, K, heads / h * hk, nk, tile.keys),
        map(problem, V, heads / h * hk, nk, tile.keys),
        map(problem, O, heads, n, ROWS),
        tile::tensor(LSE),
    ];
    arguments.extend([heads, h / hk, n, nk].map(|size| count(size as u64)));
    arguments.push(scale_of_powers(problem));
    arguments.push(count(band(problem) as u64));
    one_launch(Launch {
        source: &FLASH,
        entry: "attention_sm90_flash",
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("D", number(tile.head as usize)),
            ("TILE_N", number(tile.keys as usize)),
            ("CONSUMERS", number(tile.consumers as usize)),
            ("STAGES", number(tile.stages as usize)),
            ("Q_STAGES", number(tile.query_stages as usize)),
            ("CAUSAL", number(causal.into())),
            ("HELD_QUERIES", number(tile.holds_queries().into())),
        ],
        grid: [tiles.min(info.units.max(1) as usize) as u32, 1, 1],
        block: [128 * (1 + tile.consumers), 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: tile.shared_bytes(),
        arguments,
    })
}

/// The constants of `sm90_flash.cu`.
struct Tile {
    /// Elements of a head, padded with zeros by the copy engine.
    head: u32,
    /// Of a stage.
    keys: u32,
    /// Warpgroups with 64 queries each.
    consumers: u32,
    stages: u32,
    /// Tiles whose queries have room.
    query_stages: u32,
}

impl Tile {
    /// The best that was measured on an H200; README.md has the figures.
    fn of(d: usize) -> Self {
        match d {
            0..=64 => Tile { head: 64, keys: 128, consumers: 3, stages: 3, query_stages: 2 },
            65..=128 => Tile { head: 128, keys: 128, consumers: 2, stages: 2, query_stages: 1 },
            _ => Tile { head: 256, keys: 64, consumers: 2, stages: 2, query_stages: 1 },
        }
    }

    /// Whether queries stay in registers: at the other sizes three warpgroups or O leave no room.
    fn holds_queries(&self) -> bool {
        self.head == 128
    }

    fn queries(&self) -> u32 {
        ROWS * self.consumers
    }

    fn shared_bytes(&self) -> u32 {
        let queries = self.queries() * self.head * 2 + 256;
        let output = self.queries() * self.head.min(128) * 2;
        let stages = self.stages * self.keys * self.head * 4;
        let bytes = self.query_stages * queries + output + stages;
        debug_assert!(bytes <= SM90_SHARED_BYTES);
        bytes
    }
}

/// How many heads are worked on together. Without a mask all tiles are alike, and one head after
/// the other keeps the least in L2; with one, long and short tiles of several heads balance.
pub(super) fn band(problem: &Problem) -> usize {
    let Sizes { h, hk, nk, d, causal, .. } = Sizes::of(problem);
    if !causal {
        return 1;
    }
    let bytes = nk * d * 2 * problem.dtype.size() as usize * hk / h;
    let most = (BAND_BYTES / bytes.max(1)).clamp(1, BAND_HEADS);
    // A power of two mostly divides the heads, so that no small band is left over at the end.
    1 << most.ilog2()
}

/// B·H.
pub(super) fn heads(problem: &Problem) -> usize {
    problem.shape.index("b") * problem.shape.index("h")
}

/// The factor on Q·Kᵀ for exponentials to the base 2.
pub(super) fn scale_of_powers(problem: &Problem) -> Argument {
    Argument::F32((Sizes::of(problem).scale() * LOG2_E) as f32)
}

/// A tensor (heads, rows, D) in boxes of `box_rows` rows of one head.
fn map(problem: &Problem, tensor: usize, heads: usize, rows: usize, box_rows: u32) -> Argument {
    let d = problem.shape.integer("d");
    let row_bytes = d * problem.dtype.size();
    Argument::TensorMap(TensorMap {
        tensor,
        dtype: problem.dtype,
        dims: vec![d, rows as u64, heads as u64],
        strides_bytes: vec![row_bytes, row_bytes * rows as u64],
        box_dims: vec![BOX_WIDTH, box_rows, 1],
        swizzle: Swizzle::B128,
        l2_promotion: L2Promotion::B256,
    })
}

fn one_launch(launch: Launch) -> Plan {
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

fn number(value: usize) -> Constant {
    Constant::Integer(value as i64)
}
