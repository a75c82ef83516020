//! Axes, the values that a case gives them, and the shape that holds one value an axis.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a family says of one of its axes.
#[derive(Debug)]
pub struct Axis {
    /// The name in TOML, flags, records and plots: the formula's symbol in lower case.
    pub name: &'static str,
    /// What it counts, in a few words.
    pub meaning: &'static str,
    /// Which values it takes.
    pub kind: AxisKind,
    /// Its value where a suite or flag gives none.
    pub default: AxisDefault,
}

/// Which values an axis takes.
#[derive(Debug)]
pub enum AxisKind {
    /// A whole number, at least the given one.
    Integer {
        /// The least value that means something.
        min: u64,
    },
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A word that the family's own check reads; this says which there are.
    Text(&'static str),
}

/// The value of an axis that a shape leaves out.
#[derive(Debug)]
pub enum AxisDefault {
    /// There is none: leaving it out is an error.
    Required,
    /// This number.
    Integer(u64),
    /// This flag.
    Flag(bool),
    /// This word.
    Word(&'static str),
    /// The value of an axis listed before this one.
    SameAs(&'static str),
    /// None: the shape leaves it out as well, so that ids from before the axis was there stay.
    Absent,
}

/// The value of one axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A flag.
    Flag(bool),
    /// A whole number.
    Integer(u64),
    /// A word.
    Word(String),
}

/// One value for each axis of a family that has one, in the family's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(Vec<(String, Value)>);

/// Why values do not make a shape of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The family has no axis of that name.
    UnknownAxis {
        /// The name that was given.
        axis: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// The axis has no default and was left out.
    Missing {
        /// Its name.
        axis: &'static str,
        /// What it counts.
        meaning: &'static str,
    },
    /// The value is not of the axis's kind.
    BadValue {
        /// The axis.
        axis: &'static str,
        /// The value that was given.
        value: Value,
        /// What it takes.
        takes: String,
    },
}

impl Shape {
    /// Completes `given` with the defaults of `axes`, as far as they have some, and puts it into
    /// their order.
    pub fn complete(given: &[(String, Value)], axes: &'static [Axis]) -> Result<Self, ShapeError> {
        if let Some((axis, _)) = given.iter().find(|(n, _)| axes.iter().all(|a| a.name != n)) {
            let known = axes.iter().map(|a| a.name).collect();
            return Err(ShapeError::UnknownAxis { axis: axis.clone(), known });
        }
        let mut shape = Shape(Vec::with_capacity(axes.len()));
        for axis in axes {
            // The last one wins, so that a flag can override a suite.
            let value = match given.iter().rfind(|(name, _)| name == axis.name) {
                Some((_, value)) => Some(axis.accept(value)?),
                None => axis.default_in(&shape)?,
            };
            shape.0.extend(value.map(|value| (axis.name.to_owned(), value)));
        }
        Ok(shape)
    }

    /// The axes and their values, in the family's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value of an axis, if there is one of that name.
    pub fn get(&self, axis: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == axis).map(|(_, value)| value)
    }

    /// The number on an axis.
    ///
    /// # Panics
    /// If the family declared no such axis of whole numbers.
    pub fn integer(&self, axis: &str) -> u64 {
        match self.get(axis) {
            Some(Value::Integer(n)) => *n,
            other => panic!("axis `{axis}` is declared as a whole number, found {other:?}"),
        }
    }

    /// The same as [`Shape::integer`], as an index.
    pub fn index(&self, axis: &str) -> usize {
        usize::try_from(self.integer(axis)).expect("sizes fit the address space")
    }

    /// The flag on an axis.
    ///
    /// # Panics
    /// If the family declared no such flag.
    pub fn flag(&self, axis: &str) -> bool {
        match self.get(axis) {
            Some(Value::Flag(on)) => *on,
            other => panic!("axis `{axis}` is declared as a flag, found {other:?}"),
        }
    }

    /// The word on an axis.
    ///
    /// # Panics
    /// If the family declared no such axis of words.
    pub fn word(&self, axis: &str) -> &str {
        match self.get(axis) {
            Some(Value::Word(word)) => word,
            other => panic!("axis `{axis}` is declared as a word, found {other:?}"),
        }
    }
}

impl Axis {
    fn accept(&self, value: &Value) -> Result<Value, ShapeError> {
        let fits = match (&self.kind, value) {
            (AxisKind::Integer { min }, Value::Integer(n)) => n >= min,
            (AxisKind::Flag, Value::Flag(_)) => true,
            (AxisKind::Word(words), Value::Word(word)) => words.contains(&word.as_str()),
            (AxisKind::Text(_), Value::Word(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(value.clone());
        }
        let takes = self.takes();
        Err(ShapeError::BadValue { axis: self.name, value: value.clone(), takes })
    }

    fn default_in(&self, shape: &Shape) -> Result<Option<Value>, ShapeError> {
        let value = match self.default {
            AxisDefault::Required => {
                return Err(ShapeError::Missing { axis: self.name, meaning: self.meaning });
            }
            AxisDefault::Absent => return Ok(None),
            AxisDefault::Integer(n) => Value::Integer(n),
            AxisDefault::Flag(on) => Value::Flag(on),
            AxisDefault::Word(word) => Value::Word(word.to_owned()),
            AxisDefault::SameAs(other) => {
                shape.get(other).expect("a default names an earlier axis").clone()
            }
        };
        Ok(Some(value))
    }

    /// What this axis takes, in words.
    pub fn takes(&self) -> String {
        match self.kind {
            AxisKind::Integer { min } => format!("a whole number of at least {min}"),
            AxisKind::Flag => "true or false".to_owned(),
            AxisKind::Word(words) => format!("one of {}", words.join(", ")),
            AxisKind::Text(takes) => takes.to_owned(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(n) => n.fmt(f),
            Value::Flag(on) => on.fmt(f),
            Value::Word(word) => word.fmt(f),
        }
    }
}

impl fmt::Display for Shape {
    /// `m=128,n=128,k=64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, (name, value)) in self.0.iter().enumerate() {
            let comma = if idx == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::UnknownAxis { axis, known } => {
                write!(f, "no axis `{axis}`; axes: {}", known.join(", "))
            }
            ShapeError::Missing { axis, meaning } => {
                write!(f, "axis `{axis}` ({meaning}) has no value and no default")
            }
            ShapeError::BadValue { axis, value, takes } => {
                write!(f, "axis `{axis}` takes {takes}, not `{value}`")
            }
        }
    }
}

impl std::error::Error for ShapeError {}

#[cfg(test)]
mod tests {
    use super::*;

    static AXES: [Axis; 4] = [
        Axis {
            name: "n",
            meaning: "queries",
            kind: AxisKind::Integer { min: 1 },
            default: AxisDefault::Required,
        },
        Axis {
            name: "nk",
            meaning: "keys",
            kind: AxisKind::Integer { min: 1 },
            default: AxisDefault::SameAs("n"),
        },
        Axis {
            name: "causal",
            meaning: "mask",
            kind: AxisKind::Flag,
            default: AxisDefault::Flag(false),
        },
        Axis {
            name: "window",
            meaning: "keys that a query sees at most",
            kind: AxisKind::Integer { min: 1 },
            default: AxisDefault::Absent,
        },
    ];

    fn complete(given: &[(&str, Value)]) -> Result<String, String> {
        let given: Vec<_> = given.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
        Shape::complete(&given, &AXES).map(|s| s.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_shape_is_completed_in_the_familys_order() {
        let given = [("causal", Value::Flag(true)), ("n", Value::Integer(7))];
        assert_eq!(complete(&given), Ok("n=7,nk=7,causal=true".into()));
    }

    #[test]
    fn the_last_value_of_an_axis_wins() {
        let given = [("n", Value::Integer(7)), ("n", Value::Integer(8))];
        assert_eq!(complete(&given), Ok("n=8,nk=8,causal=false".into()));
    }

    #[test]
    fn an_axis_without_a_value_is_left_out() {
        let given = [("window", Value::Integer(9)), ("n", Value::Integer(7))];
        assert_eq!(complete(&given), Ok("n=7,nk=7,causal=false,window=9".into()));
        assert!(complete(&[("window", Value::Integer(0)), given[1].clone()]).is_err());
    }

    #[test]
    fn a_bad_axis_is_named() {
        assert_eq!(
            complete(&[("m", Value::Integer(1))]),
            Err("no axis `m`; axes: n, nk, causal, window".into())
        );
        assert_eq!(complete(&[]), Err("axis `n` (queries) has no value and no default".into()));
        assert_eq!(
            complete(&[("n", Value::Integer(0))]),
            Err("axis `n` takes a whole number of at least 1, not `0`".into())
        );
    }
}
