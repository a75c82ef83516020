//! The truth of a normalised row.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{EPSILON, y_index};
use tilemark_core::family::{Arithmetic, Query};

/// Rows of y or, where there is a residual, of r.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let hidden = query.problem.shape.index("hidden");
    let has_residual = query.problem.shape.flag("residual");
    let y = y_index(query.problem);
    let mut values = Vec::with_capacity(query.rows.len() * hidden);
    for row in query.rows {
        let r = residual_sum(query, *row as usize * hidden, hidden, has_residual, arithmetic);
        if query.output != y {
            values.extend(r);
            continue;
        }
        let squares = r.iter().fold(0.0, |sum, r| arithmetic.fused(sum, *r, *r));
        let mean = arithmetic.accumulated(squares / hidden as f64);
        let root = arithmetic.accumulated(arithmetic.accumulated(mean + EPSILON).sqrt());
        let inverse = arithmetic.accumulated(1.0 / root);
        // The weights are the last input, and y the first output.
        let weight = &query.operands[y - 1];
        values.extend(r.iter().enumerate().map(|(j, r)| {
            let normalised = arithmetic.accumulated(r * inverse);
            arithmetic.accumulated(normalised * weight.at(j))
        }));
    }
    values
}

/// x, or x + residual as a kernel stores it, for the row that starts at `start`.
fn residual_sum(
    query: &Query<'_>,
    start: usize,
    hidden: usize,
    has_residual: bool,
    arithmetic: Arithmetic,
) -> Vec<f64> {
    let element = |index| {
        let x = query.operands[0].at(index);
        if !has_residual {
            return x;
        }
        let sum = arithmetic.accumulated(x + query.operands[1].at(index));
        arithmetic.stored(query.problem.dtype, sum)
    };
    (start..start + hidden).map(element).collect()
}
