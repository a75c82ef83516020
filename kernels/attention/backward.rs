//! Softmax attention, backward: the gradients of Q, K and V, given that of O.
//!
//! With P = exp(Q·Kᵀ/√d − LSE) where a query sees a key and 0 elsewhere, and δ the sums of dO∘O over
//! d: dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − δ), dQ = dS·K/√d and dK = dSᵀ·Q/√d, where dK and dV sum over the
//! query heads that read a key head. Layouts and the causal mask are those of the forward pass.
//! (T. Dao et al., FlashAttention, 2022, Algorithm 4.)
//!
//! O and LSE are inputs, drawn like the others and not computed from Q, K and V: the formula is
//! defined for any O and LSE, the truth is computed with those same values, and no forward kernel
//! has to be right, or there at all, before a backward one is measured. They are drawn as a forward
//! pass would leave them in size: LSE around the logarithm of its expected sum, O as a mean of
//! Nk/e values, so that P, dS and every product have the magnitudes of real use. What this gives up
//! is that P sums to one exactly, on which no part of the formula relies.
//! Since an LSE that was drawn cannot keep exp in range, Q is scaled so that scores stay of order 1
//! under every distribution, and dO so that f16 holds the gradients.
//! Work: five products, 10·D operations a pair of query and key. It must not know devices, clocks
//! or who measures.

mod cpu;
mod cpu_flash;
mod cuda;
mod hip;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use cpu_flash::flash as flash_on_host;
pub(crate) use hip::{FLASH_MFMA_BACKWARD, GFX942_BACKWARD, GFX950_BACKWARD, MFMA_BACKWARD};

use super::{AXES, causal_pairs, check_heads};
use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use std::f64::consts::E;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::{
    Bytes, Distribution, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor,
};

/// The family.
pub struct AttentionBackward;

static ABOUT: About = About {
    name: "attention_bwd",
    formula: "dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − Σ dO∘O), dQ = dS·K/√d, dK = dSᵀ·Q/√d, P = exp(Q·Kᵀ/√d − LSE)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("backward/shapes.toml"),
    cpu_rivals: "none: no crate offers it, and composed of products it would time five of the `gemm` crate's",
};

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
        idea: "blocks of keys in parallel over blocks of queries, weights computed again, five products",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu_flash::flash),
    },
    Implementation {
        name: "cuda_naive",
        idea: "the formula, a warp for each row of a gradient",
        standing: Standing::Rung,
        supports: cuda::any_nvidia,
        code: Code::Steps(cuda::naive),
    },
    Implementation {
        name: "sm90_flash",
        idea: "tiles of keys in turn; two warpgroups recompute weights, a third adds dQ in memory",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flash),
    },
    Implementation {
        name: "sm90_flash_deterministic",
        idea: "as sm90_flash, with dQ summed in the order of the keys: equal bits in every run",
        standing: Standing::Rung,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flash_deterministic),
    },
    Implementation {
        name: "gfx942_flash",
        idea: "matrix cores, a kernel of queries and one of keys, sums in registers, tiles staged in registers",
        standing: Standing::Candidate,
        supports: hip::gfx942,
        code: Code::Steps(hip::staged),
    },
    Implementation {
        name: "gfx950_flash",
        idea: "matrix cores, a kernel of queries and one of keys, sums in registers, tiles in a ring in LDS",
        standing: Standing::Candidate,
        supports: hip::gfx950,
        code: Code::Steps(hip::copied),
    },
];

// Places in the family's list of tensors.
const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;
const O: usize = 3;
const DO: usize = 4;
const LSE: usize = 5;
const DQ: usize = 6;
const DK: usize = 7;
const DV: usize = 8;

impl Family for AttentionBackward {
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
        let (queries, keys) = ([b, h, n, d], [b, hk, nk, d]);
        let drawn = Drawn::of(problem);
        // Scores of order 1 have exponentials whose mean is √e.
        let lse = (nk as f32).ln() + 0.5;
        vec![
            Tensor::input("Q", &queries, dtype, 0.0, drawn.q as f32),
            Tensor::input("K", &keys, dtype, 0.0, 1.0),
            Tensor::input("V", &keys, dtype, 0.0, 1.0),
            Tensor::input("O", &queries, dtype, 0.0, drawn.o as f32),
            Tensor::input("dO", &queries, dtype, 0.0, drawn.gradient as f32),
            Tensor::input("LSE", &[b, h, n], Dtype::F32, lse, drawn.lse as f32),
            Tensor::output("dQ", &queries, dtype, d),
            Tensor::output("dK", &keys, dtype, d),
            Tensor::output("dV", &keys, dtype, d),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let [b, h, hk, n, nk, d] =
            ["b", "h", "hk", "n", "nk", "d"].map(|axis| problem.shape.integer(axis));
        let full = 10 * b * h * n * nk * d;
        let (convention, pairs) = if problem.shape.flag("causal") {
            (full / 2, causal_pairs(n, nk))
        } else {
            (full, n * nk)
        };
        let elements = b * d * (4 * h * n + 4 * hk * nk);
        Work {
            convention: Flops(convention),
            convention_name: "10·b·h·n·nk·d, halved if causal",
            executed: Flops(10 * b * h * pairs * d),
            least_bytes: Bytes(elements * problem.dtype.size() + 4 * b * h * n),
        }
    }

    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        output_tolerance(problem, output)
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// The factors on the random part of the inputs that are not drawn as they come.
struct Drawn {
    q: f64,
    o: f64,
    gradient: f64,
    lse: f64,
}

impl Drawn {
    fn of(problem: &Problem) -> Self {
        let large = deviation(problem.distribution).max(1.0);
        let q = match problem.distribution {
            // An outlier in Q that meets one in K makes a score 256 times as large.
            Distribution::Outliers => 1.0 / 64.0,
            _ => 1.0 / (large * large),
        };
        let averaged = problem.shape.integer("nk") as f64 / E;
        let o = 1.0 / averaged.max(1.0).sqrt();
        Drawn { q, o, gradient: 1.0 / large, lse: 0.25 / large }
    }
}

/// P carries the rounding of a score and of LSE, of order 1 and ln Nk, as a relative error of a few
/// units in f32; storing P or dS, and the output, rounds by half a unit in the last place. The floors
/// are one such error, relative and for a typical element: a sum of dS over the keys, or of dS or P
/// over the queries of a group, each of either sign, where P is about 1/Nk and dS √d times V and dO.
fn output_tolerance(problem: &Problem, output: usize) -> Tolerance {
    let [b, h, hk, n, nk, d] =
        ["b", "h", "hk", "n", "nk", "d"].map(|axis| problem.shape.integer(axis) as f64);
    let value = deviation(problem.distribution);
    let drawn = Drawn::of(problem);
    let p = E.sqrt() / nk;
    let ds = p * d.sqrt() * value * (value * drawn.gradient);
    let (element, rows) = match output {
        DQ => (nk.sqrt() * ds * value / d.sqrt(), b * h * n),
        DK => ((h / hk * n).sqrt() * ds * (value * drawn.q) / d.sqrt(), b * hk * nk),
        _ => ((h / hk * n).sqrt() * p * (value * drawn.gradient), b * hk * nk),
    };
    let storing =
        if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) / 2.0 };
    let summing = 8.0 * unit_roundoff(Dtype::F32) * (1.0 + nk.ln());
    Tolerance {
        factor: 2.0,
        floor_relative: summing * cancellation(rows as u64) + storing,
        floor_absolute: (summing + storing) * element,
    }
}
