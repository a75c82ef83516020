//! One run judged against another.
//!
//! The unit of evidence is the round, never the sample. Two runs are not paired by round, and
//! between them a machine may have become slower as a whole. The rivals show that: their code did
//! not change, so their median shift is the machine's, and every case is judged relative to it.
//! What the cases scatter around the shift is the noise between runs, which rounds that follow
//! each other within seconds cannot show; the margin is never less than three times that.
//!
//! A case is called slower only if all of this holds: the exact interval lies beyond the margin,
//! and a rank test says so at a false-discovery rate of 5 % over all cases of the comparison.

mod cause;
mod discovery;
pub mod evidence;

use crate::measure::stats::{median, relative_spread};
use cause::cause;
use discovery::{accepted, rank_test};
use evidence::{Finding, LEAST_MARGIN, judge_unpaired, round_medians};
use std::collections::HashMap;
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Environment, Outcome, Recording};
use tilemark_core::summary::{Comparison, RunComparison, Verdict};

/// Share of false alarms among alarms.
const DISCOVERY_RATE: f64 = 0.05;

/// Fewest rivals that can stand for the machine.
const FEWEST_RIVALS: usize = 3;

/// Fewest cases that can stand for the machine where there are not enough rivals.
const FEWEST_CASES: usize = 8;

/// An error this many times its baseline's is a finding of its own.
const ERROR_GROWTH: f64 = 2.0;

/// Judges every case that either run has.
pub fn compare(candidate: &Recording, baseline: &Recording) -> RunComparison {
    let before: HashMap<String, &CaseResult> =
        baseline.results.iter().map(|result| (result.case.id(), result)).collect();
    let now: HashMap<String, &CaseResult> =
        candidate.results.iter().map(|result| (result.case.id(), result)).collect();
    let pairs = pairs(candidate, &before);
    let common_shift = common_shift(&pairs);
    let setting = Setting {
        candidate,
        baseline,
        shift: common_shift.unwrap_or(0.0),
        scatter: scatter_between_runs(&pairs),
        pairs: pairs.iter().map(|pair| (pair.id.as_str(), pair)).collect(),
    };
    let mut cases: Vec<Comparison> = candidate
        .results
        .iter()
        .map(|result| match before.get(&result.case.id()) {
            Some(old) => setting.judge(result, old),
            None => verdict_only(result, Verdict::New),
        })
        .collect();
    setting.doubt_chance_findings(&mut cases);
    let missing = baseline.results.iter().filter(|old| !now.contains_key(&old.case.id()));
    cases.extend(missing.map(|old| verdict_only(old, Verdict::Missing)));
    RunComparison { baseline_run: baseline.run.id.clone(), common_shift, cases }
}

/// A case measured in both runs.
struct Pair {
    id: String,
    standing: Standing,
    candidate: Vec<f64>,
    baseline: Vec<f64>,
}

impl Pair {
    /// ln of the candidate's median time over the baseline's.
    fn shift(&self) -> f64 {
        let of = |rounds: &[f64]| median(rounds).expect("a measured case has rounds");
        (of(&self.candidate) / of(&self.baseline)).ln()
    }
}

/// What holds for the whole comparison.
struct Setting<'a> {
    candidate: &'a Recording,
    baseline: &'a Recording,
    shift: f64,
    scatter: f64,
    pairs: HashMap<&'a str, &'a Pair>,
}

impl Setting<'_> {
    fn judge(&self, result: &CaseResult, old: &CaseResult) -> Comparison {
        if let Some(because) = self.incomparable(result) {
            return verdict_only(result, Verdict::Incomparable { because });
        }
        match (result.outcome.is_ok(), old.outcome.is_ok()) {
            (false, false) => return verdict_only(result, Verdict::BothFailed),
            (false, true) => {
                let outcome = result.outcome.name().to_owned();
                return verdict_only(result, Verdict::Broken { outcome });
            }
            (true, false) => return verdict_only(result, Verdict::Fixed),
            (true, true) => {}
        }
        if less_exact(&result.outcome, &old.outcome) {
            return verdict_only(result, Verdict::LessExact);
        }
        let id = result.case.id();
        let Some(pair) = self.pairs.get(id.as_str()) else {
            let because = "one of the runs checked this case and did not time it".to_owned();
            return verdict_only(result, Verdict::Incomparable { because });
        };
        let margin = self.margin(pair);
        let (finding, evidence) =
            judge_unpaired(&pair.candidate, &pair.baseline, self.shift, margin);
        let verdict = match finding {
            Finding::Faster => Verdict::Faster,
            Finding::Same => Verdict::Same,
            Finding::Ambiguous => Verdict::Ambiguous,
            Finding::Slower => Verdict::Slower { cause: self.cause(result, old, margin) },
        };
        Comparison { candidate: id.clone(), baseline: id, verdict, evidence: Some(evidence) }
    }

    /// δ: 2 %, or what rounds and runs scatter on this machine, whichever is most.
    fn margin(&self, pair: &Pair) -> f64 {
        let rounds = 3.0 * relative_spread(&pair.candidate).max(relative_spread(&pair.baseline));
        LEAST_MARGIN.max(self.scatter).max(rounds)
    }

    /// Turns findings that a rank test does not support at the discovery rate into doubt.
    fn doubt_chance_findings(&self, cases: &mut [Comparison]) {
        let tested: Vec<(usize, f64)> = cases
            .iter()
            .enumerate()
            .filter_map(|(idx, case)| {
                case.evidence?;
                let pair = self.pairs.get(case.candidate.as_str())?;
                Some((idx, rank_test(&pair.candidate, &pair.baseline, self.shift)))
            })
            .collect();
        let p_values: Vec<f64> = tested.iter().map(|(_, p)| *p).collect();
        for ((idx, _), accepted) in tested.iter().zip(accepted(&p_values, DISCOVERY_RATE)) {
            let verdict = &mut cases[*idx].verdict;
            if !accepted && matches!(verdict, Verdict::Slower { .. } | Verdict::Faster) {
                *verdict = Verdict::Ambiguous;
            }
        }
    }

    fn incomparable(&self, result: &CaseResult) -> Option<String> {
        if self.candidate.run.method_id != self.baseline.run.method_id {
            return Some(format!(
                "the method differs: {} against {}",
                self.candidate.run.method_id, self.baseline.run.method_id
            ));
        }
        let device = &result.case.device;
        let (now, then) = (environment(self.candidate, device), environment(self.baseline, device));
        let (Some(now), Some(then)) = (now, then) else {
            return Some(format!("one of the runs does not say what `{device}` is"));
        };
        let differs = [
            ("device", now.device.model != then.device.model),
            ("architecture", now.device.arch != then.device.arch),
            ("host processor", now.host.cpu != then.host.cpu),
            ("number of cores", now.host.cores != then.host.cores),
            ("device traits", now.device.traits != then.device.traits),
        ];
        let fields: Vec<_> =
            differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
        (!fields.is_empty()).then(|| format!("these differ: {}", fields.join(", ")))
    }

    fn cause(
        &self,
        result: &CaseResult,
        old: &CaseResult,
        margin: f64,
    ) -> tilemark_core::summary::Cause {
        let device = &result.case.device;
        let driver = |recording| {
            environment(recording, device)
                .map(|e| (e.device.driver.clone(), e.device.runtime.clone()))
        };
        let driver_differs = driver(self.candidate) != driver(self.baseline);
        cause(result, old, driver_differs, self.shift, margin)
    }
}

fn environment<'r>(recording: &'r Recording, device: &str) -> Option<&'r Environment> {
    recording.environments.iter().find(|environment| environment.device.name == device)
}

fn pairs(candidate: &Recording, before: &HashMap<String, &CaseResult>) -> Vec<Pair> {
    let rounds = |result: &CaseResult| -> Option<Vec<f64>> {
        let medians = round_medians(result.outcome.timing()?);
        (!medians.is_empty()).then(|| medians.into_iter().map(|(_, seconds)| seconds).collect())
    };
    candidate
        .results
        .iter()
        .filter_map(|result| {
            let id = result.case.id();
            let old = before.get(&id)?;
            let (candidate, baseline) = (rounds(result)?, rounds(old)?);
            Some(Pair { id, standing: result.standing, candidate, baseline })
        })
        .collect()
}

fn common_shift(pairs: &[Pair]) -> Option<f64> {
    let rivals = rival_shifts(pairs);
    if rivals.len() < FEWEST_RIVALS { None } else { median(&rivals) }
}

fn rival_shifts(pairs: &[Pair]) -> Vec<f64> {
    let rivals = pairs.iter().filter(|pair| pair.standing == Standing::Rival);
    rivals.map(Pair::shift).collect()
}

/// Three robust standard deviations of what cases whose code did not change moved beyond the
/// common shift: the rivals where there are enough of them, else all cases, of which most did not
/// change. 0 where there are too few of either to tell.
fn scatter_between_runs(pairs: &[Pair]) -> f64 {
    let rivals = rival_shifts(pairs);
    let shifts: Vec<f64> = match rivals.len() {
        FEWEST_RIVALS.. => rivals,
        _ if pairs.len() >= FEWEST_CASES => pairs.iter().map(Pair::shift).collect(),
        _ => return 0.0,
    };
    let centre = median(&shifts).unwrap_or(0.0);
    let distances: Vec<f64> = shifts.iter().map(|shift| (shift - centre).abs()).collect();
    3.0 * 1.4826 * median(&distances).unwrap_or(0.0)
}

fn less_exact(now: &Outcome, then: &Outcome) -> bool {
    let worst = |outcome: &Outcome| {
        let outputs = &outcome.verification()?.outputs;
        outputs.iter().map(|output| output.relative_error).reduce(f64::max)
    };
    match (worst(now), worst(then)) {
        (Some(now), Some(then)) => now > ERROR_GROWTH * then && now > f64::EPSILON,
        _ => false,
    }
}

fn verdict_only(result: &CaseResult, verdict: Verdict) -> Comparison {
    let id = result.case.id();
    Comparison { candidate: id.clone(), baseline: id, verdict, evidence: None }
}
