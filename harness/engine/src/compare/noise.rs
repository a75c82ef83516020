//! What the series of two runs on one device say together: how the whole machine moved between
//! the runs, and how much a series moves from run to run although nothing changed.
//!
//! Rounds follow each other within seconds, so their scatter cannot show what differs between
//! processes, or between tonight and last night. The series can: nearly all of them run code that
//! did not change, so what they share is the machine, and what they scatter around that is the
//! noise between runs. Time of a series i in ln: dᵢ = shift + noise between runs (τ) + noise
//! between rounds (σᵢ) + what its code changed.
//!
//! It knows no verdict and no cause.

use super::difference::{Difference, LEAST_MARGIN, LEVEL};
use super::series::{KIND_MIN, MAD_EFFICIENCY, Series, between_runs, deviations, error_variance};
use super::student;
use crate::measure::stats;

/// One-sided probability with which noise between runs may pass the margin.
const ALARM: f64 = 0.001;

/// Noise between runs that is assumed of any machine, and how many degrees of freedom that
/// assumption is worth. Rounds that scatter more than this raise it.
const PRIOR: f64 = 0.015;
const PRIOR_DEGREES: f64 = 4.0;

/// A machine whose rounds scatter is assumed to be half as restless between runs, and to move
/// this code and that (other instructions, other numbers of threads) apart as much: in variances,
/// a quarter.
const RESTLESS: f64 = 0.25;

/// How far a machine may move between runs where no other series shows it.
const UNSEEN_SHIFT: f64 = 0.03;

/// So many rivals can stand for the machine alone; with fewer, all series do. A long burst on one
/// problem hits its rival too, and two of four so hit would move the shift.
const RIVALS_MIN: usize = 5;

/// Noise has no direction. A host with two speeds, as where another system shares a core, moves few
/// cases far and most not at all, which no variance tells; but it moves them both ways. So there a
/// case must have moved farther, by this factor, than the second that moved the other way; the first
/// may be a change as well.
const MIRRORED: f64 = 1.5;

/// The standard error of a median is this times that of a mean.
const MEDIAN_ERROR: f64 = 1.2533;

/// The noise of one device between two runs.
#[derive(Debug)]
pub struct Noise<'a> {
    series: &'a [Series],
    /// Typical variance between rounds.
    rounds: f64,
    /// Variance between runs, τ².
    runs: f64,
    /// Degrees of freedom of τ.
    degrees: f64,
    /// [`student::critical`] at [`ALARM`].
    critical: f64,
    /// Estimates of the rivals, ascending; of all others; of all series.
    rivals: Vec<f64>,
    others: Vec<f64>,
    all: Vec<f64>,
    /// How far those moved that became slower than their kind, descending; and faster.
    slower: Vec<f64>,
    faster: Vec<f64>,
}

/// What the noise says about one series.
#[derive(Clone, Copy, Debug)]
pub struct Outlook {
    /// How the machine moved, as the other series show it.
    pub shift: f64,
    /// Whether that was read from rivals, whose code did not change.
    pub by_rivals: bool,
    /// Differences beyond the shift up to this are noise between runs.
    pub margin: f64,
    /// Two-sided p-value of the difference beyond the shift, with the noise between rounds.
    pub p_value: f64,
}

impl<'a> Noise<'a> {
    /// Estimates the noise from the series of one device.
    pub fn of(series: &'a [Series]) -> Self {
        let estimates = |keep: fn(&Series) -> bool| -> Vec<f64> {
            let kept = series.iter().filter(|s| keep(s));
            stats::sorted(kept.map(|s| s.difference.estimate))
        };
        let (rivals, others) = (estimates(|s| s.rival), estimates(|s| !s.rival));
        let all = estimates(|_| true);
        let variances: Vec<f64> = series.iter().map(|s| s.variance).collect();
        let rounds = stats::median(&variances).unwrap_or(0.0);
        let (seen, seen_degrees) = between_runs(series, rounds);
        let degrees = PRIOR_DEGREES + seen_degrees;
        let prior = (RESTLESS * rounds).max(PRIOR * PRIOR);
        let runs = (PRIOR_DEGREES * prior + seen_degrees * seen) / degrees;
        let critical = student::critical(ALARM, degrees);
        let (moves, _) = deviations(series);
        let sizes = |sign: f64| {
            let towards = moves.iter().map(|by| sign * by).filter(|by| *by > 0.0);
            let mut sizes = stats::sorted(towards);
            sizes.reverse();
            sizes
        };
        let (slower, faster) = (sizes(1.0), sizes(-1.0));
        Noise { series, rounds, runs, degrees, critical, rivals, others, all, slower, faster }
    }

    /// How the machine moved: the median over the rivals, or over all series if there are too few,
    /// with its interval; and whether it was the rivals.
    pub fn shift(&self) -> Option<(Difference, bool)> {
        let by_rivals = self.rivals.len() >= RIVALS_MIN;
        let anchors = if by_rivals { &self.rivals } else { &self.all };
        let interval = stats::median_interval(anchors, LEVEL, 1.0)?;
        let difference = Difference {
            estimate: stats::quantile(anchors, 0.5)?,
            low: interval.low,
            high: interval.high,
            coverage: interval.coverage,
            rounds: anchors.len() as u32,
        };
        Some((difference, by_rivals))
    }

    /// What the noise says about the series at `idx`, as the other series show it.
    pub fn outlook(&self, idx: usize) -> Outlook {
        let series = &self.series[idx];
        let by_rivals = self.rivals.len() - usize::from(series.rival) >= RIVALS_MIN;
        let (shift, shift_variance) = self.shift_for(series, by_rivals);
        let between = self.runs + shift_variance;
        let own = error_variance(self.moderated(series), series.rounds());
        let beyond = (series.difference.estimate - shift).abs();
        Outlook {
            shift,
            by_rivals,
            margin: LEAST_MARGIN.max(self.critical * between.sqrt()),
            p_value: 2.0 * student::survival(beyond / (between + own).sqrt(), self.degrees),
        }
    }

    /// How the other series say that the machine moved a series, and the variance of that.
    fn shift_for(&self, series: &Series, by_rivals: bool) -> (f64, f64) {
        let anchors = if by_rivals { &self.rivals } else { &self.all };
        let others = if series.rival || !by_rivals {
            median_without(anchors, series.difference.estimate)
        } else {
            median_of(anchors)
        };
        let restless = RESTLESS * self.rounds;
        let Some(shift) = others else {
            return (0.0, restless.max(UNSEEN_SHIFT * UNSEEN_SHIFT));
        };
        let expected = self.runs + error_variance(self.rounds, series.rounds());
        let scatter = expected.max(stats::spread(anchors).powi(2));
        let n = (anchors.len() - 1) as f64;
        (shift, MEDIAN_ERROR.powi(2) * scatter / n + restless)
    }

    /// Whether what took turns with a series moved alike, so that the machine may explain it: the
    /// rivals of its problem, or else whatever there is, moved beyond their own kind by half as
    /// much or more. Beyond their kind, since a change of all of ours is no burst on one problem.
    pub fn neighbours_moved(&self, idx: usize, shift: f64) -> bool {
        let series = &self.series[idx];
        let neighbours = |rival: bool| -> Option<f64> {
            let centre = self.centre(rival).unwrap_or(shift);
            let same = self.series.iter().enumerate().filter(|(other, s)| {
                *other != idx && s.problem == series.problem && s.rival == rival
            });
            let moved: Vec<f64> = same.map(|(_, s)| s.difference.estimate - centre).collect();
            stats::median(&moved)
        };
        let own = series.difference.estimate - shift;
        let moved = neighbours(true).or_else(|| neighbours(false));
        moved.is_some_and(|moved| moved * own.signum() >= own.abs() / 2.0)
    }

    /// Whether a series moved farther than all but one that moved the other way.
    pub fn stands_out(&self, idx: usize) -> bool {
        let own = self.series[idx].difference.estimate - self.outlook(idx).shift;
        let mirrored = if own > 0.0 { &self.faster } else { &self.slower };
        mirrored.get(1).is_none_or(|second| own.abs() > MIRRORED * second)
    }

    /// How the series of a kind moved, if there are enough of them.
    fn centre(&self, rival: bool) -> Option<f64> {
        let kind = if rival { &self.rivals } else { &self.others };
        if kind.len() < KIND_MIN { None } else { median_of(kind) }
    }

    /// A few rounds know their scatter badly, so the typical one is mixed in.
    fn moderated(&self, series: &Series) -> f64 {
        let degrees = MAD_EFFICIENCY * 2.0 * (series.rounds() - 1.0);
        (PRIOR_DEGREES * self.rounds + degrees * series.variance) / (PRIOR_DEGREES + degrees)
    }
}

fn median_of(sorted: &[f64]) -> Option<f64> {
    stats::quantile(sorted, 0.5)
}

/// The median of sorted values but for one of them.
fn median_without(sorted: &[f64], value: f64) -> Option<f64> {
    let skip = sorted.partition_point(|v| *v < value);
    let others = sorted.len().checked_sub(1).filter(|n| *n > 0)?;
    let at = |place: usize| sorted[if place < skip { place } else { place + 1 }];
    Some((at((others - 1) / 2) + at(others / 2)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(problem: usize, rival: bool, estimate: f64) -> Series {
        let times = |scale: f64| -> Vec<(u32, f64)> {
            (0..7).map(|r| (r, scale * (1.0 + 0.001 * f64::from(r % 3)))).collect()
        };
        Series::new(problem, rival, &times(estimate.exp()), &times(1.0)).unwrap()
    }

    #[test]
    fn a_median_without_one_value() {
        assert_eq!(median_without(&[1.0, 2.0, 4.0, 8.0], 2.0), Some(4.0));
        assert_eq!(median_without(&[1.0, 2.0, 4.0], 4.0), Some(1.5));
        assert_eq!(median_without(&[1.0], 1.0), None);
    }

    #[test]
    fn rivals_tell_the_shift_where_there_are_enough() {
        let mut all: Vec<Series> = (0..9).map(|p| series(p, false, 0.3)).collect();
        assert!((Noise::of(&all).outlook(0).shift - 0.3).abs() < 1e-9);
        all.extend((0..5).map(|p| series(p, true, 0.1)));
        let noise = Noise::of(&all);
        let outlook = noise.outlook(0);
        assert!((outlook.shift - 0.1).abs() < 1e-9 && outlook.by_rivals);
        assert!(outlook.p_value < 1e-6, "{outlook:?}");
        let (shift, by_rivals) = noise.shift().unwrap();
        assert!((shift.estimate - 0.1).abs() < 1e-9 && by_rivals);
    }

    #[test]
    fn a_lone_series_has_a_wide_margin() {
        let alone = [series(0, false, 0.1)];
        let outlook = Noise::of(&alone).outlook(0);
        assert_eq!(outlook.shift, 0.0);
        assert!(outlook.margin > 0.1, "{outlook:?}");
    }

    #[test]
    fn a_quiet_machine_has_a_narrow_margin_and_a_restless_one_a_wide_one() {
        let scattered = |by: f64| -> Vec<Series> {
            (0..30).map(|p| series(p, false, by * (f64::from(p as u32) / 14.5 - 1.0))).collect()
        };
        let margin = |by| Noise::of(&scattered(by)).outlook(0).margin;
        assert!(margin(0.0) < 0.025, "{}", margin(0.0));
        assert!((0.1..0.4).contains(&margin(0.06)), "{}", margin(0.06));
    }

    #[test]
    fn what_moved_the_other_way_as_far_takes_a_series_its_standing() {
        let moved = |by: &[f64]| -> Vec<Series> {
            let still = (0..9).map(|p| series(p, false, 0.0));
            still.chain(by.iter().map(|by| series(20, false, *by))).collect()
        };
        let stands = |by: &[f64]| Noise::of(&moved(by)).stands_out(9);
        assert!(stands(&[0.5]) && stands(&[-0.5]));
        assert!(stands(&[0.5, -0.6]), "one that moved so far may have changed");
        assert!(!stands(&[0.5, -0.6, -0.45]) && !stands(&[-0.5, 0.6, 0.45]));
        assert!(stands(&[0.5, -0.6, -0.3]), "farther by more than half");
        assert!(stands(&[0.5, 0.6, 0.55, 0.5]), "all went the same way");
    }

    #[test]
    fn neighbours_are_rivals_first() {
        let all = [
            series(0, false, 0.2),
            series(0, false, 0.0),
            series(0, true, 0.15),
            series(1, false, 0.2),
            series(1, false, 0.02),
        ];
        let noise = Noise::of(&all);
        assert!(noise.neighbours_moved(0, 0.0));
        assert!(!noise.neighbours_moved(0, 0.12), "the shift explains the rival");
        assert!(!noise.neighbours_moved(3, 0.0));
    }
}
