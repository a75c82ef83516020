//! Attention over a shared prefix: one query a sequence and head, over keys that all sequences of a
//! batch share and keys of its own, and the logarithm of the softmax's sums.
//!
//! Q and O are (B, H, D); the prefix's keys and values, Kp and Vp, are (Hk, P, D), a sequence's own
//! ones, Ku and Vu, (B, Hk, U, D). Query head h reads key head ⌊h·Hk/H⌋. O = softmax(q·[Kp | Ku]ᵀ/√d)
//! · [Vp | Vu], exactly as if each sequence had its own copy of the prefix.
//! The softmax falls into parts: of each part's output and LSE the whole follows exactly.
//! Ragged: sequence b has 1 + 37·b mod U keys of its own; those beyond are not seen.
//! Work: 4·D operations a query and key, over each tensor read or written once.
//! (J. Juravsky et al., Hydragen: High-throughput LLM inference with shared prefixes, 2024.)
//! It must not know devices, clocks or who measures.

mod cpu;
mod cuda;
mod reference;
#[cfg(test)]
mod tests;

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct SharedPrefixAttention;

static ABOUT: About = About {
    name: "shared_prefix_attention",
    formula: "O = softmax(q·[Kp | Ku]ᵀ/√d)·[Vp | Vu] and LSE, Kp and Vp shared by the batch",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "no crate offers attention that shares a prefix",
};

static AXES: [Axis; 7] = [
    size("b", "sequences", AxisDefault::Required),
    size("h", "query heads", AxisDefault::Required),
    size("hk", "key and value heads, a divisor of h", AxisDefault::SameAs("h")),
    size("p", "keys of the prefix", AxisDefault::Required),
    size("u", "keys of a sequence's own", AxisDefault::Required),
    size("d", "elements of a head", AxisDefault::Integer(128)),
    Axis {
        name: "ragged",
        meaning: "whether sequence b has 1 + 37·b mod u keys of its own instead of u",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
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
        name: "cpu_hydragen",
        idea: "the prefix as one dense attention of all queries, own keys by sequence, merged by LSE",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::hydragen),
    },
    Implementation {
        name: "sm90_flat",
        idea: "decoding of each sequence over all of its keys, in parts that are merged by LSE",
        standing: Standing::Rung,
        supports: cuda::hopper,
        code: Code::Steps(cuda::flat),
    },
    Implementation {
        name: "sm90_hydragen",
        idea: "the prefix as one dense attention of all queries in parts, own keys by decoding that merges them",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::hydragen),
    },
];

/// Indices in the family's list of tensors.
const Q: usize = 0;
const PREFIX_K: usize = 1;
const PREFIX_V: usize = 2;
const OWN_K: usize = 3;
const OWN_V: usize = 4;
const O: usize = 5;
const LSE: usize = 6;

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    h: usize,
    hk: usize,
    p: usize,
    u: usize,
    d: usize,
    ragged: bool,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let [b, h, hk, p, u, d] =
            ["b", "h", "hk", "p", "u", "d"].map(|axis| problem.shape.index(axis));
        Sizes { b, h, hk, p, u, d, ragged: problem.shape.flag("ragged") }
    }

    /// Query heads that read one key head.
    fn group(self) -> usize {
        self.h / self.hk
    }

    /// How many keys of its own a sequence has.
    fn own(self, sequence: usize) -> usize {
        if self.ragged { 1 + sequence * 37 % self.u } else { self.u }
    }

    /// The factor on q·kᵀ.
    fn scale(self) -> f64 {
        1.0 / (self.d as f64).sqrt()
    }
}

impl Family for SharedPrefixAttention {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        let (h, hk) = (shape.integer("h"), shape.integer("hk"));
        if h.is_multiple_of(hk) {
            return Ok(());
        }
        Err(format!("axis `hk` must divide h = {h}, and {hk} does not"))
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, hk, p, u, d] =
            ["b", "h", "hk", "p", "u", "d"].map(|axis| problem.shape.integer(axis));
        let input = |name, dims: &[u64]| Tensor::input(name, dims, problem.dtype, 0.0, 1.0);
        vec![
            input("Q", &[b, h, d]),
            input("Kp", &[hk, p, d]),
            input("Vp", &[hk, p, d]),
            input("Ku", &[b, hk, u, d]),
            input("Vu", &[b, hk, u, d]),
            Tensor::output("O", &[b, h, d], problem.dtype, d),
            Tensor::output("LSE", &[b, h], Dtype::F32, 1),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let sizes = Sizes::of(problem);
        let own: usize = (0..sizes.b).map(|sequence| sizes.own(sequence)).sum();
        let pairs = sizes.h * (sizes.b * sizes.p + own);
        let elements = 2 * sizes.d * (sizes.b * sizes.h + sizes.hk * (sizes.p + own));
        let bytes = elements * problem.dtype.size() as usize + 4 * sizes.b * sizes.h;
        Work {
            convention: Flops((4 * pairs * sizes.d) as u64),
            convention_name: "4·b·h·(p + u)·d, over keys that are seen",
            executed: Flops((4 * pairs * sizes.d) as u64),
            least_bytes: Bytes(bytes as u64),
        }
    }

    /// As for dense attention over all keys of a sequence. A part of the softmax may be stored in the
    /// operands' type before parts are merged, which the factor on the reference's error covers.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let sizes = Sizes::of(problem);
        let fewest = (0..sizes.b).map(|sequence| sizes.own(sequence)).min().unwrap_or(0);
        let queries = (sizes.b * sizes.h) as u64;
        let value = deviation(problem.distribution);
        let score = value * value;
        let unit = unit_roundoff(Dtype::F32);
        if output == LSE {
            return Tolerance {
                factor: 2.0,
                floor_relative: 8.0 * unit * cancellation(queries),
                floor_absolute: 4.0 * unit * (1.0 + score + ((sizes.p + sizes.u) as f64).ln()),
            };
        }
        let keys = (sizes.p + fewest) as f64;
        let element = value / (keys / std::f64::consts::E).max(1.0).sqrt();
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
