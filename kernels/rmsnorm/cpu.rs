//! Root-mean-square normalisation on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::EPSILON;
use crate::host::{Elements, narrow};
use tilemark_core::Problem;

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
