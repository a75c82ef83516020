//! General matrix multiplication: C (M, N) = A (M, K) · B (K, N), accumulated in f32, rounded once.
//!
//! Layout `nn` stores B as (K, N), `nt` as (N, K); all tensors are row-major and dense.
//! Work: 2·M·N·K operations over at least M·K + K·N + M·N elements, so a square problem of side N
//! does N/3 operations a byte in a 2-byte type and is bound by arithmetic from a few hundred on.
//! It must not know devices, clocks or who measures.

mod cpu;
mod reference;
#[cfg(test)]
mod tests;

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{
    About, Arithmetic, Code, Operand, Query, Readout, Standing, Tolerance, Work,
};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Tensor};

/// The family.
pub struct Gemm;

static ABOUT: About = About {
    name: "gemm",
    formula: "C[i,j] = Σ_k A[i,k] · B[k,j]",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "the `gemm` crate, with as many threads as ours",
};

static AXES: [Axis; 4] = [
    size("m", "rows of A and C"),
    size("n", "columns of B and C"),
    size("k", "columns of A, rows of B"),
    Axis {
        name: "layout",
        meaning: "whether B is stored as (K, N) or as (N, K)",
        kind: AxisKind::Word(&["nn", "nt"]),
        default: AxisDefault::Word("nn"),
    },
];

const fn size(name: &'static str, meaning: &'static str) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default: AxisDefault::Required }
}

static IMPLEMENTATIONS: [Implementation; 2] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula's three loops on one thread, a row of C at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_blocked",
        idea: "tiles of C in parallel, operands packed as f32, sums held in vector registers",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::blocked),
    },
];

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
    /// B is stored as (N, K).
    transposed: bool,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let shape = &problem.shape;
        Sizes {
            m: shape.index("m"),
            n: shape.index("n"),
            k: shape.index("k"),
            transposed: shape.word("layout") == "nt",
        }
    }

    /// The flat index of B[k, n].
    fn b(self, k: usize, n: usize) -> usize {
        if self.transposed { n * self.k + k } else { k * self.n + n }
    }
}

impl Family for Gemm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let b = if Sizes::of(problem).transposed { [n, k] } else { [k, n] };
        let dtype = problem.dtype;
        vec![
            Tensor::input("A", &[m, k], dtype, 0.0, 1.0),
            Tensor::input("B", &b, dtype, 0.0, 1.0),
            Tensor::output("C", &[m, n], dtype, 1),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let flops = Flops(2 * m * n * k);
        Work {
            convention: flops,
            convention_name: "2·m·n·k",
            executed: flops,
            least_bytes: Bytes((m * k + k * n + m * n) * problem.dtype.size()),
        }
    }

    /// An element of C has deviation s·√K, where s is the product of the operands' deviations.
    /// Its sum carries rounding errors of about 2⁻²⁴·√K of that whatever its order, and storing it
    /// half a unit in the last place: the floors are one such error, for outputs so few that the
    /// reference's own errors may all be small by luck.
    fn tolerance(&self, problem: &Problem, _: usize) -> Tolerance {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let root_k = (k as f64).sqrt();
        let element = deviation(problem.distribution).powi(2) * root_k;
        let summing = unit_roundoff(Dtype::F32) * root_k;
        let storing = stored_roundoff(problem.dtype) / 2.0;
        Tolerance {
            factor: 2.0,
            floor_relative: summing * cancellation(m * n) + storing,
            floor_absolute: (summing + storing) * element,
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }

    fn projection(
        &self,
        problem: &Problem,
        operands: &[Operand],
        output: &Readout<'_>,
    ) -> Option<f64> {
        Some(reference::projection(problem, operands, output))
    }
}

/// The relative error of storing a sum: none where the accumulator is the output's type.
fn stored_roundoff(dtype: Dtype) -> f64 {
    if dtype == Dtype::F32 { 0.0 } else { unit_roundoff(dtype) }
}
