//! The convolution on a host by dense transforms of 16 points, which are products of matrices.
//!
//! Two sequences of a head are the real and the imaginary part of one: the filter is real, so they
//! never mix. A stage transforms the highest index that is left, n = n₁·m + r to k = k₁ + 16·k′,
//! multiplies by exp(−2πi·k₁·r/(16·m)) and leaves the parts of equal k₁ to the next stages. Nobody
//! reorders what comes out: the spectrum is brought into that order, and the inverse goes back.

use super::Sizes;
use super::cpu::{Complex, Inputs, bin, product, roots};
use super::passes::Pass;
use crate::host::narrow;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use tilemark_core::Problem;

/// Points of a dense transform; one stage may have fewer.
const RADIX: usize = 16;

/// Pairs of sequences in parallel.
pub fn monarch(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let inputs = Inputs::of(problem, inputs);
    for pass in Sizes::of(problem).passes() {
        convolve(problem, &inputs, pass, outputs[0]);
    }
}

/// One pass over all sequences.
fn convolve(problem: &Problem, inputs: &Inputs<'_>, pass: Pass, output: &mut [u8]) {
    let Sizes { h, l, .. } = Sizes::of(problem);
    let n = pass.points;
    let stages = stages(n);
    let order = order(n, &stages);
    // The product is n-fold, and of a folded sequence as often so as it has parts.
    let whole = (n * pass.fold) as f32;
    let spectra: Vec<Planes> = (0..h)
        .into_par_iter()
        .map(|head| {
            let bins = inputs.bins(head, pass);
            let scaled = |k: &usize| bin(&bins, n, *k).map(|part| part / whole);
            Planes::of(order.iter().map(scaled))
        })
        .collect();
    let arch = Arch::new();
    let size = problem.dtype.size() as usize;
    pairs(output, h, l * size).into_par_iter().for_each(|pair| {
        let mut z = Planes { re: vec![0.0; n], im: vec![0.0; n] };
        let spectrum = &spectra[pair.row % h];
        let mut values = vec![0.0; l];
        let mut bring_in = |row, plane: &mut [f32]| {
            inputs.sequence(row, &mut values);
            for part in values[..pass.length].chunks(n) {
                plane.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        };
        bring_in(pair.row, &mut z.re);
        if pair.second.is_some() {
            bring_in(pair.row + h, &mut z.im);
        }
        arch.dispatch(Convolution { z: &mut z, stages: &stages, spectrum });
        let mut take_out = |row, plane: &[f32], y: &mut [u8]| {
            values.truncate(pass.length);
            values.chunks_mut(n).for_each(|part| part.copy_from_slice(&plane[..part.len()]));
            inputs.multiply_by_gate(1, row, &mut values);
            narrow(problem.dtype, &values, &mut y[..pass.length * size]);
        };
        take_out(pair.row, &z.re, pair.first);
        if let Some(second) = pair.second {
            take_out(pair.row + h, &z.im, second);
        }
    });
}

/// The outputs of two items with the same head, the first of which is sequence `row`; the last item
/// may be alone.
struct Pair<'a> {
    row: usize,
    first: &'a mut [u8],
    second: Option<&'a mut [u8]>,
}

fn pairs(output: &mut [u8], h: usize, line: usize) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    for (item, lines) in output.chunks_mut(2 * h * line).enumerate() {
        let (first, second) = lines.split_at_mut(h * line);
        let mut second = second.chunks_exact_mut(line);
        for (head, first) in first.chunks_exact_mut(line).enumerate() {
            pairs.push(Pair { row: 2 * item * h + head, first, second: second.next() });
        }
    }
    pairs
}

/// Complex numbers by parts.
pub struct Planes {
    /// Real parts.
    pub re: Vec<f32>,
    /// Imaginary parts.
    pub im: Vec<f32>,
}

impl Planes {
    /// Of numbers in their order.
    pub fn of(numbers: impl Iterator<Item = Complex>) -> Self {
        let (re, im) = numbers.map(|[re, im]| (re, im)).unzip();
        Planes { re, im }
    }
}

/// One stage: its dense transform, and what is multiplied to its results by (k₁, r).
pub struct Stage {
    radix: usize,
    /// Numbers r that one transform leaves.
    rest: usize,
    matrix: Vec<Complex>,
    factors: Vec<Complex>,
}

/// The stages of a transform of n points, the outermost first.
pub fn stages(n: usize) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut points = n;
    while points > 1 {
        let radix = points.min(RADIX);
        let rest = points / radix;
        let (dense, whole) = (roots(radix), roots(points));
        let table = |width: usize, roots: &[Complex]| {
            let index = |i: usize| roots[i / width * (i % width) % roots.len()];
            (0..radix * width).map(index).collect()
        };
        let (matrix, factors) = (table(radix, &dense), table(rest, &whole));
        stages.push(Stage { radix, rest, matrix, factors });
        points = rest;
    }
    stages
}

/// The frequency that the stages leave in each place.
pub fn order(n: usize, stages: &[Stage]) -> Vec<usize> {
    let frequency = |mut place: usize| {
        let (mut k, mut weight) = (0, 1);
        for stage in stages {
            k += place / stage.rest * weight;
            place %= stage.rest;
            weight *= stage.radix;
        }
        k
    };
    (0..n).map(frequency).collect()
}

/// The convolution of one pair, in place.
struct Convolution<'a> {
    z: &'a mut Planes,
    stages: &'a [Stage],
    spectrum: &'a Planes,
}

impl WithSimd for Convolution<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Convolution { z, stages, spectrum } = self;
        forward(z, stages);
        let bins = spectrum.re.iter().zip(&spectrum.im);
        for ((re, im), bin) in z.re.iter_mut().zip(&mut z.im).zip(bins) {
            [*re, *im] = product([*re, *im], [*bin.0, *bin.1]);
        }
        inverse(z, stages);
    }
}

/// A transform in place, to the order of frequencies in which the stages leave them, or back, n-fold.
pub struct Transform<'a> {
    /// What is transformed.
    pub z: &'a mut Planes,
    /// By these.
    pub stages: &'a [Stage],
    /// Back.
    pub inverse: bool,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if self.inverse { inverse(self.z, self.stages) } else { forward(self.z, self.stages) }
    }
}

#[inline(always)]
fn forward(z: &mut Planes, stages: &[Stage]) {
    for stage in stages {
        for_each_block(z, stage, |re, im, scratch| {
            stage.transform(re, im, scratch, false);
            multiply(re, im, &stage.factors, false);
        });
    }
}

#[inline(always)]
fn inverse(z: &mut Planes, stages: &[Stage]) {
    for stage in stages.iter().rev() {
        for_each_block(z, stage, |re, im, scratch| {
            multiply(re, im, &stage.factors, true);
            stage.transform(re, im, scratch, true);
        });
    }
}

/// Calls with every part that a stage transforms by itself, and room for its results.
#[inline(always)]
fn for_each_block(
    z: &mut Planes,
    stage: &Stage,
    mut apply: impl FnMut(&mut [f32], &mut [f32], &mut [f32]),
) {
    let points = stage.radix * stage.rest;
    let mut scratch = vec![0.0; 2 * points];
    for (re, im) in z.re.chunks_exact_mut(points).zip(z.im.chunks_exact_mut(points)) {
        apply(re, im, &mut scratch);
    }
}

/// Number by number with the factors, or with their conjugates.
#[inline(always)]
fn multiply(re: &mut [f32], im: &mut [f32], factors: &[Complex], conjugate: bool) {
    for ((re, im), factor) in re.iter_mut().zip(im).zip(factors) {
        let sign = if conjugate { -1.0 } else { 1.0 };
        [*re, *im] = product([*re, *im], [factor[0], sign * factor[1]]);
    }
}

impl Stage {
    /// (radix, rest) to the same by frequencies; `scratch` holds both planes of results.
    #[inline(always)]
    fn transform(&self, re: &mut [f32], im: &mut [f32], scratch: &mut [f32], inverse: bool) {
        let points = self.radix * self.rest;
        scratch.fill(0.0);
        let (out_re, out_im) = scratch.split_at_mut(points);
        for (i, entry) in self.matrix.iter().enumerate() {
            let (k, n) = (i / self.radix, i % self.radix);
            let entry = [entry[0], if inverse { -entry[1] } else { entry[1] }];
            let (to, from) =
                (k * self.rest..(k + 1) * self.rest, n * self.rest..(n + 1) * self.rest);
            let sums = out_re[to.clone()].iter_mut().zip(&mut out_im[to]);
            for ((sum_re, sum_im), (x, y)) in sums.zip(re[from.clone()].iter().zip(&im[from])) {
                *sum_re += entry[0] * x - entry[1] * y;
                *sum_im += entry[0] * y + entry[1] * x;
            }
        }
        re.copy_from_slice(out_re);
        im.copy_from_slice(out_im);
    }
}
