//! Who can run Hopper's forward kernel in 8 bits, and its launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{FLASH_HEADERS, K, Q, V, band, heads, scale_of_powers};
use super::{Sizes, outputs};
use crate::tile::{self, count, needs_31_bits, needs_sm_90a, tensor};
use tilemark_core::launch::{
    Argument, Constant, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static TRANSPOSE: Source = Source {
    path: "attention/fp8_transpose.cu",
    text: include_str!("fp8_transpose.cu"),
    headers: tile::HEADERS,
};
static FLASH: Source = Source {
    path: "attention/sm90_flash_fp8.cu",
    text: include_str!("sm90_flash_fp8.cu"),
    headers: FLASH_HEADERS,
};

/// Indices of the scales in the family's list of tensors.
const SCALES: [usize; 3] = [3, 4, 5];
/// Queries of a tile, keys of a block, and the elements that a head is padded to.
const TILE: usize = 128;
/// Of keys, and of values.
const STAGES: usize = 4;
/// Blocks of a grid along y, which counts heads.
const MOST_HEADS: usize = 65_535;

/// `supports` of the kernel.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    if problem.dtype != Dtype::E4m3 {
        return Err(format!("multiplies e4m3, not {}", problem.dtype));
    }
    let Sizes { n, nk, d, .. } = Sizes::of(problem);
    if d > TILE || !d.is_multiple_of(16) {
        return Err(format!("takes heads of whole vectors of 16 up to {TILE} elements, not {d}"));
    }
    let heads = heads(problem);
    if heads > MOST_HEADS {
        return Err(format!("its grid covers {MOST_HEADS} heads, not {heads}"));
    }
    needs_31_bits(&[(heads * n) as u64, nk as u64])
}

/// V transposed, then flash attention with two blocks of scores in registers.
pub fn flash(problem: &Problem, info: &Info) -> Plan {
    let Sizes { h, hk, nk, d, .. } = Sizes::of(problem);
    let key_heads = heads(problem) / h * hk;
    let scratch = Bytes((key_heads * d * nk.next_multiple_of(TILE)) as u64);
    let [_, lse] = outputs(problem.dtype);
    let transposed = lse + 1;
    Plan {
        scratch: vec![scratch],
        steps: vec![transpose(problem, key_heads, transposed), attend(problem, info, transposed)],
    }
}

fn transpose(problem: &Problem, key_heads: usize, transposed: usize) -> Step {
    let Sizes { nk, d, .. } = Sizes::of(problem);
    Step::Launch(Launch {
        source: &TRANSPOSE,
        entry: "attention_fp8_transpose",
        constants: Vec::new(),
        grid: [nk.div_ceil(TILE) as u32, key_heads as u32, 1],
        block: [256, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: vec![tensor(V), tensor(transposed), count(nk as u64), count(d as u64)],
    })
}

fn attend(problem: &Problem, info: &Info, transposed: usize) -> Step {
    let Sizes { h, hk, n, nk, d, causal } = Sizes::of(problem);
    let heads = heads(problem);
    let key_heads = heads / h * hk;
    let [o, lse] = outputs(problem.dtype);
    let padded = nk.next_multiple_of(TILE);
    let mut arguments = vec![
        map(Dtype::E4m3, Q, [d, n, heads], [128, 64]),
        map(Dtype::E4m3, K, [d, nk, key_heads], [128, 128]),
        map(Dtype::E4m3, transposed, [padded, d, key_heads], [128, 128]),
        map(Dtype::Bf16, o, [d, n, heads], [64, 64]),
        tensor(lse),
    ];
    arguments.extend(SCALES.map(tensor));
    arguments.extend([heads, h / hk, n, nk].map(|size| count(size as u64)));
    arguments.push(scale_of_powers(problem));
    arguments.push(count(band(problem) as u64));
    let constant = |value: usize| Constant::Integer(value as i64);
    Step::Launch(Launch {
        source: &FLASH,
        entry: "attention_sm90_flash_fp8",
        constants: vec![
            ("ELEMENT", tile::element(problem.dtype).into()),
            ("D", constant(TILE)),
            ("TILE_N", constant(TILE)),
            ("CONSUMERS", constant(2)),
            ("STAGES", constant(STAGES)),
            ("CAUSAL", constant(causal.into())),
            ("SLACK", constant(4)),
            ("RAISE", constant(4)),
        ],
        grid: [(n.div_ceil(TILE) * heads).min(info.units.max(1) as usize) as u32, 1, 1],
        block: [384, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (49_152 + STAGES * 32_768 + 256) as u32,
        arguments,
    })
}

/// A tensor of these extents, innermost first, in boxes of one head.
fn map(dtype: Dtype, tensor: usize, dims: [usize; 3], box_dims: [u32; 2]) -> Argument {
    let [columns, rows, _] = dims.map(|extent| extent as u64);
    let row_bytes = columns * dtype.size();
    Argument::TensorMap(TensorMap {
        tensor,
        dtype,
        dims: dims.map(|extent| extent as u64).to_vec(),
        strides_bytes: vec![row_bytes, row_bytes * rows],
        box_dims: vec![box_dims[0], box_dims[1], 1],
        swizzle: Swizzle::B128,
        l2_promotion: L2Promotion::B256,
    })
}
