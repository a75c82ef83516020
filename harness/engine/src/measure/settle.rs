//! When is a device steady? Windows of samples, and a rule that looks at their medians.
//!
//! A pure state machine: it is fed with samples and with the time that has passed, and has no
//! clock and no device.

use super::stats;
use tilemark_core::method::Method;

/// How many windows must agree.
const WINDOWS: usize = 4;

/// How far apart their medians may be, relative to the smallest.
const FLAT: f64 = 0.01;

/// Samples of one batch at most: a batch is queued at once.
const BATCH_MAX: f64 = 1024.0;

/// The settling phase of one round.
#[derive(Debug)]
pub struct Settling {
    window_s: f64,
    max_s: f64,
    /// Whether flat windows are asked for, rather than one window of any shape.
    until_flat: bool,
    /// Medians of the windows that are full.
    medians: Vec<f64>,
    /// Samples of the window that is not.
    window: Vec<f64>,
    window_start_s: f64,
    elapsed_s: f64,
    taken: u64,
}

impl Settling {
    /// The settling phase of a worker's first round: until time is flat.
    pub fn first(method: &Method) -> Self {
        Settling {
            window_s: method.settle_window_s,
            max_s: method.settle_max_s,
            until_flat: true,
            medians: Vec::new(),
            window: Vec::new(),
            window_start_s: 0.0,
            elapsed_s: 0.0,
            taken: 0,
        }
    }

    /// The settling phase of a later round: one window. The device has been at work since, in the
    /// other implementations' turns, so only clocks and caches have to come back to this one.
    pub fn later(method: &Method) -> Self {
        Settling { until_flat: false, ..Settling::first(method) }
    }

    /// Takes a batch's samples in; `elapsed_s` is the wall time since the phase began.
    pub fn add(&mut self, seconds: impl IntoIterator<Item = f64>, elapsed_s: f64) {
        let before = self.window.len();
        self.window.extend(seconds);
        self.taken += (self.window.len() - before) as u64;
        self.elapsed_s = elapsed_s;
        if elapsed_s - self.window_start_s >= self.window_s {
            self.medians.extend(stats::median(&self.window));
            self.window.clear();
            self.window_start_s = elapsed_s;
        }
    }

    /// How many samples to take next, or none if the phase is over.
    pub fn next(&self) -> Option<u32> {
        let enough = if self.until_flat { self.is_flat() } else { !self.medians.is_empty() };
        if enough || self.elapsed_s >= self.max_s {
            return None;
        }
        if self.taken == 0 {
            return Some(1);
        }
        // Four batches a window; one sample that lasts longer is a window of its own.
        let each_s = self.elapsed_s / self.taken as f64;
        Some((self.window_s / 4.0 / each_s).ceil().clamp(1.0, BATCH_MAX) as u32)
    }

    /// Whether the last windows agree.
    pub fn is_flat(&self) -> bool {
        let Some(last) = self.medians.last_chunk::<WINDOWS>() else { return false };
        let low = last.iter().copied().fold(f64::INFINITY, f64::min);
        let high = last.iter().copied().fold(0.0, f64::max);
        high - low <= FLAT * low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a device whose launches last `launch_s(t)` at time t: (duration, flat).
    fn play(mut settling: Settling, launch_s: impl Fn(f64) -> f64) -> (f64, bool) {
        let mut now_s = 0.0;
        while let Some(samples) = settling.next() {
            let seconds: Vec<f64> = (0..samples)
                .map(|_| {
                    let s = launch_s(now_s);
                    now_s += s;
                    s
                })
                .collect();
            settling.add(seconds, now_s);
        }
        (now_s, settling.is_flat())
    }

    fn standard() -> Settling {
        Settling::first(&Method::standard())
    }

    #[test]
    fn a_steady_device_settles_in_four_windows() {
        let (duration_s, flat) = play(standard(), |_| 1e-3);
        assert!(flat);
        assert!((1.0..1.1).contains(&duration_s), "{duration_s}");
    }

    #[test]
    fn a_device_that_warms_up_settles_once_it_is_warm() {
        // The time falls by a fifth, with a time constant of 0.3 s.
        let (duration_s, flat) = play(standard(), |t| 1e-3 * (1.0 + 0.2 * (-t / 0.3f64).exp()));
        assert!(flat);
        assert!((1.5..2.6).contains(&duration_s), "{duration_s}");
    }

    #[test]
    fn a_device_that_never_settles_is_given_up_at_the_cap() {
        let (duration_s, flat) = play(standard(), |t| 1e-3 * (1.0 + 0.1 * t));
        assert!(!flat);
        assert!((3.0..3.1).contains(&duration_s), "{duration_s}");
    }

    #[test]
    fn a_sample_longer_than_a_window_is_a_window() {
        let (duration_s, flat) = play(standard(), |_| 0.4);
        assert!(flat);
        assert!((duration_s - 1.6).abs() < 1e-9, "{duration_s}");
    }

    #[test]
    fn a_later_round_takes_one_window() {
        let (duration_s, _) = play(Settling::later(&Method::standard()), |_| 1e-3);
        assert!((0.25..0.35).contains(&duration_s), "{duration_s}");
    }

    #[test]
    fn tiny_launches_are_batched() {
        let mut settling = standard();
        settling.add([1e-6], 2e-6);
        assert_eq!(settling.next(), Some(1024));
    }
}
