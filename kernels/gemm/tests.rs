//! Properties of the matrix product that hold for every implementation, and of its checks.

use super::{Candidate, Gemm, candidates};
use crate::testing::{Trial, check_agrees, device, problem};
use crate::tests::on_host;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Arithmetic, Readout};
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

#[test]
fn every_candidate_of_the_search_is_what_the_table_would_say() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let of = |shape, dtype| candidates(&problem(&Gemm, shape, dtype), &hopper);
    let [wide, narrow] =
        ["m=1024,n=1024,k=1024", "m=64,n=1024,k=1024"].map(|shape| of(shape, Dtype::Bf16));
    assert!(wide.len() > 10 && narrow.len() > wide.len(), "{} {}", wide.len(), narrow.len());
    for Candidate { tile, plan } in wide.iter().chain(&narrow) {
        let entry: toml::Table = format!("tile = {tile}").parse().unwrap();
        assert!(entry["tile"]["kernel"].as_str().unwrap().starts_with("sm90_"), "{tile}");
        assert_eq!(plan.steps.len(), 1, "{tile}");
    }
    // Both operands are copied first where no row is aligned; 8-bit ones are turned.
    for (dtype, shape) in [(Dtype::Bf16, "m=9,n=257,k=63"), (Dtype::E4m3, "m=9,n=256,k=63")] {
        assert!(of(shape, dtype).iter().all(|c| c.plan.steps.len() == 3), "{dtype} {shape}");
    }
}

#[test]
fn scales_of_rows_and_columns_get_a_tile_that_leaves_them_registers() {
    let hopper = device(Vendor::Nvidia, "sm_90a");
    let wide = |scale: &str| {
        let shape = format!("m=8192,n=8192,k=8192,layout=nt,scale={scale}");
        let tiles = candidates(&problem(&Gemm, &shape, Dtype::E4m3), &hopper);
        tiles.iter().any(|c| c.tile.contains("BLOCKS = 2") && c.tile.contains("TILE_N = 192"))
    };
    assert!(wide("tensor") && !wide("row_column"));
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
