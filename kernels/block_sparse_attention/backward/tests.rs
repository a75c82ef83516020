//! Properties of block-sparse attention's backward pass that hold for every implementation, and of its
//! truth.

use super::super::BlockSparseAttention;
use super::{BlockSparseAttentionBackward, DK, DO, DQ, DV, K, LSE, O, Q, V, cuda};
use crate::attention::AttentionBackward;
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::{Argument, Constant, Step};
use tilemark_core::{Bytes, Dtype, Family, Flops};

static FAMILY: BlockSparseAttentionBackward = BlockSparseAttentionBackward;

const CROOKED: [&str; 9] = [
    "b=1,h=1,schedule=to4,d=1",
    "b=2,h=1,schedule=to4,mask=block_causal,d=5",
    "b=1,h=3,schedule=to4,mask=block_previous,d=33",
    "b=1,h=1,schedule=to6,d=257",
    "b=1,h=2,schedule=to6,mask=block_previous,d=64",
    "b=1,h=2,schedule=to6,mask=block_causal,d=40",
    "b=2,h=1,schedule=to4,mask=list:0-9:3-5+7-20_20-30:0-1+29-30_9-14:,d=5",
    "b=1,h=2,schedule=tokens:67,mask=random:10:40:3,d=40",
    "b=1,h=1,schedule=sides:3+5,d=64",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&FAMILY) {
        check_agrees(&FAMILY, implementation, &CROOKED);
    }
}

/// Queries 14 to 29 of a causal mask see all keys: dQ there is that of dense attention, and with a
/// gradient of zeros elsewhere, so are dK and dV.
#[test]
fn the_last_scale_of_a_causal_mask_is_dense_attention() {
    let d = 8;
    let sparse = Trial::new(&FAMILY, "b=1,h=1,schedule=to4,mask=block_causal,d=8", Dtype::F32);
    let dense = Trial::new(&AttentionBackward, "b=1,h=1,n=16,nk=30,d=8", Dtype::F32);
    let mut inputs = sparse.inputs();
    inputs[DO][..14 * d].fill(0.0);
    let mut last = inputs.clone();
    for (tensor, width) in [(Q, d), (O, d), (DO, d), (LSE, 1)] {
        last[tensor].drain(..14 * width);
    }
    let expected = dense.run(&AttentionBackward.implementations()[0], &last);
    for implementation in on_host(&FAMILY) {
        let found = sparse.run(implementation, &inputs);
        for (output, skipped) in [(DQ, 14 * d), (DK, 0), (DV, 0)] {
            let pairs = found[output - DQ][skipped..].iter().zip(&expected[output - DQ]);
            for (found, expected) in pairs {
                assert!((found - expected).abs() < 1e-5, "`{}` {output}", implementation.name);
            }
        }
    }
}

/// With O and LSE of a forward pass, the gradients are the slopes of Σ dO∘O along Q, K and V.
#[test]
fn the_gradients_are_the_slopes_of_the_forward_pass() {
    for mask in ["block_diagonal", "block_causal", "list:0-9:3-5+7-20_9-30:0-1+29-30"] {
        let shape = format!("b=1,h=1,schedule=to4,mask={mask},d=2");
        let forward = Trial::new(&BlockSparseAttention, &shape, Dtype::F32);
        let backward = Trial::new(&FAMILY, &shape, Dtype::F32);
        let forward_naive = &BlockSparseAttention.implementations()[0];
        let mut inputs = backward.inputs();
        let results = forward.run(forward_naive, &inputs[..O]);
        (inputs[O], inputs[LSE]) = (results[0].clone(), results[1].clone());
        let gradients = backward.run(&FAMILY.implementations()[0], &inputs);
        let loss = |inputs: &[Vec<f32>], d_o: &[f32]| -> f64 {
            let o = &forward.run(forward_naive, inputs)[0];
            o.iter().zip(d_o).map(|(o, g)| f64::from(*o) * f64::from(*g)).sum()
        };
        let step = 1.0 / 64.0;
        for (tensor, gradient) in [Q, K, V].into_iter().zip(&gradients) {
            for at in (0..gradient.len()).step_by(7) {
                let moved = |by: f32| {
                    let mut moved = inputs[..O].to_vec();
                    moved[tensor][at] += by;
                    loss(&moved, &inputs[DO])
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let found = f64::from(gradient[at]);
                // The difference quotient's own error: step²/6 of a third derivative, and rounding.
                assert!((found - slope).abs() < 2e-3, "{mask} {tensor}[{at}]: {found}, {slope}");
            }
        }
    }
}

#[test]
fn gradients_ignore_the_scales_that_are_not_seen() {
    // Tokens 5 to 13 are the third scale. Of other tokens, these see none of its keys, or none of its
    // queries sees them.
    for (mask, queries, keys) in [
        ("block_diagonal", [0..5, 14..30], [0..5, 14..30]),
        ("block_causal", [0..5, 0..5], [14..30, 14..30]),
        ("block_previous", [0..14, 0..14], [5..30, 0..1]),
    ] {
        let trial =
            Trial::new(&FAMILY, &format!("b=1,h=1,schedule=to4,mask={mask},d=8"), Dtype::F32);
        let change = |tensors: &[usize]| {
            let mut changed = trial.inputs();
            tensors.iter().for_each(|tensor| changed[*tensor][5 * 8..14 * 8].fill(2.0));
            changed
        };
        let (other_keys, other_queries) = (change(&[K, V]), change(&[Q, O, DO]));
        for implementation in on_host(&FAMILY) {
            let [before, by_keys, by_queries] = [&trial.inputs(), &other_keys, &other_queries]
                .map(|inputs| trial.run(implementation, inputs));
            for rows in &queries {
                let rows = rows.start * 8..rows.end * 8;
                assert_eq!(before[0][rows.clone()], by_keys[0][rows], "{mask}");
            }
            for (output, rows) in [1, 2].into_iter().flat_map(|o| keys.iter().map(move |k| (o, k)))
            {
                let rows = rows.start * 8..rows.end * 8;
                assert_eq!(before[output][rows.clone()], by_queries[output][rows], "{mask}");
            }
            assert_ne!(before[0], by_keys[0], "{mask}");
            assert_ne!(before[1], by_queries[1], "{mask}");
        }
    }
}

#[test]
fn what_sees_or_is_seen_by_nothing_has_no_gradient() {
    let trial = Trial::new(&FAMILY, "b=1,h=2,schedule=to4,mask=block_previous,d=2", Dtype::Bf16);
    let mut blind = trial.inputs();
    // The first scale sees no key; a forward pass leaves it LSE = −∞, and nothing may follow from it.
    for head in [0, 30] {
        blind[LSE][head] = f32::NEG_INFINITY;
    }
    let check = |outputs: &[Vec<f64>], who: &str| {
        for head in [0, 60] {
            assert_eq!(outputs[0][head..head + 2], [0.0; 2], "{who}: dQ");
            for output in &outputs[1..] {
                assert_eq!(output[head + 28..head + 60], [0.0; 32], "{who}: the last scale");
            }
        }
    };
    check(&trial.truth(Arithmetic::Exact), "truth");
    for implementation in on_host(&FAMILY) {
        let outputs = trial.run(implementation, &blind);
        let wide = outputs.iter().map(|o| o.iter().map(|x| f64::from(*x)).collect());
        check(&Vec::from_iter(wide), implementation.name);
        assert_eq!(trial.judge(&outputs), Ok(()), "`{}`", implementation.name);
    }
}

#[test]
fn work_is_two_and_a_half_times_that_of_the_forward_pass() {
    for mask in ["block_diagonal", "block_causal", "block_previous"] {
        let shape = format!("b=2,h=3,schedule=to4,mask={mask},d=8");
        let problem = problem(&FAMILY, &shape, Dtype::Bf16);
        let (forward, backward) = (BlockSparseAttention.work(&problem), FAMILY.work(&problem));
        assert_eq!(2 * backward.convention.0, 5 * forward.convention.0, "{mask}");
        assert_eq!(2 * backward.executed.0, 5 * forward.executed.0, "{mask}");
    }
    let problem = problem(&FAMILY, "b=2,h=3,schedule=to4,mask=block_previous,d=8", Dtype::Bf16);
    let work = FAMILY.work(&problem);
    assert_eq!(work.convention, Flops(10 * 6 * 900 * 8));
    // 29 queries see something, 14 keys are seen; gradients are of all 30.
    let elements = 3 * 29 + 2 * 14 + 3 * 30;
    assert_eq!(work.least_bytes, Bytes(6 * (2 * 8 * elements + 4 * 29)));
}

#[test]
fn a_list_whose_queries_stand_apart_meets_runs_of_tiles() {
    let spans = |mask: &str| {
        let shape = format!("b=1,h=2,schedule=tokens:400,mask={mask}");
        let problem = problem(&FAMILY, &shape, Dtype::Bf16);
        let hopper = device(Vendor::Nvidia, "sm_90a");
        assert_eq!(cuda::hopper(&problem, &hopper), Ok(()));
        let plan = cuda::flash(&problem, &hopper);
        let Step::Early(main) = &plan.steps[1] else { panic!("{plan:?}") };
        let constant = main.constants.iter().find(|(name, _)| *name == "SPANS");
        (constant.expect("the kernel has this macro").1.clone(), main.grid[0])
    };
    assert_eq!(spans("list:0-200:0-9_200-400:5-400"), (Constant::Integer(0), 10));
    // Keys 0 to 8 are seen by the first and the last queries: a tile of them and four of the others.
    let apart = "list:0-100:0-9_100-300:9-400_300-400:0-400";
    assert_eq!(spans(apart), (Constant::Integer(1), 10));
    assert_eq!(spans("list:0-400:0-9+300-400").0, Constant::Integer(1));
}

#[test]
fn a_plan_has_room_for_the_tiles_of_all_bands() {
    let problem = problem(&FAMILY, "b=1,h=2,schedule=image256", Dtype::Bf16);
    let plan = cuda::flash(&problem, &device(Vendor::Nvidia, "sm_90a"));
    // Bands of 255, 169 and 256 queries: two tiles of 128 each.
    let tiles = 2 * 6;
    assert_eq!(plan.scratch, [Bytes(tiles * 1024), Bytes(tiles * 32_768), Bytes(4)]);
    let [Step::Launch(prepare), Step::Early(main), Step::Launch(finish)] = &plan.steps[..] else {
        panic!("three launches, not {plan:?}");
    };
    assert_eq!((prepare.grid, finish.grid), ([2, 6, 1], [6, 2, 1]));
    assert_eq!(main.grid, [12, 1, 1]);
    let Argument::Words(query_tiles) = &main.arguments[5] else { panic!("{main:?}") };
    assert_eq!(query_tiles[15], 6);
}
