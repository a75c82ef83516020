//! When a device is steady: the medians of the last windows agree.

use super::stats::median;

/// Windows whose medians must agree.
const WINDOWS: usize = 4;

/// How far they may lie apart, relative to the smallest.
const AGREEMENT: f64 = 0.01;

/// The settling phase so far.
#[derive(Debug)]
pub struct Settling {
    window_s: f64,
    limit_s: f64,
    elapsed_s: f64,
    window: Vec<f64>,
    window_elapsed_s: f64,
    medians: Vec<f64>,
}

impl Settling {
    /// A phase of windows of `window_s` that lasts `limit_s` at most.
    pub fn new(window_s: f64, limit_s: f64) -> Self {
        let (window, medians) = (Vec::new(), Vec::new());
        Settling { window_s, limit_s, elapsed_s: 0.0, window, window_elapsed_s: 0.0, medians }
    }

    /// Adds samples that took `elapsed_s` of wall-clock time together.
    pub fn add(&mut self, seconds: &[f64], elapsed_s: f64) {
        self.window.extend(seconds);
        self.window_elapsed_s += elapsed_s;
        self.elapsed_s += elapsed_s;
        if self.window_elapsed_s >= self.window_s {
            self.medians.extend(median(&self.window));
            self.window.clear();
            self.window_elapsed_s = 0.0;
        }
    }

    /// Whether the device is steady, or the time for it is over.
    pub fn is_over(&self) -> bool {
        self.elapsed_s >= self.limit_s || self.is_steady()
    }

    fn is_steady(&self) -> bool {
        let Some(from) = self.medians.len().checked_sub(WINDOWS) else { return false };
        let last = &self.medians[from..];
        let low = last.iter().copied().fold(f64::INFINITY, f64::min);
        let high = last.iter().copied().fold(0.0, f64::max);
        high - low <= AGREEMENT * low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settles a series of 10 ms samples; gives how many it took.
    fn check(limit_s: f64, sample: impl Fn(usize) -> f64) -> usize {
        let mut settling = Settling::new(0.25, limit_s);
        for n in 0.. {
            if settling.is_over() {
                return n;
            }
            settling.add(&[sample(n)], 0.01);
        }
        unreachable!("the limit ends it")
    }

    #[test]
    fn a_flat_series_takes_four_windows() {
        assert_eq!(check(3.0, |_| 0.01), 100);
    }

    #[test]
    fn a_clock_that_rises_is_waited_for() {
        let n = check(3.0, |n| if n < 60 { 0.02 - n as f64 * 1e-4 } else { 0.01 });
        assert!((150..=200).contains(&n), "{n}");
    }

    #[test]
    fn a_series_that_never_settles_is_cut_off() {
        let n = check(3.0, |n| 0.01 * 1.05f64.powi(n as i32 / 25));
        assert!((300..=301).contains(&n), "{n}");
    }
}
