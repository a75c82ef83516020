//! Softmax attention, forward: O = softmax(Q·Kᵀ/√d)·V, and the logarithm of the softmax's sums.
//!
//! Q and O are (B, H, N, D), K and V are (B, Hk, Nk, D), and query head h reads key head
//! ⌊h·Hk/H⌋, so Hk = H is multi-head, Hk = 1 multi-query attention.
//! Causal: query i sees key j where j − Nk ≤ i − N, so the last query sees every key, whatever the
//! lengths. A query that sees no key has O = 0 and LSE = −∞; the gate takes an infinity of the
//! truth's sign as right there, and nowhere else.
//! Elements of 8 bits stand for multiples of a scale, one for each of Q, K and V; O is bf16 then.
//! Work: 4·D operations a pair of query and key, over each tensor read or written once: bound by
//! arithmetic from a few hundred queries on. It must not know devices, clocks or who measures.

mod backward;
mod cpu;
mod cpu_flash;
mod cuda;
mod cuda_fp8;
mod hip;
mod reference;
#[cfg(test)]
mod tests;

pub use backward::AttentionBackward;

pub(crate) use backward::flash_on_host as flash_backward_on_host;
pub(crate) use backward::{FLASH_MFMA_BACKWARD, GFX942_BACKWARD, GFX950_BACKWARD, MFMA_BACKWARD};
pub(crate) use cpu_flash::flash as flash_on_host;
pub(crate) use hip::{
    BLOCK_ROWS, FLASH_MFMA, GFX942_STREAM, GFX950_STREAM, MFMA_ROWS, MFMA_STREAM,
};

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host::{self, Elements};
use std::ops::Range;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct Attention;

static ABOUT: About = About {
    name: "attention",
    formula: "O = softmax(Q·Kᵀ/√d)·V, LSE = ln Σ exp(Q·Kᵀ/√d)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::E4m3],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "unfused, as composed of the `gemm` crate's products; no crate offers it fused",
};

static AXES: [Axis; 7] = [
    size("b", "batch", AxisDefault::Required),
    size("h", "query heads", AxisDefault::Required),
    size("hk", "key and value heads, a divisor of h", AxisDefault::SameAs("h")),
    size("n", "queries", AxisDefault::Required),
    size("nk", "keys", AxisDefault::SameAs("n")),
    size("d", "elements of a head", AxisDefault::Required),
    Axis {
        name: "causal",
        meaning: "whether a query sees no later key; the ends are aligned",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
];

const fn size(name: &'static str, meaning: &'static str, default: AxisDefault) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default }
}

static IMPLEMENTATIONS: [Implementation; 7] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula on one thread, a query at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_flash",
        idea: "blocks of queries in parallel, online softmax over blocks of keys, no stored scores",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu_flash::flash),
    },
    Implementation {
        name: "cuda_naive",
        idea: "the formula alone: a block a query, blocks of keys by online softmax",
        standing: Standing::Rung,
        supports: cuda::any_nvidia,
        code: Code::Steps(cuda::naive),
    },
    Implementation {
        name: "sm90_flash",
        idea: "wgmma fed by the copy engine, softmax of a block under the products of others",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flash),
    },
    Implementation {
        name: "sm90_flash_fp8",
        idea: "the same in 8 bits: values transposed first, scores of two blocks in registers",
        standing: Standing::Candidate,
        supports: cuda_fp8::hopper,
        code: Code::Steps(cuda_fp8::flash),
    },
    Implementation {
        name: "gfx942_flash",
        idea: "matrix cores, scores transposed so that a lane keeps its query, tiles staged in registers",
        standing: Standing::Candidate,
        supports: hip::gfx942,
        code: Code::Steps(hip::staged),
    },
    Implementation {
        name: "gfx950_flash",
        idea: "matrix cores, scores transposed so that a lane keeps its query, tiles in a ring in LDS",
        standing: Standing::Candidate,
        supports: hip::gfx950,
        code: Code::Steps(hip::copied),
    },
];

/// Scales are drawn around 1, far enough from it that a forgotten one shows, and positive.
const SCALE_DEVIATION: f32 = 0.125;

/// Index of LSE in the family's list of tensors where Q, K and V have no scales; O precedes it.
const LSE: usize = 4;

/// Indices of O and LSE in the family's list of tensors.
fn outputs(dtype: Dtype) -> [usize; 2] {
    let scales = if has_scales(dtype) { 3 } else { 0 };
    [LSE - 1 + scales, LSE + scales]
}

/// Whether Q, K and V have a scale each.
fn has_scales(dtype: Dtype) -> bool {
    dtype == Dtype::E4m3
}

/// The scales of scores and of values, as a function on a host finds them among its inputs.
fn scales(problem: &Problem, inputs: &[&[u8]]) -> [f32; 2] {
    match inputs {
        [_, _, _, scales @ ..] if has_scales(problem.dtype) => {
            let [q, k, v] = [0, 1, 2].map(|idx| Elements::new(Dtype::F32, scales[idx]).to_vec()[0]);
            [q * k, v]
        }
        _ => [1.0, 1.0],
    }
}

/// The type of O.
fn output_dtype(operands: Dtype) -> Dtype {
    if operands == Dtype::E4m3 { Dtype::Bf16 } else { operands }
}

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    h: usize,
    hk: usize,
    n: usize,
    nk: usize,
    d: usize,
    causal: bool,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let size = |axis| problem.shape.index(axis);
        Sizes {
            h: size("h"),
            hk: size("hk"),
            n: size("n"),
            nk: size("nk"),
            d: size("d"),
            causal: problem.shape.flag("causal"),
        }
    }

    /// How many keys query `i` sees; they are the first ones.
    fn visible(self, i: usize) -> usize {
        if self.causal { (i + 1 + self.nk).saturating_sub(self.n).min(self.nk) } else { self.nk }
    }

    /// The first query that sees key `j`; all later ones do too.
    fn first_query(self, j: usize) -> usize {
        if self.causal { (j + self.n).saturating_sub(self.nk) } else { 0 }
    }

    /// Which of the B·Hk key heads the query head `head` of B·H reads.
    fn key_head(self, head: usize) -> usize {
        head / self.h * self.hk + head % self.h / (self.h / self.hk)
    }

    /// Which of the B·H query heads read key head `head` of B·Hk.
    fn query_heads(self, head: usize) -> Range<usize> {
        let group = self.h / self.hk;
        head * group..(head + 1) * group
    }

    /// The factor on Q·Kᵀ.
    fn scale(self) -> f64 {
        1.0 / (self.d as f64).sqrt()
    }
}

impl Family for Attention {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        check_heads(shape)
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, hk, n, nk, d] =
            ["b", "h", "hk", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
        let dtype = problem.dtype;
        let mut tensors = vec![
            Tensor::input("Q", &[b, h, n, d], dtype, 0.0, 1.0),
            Tensor::input("K", &[b, hk, nk, d], dtype, 0.0, 1.0),
            Tensor::input("V", &[b, hk, nk, d], dtype, 0.0, 1.0),
        ];
        if has_scales(dtype) {
            let scale = |name| Tensor::input(name, &[1], Dtype::F32, 1.0, SCALE_DEVIATION);
            tensors.extend(["q_scale", "k_scale", "v_scale"].map(scale));
        }
        tensors.push(Tensor::output("O", &[b, h, n, d], output_dtype(dtype), d));
        tensors.push(Tensor::output("LSE", &[b, h, n], Dtype::F32, 1));
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let [b, h, n, nk, d] = ["b", "h", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
        let full = 4 * b * h * n * nk * d;
        let (convention, pairs) = if problem.shape.flag("causal") {
            (full / 2, causal_pairs(n, nk))
        } else {
            (full, n * nk)
        };
        let bytes = |tensor: &Tensor| tensor.bytes().0;
        Work {
            convention: Flops(convention),
            convention_name: "4·b·h·n·nk·d, halved if causal",
            executed: Flops(4 * b * h * pairs * d),
            least_bytes: Bytes(self.tensors(problem).iter().map(bytes).sum()),
        }
    }

    /// Scores have the deviation s² of a product of operands, and f32 carries them with a few units
    /// of that, which is a relative error of the exponentials and an absolute one of LSE. The floors
    /// are one such error. An element of O is a mean of about Nk/e elements of V, and storing P and O
    /// rounds by half a unit in the last place. LSE is of order ln Nk + s² and stored in f32.
    /// Of 8 bits, [`cut_error`] joins what f32 sums lose.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let keys = problem.shape.integer("nk") as f64;
        let queries = ["b", "h", "n"].map(|axis| problem.shape.integer(axis)).iter().product();
        let value = deviation(problem.distribution);
        let score = value * value;
        let unit = unit_roundoff(Dtype::F32);
        let [cut_score, cut_output] = cut_error(problem);
        if output == outputs(problem.dtype)[1] {
            return Tolerance {
                factor: 2.0,
                floor_relative: (8.0 * unit + cut_score) * cancellation(queries),
                floor_absolute: 4.0 * unit * (1.0 + score + keys.ln()) + 16.0 * cut_score * score,
            };
        }
        let element = value / (keys / std::f64::consts::E).max(1.0).sqrt();
        let storing =
            if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) / 2.0 };
        let summing = 8.0 * unit * (1.0 + score) + cut_score * score + cut_output;
        Tolerance {
            factor: 2.0,
            floor_relative: summing * cancellation(queries) + storing,
            floor_absolute: (summing + storing) * element,
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// What Hopper's tensor cores lose of a score and of O where elements have 8 bits: they cut their sums
/// to 14 bits after every 32 products, always downwards. Half a unit is lost each time, of a sum that
/// is on the way half of what it becomes, which makes 2⁻¹⁶ for each cut: D/32 of a score, Nk/32 of O.
/// A score that is far from typical may lose a whole unit of twice its size instead, 16 times that.
fn cut_error(problem: &Problem) -> [f64; 2] {
    if problem.dtype != Dtype::E4m3 {
        return [0.0, 0.0];
    }
    ["d", "nk"].map(|axis| 0.5f64.powi(16) * (problem.shape.integer(axis) as f64 / 32.0).ceil())
}

/// Whether each key head is read by as many query heads.
fn check_heads(shape: &Shape) -> Result<(), String> {
    let (h, hk) = (shape.integer("h"), shape.integer("hk"));
    if h.is_multiple_of(hk) {
        return Ok(());
    }
    Err(format!("axis `hk` must divide h = {h}, and {hk} does not"))
}

/// How many pairs of query and key are seen when the ends of both are aligned.
fn causal_pairs(n: u64, nk: u64) -> u64 {
    let seeing = n.min(nk);
    // The last query sees nk keys, the one before nk − 1, and so on.
    seeing * nk - seeing * (seeing - 1) / 2
}
