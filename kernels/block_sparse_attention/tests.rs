//! Properties of block-sparse attention that hold for every implementation, and of its truth.

use super::{BlockSparseAttention, cuda, hip};
use crate::attention::Attention;
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::{Argument, Launch, Step};
use tilemark_core::{Bytes, Dtype, Family, Flops, Shape, Value};

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
    for implementation in BlockSparseAttention.implementations() {
        check_agrees(&BlockSparseAttention, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_softmax_of_the_keys_of_the_scale_before() {
    // The second scale has tokens 1 to 4, the third one sees them from token 5 on.
    let shape = "b=1,h=1,schedule=to4,mask=block_previous,d=1";
    let trial = Trial::new(&BlockSparseAttention, shape, Dtype::F16);
    let [q, k, v] = [0, 1, 2].map(|tensor| &trial.operands[tensor]);
    let weights: Vec<f64> = (1..5).map(|j| (q.at(7) * k.at(j)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let weighted: f64 = weights.iter().zip(1..5).map(|(p, j)| p * v.at(j)).sum();
    let truth = trial.truth(Arithmetic::Exact);
    assert!((truth[0][7] - weighted / sum).abs() < 1e-14);
    assert!((truth[1][7] - sum.ln()).abs() < 1e-14);
}

#[test]
fn the_last_scale_of_a_causal_mask_is_dense_attention() {
    let d = 8;
    let shape = "b=1,h=1,schedule=to4,mask=block_causal,d=8";
    let sparse = Trial::new(&BlockSparseAttention, shape, Dtype::F32);
    let dense = Trial::new(&Attention, "b=1,h=1,n=16,nk=30,d=8", Dtype::F32);
    let inputs = sparse.inputs();
    let last = [inputs[0][14 * d..].to_vec(), inputs[1].clone(), inputs[2].clone()];
    let expected = dense.run(on_host(&Attention).next().unwrap(), &last);
    for implementation in on_host(&BlockSparseAttention) {
        let found = sparse.run(implementation, &inputs);
        for (found, expected) in found[0][14 * d..].iter().zip(&expected[0]) {
            assert!((found - expected).abs() < 1e-6, "`{}`", implementation.name);
        }
        for (found, expected) in found[1][14..].iter().zip(&expected[1]) {
            assert!((found - expected).abs() < 1e-6, "`{}`", implementation.name);
        }
    }
}

#[test]
fn a_query_ignores_the_keys_of_scales_that_it_does_not_see() {
    // Tokens 5 to 13 are the third scale; what sees no other is left as it is.
    for (mask, same) in [
        ("block_diagonal", [0..5, 14..30]),
        ("block_causal", [0..5, 0..5]),
        ("block_previous", [0..14, 0..14]),
    ] {
        let shape = format!("b=1,h=1,schedule=to4,mask={mask},d=8");
        let trial = Trial::new(&BlockSparseAttention, &shape, Dtype::F32);
        let mut changed = trial.inputs();
        for tensor in [1, 2] {
            changed[tensor][5 * 8..14 * 8].fill(100.0);
        }
        for implementation in on_host(&BlockSparseAttention) {
            let before = trial.run(implementation, &trial.inputs());
            let after = trial.run(implementation, &changed);
            for rows in &same {
                let elements = rows.start * 8..rows.end * 8;
                assert_eq!(before[0][elements.clone()], after[0][elements], "{mask}");
                assert_eq!(before[1][rows.clone()], after[1][rows.clone()], "{mask}");
            }
            assert_ne!(before[0], after[0], "{mask}");
        }
    }
}

#[test]
fn queries_that_see_nothing_give_zero_and_minus_infinity() {
    let shape = "b=1,h=2,schedule=to4,mask=block_previous,d=2";
    let trial = Trial::new(&BlockSparseAttention, shape, Dtype::Bf16);
    let truth = trial.truth(Arithmetic::Exact);
    let check = |o: &[f64], lse: &[f64], who: &str| {
        for head in 0..2 {
            assert_eq!(o[head * 60..][..2], [0.0; 2], "{who}");
            assert_eq!(lse[head * 30], f64::NEG_INFINITY, "{who}");
            assert!(lse[head * 30 + 1..][..29].iter().all(|lse| lse.is_finite()), "{who}");
        }
    };
    check(&truth[0], &truth[1], "truth");
    for implementation in on_host(&BlockSparseAttention) {
        let outputs = trial.run(implementation, &trial.inputs());
        let [o, lse] = [0, 1].map(|idx| outputs[idx].iter().map(|x| f64::from(*x)).collect());
        check(
            &Vec::from_iter::<Vec<f64>>(o),
            &Vec::from_iter::<Vec<f64>>(lse),
            implementation.name,
        );
    }
}

#[test]
fn work_is_counted_by_pairs_and_as_if_dense() {
    let work = |mask: &str| {
        let shape = format!("b=2,h=3,schedule=to4,mask={mask},d=8");
        let work = BlockSparseAttention.work(&problem(&BlockSparseAttention, &shape, Dtype::Bf16));
        assert_eq!(work.convention, Flops(4 * 6 * 8 * 900));
        (work.executed, work.least_bytes)
    };
    let bytes = |keys: u64| Bytes(6 * (2 * 2 * 8 * (30 + keys) + 4 * 30));
    // Squares of 1, 4, 9 and 16.
    assert_eq!(work("block_diagonal"), (Flops(4 * 6 * 8 * 354), bytes(30)));
    assert_eq!(
        work("block_causal"),
        (Flops(4 * 6 * 8 * (1 + 4 * 5 + 9 * 14 + 16 * 30)), bytes(30))
    );
    // Seven keys by ten queries, three by twenty; keys 0 to 4 and 9 to 11 are seen.
    assert_eq!(
        work("list:0-10:0-4+9-12_10-30:2-5"),
        (Flops(4 * 6 * 8 * (10 * 7 + 20 * 3)), bytes(8))
    );
    // Nobody sees the last scale.
    assert_eq!(work("block_previous"), (Flops(4 * 6 * 8 * (4 + 9 * 4 + 16 * 9)), bytes(14)));
}

#[test]
fn the_schedules_have_as_many_tokens_as_their_papers_say() {
    let tokens = ["to4", "to6", "image256", "image512", "image1024"].map(super::schedule::tokens);
    assert_eq!(tokens, [30, 91, 680, 2240, 9451]);
}

#[test]
fn a_list_that_says_what_a_word_says_gives_the_same() {
    let trial = |mask: &str| {
        let shape = format!("b=1,h=2,schedule=to4,mask={mask},d=8");
        Trial::new(&BlockSparseAttention, &shape, Dtype::F32)
    };
    let word = trial("block_causal");
    let list = trial("list:0-1:0-1_1-5:0-5_5-14:0-14_14-30:0-10+5-30");
    assert_eq!(word.truth(Arithmetic::Exact), list.truth(Arithmetic::Exact));
    for implementation in on_host(&BlockSparseAttention) {
        let inputs = word.inputs();
        assert_eq!(word.run(implementation, &inputs), list.run(implementation, &inputs));
    }
}

#[test]
fn the_truth_of_several_ranges_is_one_softmax_over_all_of_them() {
    let shape = "b=1,h=1,schedule=to4,mask=list:0-30:2-4+7-9,d=1";
    let trial = Trial::new(&BlockSparseAttention, shape, Dtype::F16);
    let [q, k, v] = [0, 1, 2].map(|tensor| &trial.operands[tensor]);
    let keys = [2, 3, 7, 8];
    let weights = keys.map(|j| (q.at(11) * k.at(j)).exp());
    let sum: f64 = weights.iter().sum();
    let weighted: f64 = weights.iter().zip(keys).map(|(p, j)| p * v.at(j)).sum();
    let truth = trial.truth(Arithmetic::Exact);
    assert!((truth[0][11] - weighted / sum).abs() < 1e-14);
    assert!((truth[1][11] - sum.ln()).abs() < 1e-14);
}

#[test]
fn what_no_axis_takes_is_refused_by_its_name_and_with_the_remedy() {
    let refusal = |schedule: &str, mask: &str| {
        let given = [("b", "1"), ("h", "1"), ("schedule", schedule), ("mask", mask)];
        let value = |text: &str| match text.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Word(text.to_owned()),
        };
        let given = given.map(|(axis, text)| (axis.to_owned(), value(text)));
        let shape = Shape::complete(&given, BlockSparseAttention.about().axes).unwrap();
        BlockSparseAttention.check(&shape).expect_err("a refusal")
    };
    for (schedule, mask, parts) in [
        ("to5", "block_causal", ["axis `schedule` takes one of to4", "no such schedule"]),
        ("sides:1+0", "block_causal", ["such as sides:1+2+4", "at least one token"]),
        ("tokens:-9", "block_causal", ["such as tokens:4096", "`-9` is no whole number"]),
        ("to4", "diagonal", ["axis `mask` takes one of block_diagonal", "no such mask"]),
        ("to4", "list:0-31:0-5", ["such as list:0-64", "beyond the schedule's 30 tokens"]),
        ("to4", "list:0-9:1-2_5-6:2-3", ["not `list:0-9", "with `+` between ranges"]),
    ] {
        let why = refusal(schedule, mask);
        assert!(parts.iter().all(|part| why.contains(part)), "{why}");
    }
}

#[test]
fn lists_with_more_than_a_range_a_block_have_a_launch_of_their_own() {
    let entry = |schedule: &str, mask: &str| {
        let shape = format!("b=2,h=3,schedule={schedule},mask={mask},d=64");
        let problem = problem(&BlockSparseAttention, &shape, Dtype::Bf16);
        let hopper = device(Vendor::Nvidia, "sm_90a");
        cuda::hopper(&problem, &hopper)?;
        let plan = cuda::flash(&problem, &hopper);
        let [Step::Launch(launch)] = plan.steps.as_slice() else { panic!("one launch") };
        Ok((launch.entry, launch.grid[0]))
    };
    assert_eq!(entry("tokens:300", "list:0-300:0-300"), Ok(("attention_sm90_blocks", 12)));
    assert_eq!(entry("tokens:300", "list:0-300:0-9+20-300"), Ok(("attention_sm90_ranges", 12)));
    // Sixteen blocks are too many for the list of blocks with one range.
    assert_eq!(entry("tokens:64", "random:4:0:1"), Ok(("attention_sm90_ranges", 96)));
    assert!(entry("tokens:512", "random:4:0:1").is_err_and(|why: String| why.contains("127")));
    assert!(entry("tokens:65536", "block_diagonal").is_err_and(|why| why.contains("16 bits")));
}

#[test]
fn hopper_takes_heads_of_whole_vectors_in_16_bits() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let refusal = |d: usize, dtype| {
        let shape = format!("b=1,h=1,schedule=to4,d={d}");
        cuda::hopper(&problem(&BlockSparseAttention, &shape, dtype), &hopper).err()
    };
    for d in [8, 64, 72, 128] {
        assert_eq!(refusal(d, Dtype::Bf16), None, "{d}");
    }
    for d in [1, 65, 136] {
        let why = refusal(d, Dtype::F16).expect("a refusal");
        assert!(why.ends_with(&format!("not {d}")), "{why}");
    }
    assert_eq!(refusal(64, Dtype::F32), Some("multiplies bf16 and f16, not f32".to_owned()));
}

#[test]
fn a_launch_has_no_more_blocks_than_tiles() {
    let launch = |shape: &str| {
        let problem = problem(&BlockSparseAttention, shape, Dtype::Bf16);
        let plan = cuda::flash(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let [Step::Launch(Launch { grid, arguments, .. })] = plan.steps.as_slice() else {
            panic!("one launch, not {plan:?}");
        };
        let Argument::I32(tiles) = arguments[10] else { panic!("{arguments:?}") };
        (grid[0], tiles)
    };
    // 91 queries in a tile of 192, or of 128.
    assert_eq!(launch("b=2,h=3,schedule=to6"), (6, 6));
    // Two tiles each of the last scale's 256 queries and of the first eight scales' 255, one of 169.
    assert_eq!(launch("b=1,h=1,schedule=image256"), (5, 5));
    assert_eq!(launch("b=4,h=30,schedule=image256"), (132, 600));
}

#[test]
fn amds_matrix_cores_take_heads_of_whole_vectors_in_16_bits() {
    let refusal = |d: usize, dtype| {
        let shape = format!("b=1,h=1,schedule=to4,d={d}");
        let problem = problem(&BlockSparseAttention, &shape, dtype);
        hip::matrix_cores(&problem, &device(Vendor::Amd, "gfx950")).err()
    };
    for d in [8, 64, 72, 128] {
        assert_eq!(refusal(d, Dtype::Bf16), None, "{d}");
    }
    for d in [1, 65, 136] {
        let why = refusal(d, Dtype::F16).expect("a refusal");
        assert!(why.ends_with(&format!("not {d}")), "{why}");
    }
    assert_eq!(refusal(64, Dtype::F32), Some("multiplies bf16 and f16, not f32".to_owned()));
}

#[test]
fn a_launch_on_amd_has_a_block_for_each_tile() {
    let grid = |shape: &str| {
        let problem = problem(&BlockSparseAttention, shape, Dtype::Bf16);
        let plan = hip::flash(&problem, &device(Vendor::Amd, "gfx942"));
        let [Step::Launch(Launch { grid, .. })] = plan.steps.as_slice() else {
            panic!("one launch, not {plan:?}");
        };
        *grid
    };
    assert_eq!(grid("b=2,h=3,schedule=to6"), [6, 1, 1]);
    // A tile each of the last scale's 256 queries, the one before's 169, and the others' 255.
    assert_eq!(grid("b=1,h=2,schedule=image256"), [6, 1, 1]);
}
