//! Properties of attention's backward pass that hold for every implementation, and of its truth.

use super::{AttentionBackward, DK, DO, DQ, DV, K, LSE, O, Q, V, cuda};
use crate::attention::Attention;
use crate::interpreted::{for_each_plan, outputs};
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_cdna::exec::group::Order;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::Constant;
use tilemark_core::{Bytes, Dtype, Family, Flops};

const CROOKED: [&str; 9] = [
    "b=1,h=1,n=1,d=1",
    "b=1,h=1,n=131,nk=1,d=64",
    "b=2,h=3,n=17,d=5",
    "b=1,h=4,hk=2,n=33,nk=65,d=72",
    "b=1,h=1,n=129,nk=97,d=257",
    "b=1,h=2,n=65,nk=65,d=64,causal=true",
    "b=1,h=2,n=19,nk=67,d=40,causal=true",
    "b=1,h=1,n=67,nk=1,d=33,causal=true",
    "b=2,h=2,hk=1,n=67,nk=19,d=16,causal=true",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&AttentionBackward) {
        check_agrees(&AttentionBackward, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_formula_for_one_query_and_two_keys() {
    let trial = Trial::new(&AttentionBackward, "b=1,h=1,n=1,nk=2,d=1", Dtype::F16);
    let at = |tensor: usize, at| trial.operands[tensor].at(at);
    let (q, d_o, lse) = (at(Q, 0), at(DO, 0), at(LSE, 0));
    let p = [0, 1].map(|key| (q * at(K, key) - lse).exp());
    let d_s = [0, 1].map(|key| p[key] * (d_o * at(V, key) - d_o * at(O, 0)));
    let expected = [
        vec![d_s[0] * at(K, 0) + d_s[1] * at(K, 1)],
        d_s.map(|s| s * q).into(),
        p.map(|p| p * d_o).into(),
    ];
    for (truth, expected) in trial.truth(Arithmetic::Exact).iter().zip(expected) {
        assert_eq!(truth.len(), expected.len());
        let close = truth.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14);
        assert!(close, "{truth:?} should be {expected:?}");
    }
}

/// With O and LSE of a forward pass, the gradients are the slopes of Σ dO∘O along Q, K and V.
#[test]
fn the_truth_is_the_gradient_of_the_forward_pass() {
    let shape = "b=1,h=2,hk=1,n=3,nk=4,d=2,causal=true";
    let forward = Trial::new(&Attention, shape, Dtype::F32);
    let backward = Trial::new(&AttentionBackward, shape, Dtype::F32);
    let forward_naive = &Attention.implementations()[0];
    let inputs = backward.inputs();
    let results = forward.run(forward_naive, &inputs[..O]);
    let gradient_of_o = &inputs[DO];
    let given = [&inputs[..O], &[results[0].clone(), inputs[DO].clone(), results[1].clone()]];
    let gradients = backward.run(&AttentionBackward.implementations()[0], &given.concat());

    let loss = |inputs: &[Vec<f32>]| -> f64 {
        let o = &forward.run(forward_naive, inputs)[0];
        o.iter().zip(gradient_of_o).map(|(o, g)| f64::from(*o) * f64::from(*g)).sum()
    };
    let step = 1.0 / 64.0;
    for (tensor, gradient) in [Q, K, V].into_iter().zip(&gradients) {
        for (at, gradient) in gradient.iter().enumerate() {
            let moved = |by: f32| {
                let mut moved = inputs[..O].to_vec();
                moved[tensor][at] += by;
                loss(&moved)
            };
            let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            let found = f64::from(*gradient);
            // The difference quotient's own error: step²/6 of a third derivative, and rounding.
            assert!((found - slope).abs() < 2e-3, "{tensor}[{at}]: {found} and {slope}");
        }
    }
}

#[test]
fn a_causal_query_ignores_later_keys() {
    let shape = "b=1,h=1,n=40,nk=70,d=8,causal=true";
    let trial = Trial::new(&AttentionBackward, shape, Dtype::F32);
    let mut later = trial.inputs();
    // Query 20 sees keys up to 50.
    for tensor in [K, V] {
        later[tensor][51 * 8..].fill(3.0);
    }
    for implementation in on_host(&AttentionBackward) {
        let whole = trial.run(implementation, &trial.inputs());
        let other = trial.run(implementation, &later);
        assert_eq!(whole[0][..21 * 8], other[0][..21 * 8], "`{}`", implementation.name);
        assert_ne!(whole[0][21 * 8..], other[0][21 * 8..], "`{}`", implementation.name);
    }
}

#[test]
fn queries_that_see_nothing_give_nothing() {
    let shape = "b=1,h=1,n=7,nk=3,d=2,causal=true";
    let trial = Trial::new(&AttentionBackward, shape, Dtype::Bf16);
    let mut blind = trial.inputs();
    // Queries 0 to 3 see no key; a forward pass leaves them LSE = −∞, and nothing may follow from it.
    blind[LSE][..4].fill(f32::NEG_INFINITY);
    for tensor in [Q, O, DO] {
        blind[tensor][..4 * 2].fill(100.0);
    }
    let truth = trial.truth(Arithmetic::Exact);
    assert_eq!(truth[0][..4 * 2], [0.0; 8]);
    for implementation in on_host(&AttentionBackward) {
        let outputs = trial.run(implementation, &blind);
        assert_eq!(trial.judge(&outputs), Ok(()), "`{}`", implementation.name);
    }
}

/// On AMD, too, and the same bits come out in whatever order waves go.
#[test]
fn on_amd_queries_that_see_nothing_give_nothing_in_any_order() {
    let shape = "b=1,h=2,hk=1,n=70,nk=45,d=40,causal=true";
    for_each_plan(&AttentionBackward, shape, Dtype::Bf16, |trial, name, arch, plan| {
        let mut blind = trial.inputs();
        // Queries 0 to 24 of either head see no key.
        for head in [0, 70] {
            blind[LSE][head..head + 25].fill(f32::NEG_INFINITY);
            for tensor in [Q, O, DO] {
                blind[tensor][head * 40..(head + 25) * 40].fill(100.0);
            }
        }
        let in_order =
            |order| outputs(trial, &blind, plan, arch, order).expect("the interpreter ends");
        let Some(found) = in_order(Order::InTurn) else { return };
        assert_eq!(found[0][..25 * 40], [0.0; 25 * 40], "`{name}`");
        assert_eq!(Some(&found), in_order(Order::Seeded(3)).as_ref(), "`{name}`");
        assert_eq!(trial.judge(&found), Ok(()), "`{name}`");
    });
}

#[test]
fn grouped_gradients_are_sums_of_those_of_repeated_keys() {
    let (heads, keys, d) = (2, 21, 8);
    let grouped = Trial::new(&AttentionBackward, "b=2,h=4,hk=2,n=9,nk=21,d=8", Dtype::F32);
    let full = Trial::new(&AttentionBackward, "b=2,h=4,n=9,nk=21,d=8", Dtype::F32);
    let mut inputs = grouped.inputs();
    for tensor in [K, V] {
        let repeated = inputs[tensor].chunks_exact(keys * d);
        inputs[tensor] = repeated.flat_map(|head| [head, head].concat()).collect();
    }
    for implementation in on_host(&AttentionBackward) {
        let repeated = full.run(implementation, &inputs);
        let found = grouped.run(implementation, &grouped.inputs());
        assert_eq!(found[0].len(), repeated[0].len());
        for output in [DK - DQ, DV - DQ] {
            let pairs = repeated[output].chunks_exact(heads * keys * d);
            let sums = pairs.flat_map(|pair| {
                let (first, second) = pair.split_at(keys * d);
                first.iter().zip(second).map(|(a, b)| a + b)
            });
            for (found, sum) in found[output].iter().zip(sums) {
                assert!((found - sum).abs() < 1e-5, "`{}`: {found}, {sum}", implementation.name);
            }
        }
    }
}

#[test]
fn work_is_two_and_a_half_times_that_of_the_forward_pass() {
    for shape in ["b=1,h=4,hk=2,n=6,d=8", "b=1,h=4,n=6,nk=10,d=8,causal=true"] {
        let problem = Trial::new(&AttentionBackward, shape, Dtype::Bf16).problem;
        let (forward, backward) = (Attention.work(&problem), AttentionBackward.work(&problem));
        assert_eq!(2 * backward.convention.0, 5 * forward.convention.0, "{shape}");
        assert_eq!(2 * backward.executed.0, 5 * forward.executed.0, "{shape}");
    }
    let problem = Trial::new(&AttentionBackward, "b=1,h=4,hk=2,n=6,d=8", Dtype::Bf16).problem;
    let work = AttentionBackward.work(&problem);
    assert_eq!(work.convention, Flops(10 * 4 * 36 * 8));
    // Q, O, dO, dQ of four heads, K, V, dK, dV of two, and LSE.
    assert_eq!(work.least_bytes, Bytes(2 * 6 * 8 * (4 * 4 + 4 * 2) + 4 * 4 * 6));
}

#[test]
fn the_order_of_sums_is_fixed_in_all_three_launches_or_in_none() {
    let problem = problem(&AttentionBackward, "b=1,h=2,n=300,d=64,causal=true", Dtype::Bf16);
    let hopper = device(Vendor::Nvidia, "sm_90a");
    for (plan, fixed) in
        [(cuda::flash(&problem, &hopper), 0), (cuda::flash_deterministic(&problem, &hopper), 1)]
    {
        // Two heads of three tiles of 128 queries, and a line for the turn of each where it counts.
        assert_eq!(plan.scratch[1], Bytes(2 * 3 * (8192 + 32 * fixed) * 4));
        let constant = ("DETERMINISTIC", Constant::Integer(fixed as i64));
        assert_eq!(plan.steps.len(), 3);
        for step in &plan.steps {
            let launch = step.launch().expect("every step starts a kernel");
            assert!(launch.constants.contains(&constant), "{launch:?}");
        }
    }
}
