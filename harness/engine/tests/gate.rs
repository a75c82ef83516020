//! The gate's own test: the right answer passes, and every control is rejected.

mod common;

use common::{SumOfSquares, problem};
use tilemark_core::device::Slice;
use tilemark_core::{Bytes, Device, Problem};
use tilemark_engine::device::cpu::Cpu;
use tilemark_engine::tensors::Placed;
use tilemark_engine::validate::{Overrides, Rejection, Truth, verify};

/// Small enough to be compared whole, with more rows than one tile of any kernel.
const ROWS: u64 = 131;

struct Bench {
    device: Cpu,
    problem: Problem,
    placed: Placed,
    truth: Truth,
}

impl Bench {
    /// Tensors whose output holds the right answer.
    fn new() -> Self {
        use tilemark_core::Family;
        let mut device = Cpu::new();
        let problem = problem(ROWS);
        let tensors = SumOfSquares.tensors(&problem);
        let placed = Placed::new(&mut device, &problem, tensors, 1).expect("they fit");
        let truth = Truth::compute(&SumOfSquares, &problem);
        let mut bench = Bench { device, problem, placed, truth };
        bench.write(&bench.right());
        bench
    }

    fn right(&self) -> Vec<f32> {
        self.truth.outputs[0].exact.iter().map(|value| *value as f32).collect()
    }

    fn output(&self) -> Slice {
        self.placed.slices(0)[1]
    }

    fn write(&mut self, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let Slice { buffer, offset, .. } = self.output();
        self.device.upload(buffer, offset, &bytes).expect("it fits");
    }

    fn verdict(&mut self) -> Option<Rejection> {
        self.verdict_with(&Overrides::default())
    }

    fn verdict_with(&mut self, overrides: &Overrides) -> Option<Rejection> {
        let Bench { device, problem, placed, truth } = self;
        verify(device, &SumOfSquares, problem, placed, 0, truth, overrides)
            .expect("the CPU can be read")
            .1
    }
}

/// Spoils the right answer and gives the verdict.
fn check(spoil: impl FnOnce(&mut Vec<f32>)) -> Option<Rejection> {
    let mut bench = Bench::new();
    let mut values = bench.right();
    spoil(&mut values);
    bench.write(&values);
    bench.verdict()
}

#[test]
fn the_right_answer_passes() {
    assert_eq!(check(|_| ()), None);
}

#[test]
fn all_zeros_are_rejected() {
    assert!(matches!(check(|v| v.fill(0.0)), Some(Rejection::RelativeError { .. })));
}

#[test]
fn an_output_that_was_never_written_is_rejected() {
    let mut bench = Bench::new();
    bench.placed.poison_outputs(&mut bench.device).unwrap();
    let expected =
        Rejection::Nonfinite { tensor: "y".into(), nan: ROWS, infinite: 0, elements: ROWS };
    assert_eq!(bench.verdict(), Some(expected));
}

#[test]
fn an_unwritten_tail_is_rejected() {
    let found = check(|v| v[ROWS as usize - 3..].fill(f32::NAN));
    assert!(matches!(found, Some(Rejection::Nonfinite { nan: 3, .. })));
}

#[test]
fn the_answer_of_another_seed_is_rejected() {
    let other = Problem { seed: 43, ..problem(ROWS) };
    let stale = Truth::compute(&SumOfSquares, &other).outputs[0].exact.clone();
    let found = check(|v| v.iter_mut().zip(&stale).for_each(|(v, old)| *v = *old as f32));
    assert!(matches!(found, Some(Rejection::RelativeError { .. })));
}

#[test]
fn one_wrong_element_is_rejected_and_named() {
    // Small against the whole: its share of the norm is 1e-5, and only the largest error shows it.
    let mut bench = Bench::new();
    let mut values = bench.right();
    values[77] *= 1.0001;
    bench.write(&values);
    let loose = Overrides { rtol: Some(1.0), atol: None };
    match bench.verdict_with(&loose) {
        Some(Rejection::MaxError { index: 77, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shifted_row_is_rejected() {
    assert!(matches!(check(|v| v.rotate_left(1)), Some(Rejection::RelativeError { .. })));
}

#[test]
fn a_result_that_is_one_percent_too_large_is_rejected() {
    let found = check(|v| v.iter_mut().for_each(|v| *v *= 1.01));
    assert!(matches!(found, Some(Rejection::RelativeError { .. })));
}

#[test]
fn infinity_where_the_truth_has_none_is_rejected() {
    let found = check(|v| v[5] = f32::INFINITY);
    assert!(matches!(found, Some(Rejection::Nonfinite { infinite: 1, .. })));
}

#[test]
fn the_projection_sees_what_loose_bounds_let_through() {
    let mut bench = Bench::new();
    let mut values = bench.right();
    values[3] += 5.0;
    bench.write(&values);
    let loose = Overrides { rtol: Some(1.0), atol: Some(10.0) };
    assert!(matches!(bench.verdict_with(&loose), Some(Rejection::Projection { .. })));
}

#[test]
fn a_changed_input_is_rejected() {
    let mut bench = Bench::new();
    let Slice { buffer, offset, .. } = bench.placed.slices(0)[0];
    bench.device.upload(buffer, offset, &[1]).unwrap();
    assert_eq!(bench.verdict(), Some(Rejection::InputsChanged));
}

#[test]
fn a_write_beside_a_tensor_is_rejected() {
    let ends: [fn(Slice) -> u64; 2] =
        [|slice| slice.offset.0 - 1, |slice| slice.offset.0 + slice.bytes.0];
    for place in ends {
        let mut bench = Bench::new();
        let slice = bench.output();
        bench.device.upload(slice.buffer, Bytes(place(slice)), &[0]).unwrap();
        assert_eq!(bench.verdict(), Some(Rejection::GuardOverwritten));
    }
}

#[test]
fn the_bounds_are_twice_the_references_errors_and_the_floors() {
    let mut bench = Bench::new();
    let Bench { device, problem, placed, truth } = &mut bench;
    let overrides = Overrides::default();
    let verdict = verify(device, &SumOfSquares, problem, placed, 0, truth, &overrides).unwrap();
    let check = &verdict.0.outputs[0];
    assert!(check.reference_relative_error > 0.0 && check.reference_max_error > 0.0);
    assert_eq!(check.relative_bound, 2.0 * check.reference_relative_error + 1e-6);
    assert_eq!(check.max_bound, 2.0 * check.reference_max_error + 1e-4);
}
