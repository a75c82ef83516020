//! Reads rows out of a recording: how fast each case is, and how it stands to the best rival.

use crate::compare::evidence::{Finding, LEAST_MARGIN, judge_paired, round_medians};
use crate::measure::stats::{median, median_interval, relative_spread};
use tilemark_core::Seconds;
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Recording};
use tilemark_core::summary::{Cause, Comparison, Row, RunSummary, Speed, Verdict};

/// The whole run, one row a case.
pub fn summarise(recording: &Recording) -> RunSummary {
    let rows = recording.results.iter().map(|result| Row {
        result: result.clone(),
        speed: speed(result),
        rival: against_best_rival(result, &recording.results),
    });
    RunSummary {
        run: recording.run.clone(),
        environments: recording.environments.clone(),
        rows: rows.collect(),
        end: recording.end.clone(),
        against: None,
    }
}

/// How fast a case is, if it was measured.
fn speed(result: &CaseResult) -> Option<Speed> {
    let timing = result.outcome.timing()?;
    let medians: Vec<f64> = round_medians(timing).into_iter().map(|(_, s)| s).collect();
    let centre = Seconds(median(&medians)?);
    let interval = median_interval(&medians)?;
    let samples = timing.rounds.iter().map(|round| round.samples.counted().count() as u64).sum();
    Some(Speed {
        median: centre,
        low: Seconds(interval.low),
        high: Seconds(interval.high),
        noise: relative_spread(&medians),
        samples,
        convention: result.work.convention.per(centre),
        executed: result.work.executed.per(centre),
        bandwidth: result.work.least_bytes.per(centre),
    })
}

/// One of ours against the rival with the least time on the same problem and device, in paired
/// rounds.
fn against_best_rival(result: &CaseResult, all: &[CaseResult]) -> Option<Comparison> {
    if result.standing == Standing::Rival {
        return None;
    }
    let ours = round_medians(result.outcome.timing()?);
    let (rival, theirs) = all
        .iter()
        .filter(|other| other.standing == Standing::Rival)
        .filter(|other| other.case.problem == result.case.problem)
        .filter(|other| other.case.device == result.case.device)
        .filter_map(|other| Some((other, round_medians(other.outcome.timing()?))))
        .min_by(|a, b| typical(&a.1).total_cmp(&typical(&b.1)))?;
    let (finding, evidence) = judge_paired(&ours, &theirs, LEAST_MARGIN)?;
    let verdict = match finding {
        Finding::Faster => Verdict::Faster,
        Finding::Same => Verdict::Same,
        // Two implementations side by side on one machine: what differs is the code.
        Finding::Slower => Verdict::Slower { cause: Cause::Code },
        Finding::Ambiguous => Verdict::Ambiguous,
    };
    Some(Comparison {
        candidate: result.case.id(),
        baseline: rival.case.id(),
        verdict,
        evidence: Some(evidence),
    })
}

fn typical(rounds: &[(u32, f64)]) -> f64 {
    let seconds: Vec<f64> = rounds.iter().map(|(_, seconds)| *seconds).collect();
    median(&seconds).unwrap_or(f64::INFINITY)
}
