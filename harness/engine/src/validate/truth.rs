//! The truth on a sample, and the error that an honest computation in the same precision makes.

use super::deviation::{ELEMENTS_AT_ONCE, Sums};
use super::left;
use super::sample::{row_elements, rows};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use tilemark_core::family::{Arithmetic, Operand, Query, Role};
use tilemark_core::{Dtype, Family, Problem, Tensor};

/// Elements up to which operands are drawn once and kept.
const STORED_ELEMENTS: u64 = 1 << 24;

/// Elements up to which a truth is left for the next worker. So many are known only where each
/// takes few operations, and those are quicker than a file.
const SHARED_ELEMENTS: u64 = 1 << 20;

/// What is known of a problem's outputs.
pub struct Truth {
    /// One operand a tensor, in the family's order.
    pub operands: Vec<Operand>,
    /// One entry an output.
    pub outputs: Vec<OutputTruth>,
}

/// What is known of one output.
#[derive(Clone, Debug, PartialEq)]
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
    pub reference: Reference,
}

/// The error that an honest computation in the same precision makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// ‖value − truth‖ / ‖truth‖.
    pub relative: f64,
    /// Largest |value − truth|.
    pub max: f64,
}

impl Truth {
    /// Computes the truth of a problem on the sample that its size and seed give.
    pub fn compute(family: &dyn Family, problem: &Problem) -> Self {
        let tensors = family.tensors(problem);
        let elements = tensors.iter().fold(0, |sum: u64, t| sum.saturating_add(t.elements()));
        let operands = operands(problem, &tensors, elements <= STORED_ELEMENTS);
        let outputs = sampled(family, problem, &tensors)
            .map(|sample| output_truth(family, problem, &operands, sample))
            .collect();
        Truth { operands, outputs }
    }

    /// The truth that a worker of this problem left in the folder, to the bit. If none did it is
    /// computed, and left there for the next.
    ///
    /// The folder belongs to one run: what another program computes may differ.
    pub fn shared(family: &dyn Family, problem: &Problem, folder: &Path) -> Self {
        let tensors = family.tensors(problem);
        let known: u64 =
            sampled(family, problem, &tensors).map(|s| s.row * s.rows.len() as u64).sum();
        if known > SHARED_ELEMENTS {
            return Truth::compute(family, problem);
        }
        let file = file(problem, folder);
        let left = left::read(&file, sampled(family, problem, &tensors));
        if let Some(outputs) = left {
            // Only a projection reads the operands now, each element once.
            return Truth { operands: operands(problem, &tensors, false), outputs };
        }
        let truth = Truth::compute(family, problem);
        if let Err(error) = left::write(&file, &truth.outputs) {
            tracing::warn!("{}: each worker computes its own truth: {error}", file.display());
        }
        truth
    }

    /// Takes the truth of a problem that has been solved out of the folder.
    pub fn forget(problem: &Problem, folder: &Path) {
        // A worker may have failed before it left one.
        let _ = std::fs::remove_file(file(problem, folder));
    }
}

/// Where the truth of a problem is left: ids hold characters that file names cannot.
fn file(problem: &Problem, folder: &Path) -> PathBuf {
    let id = blake3::hash(problem.id().as_bytes()).to_hex();
    folder.join(format!("{}.truth", &id[..32]))
}

/// An output, and the rows of it that are to be known.
pub struct Sample {
    /// Index of the tensor in the family's list.
    pub tensor: usize,
    /// Its element type.
    pub dtype: Dtype,
    /// Elements of one row.
    pub row: u64,
    /// Rows, ascending.
    pub rows: Vec<u64>,
}

fn sampled<'a>(
    family: &dyn Family,
    problem: &'a Problem,
    tensors: &'a [Tensor],
) -> impl Iterator<Item = Sample> + 'a {
    let flops = family.work(problem).executed.0;
    let outputs = tensors.iter().enumerate();
    let outputs = outputs.filter(|(_, tensor)| matches!(tensor.role, Role::Output { .. }));
    outputs.map(move |(idx, tensor)| Sample {
        tensor: idx,
        dtype: tensor.dtype,
        row: row_elements(tensor),
        rows: rows(tensor, flops, problem.seed),
    })
}

fn operands(problem: &Problem, tensors: &[Tensor], stored: bool) -> Vec<Operand> {
    let operand = |(idx, tensor): (usize, &Tensor)| {
        let mut operand = Operand::new(problem, idx, tensor, false);
        if stored && matches!(tensor.role, Role::Input { .. }) {
            let elements = (0..tensor.elements()).into_par_iter();
            operand.keep(elements.map(|index| operand.draw(index)).collect());
        }
        operand
    };
    tensors.iter().enumerate().map(operand).collect()
}

fn output_truth(
    family: &dyn Family,
    problem: &Problem,
    operands: &[Operand],
    sample: Sample,
) -> OutputTruth {
    let Sample { tensor, dtype, row, rows } = sample;
    let evaluate = |rows: &[u64], arithmetic| {
        family.truth(&Query { problem, operands, output: tensor, rows }, arithmetic)
    };
    let at_once = rows_at_once(rows.len(), row as usize);
    let elements = at_once * row as usize;
    let mut exact = vec![0.0; rows.len() * row as usize];
    let places = exact.par_chunks_mut(elements).enumerate();
    let partials: Vec<Sums> = rows
        .par_chunks(at_once)
        .zip(places)
        .map(|(rows, (at, exact))| {
            // Side by side, since there may be a single row.
            let (truth, working) = rayon::join(
                || evaluate(rows, Arithmetic::Exact),
                || evaluate(rows, Arithmetic::Working),
            );
            exact.copy_from_slice(&truth);
            let stored = |value: f64| f64::from(dtype.round(value as f32));
            let working = working.into_iter().map(stored);
            Sums::of(working.zip(exact.iter().copied()), at * elements)
        })
        .collect();
    let found = Sums::total(partials);
    let reference = Reference { relative: found.relative, max: found.max };
    OutputTruth { tensor, row, rows, exact, reference }
}

/// Rows that one thread evaluates at a time: few enough for all cores to have some, however few
/// there are, and for the values to stay in a cache; several, since a family may share work among
/// them. Their number must not depend on the machine, as sums are made by thread.
fn rows_at_once(rows: usize, row: usize) -> usize {
    (rows / 128).min(ELEMENTS_AT_ONCE / row).clamp(1, 64)
}
