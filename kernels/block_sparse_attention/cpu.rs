//! Block-sparse attention on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::scale;
use super::schedule::{Block, blocks};
use crate::attention::{Attention, flash_on_host};
use crate::host::{Elements, narrow};
use rayon::prelude::*;
use std::ops::Range;
use tilemark_core::{Dtype, Family, Problem, Shape, Value};

/// A query at a time: the scores of the keys that it sees, their softmax, and the mean of the values.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let d = problem.shape.index("d");
    let [q, k, v] = [0, 1, 2].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let blocks = blocks(problem);
    let tokens = blocks.last().map_or(0, |block| block.rows.end);
    let mut o = vec![0.0f32; q.len()];
    let mut lse = vec![f32::NEG_INFINITY; q.len() / d];
    for (row, (lse, o)) in lse.iter_mut().zip(o.chunks_exact_mut(d)).enumerate() {
        let (head, i) = (row / tokens * tokens, row % tokens);
        let block = &blocks[blocks.partition_point(|block| block.rows.end <= i)];
        let seen = (head + block.keys.start) * d..(head + block.keys.end) * d;
        *lse = attend(&q[row * d..(row + 1) * d], &k[seen.clone()], &v[seen], o);
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
    block: &'a Block,
    o: &'a mut [u8],
    lse: &'a mut [f32],
}

/// Each block of queries by dense flash attention over the keys that it sees, all in parallel; other
/// keys are not touched.
pub fn dense_blocks(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let blocks = blocks(problem);
    let tokens = blocks.last().map_or(0, |block| block.rows.end);
    let line = problem.shape.index("d") * problem.dtype.size() as usize;
    let [o, lse] = outputs else { unreachable!("the family has O and LSE") };
    let heads = o
        .chunks_exact_mut(tokens * line)
        .zip(bytemuck::cast_slice_mut::<u8, f32>(lse).chunks_exact_mut(tokens));
    let mut tasks = Vec::new();
    for (head, (mut o, mut lse)) in heads.enumerate() {
        for block in &blocks {
            let (block_o, rest_o) = o.split_at_mut(block.rows.len() * line);
            let (block_lse, rest_lse) = lse.split_at_mut(block.rows.len());
            tasks.push(Task { head, block, o: block_o, lse: block_lse });
            (o, lse) = (rest_o, rest_lse);
        }
    }
    tasks.into_par_iter().for_each(|Task { head, block, o, lse }| {
        if block.keys.is_empty() {
            o.fill(0);
            lse.fill(f32::NEG_INFINITY);
            return;
        }
        let part = |tensor: usize, rows: &Range<usize>| {
            let first = head * tokens;
            &inputs[tensor][(first + rows.start) * line..(first + rows.end) * line]
        };
        let inputs = [part(0, &block.rows), part(1, &block.keys), part(2, &block.keys)];
        let outputs = &mut [o, bytemuck::cast_slice_mut(lse)];
        flash_on_host(&dense(problem, block), &inputs, outputs);
    });
}

/// One head of one block, as dense attention.
fn dense(problem: &Problem, block: &Block) -> Problem {
    let [n, nk] = [&block.rows, &block.keys].map(|range| range.len() as u64);
    let given = [("b", 1), ("h", 1), ("n", n), ("nk", nk), ("d", problem.shape.integer("d"))]
        .map(|(axis, size)| (axis.to_owned(), Value::Integer(size)));
    let about = Attention.about();
    let shape = Shape::complete(&given, about.axes).expect("blocks and heads are not empty");
    Problem { family: about.name.to_owned(), shape, ..problem.clone() }
}
