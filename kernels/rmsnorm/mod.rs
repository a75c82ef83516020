//! Root-mean-square normalisation of rows: y = r · rsqrt(mean(r²) + ε) · w, with ε = 10⁻⁶.
//!
//! r is x, or x + residual rounded to the element type, and then r is an output too: it is the
//! residual of the next layer. (B. Zhang and R. Sennrich, Root Mean Square Layer Normalization, 2019.)
//! Work: 4 operations an element (5 with a residual) over 2 elements moved (4 with a residual):
//! bound by memory everywhere. It must not know devices, clocks or who measures.

mod backward;

mod choices;
mod cpu;
mod cuda;
mod reference;
#[cfg(test)]
mod tests;

pub use backward::RmsNormBackward;

use crate::exactness::{deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Tensor};

/// The family.
pub struct RmsNorm;

/// ε: added to the mean square.
pub const EPSILON: f64 = 1e-6;

static ABOUT: About = About {
    name: "rmsnorm",
    formula: "y = r · rsqrt(mean(r²) + 1e-6) · w, r = x (+ residual)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "none: no crate offers it fused on a slice, users write these loops themselves",
};

static AXES: [Axis; 3] = [
    size("rows", "rows, each normalised by itself", 1),
    size("hidden", "elements of a row", 1),
    Axis {
        name: "residual",
        meaning: "whether a residual is added first, and the sum written too",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
];

const fn size(name: &'static str, meaning: &'static str, min: u64) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min }, default: AxisDefault::Required }
}

static IMPLEMENTATIONS: [Implementation; 4] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula on one thread, whole tensors at a time",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_fused",
        idea: "rows in parallel, each read once and normalised in a buffer within the first caches",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::fused),
    },
    Implementation {
        name: "cuda_registers",
        idea: "a row a block, in the registers of its warps, by plain loads and stores",
        standing: Standing::Candidate,
        supports: cuda::any_since_sm80,
        code: Code::Steps(cuda::forward),
    },
    Implementation {
        name: "hip_registers",
        idea: "cuda_registers, by waves of 64",
        standing: Standing::Candidate,
        supports: cuda::any_amd,
        code: Code::Steps(cuda::forward),
    },
];

impl Family for RmsNorm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        let (dims, dtype) = ([rows, hidden], problem.dtype);
        let mut tensors = vec![Tensor::input("x", &dims, dtype, 0.0, 1.0)];
        if problem.shape.flag("residual") {
            tensors.push(Tensor::input("residual", &dims, dtype, 0.0, 1.0));
        }
        tensors.push(Tensor::input("w", &[hidden], dtype, 1.0, 0.1));
        tensors.push(Tensor::output("y", &dims, dtype, hidden));
        if problem.shape.flag("residual") {
            tensors.push(Tensor::output("r", &dims, dtype, hidden));
        }
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let [rows, hidden] = ["rows", "hidden"].map(|axis| problem.shape.integer(axis));
        let (flops, moved) = if problem.shape.flag("residual") { (5, 4) } else { (4, 2) };
        let flops = Flops(flops * rows * hidden);
        Work {
            convention: flops,
            convention_name: "4·rows·hidden, 5 with a residual",
            executed: flops,
            least_bytes: Bytes((moved * rows * hidden + hidden) * problem.dtype.size()),
        }
    }

    /// Storing y, and r before it, rounds by half a unit in the last place, and f32 arithmetic by a
    /// few units of its own: the floors are one such error of a typical element. That of y has
    /// deviation one unless ε outweighs the mean square, that of r is a sum of two inputs.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let input = deviation(problem.distribution);
        let element = if output == y_index(problem) {
            input / (input * input + EPSILON).sqrt()
        } else {
            input * std::f64::consts::SQRT_2
        };
        let stored = if problem.dtype == Dtype::F32 { 0.0 } else { unit_roundoff(problem.dtype) };
        let rounding = 4.0 * unit_roundoff(Dtype::F32) + stored / 2.0;
        Tolerance { factor: 2.0, floor_relative: rounding, floor_absolute: rounding * element }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// Index of y in the family's list of tensors; r, where there is a residual, follows it.
fn y_index(problem: &Problem) -> usize {
    if problem.shape.flag("residual") { 3 } else { 2 }
}
