//! Deletes instructions from the code that clang emits for AMD's GEMM and attention, one at a time:
//! the interpreter must notice by a fault, or a bit of a result must differ.
//!
//! The test takes a sample. `TILEMARK_MUTATION_STRIDE=1` makes it try every barrier, wait, matrix
//! instruction, access to LDS and transcendental that is executed, and `--nocapture` shows the counts.
//! It must not know what the kernels do.

use crate::interpreted::{Tensors, compiler, for_each_plan, grid, launches, module, value_bytes};
use crate::testing::Trial;
use crate::{attention, gemm};
use tilemark_cdna::exec::group::Order;
use tilemark_cdna::kernel::Kernel;
use tilemark_cdna::launch::Grid;
use tilemark_cdna::mutate::{Mutant, Verdict, mutate, tally};
use tilemark_cdna::session::Argument;
use tilemark_core::launch::{self, Plan};
use tilemark_core::{Dtype, Family};

/// Families with problems whose every loop turns at least twice, and that have edges.
static PROBLEMS: &[(&dyn Family, &str)] = &[
    (&gemm::Gemm, "m=250,n=250,k=200,layout=nt"),
    (&gemm::Gemm, "m=256,n=256,k=200"),
    (&attention::Attention, "b=1,h=1,n=96,nk=300,d=128"),
    (&attention::AttentionBackward, "b=1,h=2,hk=1,n=140,nk=150,d=128,causal=true"),
];

/// Of a hundred deletions, how many are noticed.
const NOTICED_PERCENT: usize = 99;

#[test]
fn deletions_from_the_kernels_that_are_measured_are_noticed() {
    let stride = std::env::var("TILEMARK_MUTATION_STRIDE");
    let stride = stride
        .map_or(4, |stride| stride.parse().expect("TILEMARK_MUTATION_STRIDE counts deletions"));
    let (mut all, mut noticed) = (0, 0);
    for (family, shape) in PROBLEMS {
        for_each_plan(*family, shape, Dtype::Bf16, |trial, name, arch, plan| {
            if !name.starts_with("gfx") || !compiler() {
                return;
            }
            for mut launch in launched(trial, plan, arch) {
                let mut mutants =
                    mutate(&mut launch.kernel, launch.grid, &launch.arguments, stride).unwrap();
                mutants.retain(|mutant| !divides(&launch.kernel, mutant));
                let (tried, found) = tally(&mutants);
                eprintln!("{arch} {} {shape}: {found} of {tried}", launch.kernel.name);
                tell_unnoticed(&launch.kernel, &mutants);
                (all, noticed) = (all + tried, noticed + found);
            }
        });
    }
    eprintln!("all: {noticed} of {all}");
    assert!(all >= 100 || !compiler(), "a sample of {all} says little");
    assert!(100 * noticed >= NOTICED_PERCENT * all, "{noticed} of {all} were noticed");
}

/// Whether it is the reciprocal of a division of whole numbers, whose error the steps after it
/// correct, and whose dividend is 0 in a grid of few blocks.
fn divides(kernel: &Kernel, mutant: &Mutant) -> bool {
    kernel.locations[mutant.index].text.starts_with("v_rcp_iflag_f32")
}

fn tell_unnoticed(kernel: &Kernel, mutants: &[Mutant]) {
    for mutant in mutants.iter().filter(|mutant| mutant.verdict == Verdict::Unnoticed) {
        let location = &kernel.locations[mutant.index];
        eprintln!("  unnoticed: line {}: {}", location.line, location.text);
    }
}

/// A kernel with the state in which its launch finds memory.
struct Launched {
    kernel: Kernel,
    grid: Grid,
    arguments: Vec<Argument>,
}

/// The plan's launches for the matrix cores.
fn launched(trial: &Trial, plan: &Plan, arch: &str) -> Vec<Launched> {
    let mut tensors = Tensors::upload(trial, &trial.inputs(), plan);
    let mut found = Vec::new();
    for launch in launches(plan) {
        let module = module(launch, arch).unwrap().expect("there is a compiler");
        let arguments = launch.arguments.iter().map(|argument| match argument {
            launch::Argument::Tensor { tensor, offset_bytes: 0 } => {
                Argument::Buffer(tensors.bytes(*tensor))
            }
            value => Argument::Value(value_bytes(value)),
        });
        let arguments = arguments.collect();
        tensors.start(launch, &module, Order::InTurn).unwrap();
        let kernel = module.kernels.into_iter().find(|kernel| kernel.name == launch.entry).unwrap();
        if launch.entry.contains("gfx") {
            found.push(Launched { kernel, grid: grid(launch), arguments });
        }
    }
    found
}
