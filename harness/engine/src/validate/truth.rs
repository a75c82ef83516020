//! The truth on a sample, and the error that an honest computation in the same precision makes.

use super::sample::{row_elements, rows};
use rayon::prelude::*;
use tilemark_core::family::{Arithmetic, Operand, Query, Role};
use tilemark_core::{Family, Problem, Tensor};

/// Elements up to which operands are drawn once and kept.
const STORED_ELEMENTS: u64 = 1 << 24;

/// What is known of a problem's outputs.
pub struct Truth {
    /// One operand a tensor, in the family's order.
    pub operands: Vec<Operand>,
    /// One entry an output.
    pub outputs: Vec<OutputTruth>,
}

/// What is known of one output.
pub struct OutputTruth {
    /// Index of the tensor in the family's list.
    pub tensor: usize,
    /// Elements of one row.
    pub row: u64,
    /// Rows that are known, ascending.
    pub rows: Vec<u64>,
    /// Their elements, concatenated.
    pub exact: Vec<f64>,
    /// Error of the working-precision reference on them.
    pub reference: Deviation,
}

/// How far values lie from the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// ‖value − truth‖ / ‖truth‖ over finite pairs; ‖value − truth‖ where the truth is all zeros.
    pub relative: f64,
    /// Largest |value − truth| over finite pairs.
    pub max: f64,
    /// Position of that element in the sample.
    pub worst: usize,
}

impl Truth {
    /// Computes the truth of a problem on the sample that its size and seed give.
    pub fn compute(family: &dyn Family, problem: &Problem) -> Self {
        let tensors = family.tensors(problem);
        let flops = family.work(problem).executed.0;
        let elements = tensors.iter().fold(0, |sum: u64, t| sum.saturating_add(t.elements()));
        let stored = elements <= STORED_ELEMENTS;
        let operands: Vec<Operand> = tensors
            .iter()
            .enumerate()
            .map(|(idx, tensor)| Operand::new(problem, idx, tensor, stored))
            .collect();
        let outputs = tensors
            .iter()
            .enumerate()
            .filter(|(_, tensor)| matches!(tensor.role, Role::Output { .. }))
            .map(|(idx, tensor)| output_truth(family, problem, &operands, idx, tensor, flops))
            .collect();
        Truth { operands, outputs }
    }
}

fn output_truth(
    family: &dyn Family,
    problem: &Problem,
    operands: &[Operand],
    idx: usize,
    tensor: &Tensor,
    flops: u64,
) -> OutputTruth {
    let rows = rows(tensor, flops, problem.seed);
    // Small chunks keep all cores busy; a family may share work within a chunk.
    let chunk = rows.len().div_ceil(4 * rayon::current_num_threads()).max(1);
    let evaluate = |arithmetic| -> Vec<f64> {
        rows.par_chunks(chunk)
            .flat_map_iter(|rows| {
                family.truth(&Query { problem, operands, output: idx, rows }, arithmetic)
            })
            .collect()
    };
    let exact = evaluate(Arithmetic::Exact);
    let working: Vec<f64> = evaluate(Arithmetic::Working)
        .into_iter()
        .map(|value| f64::from(tensor.dtype.round(value as f32)))
        .collect();
    let reference = deviation(&working, &exact);
    OutputTruth { tensor: idx, row: row_elements(tensor), rows, exact, reference }
}

/// How far `values` lie from `exact`, where both are finite.
pub fn deviation(values: &[f64], exact: &[f64]) -> Deviation {
    let (mut error, mut norm) = (0.0, 0.0);
    let mut found = Deviation::default();
    for (at, (value, truth)) in values.iter().zip(exact).enumerate() {
        if value.is_finite() && truth.is_finite() {
            let difference = (value - truth).abs();
            error += difference * difference;
            norm += truth * truth;
            if difference > found.max {
                found.max = difference;
                found.worst = at;
            }
        }
    }
    found.relative = if norm > 0.0 { (error / norm).sqrt() } else { error.sqrt() };
    found
}
