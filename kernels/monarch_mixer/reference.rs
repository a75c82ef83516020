//! The truth of a position: the formula's steps, with convolutions as the sums that they are.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::sequences::{sequence, short_sum, taps};
use super::{BETA, BIAS, BLOCKS, EPSILON, GAMMA, IN, NARROW, OUT, SHORT, Sizes, U, WIDEN, Y};
use tilemark_core::family::{Arithmetic, Operand, Query};

/// Rows of y: all channels of a position each.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    debug_assert_eq!(query.output, Y);
    let sizes = Sizes::of(query.problem);
    let position = |row: &u64| Position { query, arithmetic, sizes, row: *row as usize }.y();
    query.rows.iter().flat_map(position).collect()
}

/// A position of a sequence.
struct Position<'a> {
    query: &'a Query<'a>,
    arithmetic: Arithmetic,
    sizes: Sizes,
    /// Of all positions of all sequences.
    row: usize,
}

impl Position<'_> {
    fn y(&self) -> Vec<f64> {
        let d = self.sizes.d;
        let u = self.u(self.row);
        let mixed = self.product(OUT, 0, d, &self.mixed());
        let x = self.stored(self.normalised(0, &u, &mixed));
        let changed = self.changed(&x);
        self.normalised(1, &x, &changed)
    }

    fn operand(&self, index: usize) -> &Operand {
        &self.query.operands[index]
    }

    fn u(&self, row: usize) -> Vec<f64> {
        let d = self.sizes.d;
        (row * d..(row + 1) * d).map(|at| self.operand(U).at(at)).collect()
    }

    /// Values as a kernel leaves them between its steps.
    fn stored(&self, values: Vec<f64>) -> Vec<f64> {
        let dtype = self.query.problem.dtype;
        values.into_iter().map(|value| self.arithmetic.stored(dtype, value)).collect()
    }

    /// Rows `first` to `first + rows` of a matrix times a vector.
    fn product(&self, matrix: usize, first: usize, rows: usize, vector: &[f64]) -> Vec<f64> {
        let row = |row: usize| {
            let terms = vector.iter().enumerate();
            terms.fold(0.0, |sum, (k, x)| {
                let weight = self.operand(matrix).at((first + row) * vector.len() + k);
                self.arithmetic.fused(sum, weight, *x)
            })
        };
        self.stored((0..rows).map(row).collect())
    }

    /// x2·(conv(z) + bias·z) + conv(u) + bias·u.
    fn mixed(&self) -> Vec<f64> {
        let Sizes { l, d, .. } = self.sizes;
        let (item, t) = (self.row / l, self.row % l);
        let all = sequence(self.query, item);
        let taps = taps(self.query);
        let x2 = self.x2(t);
        let bias = |of: usize, channel| self.operand(BIAS).at(of * d + channel);
        let channel = |c: usize| {
            let z = |at| all.z(self.arithmetic, c * l + at);
            let u = |at| f64::from(all.u[c * l + at]);
            let of_z = self.convolved(&taps, c, t, z) + bias(0, c) * z(t);
            let of_u = self.convolved(&taps, d + c, t, u) + bias(1, c) * u(t);
            self.arithmetic.accumulated(x2[c] * of_z + of_u)
        };
        self.stored((0..d).map(channel).collect())
    }

    /// Σ over lags: k_fwd[t − s] for what came before, k_rev[s − t − 1], which stands at the end, for
    /// what comes after.
    fn convolved(&self, taps: &[f64], filter: usize, t: usize, of: impl Fn(usize) -> f64) -> f64 {
        let Sizes { l, n, .. } = self.sizes;
        let own = &taps[filter * n..][..n];
        let before = (0..=t).fold(0.0, |sum, s| self.arithmetic.fused(sum, own[t - s], of(s)));
        let after = |sum, s: usize| self.arithmetic.fused(sum, own[n - (s - t)], of(s));
        let sum = (t + 1..l).fold(before, after);
        self.arithmetic.stored(self.query.problem.dtype, sum)
    }

    /// The second third of the short convolution at position t.
    fn x2(&self, t: usize) -> Vec<f64> {
        let d = self.sizes.d;
        let first = self.row - t;
        let projected: Vec<Vec<f64>> =
            (t.saturating_sub(2)..=t).map(|s| self.product(IN, d, d, &self.u(first + s))).collect();
        let at = |s: usize, channel: usize| projected[s - t.saturating_sub(2)][channel];
        (0..d)
            .map(|c| short_sum(self.operand(SHORT), d + c, t, |s| at(s, c)))
            .map(|sum| self.arithmetic.accumulated(sum))
            .collect()
    }

    /// LayerNorm of a sum.
    fn normalised(&self, which: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
        let d = self.sizes.d;
        let sums: Vec<f64> =
            a.iter().zip(b).map(|(a, b)| self.arithmetic.accumulated(a + b)).collect();
        let mean = sums.iter().sum::<f64>() / d as f64;
        let variance = sums.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
        let inverse = (variance + EPSILON).sqrt().recip();
        let scaled = |(c, x): (usize, &f64)| {
            let at = |operand| self.operand(operand).at(which * d + c);
            self.arithmetic.accumulated((x - mean) * inverse * at(GAMMA) + at(BETA))
        };
        sums.iter().enumerate().map(scaled).collect()
    }

    /// What the dimension mixer makes of x, block by block.
    fn changed(&self, x: &[f64]) -> Vec<f64> {
        let (narrow, wide) = (self.sizes.narrow(), self.sizes.wide());
        let block = |block: usize| {
            let x = &x[block * narrow..][..narrow];
            let widened = self.product(WIDEN, block * 2 * wide, 2 * wide, x);
            let (first, second) = widened.split_at(wide);
            let gated = first.iter().zip(second).map(|(a, b)| gelu(*a) * b).collect();
            self.product(NARROW, block * narrow, narrow, &self.stored(gated))
        };
        (0..BLOCKS).flat_map(block).collect()
    }
}

/// x·Φ(x), Φ the distribution of a normal number.
pub fn gelu(x: f64) -> f64 {
    x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)) / 2.0
}
