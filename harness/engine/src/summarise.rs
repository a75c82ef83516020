//! What a record says: one row a case, with its speed and how it stands to the fastest rival.
//!
//! A pure function of a record, run whenever one is read; nothing it finds is ever stored.

use crate::compare::beside::Beside;
use crate::compare::difference::{Direction, LEVEL};
use crate::measure::{rounds, stats};
use std::collections::HashMap;
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Recording};
use tilemark_core::summary::{Cause, Comparison, Row, RunSummary, Speed, Verdict};
use tilemark_core::{Problem, Seconds};

/// Reads a run: every case in the record's order.
pub fn summarise(recording: &Recording) -> RunSummary {
    let fastest = fastest_rivals(&recording.results);
    let row = |result: &CaseResult| {
        let key = (&result.case.problem, result.case.device.as_str());
        let rival = fastest.get(&key).filter(|_| result.standing != Standing::Rival);
        Row {
            speed: speed(result),
            rival: rival.and_then(|(rival, _)| beside(result, rival)),
            result: result.clone(),
        }
    };
    RunSummary {
        run: recording.run.clone(),
        environments: recording.environments.clone(),
        rows: recording.results.iter().map(row).collect(),
        end: recording.end.clone(),
        against: None,
    }
}

/// How fast a case is, if it was measured.
pub fn speed(result: &CaseResult) -> Option<Speed> {
    let timing = result.outcome.timing()?;
    let medians = stats::sorted(rounds::medians(timing).into_iter().map(|(_, median)| median));
    let interval = stats::median_interval(&medians, LEVEL, 1.0)?;
    let median = Seconds(stats::quantile(&medians, 0.5)?);
    let counted = timing.rounds.iter().map(|r| r.samples.counted().count() as u64);
    Some(Speed {
        median,
        low: Seconds(interval.low),
        high: Seconds(interval.high),
        noise: stats::spread(&medians) / median.0,
        samples: counted.sum(),
        convention: result.work.convention.per(median),
        executed: result.work.executed.per(median),
        bandwidth: result.work.least_bytes.per(median),
    })
}

/// The fastest measured rival of each problem and device, with its time.
fn fastest_rivals(results: &[CaseResult]) -> HashMap<(&Problem, &str), (&CaseResult, f64)> {
    let mut fastest = HashMap::new();
    for rival in results.iter().filter(|r| r.standing == Standing::Rival) {
        let Some(seconds) = rival.outcome.timing().and_then(rounds::typical) else { continue };
        let key = (&rival.case.problem, rival.case.device.as_str());
        let best = fastest.entry(key).or_insert((rival, seconds));
        if seconds < best.1 {
            *best = (rival, seconds);
        }
    }
    fastest
}

/// How a case stands to a rival that took turns with it.
fn beside(result: &CaseResult, rival: &CaseResult) -> Option<Comparison> {
    let beside = Beside::of(result.outcome.timing()?, rival.outcome.timing()?)?;
    let verdict = match beside.direction() {
        Direction::Faster => Verdict::Faster,
        Direction::Same => Verdict::Same,
        // Next to each other in one run, nothing but the implementations differs.
        Direction::Slower => Verdict::Slower { cause: Cause::Code },
        Direction::Unclear => Verdict::Ambiguous,
    };
    Some(Comparison {
        candidate: result.case.id(),
        baseline: rival.case.id(),
        verdict,
        evidence: Some(beside.difference.evidence(beside.margin)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::synthetic::{Script, measured, recording};
    use tilemark_core::record::Outcome;

    fn rows(results: Vec<CaseResult>) -> Vec<Row> {
        summarise(&recording(results)).rows
    }

    fn own(name: &str) -> Script {
        Script::new("p", name)
    }

    fn rival(name: &str) -> Script {
        Script { standing: Standing::Rival, ..own(name) }
    }

    #[test]
    fn speed_is_the_median_of_the_rounds_with_their_range() {
        let rounds = [1e-3, 1.1e-3, 0.9e-3, 1.2e-3, 1e-3, 1e-3, 3e-3];
        let row = &rows(vec![measured(&own("a"), &rounds)])[0];
        let speed = row.speed.unwrap();
        assert_eq!((speed.median.0, speed.low.0, speed.high.0), (1e-3, 0.9e-3, 3e-3));
        assert_eq!(speed.samples, 7 * 3);
        assert!((speed.convention.0 - 2e9).abs() < 1.0, "two million operations in 1 ms");
        assert!(row.rival.is_none(), "no rival, no comparison");
    }

    #[test]
    fn a_case_is_compared_with_the_fastest_rival_of_its_problem() {
        let slow = [1.0, 1.1, 1.2, 1.3, 1.2, 1.1, 1.0];
        let scaled = |factor: f64| slow.map(|r| factor * r);
        let rows = rows(vec![
            measured(&own("a"), &scaled(1.0)),
            measured(&rival("slow"), &scaled(1.5)),
            measured(&rival("fast"), &scaled(0.8)),
            measured(&Script { problem: "q".into(), ..own("a") }, &scaled(1.0)),
        ]);
        let comparison = rows[0].rival.as_ref().unwrap();
        assert!(comparison.baseline.contains("/fast@"), "{}", comparison.baseline);
        assert_eq!(comparison.verdict, Verdict::Slower { cause: Cause::Code });
        assert!((comparison.evidence.unwrap().ratio - 0.8).abs() < 1e-12);
        assert!(rows[1].rival.is_none() && rows[2].rival.is_none() && rows[3].rival.is_none());
    }

    #[test]
    fn failed_cases_have_no_speed_and_failed_rivals_are_no_measure() {
        let mut failed = measured(&rival("fast"), &[0.5; 7]);
        failed.outcome = Outcome::Timeout { limit_s: 1.0 };
        let rows = rows(vec![measured(&own("a"), &[1.0; 7]), failed]);
        assert!(rows[0].speed.is_some() && rows[0].rival.is_none());
        assert!(rows[1].speed.is_none());
    }

    #[test]
    fn three_rounds_leave_the_verdict_open() {
        let rows = rows(vec![measured(&own("a"), &[1.0; 3]), measured(&rival("b"), &[2.0; 3])]);
        assert_eq!(rows[0].rival.as_ref().unwrap().verdict, Verdict::Ambiguous);
    }
}
