//! Attention's backward pass on a host that never stores a row of weights.
//!
//! A task is a block of keys of one head. It takes the queries block by block, computes their weights
//! again from LSE, and keeps the sums of dK and dV; what it finds for dQ it adds to sums that tasks
//! share, in the order in which they come, so that dQ's last bits may differ from run to run.
//! (T. Dao, FlashAttention-2, 2023, Algorithm 2.)
//! It must not know shapes that are measured or who measures them.

use super::super::Sizes;
use crate::host::exponential::exp;
use crate::host::product::{DEPTH, Panels, multiply, panel_width};
use crate::host::{Elements, narrow};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Mutex;
use tilemark_core::Problem;

/// Keys of a task: eight strips of a product.
const KEYS: usize = 96;

/// Queries of a block: its weights against a task's keys, with their gradients, both ways round, take
/// 320 KiB with the gaps that rows [`DEPTH`] apart leave.
const QUERIES: usize = 128;

/// Packs Q and dO once as f32, then works through all blocks of keys in parallel.
pub fn flash(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let ([q, k, v, o, d_o, lse], [d_q, d_k, d_v]) = (inputs, outputs) else {
        unreachable!("the family has Q, K, V, O, dO, LSE, and the gradients of the first three")
    };
    let [q, k, v, o, d_o] = [q, k, v, o, d_o].map(|bytes| Elements::new(problem.dtype, bytes));
    let lse: &[f32] = bytemuck::cast_slice(lse);
    let arch = Arch::new();
    let packs: Vec<Pack> = (0..lse.len())
        .step_by(sizes.n)
        .flat_map(|first| (0..sizes.n).step_by(QUERIES).map(move |start| (first, start)))
        .map(|(first, start)| {
            let queries = start..(start + QUERIES).min(sizes.n);
            Pack { q, o, d_o, lse, d: sizes.d, first, queries }
        })
        .collect();
    let blocks: Vec<QueryBlock> = packs.into_par_iter().map(|pack| arch.dispatch(pack)).collect();

    let line = sizes.d * problem.dtype.size() as usize;
    let heads = d_k.par_chunks_mut(sizes.nk * line).zip(d_v.par_chunks_mut(sizes.nk * line));
    heads.enumerate().for_each(|(head, (d_k, d_v))| {
        let tasks = d_k.par_chunks_mut(KEYS * line).zip(d_v.par_chunks_mut(KEYS * line));
        tasks.enumerate().for_each(|(block, (d_k, d_v))| {
            let first = block * KEYS;
            let keys = first..first + d_k.len() / line;
            let gradients = arch.dispatch(Task { sizes, k, v, head, keys, blocks: &blocks });
            narrow(problem.dtype, &gradients.k, d_k);
            narrow(problem.dtype, &gradients.v, d_v);
        });
    });
    let rows = d_q.par_chunks_mut(sizes.n * line).zip(blocks.par_chunks(blocks_a_head(sizes)));
    rows.for_each(|(d_q, blocks)| {
        for (d_q, block) in d_q.chunks_mut(QUERIES * line).zip(blocks) {
            let sums = block.d_q.lock().expect("no task panics with the sums in hand");
            narrow(problem.dtype, &without_padding(&sums, sizes.d, block.queries.len()), d_q);
        }
    });
}

fn blocks_a_head(sizes: Sizes) -> usize {
    sizes.n.div_ceil(QUERIES)
}

/// A block of queries of one head, packed.
struct QueryBlock {
    /// Its queries, counted within the head.
    queries: Range<usize>,
    /// Qᵀ and dOᵀ (D, queries), a block for each part of the depth D.
    q_transposed: Vec<Panels>,
    d_o_transposed: Vec<Panels>,
    /// Q and dO (queries, D).
    q: Panels,
    d_o: Panels,
    lse: Vec<f32>,
    /// Σ dO∘O.
    delta: Vec<f32>,
    /// The sums of dQ (queries, D), rows filled up to whole panels.
    d_q: Mutex<Vec<f32>>,
}

struct Pack<'a> {
    q: Elements<'a>,
    o: Elements<'a>,
    d_o: Elements<'a>,
    lse: &'a [f32],
    d: usize,
    /// The head's first row.
    first: usize,
    queries: Range<usize>,
}

impl WithSimd for Pack<'_> {
    type Output = QueryBlock;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> QueryBlock {
        let Pack { q, o, d_o, lse, d, first, queries } = self;
        let rows = first + queries.start..first + queries.end;
        let transposed = |matrix| {
            let part = |start: usize| {
                let mut panels = Panels::new();
                panels.pack_transposed::<S>(matrix, start..(start + DEPTH).min(d), rows.clone(), d);
                panels
            };
            (0..d).step_by(DEPTH).map(part).collect()
        };
        let straight = |matrix| {
            let mut panels = Panels::new();
            panels.pack::<S>(matrix, rows.clone(), 0..d, d);
            panels
        };
        QueryBlock {
            q_transposed: transposed(q),
            d_o_transposed: transposed(d_o),
            q: straight(q),
            d_o: straight(d_o),
            lse: lse[rows.clone()].to_vec(),
            delta: row_products(d_o, o, rows.clone(), d),
            d_q: Mutex::new(vec![0.0; queries.len() * padded::<S>(d)]),
            queries,
        }
    }
}

/// Columns of sums that are added to by whole panels.
fn padded<S: Simd>(columns: usize) -> usize {
    columns.next_multiple_of(panel_width::<S>())
}

/// Σ a∘b of each row.
#[inline(always)]
fn row_products(a: Elements<'_>, b: Elements<'_>, rows: Range<usize>, d: usize) -> Vec<f32> {
    let mut lines = [vec![0.0; d], vec![0.0; d]];
    let product = |row| {
        for (line, matrix) in lines.iter_mut().zip([a, b]) {
            matrix.widen(row * d, line);
        }
        lines[0].iter().zip(&lines[1]).map(|(a, b)| a * b).sum()
    };
    rows.map(product).collect()
}

/// Some keys of one head against the queries that see them.
struct Task<'a> {
    sizes: Sizes,
    k: Elements<'a>,
    v: Elements<'a>,
    head: usize,
    /// Its keys, counted within the head.
    keys: Range<usize>,
    /// Of all heads.
    blocks: &'a [QueryBlock],
}

/// What a task returns: dK and dV (keys, D).
struct KeyGradients {
    k: Vec<f32>,
    v: Vec<f32>,
}

impl WithSimd for Task<'_> {
    type Output = KeyGradients;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> KeyGradients {
        let (sizes, rows) = (self.sizes, self.keys.len());
        let stride = padded::<S>(sizes.d);
        let (k_rows, v_rows) = (self.rows(self.k), self.rows(self.v));
        let first = self.head * sizes.nk;
        let mut k_panels = Panels::new();
        let key_rows = first + self.keys.start..first + self.keys.end;
        k_panels.pack::<S>(self.k, key_rows, 0..sizes.d, sizes.d);

        let [mut d_k, mut d_v] = [0; 2].map(|_| vec![0.0; rows * stride]);
        let [mut weights, mut gradients] = [0; 2].map(|_| vec![0.0; rows * DEPTH]);
        let mut transposed = vec![0.0; QUERIES * DEPTH];
        for block in self.seeing_blocks() {
            weights.fill(0.0);
            gradients.fill(0.0);
            for (rows_of, panels, product) in [
                (&k_rows, &block.q_transposed, &mut weights),
                (&v_rows, &block.d_o_transposed, &mut gradients),
            ] {
                for (part, panels) in rows_of.iter().zip(panels) {
                    multiply(simd, part, rows, panels, product, DEPTH);
                }
            }
            self.weigh(block, &mut weights, &mut gradients);
            multiply(simd, &weights, rows, &block.d_o, &mut d_v, stride);
            multiply(simd, &gradients, rows, &block.q, &mut d_k, stride);
            transpose(&gradients, rows, block.queries.len(), &mut transposed);
            let mut d_q = block.d_q.lock().expect("no task panics with the sums in hand");
            multiply(simd, &transposed, block.queries.len(), &k_panels, &mut d_q, stride);
        }
        let [k, v] = [d_k, d_v].map(|sums| without_padding(&sums, sizes.d, rows));
        KeyGradients { k, v }
    }
}

impl Task<'_> {
    /// The blocks of queries, of all heads that read these keys, of which some query sees one.
    fn seeing_blocks(&self) -> impl Iterator<Item = &QueryBlock> {
        let first_query = self.sizes.first_query(self.keys.start);
        let a_head = blocks_a_head(self.sizes);
        let heads = self.sizes.query_heads(self.head);
        self.blocks[heads.start * a_head..heads.end * a_head]
            .iter()
            .filter(move |block| block.queries.end > first_query)
    }

    /// Rows of K or V, a block of (keys, [`DEPTH`]) for each part of the depth D.
    #[inline(always)]
    fn rows(&self, matrix: Elements<'_>) -> Vec<Vec<f32>> {
        let Sizes { nk, d, .. } = self.sizes;
        let part = |start: usize| {
            let mut part = vec![0.0; self.keys.len() * DEPTH];
            for (key, line) in self.keys.clone().zip(part.chunks_exact_mut(DEPTH)) {
                let at = (self.head * nk + key) * d + start;
                matrix.widen(at, &mut line[..DEPTH.min(d - start)]);
            }
            part
        };
        (0..d).step_by(DEPTH).map(part).collect()
    }

    /// Turns K·Qᵀ into Pᵀ and V·dOᵀ into dSᵀ/√d, both (keys, queries).
    #[inline(always)]
    fn weigh(&self, block: &QueryBlock, weights: &mut [f32], gradients: &mut [f32]) {
        let scale = self.sizes.scale() as f32;
        let rows = weights.chunks_exact_mut(DEPTH).zip(gradients.chunks_exact_mut(DEPTH));
        for (key, (weights, gradients)) in self.keys.clone().zip(rows) {
            let seen_from = self.sizes.first_query(key).saturating_sub(block.queries.start);
            let queries = block.lse.iter().zip(&block.delta);
            let pairs = weights.iter_mut().zip(gradients.iter_mut());
            for ((weight, gradient), (lse, delta)) in pairs.zip(queries) {
                *weight = exp(*weight * scale - lse);
                *gradient = *weight * (*gradient - delta) * scale;
            }
            let hidden = seen_from.min(block.queries.len());
            weights[..hidden].fill(0.0);
            gradients[..hidden].fill(0.0);
        }
    }
}

/// The transpose of a matrix (rows, columns), both with rows [`DEPTH`] apart.
#[inline(always)]
fn transpose(matrix: &[f32], rows: usize, columns: usize, into: &mut [f32]) {
    for (column, line) in into.chunks_exact_mut(DEPTH).take(columns).enumerate() {
        for (element, row) in line[..rows].iter_mut().zip(matrix.chunks_exact(DEPTH)) {
            *element = row[column];
        }
    }
}

/// The first `d` of each row's elements.
fn without_padding(sums: &[f32], d: usize, rows: usize) -> Vec<f32> {
    sums.chunks_exact(sums.len() / rows).flat_map(|row| &row[..d]).copied().collect()
}
