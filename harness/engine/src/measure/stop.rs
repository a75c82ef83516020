//! When a round has seen enough: a state machine that is fed samples and elapsed time.

use super::stats::{interval_rank, sorted, widening};
use tilemark_core::method::Method;
use tilemark_core::record::Stop;

/// Noise estimates that must agree before a noisy series counts as stable.
const STABLE_ESTIMATES: usize = 64;

/// How far they may differ, relative to their mean.
const STABLE_DEVIATION: f64 = 0.05;

/// Samples are asked for in batches of about this much wall-clock time, so that a GPU's queue is
/// full and the rule is still consulted often.
const BATCH_SECONDS: f64 = 0.02;

/// Most samples of one batch.
const MOST_PER_BATCH: f64 = 256.0;

/// Samples of a round so far.
#[derive(Debug)]
pub struct Stopping<'a> {
    method: &'a Method,
    samples: Vec<f64>,
    kernel_s: f64,
    mean: f64,
    sum_of_squares: f64,
    noise: Vec<f64>,
}

impl<'a> Stopping<'a> {
    /// A round without samples.
    pub fn new(method: &'a Method) -> Self {
        let (samples, noise) = (Vec::new(), Vec::new());
        Stopping { method, samples, kernel_s: 0.0, mean: 0.0, sum_of_squares: 0.0, noise }
    }

    /// Adds a sample that counts; `launches` is how many launches it is the mean of.
    pub fn add(&mut self, seconds: f64, launches: u32) {
        self.samples.push(seconds);
        self.kernel_s += seconds * f64::from(launches);
        // Welford's update of mean and variance.
        let n = self.samples.len() as f64;
        let delta = seconds - self.mean;
        self.mean += delta / n;
        self.sum_of_squares += delta * (seconds - self.mean);
        if n >= 2.0 && self.mean > 0.0 {
            self.noise.push((self.sum_of_squares / (n - 1.0)).sqrt() / self.mean);
        }
    }

    /// Why the round should end now, if it should; `elapsed_s` is its wall-clock time.
    pub fn reason(&self, elapsed_s: f64) -> Option<Stop> {
        if elapsed_s >= self.method.max_time_s && !self.samples.is_empty() {
            return Some(Stop::TimeLimit);
        }
        if self.samples.len() >= self.method.max_samples as usize {
            return Some(Stop::SampleLimit);
        }
        if self.samples.len() < self.method.min_samples as usize
            || self.kernel_s < self.method.min_time_s
        {
            return None;
        }
        if self.half_width() <= self.method.precision {
            return Some(Stop::Precise);
        }
        self.is_stable().then_some(Stop::StableNoisy)
    }

    /// How many samples to take next, where those before took `elapsed_s` of wall-clock time with
    /// their flushes and launches.
    pub fn next_batch(&self, elapsed_s: f64) -> u32 {
        let taken = self.samples.len() as f64;
        let fitting = if elapsed_s > 0.0 { BATCH_SECONDS * taken / elapsed_s } else { 1.0 };
        let left = f64::from(self.method.max_samples) - taken;
        fitting.clamp(1.0, MOST_PER_BATCH).min(left.max(1.0)) as u32
    }

    /// Half of the median's 95 % interval, relative to it, widened for autocorrelation.
    fn half_width(&self) -> f64 {
        let sorted = sorted(&self.samples);
        let n = sorted.len();
        let (rank, _) = interval_rank(n);
        let median = sorted[n / 2];
        if median <= 0.0 {
            return f64::INFINITY;
        }
        (sorted[n - 1 - rank] - sorted[rank]) / 2.0 / median * widening(&self.samples)
    }

    fn is_stable(&self) -> bool {
        let Some(from) = self.noise.len().checked_sub(STABLE_ESTIMATES) else { return false };
        let last = &self.noise[from..];
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        let variance = last.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / last.len() as f64;
        mean > 0.0 && variance.sqrt() / mean < STABLE_DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilemark_core::Distribution;
    use tilemark_core::generator::Stream;

    /// Feeds a series until it stops; gives the reason and the number of samples.
    fn check(method: &Method, sample: impl Fn(u64, f64) -> f64) -> (Stop, usize) {
        let stream = Stream::new(1, 0, Distribution::Normal);
        let mut stopping = Stopping::new(method);
        let mut elapsed = 0.0;
        for idx in 0..1_000_000 {
            let seconds = sample(idx, stream.at(idx).into());
            stopping.add(seconds, 1);
            elapsed += seconds;
            if let Some(stop) = stopping.reason(elapsed) {
                return (stop, stopping.samples.len());
            }
        }
        panic!("it never stopped");
    }

    #[test]
    fn a_quiet_series_stops_at_the_least_time() {
        let method = Method::standard();
        let (stop, n) = check(&method, |_, z| 1e-3 * (1.0 + 0.001 * z));
        assert_eq!(stop, Stop::Precise);
        assert!((490..=510).contains(&n), "0.5 s of 1 ms samples, not {n}");
    }

    #[test]
    fn a_slow_kernel_stops_at_the_least_number_of_samples() {
        let (stop, n) = check(&Method::standard(), |_, _| 0.1);
        assert_eq!((stop, n), (Stop::Precise, 20));
    }

    #[test]
    fn a_noisy_series_stops_when_its_noise_is_known() {
        let (stop, n) = check(&Method::standard(), |_, z| 1e-3 * (1.0 + 0.3 * z.abs()));
        assert_eq!(stop, Stop::StableNoisy);
        assert!(n < 1000, "{n}");
    }

    #[test]
    fn a_drifting_series_is_not_taken_for_precise() {
        let drift = |idx: u64, _: f64| 1e-3 * (1.0 + idx as f64 / 500.0);
        let (stop, _) = check(&Method::standard(), drift);
        assert_ne!(stop, Stop::Precise);
    }

    #[test]
    fn limits_hold() {
        let method = Method { min_samples: 1000, max_time_s: 2.0, ..Method::standard() };
        let bursts = |idx: u64, _: f64| if idx.is_multiple_of(97) { 1.0 } else { 1e-4 };
        assert_eq!(check(&method, bursts).0, Stop::TimeLimit);
        let method = Method { precision: 0.0, min_time_s: 1e9, ..Method::standard() };
        assert_eq!(check(&method, |_, _| 1e-6), (Stop::SampleLimit, 10_000));
    }
}
