//! Properties of attention that hold for every implementation, and of its truth.

use super::{Attention, cuda, cuda_fp8};
use crate::testing::{Trial, check_agrees, device, problem};
use tilemark_core::device::Vendor;
use tilemark_core::family::{Arithmetic, Code};
use tilemark_core::launch::{Argument, Launch, Step};
use tilemark_core::{Bytes, Dtype, Family, Flops, Implementation, Shape, Value};

const CROOKED: [&str; 9] = [
    "b=1,h=1,n=1,d=1",
    "b=1,h=1,n=1,nk=131,d=64",
    "b=2,h=3,n=17,d=5",
    "b=1,h=4,hk=2,n=33,nk=65,d=72",
    "b=1,h=1,n=5,nk=259,d=257",
    "b=1,h=2,n=65,nk=65,d=64,causal=true",
    "b=1,h=2,n=19,nk=67,d=40,causal=true",
    "b=2,h=2,hk=1,n=67,nk=19,d=16,causal=true",
    "b=1,h=1,n=67,nk=1,d=33,causal=true",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in Attention.implementations() {
        check_agrees(&Attention, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_softmax_of_two_scores() {
    let trial = Trial::new(&Attention, "b=1,h=1,n=1,nk=2,d=1", Dtype::F16);
    let [q, k0, k1, v0, v1] =
        [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)].map(|(tensor, at)| trial.operands[tensor].at(at));
    let (e0, e1) = ((q * k0).exp(), (q * k1).exp());
    let truth = trial.truth(Arithmetic::Exact);
    assert!((truth[0][0] - (e0 * v0 + e1 * v1) / (e0 + e1)).abs() < 1e-14);
    assert!((truth[1][0] - (e0 + e1).ln()).abs() < 1e-14);
}

#[test]
fn weights_of_the_values_sum_to_one() {
    for causal in [false, true] {
        let shape = format!("b=1,h=2,n=37,nk=67,d=8,causal={causal}");
        let trial = Trial::new(&Attention, &shape, Dtype::F32);
        let mut inputs = trial.inputs();
        inputs[2].fill(1.0);
        for implementation in on_host() {
            let outputs = trial.run(implementation, &inputs);
            let worst = outputs[0].iter().map(|o| (o - 1.0).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "`{}` {shape}: off by {worst}", implementation.name);
        }
    }
}

#[test]
fn a_causal_query_ignores_later_keys() {
    let trial = Trial::new(&Attention, "b=1,h=1,n=40,nk=70,d=8,causal=true", Dtype::F32);
    let mut later = trial.inputs();
    // Query 20 sees keys up to 50.
    for tensor in [1, 2] {
        later[tensor][51 * 8..].fill(1e4);
    }
    for implementation in on_host() {
        let whole = trial.run(implementation, &trial.inputs());
        let cut = trial.run(implementation, &later);
        assert_eq!(whole[0][..21 * 8], cut[0][..21 * 8], "`{}`", implementation.name);
        assert_eq!(whole[1][..21], cut[1][..21], "`{}`", implementation.name);
    }
}

#[test]
fn queries_that_see_nothing_give_zero_and_minus_infinity() {
    let trial = Trial::new(&Attention, "b=1,h=1,n=7,nk=3,d=2,causal=true", Dtype::Bf16);
    let truth = trial.truth(Arithmetic::Exact);
    assert_eq!(truth[0][..4 * 2], [0.0; 8]);
    assert_eq!(truth[1][..4], [f64::NEG_INFINITY; 4]);
    assert!(truth[1][4..].iter().all(|lse| lse.is_finite()));
    for implementation in on_host() {
        let outputs = trial.run(implementation, &trial.inputs());
        assert_eq!(outputs[0][..4 * 2], [0.0; 8], "`{}`", implementation.name);
        assert_eq!(outputs[1][..4], [f32::NEG_INFINITY; 4], "`{}`", implementation.name);
    }
}

#[test]
fn sums_are_judged_as_f32_where_the_elements_are_shorter() {
    let trial = Trial::new(&Attention, "b=1,h=2,n=65,d=64,causal=true", Dtype::Bf16);
    let mut outputs = trial.run(&Attention.implementations()[0], &trial.inputs());
    assert_eq!(trial.judge(&outputs), Ok(()));
    // As if the scores had been rounded to 14 bits: no error for O, a large one for LSE.
    outputs[1].iter_mut().for_each(|lse| *lse *= 1.0 + 2f32.powi(-14));
    assert!(trial.judge(&outputs).is_err_and(|reason| reason.starts_with("LSE ")));
}

#[test]
fn grouped_queries_are_multi_head_with_repeated_keys() {
    let grouped = Trial::new(&Attention, "b=2,h=4,hk=2,n=9,nk=21,d=8", Dtype::F32);
    let full = Trial::new(&Attention, "b=2,h=4,n=9,nk=21,d=8", Dtype::F32);
    let mut inputs = grouped.inputs();
    for tensor in [1, 2] {
        let heads = inputs[tensor].chunks_exact(21 * 8);
        inputs[tensor] = heads.flat_map(|head| [head, head].concat()).collect();
    }
    for implementation in on_host() {
        let expected = full.run(implementation, &inputs);
        let found = grouped.run(implementation, &grouped.inputs());
        assert_eq!(found, expected, "`{}`", implementation.name);
    }
}

#[test]
fn large_scores_do_not_overflow() {
    let trial = Trial::new(&Attention, "b=1,h=1,n=5,nk=67,d=16", Dtype::F32);
    let mut inputs = trial.inputs();
    inputs[0].iter_mut().for_each(|q| *q *= 1e4);
    for implementation in on_host() {
        let outputs = trial.run(implementation, &inputs);
        let finite = outputs.iter().flatten().all(|value| value.is_finite());
        assert!(finite, "`{}`", implementation.name);
    }
}

#[test]
fn work_is_halved_by_convention_and_counted_by_pairs() {
    let work = |shape: &str| {
        let work = Attention.work(&Trial::new(&Attention, shape, Dtype::Bf16).problem);
        (work.convention, work.executed, work.least_bytes)
    };
    let bytes = |keys: u64| Bytes(2 * 2 * 8 * (4 * 6 + 2 * keys) + 4 * 4 * 6);
    let shape = "b=1,h=4,hk=2,n=6,d=8";
    assert_eq!(work(shape), (Flops(4 * 4 * 36 * 8), Flops(4 * 4 * 36 * 8), bytes(6)));
    // 1 + 2 + … + 6 pairs.
    let causal = format!("{shape},causal=true");
    assert_eq!(work(&causal), (Flops(2 * 4 * 36 * 8), Flops(4 * 4 * 21 * 8), bytes(6)));
    // 5 + 6 + … + 10 pairs, and 1 + 2 + 3 of queries of which three see nothing.
    let causal = |keys| format!("{shape},nk={keys},causal=true");
    assert_eq!(work(&causal(10)), (Flops(2 * 4 * 60 * 8), Flops(4 * 4 * 45 * 8), bytes(10)));
    assert_eq!(work(&causal(3)), (Flops(2 * 4 * 18 * 8), Flops(4 * 4 * 6 * 8), bytes(3)));
}

#[test]
fn key_heads_must_divide_query_heads() {
    let given = [("b", 1), ("h", 6), ("hk", 4), ("n", 1), ("d", 1)]
        .map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
    let shape = Shape::complete(&given, Attention.about().axes).unwrap();
    let refused = Err("axis `hk` must divide h = 6, and 4 does not".to_owned());
    assert_eq!(Attention.check(&shape), refused);
}

#[test]
fn hopper_takes_heads_of_whole_vectors_in_16_bits() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let refusal = |d: usize, dtype| {
        cuda::hopper(&problem(&Attention, &format!("b=1,h=1,n=3,d={d}"), dtype), &hopper).err()
    };
    for d in [8, 64, 72, 256] {
        assert_eq!(refusal(d, Dtype::Bf16), None, "{d}");
    }
    for d in [1, 65, 264] {
        let why = refusal(d, Dtype::F16).expect("a refusal");
        assert!(why.ends_with(&format!("not {d}")), "{why}");
    }
    assert_eq!(refusal(64, Dtype::F32), Some("multiplies bf16 and f16, not f32".to_owned()));
}

#[test]
fn scales_of_8_bits_multiply_scores_and_values() {
    let trial = Trial::new(&Attention, "b=1,h=2,n=5,nk=19,d=16", Dtype::E4m3);
    let inputs = trial.inputs();
    let scaled = |factors: [f32; 3]| {
        let mut inputs = inputs.clone();
        for (scale, factor) in inputs[3..].iter_mut().zip(factors) {
            scale[0] *= factor;
        }
        inputs
    };
    for implementation in on_host() {
        let outputs = trial.run(implementation, &inputs);
        // The scales of Q and of K meet in a product only.
        assert_eq!(trial.run(implementation, &scaled([2.0, 0.5, 1.0])), outputs);
        let doubled = trial.run(implementation, &scaled([1.0, 1.0, 2.0]));
        assert_eq!(doubled[0], outputs[0].iter().map(|o| 2.0 * o).collect::<Vec<f32>>());
        assert_eq!(doubled[1], outputs[1]);
        let steeper = trial.run(implementation, &scaled([2.0, 1.0, 1.0]));
        assert!(trial.judge(&steeper).is_err(), "`{}`", implementation.name);
    }
}

#[test]
fn hopper_takes_heads_of_whole_vectors_in_8_bits() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let refusal = |d: usize, dtype| {
        let problem = problem(&Attention, &format!("b=1,h=1,n=3,d={d}"), dtype);
        cuda_fp8::hopper(&problem, &hopper).err()
    };
    for d in [16, 64, 128] {
        assert_eq!(refusal(d, Dtype::E4m3), None, "{d}");
    }
    for d in [8, 72, 144] {
        let why = refusal(d, Dtype::E4m3).expect("a refusal");
        assert!(why.ends_with(&format!("not {d}")), "{why}");
    }
    assert_eq!(refusal(64, Dtype::Bf16), Some("multiplies e4m3, not bf16".to_owned()));
}

#[test]
fn values_of_8_bits_are_transposed_into_whole_blocks_of_keys() {
    let problem = problem(&Attention, "b=2,h=6,hk=3,n=70,nk=257,d=48", Dtype::E4m3);
    let plan = cuda_fp8::flash(&problem, &device(Vendor::Nvidia, "sm_90a"));
    assert_eq!(plan.scratch, [Bytes(6 * 48 * 384)]);
    let [Step::Launch(transpose), Step::Launch(flash)] = plan.steps.as_slice() else {
        panic!("two launches, not {plan:?}");
    };
    assert_eq!((transpose.grid, flash.grid), ([3, 6, 1], [12, 1, 1]));
    let Argument::TensorMap(values) = &flash.arguments[2] else { panic!("{flash:?}") };
    assert_eq!(values.dims, [384, 48, 6]);
    // What the one writes is what the other reads.
    assert_eq!(transpose.arguments[1], Argument::Tensor { tensor: values.tensor, offset_bytes: 0 });
    assert_eq!(values.tensor, Attention.tensors(&problem).len());
}

#[test]
fn a_launch_has_no_more_blocks_than_tiles_and_bands_that_fit_the_cache() {
    let flash = |shape: &str| {
        let plan = cuda::flash(
            &problem(&Attention, shape, Dtype::Bf16),
            &device(Vendor::Nvidia, "sm_90a"),
        );
        let [Step::Launch(Launch { grid, arguments, .. })] = plan.steps.as_slice() else {
            panic!("one launch, not {plan:?}");
        };
        let Some(Argument::I32(band)) = arguments.last() else { panic!("{arguments:?}") };
        (grid[0], *band)
    };
    // Three tiles of 128 queries, and two of 192.
    assert_eq!(flash("b=1,h=1,n=257,d=128"), (3, 1));
    assert_eq!(flash("b=1,h=1,n=257,d=64,causal=true"), (2, 32));
    // 8 MB of keys and values a head, then a quarter of that.
    assert_eq!(flash("b=1,h=16,n=16384,d=128,causal=true").1, 4);
    assert_eq!(flash("b=1,h=16,hk=4,n=16384,d=128,causal=true").1, 16);
}

/// Those that can be tried here.
fn on_host() -> impl Iterator<Item = &'static Implementation> {
    let all = Attention.implementations().iter();
    all.filter(|implementation| matches!(implementation.code, Code::Host(_)))
}
