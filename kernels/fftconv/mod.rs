//! Long convolution of sequences with a filter a head: y = iFFT(FFT(u)·K), over N points.
//!
//! u and y are (B, H, L); u is padded with zeros to N points and y is the first L of the result, so
//! L = N is the circular convolution, and L ≤ N/2 with a filter of as many taps the causal one. K is
//! the filter's spectrum: bins 0 to N/2 as pairs of f32, of which the first and the last are real
//! whatever their imaginary parts hold. It is an input in the order of frequencies, as users cache
//! it; what an implementation does to it is inside its time. With gates, y = post·conv(pre·u).
//! (D. Fu et al., FlashFFTConv, 2023, whose partial and frequency-sparse convolutions the last two
//! axes are.) With `kept`, of the sixteen blocks k mod 16 of frequencies, which are what the first
//! stage of a decomposition leaves, those pass whose number is a multiple of 16/kept: such a set
//! mirrors itself, so that the filter is real. With `taps`, the filter is given in time, k (H, taps)
//! in f32 for K, is 0 from there on, and its transform is inside the time.
//! Work: some 10·log₂ N operations an element of 4 bytes: bound by memory up to N = 4096 if tensor
//! cores do it. It must not know devices, clocks or who measures.

mod backward;
mod cpu;
mod cpu_monarch;
mod cuda;
mod cuda_backward;
mod cuda_cluster;
mod cuda_outer;
mod cuda_outer_backward;
mod cuda_passes;
mod cuda_resident;
mod cuda_short;
mod cut;
mod hip;
mod hip_backward;
mod passes;
mod reference;
#[cfg(test)]
mod tests;

pub use backward::FftConvBackward;
// For the truth of families of which a convolution is a part.
pub(crate) use reference::{Complex, roots, transform};

use crate::exactness::{cancellation, deviation, unit_roundoff};
use crate::host;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};

/// The family.
pub struct FftConv;

static ABOUT: About = About {
    name: "fftconv",
    formula: "y = iFFT(FFT(u)·K), with gates y = post·iFFT(FFT(pre·u)·K)",
    axes: &AXES,
    dtypes: &[Dtype::F32, Dtype::Bf16, Dtype::F16],
    shapes: include_str!("shapes.toml"),
    cpu_rivals: "`realfft`, the real transforms of rustfft",
};

/// Axes that both passes have, the first of all.
const SHARED_AXES: usize = 5;

static AXES: [Axis; 7] = [
    size("b", "batch", AxisDefault::Required),
    size("h", "heads, each with a filter of its own", AxisDefault::Required),
    size("n", "points of the transform, a power of two from 256 to 4194304", AxisDefault::Required),
    size("l", "elements of a sequence, at most n", AxisDefault::SameAs("n")),
    Axis {
        name: "gated",
        meaning: "whether input and output are multiplied by gates",
        kind: AxisKind::Flag,
        default: AxisDefault::Flag(false),
    },
    size(
        "kept",
        "blocks of 16 by frequency that the filter passes: 1, 2, 4, 8 or 16",
        AxisDefault::Absent,
    ),
    size("taps", "taps of a filter given in time, at most n", AxisDefault::Absent),
];

const fn size(name: &'static str, meaning: &'static str, default: AxisDefault) -> Axis {
    Axis { name, meaning, kind: AxisKind::Integer { min: 1 }, default }
}

static IMPLEMENTATIONS: [Implementation; 9] = [
    Implementation {
        name: "cpu_naive",
        idea: "a sequence at a time on one thread, by transforms of radix 2",
        standing: Standing::Rung,
        supports: host::any_on_host,
        code: Code::Host(cpu::naive),
    },
    Implementation {
        name: "cpu_monarch",
        idea: "pairs of sequences as complex ones in parallel, by dense transforms of 16 points, and no more of them than the filter needs",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu_monarch::monarch),
    },
    Implementation {
        name: "sm80_monarch",
        idea: "pairs of sequences as complex ones, by dense transforms of 16 points on tensor cores, in one pass over memory, or three beyond 32768 points",
        standing: Standing::Candidate,
        supports: cuda::any_since_sm80,
        code: Code::Steps(cuda::monarch),
    },
    Implementation {
        name: "sm80_short",
        idea: "the same up to 4096 points, of which the first and the last stage go straight to memory, and no more of them than the filter needs",
        standing: Standing::Candidate,
        supports: cuda_short::any_since_sm80,
        code: Code::Steps(cuda_short::plan),
    },
    Implementation {
        name: "sm90_resident",
        idea: "the same up to 8192 points, by blocks that keep tables and a head's spectrum in shared memory while they go through the batch",
        standing: Standing::Candidate,
        supports: cuda_resident::any_since_sm90,
        code: Code::Steps(cuda_resident::plan),
    },
    Implementation {
        name: "sm90_cluster",
        idea: "the same by two blocks of a cluster, which have a half of each sequence's frequencies",
        standing: Standing::Candidate,
        supports: cuda_cluster::any_since_sm90,
        code: Code::Steps(cuda_cluster::plan),
    },
    Implementation {
        name: "sm80_frequency_sparse",
        idea: "the same on sequences folded to the blocks of frequencies that the filter passes",
        standing: Standing::Candidate,
        supports: cuda_passes::sparse_since_sm80,
        code: Code::Steps(cuda_passes::plan),
    },
    Implementation {
        name: "sm80_partial",
        idea: "the same over no more points than sequences have, and over twice as many as the first results that wrap around",
        standing: Standing::Candidate,
        supports: cuda_passes::partial_since_sm80,
        code: Code::Steps(cuda_passes::plan),
    },
    Implementation {
        name: "gfx942_monarch",
        idea: "pairs of sequences as complex ones, by dense transforms of 16 points on matrix cores, a strip and four tiles a wave, in one pass over memory, or three from 65536 points on",
        standing: Standing::Candidate,
        supports: hip::any_since_gfx942,
        code: Code::Steps(hip::monarch),
    },
];

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    h: usize,
    n: usize,
    l: usize,
    gated: bool,
    /// Of so many neighbouring frequencies the filter passes one.
    fold: usize,
    /// Where the filter is given in time.
    taps: Option<usize>,
}

/// Blocks of frequencies, of which `kept` pass.
const BLOCKS: usize = 16;

impl Sizes {
    fn of(problem: &Problem) -> Self {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.index(axis));
        let cut = |axis| problem.shape.get(axis).map(|_| problem.shape.index(axis));
        let fold = BLOCKS / cut("kept").unwrap_or(BLOCKS);
        Sizes { b, h, n, l, gated: problem.shape.flag("gated"), fold, taps: cut("taps") }
    }

    /// Bins of the half spectrum of a real sequence.
    fn bins(self) -> usize {
        self.n / 2 + 1
    }
}

/// Places in the family's list of tensors; y is the last.
const U: usize = 0;
const SPECTRUM: usize = 1;
const PRE: usize = 2;
const POST: usize = 3;

/// Place of y.
fn y_index(gated: bool) -> usize {
    if gated { 4 } else { 2 }
}

impl Family for FftConv {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, shape: &Shape) -> Result<(), String> {
        let (n, l) = (shape.integer("n"), shape.integer("l"));
        if !n.is_power_of_two() || !(256..=1 << 22).contains(&n) {
            return Err(format!("axis `n` takes powers of two from 256 to 4194304, not {n}"));
        }
        if l > n {
            return Err(format!("axis `l` must be at most n = {n}, and {l} is more"));
        }
        let cut = |axis| shape.get(axis).map(|_| shape.integer(axis));
        match [cut("kept"), cut("taps")] {
            [Some(_), Some(_)] => {
                Err("axes `kept` and `taps` exclude each other: a filter given in time passes all frequencies".to_owned())
            }
            [Some(kept), _] if !kept.is_power_of_two() || kept > BLOCKS as u64 => {
                Err(format!("axis `kept` takes 1, 2, 4, 8 and 16, not {kept}"))
            }
            [_, Some(taps)] if taps > n => {
                Err(format!("axis `taps` must be at most n = {n}, and {taps} is more"))
            }
            _ => Ok(()),
        }
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        let (dims, dtype) = ([b, h, l], problem.dtype);
        let input = |name| Tensor::input(name, &dims, dtype, 0.0, 1.0);
        let filter = match Sizes::of(problem).taps {
            None => Tensor::input("K", &[h, n / 2 + 1, 2], Dtype::F32, 0.0, 1.0),
            // So that results are as large as sequences.
            Some(taps) => {
                let deviation = (taps as f32).sqrt().recip();
                Tensor::input("k", &[h, taps as u64], Dtype::F32, 0.0, deviation)
            }
        };
        let mut tensors = vec![input("u"), filter];
        if problem.shape.flag("gated") {
            tensors.extend(["pre", "post"].map(input));
        }
        tensors.push(Tensor::output("y", &dims, dtype, l));
        tensors
    }

    /// By convention two complex transforms a sequence and a complex product; the formula needs but
    /// half of that, since sequences are real. Points are those that a cut filter needs: of each of
    /// its passes, with the sums that fold sequences, and a real transform of a filter given in time.
    fn work(&self, problem: &Problem) -> Work {
        let sizes = Sizes::of(problem);
        let [b, h, l] = [sizes.b, sizes.h, sizes.l].map(|size| size as u64);
        let (gates, tensors) = if sizes.gated { (2 * l, 4) } else { (0, 2) };
        let (mut transforms, mut sums, mut filters) = (0, 0, 0);
        for pass in sizes.passes() {
            let points = pass.points as u64;
            let turns = points * u64::from(points.ilog2());
            transforms += 10 * turns + 6 * points;
            sums += (pass.length as u64).saturating_sub(points);
            filters += pass.taps.map_or(0, |_| 5 * turns / 2);
        }
        let flops = |transforms| Flops(b * h * (transforms + sums + gates) + h * filters);
        let filter = sizes.taps.map_or(8 * (sizes.n / sizes.fold / 2 + 1), |taps| 4 * taps);
        Work {
            convention: flops(transforms),
            convention_name: "b·h·(10·n·log2 n + 6·n), 2·l more with gates; of the passes that `kept` or `taps` leave, with their sums and h·2.5·n·log2 n for taps",
            executed: flops(transforms / 2),
            least_bytes: Bytes(tensors * b * h * l * problem.dtype.size() + h * filter as u64),
        }
    }

    fn tolerance(&self, problem: &Problem, _output: usize) -> Tolerance {
        convolved_tolerance(problem)
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

/// How exact sequences must be that were convolved once, in either pass.
///
/// A kernel in 16 bits rounds what it has between its stages, up to twelve times, each by an error
/// of 0.41 units' deviation: 1.4 together, of which the reference's own error, doubled, covers 0.8.
/// Its matrices are rounded as well; a scale keeps that error small in bf16, and nearly so where they
/// are plain in fp16, where four that have factors in them err by 0.41 units each: 1.6 together.
/// Errors of so many roundings are normal, and the largest of millions is five deviations; where a
/// gate multiplies them it is that of products of two normal numbers, 14. A sequence has
/// deviation √(2 L/N) times that of its factors, less by the root of the share of frequencies that
/// pass, and that of its factors where the filter is given in time.
fn convolved_tolerance(problem: &Problem) -> Tolerance {
    let Sizes { b, h, n, l, gated, fold, taps } = Sizes::of(problem);
    let unit = unit_roundoff(problem.dtype);
    let factors = deviation(problem.distribution).powi(if gated { 4 } else { 2 });
    let spread =
        taps.map_or(2.0 * l as f64 / (n * fold) as f64, |taps| (l as f64 / taps as f64).min(1.0));
    let element = spread.sqrt() * factors;
    let (relative, largest) = match problem.dtype {
        Dtype::F32 => (4.0, 32.0),
        Dtype::F16 => (0.85, 7.0),
        _ => (0.67, 6.0),
    };
    let tail = if gated { 14.0 / 5.0 } else { 1.0 };
    Tolerance {
        factor: 2.0,
        floor_relative: relative * unit * cancellation((b * h * l) as u64),
        floor_absolute: largest * tail * unit * element,
    }
}
