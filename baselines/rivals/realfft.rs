//! The long convolution by the `realfft` crate, which Rust programs use for real transforms.
//!
//! A sequence at a time in f32: forward, a product with the spectrum, back; sequences in parallel.

use super::{any_on_host, narrow, widened};
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;
use tilemark_core::family::{Code, Standing};
use tilemark_core::{Dtype, Implementation, Problem};

/// The rival.
pub static REALFFT: Implementation = Implementation {
    name: "realfft",
    idea: "real transforms of the `realfft` crate in f32, sequences in parallel",
    standing: Standing::Rival,
    supports: any_on_host,
    code: Code::Host(run),
};

/// The transforms of a length, and the filters' spectra.
struct Filters {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// (H, N/2 + 1), over N: the crate's inverse is N-fold.
    spectra: Vec<Complex<f32>>,
}

fn run(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [h, n, l] = ["h", "n", "l"].map(|axis| problem.shape.index(axis));
    let line = l * problem.dtype.size() as usize;
    let filters = Filters::new(n, inputs[1]);
    let part =
        |tensor: &[u8], row: usize| widened(problem.dtype, &tensor[row * line..(row + 1) * line]);
    let multiply = |values: &mut [f32], gate: usize, row| {
        if let Some(gate) = inputs.get(gate) {
            values.iter_mut().zip(part(gate, row)).for_each(|(value, gate)| *value *= gate);
        }
    };
    outputs[0].par_chunks_exact_mut(line).enumerate().for_each(|(row, y)| {
        let mut values = part(inputs[0], row);
        multiply(&mut values, 2, row);
        values.resize(n, 0.0);
        filters.convolve(row % h, &mut values);
        multiply(&mut values[..l], 3, row);
        narrow(problem.dtype, &values[..l], y);
    });
}

impl Filters {
    fn new(n: usize, spectra: &[u8]) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut spectra: Vec<Complex<f32>> = widened(Dtype::F32, spectra)
            .chunks_exact(2)
            .map(|parts| Complex::new(parts[0], parts[1]) / n as f32)
            .collect();
        for bins in spectra.chunks_exact_mut(n / 2 + 1) {
            // The crate insists that these are real, as our formula says.
            bins[0].im = 0.0;
            bins[n / 2].im = 0.0;
        }
        Filters {
            forward: planner.plan_fft_forward(n),
            inverse: planner.plan_fft_inverse(n),
            spectra,
        }
    }

    fn convolve(&self, head: usize, values: &mut [f32]) {
        let mut bins = self.forward.make_output_vec();
        let count = bins.len();
        let expected = "buffers are of the planned length";
        self.forward.process(values, &mut bins).expect(expected);
        for (bin, filter) in bins.iter_mut().zip(&self.spectra[head * count..]) {
            *bin *= filter;
        }
        self.inverse.process(&mut bins, values).expect(expected);
    }
}
