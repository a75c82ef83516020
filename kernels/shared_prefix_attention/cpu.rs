//! Attention over a shared prefix on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::{LEVEL_K, LEVEL_V, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use crate::attention::{Attention, flash_on_host};
use crate::host::{Elements, narrow};
use rayon::prelude::*;
use std::ops::Range;
use tilemark_core::{Dtype, Family, Problem, Shape, Value};

/// A query at a time: the scores of all keys that it sees, their softmax, and the mean of the values.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let d = sizes.d;
    let inputs: Vec<Vec<f32>> =
        inputs.iter().map(|bytes| Elements::new(problem.dtype, bytes).to_vec()).collect();
    let mut o = vec![0.0f32; inputs[Q].len()];
    let mut lse = vec![0.0f32; o.len() / d];
    for (row, query) in inputs[Q].chunks_exact(d).enumerate() {
        let seen = rows_seen(sizes, row / sizes.h, row % sizes.h / sizes.group());
        let rows = |value: usize| {
            let inputs = &inputs;
            seen.iter().flat_map(move |(tensors, rows)| {
                inputs[tensors[value]][rows.start * d..rows.end * d].chunks_exact(d)
            })
        };
        let dot = |key: &[f32]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
        let scores: Vec<f32> = rows(0).map(|key| dot(key) * sizes.scale() as f32).collect();
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        for (p, value) in exponentials.iter().zip(rows(1)) {
            for (o, v) in o[row * d..(row + 1) * d].iter_mut().zip(value) {
                *o += p / sum * v;
            }
        }
        lse[row] = max + sum.ln();
    }
    narrow(problem.dtype, &o, outputs[0]);
    narrow(Dtype::F32, &lse, outputs[1]);
}

/// Which rows of which keys and values a sequence sees through a key head.
fn rows_seen(sizes: Sizes, sequence: usize, head: usize) -> Vec<([usize; 2], Range<usize>)> {
    let Sizes { hk, p, u, m, groups, .. } = sizes;
    let own = (sequence * hk + head) * u;
    let mut seen = vec![
        ([PREFIX_K, PREFIX_V], head * p..(head + 1) * p),
        ([OWN_K, OWN_V], own..own + sizes.own(sequence)),
    ];
    if m > 0 {
        let level = (head * groups + sequence / sizes.run()) * m;
        seen.push(([LEVEL_K, LEVEL_V], level..level + m));
    }
    seen
}

/// A part of the softmax of some queries: O (queries, D) and LSE, in f32 for the merge.
struct Part {
    o: Vec<f32>,
    lse: Vec<f32>,
}

/// Shared keys by one dense attention for all queries that share them, a sequence's own ones by
/// themselves, and a merge by LSE.
pub fn hydragen(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let Sizes { b, hk, p, u, d, groups, m, .. } = sizes;
    let inputs: Vec<Vec<f32>> =
        inputs.par_iter().map(|bytes| Elements::new(problem.dtype, bytes).to_vec()).collect();
    let queries = sizes.group() * d;
    // (Hk, B, group, D), from (B, Hk, group, D)
    let by_head: Vec<f32> = (0..hk * b)
        .map(|idx| (idx % b * hk + idx / b) * queries)
        .flat_map(|from| &inputs[Q][from..from + queries])
        .copied()
        .collect();
    let prefix = dense(problem, [hk, b * sizes.group(), p]);
    let mut shared = vec![attend(&prefix, [&by_head, &inputs[PREFIX_K], &inputs[PREFIX_V]])];
    if m > 0 {
        // Runs of a head follow each other in both, so that each is a head of its own.
        let runs = dense(problem, [hk * groups, sizes.run() * sizes.group(), m]);
        shared.push(attend(&runs, [&by_head, &inputs[LEVEL_K], &inputs[LEVEL_V]]));
    }

    let [o, lse] = outputs else { unreachable!("the family has O and LSE") };
    let lse: &mut [f32] = bytemuck::cast_slice_mut(lse);
    let line = queries * problem.dtype.size() as usize;
    let tasks = o.par_chunks_exact_mut(line).zip(lse.par_chunks_exact_mut(sizes.group()));
    tasks.enumerate().for_each(|(idx, (o, lse))| {
        let (sequence, head) = (idx / hk, idx % hk);
        let own = sizes.own(sequence);
        let keys = idx * u * d..(idx * u + own) * d;
        let own = attend(
            &dense(problem, [1, sizes.group(), own]),
            [
                &inputs[Q][idx * queries..][..queries],
                &inputs[OWN_K][keys.clone()],
                &inputs[OWN_V][keys],
            ],
        );
        let first = (head * b + sequence) * sizes.group();
        let mut parts: Vec<Rows<'_>> =
            shared.iter().map(|part| part.rows(first, sizes.group(), d)).collect();
        parts.push(own.rows(0, sizes.group(), d));
        narrow(problem.dtype, &merge(d, &parts, lse), o);
    });
}

/// Dense attention of so many heads, queries and keys, in f32.
fn dense(problem: &Problem, [heads, n, nk]: [usize; 3]) -> Problem {
    let given = [("b", 1), ("h", heads), ("n", n), ("nk", nk), ("d", problem.shape.index("d"))]
        .map(|(axis, size)| (axis.to_owned(), Value::Integer(size as u64)));
    let about = Attention.about();
    let shape = Shape::complete(&given, about.axes).expect("no axis of the family is 0");
    Problem { family: about.name.to_owned(), shape, dtype: Dtype::F32, ..problem.clone() }
}

fn attend(dense: &Problem, inputs: [&[f32]; 3]) -> Part {
    let queries = dense.shape.index("h") * dense.shape.index("n");
    let mut part = Part { o: vec![0.0; inputs[0].len()], lse: vec![0.0; queries] };
    let outputs = [&mut part.o, &mut part.lse].map(|output| bytemuck::cast_slice_mut(output));
    flash_on_host(dense, &inputs.map(bytemuck::cast_slice), &mut { outputs });
    part
}

/// Some queries of a part.
struct Rows<'a> {
    o: &'a [f32],
    lse: &'a [f32],
}

impl Part {
    fn rows(&self, first: usize, count: usize, d: usize) -> Rows<'_> {
        Rows { o: &self.o[first * d..][..count * d], lse: &self.lse[first..][..count] }
    }
}

/// O of all keys from those of sets of them; fills LSE.
fn merge(d: usize, parts: &[Rows<'_>], lse: &mut [f32]) -> Vec<f32> {
    let mut merged = vec![0.0; lse.len() * d];
    for (row, (merged, lse)) in merged.chunks_exact_mut(d).zip(lse).enumerate() {
        let logarithms = || parts.iter().map(|part| part.lse[row]);
        let max = logarithms().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logarithms().map(|logarithm| (logarithm - max).exp()).sum();
        for part in parts {
            let weight = (part.lse[row] - max).exp() / sum;
            for (merged, o) in merged.iter_mut().zip(&part.o[row * d..]) {
                *merged += weight * o;
            }
        }
        *lse = max + sum.ln();
    }
    merged
}
