//! Properties of the convolution that hold for every implementation, and of its truth.

use super::{FftConv, cuda, cuda_cluster, cuda_passes, cuda_resident, cuda_short, hip};
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use std::f64::consts::TAU;
use tilemark_core::device::Vendor;
use tilemark_core::family::Arithmetic;
use tilemark_core::launch::{Argument, Launch, Step};
use tilemark_core::{Bytes, Dtype, Family, Flops, Shape, Value};

const CROOKED: [&str; 15] = [
    "b=1,h=1,n=256,l=1",
    "b=3,h=2,n=256,gated=true",
    "b=2,h=3,n=512,l=257,gated=true",
    "b=5,h=1,n=1024",
    "b=1,h=1,n=4096,l=2048",
    "b=3,h=1,n=2048,l=1023",
    "b=3,h=2,n=256,kept=16",
    "b=2,h=2,n=512,l=511,kept=8",
    "b=5,h=1,n=1024,kept=4,gated=true",
    "b=1,h=2,n=256,l=7,kept=1",
    "b=3,h=2,n=1024,l=256,taps=40",
    "b=2,h=1,n=1024,l=300,taps=300,gated=true",
    "b=2,h=3,n=2048,l=1500,taps=257",
    "b=1,h=2,n=512,l=400,taps=200",
    "b=2,h=1,n=512,l=3,taps=1",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&FftConv) {
        check_agrees(&FftConv, implementation, &CROOKED);
    }
}

/// The filter's taps from its spectrum, by the definition of the inverse transform.
fn taps(trial: &Trial, head: usize, n: usize) -> Vec<f64> {
    let at = |bin: usize, part| trial.operands[1].at((head * (n / 2 + 1) + bin) * 2 + part);
    let tap = |t: usize| {
        let mut sum = at(0, 0) + at(n / 2, 0) * if t.is_multiple_of(2) { 1.0 } else { -1.0 };
        for bin in 1..n / 2 {
            let angle = TAU * (bin * t % n) as f64 / n as f64;
            sum += 2.0 * (at(bin, 0) * angle.cos() - at(bin, 1) * angle.sin());
        }
        sum / n as f64
    };
    (0..n).map(tap).collect()
}

#[test]
fn the_truth_is_the_sum_of_taps_that_wrap_around() {
    let (n, l) = (256, 190);
    let trial = Trial::new(&FftConv, "b=2,h=2,n=256,l=190,gated=true", Dtype::F32);
    let truth = trial.truth(Arithmetic::Exact);
    for row in [0, 3] {
        let taps = taps(&trial, row % 2, n);
        for t in [0, 1, 189] {
            let input = |s| trial.operands[0].at(row * l + s) * trial.operands[2].at(row * l + s);
            let sum: f64 = (0..l).map(|s| input(s) * taps[(t + n - s) % n]).sum();
            let expected = trial.operands[3].at(row * l + t) * sum;
            assert!((truth[0][row * l + t] - expected).abs() < 1e-13, "row {row}, element {t}");
        }
    }
}

#[test]
fn a_filter_that_passes_every_other_frequency_makes_the_mean_of_results_half_a_turn_apart() {
    let truth = |shape: &str| {
        let trial = Trial::new(&FftConv, shape, Dtype::F32);
        trial.truth(Arithmetic::Exact).swap_remove(0)
    };
    let whole = truth("b=2,h=2,n=256");
    for (shape, fold) in [("b=2,h=2,n=256,kept=8", 2), ("b=2,h=2,n=256,kept=2", 8)] {
        for (at, y) in truth(shape).into_iter().enumerate() {
            let (row, t) = (at / 256 * 256, at % 256);
            let sum: f64 = (0..fold).map(|i| whole[row + (t + i * 256 / fold) % 256]).sum();
            assert!((y - sum / fold as f64).abs() < 1e-12, "{shape}, element {at}");
        }
    }
}

#[test]
fn a_filter_in_time_is_a_sum_of_taps() {
    let (n, l, taps) = (256, 190, 100);
    let trial = Trial::new(&FftConv, "b=2,h=2,n=256,l=190,taps=100", Dtype::F32);
    let truth = &trial.truth(Arithmetic::Exact)[0];
    for (row, t) in [(0, 0), (1, 33), (3, 189)] {
        let tap = |s: usize| trial.operands[1].at(row % 2 * taps + s);
        // Inputs that come in from the end too: 190 + 99 elements are more than 256.
        let input = |at: usize| if at < l { trial.operands[0].at(row * l + at) } else { 0.0 };
        let sum: f64 = (0..taps).map(|s| tap(s) * input((t + n - s) % n)).sum();
        assert!((truth[row * l + t] - sum).abs() < 1e-13, "row {row}, element {t}");
    }
}

#[test]
fn an_all_pass_filter_gives_back_what_came_in() {
    let trial = Trial::new(&FftConv, "b=3,h=1,n=512,l=300", Dtype::F32);
    let mut inputs = trial.inputs();
    // Imaginary parts of the first and the last bin mean nothing.
    inputs[1] = [1.0, 0.0].repeat(257);
    (inputs[1][1], inputs[1][513]) = (7.0, -7.0);
    for implementation in on_host(&FftConv) {
        let outputs = trial.run(implementation, &inputs);
        for (y, u) in outputs[0].iter().zip(&inputs[0]) {
            assert!((y - u).abs() < 4e-6, "`{}`: {y} for {u}", implementation.name);
        }
    }
}

#[test]
fn sequences_of_a_pair_do_not_mix() {
    let trial = Trial::new(&FftConv, "b=2,h=2,n=256", Dtype::F32);
    let mut inputs = trial.inputs();
    inputs[0][2 * 256..].fill(0.0);
    for implementation in on_host(&FftConv) {
        let outputs = trial.run(implementation, &inputs);
        assert!(outputs[0][..512].iter().all(|y| *y != 0.0), "`{}`", implementation.name);
        let worst = outputs[0][512..].iter().fold(0.0, |worst: f32, y| worst.max(y.abs()));
        assert!(worst < 1e-6, "`{}`: {worst}", implementation.name);
    }
}

#[test]
fn heads_have_filters_of_their_own() {
    let trial = Trial::new(&FftConv, "b=1,h=3,n=256,l=77", Dtype::F32);
    let mut inputs = trial.inputs();
    let bins = 129 * 2;
    inputs[1][bins..2 * bins].fill(0.0);
    for implementation in on_host(&FftConv) {
        let outputs = trial.run(implementation, &inputs);
        let silent: Vec<bool> =
            outputs[0].chunks(77).map(|y| y.iter().all(|y| *y == 0.0)).collect();
        assert_eq!(silent, [false, true, false], "`{}`", implementation.name);
    }
}

#[test]
fn only_powers_of_two_that_hold_the_sequence_are_shapes() {
    let refusal = |n, l| {
        let given = [("b", 1), ("h", 1), ("n", n), ("l", l)]
            .map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
        let shape = Shape::complete(&given, FftConv.about().axes).expect("these are its axes");
        FftConv.check(&shape).err()
    };
    assert_eq!(refusal(256, 256), None);
    assert_eq!(refusal(1 << 22, 1), None);
    for n in [128, 300, 1 << 23] {
        assert!(refusal(n, 1).is_some_and(|why| why.contains("axis `n`")), "{n}");
    }
    assert!(refusal(256, 257).is_some_and(|why| why.contains("axis `l`")));
}

#[test]
fn filters_are_cut_in_one_way_that_leaves_them_real() {
    let refusal = |axes: &[(&str, u64)]| {
        let given: Vec<_> = [("b", 1), ("h", 1), ("n", 256)]
            .iter()
            .chain(axes)
            .map(|(axis, value)| ((*axis).to_owned(), Value::Integer(*value)))
            .collect();
        let shape = Shape::complete(&given, FftConv.about().axes).expect("these are its axes");
        FftConv.check(&shape).err()
    };
    assert_eq!(refusal(&[("kept", 8)]), None);
    assert_eq!(refusal(&[("taps", 256)]), None);
    for (axes, axis) in [
        (&[("kept", 3)][..], "`kept`"),
        (&[("kept", 32)], "`kept`"),
        (&[("taps", 257)], "`taps`"),
        (&[("kept", 8), ("taps", 8)], "exclude"),
    ] {
        assert!(refusal(axes).is_some_and(|why| why.contains(axis)), "{axes:?}");
    }
}

#[test]
fn a_block_takes_as_many_pairs_as_fill_it() {
    let launch = |shape: &str| {
        let problem = problem(&FftConv, shape, Dtype::Bf16);
        let plan = cuda::monarch(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let [Step::Launch(_), Step::Early(Launch { grid, block, dynamic_shared_bytes, .. })] =
            plan.steps[..]
        else {
            panic!("two launches, not {plan:?}")
        };
        (grid, block[0], dynamic_shared_bytes)
    };
    assert_eq!(launch("b=33,h=3,n=256"), ([3, 2, 1], 64, 16 << 10));
    assert_eq!(launch("b=33,h=3,n=4096"), ([3, 17, 1], 64, 16 << 10));
    assert_eq!(launch("b=2,h=3,n=8192"), ([3, 1, 1], 128, 32 << 10));
    assert_eq!(launch("b=2,h=3,n=16384"), ([3, 1, 1], 128, 64 << 10));
    assert_eq!(launch("b=2,h=3,n=32768"), ([3, 1, 1], 512, 128 << 10));
}

#[test]
fn where_a_block_has_whole_rows_it_goes_straight_to_memory() {
    let entries = |shape: &str| -> Vec<&str> {
        let problem = problem(&FftConv, shape, Dtype::Bf16);
        let info = device(Vendor::Nvidia, "sm_90a");
        cuda_short::any_since_sm80(&problem, &info).expect("a block has its rows");
        let plan = cuda_short::plan(&problem, &info);
        plan.steps.iter().filter_map(|step| Some(step.launch()?.entry)).collect()
    };
    let short = ["fftconv_arrange_short", "fftconv_short"];
    assert_eq!(entries("b=3,h=2,n=256"), short);
    assert_eq!(entries("b=3,h=2,n=4096,l=4095,gated=true"), short);
    assert_eq!(entries("b=3,h=2,n=65536,kept=1"), short);
}

#[test]
fn blocks_that_stay_are_one_a_multiprocessor() {
    let launch = |shape: &str| {
        let problem = problem(&FftConv, shape, Dtype::Bf16);
        let info = device(Vendor::Nvidia, "sm_90a");
        cuda_resident::any_since_sm90(&problem, &info).expect("shared memory has its tables");
        let plan = cuda_resident::plan(&problem, &info);
        let Some(Step::Early(launch)) = plan.steps.last() else { panic!("no launch: {plan:?}") };
        let full = launch.constants.contains(&("FULL", 1.into()));
        (launch.grid, launch.block[0], launch.dynamic_shared_bytes, full)
    };
    // A turn has four pairs of a head at 8192 points, and twice as many at half as many points.
    assert_eq!(launch("b=64,h=768,n=8192"), ([132, 1, 1], 512, 231_568, true));
    assert_eq!(launch("b=9,h=3,n=8192"), ([6, 1, 1], 512, 231_568, false));
    assert_eq!(launch("b=12,h=3,n=8192"), ([6, 1, 1], 512, 231_568, false));
    assert_eq!(launch("b=17,h=3,n=4096"), ([6, 1, 1], 512, 182_544, false));
    assert_eq!(launch("b=16,h=3,n=4096"), ([3, 1, 1], 512, 182_544, true));
    assert_eq!(launch("b=1,h=2,n=256"), ([2, 1, 1], 512, 136_464, false));
    let refusal = |n: u64, arch| {
        let problem = problem(&FftConv, &format!("b=1,h=1,n={n}"), Dtype::F16);
        cuda_resident::any_since_sm90(&problem, &device(Vendor::Nvidia, arch)).err()
    };
    assert!(refusal(16384, "sm_90a").is_some_and(|why| why.contains("8192")));
    assert!(refusal(8192, "sm_120").is_some_and(|why| why.contains("226 KB")));
    assert!(refusal(256, "sm_89").is_some_and(|why| why.contains("sm_90")));
}

#[test]
fn filters_in_time_are_transformed_where_they_are_arranged() {
    let problem = problem(&FftConv, "b=3,h=2,n=4096,l=2040,taps=512", Dtype::Bf16);
    let plan = cuda_passes::plan(&problem, &device(Vendor::Nvidia, "sm_90a"));
    let launches: Vec<(&str, u32)> = plan
        .steps
        .iter()
        .filter_map(|step| Some((step.launch()?.entry, step.launch()?.dynamic_shared_bytes)))
        .collect();
    let [arrange, convolve] = ["fftconv_arrange", "fftconv_monarch"];
    let expected =
        [(arrange, 8 << 10), (arrange, 4 << 10), (convolve, 16 << 10), (convolve, 16 << 10)];
    assert_eq!(launches, expected);
}

#[test]
fn a_cluster_has_half_a_transform_a_block() {
    let launch = |shape: &str| {
        let problem = problem(&FftConv, shape, Dtype::Bf16);
        let plan = cuda_cluster::plan(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let mut launches = plan.steps.iter().rev().filter_map(Step::launch);
        let launch = launches.find(|launch| launch.entry == "fftconv_cluster");
        let launch = launch.expect("a plan of clusters launches one");
        (launch.grid, launch.cluster[0], launch.block[0], launch.dynamic_shared_bytes)
    };
    assert_eq!(launch("b=33,h=3,n=8192"), ([6, 17, 1], 2, 64, 16 << 10));
    assert_eq!(launch("b=2,h=3,n=32768"), ([6, 1, 1], 2, 128, 64 << 10));
}

#[test]
fn a_band_of_heads_has_spectra_that_stay_in_l2() {
    let grid = |n: u64, h: u64| {
        let problem = problem(&FftConv, &format!("b=64,h={h},n={n}"), Dtype::Bf16);
        let plan = cuda::monarch(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let Some(Step::Early(launch)) = plan.steps.last() else { panic!("no launch: {plan:?}") };
        launch.grid
    };
    assert_eq!(grid(4096, 768), [768, 32, 1]);
    assert_eq!(grid(4096, 769), [385, 32, 2]);
    assert_eq!(grid(1024, 768), [768, 8, 1]);
    assert_eq!(grid(32768, 768), [96, 32, 8]);
}

#[test]
fn the_longest_transforms_need_a_block_with_room() {
    let refusal = |n: u64, arch| {
        let problem = problem(&FftConv, &format!("b=1,h=1,n={n}"), Dtype::F16);
        cuda::any_since_sm80(&problem, &device(Vendor::Nvidia, arch)).err()
    };
    assert_eq!(refusal(32768, "sm_80"), None);
    assert_eq!(refusal(16384, "sm_89"), None);
    assert!(refusal(32768, "sm_89").is_some_and(|why| why.contains("128 KB")));
    assert_eq!(refusal(1 << 22, "sm_89"), None);
}

#[test]
fn on_amd_a_block_has_a_wave_for_each_strip_or_two() {
    let launch = |n: u64, number: usize| {
        let problem = problem(&FftConv, &format!("b=33,h=3,n={n}"), Dtype::Bf16);
        let plan = hip::monarch(&problem, &device(Vendor::Amd, "gfx950"));
        let Step::Launch(launch) = &plan.steps[number] else { panic!("a launch, not {plan:?}") };
        (launch.entry, launch.grid.iter().product::<u32>(), launch.block[0])
    };
    assert_eq!(launch(256, 1), ("fftconv_gfx942_monarch", 3 * 2, 256));
    assert_eq!(launch(4096, 1), ("fftconv_gfx942_monarch", 3 * 17, 256));
    assert_eq!(launch(8192, 1), ("fftconv_gfx942_monarch", 3 * 17, 512));
    assert_eq!(launch(16384, 1), ("fftconv_gfx942_monarch", 3 * 17, 512));
    assert_eq!(launch(65536, 3), ("fftconv_gfx942_outer_forward", 99 * 32, 64));
    assert_eq!(launch(65536, 4), ("fftconv_gfx942_monarch", 99 * 9, 256));
}

#[test]
fn on_amd_lds_bounds_what_a_block_holds() {
    let refusal = |n: u64, arch| {
        let problem = problem(&FftConv, &format!("b=1,h=1,n={n}"), Dtype::F16);
        hip::any_since_gfx942(&problem, &device(Vendor::Amd, arch)).err()
    };
    for n in [256, 16384, 65536, 1 << 21] {
        assert_eq!(refusal(n, "gfx942"), None, "{n}");
    }
    for n in [32768, 1 << 22] {
        assert!(refusal(n, "gfx942").is_some_and(|why| why.contains("holds 16384")), "{n}");
        assert_eq!(refusal(n, "gfx950"), None, "{n}");
    }
}

#[test]
fn the_longest_transforms_are_cut_into_parts_that_a_block_holds() {
    let launch = |shape: &str, number: usize| {
        let problem = problem(&FftConv, shape, Dtype::Bf16);
        let plan = cuda::monarch(&problem, &device(Vendor::Nvidia, "sm_90a"));
        let Step::Launch(launch) = &plan.steps[number] else { panic!("a launch, not {plan:?}") };
        (launch.entry, launch.grid.iter().product::<u32>(), plan.scratch[4])
    };
    // Three sequences of nine parts of 4096 points, two planes each.
    let parts = Bytes(3 * 9 * 4096 * 4);
    assert_eq!(launch("b=3,h=1,n=65536", 2), ("fftconv_outer_arrange", 9 * 16 / 8, parts));
    assert_eq!(launch("b=3,h=1,n=65536", 3), ("fftconv_outer_forward", 3 * 32, parts));
    assert_eq!(launch("b=3,h=1,n=65536", 4), ("fftconv_monarch", 3 * 9, parts));
    let parts = Bytes(65 * 32768 * 4);
    assert_eq!(launch("b=1,h=1,n=4194304", 2), ("fftconv_outer_arrange", 65 * 32 / 8, parts));
    assert_eq!(launch("b=1,h=1,n=4194304", 4), ("fftconv_monarch", 65 * 2, parts));
    assert_eq!(launch("b=1,h=1,n=4194304", 5), ("fftconv_outer_inverse", 64, parts));
}

#[test]
fn blocks_of_the_widest_outer_stage_stay_where_there_is_room_for_its_matrix() {
    let stages = |n: u64, arch| {
        let problem = problem(&FftConv, &format!("b=3,h=100,n={n}"), Dtype::Bf16);
        let plan = cuda::monarch(&problem, &device(Vendor::Nvidia, arch));
        [3, 5].map(|number| {
            let Step::Launch(launch) = &plan.steps[number] else { panic!("a launch: {plan:?}") };
            let resident = launch.constants.contains(&("RESIDENT", 1.into()));
            let [chunks] = &launch.arguments[6..] else { panic!("{:?}", launch.arguments) };
            (resident, chunks.clone(), launch.grid[0], launch.block[0], launch.dynamic_shared_bytes)
        })
    };
    // Chunks of 8 warps' 64 columns: what they stage are 2 * 65 rows, and the matrix is 128 x 128.
    let resident = (true, Argument::I32(300 * 16), 132, 256, 8 * 130 * 128 + 32_768);
    assert!(stages(1 << 20, "sm_90a").iter().all(|stage| *stage == resident));
    let passing = (false, Argument::I32(300 * 64), 300 * 64, 64, 2 * 130 * 128);
    assert!(stages(1 << 20, "sm_86").iter().all(|stage| *stage == passing));
    let narrow = (false, Argument::I32(300 * 32), 300 * 32, 64, 2 * 18 * 128);
    assert!(stages(1 << 16, "sm_90a").iter().all(|stage| *stage == narrow));
}

#[test]
fn work_counts_two_transforms_and_each_tensor_once() {
    let work = |shape: &str| {
        let work = FftConv.work(&Trial::new(&FftConv, shape, Dtype::Bf16).problem);
        (work.convention, work.executed, work.least_bytes)
    };
    let spectra = 5 * 129 * 8;
    let flops = 15 * 256 * (80 + 6);
    let plain = (Flops(flops), Flops(flops / 2), Bytes(2 * 2 * 15 * 100 + spectra));
    assert_eq!(work("b=3,h=5,n=256,l=100"), plain);
    let gates = 15 * 200;
    let folded = 15 * 128 * (70 + 6);
    let spectra_passed = 5 * 65 * 8;
    let sparse = (Flops(folded), Flops(folded / 2), Bytes(2 * 2 * 15 * 100 + spectra_passed));
    assert_eq!(work("b=3,h=5,n=256,l=100,kept=8"), sparse);
    // Two passes over 1024 and 256 points, and as many transforms of taps.
    let transforms = 15 * (1024 * (100 + 6) + 256 * (80 + 6));
    let filters = 5 * (5 * 1024 * 10 / 2 + 5 * 256 * 8 / 2);
    let bytes = Bytes(2 * 2 * 15 * 1024 + 5 * 100 * 4);
    let partial = (Flops(transforms + filters), Flops(transforms / 2 + filters), bytes);
    assert_eq!(work("b=3,h=5,n=2048,l=1024,taps=100"), partial);
    let gated = (Flops(flops + gates), Flops(flops / 2 + gates), Bytes(4 * 2 * 15 * 100 + spectra));
    assert_eq!(work("b=3,h=5,n=256,l=100,gated=true"), gated);
}
