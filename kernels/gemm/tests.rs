//! Properties of the matrix product that hold for every implementation, and of its checks.

use super::Gemm;
use super::choices::Table;
use super::operands::Operands;
use crate::interpreted::{for_each_plan, outputs};
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_cdna::exec::group::Order;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Arithmetic, Body, Readout, Tuning, Variant};
use tilemark_core::launch::Plan;
use tilemark_core::{Bytes, Dtype, Family, Flops};

const CROOKED: [&str; 12] = [
    "m=1,n=1,k=1",
    "m=1,n=67,k=31",
    "m=67,n=1,k=31",
    "m=13,n=33,k=1",
    "m=97,n=131,k=90",
    "m=17,n=65,k=127",
    "m=17,n=65,k=127,layout=nt",
    "m=17,n=65,k=127,scale=tensor",
    "m=17,n=65,k=127,scale=row_column",
    "m=601,n=7,k=30,scale=row_column",
    "m=49,n=97,k=257",
    "m=49,n=97,k=257,layout=nt",
];

#[test]
fn every_implementation_agrees_with_the_truth() {
    for implementation in on_host(&Gemm) {
        check_agrees(&Gemm, implementation, &CROOKED);
    }
}

#[test]
fn the_truth_is_the_sum_of_products() {
    let trial = Trial::new(&Gemm, "m=2,n=2,k=2", Dtype::Bf16);
    let [a, b] = [0, 1].map(|idx| [0, 1, 2, 3].map(|at| trial.operands[idx].at(at)));
    let expected = [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    ];
    assert_eq!(trial.truth(Arithmetic::Exact), [expected]);
}

#[test]
fn scales_multiply_rows_and_columns() {
    let trial = Trial::new(&Gemm, "m=2,n=2,k=1,scale=row_column", Dtype::E4m3);
    let [a, b, of_a, of_b] = [0, 1, 2, 3].map(|idx| [0, 1].map(|at| trial.operands[idx].at(at)));
    assert!(of_a[0] != of_a[1] && of_b[0] != of_b[1], "{of_a:?} {of_b:?}");
    let element = |i: usize, j: usize| a[i] * b[j] * (of_a[i] * of_b[j]);
    let expected = [element(0, 0), element(0, 1), element(1, 0), element(1, 1)];
    assert_eq!(trial.truth(Arithmetic::Exact), [expected]);
}

#[test]
fn a_product_with_the_identity_is_the_other_operand() {
    for layout in ["nn", "nt"] {
        let trial = Trial::new(&Gemm, &format!("m=19,n=37,k=37,layout={layout}"), Dtype::F16);
        let mut inputs = trial.inputs();
        inputs[1] = (0..37 * 37).map(|at| if at % 38 == 0 { 1.0 } else { 0.0 }).collect();
        for implementation in on_host(&Gemm) {
            let outputs = trial.run(implementation, &inputs);
            assert_eq!(outputs[0], inputs[0], "`{}` {layout}", implementation.name);
        }
    }
}

#[test]
fn the_projection_passes_right_answers_and_no_others() {
    for dtype in Gemm.about().dtypes {
        for shape in [
            "m=1,n=1,k=1",
            "m=17,n=65,k=127",
            "m=17,n=65,k=127,layout=nt",
            "m=17,n=65,k=127,scale=tensor",
            "m=17,n=65,k=127,scale=row_column",
        ] {
            let trial = Trial::new(&Gemm, shape, *dtype);
            let right: Vec<f32> =
                trial.truth(Arithmetic::Working)[0].iter().map(|v| *v as f32).collect();
            let id = trial.problem.id();
            assert!(figure(&trial, &right) <= 1.0, "{id}: {}", figure(&trial, &right));

            let zeros = vec![0.0; right.len()];
            assert!(figure(&trial, &zeros) > 1.0, "{id}: all zeros");
            let last = right.len() - 1;
            for wrong in [0.0, f32::NAN, f32::INFINITY] {
                let mut outputs = right.clone();
                outputs[last] = wrong;
                assert!(figure(&trial, &outputs) > 1.0, "{id}: {} → {wrong}", right[last]);
            }
        }
    }
}

fn figure(trial: &Trial, values: &[f32]) -> f64 {
    let output = trial.tensors.len() - 1;
    let dtype = trial.tensors[output].dtype;
    let mut bytes = vec![0; values.len() * dtype.size() as usize];
    dtype.encode(values, &mut bytes);
    let readout = Readout { output, dtype, bytes: &bytes };
    Gemm.projection(&trial.problem, &trial.operands, &readout).unwrap()
}

/// What a search may try on an H200.
fn tuning(shape: &str, dtype: Dtype) -> Tuning {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    Gemm.tuning("sm90_wgmma", &problem(&Gemm, shape, dtype), &hopper).unwrap()
}

fn plan(variant: &Variant) -> &Plan {
    match &variant.body {
        Body::Plan(plan) => plan,
        other => panic!("{other:?} is no device code"),
    }
}

#[test]
fn a_search_starts_with_the_present_choice_and_tries_nothing_twice() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let [wide, narrow] = ["m=1024,n=1024,k=1024", "m=64,n=1024,k=1024"]
        .map(|shape| (problem(&Gemm, shape, Dtype::Bf16), tuning(shape, Dtype::Bf16)));
    assert!(wide.1.variants.len() > 10 && narrow.1.variants.len() > wide.1.variants.len());
    for (problem, tuning) in [&wide, &narrow] {
        let plans: Vec<&Plan> = tuning.variants.iter().map(plan).collect();
        assert_eq!(*plans[0], super::sm90::chosen(problem, &hopper));
        let twice = |at: &usize| plans[..*at].contains(&plans[*at]);
        assert_eq!((0..plans.len()).find(twice), None, "{}", problem.id());
        assert!(plans.iter().all(|plan| plan.steps.len() == 1), "{}", problem.id());
    }
    // Both operands are copied first where no row is aligned; 8-bit ones are turned.
    for (dtype, shape) in [(Dtype::Bf16, "m=9,n=257,k=63"), (Dtype::E4m3, "m=9,n=256,k=63")] {
        let variants = tuning(shape, dtype).variants;
        assert!(variants.iter().all(|v| plan(v).steps.len() == 3), "{dtype} {shape}");
    }
}

#[test]
fn only_what_the_table_decides_is_tuned_and_only_where_it_runs() {
    let problem = problem(&Gemm, "m=64,n=64,k=64", Dtype::Bf16);
    let count = |name, vendor, arch| {
        let tuning = Gemm.tuning(name, &problem, &device(vendor, arch));
        tuning.map_or(0, |tuning| tuning.variants.len())
    };
    assert!(count("sm90_wgmma", Vendor::Nvidia, "sm_90a") > 0);
    assert_eq!(count("sm90_small_m", Vendor::Nvidia, "sm_90a"), 0);
    assert_eq!(count("sm90_wgmma", Vendor::Nvidia, "sm_100a"), 0);
    assert_eq!(count("cpu_blocked", Vendor::Cpu, "any"), 0);
}

#[test]
fn what_a_search_writes_is_an_entry_that_the_table_then_follows() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    for (shape, dtype) in [
        ("m=1500,n=1024,k=1024,layout=nt", Dtype::F16),
        ("m=64,n=1024,k=1024", Dtype::Bf16),
        ("m=4096,n=4096,k=4096,layout=nt,scale=row_column", Dtype::E4m3),
    ] {
        let problem = problem(&Gemm, shape, dtype);
        let operands = Operands::of(&problem);
        let Tuning { scope, variants, .. } = tuning(shape, dtype);
        for variant in &variants {
            let entry = format!("    {{ {scope}, {} }},", variant.choice);
            let table = include_str!("choices.toml")
                .replace("\nchoices = [", &format!("\nchoices = [\n{entry}"));
            let tile = Table::parse(&table).nearest(&operands, &hopper, |_| true);
            assert_eq!(tile.plan(&operands, &hopper), *plan(variant), "{entry}");
        }
    }
}

#[test]
fn scales_of_rows_and_columns_get_a_tile_that_leaves_them_registers() {
    let wide = |scale: &str| {
        let shape = format!("m=8192,n=8192,k=8192,layout=nt,scale={scale}");
        let tuning = tuning(&shape, Dtype::E4m3);
        let wide = |choice: &str| choice.contains("BLOCKS = 2") && choice.contains("TILE_N = 192");
        tuning.variants.iter().any(|variant| wide(&variant.choice))
    };
    assert!(wide("tensor") && !wide("row_column"));
}

#[test]
fn a_tile_is_put_off_only_where_registers_the_copy_engine_and_k_allow_it() {
    let tries = |dtype, shape: &str| {
        let variants = tuning(shape, dtype).variants;
        variants.iter().any(|variant| variant.choice.contains("DEFER = 1"))
    };
    // Four panels a tile, a slice of 128 bytes of K each.
    assert!(tries(Dtype::Bf16, "m=4096,n=4096,k=193"));
    assert!(!tries(Dtype::Bf16, "m=4096,n=4096,k=192"));
    assert!(tries(Dtype::E4m3, "m=4096,n=4096,k=385,scale=tensor"));
    assert!(!tries(Dtype::E4m3, "m=4096,n=4096,k=384,scale=tensor"));
    assert!(!tries(Dtype::Bf16, "m=4096,n=4097,k=4096"));
    assert!(!tries(Dtype::E4m3, "m=4096,n=4096,k=4096,scale=row_column"));
}

#[test]
fn work_counts_products_sums_and_each_element_once() {
    let work = Gemm.work(&Trial::new(&Gemm, "m=3,n=5,k=7", Dtype::Bf16).problem);
    assert_eq!(work.convention, Flops(210));
    assert_eq!(work.executed, Flops(210));
    assert_eq!(work.least_bytes, Bytes(2 * (21 + 35 + 15)));
    let scaled = problem(&Gemm, "m=3,n=5,k=7,scale=row_column", Dtype::E4m3);
    assert_eq!(Gemm.work(&scaled).least_bytes, Bytes(21 + 35 + 4 * (3 + 5) + 2 * 15));
}

#[test]
fn every_value_of_e4m3_is_multiplied_as_what_it_is() {
    let values: Vec<f32> = (0..=255).map(|byte| Dtype::E4m3.decode(&[byte], 0)).collect();
    for_each_plan(&Gemm, "m=256,n=16,k=1", Dtype::E4m3, |trial, name, arch, plan| {
        let inputs = [values.clone(), vec![1.0; 16]];
        let Some(found) = outputs(trial, &inputs, plan, arch, Order::InTurn).unwrap() else {
            return;
        };
        for (value, row) in values.iter().zip(found[0].chunks_exact(16)) {
            let same = |c: &f32| c == value || c.is_nan() && value.is_nan();
            assert!(row.iter().all(same), "`{name}` on {arch}: {value} became {row:?}");
        }
    });
}
