//! The truth of attention, query by query.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{LSE, Sizes};
use tilemark_core::family::{Arithmetic, Query};

/// Rows of O, or elements of LSE; both are counted by query: (b·H + h)·N + i.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let mut values = Vec::new();
    for row in query.rows {
        let row = *row as usize;
        let softmax = softmax(query, sizes, row, arithmetic);
        if query.output == LSE {
            // With no key, this is −∞ + ln 0 = −∞.
            values.push(arithmetic.accumulated(softmax.max + softmax.sum.ln()));
        } else {
            values.extend(weighted_values(query, sizes, row, &softmax, arithmetic));
        }
    }
    values
}

/// A row's softmax before its division: exp(score − max) for each key that the query sees.
struct Softmax {
    max: f64,
    exponentials: Vec<f64>,
    sum: f64,
}

fn softmax(query: &Query<'_>, sizes: Sizes, row: usize, arithmetic: Arithmetic) -> Softmax {
    let [q, k] = [&query.operands[0], &query.operands[1]];
    let key_head = sizes.key_head(row / sizes.n);
    let score = |j| {
        let key = (key_head * sizes.nk + j) * sizes.d;
        let dot = (0..sizes.d)
            .fold(0.0, |sum, c| arithmetic.fused(sum, q.at(row * sizes.d + c), k.at(key + c)));
        arithmetic.accumulated(dot * sizes.scale())
    };
    let scores: Vec<f64> = (0..sizes.visible(row % sizes.n)).map(score).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores
        .iter()
        .map(|score| arithmetic.accumulated(arithmetic.accumulated(score - max).exp()))
        .collect();
    let sum = exponentials.iter().fold(0.0, |sum, p| arithmetic.accumulated(sum + p));
    Softmax { max, exponentials, sum }
}

/// Σ_j P[j]·V[j]: a kernel rounds the exponentials to the operands' type for its second product,
/// and divides by their sum, which it kept in f32, at the end.
fn weighted_values(
    query: &Query<'_>,
    sizes: Sizes,
    row: usize,
    softmax: &Softmax,
    arithmetic: Arithmetic,
) -> Vec<f64> {
    let v = &query.operands[2];
    let first = sizes.key_head(row / sizes.n) * sizes.nk;
    let mut sums = vec![0.0; sizes.d];
    for (j, exponential) in softmax.exponentials.iter().enumerate() {
        let p = arithmetic.stored(query.problem.dtype, *exponential);
        for (c, sum) in sums.iter_mut().enumerate() {
            *sum = arithmetic.fused(*sum, p, v.at((first + j) * sizes.d + c));
        }
    }
    if softmax.exponentials.is_empty() {
        return sums;
    }
    sums.iter().map(|sum| arithmetic.accumulated(sum / softmax.sum)).collect()
}
