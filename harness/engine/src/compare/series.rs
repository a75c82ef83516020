//! A case that two runs measured, in ln(time): its difference, and its scatter between rounds; and
//! what many of them scatter between runs. It knows no margin and no verdict.

use super::difference::Difference;
use crate::measure::stats;

/// So many series of a kind, rivals or others, have a centre of their own.
pub const KIND_MIN: usize = 3;

/// A median absolute deviation knows a deviation as well as 37 % of the values would.
pub const MAD_EFFICIENCY: f64 = 0.37;

/// Deviations beyond so many times the spread are pulled in to it, and what that takes from the
/// variance of normal ones; a variance made so knows it as well as 80 % of the values would.
const PULL_IN: f64 = 2.5;
const PULLED_VARIANCE: f64 = 0.978;
const PULLED_EFFICIENCY: f64 = 0.8;

/// A case that both runs measured.
#[derive(Clone, Debug)]
pub struct Series {
    /// Number of its problem; series of one problem took turns.
    pub problem: usize,
    /// Whether it is other people's code, which did not change.
    pub rival: bool,
    /// What its rounds say.
    pub difference: Difference,
    /// Variance of ln(time) between the rounds of one run.
    pub variance: f64,
}

impl Series {
    /// The series of a problem from the medians of its rounds.
    pub fn new(
        problem: usize,
        rival: bool,
        now: &[(u32, f64)],
        then: &[(u32, f64)],
    ) -> Option<Self> {
        let difference = Difference::unpaired(now, then)?;
        // Residuals about a median of n are too small; n / (n − 1) makes up for it to a few per
        // cent from seven rounds on.
        let spread = |rounds: &[(u32, f64)]| {
            let n = rounds.len() as f64;
            let logs: Vec<f64> = rounds.iter().map(|(_, seconds)| seconds.ln()).collect();
            stats::spread(&logs) * n / (n - 1.0).max(1.0)
        };
        let variance = (spread(now).powi(2) + spread(then).powi(2)) / 2.0;
        Some(Series { problem, rival, difference, variance })
    }

    /// Rounds on the side that has fewer.
    pub fn rounds(&self) -> f64 {
        f64::from(self.difference.rounds)
    }
}

/// Variance of an unpaired difference of so many rounds a side; the estimator is 95 % efficient.
pub fn error_variance(variance: f64, rounds: f64) -> f64 {
    1.05 * 2.0 * variance / rounds
}

/// What the series moved beyond the centre of their kind, and how many of these are free. Rivals and
/// others have centres of their own, since a change of all of ours is no noise.
pub fn deviations(series: &[Series]) -> (Vec<f64>, usize) {
    let mut deviations = Vec::with_capacity(series.len());
    let mut free = 0;
    for rival in [true, false] {
        let kind = series.iter().filter(|s| s.rival == rival);
        let estimates: Vec<f64> = kind.map(|s| s.difference.estimate).collect();
        let Some(centre) = stats::median(&estimates) else { continue };
        if estimates.len() >= KIND_MIN {
            deviations.extend(estimates.iter().map(|e| e - centre));
            free += estimates.len() - 1;
        }
    }
    (deviations, free)
}

/// What the series scatter beyond what their rounds explain, and how many degrees of freedom that
/// has.
pub fn between_runs(series: &[Series], rounds: f64) -> (f64, f64) {
    let (deviations, free) = deviations(series);
    let counts: Vec<f64> = series.iter().map(Series::rounds).collect();
    let error = error_variance(rounds, stats::median(&counts).unwrap_or(1.0));
    let scatter = pulled_variance(&deviations, free as f64);
    ((scatter - error).max(0.0), PULLED_EFFICIENCY * free as f64)
}

/// The variance of deviations, of which few that are far out count little.
fn pulled_variance(deviations: &[f64], free: f64) -> f64 {
    let bound = (PULL_IN * stats::spread(deviations)).powi(2);
    let sum: f64 = deviations.iter().map(|d| (d * d).min(bound)).sum();
    sum / free.max(1.0) / PULLED_VARIANCE
}
