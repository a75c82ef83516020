//! Statistics for times: order statistics first, since times are skewed, clustered and spiky.
//!
//! Pure functions of numbers; nothing here knows what a sample, a round or a case is.

use std::f64::consts::LN_2;

/// MAD times this is the standard deviation where the values are normal.
const MAD_TO_DEVIATION: f64 = 1.482_602_218_505_602;

/// An interval for a median, with the coverage that its ranks reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end: one of the values.
    pub low: f64,
    /// Upper end: one of the values.
    pub high: f64,
    /// Probability that an interval made so holds the median; below the level that was asked for
    /// where there are too few values.
    pub coverage: f64,
}

/// The values in ascending order.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The median, in linear time; none of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some((lower + upper) / 2.0)
}

/// The quantile `q` in [0, 1] of sorted values, interpolated between neighbours (Hyndman and Fan's
/// type 7); none of no values.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let idx = place as usize;
    let next = sorted[(idx + 1).min(last)];
    Some(sorted[idx] + (next - sorted[idx]) * place.fract())
}

/// The narrowest symmetric pair of order statistics that covers the median of independent values
/// with at least `level`, or the range if none does.
///
/// `widening` ≥ 1 multiplies the distance of the ranks from the middle: [`widening`] gives it for
/// values that depend on each other. Where the range is not wide enough, the coverage falls to
/// what the range of so many independent values has.
pub fn median_interval(sorted: &[f64], level: f64, widening: f64) -> Option<Interval> {
    let n = sorted.len();
    let (rank, coverage) = median_rank(n, level)?;
    let middle = (n + 1) as f64 / 2.0;
    let widened = middle - (middle - rank as f64) * widening;
    let (rank, coverage) = if widened < 1.0 {
        let independent = n as f64 / (widening * widening);
        (1, coverage.min(1.0 - 2.0 * (-independent * LN_2).exp()).max(0.0))
    } else {
        (widened as usize, coverage)
    };
    Some(Interval { low: sorted[rank - 1], high: sorted[n - rank], coverage })
}

/// The greatest rank, counted from either end, whose pair covers the median with at least `level`
/// (1 if none does), and its exact coverage 1 − 2 P(B < rank) with B binomial (n, ½).
fn median_rank(n: usize, level: f64) -> Option<(usize, f64)> {
    if n == 0 {
        return None;
    }
    // In logarithms, since 2⁻ⁿ underflows from n = 1075.
    let mut ln_probability = -(n as f64) * LN_2;
    let mut tail = ln_probability.exp();
    let mut rank = 1;
    while rank < n / 2 {
        ln_probability += ((n + 1 - rank) as f64 / rank as f64).ln();
        let next = tail + ln_probability.exp();
        if 1.0 - 2.0 * next < level {
            break;
        }
        tail = next;
        rank += 1;
    }
    Some((rank, 1.0 - 2.0 * tail))
}

/// Lag-1 autocorrelation of the values' ranks, so that no outlier hides it; 0 for a constant.
pub fn rank_autocorrelation(values: &[f64]) -> f64 {
    let ranks = centred_ranks(values);
    let power: f64 = ranks.iter().map(|r| r * r).sum();
    if power == 0.0 {
        return 0.0;
    }
    ranks.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / power
}

/// Ranks about their mean; equal values share the mean of their ranks.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = start as f64 + (tied.len() as f64 - 1.0) / 2.0 - middle;
        tied.iter().for_each(|&idx| ranks[idx] = shared);
        start += tied.len();
    }
    ranks
}

/// How much wider an interval must be at this lag-1 autocorrelation: √((1 + ρ) / (1 − ρ)), which
/// is exact for the mean of a first-order process and cautious for its median. A negative ρ
/// narrows nothing.
pub fn widening(autocorrelation: f64) -> f64 {
    let rho = autocorrelation.clamp(0.0, 0.99);
    ((1.0 + rho) / (1.0 - rho)).sqrt()
}

/// The standard deviation as the median absolute deviation from the median tells it; 0 of fewer
/// than two values.
pub fn spread(values: &[f64]) -> f64 {
    let Some(middle) = median(values) else { return 0.0 };
    let deviations: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    MAD_TO_DEVIATION * median(&deviations).unwrap_or(0.0)
}

/// The geometric mean of positive values; none of no values.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().map(|v| v.ln()).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64).exp())
}

/// Two-sided p-value of the sign test that the median of the differences is zero; zeros say
/// nothing and are left out.
pub fn sign_test(differences: &[f64]) -> f64 {
    let above = differences.iter().filter(|d| **d > 0.0).count();
    let below = differences.iter().filter(|d| **d < 0.0).count();
    let (n, rarer) = (above + below, above.min(below));
    let mut ln_probability = -(n as f64) * LN_2;
    let mut tail = ln_probability.exp();
    for k in 1..=rarer {
        ln_probability += ((n + 1 - k) as f64 / k as f64).ln();
        tail += ln_probability.exp();
    }
    (2.0 * tail).min(1.0)
}

/// Which hypotheses to reject so that at most the share `rate` of the rejected ones is expected to
/// be true (Benjamini and Hochberg, 1995).
pub fn benjamini_hochberg(p_values: &[f64], rate: f64) -> Vec<bool> {
    let ascending = sorted(p_values.iter().copied());
    let n = ascending.len() as f64;
    let bound = |place: usize| rate * (place + 1) as f64 / n;
    let last = (0..ascending.len()).rev().find(|&place| ascending[place] <= bound(place));
    let threshold = last.map_or(f64::NEG_INFINITY, |place| ascending[place]);
    p_values.iter().map(|p| *p <= threshold).collect()
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::Noise;
    use super::*;

    fn close(got: f64, wanted: f64, within: f64) {
        assert!((got - wanted).abs() <= within, "{got} is not within {within} of {wanted}");
    }

    #[test]
    fn the_intervals_ranks_are_those_of_the_table() {
        let check = |n: usize, low: usize, high: usize, coverage: f64| {
            let values: Vec<f64> = (1..=n).map(|v| v as f64).collect();
            let interval = median_interval(&values, 0.95, 1.0).unwrap();
            assert_eq!((interval.low, interval.high), (low as f64, high as f64), "n = {n}");
            close(interval.coverage, coverage, 5e-4);
        };
        check(1, 1, 1, 0.0);
        check(2, 1, 2, 0.5);
        check(5, 1, 5, 0.9375);
        check(6, 1, 6, 0.969);
        check(7, 1, 7, 0.984);
        check(9, 2, 8, 0.961);
        check(15, 4, 12, 0.965);
        check(21, 6, 16, 0.973);
        check(10_000, 4902, 5099, 0.951);
    }

    #[test]
    fn the_interval_covers_the_median_as_often_as_it_says() {
        for (n, wanted) in [(7, 0.984), (15, 0.965), (21, 0.973)] {
            let mut noise = Noise::new(n);
            let hits = (0..4000)
                .filter(|_| {
                    // A skewed distribution, whose median is e⁰ = 1.
                    let values = sorted((0..n).map(|_| noise.normal().exp()));
                    let interval = median_interval(&values, 0.95, 1.0).unwrap();
                    interval.low <= 1.0 && 1.0 <= interval.high
                })
                .count();
            close(hits as f64 / 4000.0, wanted, 0.01);
        }
    }

    #[test]
    fn a_widened_interval_covers_the_median_of_a_dependent_series() {
        let mut noise = Noise::new(3);
        let rho: f64 = 0.8;
        let hits = |widen: bool, noise: &mut Noise| {
            let covered = |_: &i32| {
                let mut state = noise.normal() / (1.0 - rho * rho).sqrt();
                let values: Vec<f64> = (0..400)
                    .map(|_| {
                        state = rho * state + noise.normal();
                        state
                    })
                    .collect();
                let factor = if widen { widening(rank_autocorrelation(&values)) } else { 1.0 };
                let interval = median_interval(&sorted(values), 0.95, factor).unwrap();
                interval.low <= 0.0 && 0.0 <= interval.high
            };
            (0..300).filter(covered).count() as f64 / 300.0
        };
        assert!(hits(true, &mut noise) > 0.94);
        assert!(hits(false, &mut noise) < 0.75, "the control must fail");
    }

    #[test]
    fn a_range_too_narrow_for_its_dependence_says_so() {
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        let interval = median_interval(&values, 0.95, widening(0.9)).unwrap();
        assert_eq!((interval.low, interval.high), (0.0, 19.0));
        assert!(interval.coverage < 0.5);
    }

    #[test]
    fn medians_and_quantiles_of_few_values() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), Some(4.0));
    }

    #[test]
    fn spread_is_the_deviation_and_ignores_a_fifth_of_outliers() {
        let mut noise = Noise::new(5);
        let mut values: Vec<f64> = (0..30_000).map(|_| 10.0 + 2.0 * noise.normal()).collect();
        close(spread(&values), 2.0, 0.1);
        values.iter_mut().step_by(5).for_each(|v| *v = 1e9);
        close(spread(&values), 2.0, 1.0);
        assert_eq!(spread(&[]), 0.0);
    }

    #[test]
    fn autocorrelation_of_known_series() {
        let alternating: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        close(rank_autocorrelation(&alternating), -1.0, 0.02);
        let drifting: Vec<f64> = (0..100).map(f64::from).collect();
        close(rank_autocorrelation(&drifting), 1.0, 0.05);
        let mut noise = Noise::new(9);
        let independent: Vec<f64> = (0..2000).map(|_| noise.normal()).collect();
        close(rank_autocorrelation(&independent), 0.0, 0.1);
        assert_eq!(rank_autocorrelation(&[1.0; 50]), 0.0);
        assert_eq!(rank_autocorrelation(&[]), 0.0);
    }

    #[test]
    fn sign_test_counts_sides() {
        close(sign_test(&[1.0; 7]), 2.0 / 128.0, 1e-12);
        close(sign_test(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0]), 16.0 / 128.0, 1e-12);
        assert_eq!(sign_test(&[1.0, -1.0]), 1.0);
        assert_eq!(sign_test(&[0.0]), 1.0);
    }

    #[test]
    fn benjamini_hochberg_rejects_as_in_the_papers_example() {
        // Section 3.2 of the paper: four of fifteen at 5 %.
        let p_values = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let rejected = benjamini_hochberg(&p_values, 0.05);
        assert_eq!(rejected.iter().filter(|r| **r).count(), 4);
        assert!(rejected[..4].iter().all(|r| *r));
        assert!(benjamini_hochberg(&[], 0.05).is_empty());
    }

    #[test]
    fn geometric_mean_of_ratios() {
        close(geometric_mean(&[2.0, 0.5, 4.0, 0.25]).unwrap(), 1.0, 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
