//! Properties of the layer that hold for every implementation, and of its truth.

use super::reference::gelu;
use super::{BETA, BIAS, GAMMA, MonarchMixer, NARROW, OUT, SHORT, SPECTRA, U, WIDEN};
use crate::testing::{Trial, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::{Bytes, Distribution, Dtype, Family, Flops, Shape, Value};

const CROOKED: [&str; 4] = ["b=1,l=1,d=4", "b=2,l=5,d=12", "b=1,l=130,d=8", "b=3,l=33,d=20"];

/// Factors of 64 in every input are beyond what f32 holds after nine products of them.
const DISTRIBUTIONS: [Distribution; 5] = [
    Distribution::Normal,
    Distribution::Uniform,
    Distribution::Outliers,
    Distribution::Subnormal,
    Distribution::Zeros,
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for dtype in MonarchMixer.about().dtypes {
        for (shape, distribution) in CROOKED
            .iter()
            .map(|shape| (*shape, Distribution::Normal))
            .chain(DISTRIBUTIONS.map(|distribution| (CROOKED[3], distribution)))
        {
            let trial = Trial::drawn(&MonarchMixer, shape, *dtype, distribution);
            for implementation in on_host(&MonarchMixer) {
                let outputs = trial.run(implementation, &trial.inputs());
                let name = implementation.name;
                assert_eq!(trial.judge(&outputs), Ok(()), "`{name}`, {dtype}, {distribution:?}");
            }
        }
    }
}

#[test]
fn gelu_weighs_by_the_error_function_of_the_tables() {
    for (x, erf) in [
        (0.0, 0.0),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (3.5, 0.999_999_256_901_627_7),
    ] {
        let x = x * std::f64::consts::SQRT_2;
        assert!((gelu(x) - x * (1.0 + erf) / 2.0).abs() < 1e-12, "{x}: {}", gelu(x));
        assert!((gelu(-x) + x * (1.0 - erf) / 2.0).abs() < 1e-12, "−{x}: {}", gelu(-x));
    }
}

/// Inputs of one sequence of two positions and four channels, whose layer is little more than one
/// convolution: the spectra of taps, everything else 0 or as given.
fn bare(trial: &Trial) -> Vec<Vec<f32>> {
    let mut inputs = trial.inputs();
    for tensor in [SPECTRA, BIAS, BETA, WIDEN, NARROW, SHORT] {
        inputs[tensor].fill(0.0);
    }
    inputs[GAMMA].fill(1.0);
    let d = trial.problem.shape.index("d");
    for (at, weight) in inputs[OUT].iter_mut().enumerate() {
        *weight = f32::from(u8::from(at / d == at % d));
    }
    inputs
}

/// LayerNorm without a factor, twice over.
fn normalised_twice(row: &[f64]) -> Vec<f64> {
    let once = |row: &[f64]| -> Vec<f64> {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
        row.iter().map(|x| (x - mean) / (variance + super::EPSILON).sqrt()).collect()
    };
    once(&once(row))
}

#[test]
fn lags_of_both_signs_are_where_the_convention_puts_them() {
    let (d, n, l) = (4, 256, 3);
    let trial = Trial::new(&MonarchMixer, "b=1,l=3,d=4", Dtype::F32);
    // A filter of one tap at place `place` has a spectrum of turns: lag 1, and lag −1 from the end.
    for (place, from) in [(0, [0, 1, 2]), (1, [9, 0, 1]), (n - 1, [1, 2, 9])] {
        let mut inputs = bare(&trial);
        for channel in 0..d {
            for bin in 0..=n / 2 {
                let angle = -std::f64::consts::TAU * (bin * place % n) as f64 / n as f64;
                let at = ((d + channel) * (n / 2 + 1) + bin) * 2;
                inputs[SPECTRA][at] = angle.cos() as f32;
                inputs[SPECTRA][at + 1] = angle.sin() as f32;
            }
        }
        let u = |t: usize, c: usize| if t < l { f64::from(inputs[U][t * d + c]) } else { 0.0 };
        let expected = (0..l).flat_map(|t| {
            normalised_twice(&(0..d).map(|c| u(t, c) + u(from[t], c)).collect::<Vec<_>>())
        });
        let expected: Vec<f64> = expected.collect();
        for implementation in on_host(&MonarchMixer) {
            let found = trial.run(implementation, &inputs).swap_remove(0);
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (f64::from(*found) - expected).abs();
                assert!(error < 1e-5, "`{}`, tap {place}: element {at}", implementation.name);
            }
        }
    }
}

#[test]
fn on_hopper_the_layer_is_ten_launches_where_a_block_holds_a_transform() {
    let entries = |shape: &str| -> Vec<&str> {
        let problem = problem(&MonarchMixer, shape, Dtype::Bf16);
        let plan = super::device::sm90_plan(&problem, &device(Vendor::Nvidia, "sm_90a"));
        plan.steps.iter().filter_map(|step| Some(step.launch()?.entry)).collect()
    };
    let (before, after) = (
        ["gemm_sm90_wgmma", "mixer_gate_in"],
        [
            "mixer_gate_out",
            "gemm_sm90_wgmma",
            "mixer_layer_norm",
            "gemm_sm90_wgmma",
            "gemm_sm90_wgmma",
            "mixer_layer_norm",
        ],
    );
    let one_pass = ["fftconv_arrange_short", "fftconv_short"];
    assert_eq!(entries("b=16,l=2048"), [&before[..], &one_pass, &after].concat());
    assert_eq!(entries("b=1,l=32768").len(), 14);
}

#[test]
fn every_input_has_a_say() {
    let trial = Trial::new(&MonarchMixer, "b=2,l=7,d=12", Dtype::F32);
    for implementation in on_host(&MonarchMixer) {
        for tensor in 0..trial.inputs().len() {
            let mut inputs = trial.inputs();
            inputs[tensor].iter_mut().for_each(|value| *value *= 0.9);
            let outputs = trial.run(implementation, &inputs);
            let name = trial.tensors[tensor].name;
            assert!(trial.judge(&outputs).is_err(), "`{}` ignores {name}", implementation.name);
        }
    }
}

#[test]
fn sequences_of_a_batch_do_not_mix() {
    let trial = Trial::new(&MonarchMixer, "b=2,l=9,d=8", Dtype::F32);
    let (mut inputs, half) = (trial.inputs(), 9 * 8);
    for implementation in on_host(&MonarchMixer) {
        let before = trial.run(implementation, &inputs).swap_remove(0);
        inputs[U][half..].fill(0.25);
        let after = trial.run(implementation, &inputs).swap_remove(0);
        let largest = |range: std::ops::Range<usize>| {
            let pairs = before[range.clone()].iter().zip(&after[range]);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(largest(0..half) < 1e-5, "`{}`", implementation.name);
        assert!(largest(half..2 * half) > 0.1, "`{}`", implementation.name);
        inputs = trial.inputs();
    }
}

#[test]
fn only_whole_blocks_of_channels_and_sequences_that_fit_a_transform_are_shapes() {
    let refusal = |l, d| {
        let given = [("b", 1), ("l", l), ("d", d)]
            .map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
        let axes = MonarchMixer.about().axes;
        let shape = Shape::complete(&given, axes).expect("these are its axes");
        MonarchMixer.check(&shape).err()
    };
    assert_eq!(refusal(1 << 21, 4), None);
    assert!(refusal(1, 6).is_some_and(|why| why.contains("axis `d`")));
    assert!(refusal((1 << 21) + 1, 4).is_some_and(|why| why.contains("axis `l`")));
}

#[test]
fn work_counts_products_and_transforms_of_twice_the_length() {
    let trial = Trial::new(&MonarchMixer, "b=3,l=2048,d=768", Dtype::Bf16);
    let work = MonarchMixer.work(&trial.problem);
    let products = 3 * 2048 * 14 * 768 * 768;
    let transforms = 2 * 3 * 768 * (10 * 4096 * 12 + 6 * 4096);
    assert_eq!(work.convention, Flops(products + transforms));
    assert_eq!(work.executed, Flops(products + transforms / 2));
    let spectra = 2 * 768 * 2049 * 8;
    let matrices = 2 * 7 * 768 * 768;
    let vectors = 4 * (3 * 768 * 3 + 6 * 768);
    assert_eq!(work.least_bytes, Bytes(2 * 2 * 3 * 2048 * 768 + spectra + matrices + vectors));
}

#[test]
fn the_truth_of_a_problem_is_not_taken_for_another_ones() {
    let truth = |shape: &str| {
        let trial = Trial::new(&MonarchMixer, shape, Dtype::F32);
        trial.truth(Arithmetic::Exact).swap_remove(0)
    };
    let first = truth("b=1,l=5,d=8");
    assert_ne!(truth("b=1,l=6,d=8")[..first.len()], first[..]);
    assert_eq!(truth("b=1,l=5,d=8"), first);
}
