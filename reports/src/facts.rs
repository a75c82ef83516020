//! What every report says of a case, worked out once: its rate, its share of the ceiling, its
//! worst output, and the name of what it is compared with.
//!
//! Knows no format: reports turn these into text or columns.

use std::collections::{HashMap, HashSet};
use tilemark_core::Dtype;
use tilemark_core::record::{CaseResult, Environment, Outcome, OutputCheck};
use tilemark_core::summary::{Comparison, Row, RunSummary, Speed};
use tilemark_core::units::{self, ByteRate, FlopRate};

/// A family none of whose cases needs more operations a byte than this is quoted in bytes per
/// second: on every device known, such a case waits for memory.
pub(crate) const MEMORY_BOUND_INTENSITY: f64 = 4.0;

/// A run, with what must be looked up more than once.
pub(crate) struct Facts<'a> {
    pub(crate) summary: &'a RunSummary,
    rows: HashMap<String, &'a Row>,
    against: HashMap<&'a str, &'a Comparison>,
    in_bytes: HashSet<&'a str>,
}

/// The rate that a family is quoted in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    /// Operations by convention per second.
    Flops(FlopRate),
    /// Least bytes per second.
    Bytes(ByteRate),
}

/// How near a case comes to what its device was seen to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CeilingShare {
    /// 1 is the ceiling.
    pub(crate) share: f64,
    /// Which ceiling is nearer.
    pub(crate) limit: Limit,
}

/// Which ceiling a case is nearest to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Arithmetic.
    Compute,
    /// A large copy.
    Memory,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(summary: &'a RunSummary) -> Self {
        let rows = summary.rows.iter().map(|row| (row.result.case.id(), row)).collect();
        let families = summary.rows.iter().map(family);
        let in_flops: HashSet<_> = summary
            .rows
            .iter()
            .filter(|row| intensity(&row.result) > MEMORY_BOUND_INTENSITY)
            .map(family)
            .collect();
        let in_bytes = families.filter(|name| !in_flops.contains(name)).collect();
        let against = summary.against.iter().flat_map(|against| &against.cases);
        let against = against.map(|case| (case.candidate.as_str(), case)).collect();
        Facts { summary, rows, against, in_bytes }
    }

    /// Whether a family is quoted in bytes per second.
    pub(crate) fn is_in_bytes(&self, family: &str) -> bool {
        self.in_bytes.contains(family)
    }

    /// The rate of a measured case.
    pub(crate) fn rate(&self, row: &Row) -> Option<Rate> {
        let speed = row.speed?;
        Some(match self.is_in_bytes(family(row)) {
            true => Rate::Bytes(speed.bandwidth),
            false => Rate::Flops(speed.convention),
        })
    }

    /// The share of the nearer ceiling, where the case was measured and its device's ceilings too.
    pub(crate) fn ceiling_share(&self, row: &Row) -> Option<CeilingShare> {
        let speed = row.speed?;
        let case = &row.result.case;
        let ceilings = self.environment(&case.device)?.ceilings.as_ref()?;
        let memory = speed.bandwidth.0 / ceilings.copy_bytes_per_second;
        let compute = flops_ceiling(&ceilings.flops_per_second, case.problem.dtype)
            .map_or(0.0, |ceiling| speed.executed.0 / ceiling);
        Some(match compute > memory {
            true => CeilingShare { share: compute, limit: Limit::Compute },
            false => CeilingShare { share: memory, limit: Limit::Memory },
        })
    }

    /// What the run says of a device.
    pub(crate) fn environment(&self, device: &str) -> Option<&'a Environment> {
        self.summary.environments.iter().find(|environment| environment.device.name == device)
    }

    /// The row with this case id.
    pub(crate) fn row(&self, case_id: &str) -> Option<&'a Row> {
        self.rows.get(case_id).copied()
    }

    /// The verdict on a case against the run that this one is compared with.
    pub(crate) fn against(&self, case_id: &str) -> Option<&'a Comparison> {
        self.against.get(case_id).copied()
    }

    /// The implementation that a case is compared with; its id, where the run lacks it.
    pub(crate) fn baseline_name<'b>(&self, comparison: &'b Comparison) -> &'b str
    where
        'a: 'b,
    {
        match self.row(&comparison.baseline) {
            Some(row) => &row.result.case.implementation,
            None => &comparison.baseline,
        }
    }
}

impl Rate {
    /// The rate of a time, in the same unit as `self`, for the work of `row`.
    pub(crate) fn of(facts: &Facts<'_>, row: &Row, speed: &Speed, seconds: f64) -> f64 {
        let at_median = match facts.is_in_bytes(family(row)) {
            true => speed.bandwidth.0,
            false => speed.convention.0,
        };
        at_median * speed.median.0 / seconds
    }

    /// Per second, in SI base units.
    pub(crate) fn value(self) -> f64 {
        match self {
            Rate::Flops(rate) => rate.0,
            Rate::Bytes(rate) => rate.0,
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rate::Flops(rate) => rate.fmt(f),
            Rate::Bytes(rate) => rate.fmt(f),
        }
    }
}

impl std::fmt::Display for CeilingShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", units::percent(self.share), self.limit.name())
    }
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Compute => "compute",
            Limit::Memory => "memory",
        }
    }
}

/// The family of a row.
pub(crate) fn family(row: &Row) -> &str {
    &row.result.case.problem.family
}

/// Operations needed for each byte that must move.
pub(crate) fn intensity(result: &CaseResult) -> f64 {
    let work = &result.work;
    match work.least_bytes.0 {
        0 => 0.0,
        bytes => work.executed.0 as f64 / bytes as f64,
    }
}

/// The measured arithmetic ceiling of a dtype.
pub(crate) fn flops_ceiling(ceilings: &[(String, f64)], dtype: Dtype) -> Option<f64> {
    ceilings.iter().find(|(name, _)| name == dtype.name()).map(|(_, rate)| *rate)
}

/// How each earlier try of a case ended: `crash: signal 6`.
pub(crate) fn earlier_tries(result: &CaseResult) -> Vec<String> {
    let told = |outcome: &Outcome| match outcome.reason() {
        Some(reason) => format!("{}: {reason}", outcome.name()),
        None => outcome.name().to_owned(),
    };
    result.earlier.iter().map(told).collect()
}

/// The output that comes nearest to its bound, or is furthest beyond it.
pub(crate) fn worst_output(result: &CaseResult) -> Option<&OutputCheck> {
    let badness = |output: &OutputCheck| match output.relative_error / output.relative_bound {
        nan if nan.is_nan() => f64::INFINITY,
        share => share,
    };
    let outputs = &result.outcome.verification()?.outputs;
    outputs.iter().max_by(|a, b| badness(a).total_cmp(&badness(b)))
}

/// The shape, and the distribution of the inputs where it is not the usual one.
pub(crate) fn shape_text(row: &Row) -> String {
    let problem = &row.result.case.problem;
    match problem.distribution {
        tilemark_core::Distribution::Normal => problem.shape.to_string(),
        other => format!("{} {other}", problem.shape),
    }
}

/// The error of an output; words where no element is finite.
pub(crate) fn error_figure(output: &OutputCheck) -> String {
    match output.relative_error.is_finite() {
        true => units::scientific(output.relative_error),
        false => "not finite".to_owned(),
    }
}

/// `relative_error` beside what it may be and what the reference itself has.
pub(crate) fn error_text(output: &OutputCheck) -> String {
    format!(
        "{} (bound {}, reference {})",
        error_figure(output),
        units::scientific(output.relative_bound),
        units::scientific(output.reference_relative_error)
    )
}

/// A text without the escape sequences that colour it on a terminal.
pub(crate) fn without_colors(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| ('@'..='~').contains(&c));
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}

/// A text of at most `limit` characters.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_of_a_terminal_are_left_out() {
        assert_eq!(without_colors("\u{1b}[1;31merror\u{1b}[0m: x[1]"), "error: x[1]");
        assert_eq!(without_colors("torn \u{1b}[3"), "torn ");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("µµµµ", 4), "µµµµ");
        assert_eq!(shortened("µµµµµ", 4), "µµµ…");
        assert_eq!(shortened("ab cd", 4), "ab…");
    }
}
