//! A layer of M2-BERT: a sequence mixer of long convolutions, then a dimension mixer of block-diagonal
//! products, each with a residual and a LayerNorm after it.
//!
//! u and y are (B, L, D). [x1, x2, v] = conv3(u·Winᵀ), a depthwise convolution over the last three
//! positions; z = x1·v; m = x2·(conv(z) + bias_z·z) + conv(u) + bias_u·u, by two filters a channel;
//! x = LN1(u + m·Woutᵀ). In blocks of D/4 channels g = gelu(W1·x)·(W2·x), four times as wide, and
//! y = LN2(x + W3·g). (D. Fu et al., Monarch Mixer, 2023; linear layers have no bias here.)
//! A filter reaches both ways: k_fwd[t] has the lag t and k_rev[j] the lag −(j+1), so that lag 0 is
//! there once; the other convention of the source, a sum of two spectra, has it twice. Over N points,
//! the power of two from 2 L on (256 at least), k_fwd stands at t and k_rev[j] at N−1−j. Its spectrum K
//! is an input, bins 0 to N/2 as pairs of f32, as inference caches it; the first and the last bin are
//! real whatever their imaginary parts hold. What an implementation does to it is inside its time.
//! Work: 14·D² operations an element of y for products and four transforms a channel, over little more
//! than u and y: bound by arithmetic if no step's result left the chip. It must not know devices,
//! clocks or who measures.

mod assembly;
mod cpu;
mod device;
mod parts;
mod reference;
mod sequences;
#[cfg(test)]
mod tests;

use crate::exactness::{cancellation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct MonarchMixer;

static ABOUT: About = About {
    name: "monarch_mixer",
    formula: "x = LN(u + Wout·(x2·(conv(z) + bias·z) + conv(u) + bias·u)), z = x1·v; y = LN(x + W3·(gelu(W1·x)·(W2·x)))",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "none: no crate has such a layer, and its parts meet theirs in `gemm` and `fftconv`",
};

static AXES: [Axis; 3] = [
    size("b", "batch", AxisDefault::Required),
    size("l", "positions of a sequence", AxisDefault::Required),
    size("d", "channels, a multiple of 4", AxisDefault::Integer(768)),
];

const fn size(name: &'static str, meaning: &'static str, default: AxisDefault) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default }
}

static IMPLEMENTATIONS: [Implementation; 5] = [
    Implementation {
        name: "cpu_naive",
        idea: "the formula's steps in f32, products by three loops and transforms of radix 2 on one thread",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_steps",
        idea: "the same steps in parallel, products of packed tiles and convolutions by dense transforms of 16 points",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::steps),
    },
    Implementation {
        name: "sm90_steps",
        idea: "gates fused with the turns between positions and channels, both convolutions one launch, blocks in groups of one product whose end is gelu and gate; gemm's and fftconv's kernels",
        standing: Standing::Candidate,
        supports: device::sm90,
        code: Code::Steps(device::sm90_plan),
    },
    Implementation {
        name: "gfx942_steps",
        idea: "sm90_steps by gemm's and fftconv's kernels for matrix cores, a product a block, gelu and gate after it",
        standing: Standing::Candidate,
        supports: device::gfx942,
        code: Code::Steps(device::gfx942_plan),
    },
    Implementation {
        name: "gfx950_steps",
        idea: "the same by gemm's kernel for gfx950",
        standing: Standing::Candidate,
        supports: device::gfx950,
        code: Code::Steps(device::gfx950_plan),
    },
];

/// Blocks of the dimension mixer's matrices.
const BLOCKS: usize = 4;

/// By how much the dimension mixer is wider inside.
const EXPANSION: usize = 4;

/// Taps of the short convolution.
const TAPS: usize = 3;

/// Points of the shortest transform.
const FEWEST_POINTS: u64 = 256;

/// ε of both normalisations.
const EPSILON: f64 = 1e-5;

/// Places in the family's list of tensors.
const U: usize = 0;
const IN: usize = 1;
const SHORT: usize = 2;
const SPECTRA: usize = 3;
const BIAS: usize = 4;
const OUT: usize = 5;
const GAMMA: usize = 6;
const BETA: usize = 7;
const WIDEN: usize = 8;
const NARROW: usize = 9;
const Y: usize = 10;

/// The sizes of a problem.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    b: usize,
    l: usize,
    d: usize,
    /// Points of a transform.
    n: usize,
}

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let [b, l, d] = ["b", "l", "d"].map(|axis| problem.shape.index(axis));
        let n = (2 * l as u64).next_power_of_two().max(FEWEST_POINTS) as usize;
        Sizes { b, l, d, n }
    }

    /// Positions of all sequences.
    fn tokens(self) -> usize {
        self.b * self.l
    }

    /// Bins of the half spectrum of a filter.
    fn bins(self) -> usize {
        self.n / 2 + 1
    }

    /// Channels of a block of the dimension mixer, outside.
    fn narrow(self) -> usize {
        self.d / BLOCKS
    }

    /// The same inside.
    fn wide(self) -> usize {
        self.narrow() * EXPANSION
    }
}

/// Longest sequence: the longest transform of `fftconv` has 2²² points.
const LONGEST: u64 = 1 << 21;

impl Family for MonarchMixer {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        let (l, d) = (shape.integer("l"), shape.integer("d"));
        if !d.is_multiple_of(BLOCKS as u64) {
            return Err(format!("axis `d` takes multiples of {BLOCKS}, not {d}"));
        }
        if l > LONGEST {
            return Err(format!("axis `l` must be at most {LONGEST}, and {l} is more"));
        }
        Ok(())
    }

    /// Matrices are drawn so that what they make is as large as what they get.
    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let sizes = Sizes::of(problem);
        let [b, l, d] = [sizes.b, sizes.l, sizes.d].map(|size| size as u64);
        let [bins, narrow, wide] =
            [sizes.bins(), sizes.narrow(), sizes.wide()].map(|size| size as u64);
        let blocks = BLOCKS as u64;
        let dtype = problem.dtype;
        let matrix = |name, dims: &[u64]| {
            let terms = dims[dims.len() - 1] as f32;
            Tensor::input(name, dims, dtype, 0.0, terms.sqrt().recip())
        };
        let f32s = |name, dims: &[u64], mean, deviation| {
            Tensor::input(name, dims, Dtype::F32, mean, deviation)
        };
        let taps = (TAPS as f32).sqrt().recip();
        vec![
            Tensor::input("u", &[b, l, d], dtype, 0.0, 1.0),
            matrix("Win", &[3 * d, d]),
            f32s("short", &[3 * d, TAPS as u64], 0.0, taps),
            f32s("K", &[2, d, bins, 2], 0.0, 1.0),
            f32s("bias", &[2, d], 0.0, 1.0),
            matrix("Wout", &[d, d]),
            f32s("gamma", &[2, d], 1.0, 0.125),
            f32s("beta", &[2, d], 0.0, 0.125),
            matrix("W12", &[blocks, 2, wide, narrow]),
            matrix("W3", &[blocks, narrow, wide]),
            Tensor::output("y", &[b, l, d], dtype, d),
        ]
    }

    /// Products, by convention complex transforms as in `fftconv`, and nothing for the rest; the
    /// formula needs half of those, since sequences are real.
    fn work(&self, problem: &Problem) -> Work {
        let sizes = Sizes::of(problem);
        let [b, l, d, n] = [sizes.b, sizes.l, sizes.d, sizes.n].map(|size| size as u64);
        let products = b * l * 14 * d * d;
        let transforms = 2 * b * d * (10 * n * u64::from(n.ilog2()) + 6 * n);
        let bytes = |tensor: &Tensor| tensor.bytes().0;
        Work {
            convention: Flops(products + transforms),
            convention_name: "14·b·l·d² + 2·b·d·(10·n·log2 n + 6·n)",
            executed: Flops(products + transforms / 2),
            least_bytes: Bytes(self.tensors(problem).iter().map(bytes).sum()),
        }
    }

    /// y has deviation one, whatever comes in, as far as ε allows. In 16 bits the reference rounds
    /// what a kernel stores between its steps, but not what it rounds within a convolution, up to
    /// twelve times by 0.41 units each, as in `fftconv`: some 1.4 units of what goes into the first
    /// residual. Of the largest error of millions, five deviations.
    fn tolerance(&self, problem: &Problem, _output: usize) -> Tolerance {
        let sizes = Sizes::of(problem);
        let unit = unit_roundoff(problem.dtype);
        let (relative, largest) = match problem.dtype {
            Dtype::F32 => (16.0 * unit, 128.0 * unit),
            _ => (0.67 * unit, 6.0 * unit),
        };
        Tolerance {
            factor: 2.0,
            floor_relative: relative * cancellation((sizes.tokens() * sizes.d) as u64),
            floor_absolute: largest,
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}
