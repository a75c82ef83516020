//! Launches of convolutions in passes: the whole one, and those of filters that pass few frequencies
//! or have few taps.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::cuda::{self, Convolution, Cut, LONGEST, Scratch};
use super::passes::Pass;
use super::{POST, PRE, Sizes, U, y_index};
use crate::tile::{needs_31_bits, needs_sm};
use tilemark_core::launch::{Launch, Plan, Step};
use tilemark_core::{Dtype, Info, Problem};

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

/// How the filters of a transform are given.
#[derive(Clone, Copy)]
pub enum Filters {
    /// As half spectra, where of so many neighbouring bins of a transform one passes.
    Spectra { passed: u64 },
    /// In time, of so many taps, of which the first count.
    Taps { given: u64, taken: u64 },
}

impl Filters {
    /// Spectra all of whose bins pass.
    pub const WHOLE: Filters = Filters::Spectra { passed: 1 };
}

/// What convolves in one pass over memory.
pub struct Kernels {
    /// Makes the tables of a transform, and brings the spectra of so many filters into its order.
    pub arrange: fn(Cut, Dtype, u64, Filters, Scratch) -> Launch,
    /// Convolves.
    pub convolve: fn(&Convolution, Scratch) -> Launch,
}

/// Of any length that a block holds.
pub const ANY: Kernels = Kernels { arrange: cuda::arrange, convolve: cuda::convolve };

/// The passes that the filter needs.
pub fn plan(problem: &Problem, _info: &Info) -> Plan {
    plan_of(problem, &Sizes::of(problem).passes(), &ANY)
}

/// All spectra in the kernel's order, then the passes.
pub fn plan_of(problem: &Problem, passes: &[Pass], kernels: &Kernels) -> Plan {
    let sizes = Sizes::of(problem);
    let heads = sizes.h as u64;
    let last = y_index(sizes.gated);
    let mut plan = Plan::default();
    let (mut arranges, mut convolutions) = (Vec::new(), Vec::new());
    for pass in passes {
        let cut = Cut::of(pass.points as u64).folded(pass.fold as u64);
        let scratch = Scratch::after(last + plan.scratch.len());
        plan.scratch.extend(cut.scratch(heads, 1));
        let filters = match (sizes.taps, pass.taps) {
            (Some(given), Some(taken)) => {
                Filters::Taps { given: given as u64, taken: taken as u64 }
            }
            _ => Filters::Spectra { passed: (sizes.fold / pass.fold) as u64 },
        };
        arranges.push((kernels.arrange)(cut, problem.dtype, heads, filters, scratch));
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
    let before = arranges.into_iter().map(Step::Launch);
    plan.steps = before.chain(convolutions.into_iter().map(Step::Early)).collect();
    plan
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
