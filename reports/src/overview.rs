//! What a whole run amounts to: counts of outcomes and verdicts, and the sentences that say so.
//!
//! Knows no format.

use crate::facts::Facts;
use std::collections::HashMap;
use tilemark_core::family::Standing;
use tilemark_core::record::Outcome;
use tilemark_core::summary::{Cause, Comparison, Row, RunSummary, Verdict};
use tilemark_core::units;

/// Counts of a run.
pub(crate) struct Overview {
    /// Planned or recorded.
    pub(crate) cases: usize,
    pub(crate) right: usize,
    pub(crate) left_out: usize,
    pub(crate) failed: usize,
    /// Planned cases that the record does not have.
    pub(crate) missing: usize,
    /// Outcomes that occur, in the order in which they first do.
    pub(crate) outcomes: Vec<(&'static str, usize)>,
    /// One entry a device where ours meets a rival.
    pub(crate) rivalries: Vec<Rivalry>,
    /// Verdicts against another run, where one was asked for.
    pub(crate) against: Option<Vec<(&'static str, usize)>>,
}

/// Ours against the best rival on a device.
pub(crate) struct Rivalry {
    pub(crate) device: String,
    /// Geometric mean over problems of rival's time over that of our best implementation.
    pub(crate) ratio: f64,
    pub(crate) problems: usize,
    pub(crate) verdicts: Vec<(&'static str, usize)>,
}

/// Whether a case is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Measured or verified.
    Right,
    /// There was no need or no time to run it.
    LeftOut,
    /// Anything else.
    Failed,
}

impl Overview {
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let rows = &facts.summary.rows;
        let of_class = |class| rows.iter().filter(|r| classify(&r.result.outcome) == class).count();
        let expected = usize::try_from(facts.summary.run.expected_cases).unwrap_or(usize::MAX);
        let missing = expected.saturating_sub(rows.len());
        Overview {
            cases: rows.len() + missing,
            right: of_class(Class::Right),
            left_out: of_class(Class::LeftOut),
            failed: of_class(Class::Failed),
            missing,
            outcomes: tally(rows.iter().map(|row| row.result.outcome.name())),
            rivalries: rivalries(rows),
            against: facts
                .summary
                .against
                .as_ref()
                .map(|against| tally(against.cases.iter().map(|c| c.verdict.name()))),
        }
    }

    /// The sentence for someone who reads nothing else.
    pub(crate) fn sentence(&self) -> String {
        let mut text = format!("{} of {} cases right", self.right, self.cases);
        let others = [
            (self.failed, "failed"),
            (self.left_out, "left out"),
            (self.missing, "without a record"),
        ];
        let others: Vec<_> =
            others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if !others.is_empty() {
            text.push_str(&format!(" ({})", others.join(", ")));
        }
        for rivalry in &self.rivalries {
            let place = match self.rivalries.len() {
                1 => String::new(),
                _ => format!("on {} ", rivalry.device),
            };
            text.push_str(&format!(
                "; {place}ours is {} as fast as the best rival (geometric mean over {})",
                units::times(rivalry.ratio),
                counted(rivalry.problems, "problem")
            ));
        }
        text.push('.');
        text
    }
}

/// Whether a case is as it should be.
pub(crate) fn classify(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Measured { .. } | Outcome::Verified { .. } => Class::Right,
        Outcome::Unsupported { .. } | Outcome::Skipped { .. } | Outcome::NotRun { .. } => {
            Class::LeftOut
        }
        _ => Class::Failed,
    }
}

/// What a reader must know before believing that the run is whole; nothing if it is.
pub(crate) fn warnings(summary: &RunSummary) -> Vec<String> {
    let mut warnings = Vec::new();
    match &summary.end {
        None => warnings.push("The run was killed before it ended.".to_owned()),
        Some(end) if end.interrupted => warnings.push("The run was interrupted.".to_owned()),
        Some(_) => {}
    }
    let finished = summary
        .rows
        .iter()
        .filter(|row| !matches!(row.result.outcome, Outcome::NotRun { .. }))
        .count() as u64;
    if finished < summary.run.expected_cases {
        let expected = summary.run.expected_cases;
        warnings.push(format!("{finished} of {expected} expected cases have an outcome."));
    }
    if summary.run.verify_only {
        warnings.push("Answers were checked and nothing was timed.".to_owned());
    }
    warnings.extend(tried_again(&summary.rows));
    warnings
}

/// How many cases have had another try, and what the earlier ones ended in.
fn tried_again(rows: &[Row]) -> Option<String> {
    let again = rows.iter().filter(|row| !row.result.earlier.is_empty()).count();
    let earlier = tally(rows.iter().flat_map(|row| &row.result.earlier).map(Outcome::name));
    (again > 0).then(|| {
        let cases = counted(again, "case");
        format!("{cases} had another try; earlier ones ended as: {}.", counts_text(&earlier))
    })
}

/// `9 faster, 2 same`.
pub(crate) fn counts_text(counts: &[(&'static str, usize)]) -> String {
    let parts: Vec<_> = counts.iter().map(|(word, n)| format!("{n} {}", spoken(word))).collect();
    parts.join(", ")
}

/// A name from the record as people write it.
pub(crate) fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

/// `1 problem`, `2 problems`.
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What lies behind a verdict beyond its word, if anything does.
pub(crate) fn because(comparison: &Comparison) -> Option<String> {
    match &comparison.verdict {
        Verdict::Slower { cause } => Some(cause_text(*cause).to_owned()),
        Verdict::Incomparable { because } => Some(because.clone()),
        Verdict::Broken { outcome } => Some(format!("now {}", spoken(outcome))),
        Verdict::Ambiguous => {
            let visible = units::percent(comparison.evidence?.smallest_visible());
            Some(format!("a difference from {visible} on would have been seen"))
        }
        _ => None,
    }
}

/// A ratio with its interval: `1.31× [1.28, 1.35]`.
pub(crate) fn ratio_text(comparison: &Comparison) -> Option<String> {
    let evidence = comparison.evidence?;
    let (low, high) = (units::significant(evidence.low), units::significant(evidence.high));
    Some(format!("{} [{low}, {high}]", units::times(evidence.ratio)))
}

/// A mark that stands beside a verdict's word, so that it is found without colour.
pub(crate) fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Faster | Verdict::Fixed => "▲",
        Verdict::Same => "=",
        Verdict::Slower { .. } | Verdict::LessExact => "▼",
        Verdict::Broken { .. } | Verdict::BothFailed | Verdict::Missing => "✕",
        Verdict::Ambiguous | Verdict::Incomparable { .. } => "?",
        Verdict::New => "+",
        Verdict::Untried => "–",
    }
}

/// How much a verdict asks for attention: 0 most. What is known comes before what is open, of which
/// a busy host can make hundreds.
pub(crate) fn urgency(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Broken { .. } => 0,
        Verdict::LessExact => 1,
        Verdict::Slower { .. } => 2,
        Verdict::Missing => 3,
        Verdict::BothFailed => 4,
        Verdict::Fixed => 5,
        Verdict::Faster => 6,
        Verdict::Incomparable { .. } => 7,
        Verdict::Ambiguous => 8,
        Verdict::New => 9,
        Verdict::Same => 10,
        Verdict::Untried => 11,
    }
}

fn cause_text(cause: Cause) -> &'static str {
    match cause {
        Cause::Code => "code: the implementation",
        Cause::Clock => "clock: the time changed, the cycles did not",
        Cause::Driver => "driver: another version",
        Cause::Machine => "machine: the same code and driver",
    }
}

fn tally(words: impl Iterator<Item = &'static str>) -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, n)) => *n += 1,
            None => counts.push((word, 1)),
        }
    }
    counts
}

fn rivalries(rows: &[Row]) -> Vec<Rivalry> {
    let mut devices: Vec<&str> = Vec::new();
    for row in rows {
        if !devices.contains(&row.result.case.device.as_str()) {
            devices.push(&row.result.case.device);
        }
    }
    devices.into_iter().filter_map(|device| rivalry(rows, device)).collect()
}

fn rivalry(rows: &[Row], device: &str) -> Option<Rivalry> {
    // A problem with several candidates counts once, by the best of them.
    let mut best: HashMap<String, (f64, &'static str)> = HashMap::new();
    let mut order = Vec::new();
    for row in rows.iter().filter(|row| row.result.case.device == device) {
        let Some((ratio, verdict)) = rival_ratio(row) else { continue };
        let problem = row.result.case.problem.id();
        let entry = best.entry(problem.clone()).or_insert_with(|| {
            order.push(problem);
            (ratio, verdict)
        });
        if ratio > entry.0 {
            *entry = (ratio, verdict);
        }
    }
    if best.is_empty() {
        return None;
    }
    let mean_log = best.values().map(|(ratio, _)| ratio.ln()).sum::<f64>() / best.len() as f64;
    Some(Rivalry {
        device: device.to_owned(),
        ratio: mean_log.exp(),
        problems: best.len(),
        verdicts: tally(order.iter().map(|problem| best[problem].1)),
    })
}

fn rival_ratio(row: &Row) -> Option<(f64, &'static str)> {
    if row.result.standing != Standing::Candidate {
        return None;
    }
    let comparison = row.rival.as_ref()?;
    let ratio = comparison.evidence?.ratio;
    (ratio > 0.0 && ratio.is_finite()).then(|| (ratio, comparison.verdict.name()))
}
