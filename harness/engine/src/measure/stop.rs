//! When has a round enough samples, and how many should be taken next?
//!
//! A pure state machine: it is fed with samples and with the time that has passed, and has no
//! clock and no device. Its rules look at the samples only when a batch is complete, and batches
//! grow with what there is, so that 10 000 samples cost some twenty sorts.

use super::stats;
use std::collections::VecDeque;
use tilemark_core::method::Method;
use tilemark_core::record::Stop;

/// The interval of the median that must be narrow.
const LEVEL: f64 = 0.95;

/// How many noise estimates must agree before a noisy series counts as stable.
const NOISE_MIN: usize = 64;

/// How many are remembered.
const NOISE_MAX: usize = 512;

/// How far they may deviate from the last one, relative to it.
const NOISE_DEVIATION: f64 = 0.05;

/// From this lag-1 autocorrelation on, a series drifts or wanders: its noise estimates agree with
/// each other only because they share most of their samples, so it is not called stable.
const WANDERING: f64 = 0.5;

/// Samples of one batch at most: a batch is queued at once.
const BATCH_MAX: f64 = 512.0;

/// Wall time of one batch, about, at most: the device's state is read between batches.
const BATCH_S: f64 = 0.25;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Take so many samples.
    Take(u32),
    /// Take none.
    Stop(Stop),
}

/// The sampling phase of one round.
#[derive(Debug)]
pub struct Sampling {
    method: Method,
    /// Samples that count, in order.
    counted: Vec<f64>,
    /// All samples.
    taken: u32,
    kernel_s: f64,
    noise: Noise,
}

impl Sampling {
    /// A phase without samples.
    pub fn new(method: &Method) -> Self {
        Sampling {
            method: method.clone(),
            counted: Vec::new(),
            taken: 0,
            kernel_s: 0.0,
            noise: Noise::default(),
        }
    }

    /// Takes one sample in: the mean duration of its `launches`, and whether it counts.
    pub fn add(&mut self, seconds: f64, launches: u32, counts: bool) {
        self.taken += 1;
        self.kernel_s += seconds * f64::from(launches);
        if counts {
            self.counted.push(seconds);
            self.noise.add(seconds);
        }
    }

    /// What to do after `elapsed_s` of wall time in this phase.
    pub fn next(&self, elapsed_s: f64) -> Next {
        if self.taken == 0 {
            // One sample tells how long the others will take.
            return Next::Take(1);
        }
        match self.reason(elapsed_s) {
            Some(stop) => Next::Stop(stop),
            None => Next::Take(self.batch(elapsed_s)),
        }
    }

    fn reason(&self, elapsed_s: f64) -> Option<Stop> {
        let enough = self.counted.len() >= self.method.min_samples as usize
            && self.kernel_s >= self.method.min_time_s;
        if enough && let Some(stop) = self.verdict() {
            Some(stop)
        } else if elapsed_s >= self.method.max_time_s {
            Some(Stop::TimeLimit)
        } else if self.taken >= self.method.max_samples {
            Some(Stop::SampleLimit)
        } else {
            None
        }
    }

    /// Whether the median is known, or its noise is and nothing but noise is left.
    fn verdict(&self) -> Option<Stop> {
        let autocorrelation = stats::rank_autocorrelation(&self.counted);
        if self.is_precise(stats::widening(autocorrelation)) {
            Some(Stop::Precise)
        } else if autocorrelation < WANDERING && self.noise.is_stable() {
            Some(Stop::StableNoisy)
        } else {
            None
        }
    }

    fn is_precise(&self, widening: f64) -> bool {
        let sorted = stats::sorted(self.counted.iter().copied());
        let interval = stats::median_interval(&sorted, LEVEL, widening);
        let (Some(interval), Some(median)) = (interval, stats::quantile(&sorted, 0.5)) else {
            return false;
        };
        let half_width = (interval.high - median).max(median - interval.low);
        interval.coverage >= LEVEL && half_width <= self.method.precision * median
    }

    /// What is missing to the least samples and the least time, or else a quarter more; within
    /// the limits on samples and time.
    fn batch(&self, elapsed_s: f64) -> u32 {
        let taken = f64::from(self.taken);
        let (kernel_each_s, wall_each_s) = (self.kernel_s / taken, elapsed_s / taken);
        let missing = f64::from(self.method.min_samples) - self.counted.len() as f64;
        let missing_time = (self.method.min_time_s - self.kernel_s) / kernel_each_s;
        let missing = missing.max(missing_time.ceil());
        let wanted = if missing > 0.0 { missing } else { taken / 4.0 };
        let time_left_s = (self.method.max_time_s - elapsed_s).min(BATCH_S);
        let fits = (time_left_s / wall_each_s).ceil();
        let samples = wanted.min(fits).clamp(1.0, BATCH_MAX) as u32;
        samples.min(self.method.max_samples - self.taken)
    }
}

/// Estimates of the relative standard deviation, one after each sample; nvbench's rule.
#[derive(Debug, Default)]
struct Noise {
    n: f64,
    mean: f64,
    squares: f64,
    estimates: VecDeque<f64>,
}

impl Noise {
    /// Welford's update.
    fn add(&mut self, seconds: f64) {
        self.n += 1.0;
        let before = seconds - self.mean;
        self.mean += before / self.n;
        self.squares += before * (seconds - self.mean);
        if self.n < 2.0 {
            return;
        }
        if self.estimates.len() == NOISE_MAX {
            self.estimates.pop_front();
        }
        self.estimates.push_back((self.squares / (self.n - 1.0)).sqrt() / self.mean);
    }

    fn is_stable(&self) -> bool {
        let n = self.estimates.len();
        let Some(last) = self.estimates.back() else { return false };
        let squares: f64 = self.estimates.iter().map(|e| (e - last).powi(2)).sum();
        n >= NOISE_MIN && (squares / n as f64).sqrt() < NOISE_DEVIATION * last
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::Noise as Random;
    use super::*;

    struct Ending {
        stop: Stop,
        samples: usize,
        batches: usize,
        elapsed_s: f64,
    }

    /// Feeds a phase until it stops; a launch costs a fifth more wall time than kernel time.
    fn play(method: &Method, mut series: impl FnMut(usize) -> f64) -> Ending {
        let mut sampling = Sampling::new(method);
        let (mut samples, mut batches, mut elapsed_s) = (0, 0, 0.0);
        loop {
            match sampling.next(elapsed_s) {
                Next::Stop(stop) => return Ending { stop, samples, batches, elapsed_s },
                Next::Take(more) => {
                    batches += 1;
                    for _ in 0..more {
                        let seconds = series(samples);
                        sampling.add(seconds, 1, true);
                        samples += 1;
                        elapsed_s += 1.2 * seconds;
                    }
                }
            }
        }
    }

    #[test]
    fn a_quiet_series_stops_at_the_least_time() {
        let mut noise = Random::new(1);
        let ending = play(&Method::standard(), |_| 1e-3 * (1.0 + 0.001 * noise.normal()));
        assert_eq!(ending.stop, Stop::Precise);
        assert!((500..520).contains(&ending.samples), "{}", ending.samples);
        assert!(ending.batches < 10, "{}", ending.batches);
    }

    #[test]
    fn a_long_kernel_needs_the_least_samples() {
        let ending = play(&Method::standard(), |_| 0.1);
        assert_eq!((ending.stop, ending.samples), (Stop::Precise, 20));
    }

    #[test]
    fn a_noisy_series_is_precise_when_its_median_is() {
        // σ = 3 %: 1.96 · 1.2533 · 3 % / √n ≤ 0.5 % from n ≈ 217; the least time is passed at 50.
        let mut noise = Random::new(2);
        let ending = play(&Method::standard(), |_| 1e-2 * (1.0 + 0.03 * noise.normal()));
        assert_eq!(ending.stop, Stop::Precise);
        assert!((100..450).contains(&ending.samples), "{}", ending.samples);
    }

    #[test]
    fn a_dependent_series_takes_longer_than_an_independent_one() {
        let samples = |rho: f64| {
            let (mut noise, mut state) = (Random::new(3), 0.0);
            let ending = play(&Method::standard(), |_| {
                state = rho * state + (1.0 - rho * rho).sqrt() * noise.normal();
                1e-3 * (1.0 + 0.02 * state)
            });
            ending.samples
        };
        assert!(samples(0.9) > 2 * samples(0.0), "{} {}", samples(0.9), samples(0.0));
    }

    #[test]
    fn a_bimodal_series_is_stable_but_noisy() {
        let mut noise = Random::new(4);
        let ending = play(&Method::standard(), |_| if noise.chance(0.5) { 1e-3 } else { 1.3e-3 });
        assert_eq!(ending.stop, Stop::StableNoisy);
        assert!(ending.samples < 1000, "{}", ending.samples);
    }

    #[test]
    fn a_drifting_series_is_neither() {
        let ending = play(&Method::standard(), |i| 1e-3 * (1.0 + 0.0005 * i as f64));
        assert!(matches!(ending.stop, Stop::TimeLimit | Stop::SampleLimit), "{:?}", ending.stop);
    }

    #[test]
    fn the_time_limit_holds_even_before_the_least_samples() {
        let ending = play(&Method::standard(), |_| 4.0);
        assert_eq!((ending.stop, ending.samples), (Stop::TimeLimit, 4));
        let ending = play(&Method::quick(), |_| 1e-5);
        assert!(ending.elapsed_s < 0.11, "{}", ending.elapsed_s);
    }

    #[test]
    fn the_sample_limit_holds_exactly() {
        let ending = play(&Method::standard(), |_| 1e-6);
        assert_eq!((ending.stop, ending.samples), (Stop::SampleLimit, 10_000));
        assert!(ending.batches < 60, "{}", ending.batches);
    }

    #[test]
    fn samples_that_do_not_count_use_up_the_limits_only() {
        let method = Method { max_samples: 100, ..Method::standard() };
        let mut sampling = Sampling::new(&method);
        for _ in 0..100 {
            sampling.add(0.01, 1, false);
        }
        assert_eq!(sampling.next(1.0), Next::Stop(Stop::SampleLimit));
    }
}
