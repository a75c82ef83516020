//! Attention on a host that never stores a row of scores.
//!
//! A task is a block of queries of one head. It takes the keys block by block and keeps, for each
//! query, the largest score so far, the sum of exponentials and the weighted sum of values relative
//! to it. (T. Dao et al., FlashAttention, 2022, Algorithm 1; M. Milakov and N. Gimelshein, Online
//! normalizer calculation for softmax, 2018.)
//! It must not know shapes that are measured or who measures them.

use super::{Sizes, output_dtype, scales};
use crate::host::exponential::exp_of_negative;
use crate::host::product::{DEPTH, Panels, multiply, panel_width};
use crate::host::{Elements, narrow};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;
use tilemark_core::Problem;

/// Queries of a task: eight strips of a product. Their scores against a block of keys take 96 KiB.
const QUERIES: usize = 96;

/// Keys of a block: its weights are the rows of a product that are [`DEPTH`] apart.
const KEYS: usize = DEPTH;

/// Packs K and V once as f32, then works through all blocks of queries in parallel.
pub fn flash(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let ([q, k, v, ..], [o, lse]) = (inputs, outputs) else {
        unreachable!("the family has Q, K, V, O and LSE")
    };
    let [q, k, v] = [q, k, v].map(|bytes| Elements::new(problem.dtype, bytes));
    let [score_scale, value_scale] = scales(problem, inputs);
    let scale = sizes.scale() as f32 * score_scale;
    let starts = (0..sizes.nk).step_by(KEYS);
    let key_rows = k.len() / sizes.d;
    let packs: Vec<Pack> = (0..key_rows)
        .step_by(sizes.nk)
        .flat_map(|first| starts.clone().map(move |start| (first, start)))
        .map(|(first, start)| {
            let rows = first + start..first + (start + KEYS).min(sizes.nk);
            Pack { k, v, d: sizes.d, rows, first_key: start }
        })
        .collect();
    let arch = Arch::new();
    let blocks: Vec<KeyBlock> = packs.into_par_iter().map(|pack| arch.dispatch(pack)).collect();

    let dtype = output_dtype(problem.dtype);
    let line = sizes.d * dtype.size() as usize;
    let heads = o
        .par_chunks_exact_mut(sizes.n * line)
        .zip(bytemuck::cast_slice_mut::<u8, f32>(lse).par_chunks_exact_mut(sizes.n));
    heads.enumerate().for_each(|(head, (o, lse))| {
        let blocks_a_head = starts.len();
        let blocks = &blocks[sizes.key_head(head) * blocks_a_head..][..blocks_a_head];
        let tasks = o.par_chunks_mut(QUERIES * line).zip(lse.par_chunks_mut(QUERIES));
        tasks.enumerate().for_each(|(block, (o, lse))| {
            let query = block * QUERIES;
            let queries = query..query + lse.len();
            let task = Task { sizes, scale, value_scale, q, head, queries, blocks, lse };
            narrow(dtype, &arch.dispatch(task), o);
        });
    });
}

/// A block of keys and values of one head, packed.
struct KeyBlock {
    /// Its keys, counted within the head.
    keys: Range<usize>,
    /// Kᵀ (D, keys), a block for each part of the depth D.
    k: Vec<Panels>,
    /// V (keys, D).
    v: Panels,
}

struct Pack<'a> {
    k: Elements<'a>,
    v: Elements<'a>,
    d: usize,
    /// Rows of K and V.
    rows: Range<usize>,
    first_key: usize,
}

impl WithSimd for Pack<'_> {
    type Output = KeyBlock;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> KeyBlock {
        let Pack { k, v, d, rows, first_key } = self;
        let parts = (0..d).step_by(DEPTH).map(|start| {
            let mut panels = Panels::new();
            panels.pack_transposed::<S>(k, start..(start + DEPTH).min(d), rows.clone(), d);
            panels
        });
        let mut values = Panels::new();
        values.pack::<S>(v, rows.clone(), 0..d, d);
        KeyBlock { keys: first_key..first_key + rows.len(), k: parts.collect(), v: values }
    }
}

/// Some queries of one head against the keys that they see.
struct Task<'a> {
    sizes: Sizes,
    /// The factor on Q·Kᵀ.
    scale: f32,
    /// The factor on V.
    value_scale: f32,
    q: Elements<'a>,
    head: usize,
    queries: Range<usize>,
    blocks: &'a [KeyBlock],
    lse: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = Vec<f32>;

    /// Fills LSE and returns O (queries, D).
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Task { sizes, queries, blocks, .. } = &self;
        let (d, rows) = (sizes.d, queries.len());
        let q = self.scaled_queries();
        let stride = d.next_multiple_of(panel_width::<S>());
        let mut o = vec![0.0; rows * stride];
        let mut scores = vec![0.0; rows * KEYS];
        let mut seen = vec![Seen { max: f32::NEG_INFINITY, sum: 0.0 }; rows];
        let last_visible = sizes.visible(queries.end - 1);
        for block in blocks.iter().filter(|block| block.keys.start < last_visible) {
            scores.fill(0.0);
            for (q, k) in q.iter().zip(&block.k) {
                multiply(simd, q, rows, k, &mut scores, KEYS);
            }
            for (row, seen) in seen.iter_mut().enumerate() {
                let visible = sizes.visible(queries.start + row).saturating_sub(block.keys.start);
                let scores = &mut scores[row * KEYS..][..block.keys.len()];
                let correction = seen.add(scores, visible.min(block.keys.len()));
                if correction != 1.0 {
                    o[row * stride..][..d].iter_mut().for_each(|o| *o *= correction);
                }
            }
            multiply(simd, &scores, rows, &block.v, &mut o, stride);
        }
        finish(&o, stride, d, &seen, self.value_scale, self.lse)
    }
}

impl Task<'_> {
    /// Q times the scale, a block of (queries, [`DEPTH`]) for each part of the depth D.
    #[inline(always)]
    fn scaled_queries(&self) -> Vec<Vec<f32>> {
        let d = self.sizes.d;
        let first = self.head * self.sizes.n + self.queries.start;
        let scale = self.scale;
        let part = |start: usize| {
            let mut part = vec![0.0; self.queries.len() * DEPTH];
            for (row, line) in part.chunks_exact_mut(DEPTH).enumerate() {
                let line = &mut line[..DEPTH.min(d - start)];
                self.q.widen((first + row) * d + start, line);
                line.iter_mut().for_each(|q| *q *= scale);
            }
            part
        };
        (0..d).step_by(DEPTH).map(part).collect()
    }
}

/// What a query knows of the scores that it has seen.
#[derive(Clone, Copy)]
struct Seen {
    max: f32,
    /// Of the exponentials relative to `max`.
    sum: f32,
}

impl Seen {
    /// Turns a block's scores, of which the query sees the first `visible`, into weights relative to
    /// the new largest score; returns the factor by which older weights are now too large.
    #[inline(always)]
    fn add(&mut self, scores: &mut [f32], visible: usize) -> f32 {
        let (scores, hidden) = scores.split_at_mut(visible);
        hidden.fill(0.0);
        let max = largest(scores, self.max);
        if max == f32::NEG_INFINITY {
            scores.fill(0.0);
            return 1.0;
        }
        let correction = exp_of_negative(self.max - max);
        self.sum = self.sum * correction + exponentials(scores, max);
        self.max = max;
        correction
    }
}

/// Independent partial results, so that a compiler may use vectors of any width up to this.
const LANES: usize = 16;

#[inline(always)]
fn largest(scores: &[f32], least: f32) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [least; LANES];
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *score);
        }
    }
    lanes.iter().chain(rest).fold(least, |max, score| larger(max, *score))
}

/// Replaces scores by their exponentials relative to `max`, and returns the sum of these.
#[inline(always)]
fn exponentials(scores: &mut [f32], max: f32) -> f32 {
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *score = exp_of_negative(*score - max);
            *lane += *score;
        }
    }
    for (lane, score) in lanes.iter_mut().zip(rest) {
        *score = exp_of_negative(*score - max);
        *lane += *score;
    }
    lanes.iter().sum()
}

/// Divides by the sums and scales, drops what fills up the rows, and stores LSE: −∞ where nothing was seen.
#[inline(always)]
fn finish(
    o: &[f32],
    stride: usize,
    d: usize,
    seen: &[Seen],
    value_scale: f32,
    lse: &mut [f32],
) -> Vec<f32> {
    let mut result = Vec::with_capacity(seen.len() * d);
    for ((row, seen), lse) in o.chunks_exact(stride).zip(seen).zip(lse) {
        let inverse = if seen.sum == 0.0 { 0.0 } else { value_scale / seen.sum };
        result.extend(row[..d].iter().map(|o| o * inverse));
        *lse = seen.max + seen.sum.ln();
    }
    result
}
