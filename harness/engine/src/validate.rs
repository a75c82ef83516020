//! The gate: compares what a device computed with the truth in f64.
//!
//! An output passes if its relative L2 error and its largest error stay within a multiple of the
//! error that an honest computation in the same precision makes, plus a stated floor; if it holds
//! no NaN and no infinity that the truth does not hold; if the family's projection check, which
//! covers every element, agrees; and if nothing was written where nothing should be.
//!
//! What it cannot see: a wrong element outside the sample of a large problem whose family has no
//! projection check, if that element is finite.

mod deviation;
mod gate;
mod left;
mod sample;
mod truth;

pub use gate::{Rejection, verify};
pub use truth::Truth;

use serde::{Deserialize, Serialize};
use tilemark_core::family::Tolerance;

/// Bounds of the user's own, which take the place of a family's floors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// Floor on the relative L2 error.
    pub rtol: Option<f64>,
    /// Floor on the largest absolute error.
    pub atol: Option<f64>,
}

impl Overrides {
    fn applied_to(&self, tolerance: Tolerance) -> Tolerance {
        Tolerance {
            floor_relative: self.rtol.unwrap_or(tolerance.floor_relative),
            floor_absolute: self.atol.unwrap_or(tolerance.floor_absolute),
            ..tolerance
        }
    }
}
