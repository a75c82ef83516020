//! Attention's backward pass on one thread of a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::super::Sizes;
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::host::{Elements, narrow};
use tilemark_core::Problem;

/// A query at a time: its weights and their gradients, added to dQ's row and to all rows of dK and dV.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let d = sizes.d;
    let [q, k, v, o, d_o] =
        [Q, K, V, O, DO].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let lse: &[f32] = bytemuck::cast_slice(inputs[LSE]);
    let mut d_q = vec![0.0; q.len()];
    let [mut d_k, mut d_v] = [k.len(), v.len()].map(|len| vec![0.0f32; len]);
    let scale = sizes.scale() as f32;
    for (row, lse) in lse.iter().enumerate() {
        let query = row * d..(row + 1) * d;
        let (q, d_o) = (&q[query.clone()], &d_o[query.clone()]);
        let delta = dot(d_o, &o[query.clone()]);
        let first = sizes.key_head(row / sizes.n) * sizes.nk;
        for key in first..first + sizes.visible(row % sizes.n) {
            let key = key * d..(key + 1) * d;
            let p = (dot(q, &k[key.clone()]) * scale - lse).exp();
            let gradient = p * (dot(d_o, &v[key.clone()]) - delta) * scale;
            add(&mut d_q[query.clone()], gradient, &k[key.clone()]);
            add(&mut d_k[key.clone()], gradient, q);
            add(&mut d_v[key], p, d_o);
        }
    }
    for (output, values) in [(DQ, d_q), (DK, d_k), (DV, d_v)] {
        narrow(problem.dtype, &values, outputs[output - DQ]);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sums: &mut [f32], factor: f32, row: &[f32]) {
    for (sum, element) in sums.iter_mut().zip(row) {
        *sum += factor * element;
    }
}
