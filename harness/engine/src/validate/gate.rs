//! The verdict on outputs: figures, and the first bound that was passed.

use super::Overrides;
use super::deviation::{Deviation, ELEMENTS_AT_ONCE, Sums};
use super::truth::{OutputTruth, Truth};
use crate::tensors::Placed;
use rayon::prelude::*;
use tilemark_core::family::{Readout, Tolerance};
use tilemark_core::record::{OutputCheck, Verification};
use tilemark_core::{Device, Dtype, Family, Fault, Problem};

/// Why an answer is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// NaN or infinity where the truth has none.
    #[error("{tensor}: {nan} NaN and {infinite} infinite of {elements} elements")]
    Nonfinite {
        /// The output.
        tensor: String,
        /// NaN elements: most often, elements that were never written.
        nan: u64,
        /// Infinite elements.
        infinite: u64,
        /// All elements.
        elements: u64,
    },
    /// Too far from the truth on the whole.
    #[error("{tensor}: relative error {found:.2e}, allowed {bound:.2e}")]
    RelativeError {
        /// The output.
        tensor: String,
        /// Its error.
        found: f64,
        /// What it may be.
        bound: f64,
    },
    /// Too far from the truth in one element.
    #[error(
        "{tensor}[{index}]: {value} should be {truth}; off by {found:.2e}, allowed {bound:.2e}"
    )]
    MaxError {
        /// The output.
        tensor: String,
        /// Flat index of the element.
        index: u64,
        /// What it is.
        value: f64,
        /// What it should be.
        truth: f64,
        /// The error.
        found: f64,
        /// What it may be.
        bound: f64,
    },
    /// The check over all elements disagrees.
    #[error("{tensor}: the projection check is off by {found:.1} times what rounding explains")]
    Projection {
        /// The output.
        tensor: String,
        /// Its figure; 1 is the limit.
        found: f64,
    },
    /// An input has other bytes than before.
    #[error("an input was changed")]
    InputsChanged,
    /// Something was written outside the tensors.
    #[error("memory before or after a tensor was overwritten")]
    GuardOverwritten,
}

/// Judges what one set of tensors holds now.
pub fn verify(
    device: &mut dyn Device,
    family: &dyn Family,
    problem: &Problem,
    placed: &Placed,
    set: usize,
    truth: &Truth,
    overrides: &Overrides,
) -> Result<(Verification, Option<Rejection>), Fault> {
    let mut outputs = Vec::new();
    let mut rejection = None;
    for known in &truth.outputs {
        let bytes = placed.read(device, set, known.tensor)?;
        let dtype = placed.tensors()[known.tensor].dtype;
        let readout = Readout { output: known.tensor, dtype, bytes: &bytes };
        let projection = family.projection(problem, &truth.operands, &readout);
        let name = placed.tensors()[known.tensor].name;
        let tolerance = overrides.applied_to(family.tolerance(problem, known.tensor));
        let (check, rejected) = judge(name, known, &readout, projection, &tolerance);
        outputs.push(check);
        rejection = rejection.or(rejected);
    }
    let inputs_intact = placed.inputs_intact(device, set)?;
    let guards_intact = placed.guards_intact(device)?;
    rejection = rejection
        .or((!inputs_intact).then_some(Rejection::InputsChanged))
        .or((!guards_intact).then_some(Rejection::GuardOverwritten));
    Ok((Verification { outputs, inputs_intact, guards_intact }, rejection))
}

fn judge(
    name: &str,
    known: &OutputTruth,
    readout: &Readout<'_>,
    projection: Option<f64>,
    tolerance: &Tolerance,
) -> (OutputCheck, Option<Rejection>) {
    let (nan, infinite) = count_nonfinite(readout.dtype, readout.bytes);
    let found = deviation(known, readout);
    let index = known
        .rows
        .get(found.worst / known.row as usize)
        .map(|row| row * known.row + found.worst as u64 % known.row);
    let check = OutputCheck {
        tensor: name.to_owned(),
        elements: readout.bytes.len() as u64 / readout.dtype.size(),
        compared: known.exact.len() as u64,
        nan,
        infinite,
        relative_error: found.relative,
        max_error: found.max,
        reference_relative_error: known.reference.relative,
        reference_max_error: known.reference.max,
        relative_bound: tolerance.factor * known.reference.relative + tolerance.floor_relative,
        max_bound: tolerance.factor * known.reference.max + tolerance.floor_absolute,
        projection: projection.map(|figure| figure.min(f64::MAX)),
        worst: index
            .map(|index| (index, readout.at(index as usize), known.exact[found.worst]))
            .filter(|(_, value, truth)| value.is_finite() && truth.is_finite()),
    };
    // An infinity is right only where the truth has the same one; where the sample of the truth
    // has none, the whole output must have none.
    let wrong_infinity = found.wrong_infinity || infinite > 0 && !found.expects_infinity;
    let rejection = reject(&check, wrong_infinity);
    (check, rejection)
}

/// The deviation of what the output holds where the truth is known.
fn deviation(known: &OutputTruth, readout: &Readout<'_>) -> Deviation {
    let rows_at_once = ELEMENTS_AT_ONCE.div_ceil(known.row as usize);
    let elements = rows_at_once * known.row as usize;
    let rows = known.rows.par_chunks(rows_at_once);
    let parts =
        rows.zip(known.exact.par_chunks(elements)).enumerate().map(|(at, (rows, exact))| {
            let indices = rows.iter().flat_map(|row| row * known.row..(row + 1) * known.row);
            let values = indices.map(|index| readout.at(index as usize));
            Sums::of(values.zip(exact.iter().copied()), at * elements)
        });
    Sums::total(parts.collect())
}

fn reject(check: &OutputCheck, wrong_infinity: bool) -> Option<Rejection> {
    let tensor = check.tensor.clone();
    if check.nan > 0 || wrong_infinity {
        let OutputCheck { nan, infinite, elements, .. } = *check;
        return Some(Rejection::Nonfinite { tensor, nan, infinite, elements });
    }
    if check.relative_error > check.relative_bound {
        let (found, bound) = (check.relative_error, check.relative_bound);
        return Some(Rejection::RelativeError { tensor, found, bound });
    }
    if let (Some((index, value, truth)), true) = (check.worst, check.max_error > check.max_bound) {
        let (found, bound) = (check.max_error, check.max_bound);
        return Some(Rejection::MaxError { tensor, index, value, truth, found, bound });
    }
    match check.projection {
        Some(found) if found > 1.0 || found.is_nan() => {
            Some(Rejection::Projection { tensor, found })
        }
        _ => None,
    }
}

fn count_nonfinite(dtype: Dtype, bytes: &[u8]) -> (u64, u64) {
    bytes
        .par_chunks(ELEMENTS_AT_ONCE * dtype.size() as usize)
        .map(|chunk| {
            let elements = chunk.len() / dtype.size() as usize;
            (0..elements).fold((0, 0), |(nan, infinite), at| {
                let value = dtype.decode(chunk, at);
                (nan + u64::from(value.is_nan()), infinite + u64::from(value.is_infinite()))
            })
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}
