//! Properties of the gradients that hold for every implementation, and of their truth.

use super::super::{FftConv, cuda_backward, hip_backward};
use super::FftConvBackward;
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::Step;
use tilemark_core::{Bytes, Dtype, Family, Flops};

const CROOKED: [&str; 6] = [
    "b=1,h=1,n=256,l=1",
    "b=3,h=2,n=256,gated=true",
    "b=2,h=3,n=512,l=257,gated=true",
    "b=5,h=1,n=1024",
    "b=1,h=1,n=4096,l=2048",
    "b=3,h=1,n=2048,l=1023",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&FftConvBackward) {
        check_agrees(&FftConvBackward, implementation, &CROOKED);
    }
}

#[test]
fn the_bound_on_dk_widens_where_a_sequence_has_fewer_elements_than_bins() {
    let bound = |shape| {
        let problem = problem(&FftConvBackward, shape, Dtype::F16);
        let tensors = FftConvBackward.tensors(&problem);
        let dk = tensors.iter().position(|tensor| tensor.name == "dK").expect("dK is an output");
        FftConvBackward.tolerance(&problem, dk).floor_relative
    };
    let whole = bound("b=2,h=1,n=256,l=256");
    assert!(bound("b=1,h=1,n=256,l=1") > 10.0 * whole);
    assert_eq!(bound("b=4,h=1,n=256,l=128"), whole, "bins are the fewer");
}

/// Places of u, K, pre and post among the inputs here; those of their gradients among the outputs.
const VARIABLES: [(usize, usize); 4] = [(0, 0), (1, 1), (3, 2), (4, 3)];

#[test]
fn the_truth_is_the_derivative_of_the_forward_pass() {
    let shape = "b=3,h=2,n=256,l=190,gated=true";
    let backward = Trial::new(&FftConvBackward, shape, Dtype::F32);
    let forward = Trial::new(&FftConv, shape, Dtype::F32);
    let truth = backward.truth(Arithmetic::Exact);
    let inputs = backward.inputs();
    for (variable, (input, output)) in VARIABLES.into_iter().enumerate() {
        let last = inputs[input].len() - 1;
        for element in [0, 1, 100, 101, 257, last - 1, last] {
            // y is linear in each of its factors: a derivative is what a lone one makes.
            let mut given: Vec<Vec<f32>> =
                VARIABLES.map(|(input, _)| inputs[input].clone()).to_vec();
            given[variable].fill(0.0);
            given[variable][element] = 1.0;
            let y = forward.run(on_host(&FftConv).next().expect("a rung"), &given);
            let expected: f64 = y[0].iter().zip(&inputs[2]).map(|(y, dy)| f64::from(y * dy)).sum();
            let found = truth[output][element];
            let error = (found - expected).abs();
            assert!(error < 1e-4, "variable {variable}, {element}: {found} for {expected}");
        }
    }
}

#[test]
fn items_of_a_pair_give_what_they_give_alone() {
    let trial = Trial::new(&FftConvBackward, "b=2,h=1,n=256", Dtype::F32);
    let inputs = trial.inputs();
    let mut silent = inputs.clone();
    silent[0][256..].fill(0.0);
    silent[2][..256].fill(0.0);
    for implementation in on_host(&FftConvBackward) {
        let dk = &trial.run(implementation, &silent)[1];
        // Neither item has both of u and dy.
        let worst = dk.iter().fold(0.0, |worst: f32, value| worst.max(value.abs()));
        assert!(worst < 1e-5, "`{}`: {worst}", implementation.name);
    }
}

#[test]
fn a_head_s_pairs_are_split_until_blocks_fill_a_device() {
    let plan = |shape: &str| {
        let problem = problem(&FftConvBackward, shape, Dtype::Bf16);
        let plan = cuda_backward::monarch(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let launches = plan.steps.iter().filter_map(Step::launch);
        let grids: Vec<(&str, u32)> =
            launches.map(|launch| (launch.entry, launch.grid[0])).collect();
        (grids, plan.scratch[3])
    };
    // A wave of 792 blocks on 132 multiprocessors.
    let (grids, sums) = plan("b=64,h=768,n=4096");
    let expected =
        [("fftconv_arrange", 32 + 768), ("fftconv_gradients", 768), ("fftconv_gradient", 9 * 768)];
    assert_eq!((grids.as_slice(), sums), (expected.as_slice(), Bytes(768 * 4096 * 8)));
    let (grids, sums) = plan("b=64,h=100,n=4096");
    assert_eq!((grids[1].1, sums), (7 * 100, Bytes(7 * 100 * 4096 * 8)));
    // One pair a head, in clusters of four.
    let (grids, sums) = plan("b=2,h=3,n=32768,gated=true");
    assert_eq!((grids.len(), grids[1]), (3, ("fftconv_gradients", 12)));
    assert_eq!(sums, Bytes(3 * 32768 * 8));
}

#[test]
fn long_ones_go_to_parts_and_back_for_each_gradient() {
    let entries = |shape: &str| -> Vec<&str> {
        let problem = problem(&FftConvBackward, shape, Dtype::Bf16);
        let plan = cuda_backward::monarch(&problem, &device(Vendor::Nvidia, "sm_90a"));
        plan.steps.iter().filter_map(Step::launch).map(|launch| launch.entry).collect()
    };
    let count = |shape: &str, entry: &str| {
        entries(shape).iter().filter(|launched| **launched == entry).count()
    };
    let (plain, gated) = ("b=1,h=2,n=65536", "b=1,h=2,n=65536,gated=true");
    assert_eq!([plain, gated].map(|shape| count(shape, "fftconv_outer_forward")), [2, 2]);
    assert_eq!([plain, gated].map(|shape| count(shape, "fftconv_outer_inverse")), [1, 3]);
    assert_eq!([plain, gated].map(|shape| count(shape, "fftconv_monarch")), [0, 1]);
}

#[test]
fn clusters_are_needed_to_differentiate_on_a_device() {
    let refusal = |n: u64, arch| {
        let problem = problem(&FftConvBackward, &format!("b=1,h=1,n={n}"), Dtype::F16);
        cuda_backward::any_since_sm90(&problem, &device(Vendor::Nvidia, arch)).err()
    };
    assert_eq!([256, 32768, 1 << 20].map(|n| refusal(n, "sm_90a")), [None, None, None]);
    assert!(refusal(1 << 21, "sm_90a").is_some_and(|why| why.contains("not 16384")));
    assert!(refusal(256, "sm_80").is_some_and(|why| why.contains("sm_90")));
}

#[test]
fn on_amd_registers_bound_what_a_block_differentiates() {
    let refusal = |n: u64, arch| {
        let problem = problem(&FftConvBackward, &format!("b=1,h=1,n={n}"), Dtype::F16);
        hip_backward::any_since_gfx942(&problem, &device(Vendor::Amd, arch)).err()
    };
    for arch in ["gfx942", "gfx950"] {
        assert_eq!(refusal(8192, arch), None);
        assert!(refusal(16384, arch).is_some_and(|why| why.contains("8192 points, not 16384")));
    }
}

#[test]
fn work_counts_three_transforms_and_each_tensor_once() {
    let work = |shape: &str| {
        let work = FftConvBackward.work(&problem(&FftConvBackward, shape, Dtype::Bf16));
        (work.convention, work.executed, work.least_bytes)
    };
    let (rows, spectra) = (15, 5 * 258 * 4);
    let flops = |transforms: u64| rows * 256 * (5 * transforms * 8 + 14);
    let sequence = rows * 100 * 2;
    assert_eq!(
        work("b=3,h=5,n=256,l=100"),
        (Flops(flops(3)), Flops(flops(3) / 2), Bytes(3 * sequence + 2 * spectra))
    );
    let gates = 5 * rows * 100;
    assert_eq!(
        work("b=3,h=5,n=256,l=100,gated=true"),
        (Flops(flops(4) + gates), Flops(flops(4) / 2 + gates), Bytes(7 * sequence + 2 * spectra))
    );
}
