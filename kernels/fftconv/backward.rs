//! Long convolution, backward: the gradients of sequences, of the filter's spectrum and of the gates,
//! given that of y = post·iFFT(FFT(pre·u)·K).
//!
//! With g = post·dy, x = pre·u and dx = iFFT(FFT(g)·K̄): du = pre·dx, dpre = u·dx, dpost = dy·conv(x),
//! and dK = 2/N·Σ_batch conj(FFT(x))·FFT(g), half of that in the first and the last bin, which are
//! real: the derivatives by the real and by the imaginary part of each stored bin. Nothing but u, K
//! and the gates is kept of the forward pass. (D. Fu et al., FlashFFTConv, 2023.)
//! Work: three transforms a sequence (four with gates) over three sequences moved (seven). It must
//! not know devices, clocks or who measures.

mod cpu;
mod reference;
#[cfg(test)]
mod tests;

use super::{AXES, FftConv, SHARED_AXES, Sizes, convolved_tolerance, cuda_backward, hip_backward};
use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::{Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct FftConvBackward;

static ABOUT: About = About {
    name: "fftconv_bwd",
    formula: "du = pre·dx, dpre = u·dx, dpost = dy·conv(pre·u), dK = 2/N·Σ conj(FFT(pre·u))·FFT(post·dy), dx = iFFT(FFT(post·dy)·conj(K))",
    axes: AXES.split_at(SHARED_AXES).0,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("backward/shapes.toml"),
    cpu_rivals: "none: no crate differentiates a convolution, users write these transforms themselves",
};

static IMPLEMENTATIONS: [Implementation; 4] = [
    Implementation {
        name: "cpu_naive",
        idea: "a sequence at a time on one thread, by transforms of radix 2",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_monarch",
        idea: "heads in parallel, pairs of sequences as complex ones, by dense transforms of 16 points",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::monarch),
    },
    Implementation {
        name: "sm90_monarch",
        idea: "both spectra at hand: each signal is transformed once and taken back at once, clusters share long ones, sums over the batch in L2 by one block a bin",
        standing: Standing::Candidate,
        supports: cuda_backward::any_since_sm90,
        code: Code::Steps(cuda_backward::monarch),
    },
    Implementation {
        name: "gfx942_monarch",
        idea: "both spectra at hand: each signal is transformed once and taken back at once, sums over the batch in the registers of the wave that has the bins",
        standing: Standing::Candidate,
        supports: hip_backward::any_since_gfx942,
        code: Code::Steps(hip_backward::monarch),
    },
];

/// Place of dy in the family's list of tensors; u and K are as in the forward pass.
pub const DY: usize = 2;

/// Places of the gates.
pub const GATES: [usize; 2] = [3, 4];

/// Places of the gradients; those of the gates are there with gates only.
#[derive(Clone, Copy)]
pub struct Places {
    /// Of u.
    pub du: usize,
    /// Of the spectrum.
    pub dk: usize,
    /// Of the input's gate.
    pub dpre: usize,
    /// Of the output's gate.
    pub dpost: usize,
}

impl Places {
    /// With or without gates.
    pub fn of(gated: bool) -> Self {
        let du = if gated { 5 } else { 3 };
        Places { du, dk: du + 1, dpre: du + 2, dpost: du + 3 }
    }

    /// The last of them.
    pub fn last(self, gated: bool) -> usize {
        if gated { self.dpost } else { self.dk }
    }
}

impl Family for FftConvBackward {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        FftConv.check(shape)
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        let (dims, dtype) = ([b, h, l], problem.dtype);
        let spectrum = [h, n / 2 + 1, 2];
        let input = |name| Tensor::input(name, &dims, dtype, 0.0, 1.0);
        let output = |name| Tensor::output(name, &dims, dtype, l);
        let mut tensors =
            vec![input("u"), Tensor::input("K", &spectrum, Dtype::F32, 0.0, 1.0), input("dy")];
        if problem.shape.flag("gated") {
            tensors.extend(["pre", "post"].map(input));
        }
        // A head's bins share its sequences' transforms, so that they come together.
        let gradient = Tensor::output("dK", &spectrum, Dtype::F32, n + 2);
        tensors.extend([output("du"), gradient]);
        if problem.shape.flag("gated") {
            tensors.extend(["dpre", "dpost"].map(output));
        }
        tensors
    }

    /// By convention complex transforms, as forward; the formula needs half of that.
    fn work(&self, problem: &Problem) -> Work {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        let (transforms, gates) = if problem.shape.flag("gated") { (4, 5 * l) } else { (3, 0) };
        let transforms = n * (5 * transforms * u64::from(n.ilog2()) + 14);
        let bytes = |tensor: &Tensor| tensor.bytes().0;
        Work {
            convention: Flops(b * h * (transforms + gates)),
            convention_name: "b·h·(15·n·log2 n + 14·n), 5·n·log2 n + 5·l more with gates",
            executed: Flops(b * h * (transforms / 2 + gates)),
            least_bytes: Bytes(self.tensors(problem).iter().map(bytes).sum()),
        }
    }

    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        let Sizes { gated, .. } = Sizes::of(problem);
        if output == Places::of(gated).dk {
            spectrum_tolerance(problem)
        } else {
            convolved_tolerance(problem)
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// Each factor of a bin's products is rounded up to four times in 16 bits, and the result is not:
/// √8 errors of 0.41 units; in fp16 √12, since two matrices of each transform add as much. A product
/// of two normal numbers is large far more often than a normal one, and its error with it: the
/// largest of millions is 14 deviations of a lone product. Where sequences have fewer elements than
/// the spectrum, bins share their errors.
fn spectrum_tolerance(problem: &Problem) -> Tolerance {
    let Sizes { b, h, n, l, gated, .. } = Sizes::of(problem);
    let unit = unit_roundoff(problem.dtype);
    let factors = deviation(problem.distribution).powi(if gated { 4 } else { 2 });
    let element = 2.0 * (l as f64 / n as f64) * (b as f64 / 2.0).sqrt() * factors;
    let (relative, largest) = match problem.dtype {
        Dtype::F32 => (8.0, 64.0),
        Dtype::F16 => (1.7, 24.0),
        _ => (1.4, 20.0),
    };
    Tolerance {
        factor: 2.0,
        floor_relative: relative * unit * cancellation((h * (n + 2).min(b * l)) as u64),
        floor_absolute: largest * unit * element,
    }
}
