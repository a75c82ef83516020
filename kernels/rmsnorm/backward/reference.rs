//! The truth of the gradients.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::super::EPSILON;
use super::{DY, Places, R};
use rayon::prelude::*;
use tilemark_core::family::{Arithmetic, Operand, Query};

/// Rows of dx, or all of dw, which is one row.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let places = Places::of(query.problem);
    if query.output == places.dx {
        let row = |row: &u64| input_gradient(query, *row as usize, places, arithmetic);
        query.rows.iter().flat_map(row).collect()
    } else {
        query.rows.iter().flat_map(|_| weight_gradient(query, arithmetic)).collect()
    }
}

/// s of a row: rsqrt(mean(r²) + ε).
fn inverse_root(r: &Operand, start: usize, hidden: usize, arithmetic: Arithmetic) -> f64 {
    let squares = (start..start + hidden)
        .fold(0.0, |sum, index| arithmetic.fused(sum, r.at(index), r.at(index)));
    let mean = arithmetic.accumulated(squares / hidden as f64);
    let root = arithmetic.accumulated(arithmetic.accumulated(mean + EPSILON).sqrt());
    arithmetic.accumulated(1.0 / root)
}

/// A row of dx.
fn input_gradient(
    query: &Query<'_>,
    row: usize,
    places: Places,
    arithmetic: Arithmetic,
) -> Vec<f64> {
    let hidden = query.problem.shape.index("hidden");
    let start = row * hidden;
    let [r, dy, w] = [R, DY, places.w].map(|place| &query.operands[place]);
    let round = |value| arithmetic.accumulated(value);
    let g = |j| round(dy.at(start + j) * w.at(j));

    let s = inverse_root(r, start, hidden, arithmetic);
    let products = (0..hidden).fold(0.0, |sum, j| arithmetic.fused(sum, g(j), r.at(start + j)));
    let pull = round(round(s * s) * round(products / hidden as f64));
    let element = |j| {
        let past = places.dr.map_or(0.0, |dr| query.operands[dr].at(start + j));
        let difference = arithmetic.fused(g(j), -pull, r.at(start + j));
        arithmetic.fused(past, s, difference)
    };
    (0..hidden).map(element).collect()
}

/// Columns that a task sums.
const COLUMNS: usize = 64;

/// dw: for each column the sum over the rows, in their order.
fn weight_gradient(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let [rows, hidden] = ["rows", "hidden"].map(|axis| query.problem.shape.index(axis));
    let [r, dy] = [R, DY].map(|place| &query.operands[place]);
    let s: Vec<f64> = (0..rows)
        .into_par_iter()
        .map(|row| inverse_root(r, row * hidden, hidden, arithmetic))
        .collect();
    let mut sums = vec![0.0; hidden];
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(task, sums)| {
        for (row, s) in s.iter().enumerate() {
            let start = row * hidden + task * COLUMNS;
            for (j, sum) in sums.iter_mut().enumerate() {
                let normalised = arithmetic.accumulated(r.at(start + j) * s);
                *sum = arithmetic.fused(*sum, dy.at(start + j), normalised);
            }
        }
    });
    sums
}
