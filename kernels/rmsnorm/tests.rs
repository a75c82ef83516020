//! Properties of the normalisation that hold for every implementation, and of its truth.

use super::{EPSILON, RmsNorm};
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::Step;
use tilemark_core::{Bytes, Distribution, Dtype, Family, Flops};

const CROOKED: [&str; 6] = [
    "rows=1,hidden=1",
    "rows=1,hidden=1,residual=true",
    "rows=3,hidden=1023",
    "rows=3,hidden=1023,residual=true",
    "rows=67,hidden=65,residual=true",
    "rows=2,hidden=4097",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&RmsNorm) {
        check_agrees(&RmsNorm, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_row_over_its_root_mean_square() {
    let trial = Trial::new(&RmsNorm, "rows=1,hidden=2,residual=true", Dtype::F32);
    let [x, residual, w] = [0, 1, 2].map(|tensor| [0, 1].map(|at| trial.operands[tensor].at(at)));
    let r = [x[0] + residual[0], x[1] + residual[1]];
    let root = ((r[0] * r[0] + r[1] * r[1]) / 2.0 + EPSILON).sqrt();
    let truth = trial.truth(Arithmetic::Exact);
    for j in 0..2 {
        assert!((truth[0][j] - r[j] / root * w[j]).abs() < 1e-14);
        assert_eq!(truth[1][j], r[j]);
    }
}

#[test]
fn a_larger_row_has_the_same_direction() {
    let trial = Trial::new(&RmsNorm, "rows=5,hidden=131", Dtype::F32);
    let mut larger = trial.inputs();
    larger[0].iter_mut().for_each(|x| *x *= 1024.0);
    for implementation in on_host(&RmsNorm) {
        let outputs = trial.run(implementation, &trial.inputs());
        let scaled = trial.run(implementation, &larger);
        for (y, scaled) in outputs[0].iter().zip(&scaled[0]) {
            // ε is 10⁻⁶ of the mean square.
            assert!((y - scaled).abs() < 2e-6 * y.abs(), "`{}`", implementation.name);
        }
    }
}

#[test]
fn the_residual_is_judged_by_its_own_scale() {
    // ε outweighs inputs of 2⁻²⁰, so that y is a thousand times larger than r.
    let shape = "rows=67,hidden=65,residual=true";
    let trial = Trial::drawn(&RmsNorm, shape, Dtype::Bf16, Distribution::Subnormal);
    let mut outputs = trial.run(&RmsNorm.implementations()[0], &trial.inputs());
    assert_eq!(trial.judge(&outputs), Ok(()));
    outputs[1][700] += 2f32.powi(-22);
    assert!(trial.judge(&outputs).is_err_and(|reason| reason.starts_with("r ")));
}

#[test]
fn a_row_of_zeros_stays_zero() {
    let trial = Trial::new(&RmsNorm, "rows=3,hidden=33", Dtype::F16);
    let mut inputs = trial.inputs();
    inputs[0][33..66].fill(0.0);
    for implementation in on_host(&RmsNorm) {
        let outputs = trial.run(implementation, &inputs);
        assert_eq!(outputs[0][33..66], [0.0; 33], "`{}`", implementation.name);
        assert_ne!(outputs[0][..33], [0.0; 33], "`{}`", implementation.name);
    }
}

#[test]
fn a_block_has_the_threads_that_a_row_asks_for() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let launch = |shape: &str| {
        let plan = super::cuda::forward(&problem(&RmsNorm, shape, Dtype::Bf16), &hopper);
        let [Step::Launch(launch)] = &plan.steps[..] else { panic!("{plan:?}") };
        (launch.grid[0], launch.block[0])
    };
    // Two vectors of eight a thread, and four in longer rows.
    assert_eq!(launch("rows=65536,hidden=4096"), (65536, 256));
    assert_eq!(launch("rows=3,hidden=8192"), (3, 256));
    assert_eq!(launch("rows=3,hidden=32768"), (3, 1024));
    // A row that starts within a vector may touch one more than it has.
    assert_eq!(launch("rows=4099,hidden=4089"), (4099, 256));
    assert_eq!(launch("rows=4099,hidden=4097"), (4099, 288));
}

#[test]
fn work_counts_each_tensor_once() {
    let work = |shape| {
        let work = RmsNorm.work(&Trial::new(&RmsNorm, shape, Dtype::Bf16).problem);
        (work.convention, work.least_bytes)
    };
    assert_eq!(work("rows=3,hidden=5"), (Flops(60), Bytes(2 * (2 * 15 + 5))));
    assert_eq!(work("rows=3,hidden=5,residual=true"), (Flops(75), Bytes(2 * (4 * 15 + 5))));
}
