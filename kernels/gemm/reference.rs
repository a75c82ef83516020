//! The truth of a matrix product, element by element, and a check of the whole of it.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{Scale, Sizes, stored_roundoff, summing_error};
use rayon::prelude::*;
use tilemark_core::family::{Arithmetic, Operand, Query, Readout};
use tilemark_core::generator::Stream;
use tilemark_core::{Distribution, Dtype, Problem};

/// Elements of C by flat index: Σ_k A[i,k] · B[k,j], added in the order of k, then scaled.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let [a, b] = [&query.operands[0], &query.operands[1]];
    let element = |index: &u64| {
        let (i, j) = (*index as usize / sizes.n, *index as usize % sizes.n);
        let sum = (0..sizes.k)
            .fold(0.0, |sum, k| arithmetic.fused(sum, a.at(i * sizes.k + k), b.at(sizes.b(k, j))));
        let [of_a, of_b] = scales(sizes, query.operands, i, j);
        arithmetic.accumulated(sum * arithmetic.accumulated(of_a * of_b))
    };
    query.rows.iter().map(element).collect()
}

/// What row i of A and column j of B are scaled by.
fn scales(sizes: Sizes, operands: &[Operand], i: usize, j: usize) -> [f64; 2] {
    match sizes.scale {
        Scale::None => [1.0, 1.0],
        Scale::Tensor => [operands[2].at(0), operands[3].at(0)],
        Scale::RowColumn => [operands[2].at(i), operands[3].at(j)],
    }
}

/// Deviations of a row's projected rounding error that pass. Rounding to nearest leaves about
/// 0.41 of the bound that [`explained`] uses, so a right row lies beyond this once in 10¹².
const LIMIT_DEVIATIONS: f64 = 3.0;

/// Freivalds' check: C·x against A·(B·x) for a vector x of random signs.
///
/// The figure is the largest |C·x − A·(B·x)| over the rows of C, relative to what rounding explains
/// in that row. (R. Freivalds, Probabilistic machines can use less running time, IFIP 1977.)
pub fn projection(problem: &Problem, operands: &[Operand], output: &Readout<'_>) -> f64 {
    let sizes = Sizes::of(problem);
    let signs = Stream::new(problem.seed, operands.len(), Distribution::Uniform);
    let x: Vec<f64> =
        (0..sizes.n as u64).map(|j| if signs.bits(j) & 1 == 0 { 1.0 } else { -1.0 }).collect();
    let b = project_b(sizes, operands, &x);
    let figure = |i| row_figure(problem, i, operands, output, &x, &b);
    (0..sizes.m).into_par_iter().map(figure).reduce(|| 0.0, f64::max)
}

/// Of one row of B: its product with x, and the sum of its squares.
#[derive(Clone, Default)]
struct ProjectedRow {
    product: f64,
    squares: f64,
}

/// Rows of B that one thread projects side by side: as many elements as a cache line holds where
/// they are contiguous, and enough sums to keep an adder busy.
const ROWS_AT_ONCE: usize = 16;

/// Each row's sums run over j in order, whatever the layout and however many threads there are.
fn project_b(sizes: Sizes, operands: &[Operand], x: &[f64]) -> Vec<ProjectedRow> {
    let mut rows = vec![ProjectedRow::default(); sizes.k];
    rows.par_chunks_mut(ROWS_AT_ONCE).enumerate().for_each(|(chunk, rows)| {
        for (j, sign) in x.iter().enumerate() {
            for (row, k) in rows.iter_mut().zip(chunk * ROWS_AT_ONCE..) {
                let value = operands[1].at(sizes.b(k, j)) * scales(sizes, operands, 0, j)[1];
                row.product += value * sign;
                row.squares += value * value;
            }
        }
    });
    rows
}

fn row_figure(
    problem: &Problem,
    i: usize,
    operands: &[Operand],
    output: &Readout<'_>,
    x: &[f64],
    b: &[ProjectedRow],
) -> f64 {
    let sizes = Sizes::of(problem);
    let [scale, _] = scales(sizes, operands, i, 0);
    let (mut expected, mut terms) = (0.0, 0.0);
    for (k, row) in b.iter().enumerate() {
        let a = operands[0].at(i * sizes.k + k) * scale;
        expected += a * row.product;
        terms += a * a * row.squares;
    }
    let (mut found, mut squares) = (0.0, 0.0);
    for (j, sign) in x.iter().enumerate() {
        let c = output.at(i * sizes.n + j);
        found += c * sign;
        squares += c * c;
    }
    let deviation = (found - expected).abs();
    let limit = LIMIT_DEVIATIONS * explained(problem, output.dtype, terms, squares);
    if deviation == 0.0 {
        0.0
    } else if !deviation.is_finite() {
        f64::INFINITY
    } else {
        deviation / limit
    }
}

/// What rounding adds to a row's projection, as the root of the sum over the row's elements:
/// `terms` is Σ_kj (A[i,k]·B[k,j])², and `squares` is Σ_j C[i,j]².
fn explained(problem: &Problem, dtype: Dtype, terms: f64, squares: f64) -> f64 {
    let sizes = Sizes::of(problem);
    let summing = summing_error(sizes, problem.dtype) * terms.sqrt();
    let storing = stored_roundoff(dtype) * squares.sqrt();
    // Below the smallest normal value a step is absolute: 2⁻²⁴ in f16, next to nothing elsewhere.
    let subnormal = if dtype == Dtype::F16 { 0.5f64.powi(25) } else { f64::MIN_POSITIVE };
    summing + storing + subnormal * (sizes.n as f64).sqrt()
}
