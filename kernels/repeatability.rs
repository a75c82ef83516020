//! On a real GPU: an implementation that promises equal bits in every run keeps the promise.
//!
//! Where no GPU of NVIDIA is found there is nothing to run and these tests pass. They must not judge
//! whether an answer is right, which the gate does.

use crate::FAMILIES;
use crate::testing::problem;
use tilemark_core::device::{Device, Program};
use tilemark_core::family::Role;
use tilemark_core::{Dtype, Family, Implementation};
use tilemark_engine::tensors::Placed;

/// How often each is launched.
const RUNS: usize = 6;

/// Several tiles of queries and keys, with edges, and more blocks than the device runs at once.
const SHAPES: [&str; 3] = [
    "b=4,h=16,n=1000,d=128,causal=false",
    "b=4,h=16,n=1000,d=128,causal=true",
    "b=2,h=32,hk=4,n=2049,d=64,causal=true",
];

#[test]
fn deterministic_gradients_of_attention_have_equal_bits_in_every_run() {
    let Ok(mut device) = tilemark_engine::device::open("cuda:0", None) else { return };
    for shape in SHAPES {
        let runs = outputs(&mut *device, "attention_bwd", "sm90_flash_deterministic", shape);
        for run in &runs[1..] {
            assert!(*run == runs[0], "bits of two runs differ at {shape}");
        }
    }
}

/// Sums by atomic additions come in an order of chance. If they had equal bits too, the test above
/// would show nothing.
#[test]
fn gradients_summed_by_atomic_additions_differ_in_their_bits() {
    let Ok(mut device) = tilemark_engine::device::open("cuda:0", None) else { return };
    let differs = |shape: &&str| {
        let runs = outputs(&mut *device, "attention_bwd", "sm90_flash", shape);
        runs.iter().any(|run| *run != runs[0])
    };
    assert!(SHAPES.iter().any(differs), "no bit differed");
}

/// The bytes of all outputs after each of several launches, each on outputs that were poisoned.
fn outputs(
    device: &mut dyn Device,
    family: &str,
    implementation: &str,
    shape: &str,
) -> Vec<Vec<Vec<u8>>> {
    let family = *FAMILIES.iter().find(|f| f.about().name == family).expect("a family of ours");
    let problem = problem(family, shape, Dtype::Bf16);
    let body = named(family, implementation).code.body(&problem, device.info());
    let tensors = family.tensors(&problem);
    let placed = Placed::new(device, &problem, tensors, 1).expect("memory for the tensors");
    let program =
        Program { problem: &problem, implementation, body: &body, tensors: placed.slices(0) };
    let prepared = device.prepare(&program).expect("a program");
    let is_output = |at: &usize| matches!(placed.tensors()[*at].role, Role::Output { .. });
    let written: Vec<usize> = (0..placed.tensors().len()).filter(is_output).collect();
    let mut run = || {
        placed.poison_outputs(device).expect("outputs to poison");
        device.run(prepared).expect("a launch");
        written.iter().map(|at| placed.read(device, 0, *at).expect("an output")).collect()
    };
    let runs = (0..RUNS).map(|_| run()).collect();
    placed.release(device);
    runs
}

fn named(family: &dyn Family, name: &str) -> &'static Implementation {
    family.implementations().iter().find(|i| i.name == name).expect("an implementation of ours")
}
