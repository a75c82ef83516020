//! Attention over a shared prefix on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::{OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use crate::attention::{Attention, flash_on_host};
use crate::host::{Elements, narrow};
use rayon::prelude::*;
use tilemark_core::{Dtype, Family, Problem, Shape, Value};

/// A query at a time: the scores of the prefix and of its own keys, their softmax, and the mean of
/// the values.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let Sizes { h, hk, p, u, d, .. } = sizes;
    let [q, prefix_k, prefix_v, own_k, own_v] = [Q, PREFIX_K, PREFIX_V, OWN_K, OWN_V]
        .map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let mut o = vec![0.0f32; q.len()];
    let mut lse = vec![0.0f32; q.len() / d];
    for (row, query) in q.chunks_exact(d).enumerate() {
        let (sequence, head) = (row / h, row % h / sizes.group());
        let shared = head * p * d..(head + 1) * p * d;
        let first = (sequence * hk + head) * u * d;
        let own = first..first + sizes.own(sequence) * d;
        let dot = |key: &[f32]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
        let keys =
            prefix_k[shared.clone()].chunks_exact(d).chain(own_k[own.clone()].chunks_exact(d));
        let scores: Vec<f32> = keys.map(|key| dot(key) * sizes.scale() as f32).collect();
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        let values = prefix_v[shared].chunks_exact(d).chain(own_v[own].chunks_exact(d));
        for (p, value) in exponentials.iter().zip(values) {
            for (o, v) in o[row * d..(row + 1) * d].iter_mut().zip(value) {
                *o += p / sum * v;
            }
        }
        lse[row] = max + sum.ln();
    }
    narrow(problem.dtype, &o, outputs[0]);
    narrow(Dtype::F32, &lse, outputs[1]);
}

/// A part of the softmax of some queries: O (queries, D) in the problem's type, and LSE.
struct Part {
    /// As words, for their alignment.
    o: Vec<f32>,
    lse: Vec<f32>,
}

/// The prefix as one dense attention: the queries of a key head are those of all sequences. Then each
/// sequence's own keys, and a merge of the two by LSE.
pub fn hydragen(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let Sizes { b, hk, p, u, d, .. } = sizes;
    let line = d * problem.dtype.size() as usize;
    let queries = sizes.group() * line;
    // (Hk, B, group, D), from (B, Hk, group, D)
    let mut by_head = words(inputs[Q].len());
    let by_head: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut by_head)[..inputs[Q].len()];
    for (idx, to) in by_head.chunks_exact_mut(queries).enumerate() {
        let from = (idx % b * hk + idx / b) * queries;
        to.copy_from_slice(&inputs[Q][from..from + queries]);
    }
    let all = dense(problem, [hk, b * sizes.group(), p]);
    let prefix = attend(&all, [by_head, inputs[PREFIX_K], inputs[PREFIX_V]]);

    let [o, lse] = outputs else { unreachable!("the family has O and LSE") };
    let lse: &mut [f32] = bytemuck::cast_slice_mut(lse);
    let tasks = o.par_chunks_exact_mut(queries).zip(lse.par_chunks_exact_mut(sizes.group()));
    tasks.enumerate().for_each(|(idx, (o, lse))| {
        let (sequence, head) = (idx / hk, idx % hk);
        let own = sizes.own(sequence);
        let keys = idx * u * line..(idx * u + own) * line;
        let inputs = [
            &inputs[Q][idx * queries..(idx + 1) * queries],
            &inputs[OWN_K][keys.clone()],
            &inputs[OWN_V][keys],
        ];
        let part = attend(&dense(problem, [1, sizes.group(), own]), inputs);
        let first = (head * b + sequence) * sizes.group();
        let of_prefix = &bytemuck::cast_slice(&prefix.o)[first * line..][..queries];
        let own = (&bytemuck::cast_slice(&part.o)[..queries], part.lse.as_slice());
        let parts = [(of_prefix, &prefix.lse[first..][..sizes.group()]), own];
        merge(problem.dtype, d, parts, o, lse);
    });
}

/// Dense attention of so many heads, queries and keys.
fn dense(problem: &Problem, [heads, n, nk]: [usize; 3]) -> Problem {
    let given = [("b", 1), ("h", heads), ("n", n), ("nk", nk), ("d", problem.shape.index("d"))]
        .map(|(axis, size)| (axis.to_owned(), Value::Integer(size as u64)));
    let about = Attention.about();
    let shape = Shape::complete(&given, about.axes).expect("no axis of the family is 0");
    Problem { family: about.name.to_owned(), shape, ..problem.clone() }
}

fn attend(dense: &Problem, inputs: [&[u8]; 3]) -> Part {
    let queries = dense.shape.index("h") * dense.shape.index("n");
    let mut part = Part { o: words(inputs[0].len()), lse: vec![0.0; queries] };
    let o = &mut bytemuck::cast_slice_mut(&mut part.o)[..inputs[0].len()];
    flash_on_host(dense, &inputs, &mut [o, bytemuck::cast_slice_mut(&mut part.lse)]);
    part
}

/// Room for so many bytes, aligned as every element type needs.
fn words(bytes: usize) -> Vec<f32> {
    vec![0.0; bytes.div_ceil(4)]
}

/// O and LSE of all keys from those of two sets of them.
fn merge(dtype: Dtype, d: usize, parts: [(&[u8], &[f32]); 2], o: &mut [u8], lse: &mut [f32]) {
    let outputs = parts.map(|(o, _)| Elements::new(dtype, o).to_vec());
    let mut merged = vec![0.0; outputs[0].len()];
    for (row, (merged, lse)) in merged.chunks_exact_mut(d).zip(lse).enumerate() {
        let logarithms = parts.map(|(_, lse)| lse[row]);
        let max = logarithms[0].max(logarithms[1]);
        let weights = logarithms.map(|logarithm| (logarithm - max).exp());
        let sum = weights[0] + weights[1];
        let rows = [0, 1].map(|part| &outputs[part][row * d..(row + 1) * d]);
        for (merged, (a, b)) in merged.iter_mut().zip(rows[0].iter().zip(rows[1])) {
            *merged = (weights[0] * a + weights[1] * b) / sum;
        }
        *lse = max + sum.ln();
    }
    narrow(dtype, &merged, o);
}
