//! The truth of the gradients, by the formula and the textbook's transforms.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::super::reference::{Complex, bin, product, roots, transform};
use super::super::{SPECTRUM, Sizes, U};
use super::{DY, GATES, Places};
use tilemark_core::family::{Arithmetic, Query};

/// Rows of a sequence's gradient: those of one head of one item each; of the spectrum's: a head.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let problem = Problem::of(query, arithmetic);
    let places = Places::of(problem.sizes.gated);
    let gradient = |row: &u64| {
        let row = *row as usize;
        match query.output {
            output if output == places.dk => problem.of_spectrum(row),
            output if output == places.dpost => problem.of_output_gate(row),
            output => problem.of_input(row, output == places.dpre),
        }
    };
    query.rows.iter().flat_map(gradient).collect()
}

struct Problem<'a> {
    query: &'a Query<'a>,
    arithmetic: Arithmetic,
    sizes: Sizes,
    roots: Vec<Complex>,
}

impl<'a> Problem<'a> {
    fn of(query: &'a Query<'a>, arithmetic: Arithmetic) -> Self {
        let sizes = Sizes::of(query.problem);
        Problem { query, arithmetic, sizes, roots: roots(sizes.n) }
    }

    fn at(&self, tensor: usize, row: usize, t: usize) -> f64 {
        self.query.operands[tensor].at(row * self.sizes.l + t)
    }

    fn stored(&self, value: f64) -> f64 {
        self.arithmetic.stored(self.query.problem.dtype, value)
    }

    /// The transform of a sequence, or of its product with a gate as a kernel would store it.
    fn spectrum(&self, tensor: usize, gate: usize, row: usize) -> Vec<Complex> {
        let element = |t| match self.sizes.gated {
            true => self.stored(self.at(tensor, row, t) * self.at(gate, row, t)),
            false => self.at(tensor, row, t),
        };
        let mut z: Vec<Complex> = (0..self.sizes.l).map(|t| [element(t), 0.0]).collect();
        z.resize(self.sizes.n, [0.0; 2]);
        transform(&z, &self.roots, 1, false, self.arithmetic)
    }

    /// Back from a spectrum times the head's filter, or its conjugate.
    fn filtered(&self, mut z: Vec<Complex>, row: usize, conjugate: bool) -> Vec<f64> {
        let (sizes, sign) = (self.sizes, if conjugate { -1.0 } else { 1.0 });
        for (k, value) in z.iter_mut().enumerate() {
            let [re, im] = bin(&self.query.operands[SPECTRUM], sizes, row % sizes.h, k);
            *value = product(*value, [re, sign * im], self.arithmetic);
        }
        let sums = transform(&z, &self.roots, 1, true, self.arithmetic);
        sums[..sizes.l].iter().map(|sum| sum[0] / sizes.n as f64).collect()
    }

    /// What a convolution left, times another tensor.
    fn times(&self, values: Vec<f64>, tensor: usize, row: usize) -> Vec<f64> {
        let factor =
            |(t, value)| self.arithmetic.accumulated(self.stored(value) * self.at(tensor, row, t));
        values.into_iter().enumerate().map(factor).collect()
    }

    /// du, or dpre.
    fn of_input(&self, row: usize, of_gate: bool) -> Vec<f64> {
        let [pre, post] = GATES;
        let dx = self.filtered(self.spectrum(DY, post, row), row, true);
        match self.sizes.gated {
            true => self.times(dx, if of_gate { U } else { pre }, row),
            false => dx,
        }
    }

    fn of_output_gate(&self, row: usize) -> Vec<f64> {
        let [pre, _] = GATES;
        self.times(self.filtered(self.spectrum(U, pre, row), row, false), DY, row)
    }

    /// A head's bins, of the items in their order.
    fn of_spectrum(&self, head: usize) -> Vec<f64> {
        let (Sizes { b, h, n, .. }, [pre, post]) = (self.sizes, GATES);
        let mut sums = vec![[0.0; 2]; n / 2 + 1];
        for item in 0..b {
            let row = item * h + head;
            let (x, g) = (self.spectrum(U, pre, row), self.spectrum(DY, post, row));
            for (k, sum) in sums.iter_mut().enumerate() {
                let term = product([x[k][0], -x[k][1]], g[k], self.arithmetic);
                *sum = [0, 1].map(|part| self.arithmetic.accumulated(sum[part] + term[part]));
            }
        }
        let scale = |k: usize| if k.is_multiple_of(n / 2) { 1.0 } else { 2.0 } / n as f64;
        sums.iter().enumerate().flat_map(|(k, sum)| sum.map(|part| part * scale(k))).collect()
    }
}
