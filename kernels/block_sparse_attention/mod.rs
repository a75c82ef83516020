//! Block-sparse attention, forward: softmax attention in which queries come in blocks that see the same
//! ranges of keys, and the logarithm of the softmax's sums.
//!
//! Q, K, V and O are (B, H, L, D) over the L tokens of an image's scales; `schedule.rs` says which
//! scales there are and which keys a query of each sees, or a list says it (`lists.rs`). O =
//! softmax(Q·Kᵀ/√d)·V over those keys. A query that sees none has O = 0 and LSE = −∞.
//! Work: 4·D operations a pair that is seen, over each tensor read or written once; as if dense, L²
//! pairs a head: what a kernel that only masks computes, and the convention here.
//! (H. Kumbong et al., HMAR, 2025, and K. Tian et al., Visual autoregressive modeling, 2024.)
//! It must not know devices, clocks or who measures.

mod backward;
mod cpu;
mod cuda;
mod hip;
mod lists;
mod range_list;
mod reference;
mod schedule;
#[cfg(test)]
mod tests;
mod work_list;

pub use backward::BlockSparseAttentionBackward;

pub(crate) use cuda::{BOX_WIDTH, CONSUMER, FEEDER, ROWS, SCORES, SOFTMAX, STREAM};

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use schedule::{Sight, sights};
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct BlockSparseAttention;

static ABOUT: About = About {
    name: "block_sparse_attention",
    formula: "O = softmax(Q·Kᵀ/√d)·V and LSE over the keys that a query sees",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "no crate offers attention that skips blocks",
};

static AXES: [Axis; 5] = [
    size("b", "batch", AxisDefault::Required),
    size("h", "heads", AxisDefault::Required),
    Axis {
        name: "schedule",
        meaning: "the scales of the image, which give L",
        kind: AxisKind::Text(schedule::SCHEDULE_TAKES),
        default: AxisDefault::Required,
    },
    Axis {
        name: "mask",
        meaning: "which scales a query sees: its own, those up to its own, or the one before; or which tokens, by a list",
        kind: AxisKind::Text(schedule::MASK_TAKES),
        default: AxisDefault::Word("block_diagonal"),
    },
    size("d", "elements of a head", AxisDefault::Integer(64)),
];

const fn size(name: &'static str, meaning: &'static str, default: AxisDefault) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default }
}

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
        idea: "each block of queries by dense flash attention over its keys, blocks in parallel",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::dense_blocks),
    },
    Implementation {
        name: "sm90_blocks",
        idea: "flash attention over a work list of blocks, longest first, small ones packed",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flash),
    },
    Implementation {
        name: "mfma_blocks",
        idea: "flash attention on AMD's matrix cores over the same list, scores transposed so that a lane keeps its query",
        standing: Standing::Candidate,
        supports: hip::matrix_cores,
        code: Code::Steps(hip::flash),
    },
];

/// Index of LSE in the family's list of tensors; O precedes it.
const LSE: usize = 4;

/// The factor on Q·Kᵀ.
fn scale(d: usize) -> f64 {
    1.0 / (d as f64).sqrt()
}

/// B·H.
fn heads(problem: &Problem) -> usize {
    problem.shape.index("b") * problem.shape.index("h")
}

impl Family for BlockSparseAttention {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        schedule::check(shape)
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, d] = ["b", "h", "d"].map(|axis| problem.shape.integer(axis));
        let l = schedule::tokens(problem.shape.word("schedule")) as u64;
        let dtype = problem.dtype;
        let dims = [b, h, l, d];
        vec![
            Tensor::input("Q", &dims, dtype, 0.0, 1.0),
            Tensor::input("K", &dims, dtype, 0.0, 1.0),
            Tensor::input("V", &dims, dtype, 0.0, 1.0),
            Tensor::output("O", &dims, dtype, d),
            Tensor::output("LSE", &dims[..3], Dtype::F32, 1),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let d = problem.shape.integer("d");
        let heads = heads(problem) as u64;
        let sights = sights(problem);
        let l = sights.iter().map(|sight| sight.rows.len() as u64).sum::<u64>();
        let elements = heads * d * 2 * (l + keys_seen(&sights));
        Work {
            convention: Flops(4 * heads * d * l * l),
            convention_name: "4·b·h·l²·d, as if dense",
            executed: Flops(4 * heads * d * pairs(&sights)),
            least_bytes: Bytes(elements * problem.dtype.size() + 4 * heads * l),
        }
    }

    /// As for dense attention. An element of O is a mean of about 1/e of the values that its query
    /// sees; the largest are those of the queries that see the fewest.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let sights = sights(problem);
        let keys = || sights.iter().map(Sight::seen).filter(|keys| *keys > 0);
        let [fewest, most] = [keys().min(), keys().max()].map(|keys| keys.unwrap_or(1) as f64);
        let queries = (heads(problem) * sights.iter().map(|s| s.rows.len()).sum::<usize>()) as u64;
        let value = deviation(problem.distribution);
        let score = value * value;
        let unit = unit_roundoff(Dtype::F32);
        if output == LSE {
            return Tolerance {
                factor: 2.0,
                floor_relative: 8.0 * unit * cancellation(queries),
                floor_absolute: 4.0 * unit * (1.0 + score + most.ln()),
            };
        }
        let element = value / (fewest / std::f64::consts::E).max(1.0).sqrt();
        let storing =
            if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) / 2.0 };
        let summing = 8.0 * unit * (1.0 + score);
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

/// How many pairs of query and key are seen.
fn pairs(sights: &[Sight]) -> u64 {
    sights.iter().map(|sight| (sight.rows.len() * sight.seen()) as u64).sum()
}

/// How many keys some query sees.
fn keys_seen(sights: &[Sight]) -> u64 {
    let ranges = sights.iter().flat_map(|sight| sight.keys.iter().cloned()).collect();
    lists::joined(ranges).iter().map(|range| range.len() as u64).sum()
}
