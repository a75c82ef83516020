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
    let filters = Filters::new(problem, inputs[1]);
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
    fn new(problem: &Problem, filter: &[u8]) -> Self {
        let n = problem.shape.index("n");
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(n);
        let values = widened(Dtype::F32, filter);
        let complex = |parts: &[f32]| Complex::new(parts[0], parts[1]);
        let mut spectra: Vec<Complex<f32>> = match problem.shape.get("taps") {
            None => values.chunks_exact(2).map(complex).collect(),
            Some(_) => {
                let rows = values.chunks_exact(problem.shape.index("taps"));
                rows.flat_map(|taps| spectrum(&*forward, taps)).collect()
            }
        };
        spectra.iter_mut().for_each(|bin| *bin /= n as f32);
        let passed = 16 / problem.shape.get("kept").map_or(16, |_| problem.shape.index("kept"));
        for bins in spectra.chunks_exact_mut(n / 2 + 1) {
            // The crate insists that these are real, as our formula says.
            bins[0].im = 0.0;
            bins[n / 2].im = 0.0;
            let cut = bins.iter_mut().enumerate().filter(|(k, _)| !k.is_multiple_of(passed));
            cut.for_each(|(_, bin)| *bin = Complex::ZERO);
        }
        Filters { forward, inverse: planner.plan_fft_inverse(n), spectra }
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

/// Of a filter that is given in time.
fn spectrum(forward: &dyn RealToComplex<f32>, taps: &[f32]) -> Vec<Complex<f32>> {
    let (mut values, mut bins) = (taps.to_vec(), forward.make_output_vec());
    values.resize(forward.len(), 0.0);
    forward.process(&mut values, &mut bins).expect("buffers are of the planned length");
    bins
}
