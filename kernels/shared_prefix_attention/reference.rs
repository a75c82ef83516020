//! The truth of attention over a shared prefix, query by query, as if each sequence had its own copy.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{LSE, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use tilemark_core::family::{Arithmetic, Query};

/// Rows of O, or elements of LSE; both are counted by query: b·H + h.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let mut found = vec![Vec::new(); query.rows.len()];
    // Queries of one key head meet the same prefix, which is drawn once for all of them.
    for head in 0..sizes.hk {
        let asked = |row: &u64| *row as usize % sizes.h / sizes.group() == head;
        if !query.rows.iter().any(asked) {
            continue;
        }
        let prefix = [PREFIX_K, PREFIX_V].map(|tensor| draw(query, tensor, head, sizes.p, sizes));
        for (row, found) in query.rows.iter().zip(&mut found).filter(|(row, _)| asked(row)) {
            *found = meet(query, arithmetic, *row as usize, head, &prefix);
        }
    }
    found.concat()
}

/// The first `keys` rows of a head of keys or values.
fn draw(query: &Query<'_>, tensor: usize, head: usize, keys: usize, sizes: Sizes) -> Vec<f64> {
    let stride = if matches!(tensor, PREFIX_K | PREFIX_V) { sizes.p } else { sizes.u } * sizes.d;
    let elements = head * stride..head * stride + keys * sizes.d;
    elements.map(|at| query.operands[tensor].at(at)).collect()
}

/// The row of O, or the element of LSE, of one query.
fn meet(
    query: &Query<'_>,
    arithmetic: Arithmetic,
    row: usize,
    head: usize,
    prefix: &[Vec<f64>; 2],
) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let sequence = row / sizes.h;
    let own = [OWN_K, OWN_V]
        .map(|tensor| draw(query, tensor, sequence * sizes.hk + head, sizes.own(sequence), sizes));
    let q: Vec<f64> =
        (row * sizes.d..(row + 1) * sizes.d).map(|at| query.operands[Q].at(at)).collect();
    let score = |key: &[f64]| {
        let dot = q.iter().zip(key).fold(0.0, |sum, (q, k)| arithmetic.fused(sum, *q, *k));
        arithmetic.accumulated(dot * sizes.scale())
    };
    let keys = prefix[0].chunks_exact(sizes.d).chain(own[0].chunks_exact(sizes.d));
    let scores: Vec<f64> = keys.map(score).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores
        .iter()
        .map(|score| arithmetic.accumulated(arithmetic.accumulated(score - max).exp()))
        .collect();
    let sum = exponentials.iter().fold(0.0, |sum, p| arithmetic.accumulated(sum + p));
    if query.output == LSE {
        return vec![arithmetic.accumulated(max + sum.ln())];
    }
    let mut sums = vec![0.0; sizes.d];
    let values = prefix[1].chunks_exact(sizes.d).chain(own[1].chunks_exact(sizes.d));
    for (exponential, value) in exponentials.iter().zip(values) {
        // A kernel rounds the exponentials to the operands' type for its second product, and divides
        // by their sum, which it kept in f32, at the end.
        let p = arithmetic.stored(query.problem.dtype, *exponential);
        for (sum, element) in sums.iter_mut().zip(value) {
            *sum = arithmetic.fused(*sum, p, *element);
        }
    }
    sums.iter().map(|weighted| arithmetic.accumulated(weighted / sum)).collect()
}
