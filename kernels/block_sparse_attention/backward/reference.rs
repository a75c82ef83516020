//! The truth of block-sparse attention's backward pass: dQ query by query, dK and dV key by key.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::super::scale;
use super::super::schedule::{Sight, sights};
use super::{DK, DO, DQ, K, LSE, O, Q, V};
use std::ops::Range;
use tilemark_core::family::{Arithmetic, Query};

/// Rows of dQ, dK or dV, all counted by token: (b·H + h)·L + i.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sights = sights(query.problem);
    let tokens = sights.last().map_or(0, |sight| sight.rows.end);
    let width = query.problem.shape.index("d");
    let formula = Formula { query, arithmetic, sights, tokens, width };
    let rows: Vec<usize> = query.rows.iter().map(|row| *row as usize).collect();
    if query.output == DQ {
        return rows.iter().flat_map(|row| formula.query_gradient(*row)).collect();
    }
    // Keys of one head meet queries that are drawn once for all of them.
    rows.chunk_by(|a, b| a / tokens == b / tokens)
        .flat_map(|keys| formula.key_gradients(keys))
        .collect()
}

struct Formula<'a> {
    query: &'a Query<'a>,
    arithmetic: Arithmetic,
    sights: Vec<Sight>,
    tokens: usize,
    width: usize,
}

/// A query as every key meets it.
struct QueryRow {
    q: Vec<f64>,
    d_o: Vec<f64>,
    lse: f64,
    /// Σ dO∘O.
    delta: f64,
}

/// A key and its value.
struct KeyRow {
    k: Vec<f64>,
    v: Vec<f64>,
}

impl Formula<'_> {
    /// dQ[row] = Σ_j dS[row, j]·K[j] / √d
    fn query_gradient(&self, row: usize) -> Vec<f64> {
        let (first, i) = (row / self.tokens * self.tokens, row % self.tokens);
        let sight = &self.sights[self.sights.partition_point(|sight| sight.rows.end <= i)];
        let query = self.query_row(row);
        let mut sums = vec![0.0; self.width];
        for key in sight.keys.iter().flat_map(Range::clone) {
            let key = self.key_row(first + key);
            let p = self.weight(&query, &key);
            self.add(&mut sums, self.weight_gradient(&query, &key, p), &key.k);
        }
        self.scaled(sums)
    }

    /// dK[j] = Σ_i dS[i, j]·Q[i] / √d or dV[j] = Σ_i P[i, j]·dO[i] for keys j of one head, over the
    /// queries i that see them.
    fn key_gradients(&self, keys: &[usize]) -> Vec<f64> {
        let first = keys[0] / self.tokens * self.tokens;
        let key_rows: Vec<KeyRow> = keys.iter().map(|key| self.key_row(*key)).collect();
        let mut sums = vec![vec![0.0; self.width]; keys.len()];
        for sight in &self.sights {
            let seen = |key: &usize| sight.keys.iter().any(|range| range.contains(&(key - first)));
            if !keys.iter().any(seen) {
                continue;
            }
            for query in sight.rows.clone().map(|i| self.query_row(first + i)) {
                let pairs = keys.iter().zip(&key_rows).zip(&mut sums);
                for ((_, row), sums) in pairs.filter(|((key, _), _)| seen(key)) {
                    let p = self.weight(&query, row);
                    if self.query.output == DK {
                        self.add(sums, self.weight_gradient(&query, row, p), &query.q);
                    } else {
                        self.add(sums, p, &query.d_o);
                    }
                }
            }
        }
        if self.query.output == DK {
            sums.into_iter().flat_map(|sums| self.scaled(sums)).collect()
        } else {
            sums.concat()
        }
    }

    /// P = exp(q·k/√d − LSE)
    fn weight(&self, query: &QueryRow, key: &KeyRow) -> f64 {
        let score = self.arithmetic.accumulated(self.dot(&query.q, &key.k) * scale(self.width));
        self.arithmetic.accumulated(self.arithmetic.accumulated(score - query.lse).exp())
    }

    /// dS = P·(dO·v − δ)
    fn weight_gradient(&self, query: &QueryRow, key: &KeyRow, p: f64) -> f64 {
        let difference = self.arithmetic.accumulated(self.dot(&query.d_o, &key.v) - query.delta);
        self.arithmetic.accumulated(p * difference)
    }

    /// A kernel rounds weights and their gradients to the operands' type for its second products.
    fn add(&self, sums: &mut [f64], factor: f64, row: &[f64]) {
        let factor = self.arithmetic.stored(self.query.problem.dtype, factor);
        for (sum, element) in sums.iter_mut().zip(row) {
            *sum = self.arithmetic.fused(*sum, factor, *element);
        }
    }

    fn scaled(&self, sums: Vec<f64>) -> Vec<f64> {
        sums.into_iter().map(|sum| self.arithmetic.accumulated(sum * scale(self.width))).collect()
    }

    fn dot(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).fold(0.0, |sum, (a, b)| self.arithmetic.fused(sum, *a, *b))
    }

    fn query_row(&self, row: usize) -> QueryRow {
        let (o, d_o) = (self.row(O, row), self.row(DO, row));
        let delta = self.dot(&d_o, &o);
        QueryRow { q: self.row(Q, row), d_o, lse: self.query.operands[LSE].at(row), delta }
    }

    fn key_row(&self, row: usize) -> KeyRow {
        KeyRow { k: self.row(K, row), v: self.row(V, row) }
    }

    fn row(&self, tensor: usize, row: usize) -> Vec<f64> {
        let elements = row * self.width..(row + 1) * self.width;
        elements.map(|at| self.query.operands[tensor].at(at)).collect()
    }
}
