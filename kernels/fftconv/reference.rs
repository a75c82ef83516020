//! The truth of whole sequences: transforms of radix 2 as the textbook has them.
//!
//! Written to be read; it must not know how anyone computes it fast.

use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use std::f64::consts::TAU;
use tilemark_core::family::{Arithmetic, Operand, Query};

/// A complex number: real and imaginary part.
pub type Complex = [f64; 2];

/// Rows of y: the sequence of one head of one item each.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    debug_assert_eq!(query.output, y_index(sizes.gated));
    let roots = roots(sizes.n);
    let mut values = Vec::with_capacity(query.rows.len() * sizes.l);
    for row in query.rows {
        let (first, head) = (*row as usize * sizes.l, *row as usize % sizes.h);
        let mut z = padded_input(query, sizes, first, arithmetic);
        z = transform(&z, &roots, 1, false, arithmetic);
        for (value, bin) in z.iter_mut().zip(filter(query, sizes, head, &roots, arithmetic)) {
            *value = product(*value, bin, arithmetic);
        }
        z = transform(&z, &roots, 1, true, arithmetic);
        values.extend((0..sizes.l).map(|t| output(query, sizes, first + t, z[t][0], arithmetic)));
    }
    values
}

/// u, or pre·u as a kernel would store it, then zeros.
fn padded_input(
    query: &Query<'_>,
    sizes: Sizes,
    first: usize,
    arithmetic: Arithmetic,
) -> Vec<Complex> {
    let element = |index| {
        let u = query.operands[U].at(index);
        if !sizes.gated {
            return u;
        }
        arithmetic.stored(query.problem.dtype, u * query.operands[PRE].at(index))
    };
    let mut z: Vec<Complex> = (first..first + sizes.l).map(|index| [element(index), 0.0]).collect();
    z.resize(sizes.n, [0.0; 2]);
    z
}

/// An element of y from the N-fold of the convolution's.
fn output(query: &Query<'_>, sizes: Sizes, index: usize, sum: f64, arithmetic: Arithmetic) -> f64 {
    let y = sum / sizes.n as f64;
    if !sizes.gated {
        return y;
    }
    let stored = arithmetic.stored(query.problem.dtype, y);
    arithmetic.accumulated(stored * query.operands[POST].at(index))
}

/// All bins of a head's filter: of its taps, or those of its spectrum that pass.
fn filter(
    query: &Query<'_>,
    sizes: Sizes,
    head: usize,
    roots: &[Complex],
    arithmetic: Arithmetic,
) -> Vec<Complex> {
    let given = &query.operands[SPECTRUM];
    let Some(taps) = sizes.taps else {
        let passed = |k: usize| k.is_multiple_of(sizes.fold);
        let bin = |k| if passed(k) { bin(given, sizes, head, k) } else { [0.0; 2] };
        return (0..sizes.n).map(bin).collect();
    };
    let mut k: Vec<Complex> = (0..taps).map(|t| [given.at(head * taps + t), 0.0]).collect();
    k.resize(sizes.n, [0.0; 2]);
    transform(&k, roots, 1, false, arithmetic)
}

/// Bin k of all N of a head's filter: the upper half mirrors the lower one.
pub fn bin(spectrum: &Operand, sizes: Sizes, head: usize, k: usize) -> Complex {
    let stored = k.min(sizes.n - k);
    let at = |part| spectrum.at((head * sizes.bins() + stored) * 2 + part);
    match stored {
        _ if stored.is_multiple_of(sizes.n / 2) => [at(0), 0.0],
        _ if stored == k => [at(0), at(1)],
        _ => [at(0), -at(1)],
    }
}

/// exp(−2πi·k/n) for k below n/2.
pub fn roots(n: usize) -> Vec<Complex> {
    let angle = |k: usize| -TAU * k as f64 / n as f64;
    (0..n / 2).map(|k| [angle(k).cos(), angle(k).sin()]).collect()
}

/// The transform, or its inverse but for the factor 1/n. `roots` are those of n·stride points.
pub fn transform(
    z: &[Complex],
    roots: &[Complex],
    stride: usize,
    inverse: bool,
    arithmetic: Arithmetic,
) -> Vec<Complex> {
    let n = z.len();
    if n == 1 {
        return z.to_vec();
    }
    let half = |parity: usize| -> Vec<Complex> {
        let taken: Vec<Complex> = z.iter().skip(parity).step_by(2).copied().collect();
        transform(&taken, roots, stride * 2, inverse, arithmetic)
    };
    let (even, odd) = (half(0), half(1));
    let mut sums = vec![[0.0; 2]; n];
    for k in 0..n / 2 {
        let [re, im] = roots[k * stride];
        let turned = product(odd[k], [re, if inverse { -im } else { im }], arithmetic);
        for part in 0..2 {
            sums[k][part] = arithmetic.accumulated(even[k][part] + turned[part]);
            sums[k + n / 2][part] = arithmetic.accumulated(even[k][part] - turned[part]);
        }
    }
    sums
}

pub fn product(a: Complex, b: Complex, arithmetic: Arithmetic) -> Complex {
    [
        arithmetic.accumulated(a[0] * b[0] - a[1] * b[1]),
        arithmetic.accumulated(a[0] * b[1] + a[1] * b[0]),
    ]
}
