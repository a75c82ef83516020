//! Root-mean-square normalisation on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::EPSILON;
use crate::host::{Elements, narrow};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use tilemark_core::{Dtype, Problem};

/// The inputs, and the outputs to fill, of a problem with or without a residual.
struct Tensors<'a, 'b> {
    x: &'a [u8],
    residual: Option<&'a [u8]>,
    w: &'a [u8],
    y: &'b mut [u8],
    r: Option<&'b mut [u8]>,
}

fn tensors<'a, 'b>(inputs: &[&'a [u8]], outputs: &'b mut [&mut [u8]]) -> Tensors<'a, 'b> {
    match (inputs, outputs) {
        ([x, residual, w], [y, r]) => Tensors { x, residual: Some(residual), w, y, r: Some(r) },
        ([x, w], [y]) => Tensors { x, residual: None, w, y, r: None },
        _ => unreachable!("the family has a residual both as input and as output, or neither"),
    }
}

/// Whole tensors in f32, a pass for each step of the formula.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let (hidden, dtype) = (problem.shape.index("hidden"), problem.dtype);
    let Tensors { x, residual, w, y, r } = tensors(inputs, outputs);
    let w = Elements::new(dtype, w).to_vec();
    let mut values = Elements::new(dtype, x).to_vec();
    if let (Some(residual), Some(r)) = (residual, r) {
        for (value, other) in values.iter_mut().zip(Elements::new(dtype, residual).to_vec()) {
            *value = dtype.round(*value + other);
        }
        narrow(dtype, &values, r);
    }
    for row in values.chunks_exact_mut(hidden) {
        let squares: f32 = row.iter().map(|r| r * r).sum();
        let inverse = 1.0 / (squares / hidden as f32 + EPSILON as f32).sqrt();
        for (value, weight) in row.iter_mut().zip(&w) {
            *value *= inverse * weight;
        }
    }
    narrow(dtype, &values, y);
}

/// Bytes of y that a task fills: enough to outweigh its start, few enough for all cores to share.
const TASK_BYTES: usize = 64 << 10;

/// A row at a time, in a buffer that stays in the first caches, rows in parallel.
pub fn fused(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let (hidden, dtype) = (problem.shape.index("hidden"), problem.dtype);
    let Tensors { x, residual, w, y, r } = tensors(inputs, outputs);
    let elements = |bytes| Elements::new(dtype, bytes);
    let w = elements(w).to_vec();
    let line = hidden * dtype.size() as usize;
    let bytes = TASK_BYTES.next_multiple_of(line);
    let arch = Arch::new();
    let rows = |task: usize, y, r| {
        let first = task * bytes / dtype.size() as usize;
        let (x, residual) = (elements(x), residual.map(elements));
        arch.dispatch(Rows { x, residual, w: &w, first, dtype, y, r });
    };
    match r {
        Some(r) => y
            .par_chunks_mut(bytes)
            .zip(r.par_chunks_mut(bytes))
            .enumerate()
            .for_each(|(task, (y, r))| rows(task, y, Some(r))),
        None => y.par_chunks_mut(bytes).enumerate().for_each(|(task, y)| rows(task, y, None)),
    }
}

/// Some rows: their outputs, and all of the inputs, of which theirs start at element `first`.
struct Rows<'a, 'b> {
    x: Elements<'a>,
    residual: Option<Elements<'a>>,
    w: &'a [f32],
    first: usize,
    dtype: Dtype,
    y: &'b mut [u8],
    r: Option<&'b mut [u8]>,
}

impl WithSimd for Rows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let hidden = self.w.len();
        let line = hidden * self.dtype.size() as usize;
        let [mut row, mut other] = [vec![0.0; hidden], vec![0.0; hidden]];
        for (idx, y) in self.y.chunks_exact_mut(line).enumerate() {
            let start = self.first + idx * hidden;
            self.x.widen(start, &mut row);
            if let (Some(residual), Some(r)) = (self.residual, &mut self.r) {
                residual.widen(start, &mut other);
                row.iter_mut().zip(&other).for_each(|(x, residual)| *x += residual);
                let r = &mut r[idx * line..][..line];
                narrow(self.dtype, &row, r);
                Elements::new(self.dtype, r).widen(0, &mut row);
            }
            let inverse = 1.0 / (sum_of_squares(&row) / hidden as f32 + EPSILON as f32).sqrt();
            row.iter_mut().zip(self.w).for_each(|(r, w)| *r *= inverse * w);
            narrow(self.dtype, &row, y);
        }
    }
}

/// In independent lanes, so that a compiler may use vectors.
#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f32 {
    let mut lanes = [0.0; 32];
    let (chunks, rest) = row.as_chunks::<32>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, r)| *lane += r * r);
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, r)| *lane += r * r);
    lanes.iter().sum()
}
