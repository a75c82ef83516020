//! The truth of attention, query by query.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{Sizes, has_scales, outputs};
use tilemark_core::family::{Arithmetic, Operand, Query};

/// Keys whose scores are summed side by side, since an addition waits for the one before it.
const KEYS_AT_ONCE: usize = 8;

/// Rows of O, or elements of LSE; both are counted by query: (b·H + h)·N + i.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let rows: Vec<usize> = query.rows.iter().map(|row| *row as usize).collect();
    let key_head = |row: &usize| sizes.key_head(row / sizes.n);
    let mut values = Vec::new();
    // Queries of one head meet the same keys, which are drawn once for all of them.
    for rows in rows.chunk_by(|a, b| key_head(a) == key_head(b)) {
        let head = Head::new(query, sizes, key_head(&rows[0]), arithmetic);
        for row in rows {
            let softmax = head.softmax(*row);
            if query.output == outputs(query.problem.dtype)[1] {
                // With no key, this is −∞ + ln 0 = −∞.
                values.push(arithmetic.accumulated(softmax.max + softmax.sum.ln()));
            } else {
                values.extend(head.weighted_values(&softmax));
            }
        }
    }
    values
}

/// A head of keys and values, as the queries that read it meet it.
struct Head<'a> {
    query: &'a Query<'a>,
    sizes: Sizes,
    arithmetic: Arithmetic,
    /// (Nk, D)
    keys: Vec<f64>,
    /// (Nk, D), where O is asked for.
    values: Vec<f64>,
    /// Of scores and of values.
    scales: [f64; 2],
}

/// A row's softmax before its division: exp(score − max) for each key that the query sees.
struct Softmax {
    max: f64,
    exponentials: Vec<f64>,
    sum: f64,
}

impl<'a> Head<'a> {
    fn new(query: &'a Query<'a>, sizes: Sizes, head: usize, arithmetic: Arithmetic) -> Self {
        let elements = sizes.nk * sizes.d;
        let of = |operand: &Operand| {
            (head * elements..(head + 1) * elements).map(|at| operand.at(at)).collect()
        };
        let keys = of(&query.operands[1]);
        let without_o = query.output == outputs(query.problem.dtype)[1];
        let values = if without_o { Vec::new() } else { of(&query.operands[2]) };
        let scales = match query.operands {
            [_, _, _, q, k, v, ..] if has_scales(query.problem.dtype) => {
                [q.at(0) * k.at(0), v.at(0)]
            }
            _ => [1.0, 1.0],
        };
        Head { query, sizes, arithmetic, keys, values, scales }
    }

    fn softmax(&self, row: usize) -> Softmax {
        let arithmetic = self.arithmetic;
        let scores = self.scores(row);
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials: Vec<f64> = scores
            .iter()
            .map(|score| arithmetic.accumulated(arithmetic.accumulated(score - max).exp()))
            .collect();
        let sum = exponentials.iter().fold(0.0, |sum, p| arithmetic.accumulated(sum + p));
        Softmax { max, exponentials, sum }
    }

    /// Q[row]·K[j] / √d for each key that the query sees, each summed in the order of d.
    fn scores(&self, row: usize) -> Vec<f64> {
        let Sizes { n, d, .. } = self.sizes;
        let q: Vec<f64> =
            (row * d..(row + 1) * d).map(|at| self.query.operands[0].at(at)).collect();
        let mut scores = vec![0.0; self.sizes.visible(row % n)];
        for (scores, keys) in
            scores.chunks_mut(KEYS_AT_ONCE).zip(self.keys.chunks(KEYS_AT_ONCE * d))
        {
            for (c, q) in q.iter().enumerate() {
                for (score, key) in scores.iter_mut().zip(keys.chunks_exact(d)) {
                    *score = self.arithmetic.fused(*score, *q, key[c]);
                }
            }
        }
        let scale = self.sizes.scale() * self.scales[0];
        scores.iter_mut().for_each(|score| *score = self.arithmetic.accumulated(*score * scale));
        scores
    }

    /// Σ_j P[j]·V[j]: a kernel rounds the exponentials to the operands' type for its second product,
    /// and divides by their sum, which it kept in f32, at the end.
    fn weighted_values(&self, softmax: &Softmax) -> Vec<f64> {
        let mut sums = vec![0.0; self.sizes.d];
        let values = self.values.chunks_exact(self.sizes.d);
        for (exponential, value) in softmax.exponentials.iter().zip(values) {
            let p = self.arithmetic.stored(self.query.problem.dtype, *exponential);
            for (sum, element) in sums.iter_mut().zip(value) {
                *sum = self.arithmetic.fused(*sum, p, *element);
            }
        }
        if softmax.exponentials.is_empty() {
            return sums;
        }
        let divided = |sum: &f64| self.arithmetic.accumulated(sum * self.scales[1] / softmax.sum);
        sums.iter().map(divided).collect()
    }
}
