//! The difference of two series of rounds in ln(time), with an exact interval, and what it means
//! beside a margin. It knows no case, no run and no cause.

use crate::measure::stats;
use std::cmp::Ordering;
use tilemark_core::summary::Evidence;

/// Intervals are made to cover the truth at least so often.
pub const LEVEL: f64 = 0.95;

/// Differences of ln(time) up to this are never called a difference.
pub const LEAST_MARGIN: f64 = 0.02;

/// ln(candidate's time / baseline's time): above zero the candidate is slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The interval's coverage.
    pub coverage: f64,
    /// Rounds on the side that has fewer.
    pub rounds: u32,
}

/// What a difference says beside a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The interval lies below −margin.
    Faster,
    /// The interval lies within the margin.
    Same,
    /// The interval lies above the margin.
    Slower,
    /// None of these, or the coverage is too low to say.
    Unclear,
}

impl Difference {
    /// Rounds of one run that have the same number ran next to each other: the median of their
    /// differences and its order-statistic interval. Also the differences' robust spread.
    pub fn paired(candidate: &[(u32, f64)], baseline: &[(u32, f64)]) -> Option<(Self, f64)> {
        let partner = |index: u32| baseline.iter().find(|(other, _)| *other == index);
        let differences: Vec<f64> = candidate
            .iter()
            .filter_map(|(index, seconds)| Some((seconds / partner(*index)?.1).ln()))
            .collect();
        let sorted = stats::sorted(differences);
        let interval = stats::median_interval(&sorted, LEVEL, 1.0)?;
        let difference = Difference {
            estimate: stats::quantile(&sorted, 0.5)?,
            low: interval.low,
            high: interval.high,
            coverage: interval.coverage,
            rounds: sorted.len() as u32,
        };
        Some((difference, stats::spread(&sorted)))
    }

    /// Rounds of two runs have no partners: the median of all pairwise differences (Hodges and
    /// Lehmann, 1963) with the interval of the rank-sum test, which is exact whatever the
    /// distribution, and which a quarter of bad rounds does not move.
    pub fn unpaired(candidate: &[(u32, f64)], baseline: &[(u32, f64)]) -> Option<Self> {
        let pairs = candidate.iter().flat_map(|c| baseline.iter().map(|b| (c.1 / b.1).ln()));
        let sorted = stats::sorted(pairs);
        let (rank, coverage) = rank_sum_rank(candidate.len(), baseline.len(), LEVEL);
        Some(Difference {
            estimate: stats::quantile(&sorted, 0.5)?,
            low: sorted[rank - 1],
            high: sorted[sorted.len() - rank],
            coverage,
            rounds: candidate.len().min(baseline.len()) as u32,
        })
    }

    /// The difference beyond a shift that both sides share.
    pub fn beyond(self, shift: f64) -> Self {
        let Difference { estimate, low, high, .. } = self;
        Difference { estimate: estimate - shift, low: low - shift, high: high - shift, ..self }
    }

    /// What it says beside a margin.
    pub fn direction(&self, margin: f64) -> Direction {
        let side = |end: f64| match end {
            end if end > margin => Ordering::Greater,
            end if end < -margin => Ordering::Less,
            _ => Ordering::Equal,
        };
        match (side(self.low), side(self.high)) {
            _ if self.coverage < LEVEL => Direction::Unclear,
            (Ordering::Greater, _) => Direction::Slower,
            (_, Ordering::Less) => Direction::Faster,
            (Ordering::Equal, Ordering::Equal) => Direction::Same,
            _ => Direction::Unclear,
        }
    }

    /// The same as ratios of baseline's time over candidate's.
    pub fn evidence(&self, margin: f64) -> Evidence {
        Evidence {
            ratio: (-self.estimate).exp(),
            low: (-self.high).exp(),
            high: (-self.low).exp(),
            margin,
            rounds: self.rounds,
            coverage: self.coverage,
        }
    }
}

/// The greatest rank from either end of the n·m pairwise differences whose pair covers with at
/// least `level` (1 if none does), and its exact coverage 1 − 2 P(U < rank).
fn rank_sum_rank(n: usize, m: usize, level: f64) -> (usize, f64) {
    let counts = rank_sum_counts(n, m);
    let all: f64 = counts.iter().sum();
    let mut tail = counts[0] / all;
    let mut rank = 1;
    while rank < counts.len() / 2 && 1.0 - 2.0 * (tail + counts[rank] / all) >= level {
        tail += counts[rank] / all;
        rank += 1;
    }
    (rank, 1.0 - 2.0 * tail)
}

/// How many arrangements of n and m values have each rank-sum statistic U in 0..=n·m: the
/// coefficients of the Gaussian binomial ∏ (1 − q^(m+i)) / (1 − qⁱ).
fn rank_sum_counts(n: usize, m: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n * m + 1];
    counts[0] = 1.0;
    for i in 1..=n {
        for u in (m + i..counts.len()).rev() {
            counts[u] -= counts[u - m - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::Noise;

    fn rounds(values: impl IntoIterator<Item = f64>) -> Vec<(u32, f64)> {
        (0..).zip(values).collect()
    }

    #[test]
    fn rank_sum_counts_are_those_of_the_published_table() {
        assert_eq!(rank_sum_counts(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
        assert_eq!(rank_sum_counts(21, 21).iter().sum::<f64>(), 538_257_874_440.0);
        // Critical values of U at 5 %, two-sided: 2 for (5, 5), 8 for (7, 7), 64 for (15, 15).
        for (n, critical) in [(5, 2), (7, 8), (15, 64)] {
            assert_eq!(rank_sum_rank(n, n, 0.95).0, critical + 1, "n = {n}");
        }
    }

    #[test]
    fn an_unpaired_interval_covers_the_shift_as_often_as_it_says() {
        let mut noise = Noise::new(1);
        let mut hits = 0;
        let mut coverage = 0.0;
        for _ in 0..3000 {
            let candidate = rounds((0..7).map(|_| (0.1 + 0.05 * noise.normal()).exp()));
            let baseline = rounds((0..7).map(|_| (0.05 * noise.normal()).exp()));
            let difference = Difference::unpaired(&candidate, &baseline).unwrap();
            hits += usize::from(difference.low <= 0.1 && 0.1 <= difference.high);
            coverage = difference.coverage;
        }
        assert!((hits as f64 / 3000.0 - coverage).abs() < 0.012, "{hits} of 3000, {coverage}");
    }

    #[test]
    fn pairs_cancel_what_both_sides_share() {
        let mut noise = Noise::new(2);
        let drift: Vec<f64> = (0..7).map(|i| 1.0 + 0.2 * f64::from(i)).collect();
        let baseline = rounds(drift.clone());
        let slower = |_: usize, d: &f64| d * 1.1;
        let candidate = rounds(drift.iter().enumerate().map(|(i, d)| slower(i, d)));
        let (difference, spread) = Difference::paired(&candidate, &baseline).unwrap();
        assert_eq!(difference.direction(LEAST_MARGIN), Direction::Slower);
        assert!(spread < 1e-12 && (difference.estimate - 1.1f64.ln()).abs() < 1e-12);
        let unpaired = Difference::unpaired(&candidate, &baseline).unwrap();
        assert_eq!(unpaired.direction(LEAST_MARGIN), Direction::Unclear);
        let same = rounds(drift.iter().map(|d| d * (1.0 + 0.001 * noise.normal())));
        let (difference, _) = Difference::paired(&same, &baseline).unwrap();
        assert_eq!(difference.direction(LEAST_MARGIN), Direction::Same);
    }

    #[test]
    fn too_few_rounds_say_nothing() {
        let (slow, fast) = (rounds([2.0; 3]), rounds([1.0; 3]));
        let (difference, _) = Difference::paired(&slow, &fast).unwrap();
        assert_eq!(difference.direction(LEAST_MARGIN), Direction::Unclear);
        assert_eq!(Difference::paired(&[], &fast), None);
        assert_eq!(Difference::unpaired(&slow, &[]), None);
    }

    #[test]
    fn evidence_is_a_ratio_above_one_where_the_candidate_is_faster() {
        let (slow, fast) = (rounds([2.0; 7]), rounds([1.0; 7]));
        let evidence = Difference::unpaired(&fast, &slow).unwrap().evidence(0.02);
        assert_eq!((evidence.ratio, evidence.low, evidence.high), (2.0, 2.0, 2.0));
        assert_eq!(evidence.rounds, 7);
    }
}
