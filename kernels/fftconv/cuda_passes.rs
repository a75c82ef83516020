//! Launches of convolutions in passes: the whole one, and those of filters that pass few frequencies
//! or have few taps.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{
    self, AMD_FRAGMENTS, Convolution, Cut, FRAGMENTS, LONGEST, MONARCH_HEADER, Scratch,
};
use super::passes::Pass;
use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use crate::tile::{self, count, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

static FILTER: Source = Source {
    path: "fftconv/filter.cu",
    text: include_str!("filter.cu"),
    headers: &[MONARCH_HEADER, FRAGMENTS, AMD_FRAGMENTS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// The shortest transform that a block does.
const SHORTEST: usize = 256;

/// `supports` of what folds sequences.
pub fn sparse_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    if Sizes::of(problem).fold == 1 {
        return Err("folds sequences whose filter passes some of the frequencies, not all".into());
    }
    any_since_sm80(problem, info)
}

/// `supports` of what knows that a filter has few taps.
pub fn partial_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    let sizes = Sizes::of(problem);
    let Some(taps) = sizes.taps else {
        return Err("takes filters that are given in time".into());
    };
    if sizes.passes() == [sizes.whole()] {
        return Err(format!("{taps} taps leave nothing out of {} points", sizes.n));
    }
    any_since_sm80(problem, info)
}

fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    any_up_to(LONGEST as usize, problem, info)
}

/// Whether every pass that the filter needs is of so many points at most.
pub fn any_up_to(longest: usize, problem: &Problem, info: &Info) -> Result<(), String> {
    for Pass { points, .. } in Sizes::of(problem).passes() {
        if !(SHORTEST..=longest).contains(&points) {
            return Err(format!("transforms {SHORTEST} to {longest} points, not {points}"));
        }
        cuda::any_of_points(problem, info, points as u64)?;
    }
    needs_31_bits(&[problem.shape.integer("h"), problem.shape.integer("n")])
}

/// The filters of a transform.
#[derive(Clone, Copy)]
pub struct Filters {
    /// Their half spectra.
    pub spectra: usize,
    /// Of so many neighbouring bins of a transform one passes.
    pub passed: u64,
}

impl Filters {
    /// The family's, all of which pass.
    pub const GIVEN: Filters = Filters { spectra: SPECTRUM, passed: 1 };
}

/// What convolves in one pass over memory.
pub struct Kernels<'a> {
    /// Makes the tables of a transform, and brings so many spectra into its order.
    pub arrange: fn(Cut, Dtype, u64, Filters, Scratch) -> Launch,
    /// Convolves.
    pub convolve: &'a dyn Fn(&Convolution, Scratch) -> Launch,
}

/// Of any length that a block holds.
pub const ANY: Kernels<'static> = Kernels { arrange: cuda::arrange, convolve: &cuda::convolve };

/// The passes that the filter needs.
pub fn plan(problem: &Problem, _info: &Info) -> Plan {
    plan_of(problem, &Sizes::of(problem).passes(), &ANY)
}

/// The spectra of filters given in time, then all spectra in the kernel's order, then the passes.
pub fn plan_of(problem: &Problem, passes: &[Pass], kernels: &Kernels<'_>) -> Plan {
    let sizes = Sizes::of(problem);
    let heads = sizes.h as u64;
    let last = y_index(sizes.gated);
    let mut plan = Plan::default();
    let (mut filters, mut arranges, mut convolutions) = (Vec::new(), Vec::new(), Vec::new());
    for pass in passes {
        let cut = Cut::of(pass.points as u64).folded(pass.fold as u64);
        let scratch = Scratch::after(last + plan.scratch.len());
        plan.scratch.extend(cut.scratch(heads, 1));
        let mut given = Filters { spectra: SPECTRUM, passed: (sizes.fold / pass.fold) as u64 };
        if let Some(taken) = pass.taps {
            plan.scratch.push(Bytes(heads * (pass.points as u64 / 2 + 1) * 8));
            given.spectra = last + plan.scratch.len();
            filters.push(filter(problem, pass.points, taken, given.spectra));
        }
        arranges.push((kernels.arrange)(cut, problem.dtype, heads, given, scratch));
        let convolution = Convolution {
            cut,
            dtype: problem.dtype,
            extents: [sizes.b, sizes.h, pass.length].map(|size| size as u64),
            pitch: sizes.l as u64,
            u: U,
            gates: sizes.gated.then_some([PRE, POST]),
            y: last,
            scaled_rows: false,
        };
        convolutions.push((kernels.convolve)(&convolution, scratch));
    }
    // Blocks bring in their sequences while spectra are being arranged, or while the pass before ends.
    let before = filters.into_iter().chain(arranges).map(Step::Launch);
    plan.steps = before.chain(convolutions.into_iter().map(Step::Early)).collect();
    plan
}

/// Spectra over so many points of filters given in time, of which so many taps count.
fn filter(problem: &Problem, points: usize, taken: usize, spectra: usize) -> Launch {
    let Sizes { h, taps, .. } = Sizes::of(problem);
    let half = points / 2;
    let taps = taps.expect("a pass takes taps where there are some");
    Launch {
        source: &FILTER,
        entry: "fftconv_filter",
        // Filters are in f32 whatever sequences are in.
        constants: cuda::constants(Cut::of(points as u64), Dtype::Bf16),
        grid: [h as u32, 1, 1],
        block: [(points / 8).min(1024) as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 8 * (half + half / 16 + half / 256 + half / 1024) as u32,
        arguments: vec![tensor(SPECTRUM), tensor(spectra), count(taps as u64), count(taken as u64)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::FftConv;
    use super::*;
    use crate::testing::{device, problem};
    use tilemark_core::device::Vendor;

    #[test]
    fn cut_filters_are_for_those_who_gain_by_them() {
        let refusal = |shape: &str, supports: fn(&_, &_) -> Result<(), String>| {
            let problem = problem(&FftConv, shape, Dtype::Bf16);
            supports(&problem, &device(Vendor::Nvidia, "sm_90a")).err()
        };
        let (sparse, partial) = (sparse_since_sm80, partial_since_sm80);
        assert_eq!(refusal("b=1,h=1,n=4096,kept=8", sparse), None);
        assert_eq!(refusal("b=1,h=1,n=65536,kept=8", sparse), None);
        assert!(refusal("b=1,h=1,n=4096", sparse).is_some_and(|why| why.contains("not all")));
        assert!(refusal("b=1,h=1,n=256,kept=8", sparse).is_some_and(|why| why.contains("not 128")));
        assert!(
            refusal("b=1,h=1,n=131072,kept=8", sparse).is_some_and(|why| why.contains("65536"))
        );
        assert_eq!(refusal("b=1,h=1,n=65536,l=32768,taps=8192", partial), None);
        assert!(
            refusal("b=1,h=1,n=4096,kept=8", partial).is_some_and(|why| why.contains("in time"))
        );
        assert!(
            refusal("b=1,h=1,n=4096,taps=8", partial).is_some_and(|why| why.contains("nothing"))
        );
        let long = refusal("b=1,h=1,n=65536,kept=8", cuda::any_since_sm80);
        assert!(long.is_some_and(|why| why.contains("32768")));
    }
}
