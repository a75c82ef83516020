//! Block-sparse attention's backward pass on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::super::cpu::gathered;
use super::super::scale;
use super::super::schedule::{Sight, sights};
use super::{DK, DO, DQ, DV, K, LSE, O, Q, V};
use crate::attention::{AttentionBackward, flash_backward_on_host};
use crate::host::{Elements, narrow};
use rayon::prelude::*;
use std::ops::Range;
use tilemark_core::{Dtype, Family, Problem, Shape, Value};

/// A query at a time: its weights and their gradients, added to dQ's row and to the rows of dK and dV
/// that it sees.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let d = problem.shape.index("d");
    let [q, k, v, o, d_o] =
        [Q, K, V, O, DO].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let lse: &[f32] = bytemuck::cast_slice(inputs[LSE]);
    let sights = sights(problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let [mut d_q, mut d_k, mut d_v] = [0; 3].map(|_| vec![0.0f32; q.len()]);
    let scale = scale(d) as f32;
    for (row, lse) in lse.iter().enumerate() {
        let (head, i) = (row / tokens * tokens, row % tokens);
        let sight = &sights[sights.partition_point(|sight| sight.rows.end <= i)];
        let query = row * d..(row + 1) * d;
        let (q, d_o) = (&q[query.clone()], &d_o[query.clone()]);
        let delta = dot(d_o, &o[query.clone()]);
        for key in sight.keys.iter().flat_map(Range::clone) {
            let key = (head + key) * d..(head + key + 1) * d;
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

/// Each block of queries by dense attention's backward pass over the keys that it sees, a head at a
/// time; what blocks find for the same keys is added in f32, and rounded once.
pub fn dense_blocks(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sights = sights(problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let d = problem.shape.index("d");
    let line = d * problem.dtype.size() as usize;
    let [d_q, d_k, d_v] = outputs else { unreachable!("the family has the gradients of three") };
    let heads = d_q
        .par_chunks_exact_mut(tokens * line)
        .zip(d_k.par_chunks_exact_mut(tokens * line))
        .zip(d_v.par_chunks_exact_mut(tokens * line));
    heads.enumerate().for_each(|(head, ((d_q, d_k), d_v))| {
        let head = Head::widened(problem, inputs, head, tokens);
        let mut sums = [0; 3].map(|_| vec![0.0f32; tokens * d]);
        for sight in sights.iter().filter(|sight| !sight.keys.is_empty()) {
            head.add_block(problem, sight, &mut sums);
        }
        for (output, sums) in [d_q, d_k, d_v].into_iter().zip(&sums) {
            narrow(problem.dtype, sums, output);
        }
    });
}

/// The inputs of one head in f32, in the family's order.
struct Head([Vec<f32>; 6]);

impl Head {
    fn widened(problem: &Problem, inputs: &[&[u8]], head: usize, tokens: usize) -> Self {
        let part = |idx: usize| {
            let (dtype, elements) = match idx {
                LSE => (Dtype::F32, tokens),
                _ => (problem.dtype, tokens * problem.shape.index("d")),
            };
            let bytes = elements * dtype.size() as usize;
            Elements::new(dtype, &inputs[idx][head * bytes..(head + 1) * bytes]).to_vec()
        };
        Head([Q, K, V, O, DO, LSE].map(part))
    }

    /// Adds a block's part of dQ, dK and dV, each (L, D).
    fn add_block(&self, problem: &Problem, sight: &Sight, sums: &mut [Vec<f32>; 3]) {
        let d = problem.shape.index("d");
        let rows = [sight.rows.clone()];
        let ranges: [&[Range<usize>]; 3] = [&rows, &sight.keys, &sight.keys];
        let inputs = [Q, K, V, O, DO, LSE].map(|idx| {
            let width = if idx == LSE { 1 } else { d };
            let ranges = if idx == K || idx == V { &sight.keys[..] } else { &rows[..] };
            gathered(ranges, |range| &self.0[idx][range.start * width..range.end * width])
        });
        let counts = [sight.rows.len(), sight.seen(), sight.seen()];
        let mut found = counts.map(|count| vec![0.0f32; count * d]);
        let mut outputs = found.each_mut().map(|part| bytemuck::cast_slice_mut(part));
        let inputs = inputs.each_ref().map(|part| bytemuck::cast_slice(part));
        flash_backward_on_host(&dense(problem, sight), &inputs, &mut outputs);
        for ((sums, ranges), found) in sums.iter_mut().zip(ranges).zip(&found) {
            let mut from = 0;
            for Range { start, end } in ranges {
                let count = (end - start) * d;
                add(&mut sums[start * d..end * d], 1.0, &found[from..from + count]);
                from += count;
            }
        }
    }
}

/// One head of one block, as dense attention in f32.
fn dense(problem: &Problem, sight: &Sight) -> Problem {
    let [n, nk] = [sight.rows.len(), sight.seen()].map(|count| count as u64);
    let given = [("b", 1), ("h", 1), ("n", n), ("nk", nk), ("d", problem.shape.integer("d"))]
        .map(|(axis, size)| (axis.to_owned(), Value::Integer(size)));
    let about = AttentionBackward.about();
    let shape = Shape::complete(&given, about.axes).expect("blocks and heads are not empty");
    Problem { family: about.name.to_owned(), shape, dtype: Dtype::F32, ..problem.clone() }
}
