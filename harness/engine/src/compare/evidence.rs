//! What two series of rounds say about each other: a ratio, its exact interval, a finding.

use crate::measure::stats::{Interval, median, median_interval};
use std::collections::HashMap;
use tilemark_core::record::Timing;
use tilemark_core::summary::Evidence;

/// Least margin δ on ln(time): smaller differences are no difference.
pub const LEAST_MARGIN: f64 = 0.02;

/// What an interval says, given the margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It lies below −δ.
    Faster,
    /// It lies within ±δ.
    Same,
    /// It lies above δ.
    Slower,
    /// It does neither.
    Ambiguous,
}

/// Number and median of each round that has samples which count.
pub fn round_medians(timing: &Timing) -> Vec<(u32, f64)> {
    timing
        .rounds
        .iter()
        .filter_map(|round| {
            let counted: Vec<f64> = round.samples.counted().collect();
            Some((round.index, median(&counted)?))
        })
        .collect()
}

/// Judges two cases of one run, whose rounds with the same number ran next to each other.
/// None if they have no round in common.
pub fn judge_paired(
    candidate: &[(u32, f64)],
    baseline: &[(u32, f64)],
    margin: f64,
) -> Option<(Finding, Evidence)> {
    let base: HashMap<u32, f64> = baseline.iter().copied().collect();
    let differences: Vec<f64> = candidate
        .iter()
        .filter_map(|(index, seconds)| Some((seconds / base.get(index)?).ln()))
        .collect();
    let interval = median_interval(&differences)?;
    let estimate = median(&differences)?;
    Some(judge(estimate, interval, margin, differences.len()))
}

/// Judges a case of two runs, whose rounds have nothing to do with each other: the interval spans
/// the two medians' own intervals. `shift` is what the whole machine moved in ln(time).
pub fn judge_unpaired(
    candidate: &[f64],
    baseline: &[f64],
    shift: f64,
    margin: f64,
) -> (Finding, Evidence) {
    let of = |rounds: &[f64]| {
        let centre = median(rounds).expect("a measured case has rounds");
        (centre, median_interval(rounds).expect("a measured case has rounds"))
    };
    let ((now, now_range), (then, then_range)) = (of(candidate), of(baseline));
    let interval = Interval {
        low: (now_range.low / then_range.high).ln() - shift,
        high: (now_range.high / then_range.low).ln() - shift,
        coverage: now_range.coverage.min(then_range.coverage),
    };
    let rounds = candidate.len().min(baseline.len());
    judge((now / then).ln() - shift, interval, margin, rounds)
}

fn judge(estimate: f64, interval: Interval, margin: f64, rounds: usize) -> (Finding, Evidence) {
    let Interval { low, high, coverage } = interval;
    let finding = if low > margin {
        Finding::Slower
    } else if high < -margin {
        Finding::Faster
    } else if low >= -margin && high <= margin {
        Finding::Same
    } else {
        Finding::Ambiguous
    };
    // A ratio above 1 means that the candidate is faster, so the ends change places.
    let evidence = Evidence {
        ratio: (-estimate).exp(),
        low: (-high).exp(),
        high: (-low).exp(),
        margin,
        rounds: rounds as u32,
        coverage,
    };
    (finding, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[f64], expected: Finding, ratio: f64) {
        let candidate: Vec<(u32, f64)> = (0..).zip(times.iter().copied()).collect();
        let baseline: Vec<(u32, f64)> = (0..times.len() as u32).map(|i| (i, 1.0)).collect();
        let (finding, evidence) = judge_paired(&candidate, &baseline, LEAST_MARGIN).unwrap();
        assert_eq!(finding, expected, "{times:?}");
        assert!((evidence.ratio - ratio).abs() < 1e-3, "{}", evidence.ratio);
        assert!(evidence.low <= evidence.ratio && evidence.ratio <= evidence.high);
    }

    #[test]
    fn a_finding_needs_the_whole_interval() {
        check(&[1.1, 1.11, 1.1, 1.09, 1.1, 1.12, 1.1], Finding::Slower, 0.909);
        check(&[0.5; 7], Finding::Faster, 2.0);
        check(&[1.0, 1.01, 0.99, 1.0, 1.005, 1.0, 0.995], Finding::Same, 1.0);
        check(&[1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.0], Finding::Ambiguous, 0.909);
    }

    #[test]
    fn drift_that_hits_both_alike_cancels_in_pairs() {
        let drift = |i: u32| 1.0 + 0.1 * f64::from(i);
        let candidate: Vec<(u32, f64)> = (0..7).map(|i| (i, 0.8 * drift(i))).collect();
        let baseline: Vec<(u32, f64)> = (0..7).map(|i| (i, drift(i))).collect();
        let (finding, evidence) = judge_paired(&candidate, &baseline, LEAST_MARGIN).unwrap();
        assert_eq!(finding, Finding::Faster);
        assert!((evidence.ratio - 1.25).abs() < 1e-9 && evidence.high - evidence.low < 1e-9);
    }

    #[test]
    fn rounds_without_a_partner_are_left_out() {
        assert!(judge_paired(&[(0, 1.0)], &[(1, 1.0)], LEAST_MARGIN).is_none());
    }
}
