//! The layer on a host, a step after the other on whole tensors in f32: products and convolutions by
//! what their families have, the rest here.
//!
//! It must not know shapes that are measured or who measures them.

use super::parts::{self, on_host};
use super::{
    BETA, BIAS, BLOCKS, EPSILON, GAMMA, IN, MonarchMixer, NARROW, OUT, SHORT, SPECTRA, Sizes, TAPS,
    U, WIDEN,
};
use crate::fftconv::FftConv;
use crate::gemm::Gemm;
use crate::host::exponential::exp;
use crate::host::{Elements, narrow};
use pulp::Arch;
use rayon::prelude::*;
use tilemark_core::family::HostFunction;
use tilemark_core::{Dtype, Family, Problem};

/// On one thread, as textbooks have them.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    layer(problem, inputs, outputs, ["cpu_naive", "cpu_naive"]);
}

/// In parallel.
pub fn steps(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    layer(problem, inputs, outputs, ["cpu_blocked", "cpu_monarch"]);
}

/// With these implementations of `gemm` and `fftconv`.
fn layer(
    problem: &Problem,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    [multiply, convolve]: [&str; 2],
) {
    let sizes = Sizes::of(problem);
    let dtypes = MonarchMixer.tensors(problem).into_iter().map(|tensor| tensor.dtype);
    let inputs: Vec<Vec<f32>> =
        dtypes.zip(inputs).map(|(dtype, bytes)| Elements::new(dtype, bytes).to_vec()).collect();
    let Sizes { d, .. } = sizes;
    let (multiply, convolve) = (on_host(&Gemm, multiply), on_host(&FftConv, convolve));
    let steps = Steps { problem, sizes, inputs: &inputs, multiply, convolve };
    let projected = steps.product(&inputs[U], &inputs[IN], 3 * d);
    let signals = steps.signals(&projected);
    let convolved = steps.convolved(&signals);
    let mixed = steps.mixed(&projected, &signals, &convolved);
    let mixed = steps.product(&mixed, &inputs[OUT], d);
    let x = steps.normalised(0, &inputs[U], mixed);
    let changed = steps.changed(&x);
    narrow(problem.dtype, &steps.normalised(1, &x, changed), outputs[0]);
}

struct Steps<'a> {
    problem: &'a Problem,
    sizes: Sizes,
    inputs: &'a [Vec<f32>],
    multiply: HostFunction,
    convolve: HostFunction,
}

impl Steps<'_> {
    /// a (rows, K) times the transpose of b (columns, K).
    fn product(&self, a: &[f32], b: &[f32], columns: usize) -> Vec<f32> {
        let k = b.len() / columns;
        let rows = a.len() / k;
        let problem = parts::product(self.problem, Dtype::F32, [rows, columns, k]);
        let mut c = vec![0.0; rows * columns];
        let bytes = [a, b].map(bytemuck::cast_slice);
        (self.multiply)(&problem, &bytes, &mut [bytemuck::cast_slice_mut(&mut c)]);
        c
    }

    /// The short convolution's result in row `row` of its taps at position t of a sequence.
    fn short(&self, projected: &[f32], item: usize, t: usize, row: usize) -> f32 {
        let Sizes { l, d, .. } = self.sizes;
        let tap = |i: usize| {
            let reached = (t + i).checked_sub(TAPS - 1);
            let value = |s| projected[(item * l + s) * 3 * d + row];
            reached.map_or(0.0, |s| self.inputs[SHORT][row * TAPS + i] * value(s))
        };
        (0..TAPS).map(tap).sum()
    }

    /// z, then u, by channels: (B, 2 D, L).
    fn signals(&self, projected: &[f32]) -> Vec<f32> {
        let Sizes { b, l, d, .. } = self.sizes;
        let mut signals = vec![0.0; b * 2 * d * l];
        signals.par_chunks_mut(l).enumerate().for_each(|(row, signal)| {
            let (item, channel) = (row / (2 * d), row % (2 * d));
            for (t, value) in signal.iter_mut().enumerate() {
                *value = match channel.checked_sub(d) {
                    None => {
                        self.short(projected, item, t, channel)
                            * self.short(projected, item, t, 2 * d + channel)
                    }
                    Some(channel) => self.inputs[U][(item * l + t) * d + channel],
                };
            }
        });
        signals
    }

    fn convolved(&self, signals: &[f32]) -> Vec<f32> {
        let Sizes { b, l, d, n } = self.sizes;
        let problem = parts::convolution(self.problem, Dtype::F32, [b, 2 * d, n, l]);
        let mut results = vec![0.0; signals.len()];
        let bytes = [signals, &self.inputs[SPECTRA]].map(bytemuck::cast_slice);
        (self.convolve)(&problem, &bytes, &mut [bytemuck::cast_slice_mut(&mut results)]);
        results
    }

    /// x2·(conv(z) + bias·z) + conv(u) + bias·u, by positions.
    fn mixed(&self, projected: &[f32], signals: &[f32], convolved: &[f32]) -> Vec<f32> {
        let Sizes { l, d, .. } = self.sizes;
        let bias = &self.inputs[BIAS];
        let mut mixed = vec![0.0; self.sizes.tokens() * d];
        mixed.par_chunks_mut(d).enumerate().for_each(|(position, row)| {
            let (item, t) = (position / l, position % l);
            for (c, value) in row.iter_mut().enumerate() {
                let sum = |of: usize| {
                    let at = (item * 2 * d + of * d + c) * l + t;
                    convolved[at] + bias[of * d + c] * signals[at]
                };
                *value = self.short(projected, item, t, d + c) * sum(0) + sum(1);
            }
        });
        mixed
    }

    /// LayerNorm of the sum of rows.
    fn normalised(&self, which: usize, residual: &[f32], mut rows: Vec<f32>) -> Vec<f32> {
        let d = self.sizes.d;
        let [gamma, beta] = [GAMMA, BETA].map(|operand| &self.inputs[operand][which * d..]);
        rows.par_chunks_mut(d).zip(residual.par_chunks(d)).for_each(|(row, residual)| {
            row.iter_mut().zip(residual).for_each(|(x, residual)| *x += residual);
            let mean = row.iter().sum::<f32>() / d as f32;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / d as f32;
            let inverse = (variance + EPSILON as f32).sqrt().recip();
            for ((x, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
                *x = (*x - mean) * inverse * gamma + beta;
            }
        });
        rows
    }

    /// What the dimension mixer makes of x, a block at a time.
    fn changed(&self, x: &[f32]) -> Vec<f32> {
        let Sizes { d, .. } = self.sizes;
        let (narrow, wide) = (self.sizes.narrow(), self.sizes.wide());
        let mut changed = vec![0.0; x.len()];
        for block in 0..BLOCKS {
            let own = block * narrow..(block + 1) * narrow;
            let part: Vec<f32> = x.chunks(d).flat_map(|row| row[own.clone()].to_vec()).collect();
            let widen = &self.inputs[WIDEN][block * 2 * wide * narrow..][..2 * wide * narrow];
            let widened = self.product(&part, widen, 2 * wide);
            let mut gated = vec![0.0; widened.len() / 2];
            let arch = Arch::new();
            gated.par_chunks_mut(wide).zip(widened.par_chunks(2 * wide)).for_each(|(row, both)| {
                let (first, second) = both.split_at(wide);
                arch.dispatch(|| {
                    for ((value, a), b) in row.iter_mut().zip(first).zip(second) {
                        *value = gelu(*a) * b;
                    }
                });
            });
            let narrowing = &self.inputs[NARROW][block * narrow * wide..][..narrow * wide];
            let results = self.product(&gated, narrowing, narrow);
            for (row, result) in changed.chunks_mut(d).zip(results.chunks(narrow)) {
                row[own.clone()].copy_from_slice(result);
            }
        }
        changed
    }
}

/// x·Φ(x), Φ the distribution of a normal number, within 2e-7 of the larger of x and 1. (M. Abramowitz
/// and I. Stegun, Handbook of Mathematical Functions, 7.1.26.)
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let size = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut polynomial = 1.061_405_4f32;
    for coefficient in [-1.453_152, 1.421_413_8, -0.284_496_74, 0.254_829_6] {
        polynomial = polynomial * t + coefficient;
    }
    let complement = polynomial * t * exp(-size * size);
    let above = if x < 0.0 { complement / 2.0 } else { 1.0 - complement / 2.0 };
    x * above
}
