//! Block-sparse attention, backward: the gradients of Q, K and V, given that of O.
//!
//! The formulas are those of `attention_bwd`, over the pairs of the forward family's masks: P =
//! exp(Q·Kᵀ/√d − LSE) where a query sees a key and 0 elsewhere. Its inputs are drawn as that family
//! draws them, and for its reasons: O and LSE, too, of the size that a forward pass would leave for a
//! query that sees the mean number of keys; a query that sees none has dQ = 0.
//! Work: 10·D operations a pair that is seen; as if dense, L² pairs a head, is the convention.
//! It must not know devices, clocks or who measures.

mod cpu;
mod cuda;
mod hip;
mod key_work;
mod list_work;
mod lists;
mod reference;
#[cfg(test)]
mod tests;

use super::schedule::{self, Sight, sights, tokens};
use super::{AXES, heads, keys_seen, pairs};
use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use std::f64::consts::E;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::{
    Bytes, Distribution, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor,
};

/// The family.
pub struct BlockSparseAttentionBackward;

static ABOUT: About = About {
    name: "block_sparse_attention_bwd",
    formula: "dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − Σ dO∘O), dQ = dS·K/√d, dK = dSᵀ·Q/√d over the keys that a query sees",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("backward/shapes.toml"),
    cpu_rivals: "no crate offers attention that skips blocks",
};

static IMPLEMENTATIONS: [Implementation; 4] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula on one thread, a query at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_blocks",
        idea: "each block of queries by dense flash attention's backward pass over its keys, sums in f32",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::dense_blocks),
    },
    Implementation {
        name: "sm90_blocks_backward",
        idea: "flash attention's backward pass over a work list of keys, most queries first, small blocks packed",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flash),
    },
    Implementation {
        name: "mfma_blocks_backward",
        idea: "AMD's matrix cores, a kernel over a list of queries and one over a list of keys, sums in registers",
        standing: Standing::Candidate,
        supports: hip::matrix_cores,
        code: Code::Steps(hip::flash),
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

impl Family for BlockSparseAttentionBackward {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        schedule::check(shape)
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, d] = ["b", "h", "d"].map(|axis| problem.shape.integer(axis));
        let dims = [b, h, tokens(problem.shape.word("schedule")) as u64, d];
        let dtype = problem.dtype;
        let drawn = Drawn::of(problem);
        // Scores of order 1 have exponentials whose mean is √e.
        let lse = drawn.keys.ln() as f32 + 0.5;
        vec![
            Tensor::input("Q", &dims, dtype, 0.0, drawn.q as f32),
            Tensor::input("K", &dims, dtype, 0.0, 1.0),
            Tensor::input("V", &dims, dtype, 0.0, 1.0),
            Tensor::input("O", &dims, dtype, 0.0, drawn.o as f32),
            Tensor::input("dO", &dims, dtype, 0.0, drawn.gradient as f32),
            Tensor::input("LSE", &dims[..3], Dtype::F32, lse, drawn.lse as f32),
            Tensor::output("dQ", &dims, dtype, d),
            Tensor::output("dK", &dims, dtype, d),
            Tensor::output("dV", &dims, dtype, d),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let d = problem.shape.integer("d");
        let heads = heads(problem) as u64;
        let sights = sights(problem);
        let l = sights.iter().map(|sight| sight.rows.len() as u64).sum::<u64>();
        let seeing = sights.iter().filter(|sight| !sight.keys.is_empty());
        let seeing: u64 = seeing.map(|sight| sight.rows.len() as u64).sum();
        // Q, O and dO where they matter, K and V likewise, and all of the gradients.
        let elements = heads * d * (3 * seeing + 2 * keys_seen(&sights) + 3 * l);
        Work {
            convention: Flops(10 * heads * d * l * l),
            convention_name: "10·b·h·l²·d, as if dense",
            executed: Flops(10 * heads * d * pairs(&sights)),
            least_bytes: Bytes(elements * problem.dtype.size() + 4 * heads * seeing),
        }
    }

    /// As for dense attention. The largest elements are those of queries that see the most keys, and
    /// of keys that most queries see.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let sights = sights(problem);
        let l = tokens(problem.shape.word("schedule"));
        let d = problem.shape.integer("d") as f64;
        let most_keys = sights.iter().map(Sight::seen).max().unwrap_or(1) as f64;
        let most_queries = list_work::seers(&sights, l)
            .iter()
            .map(|(_, seers)| seers.iter().map(|idx| sights[*idx].rows.len()).sum())
            .max()
            .unwrap_or(1usize) as f64;
        let value = deviation(problem.distribution);
        let drawn = Drawn::of(problem);
        let p = E.sqrt() / drawn.keys;
        let ds = p * d.sqrt() * value * (value * drawn.gradient);
        let element = match output {
            DQ => most_keys.sqrt() * ds * value / d.sqrt(),
            DK => most_queries.sqrt() * ds * (value * drawn.q) / d.sqrt(),
            _ => most_queries.sqrt() * p * (value * drawn.gradient),
        };
        let storing =
            if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) / 2.0 };
        let summing = 8.0 * unit_roundoff(Dtype::F32) * (1.0 + drawn.keys.ln());
        Tolerance {
            factor: 2.0,
            floor_relative: summing * cancellation((heads(problem) * l) as u64) + storing,
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

/// The mean number of keys that a query sees, and the factors on the random part of the inputs that
/// are not drawn as they come.
struct Drawn {
    keys: f64,
    q: f64,
    o: f64,
    gradient: f64,
    lse: f64,
}

impl Drawn {
    fn of(problem: &Problem) -> Self {
        let keys = (pairs(&sights(problem)) as f64 / tokens(problem.shape.word("schedule")) as f64)
            .max(1.0);
        let large = deviation(problem.distribution).max(1.0);
        let q = match problem.distribution {
            // An outlier in Q that meets one in K makes a score 256 times as large.
            Distribution::Outliers => 1.0 / 64.0,
            _ => 1.0 / (large * large),
        };
        let o = 1.0 / (keys / E).max(1.0).sqrt();
        Drawn { keys, q, o, gradient: 1.0 / large, lse: 0.25 / large }
    }
}
