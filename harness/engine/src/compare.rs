//! One run judged against another, with the noise that both have shown.
//!
//! A time is judged by what it moved beyond the device's common shift, which is reported beside
//! the verdicts: a machine that became slower as a whole is no fault of any case. A case is called
//! slower only if all of this holds, and ambiguous if some of it does:
//! - the exact interval from its rounds lies beyond the margin: 2 % or the noise between runs;
//! - the difference is significant by itself (one in 1000) and among all cases (a
//!   false-discovery rate of 5 %);
//! - what took turns with it on the same problem did not move alike, as it does in a long burst;
//! - on a host, it moved farther than what moved the other way, since noise has no direction;
//! - on a host, its fastest sample moved beyond the margin as well, since noise only adds time;
//! - on a host, both sides have rounds in which no other process worked ([`company`]);
//! - where no rivals tell the shift, it is slower before the shift is taken out as well.
//!
//! Pure functions of records: nothing here can start a measurement, read a file or see a clock.

pub mod beside;
pub mod company;
pub mod difference;
pub mod fastest;
pub mod noise;
pub mod series;

pub mod cause;
pub mod outcomes;
pub mod setting;

pub mod student;

use crate::measure::stats;
use difference::{Difference, Direction, LEAST_MARGIN};
use noise::{Noise, Outlook};
use series::Series;
use setting::Changed;
use std::collections::{BTreeMap, HashMap};
use tilemark_core::family::Standing;
use tilemark_core::record::{CaseResult, Recording};
use tilemark_core::summary::{CommonShift, Comparison, Evidence, RunComparison, Verdict};
use tilemark_core::{Case, Problem};

/// Two-sided p-value that a difference needs by itself.
const SIGNIFICANT: f64 = 0.002;

/// Share of false findings among all that are called slower or faster.
const DISCOVERY_RATE: f64 = 0.05;

/// Judges every case that either run has: the candidate's in its order, then what is missing.
pub fn compare(candidate: &Recording, baseline: &Recording) -> RunComparison {
    let then: HashMap<&Case, &CaseResult> =
        baseline.results.iter().map(|result| (&result.case, result)).collect();
    let mut timed: BTreeMap<&str, Vec<Pair<'_>>> = BTreeMap::new();
    let mut cases = Vec::with_capacity(candidate.results.len());
    for now in &candidate.results {
        let verdict = match then.get(&now.case) {
            None => Verdict::New,
            Some(then) => match before_time(candidate, baseline, now, then) {
                Some(verdict) => verdict,
                None => {
                    let place = cases.len();
                    timed.entry(&now.case.device).or_default().push(Pair { place, now, then });
                    Verdict::Ambiguous
                }
            },
        };
        cases.push(comparison(&now.case, verdict));
    }
    let mut judgements = Vec::new();
    let mut common_shifts = Vec::new();
    for (device, pairs) in timed {
        let changed = setting::changed(candidate, baseline, device);
        let on_host = setting::on_host(candidate, device);
        common_shifts.extend(judge_device(device, &pairs, on_host, changed, &mut judgements));
    }
    settle_discoveries(&mut judgements);
    for judgement in judgements {
        cases[judgement.place].verdict = judgement.verdict;
        cases[judgement.place].evidence = Some(judgement.evidence);
    }
    let tried: HashMap<&Case, ()> = candidate.results.iter().map(|r| (&r.case, ())).collect();
    let missing = baseline.results.iter().filter(|result| !tried.contains_key(&result.case));
    cases.extend(missing.map(|result| comparison(&result.case, Verdict::Missing)));
    RunComparison { baseline_run: baseline.run.id.clone(), common_shifts, cases }
}

/// A case that both runs measured.
struct Pair<'a> {
    /// Its place among the comparisons.
    place: usize,
    now: &'a CaseResult,
    then: &'a CaseResult,
}

/// What became of a pair.
struct Judgement {
    place: usize,
    verdict: Verdict,
    evidence: Evidence,
    p_value: f64,
    /// How the machine moved.
    shift: f64,
}

impl Judgement {
    /// Whether the fastest samples, which the machine's shift moved alike, say what the verdict does.
    fn shows_in_fastest(&self, pair: &Pair<'_>) -> bool {
        let Some(moved) = fastest::difference(pair.now, pair.then) else { return false };
        let beyond = moved - self.shift;
        match self.verdict {
            Verdict::Slower { .. } => beyond > self.evidence.margin,
            Verdict::Faster => beyond < -self.evidence.margin,
            _ => true,
        }
    }

    /// Leaves open whether the case is slower or faster.
    fn withdraw(&mut self) {
        if matches!(self.verdict, Verdict::Slower { .. } | Verdict::Faster) {
            self.verdict = Verdict::Ambiguous;
        }
    }
}

fn comparison(case: &Case, verdict: Verdict) -> Comparison {
    let id = case.id();
    Comparison { candidate: id.clone(), baseline: id, verdict, evidence: None }
}

/// The verdict that needs no times, or none if times may be compared.
fn before_time(
    candidate: &Recording,
    baseline: &Recording,
    now: &CaseResult,
    then: &CaseResult,
) -> Option<Verdict> {
    outcomes::verdict(&now.outcome, &then.outcome).or_else(|| {
        let device = &now.case.device;
        let company =
            || company::obstacle(now, then).filter(|_| setting::on_host(candidate, device));
        let because = setting::obstacle(candidate, baseline, device).or_else(company)?;
        Some(Verdict::Incomparable { because })
    })
}

/// Judges all pairs of one device, and says how it moved as a whole.
fn judge_device(
    device: &str,
    pairs: &[Pair<'_>],
    on_host: bool,
    changed: Changed,
    judgements: &mut Vec<Judgement>,
) -> Option<CommonShift> {
    let mut problems: HashMap<&Problem, usize> = HashMap::new();
    let mut kept = Vec::new();
    let mut series = Vec::new();
    for pair in pairs {
        let next = problems.len();
        let problem = *problems.entry(&pair.now.case.problem).or_insert(next);
        let rival = pair.now.standing == Standing::Rival;
        let [now, then] = [pair.now, pair.then].map(|result| company::medians(result, on_host));
        if let Some(one) = Series::new(problem, rival, &now, &then) {
            series.push(one);
            kept.push(pair);
        }
    }
    let noise = Noise::of(&series);
    for (idx, pair) in kept.iter().enumerate() {
        let mut judgement = judge(&noise, idx, &series[idx].difference, pair, changed);
        if on_host && !(noise.stands_out(idx) && judgement.shows_in_fastest(pair)) {
            judgement.withdraw();
        }
        judgements.push(judgement);
    }
    let (shift, by_rivals) = noise.shift()?;
    let told = kept.iter().filter(|p| !by_rivals || p.now.standing == Standing::Rival);
    let told: Vec<_> = told.map(|pair| (pair.now, pair.then)).collect();
    Some(common_shift(device, &shift, by_rivals, || cause::of_shift(&told, changed, LEAST_MARGIN)))
}

fn common_shift(
    device: &str,
    shift: &Difference,
    by_rivals: bool,
    cause: impl Fn() -> tilemark_core::summary::Cause,
) -> CommonShift {
    let Evidence { ratio, low, high, .. } = shift.evidence(LEAST_MARGIN);
    let moved = shift.low > LEAST_MARGIN || shift.high < -LEAST_MARGIN;
    let (device, series) = (device.to_owned(), shift.rounds);
    CommonShift { device, ratio, low, high, series, by_rivals, cause: moved.then(cause) }
}

/// Judges one pair by itself; whether it stands among the others is decided later.
fn judge(
    noise: &Noise<'_>,
    idx: usize,
    difference: &Difference,
    pair: &Pair<'_>,
    changed: Changed,
) -> Judgement {
    let Outlook { shift, by_rivals, margin, p_value } = noise.outlook(idx);
    let beyond = difference.beyond(shift);
    let direction = beyond.direction(margin);
    let clear = by_rivals || direction == difference.direction(margin);
    let alone = p_value <= SIGNIFICANT && !noise.neighbours_moved(idx, shift);
    let verdict = match direction {
        _ if outcomes::is_less_exact(&pair.now.outcome, &pair.then.outcome) => Verdict::LessExact,
        Direction::Same if clear => Verdict::Same,
        Direction::Faster if clear && alone => Verdict::Faster,
        Direction::Slower if clear && alone => {
            Verdict::Slower { cause: cause::of_case(pair.now, pair.then, changed, margin) }
        }
        _ => Verdict::Ambiguous,
    };
    Judgement { place: pair.place, verdict, evidence: beyond.evidence(margin), p_value, shift }
}

/// Among many cases some differ by chance: what does not stand at the discovery rate is open.
fn settle_discoveries(judgements: &mut [Judgement]) {
    let p_values: Vec<f64> = judgements.iter().map(|j| j.p_value).collect();
    let stands = stats::benjamini_hochberg(&p_values, DISCOVERY_RATE);
    for (judgement, stands) in judgements.iter_mut().zip(stands) {
        if !stands {
            judgement.withdraw();
        }
    }
}

#[cfg(test)]
pub(crate) mod machine;
#[cfg(test)]
pub(crate) mod synthetic;
#[cfg(test)]
mod tests;
