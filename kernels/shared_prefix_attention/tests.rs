//! Properties of attention over a shared prefix that hold for every implementation, and of its truth.

use super::{SharedPrefixAttention, cuda, hip};
use crate::attention::Attention;
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::{Argument, Constant, Step};
use tilemark_core::{Bytes, Dtype, Family, Flops, Shape, Value};

const CROOKED: [&str; 8] = [
    "b=1,h=1,p=1,u=1,d=1",
    "b=3,h=2,p=17,u=5,d=5",
    "b=2,h=6,hk=2,p=33,u=1,d=72",
    "b=5,h=4,hk=1,p=3,u=40,d=16,ragged=true",
    "b=1,h=3,p=259,u=2,d=129",
    "b=7,h=8,hk=2,p=65,u=19,d=40,ragged=true",
    "b=6,h=2,p=5,u=3,d=8,groups=3,m=1",
    "b=6,h=4,hk=2,p=9,u=7,d=24,groups=2,m=33,ragged=true",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in SharedPrefixAttention.implementations() {
        check_agrees(&SharedPrefixAttention, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_softmax_of_shared_and_own_keys() {
    let trial = Trial::new(&SharedPrefixAttention, "b=2,h=1,p=1,u=2,d=1", Dtype::F16);
    let at = |tensor: usize, idx: usize| trial.operands[tensor].at(idx);
    // The second sequence: its own keys are the last two.
    let keys = [at(1, 0), at(3, 2), at(3, 3)];
    let values = [at(2, 0), at(4, 2), at(4, 3)];
    let weights = keys.map(|key| (at(0, 1) * key).exp());
    let sum: f64 = weights.iter().sum();
    let weighted: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
    let truth = trial.truth(Arithmetic::Exact);
    assert!((truth[0][1] - weighted / sum).abs() < 1e-14);
    assert!((truth[1][1] - sum.ln()).abs() < 1e-14);
}

#[test]
fn it_is_attention_over_repeated_keys() {
    let [b, hk, p, u, d] = [3, 2, 11, 7, 8];
    let shared = Trial::new(&SharedPrefixAttention, "b=3,h=4,hk=2,p=11,u=7,d=8", Dtype::F32);
    let repeated = Trial::new(&Attention, "b=3,h=4,hk=2,n=1,nk=18,d=8", Dtype::F32);
    let inputs = shared.inputs();
    let joined = |prefix: &[f32], own: &[f32]| {
        let heads = (0..b * hk).map(|idx| {
            [&prefix[idx % hk * p * d..][..p * d], &own[idx * u * d..][..u * d]].concat()
        });
        heads.collect::<Vec<_>>().concat()
    };
    let given = [inputs[0].clone(), joined(&inputs[1], &inputs[3]), joined(&inputs[2], &inputs[4])];
    let expected = repeated.run(on_host(&Attention).next().expect("a CPU has one"), &given);
    for implementation in on_host(&SharedPrefixAttention) {
        let found = shared.run(implementation, &inputs);
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-6, "`{}`", implementation.name);
        }
    }
}

#[test]
fn a_second_level_is_keys_of_its_own_to_each_sequence_of_a_run() {
    let [hk, m, u, d] = [2, 3, 7, 8];
    let tree = "b=4,h=2,p=11,u=7,d=8,groups=2,m=3";
    let tree = Trial::new(&SharedPrefixAttention, tree, Dtype::F32);
    let repeated = Trial::new(&SharedPrefixAttention, "b=4,h=2,p=11,u=10,d=8", Dtype::F32);
    let inputs = tree.inputs();
    let joined = |own: &[f32], level: &[f32]| {
        let heads = (0..4 * hk).map(|idx| {
            let (run, head) = (idx / hk / 2, idx % hk);
            [&level[(head * 2 + run) * m * d..][..m * d], &own[idx * u * d..][..u * d]].concat()
        });
        heads.collect::<Vec<_>>().concat()
    };
    let mut given = inputs[..3].to_vec();
    given.push(joined(&inputs[3], &inputs[5]));
    given.push(joined(&inputs[4], &inputs[6]));
    let expected =
        repeated.run(on_host(&SharedPrefixAttention).next().expect("a CPU has one"), &given);
    for implementation in on_host(&SharedPrefixAttention) {
        let found = tree.run(implementation, &inputs);
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-6, "`{}`", implementation.name);
        }
    }
}

#[test]
fn keys_beyond_a_ragged_end_are_not_seen() {
    let trial = Trial::new(&SharedPrefixAttention, "b=2,h=1,p=3,u=40,d=4,ragged=true", Dtype::F32);
    let mut changed = trial.inputs();
    // The second sequence has 38 keys.
    for tensor in [3, 4] {
        changed[tensor][4..40 * 4].fill(1e4);
        changed[tensor][(40 + 38) * 4..].fill(1e4);
    }
    for implementation in on_host(&SharedPrefixAttention) {
        let before = trial.run(implementation, &trial.inputs());
        assert_eq!(trial.run(implementation, &changed), before, "`{}`", implementation.name);
        changed[4][(40 + 37) * 4] += 1.0;
        assert_ne!(trial.run(implementation, &changed), before, "`{}`", implementation.name);
        changed[4][(40 + 37) * 4] -= 1.0;
    }
}

#[test]
fn work_counts_the_prefix_once_in_bytes_and_for_every_query_in_operations() {
    let work = |shape: &str| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let work = SharedPrefixAttention.work(&problem);
        assert_eq!(work.convention, work.executed);
        (work.executed, work.least_bytes)
    };
    let shape = "b=3,h=4,hk=2,p=10,u=5,d=8";
    let bytes = |own: u64| Bytes(2 * 2 * 8 * (3 * 4 + 2 * (10 + own)) + 4 * 12);
    assert_eq!(work(shape), (Flops(4 * 4 * (30 + 15) * 8), bytes(15)));
    // 1, 3 and 5 keys.
    let ragged = format!("{shape},ragged=true");
    assert_eq!(work(&ragged), (Flops(4 * 4 * (30 + 9) * 8), bytes(9)));
    // Three runs of one sequence with two keys each.
    let tree = format!("{shape},groups=3,m=2");
    assert_eq!(work(&tree), (Flops(4 * 4 * (30 + 6 + 15) * 8), bytes(15 + 6)));
}

#[test]
fn key_heads_must_divide_query_heads() {
    let given = [("b", 1), ("h", 6), ("hk", 4), ("p", 1), ("u", 1)]
        .map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
    let shape =
        Shape::complete(&given, SharedPrefixAttention.about().axes).expect("these are its axes");
    let refused = Err("axis `hk` must divide h = 6, and 4 does not".to_owned());
    assert_eq!(SharedPrefixAttention.check(&shape), refused);
}

#[test]
fn runs_must_divide_sequences() {
    let given = [("b", 6), ("h", 1), ("p", 1), ("u", 1), ("groups", 4)]
        .map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
    let shape =
        Shape::complete(&given, SharedPrefixAttention.about().axes).expect("these are its axes");
    let refused = Err("axis `groups` must divide b = 6, and 4 does not".to_owned());
    assert_eq!(SharedPrefixAttention.check(&shape), refused);
}

#[test]
fn hopper_takes_groups_that_fill_a_box_and_heads_of_whole_panels() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let refusal = |shape: &str| {
        cuda::hopper(&problem(&SharedPrefixAttention, shape, Dtype::Bf16), &hopper).err()
    };
    assert_eq!(refusal("b=3,h=16,hk=1,p=9,u=9"), None);
    assert_eq!(refusal("b=3,h=5,p=9,u=9,d=64"), None);
    assert!(refusal("b=3,h=32,hk=1,p=9,u=9").is_some_and(|why| why.ends_with("not 32")));
    assert!(refusal("b=3,h=6,hk=2,p=9,u=9").is_some_and(|why| why.ends_with("not 3")));
    assert!(refusal("b=3,h=1,p=9,u=9,d=72").is_some_and(|why| why.ends_with("not 72")));
    assert!(refusal("b=3,h=1,p=70000000,u=9").is_some_and(|why| why.contains("2240000000")));
    let flat = |shape: &str| {
        cuda::hopper_flat(&problem(&SharedPrefixAttention, shape, Dtype::Bf16), &hopper).err()
    };
    assert_eq!(flat("b=4,h=1,p=9,u=9,groups=2"), None);
    assert!(flat("b=4,h=1,p=9,u=9,groups=2,m=8").is_some_and(|why| why.contains("8 keys")));
}

#[test]
fn levels_are_parts_of_one_launch_beside_own_keys_and_a_second_merges_them() {
    let device = device(Vendor::Nvidia, "sm_90a");
    let check = |shape: &str, parts: u64, tiles: i32| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let plan = cuda::hydragen(&problem, &device);
        let [Step::Launch(all), Step::Early(merge)] = &plan.steps[..] else { panic!("{shape}") };
        assert_eq!(all.arguments[17..19], [parts as i32, tiles].map(Argument::I32), "{shape}");
        assert!(merge.constants.contains(&("PARTS", (parts as i64 + 1).into())), "{shape}");
        let size = |axis| problem.shape.integer(axis);
        let rows = (parts + 1) * size("b") * size("h");
        assert_eq!(plan.scratch, [Bytes(rows * size("d") * 4), Bytes(rows * 8)], "{shape}");
    };
    check("b=64,h=8,hk=1,p=16384,u=128", 32, 128);
    // So many keys that the merge is little beside them.
    check("b=256,h=32,hk=8,p=16384,u=128", 2, 128);
    check("b=1024,h=8,hk=1,p=8576,u=128", 2, 128);
    // Groups for which there is no room beside what pairs of blocks send.
    check("b=512,h=16,hk=1,p=2048,u=128", 2, 128);
    // Own keys of 17 sequences would be one block's, where 132 share those of 66.
    check("b=33,h=4,hk=2,p=200,u=97", 2, 4);
    // Runs of 32 sequences, two tiles each.
    check("b=512,h=8,hk=1,p=4096,u=128,groups=16,m=512", 4, 128);
}

#[test]
fn two_parts_of_a_tile_are_a_pair_of_blocks_that_need_no_merge() {
    let device = device(Vendor::Nvidia, "sm_90a");
    let check = |shape: &str, tiles: i32| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let plan = cuda::hydragen(&problem, &device);
        let [Step::Launch(all)] = &plan.steps[..] else { panic!("{shape}") };
        assert!(all.constants.contains(&("PAIRED", Constant::Integer(1))), "{shape}");
        assert_eq!(all.arguments[17..19], [2, tiles].map(Argument::I32), "{shape}");
        assert_eq!((all.grid, all.cluster), ([tiles as u32, 1, 1], [2, 1, 1]), "{shape}");
        // That of own keys.
        let size = |axis| problem.shape.integer(axis);
        let rows = size("b") * size("h");
        assert_eq!(plan.scratch, [Bytes(rows * size("d") * 4), Bytes(rows * 8)], "{shape}");
    };
    check("b=1024,h=8,hk=1,p=2048,u=128", 128);
    check("b=1024,h=8,hk=1,p=8320,u=128", 128);
    check("b=125,h=64,hk=8,p=130,u=9", 128);
    // Runs of two sequences, a tile each for 4 of its 128 rows.
    check("b=34,h=4,hk=2,p=65,u=17,d=64,groups=17,m=35", 68);
}

#[test]
fn where_products_take_long_a_third_stage_has_the_room_of_own_keys() {
    let device = device(Vendor::Nvidia, "sm_90a");
    let check = |shape: &str, rings: [i64; 3], bytes: u32| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let plan = cuda::hydragen(&problem, &device);
        let Some(Step::Launch(all)) = plan.steps.first() else { panic!("{shape}") };
        let expected = ["TILE_N", "STAGES", "SLOTS"].into_iter().zip(rings.map(Constant::Integer));
        for constant in expected {
            assert!(all.constants.contains(&constant), "{shape}: {:?}", all.constants);
        }
        assert_eq!(all.dynamic_shared_bytes, bytes, "{shape}");
    };
    check("b=256,h=32,hk=8,p=16384,u=128", [96, 3, 5], 227_328);
    check("b=1024,h=8,hk=1,p=16384,u=128", [96, 3, 5], 227_328);
    check("b=64,h=4,p=2100,u=13,groups=64,m=35", [96, 3, 5], 227_328);
    check("b=1024,h=8,hk=1,p=2048,u=128", [128, 2, 7], 228_384);
    // As many products, but four times as many own keys.
    check("b=256,h=32,hk=8,p=16384,u=512", [128, 2, 7], 227_328);
}

#[test]
fn where_products_take_long_own_keys_keep_step_and_queries_stay_in_registers() {
    let device = device(Vendor::Nvidia, "sm_90a");
    let check = |shape: &str, holds: i64, pace: i32| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let plan = cuda::hydragen(&problem, &device);
        let Some(Step::Launch(all)) = plan.steps.first() else { panic!("{shape}") };
        let held = ("HELD_QUERIES", Constant::Integer(holds));
        assert!(all.constants.contains(&held), "{shape}: {:?}", all.constants);
        assert_eq!(all.arguments.last(), Some(&Argument::I32(pace)), "{shape}");
    };
    // 64 tiles of 171 stages of 1536 clocks, on 132 multiprocessors; 16 items of 8 panels each.
    check("b=256,h=32,hk=8,p=16384,u=128", 1, 127_348 / 128);
    check("b=1024,h=8,hk=1,p=16384,u=128", 1, 127_348 / 64);
    check("b=1024,h=8,hk=1,p=2048,u=128", 0, 0);
    check("b=256,h=32,hk=8,p=16384,u=512", 0, 0);
}

#[test]
fn flat_is_two_launches_with_room_for_all_parts() {
    let problem = problem(&SharedPrefixAttention, "b=256,h=32,hk=8,p=16384,u=128", Dtype::Bf16);
    let plan = cuda::flat(&problem, &device(Vendor::Nvidia, "sm_90a"));
    assert_eq!(plan.steps.len(), 2);
    assert!(plan.steps.iter().all(|step| matches!(step, Step::Launch(_))));
    let rows = 8 * 256 * 32;
    assert_eq!(plan.scratch, [Bytes(rows * 128 * 2), Bytes(rows * 4)]);
}

#[test]
fn amds_matrix_cores_take_groups_that_a_product_has_columns_for() {
    let refusal = |shape: &str| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        hip::matrix_cores(&problem, &device(Vendor::Amd, "gfx942")).err()
    };
    assert_eq!(refusal("b=3,h=32,hk=1,p=9,u=9"), None);
    assert_eq!(refusal("b=3,h=6,hk=2,p=9,u=9,d=72"), None);
    assert!(refusal("b=3,h=33,hk=1,p=9,u=9").is_some_and(|why| why.ends_with("not 33")));
    assert!(refusal("b=3,h=1,p=9,u=9,d=36").is_some_and(|why| why.ends_with("not 36")));
    assert!(refusal("b=3,h=1,p=9000000,u=9").is_some_and(|why| why.contains("offsets")));
}

#[test]
fn parts_on_amd_follow_each_other_and_are_merged_last() {
    let device = device(Vendor::Amd, "gfx950");
    let check = |shape: &str, of_launches: &[u64]| {
        let problem = problem(&SharedPrefixAttention, shape, Dtype::Bf16);
        let plans = [hip::flat, hip::hydragen].map(|plan| plan(&problem, &device));
        for (plan, parts) in plans.iter().zip(of_launches) {
            let rows = parts * problem.shape.integer("b") * problem.shape.integer("h");
            let d = problem.shape.integer("d");
            assert_eq!(plan.scratch, [Bytes(rows * d * 4), Bytes(rows * 8)], "{shape}");
            let Some(Step::Launch(merge)) = plan.steps.last() else { panic!("{shape}") };
            assert!(merge.constants.contains(&("PARTS", (*parts as i64).into())), "{shape}");
        }
    };
    // Two parts of the prefix and one of own keys; as many tiles of 64 keys as parts.
    check("b=3,h=4,hk=2,p=300,u=13", &[3, 6]);
    // A level more, whose tiles of 128 keys follow the prefix's.
    check("b=4,h=4,hk=2,p=300,u=13,d=64,groups=2,m=35", &[4, 5]);
}
