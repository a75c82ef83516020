//! The gradients on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::super::EPSILON;
use crate::host::{Elements, narrow};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use tilemark_core::{Dtype, Problem};

/// The inputs of a problem with or without a residual.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    r: Elements<'a>,
    dy: Elements<'a>,
    dr: Option<Elements<'a>>,
    w: Elements<'a>,
}

impl<'a> Inputs<'a> {
    fn of(dtype: Dtype, inputs: &[&'a [u8]]) -> Self {
        let elements = |bytes: &&'a [u8]| Elements::new(dtype, bytes);
        match inputs {
            [r, dy, w] => Inputs { r: elements(r), dy: elements(dy), dr: None, w: elements(w) },
            [r, dy, dr, w] => {
                Inputs { r: elements(r), dy: elements(dy), dr: Some(elements(dr)), w: elements(w) }
            }
            _ => unreachable!("the family has r, dy and w, and dr or not"),
        }
    }
}

/// The formula, a row at a time on one thread.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let (hidden, dtype) = (problem.shape.index("hidden"), problem.dtype);
    let Inputs { r, dy, dr, w } = Inputs::of(dtype, inputs);
    let [r, dy, w] = [r, dy, w].map(Elements::to_vec);
    let mut dx = dr.map_or_else(|| vec![0.0; r.len()], Elements::to_vec);
    let mut dw = vec![0.0; hidden];
    let rows = dx.chunks_exact_mut(hidden).zip(r.chunks_exact(hidden)).zip(dy.chunks_exact(hidden));
    for ((dx, r), dy) in rows {
        let squares: f32 = r.iter().map(|r| r * r).sum();
        let products: f32 = r.iter().zip(dy).zip(&w).map(|((r, dy), w)| dy * w * r).sum();
        let s = 1.0 / (squares / hidden as f32 + EPSILON as f32).sqrt();
        let pull = s * s * products / hidden as f32;
        for j in 0..hidden {
            dx[j] += s * (dy[j] * w[j] - r[j] * pull);
            dw[j] += dy[j] * r[j] * s;
        }
    }
    narrow(dtype, &dx, outputs[0]);
    narrow(dtype, &dw, outputs[1]);
}

/// Bytes of dx that a task fills at least: enough to outweigh its start and its own sums of dw.
const TASK_BYTES: usize = 256 << 10;

/// Tasks at most, so that adding up their sums of dw stays small beside the rows.
const MOST_TASKS: usize = 64;

/// A row at a time, in buffers that stay in the first caches, rows in parallel; each task sums dw
/// over its rows, and these sums are added in the tasks' order.
pub fn fused(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let (hidden, dtype) = (problem.shape.index("hidden"), problem.dtype);
    let [dx, dw] = outputs else { unreachable!("the family has dx and dw") };
    let inputs = Inputs::of(dtype, inputs);
    let w = inputs.w.to_vec();
    let line = hidden * dtype.size() as usize;
    let bytes = TASK_BYTES.max(dx.len() / MOST_TASKS).next_multiple_of(line);
    let arch = Arch::new();
    let parts: Vec<Vec<f32>> = dx
        .par_chunks_mut(bytes)
        .enumerate()
        .map(|(task, dx)| {
            let first = task * bytes / dtype.size() as usize;
            arch.dispatch(Rows { inputs, w: &w, first, dtype, dx })
        })
        .collect();
    let mut sums = vec![0.0; hidden];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    narrow(dtype, &sums, dw);
}

/// Some rows: their dx, and all of the inputs, of which theirs start at element `first`. Returns
/// their sums of dw.
struct Rows<'a, 'b> {
    inputs: Inputs<'a>,
    w: &'a [f32],
    first: usize,
    dtype: Dtype,
    dx: &'b mut [u8],
}

impl WithSimd for Rows<'_, '_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let Rows { inputs, w, first, dtype, dx } = self;
        let hidden = w.len();
        let line = hidden * dtype.size() as usize;
        let [mut r, mut dy, mut row, mut dw] = [(); 4].map(|_| vec![0.0f32; hidden]);
        for (idx, dx) in dx.chunks_exact_mut(line).enumerate() {
            let start = first + idx * hidden;
            inputs.r.widen(start, &mut r);
            inputs.dy.widen(start, &mut dy);
            match inputs.dr {
                Some(dr) => dr.widen(start, &mut row),
                None => row.fill(0.0),
            }
            let (squares, products) = sums(&r, &dy, w);
            let s = 1.0 / (squares / hidden as f32 + EPSILON as f32).sqrt();
            let pull = s * s * products / hidden as f32;
            for (((dx, r), dy), w) in row.iter_mut().zip(&r).zip(&dy).zip(w) {
                *dx += s * (dy * w - r * pull);
            }
            for ((dw, r), dy) in dw.iter_mut().zip(&r).zip(&dy) {
                *dw += dy * r * s;
            }
            narrow(dtype, &row, dx);
        }
        dw
    }
}

/// Σ r² and Σ dy·w·r, in independent lanes, so that a compiler may use vectors.
#[inline(always)]
fn sums(r: &[f32], dy: &[f32], w: &[f32]) -> (f32, f32) {
    const LANES: usize = 32;
    let (mut squares, mut products) = ([0.0; LANES], [0.0; LANES]);
    let chunks = r.chunks(LANES).zip(dy.chunks(LANES)).zip(w.chunks(LANES));
    for ((r, dy), w) in chunks {
        for (lane, ((r, dy), w)) in r.iter().zip(dy).zip(w).enumerate() {
            squares[lane] += r * r;
            products[lane] += dy * w * r;
        }
    }
    (squares.iter().sum(), products.iter().sum())
}
