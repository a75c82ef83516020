//! Softmax attention on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::{Sizes, output_dtype, scales};
use crate::host::{Elements, narrow};
use tilemark_core::Problem;

/// A query at a time: its scores, their softmax, and the mean of the values.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let d = sizes.d;
    let [score_scale, value_scale] = scales(problem, inputs);
    let scale = sizes.scale() as f32 * score_scale;
    let [q, k, v] = [0, 1, 2].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let mut o = vec![0.0f32; q.len()];
    let mut lse = vec![f32::NEG_INFINITY; q.len() / d];
    for (row, query) in q.chunks_exact(d).enumerate() {
        let visible = sizes.visible(row % sizes.n);
        let first = sizes.key_head(row / sizes.n) * sizes.nk;
        let seen = first * d..(first + visible) * d;
        let scores: Vec<f32> =
            k[seen.clone()].chunks_exact(d).map(|key| dot(query, key) * scale).collect();
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        let out = &mut o[row * d..(row + 1) * d];
        for (p, value) in exponentials.iter().zip(v[seen].chunks_exact(d)) {
            for (o, v) in out.iter_mut().zip(value) {
                *o += p / sum * value_scale * v;
            }
        }
        lse[row] = max + sum.ln();
    }
    narrow(output_dtype(problem.dtype), &o, outputs[0]);
    outputs[1].copy_from_slice(bytemuck::cast_slice(&lse));
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
