//! One round of a measurement: settle the device, take samples until they suffice, read telemetry.
//!
//! It knows a device only by its trait and a kernel not at all. Wall clocks are read here and
//! nowhere else in the engine; the rules that decide are pure and stand in the modules below.

pub mod settle;
pub mod stop;

pub mod rounds;

pub mod doubt;
pub mod stats;
#[cfg(test)]
pub(crate) mod synthetic;

pub use doubt::{implausible, unusable};

use settle::Settling;
use std::time::Instant;
use stop::{Next, Sampling};
use tilemark_core::device::{Batch, Device, Discard, Fault, Prepared, Sample};
use tilemark_core::method::{Cache, Launching, Method, Regime};
use tilemark_core::record::{Round, Samples, Stop};

/// A sample taken under this share of the expected clock does not count.
const LOW_CLOCK: f64 = 0.75;

/// The name of the power cap among the reasons to slow down.
pub const POWER_CAP: &str = "power_cap";

/// Most launches of one hot sample.
const LAUNCHES_MAX: u32 = 1 << 20;

/// The host's clock, as an argument, so that tests can script it.
pub trait Clock {
    /// Seconds since a moment that does not change.
    fn now(&self) -> f64;
}

/// The monotonic clock.
#[derive(Debug)]
pub struct HostClock(Instant);

impl HostClock {
    /// A clock that starts at zero.
    pub fn new() -> Self {
        HostClock(Instant::now())
    }
}

impl Default for HostClock {
    fn default() -> Self {
        HostClock::new()
    }
}

impl Clock for HostClock {
    fn now(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Takes one round of samples of the same work on several sets of inputs.
///
/// `index` is the round's number and `order` the implementation's place in it. The first round
/// settles until time is flat; a later one settles for a single window, since the same worker has
/// been here before and the other implementations kept the device at work in between.
pub fn round(
    device: &mut dyn Device,
    sets: &[Prepared],
    method: &Method,
    clock: &dyn Clock,
    index: u32,
    order: u32,
) -> Result<Round, Fault> {
    let mut bench = Bench { clock, device, sets, method, launches: 1, spent_s: 0.0 };
    bench.calibrate()?;
    let settling = match (method.regime, index) {
        (Regime::Burst, _) => None,
        (Regime::Settled, 0) => Some(Settling::first(method)),
        (Regime::Settled, _) => Some(Settling::later(method)),
    };
    let (settle_s, clocks) = settling.map_or(Ok((0.0, Vec::new())), |s| bench.settle(s))?;
    // Again, since a steady device can be faster than a cool one.
    bench.calibrate()?;
    let (samples, stop) = bench.sample(clocks)?;
    let telemetry = bench.device.telemetry();
    Ok(Round { index, order, settle_s, stop, samples: by_column(&samples), telemetry })
}

/// What the phases of a round share.
struct Bench<'a> {
    clock: &'a dyn Clock,
    device: &'a mut dyn Device,
    sets: &'a [Prepared],
    method: &'a Method,
    /// Launches of one sample.
    launches: u32,
    /// Time of all batches. A scripted device's passes on no wall, so that the time it tells
    /// counts where that is more.
    spent_s: f64,
}

impl Bench<'_> {
    /// Finds how many launches make a hot sample last long enough. A cold sample is one launch,
    /// since the cache is flushed before each.
    fn calibrate(&mut self) -> Result<(), Fault> {
        if self.method.cache == Cache::Cold {
            return Ok(());
        }
        loop {
            let probe = self.time(3)?;
            // The fastest of three: a first launch pays for pages and tables that are not there.
            let each_s = probe.iter().map(|s| s.seconds).fold(f64::INFINITY, f64::min);
            let wanted = (self.method.min_sample_s / each_s).ceil().min(f64::from(LAUNCHES_MAX));
            if wanted as u32 <= self.launches {
                return Ok(());
            }
            // A tenth more, so that the next probe ends the search although it is a bit faster.
            self.launches = ((wanted * 1.1) as u32).min(LAUNCHES_MAX);
        }
    }

    /// Runs until the device is steady: how long that took, and the clocks of the last batch.
    fn settle(&mut self, mut settling: Settling) -> Result<(f64, Vec<f64>), Fault> {
        let start_s = self.spent_s;
        let mut clocks = Vec::new();
        while let Some(samples) = settling.next() {
            let batch = self.time(samples)?;
            clocks = batch.iter().filter_map(|s| s.clock_hz).collect();
            settling.add(batch.iter().map(|s| s.seconds), self.spent_s - start_s);
        }
        Ok((self.spent_s - start_s, clocks))
    }

    /// Takes samples until they suffice, and marks those that do not count. `clocks` are those
    /// seen so far.
    fn sample(&mut self, mut clocks: Vec<f64>) -> Result<(Vec<Sample>, Stop), Fault> {
        let start_s = self.spent_s;
        let mut sampling = Sampling::new(self.method);
        let mut samples = Vec::new();
        let mut throttle = self.device.telemetry().throttle;
        loop {
            let take = match sampling.next(self.spent_s - start_s) {
                Next::Stop(stop) => return Ok((samples, stop)),
                Next::Take(take) => take,
            };
            let mut batch = self.time(take)?;
            let throttle_after = self.device.telemetry().throttle;
            clocks.extend(batch.iter().filter_map(|s| s.clock_hz));
            mark(&mut batch, expected_clock(&clocks), changed(&throttle, &throttle_after));
            throttle = throttle_after;
            for sample in &batch {
                sampling.add(sample.seconds, self.launches, sample.discarded.is_none());
            }
            samples.extend(batch);
        }
    }

    /// Times a batch, and refuses times that cannot be.
    fn time(&mut self, samples: u32) -> Result<Vec<Sample>, Fault> {
        let cold = self.method.cache == Cache::Cold;
        let graph = self.method.launching == Launching::Graph;
        let batch = Batch { sets: self.sets, cold, samples, launches: self.launches, graph };
        let start_s = self.clock.now();
        let taken = self.device.time(&batch)?;
        let told_s = taken.iter().map(|s| s.seconds).sum::<f64>() * f64::from(self.launches);
        self.spent_s += (self.clock.now() - start_s).max(told_s);
        let wrong = taken.iter().find(|s| !(s.seconds.is_finite() && s.seconds > 0.0));
        let message = match wrong {
            Some(sample) => format!("the device timed a launch at {} s", sample.seconds),
            None if taken.len() != samples as usize => {
                format!("the device was asked for {samples} samples and took {}", taken.len())
            }
            None => return Ok(taken),
        };
        Err(Fault::Infra { message })
    }
}

/// The clock at which the device can run this work: the median of the highest quarter of those
/// seen, so that neither one wrong reading nor a long fall moves it.
fn expected_clock(clocks: &[f64]) -> Option<f64> {
    stats::quantile(&stats::sorted(clocks.iter().copied()), 0.875)
}

/// Whether the reasons to slow down changed, other than by the power cap: a kernel that draws all
/// the power a device may have meets the cap many times a second, which is how it runs for its
/// users too.
fn changed(before: &[String], after: &[String]) -> bool {
    let lasting = |reasons: &[String]| -> Vec<String> {
        reasons.iter().filter(|reason| *reason != POWER_CAP).cloned().collect()
    };
    lasting(before) != lasting(after)
}

/// Marks the samples of a batch that do not count.
fn mark(batch: &mut [Sample], expected_hz: Option<f64>, throttle_changed: bool) {
    for sample in batch.iter_mut().filter(|s| s.discarded.is_none()) {
        let low = expected_hz.zip(sample.clock_hz).is_some_and(|(e, hz)| hz < LOW_CLOCK * e);
        sample.discarded = if throttle_changed {
            Some(Discard::Throttled)
        } else {
            low.then_some(Discard::LowClock)
        };
    }
}

fn by_column(samples: &[Sample]) -> Samples {
    let discarded = samples.iter().zip(0..).filter_map(|(s, idx)| Some((idx, s.discarded?)));
    Samples {
        seconds: samples.iter().map(|s| s.seconds).collect(),
        // A column of clocks is whole or absent.
        clock_hz: samples.iter().map(|s| s.clock_hz).collect::<Option<_>>().unwrap_or_default(),
        discarded: discarded.collect(),
    }
}

#[cfg(test)]
mod tests;
