//! Reads rows out of a recording: how fast each case is, and how it stands to the best rival.

use crate::compare::evidence::{Finding, LEAST_MARGIN, judge_paired, round_medians};
use crate::measure::stats::{median, median_interval, relative_spread};
use std::collections::HashMap;
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Recording};
use tilemark_core::summary::{Cause, Comparison, Row, RunSummary, Speed, Verdict};
use tilemark_core::{Problem, Seconds};

/// The whole run, one row a case.
pub fn summarise(recording: &Recording) -> RunSummary {
    let rivals = fastest_rivals(&recording.results);
    let rows = recording.results.iter().map(|result| Row {
        result: result.clone(),
        speed: speed(result),
        rival: against_best_rival(result, &rivals),
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

/// A rival with the number and median of each of its rounds.
struct Measured<'r> {
    result: &'r CaseResult,
    rounds: Vec<(u32, f64)>,
}

/// The rival with the least time for each problem on each device.
fn fastest_rivals(results: &[CaseResult]) -> HashMap<(&Problem, &str), Measured<'_>> {
    let mut fastest: HashMap<(&Problem, &str), Measured<'_>> = HashMap::new();
    for result in results.iter().filter(|result| result.standing == Standing::Rival) {
        let Some(timing) = result.outcome.timing() else { continue };
        let rival = Measured { result, rounds: round_medians(timing) };
        let place = (&result.case.problem, result.case.device.as_str());
        let known = fastest.get(&place).map_or(f64::INFINITY, |known| typical(&known.rounds));
        if typical(&rival.rounds) < known {
            fastest.insert(place, rival);
        }
    }
    fastest
}

/// One of ours against the fastest rival on the same problem and device, in paired rounds.
fn against_best_rival(
    result: &CaseResult,
    rivals: &HashMap<(&Problem, &str), Measured<'_>>,
) -> Option<Comparison> {
    if result.standing == Standing::Rival {
        return None;
    }
    let ours = round_medians(result.outcome.timing()?);
    let rival = rivals.get(&(&result.case.problem, result.case.device.as_str()))?;
    let (finding, evidence) = judge_paired(&ours, &rival.rounds, LEAST_MARGIN)?;
    let verdict = match finding {
        Finding::Faster => Verdict::Faster,
        Finding::Same => Verdict::Same,
        // Two implementations side by side on one machine: what differs is the code.
        Finding::Slower => Verdict::Slower { cause: Cause::Code },
        Finding::Ambiguous => Verdict::Ambiguous,
    };
    Some(Comparison {
        candidate: result.case.id(),
        baseline: rival.result.case.id(),
        verdict,
        evidence: Some(evidence),
    })
}

fn typical(rounds: &[(u32, f64)]) -> f64 {
    let seconds: Vec<f64> = rounds.iter().map(|(_, seconds)| *seconds).collect();
    median(&seconds).unwrap_or(f64::INFINITY)
}
