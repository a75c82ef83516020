//! The gradients on a host: a head at a time, its items alone or by pairs as complex sequences.
//!
//! It must not know shapes that are measured or who measures them.

use super::super::Sizes;
use super::super::cpu::{Complex, bin, product, roots, transform};
use super::super::cpu_monarch::{Planes, Transform, order, stages};
use crate::host::{Elements, narrow};
use pulp::Arch;
use rayon::prelude::*;
use tilemark_core::{Dtype, Problem};

/// A sequence at a time on one thread, whole transforms of radix 2.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let n = Sizes::of(problem).n;
    let roots = roots(n);
    let plain = |z: &mut Planes, inverse: bool| {
        let mut numbers: Vec<Complex> = z.re.iter().zip(&z.im).map(|(re, im)| [*re, *im]).collect();
        transform(&mut numbers, &roots, inverse);
        *z = Planes::of(numbers.into_iter());
    };
    let way = Way { items: 1, order: (0..n).collect(), transform: &plain };
    let inputs = Inputs::of(problem, inputs);
    for head in heads(problem, outputs) {
        inputs.differentiate(&way, head);
    }
}

/// Heads in parallel, by pairs of their items.
pub fn monarch(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let n = Sizes::of(problem).n;
    let stages = stages(n);
    let arch = Arch::new();
    let dense = |z: &mut Planes, inverse: bool| {
        arch.dispatch(Transform { z, stages: &stages, inverse });
    };
    let way = Way { items: 2, order: order(n, &stages), transform: &dense };
    let inputs = Inputs::of(problem, inputs);
    heads(problem, outputs).into_par_iter().for_each(|head| inputs.differentiate(&way, head));
}

/// How transforms are made.
struct Way<'a> {
    /// Items that are one complex sequence, 1 or 2.
    items: usize,
    /// The frequency in each place.
    order: Vec<usize>,
    /// In place, or back and n-fold.
    transform: &'a (dyn Fn(&mut Planes, bool) + Sync),
}

/// What is to be written of one head.
struct Head<'a> {
    head: usize,
    dk: &'a mut [u8],
    /// Rows by items: du, dpre and dpost, as far as there are gates.
    rows: Vec<Vec<&'a mut [u8]>>,
}

fn heads<'a>(problem: &Problem, outputs: &'a mut [&mut [u8]]) -> Vec<Head<'a>> {
    let Sizes { h, n, l, .. } = Sizes::of(problem);
    let line = l * problem.dtype.size() as usize;
    let [du, dk, of_gates @ ..] = outputs else { unreachable!("the family has du and dK") };
    let bins = dk.chunks_exact_mut((n + 2) * 4).enumerate();
    let mut heads: Vec<Head<'a>> =
        bins.map(|(head, dk)| Head { head, dk, rows: Vec::new() }).collect();
    for gradient in std::iter::once(du).chain(of_gates) {
        heads.iter_mut().for_each(|head| head.rows.push(Vec::new()));
        for (row, values) in gradient.chunks_exact_mut(line).enumerate() {
            heads[row % h].rows.last_mut().expect("pushed above").push(values);
        }
    }
    heads
}

struct Inputs<'a> {
    sizes: Sizes,
    dtype: Dtype,
    u: Elements<'a>,
    spectrum: Elements<'a>,
    dy: Elements<'a>,
    gates: Option<[Elements<'a>; 2]>,
}

impl<'a> Inputs<'a> {
    fn of(problem: &Problem, inputs: &[&'a [u8]]) -> Self {
        let elements = |bytes| Elements::new(problem.dtype, bytes);
        let [u, spectrum, dy, ref gates @ ..] = *inputs else {
            unreachable!("the family has u, K and dy")
        };
        let gates = match *gates {
            [pre, post] => Some([pre, post].map(elements)),
            _ => None,
        };
        Inputs {
            sizes: Sizes::of(problem),
            dtype: problem.dtype,
            u: elements(u),
            spectrum: Elements::new(Dtype::F32, spectrum),
            dy: elements(dy),
            gates,
        }
    }

    /// The elements of a row.
    fn row(&self, tensor: Elements<'_>, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.sizes.l];
        tensor.widen(row * self.sizes.l, &mut values);
        values
    }

    /// One or two rows, gated, as real and imaginary part, padded.
    fn sequence(&self, tensor: Elements<'_>, gate: usize, rows: &[usize]) -> Planes {
        let part = |row: Option<&usize>| {
            let mut values = row.map_or_else(Vec::new, |row| self.row(tensor, *row));
            if let (Some(gates), Some(row)) = (self.gates, row) {
                multiply(&mut values, &self.row(gates[gate], *row));
            }
            values.resize(self.sizes.n, 0.0);
            values
        };
        Planes { re: part(rows.first()), im: part(rows.get(1)) }
    }

    /// A head's filter over n, in a way's order.
    fn filter(&self, head: usize, order: &[usize]) -> Vec<Complex> {
        let n = self.sizes.n;
        let mut bins = vec![[0.0; 2]; self.sizes.bins()];
        self.spectrum.widen(head * bins.len() * 2, bytemuck::cast_slice_mut(&mut bins));
        bins[0][1] = 0.0;
        bins[n / 2][1] = 0.0;
        order.iter().map(|k| bin(&bins, n, *k).map(|part| part / n as f32)).collect()
    }

    /// All gradients of a head.
    fn differentiate(&self, way: &Way<'_>, mut head: Head<'_>) {
        let Sizes { b, h, n, .. } = self.sizes;
        let filter = self.filter(head.head, &way.order);
        let mut sums = vec![[0.0; 2]; n];
        for first in (0..b).step_by(way.items) {
            let items: Vec<usize> = (first..b.min(first + way.items)).collect();
            let rows: Vec<usize> = items.iter().map(|item| item * h + head.head).collect();
            let mut x = self.sequence(self.u, 0, &rows);
            let mut g = self.sequence(self.dy, 1, &rows);
            (way.transform)(&mut x, false);
            (way.transform)(&mut g, false);
            for (place, k) in way.order.iter().enumerate() {
                let term = product([x.re[place], -x.im[place]], [g.re[place], g.im[place]]);
                sums[*k][0] += term[0];
                sums[*k][1] += term[1];
            }
            filter_back(way, &mut g, &filter, true);
            self.write(&mut head, 0, &items, &g, self.gates.map(|[pre, _]| pre));
            if self.gates.is_some() {
                self.write(&mut head, 1, &items, &g, Some(self.u));
                filter_back(way, &mut x, &filter, false);
                self.write(&mut head, 2, &items, &x, Some(self.dy));
            }
        }
        narrow(Dtype::F32, bytemuck::cast_slice(&mirrored(&sums)), head.dk);
    }

    /// Rows of a gradient: what a convolution left times a tensor.
    fn write(
        &self,
        head: &mut Head<'_>,
        gradient: usize,
        items: &[usize],
        z: &Planes,
        factor: Option<Elements<'_>>,
    ) {
        for (item, part) in items.iter().zip([&z.re, &z.im]) {
            let mut values = part[..self.sizes.l].to_vec();
            if let Some(factor) = factor {
                multiply(&mut values, &self.row(factor, item * self.sizes.h + head.head));
            }
            narrow(self.dtype, &values, head.rows[gradient][*item]);
        }
    }
}

fn multiply(values: &mut [f32], factors: &[f32]) {
    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
}

/// Times a filter, or its conjugate, and back.
fn filter_back(way: &Way<'_>, z: &mut Planes, filter: &[Complex], conjugate: bool) {
    let sign = if conjugate { -1.0 } else { 1.0 };
    for ((re, im), bin) in z.re.iter_mut().zip(&mut z.im).zip(filter) {
        [*re, *im] = product([*re, *im], [bin[0], sign * bin[1]]);
    }
    (way.transform)(z, true);
}

/// The gradient of the stored bins from products of all of them. The part that mirrors itself is
/// what belongs to real sequences; the other is what two that share a complex one have in common.
fn mirrored(sums: &[Complex]) -> Vec<Complex> {
    let n = sums.len();
    let bin = |k: usize| {
        let (low, high) = (sums[k], sums[(n - k) % n]);
        let scale = if k.is_multiple_of(n / 2) { 0.5 } else { 1.0 } / n as f32;
        [(low[0] + high[0]) * scale, (low[1] - high[1]) * scale]
    };
    (0..=n / 2).map(bin).collect()
}
