//! Root-mean-square normalisation of rows, backward: the gradients of r and w, given that of y.
//!
//! With s = rsqrt(mean(r²) + ε) and g = dy ∘ w: dx = s·(g − r·s²·mean(g ∘ r)), plus dr where there
//! is a residual, which is the gradient that reaches r past the normalisation; dw = Σ_rows dy ∘ r·s.
//! dx is the gradient of x and of the residual alike. s is computed again, not read.
//! A row of one element is normalised to its sign, so that its gradient is nothing but rounding:
//! rows have at least two.
//! Work: 11 operations an element (12 with a residual) over 3 elements moved (4 with a residual):
//! bound by memory everywhere. It must not know devices, clocks or who measures.

mod cpu;
mod reference;
#[cfg(test)]
mod tests;

use super::{EPSILON, cuda, size};
use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Tensor};

/// The family.
pub struct RmsNormBackward;

static ABOUT: About = About {
    name: "rmsnorm_bwd",
    formula: "dx = s·(g − r·s²·mean(g·r)) (+ dr), dw = Σ dy·r·s, g = dy·w, s = rsqrt(mean(r²) + 1e-6)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("backward/shapes.toml"),
    cpu_rivals: "none: no crate offers it fused on a slice, users write these loops themselves",
};

static AXES: [Axis; 3] = [
    size("rows", "rows, each normalised by itself", 1),
    size("hidden", "elements of a row", 2),
    Axis {
        name: "residual",
        meaning: "whether a gradient reaches the rows past the normalisation too",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
];

static IMPLEMENTATIONS: [Implementation; 5] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula on one thread, a row at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_fused",
        idea: "rows in parallel, each read once into the first caches, a sum of dw a task",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::fused),
    },
    Implementation {
        name: "cuda_registers",
        idea: "a row in the registers of some warps, which keep their columns' part of dw there too",
        standing: Standing::Rung,
        supports: cuda::any_since_sm80,
        code: Code::Steps(cuda::backward),
    },
    Implementation {
        name: "sm90_bulk",
        idea: "tiles of rows by the copy engine; rows of odd length as cuda_registers",
        standing: Standing::Candidate,
        supports: cuda::any_since_sm90,
        code: Code::Steps(cuda::bulk_backward),
    },
    Implementation {
        name: "hip_registers",
        idea: "cuda_registers, by waves of 64",
        standing: Standing::Candidate,
        supports: cuda::any_amd,
        code: Code::Steps(cuda::backward),
    },
];

/// Places in the family's list of tensors; dw is the last.
#[derive(Clone, Copy)]
struct Places {
    /// dr, if there is a residual.
    dr: Option<usize>,
    w: usize,
    dx: usize,
}

/// Place of the rows that the forward pass normalised.
const R: usize = 0;
/// Place of the gradient of its result.
const DY: usize = 1;

impl Places {
    fn of(problem: &Problem) -> Self {
        if problem.shape.flag("residual") {
            Places { dr: Some(2), w: 3, dx: 4 }
        } else {
            Places { dr: None, w: 2, dx: 3 }
        }
    }
}

impl Family for RmsNormBackward {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        let (dims, dtype) = ([rows, hidden], problem.dtype);
        let mut tensors = vec![
            Tensor::input("r", &dims, dtype, 0.0, 1.0),
            Tensor::input("dy", &dims, dtype, 0.0, 1.0),
        ];
        if problem.shape.flag("residual") {
            tensors.push(Tensor::input("dr", &dims, dtype, 0.0, 1.0));
        }
        tensors.push(Tensor::input("w", &[hidden], dtype, 1.0, 0.1));
        tensors.push(Tensor::output("dx", &dims, dtype, hidden));
        // A column's sum needs every row's s, so that the columns come together.
        tensors.push(Tensor::output("dw", &[hidden], dtype, hidden));
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        let flops = if problem.shape.flag("residual") { 12 } else { 11 };
        let flops = Flops(flops * rows * hidden);
        let bytes = |tensor: &Tensor| tensor.bytes().0;
        Work {
            convention: flops,
            convention_name: "11·rows·hidden, 12 with a residual",
            executed: flops,
            least_bytes: Bytes(self.tensors(problem).iter().map(bytes).sum()),
        }
    }

    /// Storing rounds by half a unit in the last place. Before that, an element of dx carries a few
    /// roundings of f32 of its terms, which are larger than itself where g lies along r, and one of
    /// dw those of a sum over the rows: the floors are one such error of a typical element.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        let input = deviation(problem.distribution);
        let normalised = input / (input * input + EPSILON).sqrt();
        let rounding = unit_roundoff(Dtype::F32);
        let stored = if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) };
        let (element, computing, sums) = if output == Places::of(problem).dx {
            let dr = if problem.shape.flag("residual") { input } else { 0.0 };
            (normalised + dr, 8.0 * rounding, rows * (hidden - 1))
        } else {
            let root_rows = (rows as f64).sqrt();
            (input * normalised * root_rows, (root_rows + 4.0) * rounding, hidden)
        };
        Tolerance {
            factor: 2.0,
            floor_relative: computing * cancellation(sums) + stored / 2.0,
            floor_absolute: (computing + stored / 2.0) * element,
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}
