//! General matrix multiplication: C (M, N) = A (M, K) · B (K, N), accumulated in f32, rounded once.
//!
//! Layout `nn` stores B as (K, N), `nt` as (N, K); all tensors are row-major and dense. C has the
//! operands' type, or bf16 where they have 8 bits. Scales multiply the sums before they are
//! rounded: one a tensor, or one a row of A and one a column of B.
//! Work: 2·M·N·K operations over at least M·K + K·N + M·N elements, so a square problem of side N
//! does N/3 operations a byte in a 2-byte type and is bound by arithmetic from a few hundred on.
//! It must not know devices, clocks or who measures.

mod choices;
mod cpu;
mod cuda;
mod groups;
mod hip;
mod operands;
mod reference;
mod sm90;
#[cfg(test)]
mod tests;

// For families of which a product in groups is a step.
pub(crate) use groups::{GROUP_ROWS, Groups, grouped};

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{
    About, Arithmetic, Code, Operand, Query, Readout, Standing, Tolerance, Tuning, Work,
};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Info, Problem, Tensor};

/// The family.
pub struct Gemm;

static ABOUT: About = About {
    name: "gemm",
    formula: "C[i,j] = (scale_a[i] · scale_b[j]) Σ_k A[i,k] · B[k,j]",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::E4m3],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "the `gemm` crate, with as many threads as ours",
};

static AXES: [Axis; 5] = [
    size("m", "rows of A and C"),
    size("n", "columns of B and C"),
    size("k", "columns of A, rows of B"),
    Axis {
        name: "layout",
        meaning: "whether B is stored as (K, N) or as (N, K)",
        kind: AxisKind::Word(&["nn", "nt"]),
        default: AxisDefault::Word("nn"),
    },
    Axis {
        name: "scale",
        meaning: "what the sums are multiplied by: nothing, a number a tensor, or one a row and column",
        kind: AxisKind::Word(&["none", "tensor", "row_column"]),
        default: AxisDefault::Word("none"),
    },
];

const fn size(name: &'static str, meaning: &'static str) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default: AxisDefault::Required }
}

/// The implementation whose kernel and constants are data.
const WGMMA: &str = "sm90_wgmma";

static IMPLEMENTATIONS: [Implementation; 11] = [
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
    Implementation {
        name: "cuda_naive",
        idea: "the formula alone: a thread an element of C",
        standing: Standing::Rung,
        supports: cuda::any_nvidia,
        code: Code::Steps(cuda::naive),
    },
    Implementation {
        name: "cuda_shared",
        idea: "tiles of 128 × 128 of C, slices in shared memory as f32, 8 × 8 sums a thread",
        standing: Standing::Rung,
        supports: cuda::any_nvidia,
        code: Code::Steps(cuda::shared),
    },
    Implementation {
        name: "sm80_mma",
        idea: "tensor cores by the warp: mma.sync on fragments that ldmatrix reads",
        standing: Standing::Rung,
        supports: cuda::any_since_sm80,
        code: Code::Steps(cuda::mma),
    },
    Implementation {
        name: "sm90_small_m",
        idea: "few rows: wgmma with B as its long side, read once at the memory's rate",
        standing: Standing::Rung,
        supports: cuda::hopper_small_m,
        code: Code::Steps(sm90::small_m),
    },
    Implementation {
        name: WGMMA,
        idea: "wgmma fed by the copy engine; persistent or for few rows, as measured for the shape",
        standing: Standing::Candidate,
        supports: cuda::hopper,
        code: Code::Steps(sm90::chosen),
    },
    Implementation {
        name: "hip_naive",
        idea: "the formula alone: a thread an element of C",
        standing: Standing::Rung,
        supports: hip::any_amd,
        code: Code::Steps(cuda::naive),
    },
    Implementation {
        name: "hip_shared",
        idea: "tiles of 128 × 128 of C, slices in LDS as f32, 8 × 8 sums a thread",
        standing: Standing::Rung,
        supports: hip::any_amd,
        code: Code::Steps(cuda::shared),
    },
    Implementation {
        name: "gfx942_mfma",
        idea: "matrix cores, operands staged in registers while the slice before is multiplied",
        standing: Standing::Candidate,
        supports: hip::gfx942,
        code: Code::Steps(hip::staged),
    },
    Implementation {
        name: "gfx950_mfma",
        idea: "matrix cores, operands copied straight to LDS, two groups of waves in turn",
        standing: Standing::Candidate,
        supports: hip::gfx950,
        code: Code::Steps(hip::copied),
    },
];

/// Scales are drawn around 1, far enough from it that a forgotten one shows, and positive.
const SCALE_DEVIATION: f32 = 0.125;

/// The sizes of a problem, and the order of its tensors.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
    /// B is stored as (N, K).
    transposed: bool,
    scale: Scale,
}

/// What the sums are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Nothing.
    None,
    /// scale_a (1) · scale_b (1).
    Tensor,
    /// scale_a (M) · scale_b (N), element by element.
    RowColumn,
}

impl Scale {
    /// The axis's word for it.
    fn word(self) -> &'static str {
        match self {
            Scale::None => "none",
            Scale::Tensor => "tensor",
            Scale::RowColumn => "row_column",
        }
    }
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let shape = &problem.shape;
        Sizes {
            m: shape.index("m"),
            n: shape.index("n"),
            k: shape.index("k"),
            transposed: shape.word("layout") == "nt",
            scale: match shape.word("scale") {
                "tensor" => Scale::Tensor,
                "row_column" => Scale::RowColumn,
                _ => Scale::None,
            },
        }
    }

    fn layout(self) -> &'static str {
        if self.transposed { "nt" } else { "nn" }
    }

    /// How many scales A and B have, if they have any.
    fn scales(self) -> Option<[usize; 2]> {
        match self.scale {
            Scale::None => None,
            Scale::Tensor => Some([1, 1]),
            Scale::RowColumn => Some([self.m, self.n]),
        }
    }

    /// The number of C in the list of tensors: after A, B and, where there are any, their scales.
    fn c(self) -> usize {
        if self.scale == Scale::None { 2 } else { 4 }
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
        let sizes = Sizes::of(problem);
        let b = if sizes.transposed { [n, k] } else { [k, n] };
        let dtype = problem.dtype;
        let mut tensors = vec![
            Tensor::input("A", &[m, k], dtype, 0.0, 1.0),
            Tensor::input("B", &b, dtype, 0.0, 1.0),
        ];
        if let Some([of_a, of_b]) = sizes.scales() {
            let scale = |name, count| {
                Tensor::input(name, &[count as u64], Dtype::F32, 1.0, SCALE_DEVIATION)
            };
            tensors.extend([scale("scale_a", of_a), scale("scale_b", of_b)]);
        }
        tensors.push(Tensor::output("C", &[m, n], output_dtype(dtype), 1));
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let flops = Flops(2 * m * n * k);
        let bytes = |tensor: &Tensor| tensor.bytes().0;
        Work {
            convention: flops,
            convention_name: "2·m·n·k",
            executed: flops,
            least_bytes: Bytes(self.tensors(problem).iter().map(bytes).sum()),
        }
    }

    /// An element of C has deviation s·√K, where s is the product of the operands' deviations.
    /// Its sum carries rounding errors of about [`summing_error`] of that whatever its order, and
    /// storing it half a unit in the last place: the floors are one such error, for outputs so few
    /// that the reference's own errors may all be small by luck.
    fn tolerance(&self, problem: &Problem, _: usize) -> Tolerance {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let sizes = Sizes::of(problem);
        let input = deviation(problem.distribution);
        let scale = match sizes.scale {
            Scale::None => 1.0,
            _ => 1.0 + (input * f64::from(SCALE_DEVIATION)).powi(2),
        };
        let element = input.powi(2) * (k as f64).sqrt() * scale;
        let summing = summing_error(sizes, problem.dtype);
        let storing = stored_roundoff(output_dtype(problem.dtype)) / 2.0;
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

    fn tuning(&self, implementation: &str, problem: &Problem, info: &Info) -> Option<Tuning> {
        let covered = implementation == WGMMA && cuda::hopper(problem, info).is_ok();
        covered.then(|| choices::tuning(problem, info))
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

/// The type of C.
fn output_dtype(operands: Dtype) -> Dtype {
    if operands == Dtype::E4m3 { Dtype::Bf16 } else { operands }
}

/// The relative error of storing a sum: none where the accumulator is the output's type.
fn stored_roundoff(dtype: Dtype) -> f64 {
    if dtype == Dtype::F32 { 0.0 } else { unit_roundoff(dtype) }
}

/// What summing adds to an element's error, relative to the root of the sum of its terms' squares.
///
/// f32 sums err by 2⁻²⁴·√K. Hopper's tensor cores cut their sums of 8-bit products to 14 bits after
/// every 32 of them, always downwards: half a unit is lost each time, of a sum that is on the way
/// half of what it becomes, which makes 2⁻¹⁶ for each of K/32 cuts. Scaling rounds twice more.
fn summing_error(sizes: Sizes, dtype: Dtype) -> f64 {
    let rounding = unit_roundoff(Dtype::F32);
    let cuts = if dtype == Dtype::E4m3 { sizes.k as f64 / 32.0 } else { 0.0 };
    let scaling = if sizes.scale == Scale::None { 0.0 } else { 2.0 };
    rounding * ((sizes.k as f64).sqrt() + scaling) + 0.5f64.powi(16) * cuts
}
