//! Properties of the gradients that hold for every implementation, and of their truth.

use super::super::EPSILON;
use super::RmsNormBackward;
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::Step;
use tilemark_core::{Bytes, Dtype, Family, Flops};

const CROOKED: [&str; 7] = [
    "rows=1,hidden=2",
    "rows=1,hidden=3,residual=true",
    "rows=3,hidden=1023",
    "rows=3,hidden=1023,residual=true",
    "rows=301,hidden=7",
    "rows=67,hidden=65,residual=true",
    "rows=2,hidden=4097",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&RmsNormBackward) {
        check_agrees(&RmsNormBackward, implementation, &CROOKED);
    }
}

/// y·dy summed, whose derivatives dx and dw are, in f64.
fn loss(r: &[f64], dy: &[f64], w: &[f64], hidden: usize) -> f64 {
    let rows = r.chunks_exact(hidden).zip(dy.chunks_exact(hidden));
    rows.map(|(r, dy)| {
        let mean = r.iter().map(|r| r * r).sum::<f64>() / hidden as f64;
        let s = 1.0 / (mean + EPSILON).sqrt();
        r.iter().zip(dy).zip(w).map(|((r, dy), w)| r * s * w * dy).sum::<f64>()
    })
    .sum()
}

#[test]
fn the_truth_is_the_derivative_of_the_forward_pass() {
    let (rows, hidden) = (3, 5);
    let trial = Trial::new(&RmsNormBackward, "rows=3,hidden=5", Dtype::F32);
    let values = |tensor: usize, count: usize| -> Vec<f64> {
        (0..count).map(|at| trial.operands[tensor].at(at)).collect()
    };
    let [mut r, dy] = [0, 1].map(|tensor| values(tensor, rows * hidden));
    let mut w = values(2, hidden);
    let [dx, dw] = trial.truth(Arithmetic::Exact).try_into().expect("two gradients");
    let step = 1e-5;
    for (at, dx) in dx.iter().enumerate() {
        let found = slope(&mut r, at, step, |r| loss(r, &dy, &w, hidden));
        assert!((found - dx).abs() < 1e-8, "dx[{at}]: {found} and {dx}");
    }
    for (at, dw) in dw.iter().enumerate() {
        let found = slope(&mut w, at, step, |w| loss(&r, &dy, w, hidden));
        assert!((found - dw).abs() < 1e-8, "dw[{at}]: {found} and {dw}");
    }
}

/// The central difference of `f` along one coordinate.
fn slope(x: &mut [f64], at: usize, step: f64, f: impl Fn(&[f64]) -> f64) -> f64 {
    let centre = x[at];
    let mut beside = |value| {
        x[at] = value;
        f(x)
    };
    let found = (beside(centre + step) - beside(centre - step)) / (2.0 * step);
    x[at] = centre;
    found
}

#[test]
fn a_gradient_past_the_normalisation_is_added() {
    let with = Trial::new(&RmsNormBackward, "rows=4,hidden=33,residual=true", Dtype::F32);
    for implementation in on_host(&RmsNormBackward) {
        let mut inputs = with.inputs();
        let added = with.run(implementation, &inputs);
        let past = std::mem::replace(&mut inputs[2], vec![0.0; 4 * 33]);
        let alone = with.run(implementation, &inputs);
        for ((added, alone), past) in added[0].iter().zip(&alone[0]).zip(past) {
            assert!((added - alone - past).abs() < 1e-5, "`{}`", implementation.name);
        }
        assert_eq!(added[1], alone[1], "`{}`: dw", implementation.name);
    }
}

#[test]
fn a_gradient_along_the_row_has_no_effect() {
    let trial = Trial::new(&RmsNormBackward, "rows=2,hidden=129", Dtype::F32);
    let mut inputs = trial.inputs();
    inputs[1] = inputs[0].clone();
    inputs[2].fill(1.0);
    for implementation in on_host(&RmsNormBackward) {
        let outputs = trial.run(implementation, &inputs);
        // ε keeps 10⁻⁶ of it, and f32 some 10⁻⁷.
        let largest = outputs[0].iter().fold(0.0f32, |max, dx| max.max(dx.abs()));
        assert!(largest < 1e-5, "`{}`: {largest}", implementation.name);
    }
}

#[test]
fn rows_that_the_copy_engine_does_not_take_stay_in_registers() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let source = |shape: &str| {
        let problem = problem(&RmsNormBackward, shape, Dtype::Bf16);
        let plan = super::super::cuda::bulk_backward(&problem, &hopper);
        let [Step::Launch(launch), Step::Early(_)] = &plan.steps[..] else { panic!("{plan:?}") };
        (launch.source.path, launch.grid[0])
    };
    const BULK: &str = "rmsnorm/sm90_bulk_backward.cu";
    const REGISTERS: &str = "rmsnorm/backward.cu";
    assert_eq!(source("rows=65536,hidden=4096"), (BULK, 132));
    // As many blocks as there are tiles of two rows.
    assert_eq!(source("rows=5,hidden=4096"), (BULK, 3));
    // A block that wide would spill.
    assert_eq!(source("rows=9,hidden=20480").0, BULK);
    assert_eq!(source("rows=9,hidden=20488"), (REGISTERS, 9));
    // All rows of a block start alike, so that they are eight, or a multiple of it, apart.
    assert_eq!(source("rows=4099,hidden=4097"), (REGISTERS, 264));
    assert_eq!(source("rows=4099,hidden=12001"), (REGISTERS, 128));
}

#[test]
fn work_counts_each_tensor_once() {
    let work = |shape| {
        let work = RmsNormBackward.work(&problem(&RmsNormBackward, shape, Dtype::Bf16));
        (work.convention, work.least_bytes)
    };
    assert_eq!(work("rows=3,hidden=5"), (Flops(165), Bytes(2 * (3 * 15 + 2 * 5))));
    assert_eq!(work("rows=3,hidden=5,residual=true"), (Flops(180), Bytes(2 * (4 * 15 + 2 * 5))));
}
