//! What is computed (a problem) and what is measured (a case: a problem, by whom, and where).

use crate::{Dtype, Shape};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A computation with its inputs: the same problem has the same inputs on every machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// The family's name.
    pub family: String,
    /// One value an axis.
    pub shape: Shape,
    /// The type of the operands.
    pub dtype: Dtype,
    /// How the inputs are drawn; it changes power and clocks, so it is part of the problem.
    pub distribution: Distribution,
    /// The seed of the inputs.
    pub seed: u64,
}

/// One line of a run: a problem, the implementation that solves it and the device it runs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Case {
    /// What is computed.
    pub problem: Problem,
    /// The implementation's name within the family.
    pub implementation: String,
    /// Which of its variants, if it is not to be the implementation's own choice; see
    /// [`crate::family::Variant::choice`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
    /// The device's name, such as `cpu` or `cuda:0`.
    pub device: String,
}

/// How random inputs are drawn.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Bell-shaped with unit variance.
    #[default]
    Normal,
    /// Uniform with unit variance.
    Uniform,
    /// Normal, with one element in 1024 sixteen times as large.
    Outliers,
    /// Normal with a standard deviation of 64.
    Large,
    /// Normal with a standard deviation of 2⁻²⁰, which is subnormal in f16.
    Subnormal,
    /// All zeros: only where asked, since zeros hide faults and draw less power.
    Zeros,
}

impl Problem {
    /// The problem's id: the same text on every machine, and unique within a run.
    pub fn id(&self) -> String {
        let Problem { family, shape, dtype, distribution, seed } = self;
        format!("{family}/{dtype}/{shape}/{distribution}/{seed}")
    }
}

impl Case {
    /// The case's id: unique within a run, and the key of its series across runs.
    pub fn id(&self) -> String {
        format!("{}/{}@{}", self.problem.id(), self.label(), self.device)
    }

    /// The implementation, and in brackets its variant where it is not the implementation's choice.
    pub fn label(&self) -> String {
        match &self.variant {
            None => self.implementation.clone(),
            Some(variant) => format!("{}[{variant}]", self.implementation),
        }
    }
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Distribution; 6] = [
        Distribution::Normal,
        Distribution::Uniform,
        Distribution::Outliers,
        Distribution::Large,
        Distribution::Subnormal,
        Distribution::Zeros,
    ];

    /// The name used in suites, flags and records.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Normal => "normal",
            Distribution::Uniform => "uniform",
            Distribution::Outliers => "outliers",
            Distribution::Large => "large",
            Distribution::Subnormal => "subnormal",
            Distribution::Zeros => "zeros",
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Distribution::ALL.into_iter().find(|d| d.name() == text).ok_or_else(|| {
            let known: Vec<_> = Distribution::ALL.iter().map(|d| d.name()).collect();
            format!("unknown distribution `{text}`; known: {}", known.join(", "))
        })
    }
}
