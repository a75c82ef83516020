//! The truth of attention over a shared prefix, query by query, as if each sequence had its own copy.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{LEVEL_K, LEVEL_V, OWN_K, OWN_V, PREFIX_K, PREFIX_V, Q, Sizes};
use std::ops::Range;
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
        let prefix = keys(query, [PREFIX_K, PREFIX_V], head * sizes.p..(head + 1) * sizes.p);
        for (row, found) in query.rows.iter().zip(&mut found).filter(|(row, _)| asked(row)) {
            *found = meet(query, arithmetic, *row as usize, head, &prefix);
        }
    }
    found.concat()
}

/// Keys and values, each (rows, D); no values where only LSE is asked for.
struct Keys {
    k: Vec<f64>,
    v: Vec<f64>,
}

fn keys(query: &Query<'_>, [k, v]: [usize; 2], rows: Range<usize>) -> Keys {
    let sizes = Sizes::of(query.problem);
    let elements = rows.start * sizes.d..rows.end * sizes.d;
    let draw = |tensor: usize| elements.clone().map(|at| query.operands[tensor].at(at)).collect();
    Keys { k: draw(k), v: if query.output == sizes.output() { draw(v) } else { Vec::new() } }
}

/// The row of O, or the element of LSE, of one query.
fn meet(
    query: &Query<'_>,
    arithmetic: Arithmetic,
    row: usize,
    head: usize,
    prefix: &Keys,
) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let sequence = row / sizes.h;
    let level = (head * sizes.groups + sequence / sizes.run()) * sizes.m;
    let level = keys(query, [LEVEL_K, LEVEL_V], level..level + sizes.m);
    let own = (sequence * sizes.hk + head) * sizes.u;
    let own = keys(query, [OWN_K, OWN_V], own..own + sizes.own(sequence));
    let q = keys(query, [Q, Q], row..row + 1).k;
    let score = |key: &[f64]| {
        let dot = q.iter().zip(key).fold(0.0, |sum, (q, k)| arithmetic.fused(sum, *q, *k));
        arithmetic.accumulated(dot * sizes.scale())
    };
    let all = [prefix, &level, &own];
    let scores: Vec<f64> =
        all.iter().flat_map(|keys| keys.k.chunks_exact(sizes.d)).map(score).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores
        .iter()
        .map(|score| arithmetic.accumulated(arithmetic.accumulated(score - max).exp()))
        .collect();
    let sum = exponentials.iter().fold(0.0, |sum, p| arithmetic.accumulated(sum + p));
    if query.output != sizes.output() {
        return vec![arithmetic.accumulated(max + sum.ln())];
    }
    let mut sums = vec![0.0; sizes.d];
    let values = all.iter().flat_map(|keys| keys.v.chunks_exact(sizes.d));
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
