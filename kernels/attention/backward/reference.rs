//! The truth of attention's backward pass: dQ query by query, dK and dV key by key.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::super::Sizes;
use super::{DK, DO, DQ, K, LSE, O, Q, V};
use tilemark_core::family::{Arithmetic, Operand, Query};

/// Rows of dQ, counted by query, (b·H + h)·N + i, or of dK or dV, by key, (b·Hk + hk)·Nk + j.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let formula = Formula { query, sizes: Sizes::of(query.problem), arithmetic };
    let rows = query.rows.iter().map(|row| *row as usize);
    if query.output == DQ {
        return rows.flat_map(|row| formula.query_gradient(row)).collect();
    }
    let rows: Vec<usize> = rows.collect();
    // Keys of one head meet the same queries, which are drawn once for all of them.
    rows.chunk_by(|a, b| a / formula.sizes.nk == b / formula.sizes.nk)
        .flat_map(|keys| formula.key_gradients(keys))
        .collect()
}

struct Formula<'a> {
    query: &'a Query<'a>,
    sizes: Sizes,
    arithmetic: Arithmetic,
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
        let Sizes { n, nk, d, .. } = self.sizes;
        let query = self.query_row(row);
        let mut sums = vec![0.0; d];
        let first = self.sizes.key_head(row / n) * nk;
        for key in first..first + self.sizes.visible(row % n) {
            let key = self.key_row(key);
            let p = self.weight(&query, &key);
            self.add(&mut sums, self.weight_gradient(&query, &key, p), &key.k);
        }
        self.scaled(sums)
    }

    /// dK[j] = Σ_i dS[i, j]·Q[i] / √d or dV[j] = Σ_i P[i, j]·dO[i] for keys j of one head, over the
    /// queries i of all heads that read it.
    fn key_gradients(&self, keys: &[usize]) -> Vec<f64> {
        let Sizes { n, nk, d, .. } = self.sizes;
        let key_rows: Vec<KeyRow> = keys.iter().map(|key| self.key_row(*key)).collect();
        let mut sums = vec![vec![0.0; d]; keys.len()];
        for head in self.sizes.query_heads(keys[0] / nk) {
            for i in 0..n {
                let query = self.query_row(head * n + i);
                for ((key, row), sums) in keys.iter().zip(&key_rows).zip(&mut sums) {
                    if key % nk >= self.sizes.visible(i) {
                        continue;
                    }
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
        let score = self.arithmetic.accumulated(self.dot(&query.q, &key.k) * self.sizes.scale());
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
        let scale = self.sizes.scale();
        sums.into_iter().map(|sum| self.arithmetic.accumulated(sum * scale)).collect()
    }

    fn dot(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).fold(0.0, |sum, (a, b)| self.arithmetic.fused(sum, *a, *b))
    }

    fn query_row(&self, row: usize) -> QueryRow {
        let (o, d_o) = (self.row(O, row), self.row(DO, row));
        let delta = self.dot(&d_o, &o);
        QueryRow { q: self.row(Q, row), d_o, lse: self.operand(LSE).at(row), delta }
    }

    fn key_row(&self, row: usize) -> KeyRow {
        KeyRow { k: self.row(K, row), v: self.row(V, row) }
    }

    fn row(&self, tensor: usize, row: usize) -> Vec<f64> {
        let d = self.sizes.d;
        (row * d..(row + 1) * d).map(|at| self.operand(tensor).at(at)).collect()
    }

    fn operand(&self, tensor: usize) -> &Operand {
        &self.query.operands[tensor]
    }
}
