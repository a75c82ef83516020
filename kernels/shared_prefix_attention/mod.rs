//! Attention over a shared prefix: one query a sequence and head, over keys that all sequences of a
//! batch share and keys of its own, and the logarithm of the softmax's sums.
//!
//! Q and O are (B, H, D); the prefix's keys and values, Kp and Vp, are (Hk, P, D), a sequence's own
//! ones, Ku and Vu, (B, Hk, U, D). Query head h reads key head ⌊h·Hk/H⌋. O = softmax(q·[Kp | Ku]ᵀ/√d)
//! · [Vp | Vu], exactly as if each sequence had its own copy of the prefix.
//! Where M > 0, a second level of a tree is shared too: Km and Vm, (Hk, groups, M, D), follow Vu, and
//! each of `groups` runs of B/groups sequences sees its M keys between the prefix and its own.
//! The softmax falls into parts: of each part's output and LSE the whole follows exactly.
//! Ragged: sequence b has 1 + 37·b mod U keys of its own; those beyond are not seen.
//! Work: 4·D operations a query and key, over each tensor read or written once.
//! (J. Juravsky et al., Hydragen: High-throughput LLM inference with shared prefixes, 2024.)
//! It must not know devices, clocks or who measures.

mod cpu;
mod cuda;
mod hip;
mod parts;
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

static AXES: [Axis; 9] = [
    size("b", "sequences", AxisDefault::Required),
    size("h", "query heads", AxisDefault::Required),
    size("hk", "key and value heads, a divisor of h", AxisDefault::SameAs("h")),
    size("p", "keys of the prefix", AxisDefault::Required),
    size("u", "keys of a sequence's own", AxisDefault::Required),
    size("d", "elements of a head", AxisDefault::Integer(128)),
    size(
        "groups",
        "runs of sequences that share a second level, a divisor of b",
        AxisDefault::Integer(1),
    ),
    Axis {
        name: "m",
        meaning: "keys of that level that each run shares",
        kind: AxisKind::Integer { min: 0 },
        default: AxisDefault::Integer(0),
    },
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

static IMPLEMENTATIONS: [Implementation; 6] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula on one thread, a query at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_hydragen",
        idea: "shared keys by one dense attention of all queries that share them, own keys by sequence, merged by LSE",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::hydragen),
    },
    Implementation {
        name: "sm90_flat",
        idea: "decoding of each sequence over all of its keys, in parts that are merged by LSE",
        standing: Standing::Rung,
        supports: cuda::hopper_flat,
        code: Code::Steps(cuda::flat),
    },
    Implementation {
        name: "sm90_hydragen",
        idea: "shared keys by one dense attention of all queries that share them, own keys by warps that decode beside it",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(cuda::hydragen),
    },
    Implementation {
        name: "mfma_flat",
        idea: "decoding of each sequence over all of its keys by waves of their own, in parts that are merged by LSE",
        standing: Standing::Rung,
        supports: hip::matrix_cores,
        code: Code::Steps(hip::flat),
    },
    Implementation {
        name: "mfma_hydragen",
        idea: "shared keys by one dense attention of all queries that share them, own keys by waves that decode",
        standing: Standing::Candidate,
        supports: hip::matrix_cores,
        code: Code::Steps(hip::hydragen),
    },
];

/// Indices in the family's list of tensors.
const Q: usize = 0;
const PREFIX_K: usize = 1;
const PREFIX_V: usize = 2;
const OWN_K: usize = 3;
const OWN_V: usize = 4;
/// The second level's, where there is one.
const LEVEL_K: usize = 5;
const LEVEL_V: usize = 6;

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    h: usize,
    hk: usize,
    p: usize,
    u: usize,
    d: usize,
    groups: usize,
    m: usize,
    ragged: bool,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let size = |axis| problem.shape.index(axis);
        Sizes {
            b: size("b"),
            h: size("h"),
            hk: size("hk"),
            p: size("p"),
            u: size("u"),
            d: size("d"),
            groups: size("groups"),
            m: size("m"),
            ragged: problem.shape.flag("ragged"),
        }
    }

    /// Index of O in the family's list of tensors; LSE follows it.
    fn output(self) -> usize {
        if self.m > 0 { LEVEL_V + 1 } else { OWN_V + 1 }
    }

    /// Runs of sequences that differ in a second level; one, of all sequences, where there is none.
    fn runs(self) -> usize {
        if self.m > 0 { self.groups } else { 1 }
    }

    /// Sequences of such a run.
    fn run(self) -> usize {
        self.b / self.runs()
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
        for (axis, of) in [("hk", "h"), ("groups", "b")] {
            let (divisor, whole) = (shape.integer(axis), shape.integer(of));
            if !whole.is_multiple_of(divisor) {
                return Err(format!(
                    "axis `{axis}` must divide {of} = {whole}, and {divisor} does not"
                ));
            }
        }
        Ok(())
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, hk, p, u, d, groups, m] =
            ["b", "h", "hk", "p", "u", "d", "groups", "m"].map(|axis| problem.shape.integer(axis));
        let input = |name, dims: &[u64]| Tensor::input(name, dims, problem.dtype, 0.0, 1.0);
        let mut tensors = vec![
            input("Q", &[b, h, d]),
            input("Kp", &[hk, p, d]),
            input("Vp", &[hk, p, d]),
            input("Ku", &[b, hk, u, d]),
            input("Vu", &[b, hk, u, d]),
        ];
        if m > 0 {
            tensors.extend(["Km", "Vm"].map(|name| input(name, &[hk, groups, m, d])));
        }
        tensors.push(Tensor::output("O", &[b, h, d], problem.dtype, d));
        tensors.push(Tensor::output("LSE", &[b, h], Dtype::F32, 1));
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let sizes = Sizes::of(problem);
        let own: usize = (0..sizes.b).map(|sequence| sizes.own(sequence)).sum();
        let pairs = sizes.h * (sizes.b * (sizes.p + sizes.m) + own);
        let shared = sizes.p + sizes.groups * sizes.m;
        let elements = 2 * sizes.d * (sizes.b * sizes.h + sizes.hk * (shared + own));
        let bytes = elements * problem.dtype.size() as usize + 4 * sizes.b * sizes.h;
        Work {
            convention: Flops((4 * pairs * sizes.d) as u64),
            convention_name: "4·b·h·(p + m + u)·d, over keys that are seen",
            executed: Flops((4 * pairs * sizes.d) as u64),
            least_bytes: Bytes(bytes as u64),
        }
    }

    /// As for dense attention over all keys of a sequence, but that parts of the softmax may be stored
    /// before they are merged, O in the operands' type as the source does, and LSE in f32: one rounding
    /// more of each, of about the same size.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let sizes = Sizes::of(problem);
        let fewest = (0..sizes.b).map(|sequence| sizes.own(sequence)).min().unwrap_or(0);
        let queries = (sizes.b * sizes.h) as u64;
        let value = deviation(problem.distribution);
        let score = value * value;
        let unit = unit_roundoff(Dtype::F32);
        if output != sizes.output() {
            return Tolerance {
                factor: 2.0,
                floor_relative: 8.0 * unit * cancellation(queries),
                floor_absolute: 8.0
                    * unit
                    * (1.0 + score + ((sizes.p + sizes.m + sizes.u) as f64).ln()),
            };
        }
        let keys = (sizes.p + sizes.m + fewest) as f64;
        let element = value / (keys / std::f64::consts::E).max(1.0).sqrt();
        let storing = if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) };
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
