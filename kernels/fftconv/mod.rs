//! Long convolution of sequences with a filter a head: y = iFFT(FFT(u)·K), over N points.
//!
//! u and y are (B, H, L); u is padded with zeros to N points and y is the first L of the result, so
//! L = N is the circular convolution, and L ≤ N/2 with a filter of as many taps the causal one. K is
//! the filter's spectrum: bins 0 to N/2 as pairs of f32, of which the first and the last are real
//! whatever their imaginary parts hold. It is an input in the order of frequencies, as users cache
//! it; what an implementation does to it is inside its time. With gates, y = post·conv(pre·u).
//! (D. Fu et al., FlashFFTConv, 2023.)
//! Work: some 10·log₂ N operations an element of 4 bytes: bound by memory up to N = 4096 if tensor
//! cores do it. It must not know devices, clocks or who measures.

mod backward;
mod cpu;
mod cpu_monarch;
mod cuda;
mod cuda_backward;
mod cuda_outer;
mod reference;
#[cfg(test)]
mod tests;

pub use backward::FftConvBackward;

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct FftConv;

static ABOUT: About = About {
    name: "fftconv",
    formula: "y = iFFT(FFT(u)·K), with gates y = post·iFFT(FFT(pre·u)·K)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "`realfft`, the real transforms of rustfft",
};

static AXES: [Axis; 5] = [
    size("b", "batch", AxisDefault::Required),
    size("h", "heads, each with a filter of its own", AxisDefault::Required),
    size("n", "points of the transform, a power of two from 256 to 4194304", AxisDefault::Required),
    size("l", "elements of a sequence, at most n", AxisDefault::SameAs("n")),
    Axis {
        name: "gated",
        meaning: "whether input and output are multiplied by gates",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
];

const fn size(name: &'static str, meaning: &'static str, default: AxisDefault) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default }
}

static IMPLEMENTATIONS: [Implementation; 3] = [
    Implementation {
        name: "cpu_naive",
        idea: "a sequence at a time on one thread, by transforms of radix 2",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_monarch",
        idea: "pairs of sequences as complex ones in parallel, by dense transforms of 16 points",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu_monarch::monarch),
    },
    Implementation {
        name: "sm80_monarch",
        idea: "pairs of sequences as complex ones, by dense transforms of 16 points on tensor cores, in one pass over memory, or three beyond 32768 points",
        standing: Standing::Candidate,
        supports: cuda::any_since_sm80,
        code: Code::Steps(cuda::monarch),
    },
];

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    h: usize,
    n: usize,
    l: usize,
    gated: bool,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.index(axis));
        Sizes { b, h, n, l, gated: problem.shape.flag("gated") }
    }

    /// Bins of the half spectrum of a real sequence.
    fn bins(self) -> usize {
        self.n / 2 + 1
    }
}

/// Places in the family's list of tensors; y is the last.
const U: usize = 0;
const SPECTRUM: usize = 1;
const PRE: usize = 2;
const POST: usize = 3;

/// Place of y.
fn y_index(gated: bool) -> usize {
    if gated { 4 } else { 2 }
}

impl Family for FftConv {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        let (n, l) = (shape.integer("n"), shape.integer("l"));
        if !n.is_power_of_two() || !(256..=1 << 22).contains(&n) {
            return Err(format!("axis `n` takes powers of two from 256 to 4194304, not {n}"));
        }
        if l > n {
            return Err(format!("axis `l` must be at most n = {n}, and {l} is more"));
        }
        Ok(())
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        let (dims, dtype) = ([b, h, l], problem.dtype);
        let input = |name| Tensor::input(name, &dims, dtype, 0.0, 1.0);
        let spectrum = Tensor::input("K", &[h, n / 2 + 1, 2], Dtype::F32, 0.0, 1.0);
        let mut tensors = vec![input("u"), spectrum];
        if problem.shape.flag("gated") {
            tensors.extend(["pre", "post"].map(input));
        }
        tensors.push(Tensor::output("y", &dims, dtype, l));
        tensors
    }

    /// By convention two complex transforms a sequence and a complex product; the formula needs but
    /// half of that, since sequences are real.
    fn work(&self, problem: &Problem) -> Work {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        let (gates, tensors) = if problem.shape.flag("gated") { (2 * l, 4) } else { (0, 2) };
        let transforms = n * (10 * u64::from(n.ilog2()) + 6);
        Work {
            convention: Flops(b * h * (transforms + gates)),
            convention_name: "b·h·(10·n·log2 n + 6·n), 2·l more with gates",
            executed: Flops(b * h * (transforms / 2 + gates)),
            least_bytes: Bytes(tensors * b * h * l * problem.dtype.size() + h * (n / 2 + 1) * 8),
        }
    }

    fn tolerance(&self, problem: &Problem, _output: usize) -> Tolerance {
        convolved_tolerance(problem)
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// How exact sequences must be that were convolved once, in either pass.
///
/// A kernel in 16 bits rounds what it has between its stages, up to twelve times, each by an error
/// of 0.41 units' deviation: 1.4 together, of which the reference's own error, doubled, covers 0.8.
/// Errors of so many roundings are normal, and the largest of millions is five deviations. A
/// sequence has deviation √(2 L/N) times that of its factors.
fn convolved_tolerance(problem: &Problem) -> Tolerance {
    let Sizes { b, h, n, l, gated } = Sizes::of(problem);
    let unit = unit_roundoff(problem.dtype);
    let factors = deviation(problem.distribution).powi(if gated { 4 } else { 2 });
    let element = (2.0 * l as f64 / n as f64).sqrt() * factors;
    let (relative, largest) = match problem.dtype {
        Dtype::F32 => (4.0 * unit, 32.0 * unit),
        _ => (0.67 * unit, 6.0 * unit),
    };
    Tolerance {
        factor: 2.0,
        floor_relative: relative * cancellation((b * h * l) as u64),
        floor_absolute: largest * element,
    }
}
