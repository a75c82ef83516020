//! What clang makes of the test kernels gives the right answer in every order of waves, on both architectures.
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use common::*;
use tilemark_cdna::exec::group::Order;
use tilemark_cdna::kernel::Kernel;
use tilemark_cdna::launch::Options;
use tilemark_cdna::session::{Argument, run};

const ORDERS: [Order; 4] = [Order::InTurn, Order::Seeded(1), Order::Seeded(2), Order::Seeded(3)];

fn check(kernel: &Kernel, case: &Case) {
    for order in ORDERS {
        let options = Options { order, ..Options::default() };
        let outcome = run(kernel, case.grid, &case.arguments, &options);
        let outcome = outcome.unwrap_or_else(|error| panic!("{} {order:?}: {error}", kernel.arch));
        let got = floats(&outcome.buffers[case.output]);
        assert_eq!(got.len(), case.want.len());
        for (index, (&got, &want)) in got.iter().zip(&case.want).enumerate() {
            let error = (f64::from(got) - want).abs();
            assert!(
                error <= case.tolerance,
                "{} {order:?} at {index}: {got} is not {want}",
                kernel.arch
            );
        }
    }
}

#[test]
fn gemm_equals_the_plain_product() {
    for arch in ARCHS {
        for k in [32, 64, 160] {
            check(&kernel("gemm", arch, "gemm"), &gemm(128, 64, k));
        }
    }
}

#[test]
fn attention_equals_softmax() {
    for arch in ARCHS {
        check(&kernel("attention", arch, "attention"), &attention(96));
    }
}

#[test]
fn rmsnorm_sums_across_lanes_and_waves() {
    for arch in ARCHS {
        check(&kernel("vector", arch, "rmsnorm"), &rmsnorm(3));
    }
}

#[test]
fn histogram_counts_by_atomics() {
    let keys: Vec<u32> = (0..1000u32).map(|i| i.wrapping_mul(2_654_435_761) >> 7).collect();
    let mut want = [0u32; 64];
    keys.iter().for_each(|key| want[(key % 64) as usize] += 1);
    let bytes = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
    let arguments = [Argument::Buffer(bytes), zeros(256), value(1000)];
    for arch in ARCHS {
        for order in ORDERS {
            let options = Options { order, ..Options::default() };
            let kernel = kernel("vector", arch, "histogram");
            let outcome = run(&kernel, grid([2, 1, 1], 256), &arguments, &options).unwrap();
            let got: Vec<u32> = outcome.buffers[1]
                .chunks_exact(4)
                .map(|c| u32::from_le_bytes(c.try_into().unwrap()))
                .collect();
            assert_eq!(got, want);
        }
    }
}

/// Without TILEMARK_HIP_CLANG there is nothing to compare; with it, a compiler that fails fails the test.
#[test]
fn a_fresh_compilation_agrees_too() {
    for arch in ARCHS {
        if let Some(text) = compiled("gemm", arch) {
            check(&from_text(&text, "gemm"), &gemm(64, 64, 64));
        }
        if let Some(text) = compiled("attention", arch) {
            check(&from_text(&text, "attention"), &attention(64));
        }
    }
}
