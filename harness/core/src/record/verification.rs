//! What the gate found in a case's outputs, and which of two findings is the worse.

use serde::{Deserialize, Serialize};

/// The verdict on a case's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// One entry an output.
    pub outputs: Vec<OutputCheck>,
    /// The inputs have the same bytes after the run as before.
    pub inputs_intact: bool,
    /// Nothing was written before or after any tensor.
    pub guards_intact: bool,
}

impl Verification {
    /// Of two verdicts on the same case, the worse one of each output.
    pub fn worse(self, other: Self) -> Self {
        let pairs = self.outputs.into_iter().zip(other.outputs);
        Verification {
            outputs: pairs.map(|(one, other)| one.worse(other)).collect(),
            inputs_intact: self.inputs_intact && other.inputs_intact,
            guards_intact: self.guards_intact && other.guards_intact,
        }
    }
}

/// The verdict on one output. Errors are over finite elements; the others are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputCheck {
    /// The tensor's name.
    pub tensor: String,
    /// How many elements it has.
    pub elements: u64,
    /// How many were compared with the truth in f64.
    pub compared: u64,
    /// Elements that are NaN, as they were before the run.
    pub nan: u64,
    /// Elements that are infinite.
    pub infinite: u64,
    /// ‖output − truth‖ / ‖truth‖.
    pub relative_error: f64,
    /// max |output − truth|.
    pub max_error: f64,
    /// The same figure of the working-precision reference.
    pub reference_relative_error: f64,
    /// The same figure of the working-precision reference.
    pub reference_max_error: f64,
    /// What `relative_error` may be.
    pub relative_bound: f64,
    /// What `max_error` may be.
    pub max_bound: f64,
    /// The projection check's figure, where the family has one: at most 1 passes.
    pub projection: Option<f64>,
    /// Flat index of the worst element compared, with its value and the truth.
    pub worst: Option<(u64, f64, f64)>,
}

impl OutputCheck {
    /// The one that is further off: in elements that are no numbers, then in shares of the bounds.
    fn worse(self, other: Self) -> Self {
        let is_worse = (other.nan + other.infinite, other.share_of_bounds())
            > (self.nan + self.infinite, self.share_of_bounds());
        if is_worse { other } else { self }
    }

    fn share_of_bounds(&self) -> f64 {
        let share = |error: f64, bound: f64| if error > 0.0 { error / bound } else { 0.0 };
        let errors = share(self.relative_error, self.relative_bound)
            .max(share(self.max_error, self.max_bound));
        errors.max(self.projection.unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nan: u64, relative_error: f64, max_error: f64) -> OutputCheck {
        OutputCheck {
            tensor: "y".into(),
            elements: 8,
            compared: 8,
            nan,
            infinite: 0,
            relative_error,
            max_error,
            reference_relative_error: 0.0,
            reference_max_error: 0.0,
            relative_bound: 1.0,
            max_bound: 10.0,
            projection: None,
            worst: None,
        }
    }

    #[test]
    fn of_two_verdicts_the_worse_of_each_output_stays() {
        let verdict = |outputs: [OutputCheck; 2], inputs_intact| Verification {
            outputs: outputs.to_vec(),
            inputs_intact,
            guards_intact: true,
        };
        let one = verdict([check(0, 0.2, 1.0), check(1, 0.0, 0.0)], true);
        let other = verdict([check(0, 0.1, 3.0), check(0, 0.9, 0.0)], false);
        let wanted = verdict([check(0, 0.1, 3.0), check(1, 0.0, 0.0)], false);
        assert_eq!(one.clone().worse(other.clone()), wanted);
        assert_eq!(other.worse(one), wanted);
    }
}
