//! The truth of block-sparse attention, query by query.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::schedule::{Sight, sights};
use super::{LSE, scale};
use std::ops::Range;
use tilemark_core::family::{Arithmetic, Query};

/// Rows of O, or elements of LSE; both are counted by query: (b·H + h)·L + i.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sights = sights(query.problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let place = |row: &u64| {
        let (head, i) = (*row as usize / tokens, *row as usize % tokens);
        (head, sights.partition_point(|sight| sight.rows.end <= i))
    };
    let mut values = Vec::new();
    // Queries of one head and block meet the same keys, which are drawn once for all of them.
    for rows in query.rows.chunk_by(|a, b| place(a) == place(b)) {
        let (head, sight) = place(&rows[0]);
        let keys = Keys::new(query, head * tokens, &sights[sight], arithmetic);
        for row in rows {
            values.extend(keys.meet(*row as usize));
        }
    }
    values
}

/// The keys and values that a block of queries sees.
struct Keys<'a> {
    query: &'a Query<'a>,
    arithmetic: Arithmetic,
    width: usize,
    /// (keys, D)
    keys: Vec<f64>,
    /// (keys, D)
    values: Vec<f64>,
}

impl<'a> Keys<'a> {
    fn new(query: &'a Query<'a>, first: usize, sight: &Sight, arithmetic: Arithmetic) -> Self {
        let width = query.problem.shape.index("d");
        let elements = || {
            let of_range =
                |range: &Range<usize>| (first + range.start) * width..(first + range.end) * width;
            sight.keys.iter().flat_map(of_range)
        };
        let of = |tensor: usize| elements().map(|at| query.operands[tensor].at(at)).collect();
        Keys { query, arithmetic, width, keys: of(1), values: of(2) }
    }

    /// The row of O, or the element of LSE, of a query.
    fn meet(&self, row: usize) -> Vec<f64> {
        let arithmetic = self.arithmetic;
        let scores = self.scores(row);
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials: Vec<f64> = scores
            .iter()
            .map(|score| arithmetic.accumulated(arithmetic.accumulated(score - max).exp()))
            .collect();
        let sum = exponentials.iter().fold(0.0, |sum, p| arithmetic.accumulated(sum + p));
        if self.query.output == LSE {
            // With no key, this is −∞ + ln 0 = −∞.
            return vec![arithmetic.accumulated(max + sum.ln())];
        }
        self.weighted_values(&exponentials, sum)
    }

    /// Q[row]·K[j] / √d for each key, each summed in the order of d.
    fn scores(&self, row: usize) -> Vec<f64> {
        let Keys { arithmetic, width, .. } = *self;
        let q: Vec<f64> =
            (row * width..(row + 1) * width).map(|at| self.query.operands[0].at(at)).collect();
        let dot =
            |key: &[f64]| q.iter().zip(key).fold(0.0, |sum, (q, k)| arithmetic.fused(sum, *q, *k));
        let scaled = |key| arithmetic.accumulated(dot(key) * scale(width));
        self.keys.chunks_exact(width).map(scaled).collect()
    }

    /// Σ_j P[j]·V[j]: a kernel rounds the exponentials to the operands' type for its second product,
    /// and divides by their sum, which it kept in f32, at the end.
    fn weighted_values(&self, exponentials: &[f64], sum: f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for (exponential, value) in exponentials.iter().zip(self.values.chunks_exact(self.width)) {
            let p = self.arithmetic.stored(self.query.problem.dtype, *exponential);
            for (sum, element) in sums.iter_mut().zip(value) {
                *sum = self.arithmetic.fused(*sum, p, *element);
            }
        }
        if exponentials.is_empty() {
            return sums;
        }
        sums.iter().map(|weighted| self.arithmetic.accumulated(weighted / sum)).collect()
    }
}
