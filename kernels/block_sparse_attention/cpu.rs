//! Block-sparse attention on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::scale;
use super::schedule::{Sight, sights};
use crate::attention::{Attention, flash_on_host};
use crate::host::{Elements, narrow};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use tilemark_core::{Dtype, Family, Problem, Shape, Value};

/// A query at a time: the scores of the keys that it sees, their softmax, and the mean of the values.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let d = problem.shape.index("d");
    let [q, k, v] = [0, 1, 2].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let sights = sights(problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let mut o = vec![0.0f32; q.len()];
    let mut lse = vec![f32::NEG_INFINITY; q.len() / d];
    for (row, (lse, o)) in lse.iter_mut().zip(o.chunks_exact_mut(d)).enumerate() {
        let (head, i) = (row / tokens * tokens, row % tokens);
        let sight = &sights[sights.partition_point(|sight| sight.rows.end <= i)];
        let [keys, values] = [&k, &v].map(|x| {
            gathered(&sight.keys, |keys| &x[(head + keys.start) * d..(head + keys.end) * d])
        });
        *lse = attend(&q[row * d..(row + 1) * d], &keys, &values, o);
    }
    narrow(problem.dtype, &o, outputs[0]);
    narrow(Dtype::F32, &lse, outputs[1]);
}

/// One query's O, and its LSE.
fn attend(q: &[f32], keys: &[f32], values: &[f32], o: &mut [f32]) -> f32 {
    let dot = |key: &[f32]| q.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
    let scale = scale(q.len()) as f32;
    let scores: Vec<f32> = keys.chunks_exact(q.len()).map(|key| dot(key) * scale).collect();
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    for (p, value) in exponentials.iter().zip(values.chunks_exact(q.len())) {
        for (o, v) in o.iter_mut().zip(value) {
            *o += p / sum * v;
        }
    }
    max + sum.ln()
}

/// A block of queries of one head: a dense attention of its own.
struct Task<'a> {
    head: usize,
    sight: &'a Sight,
    o: &'a mut [u8],
    lse: &'a mut [f32],
}

/// Each block of queries by dense flash attention over the keys that it sees, all in parallel; other
/// keys are not touched.
pub fn dense_blocks(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sights = sights(problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let line = problem.shape.index("d") * problem.dtype.size() as usize;
    let [o, lse] = outputs else { unreachable!("the family has O and LSE") };
    let heads = o
        .chunks_exact_mut(tokens * line)
        .zip(bytemuck::cast_slice_mut::<u8, f32>(lse).chunks_exact_mut(tokens));
    let mut tasks = Vec::new();
    for (head, (mut o, mut lse)) in heads.enumerate() {
        for sight in &sights {
            let (block_o, rest_o) = o.split_at_mut(sight.rows.len() * line);
            let (block_lse, rest_lse) = lse.split_at_mut(sight.rows.len());
            tasks.push(Task { head, sight, o: block_o, lse: block_lse });
            (o, lse) = (rest_o, rest_lse);
        }
    }
    tasks.into_par_iter().for_each(|Task { head, sight, o, lse }| {
        if sight.keys.is_empty() {
            o.fill(0);
            lse.fill(f32::NEG_INFINITY);
            return;
        }
        let rows = |tensor: usize, rows: &Range<usize>| {
            let first = head * tokens;
            &inputs[tensor][(first + rows.start) * line..(first + rows.end) * line]
        };
        let [k, v] = [1, 2].map(|tensor| gathered(&sight.keys, |keys| rows(tensor, keys)));
        let outputs = &mut [o, bytemuck::cast_slice_mut(lse)];
        flash_on_host(&dense(problem, sight), &[rows(0, &sight.rows), &k, &v], outputs);
    });
}

/// What stands in ranges, side by side; it is copied only where there are several.
pub fn gathered<'a, T: Clone>(
    ranges: &[Range<usize>],
    part: impl Fn(&Range<usize>) -> &'a [T],
) -> Cow<'a, [T]> {
    match ranges {
        [one] => Cow::Borrowed(part(one)),
        _ => Cow::Owned(ranges.iter().flat_map(|range| part(range).iter().cloned()).collect()),
    }
}

/// One head of one block, as dense attention.
fn dense(problem: &Problem, sight: &Sight) -> Problem {
    let [n, nk] = [sight.rows.len(), sight.seen()].map(|count| count as u64);
    let given = [("b", 1), ("h", 1), ("n", n), ("nk", nk), ("d", problem.shape.integer("d"))]
        .map(|(axis, size)| (axis.to_owned(), Value::Integer(size)));
    let about = Attention.about();
    let shape = Shape::complete(&given, about.axes).expect("blocks and heads are not empty");
    Problem { family: about.name.to_owned(), shape, ..problem.clone() }
}
