//! The convolution on a host by plain transforms, and what its implementations there share.
//!
//! It must not know shapes that are measured or who measures them.

use super::Sizes;
use super::passes::Pass;
use crate::host::{Elements, narrow};
use std::f64::consts::TAU;
use tilemark_core::{Dtype, Problem};

/// A complex number: real and imaginary part.
pub type Complex = [f32; 2];

/// The product of two.
#[inline(always)]
pub fn product(a: Complex, b: Complex) -> Complex {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// exp(−2πi·k/n) for a whole turn.
pub fn roots(n: usize) -> Vec<Complex> {
    let root = |k: usize| {
        let angle = -TAU * k as f64 / n as f64;
        [angle.cos() as f32, angle.sin() as f32]
    };
    (0..n).map(root).collect()
}

/// The inputs of a problem.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    sizes: Sizes,
    u: Elements<'a>,
    filter: Elements<'a>,
    gates: Option<[Elements<'a>; 2]>,
}

impl<'a> Inputs<'a> {
    /// In the family's order.
    pub fn of(problem: &Problem, inputs: &[&'a [u8]]) -> Self {
        let elements = |bytes| Elements::new(problem.dtype, bytes);
        let (u, filter, gates) = match *inputs {
            [u, filter] => (u, filter, None),
            [u, filter, pre, post] => (u, filter, Some([elements(pre), elements(post)])),
            _ => unreachable!("the family has two gates or none"),
        };
        let filter = Elements::new(Dtype::F32, filter);
        Inputs { sizes: Sizes::of(problem), u: elements(u), filter, gates }
    }

    /// Sequence `row` of B·H, gated, into the first L of `into`.
    pub fn sequence(&self, row: usize, into: &mut [f32]) {
        let l = self.sizes.l;
        self.u.widen(row * l, &mut into[..l]);
        self.multiply_by_gate(0, row, into);
    }

    /// Multiplies the first L of `values` by a sequence's gate, where there is one: 0 is that of the
    /// input, 1 that of the output.
    pub fn multiply_by_gate(&self, gate: usize, row: usize, values: &mut [f32]) {
        let l = self.sizes.l;
        let Some(gates) = self.gates else { return };
        let mut factors = vec![0.0; l];
        gates[gate].widen(row * l, &mut factors);
        values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
    }

    /// The half spectrum of a head, of as many bins as a pass has.
    pub fn bins(&self, head: usize, pass: Pass) -> Vec<Complex> {
        let Sizes { n, fold, .. } = self.sizes;
        let mut bins = match (self.sizes.taps, pass.taps) {
            (Some(count), Some(taken)) => self.transformed(head * count, taken, pass.points),
            _ => self.stored(head, n / 2 + 1),
        };
        (bins[0][1], bins.last_mut().expect("bins of a head")[1]) = (0.0, 0.0);
        if pass.taps.is_some() {
            return bins;
        }
        let cut = bins.iter_mut().enumerate().filter(|(k, _)| !k.is_multiple_of(fold));
        cut.for_each(|(_, bin)| *bin = [0.0; 2]);
        bins.into_iter().step_by(pass.fold).collect()
    }

    fn stored(&self, head: usize, count: usize) -> Vec<Complex> {
        let mut bins = vec![[0.0; 2]; count];
        self.filter.widen(head * count * 2, bytemuck::cast_slice_mut(&mut bins));
        bins
    }

    /// Of so many taps from number `first` on, over so many points.
    fn transformed(&self, first: usize, taps: usize, points: usize) -> Vec<Complex> {
        let mut values = vec![0.0; taps];
        self.filter.widen(first, &mut values);
        let mut z: Vec<Complex> = values.into_iter().map(|tap| [tap, 0.0]).collect();
        z.resize(points, [0.0; 2]);
        transform(&mut z, &roots(points), false);
        z.truncate(points / 2 + 1);
        z
    }
}

/// Bin k of all n of a real sequence with this half spectrum.
pub fn bin(bins: &[Complex], n: usize, k: usize) -> Complex {
    if k <= n / 2 {
        return bins[k];
    }
    let [re, im] = bins[n - k];
    [re, -im]
}

/// A sequence at a time on one thread, whole transforms of radix 2.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let Sizes { b, h, n, l, .. } = sizes;
    let inputs = Inputs::of(problem, inputs);
    let roots = roots(n);
    let line = l * problem.dtype.size() as usize;
    let mut real = vec![0.0; n];
    for row in 0..b * h {
        inputs.sequence(row, &mut real);
        let mut z: Vec<Complex> =
            (0..n).map(|t| [if t < l { real[t] } else { 0.0 }, 0.0]).collect();
        transform(&mut z, &roots, false);
        let bins = inputs.bins(row % h, sizes.whole());
        z.iter_mut().enumerate().for_each(|(k, z)| *z = product(*z, bin(&bins, n, k)));
        transform(&mut z, &roots, true);
        real.iter_mut().zip(&z).for_each(|(y, z)| *y = z[0] / n as f32);
        inputs.multiply_by_gate(1, row, &mut real);
        narrow(problem.dtype, &real[..l], &mut outputs[0][row * line..][..line]);
    }
}

/// In place, the inverse but for its factor 1/n: elements by reversed bits, then butterflies.
pub fn transform(z: &mut [Complex], roots: &[Complex], inverse: bool) {
    let n = z.len();
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - n.ilog2());
        if i < j {
            z.swap(i, j);
        }
    }
    let mut half = 1;
    while half < n {
        for block in z.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let [re, im] = roots[k * (n / (2 * half))];
                let turned = product(*b, [re, if inverse { -im } else { im }]);
                *b = [a[0] - turned[0], a[1] - turned[1]];
                *a = [a[0] + turned[0], a[1] + turned[1]];
            }
        }
        half *= 2;
    }
}
