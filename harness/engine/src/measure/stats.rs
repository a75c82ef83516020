//! Order statistics: medians, their intervals, and how noisy a series is.
//!
//! Pure functions of numbers. Nothing is assumed of the distribution; intervals are exact.

/// The median; none of an empty series.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}

/// The values in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// An interval for the median of what a series was drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How often such an interval holds the median.
    pub coverage: f64,
}

/// The narrowest interval of order statistics with at least 95 % coverage, or the whole range
/// where there are too few values for that (coverage says so); none of an empty series.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let sorted = sorted(values);
    let n = sorted.len();
    if n == 0 {
        return None;
    }
    let (rank, coverage) = interval_rank(n);
    Some(Interval { low: sorted[rank], high: sorted[n - 1 - rank], coverage })
}

/// The largest rank r (from 0) such that [r-th smallest, r-th largest] covers the median in at
/// least 95 %, with its coverage: 1 − 2·P(Binomial(n, ½) ≤ r).
pub fn interval_rank(n: usize) -> (usize, f64) {
    if n > EXACT_LIMIT {
        let rank = ((n as f64 - Z_95 * (n as f64).sqrt()) / 2.0).floor() as usize;
        return (rank, 0.95);
    }
    let mut probability = 0.5f64.powi(n as i32);
    let mut below = probability;
    let mut best = (0, 1.0 - 2.0 * below);
    for rank in 1..n.div_ceil(2) {
        probability *= (n - rank + 1) as f64 / rank as f64;
        below += probability;
        let coverage = 1.0 - 2.0 * below;
        if coverage < 0.95 {
            break;
        }
        best = (rank, coverage);
    }
    (best.0, best.1.max(0.0))
}

/// Above this many values the binomial is normal to four digits.
const EXACT_LIMIT: usize = 500;

/// Two-sided 95 % point of the normal distribution.
const Z_95: f64 = 1.959_964;

/// Correlation of each value with the next; 0 where there are too few.
pub fn autocorrelation(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 3 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    if variance == 0.0 {
        return 0.0;
    }
    let covariance: f64 = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    covariance / variance
}

/// How much wider an interval must be because neighbouring samples are alike: √((1+ρ)/(1−ρ)) for
/// a positive lag-1 autocorrelation ρ, else 1.
pub fn widening(values: &[f64]) -> f64 {
    let rho = autocorrelation(values).clamp(0.0, 0.99);
    ((1.0 + rho) / (1.0 - rho)).sqrt()
}

/// Robust standard deviation relative to the median: 1.4826 · MAD / median.
pub fn relative_spread(values: &[f64]) -> f64 {
    let Some(centre) = median(values) else { return 0.0 };
    let distances: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    if centre == 0.0 { 0.0 } else { 1.4826 * median(&distances).unwrap_or(0.0) / centre.abs() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilemark_core::Distribution;
    use tilemark_core::generator::{Stream, mix};

    #[test]
    fn the_ranks_of_small_series_are_those_of_the_binomial() {
        let check = |n, rank, coverage: f64| {
            let (found, covered) = interval_rank(n);
            assert_eq!(found, rank, "n = {n}");
            assert!((covered - coverage).abs() < 5e-4, "n = {n}: {covered}");
        };
        // Counted from 0: 7 rounds use [min, max], 9 the second, 15 the fourth, 21 the sixth.
        check(7, 0, 0.984);
        check(9, 1, 0.961);
        check(15, 3, 0.965);
        check(21, 5, 0.973);
        check(5, 0, 0.9375);
        check(1, 0, 0.0);
    }

    #[test]
    fn the_interval_holds_the_median_as_often_as_it_says() {
        for n in [7, 21, 100, 700] {
            let trials = 2000;
            let hits = (0..trials)
                .filter(|trial| {
                    let stream = Stream::new(mix(*trial), n, Distribution::Normal);
                    let values: Vec<f64> = (0..n as u64).map(|i| stream.at(i).into()).collect();
                    let interval = median_interval(&values).unwrap();
                    interval.low <= 0.0 && 0.0 <= interval.high
                })
                .count();
            let share = hits as f64 / trials as f64;
            let expected = interval_rank(n).1;
            assert!((share - expected).abs() < 0.015, "n = {n}: {share} against {expected}");
        }
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn likeness_of_neighbours_widens() {
        let alternating: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        assert_eq!(widening(&alternating), 1.0);
        let rising: Vec<f64> = (0..100).map(f64::from).collect();
        assert!(widening(&rising) > 4.0);
        assert_eq!(widening(&[1.0; 50]), 1.0);
    }
}
