//! How a number is made on a device that is ready: settle, sample, stop.
//!
//! Clocks are read only here and in the devices. The protocol is the same on every device.

pub mod settle;
pub mod stats;
pub mod stop;

use settle::Settling;
use std::time::Instant;
use stop::Stopping;
use tilemark_core::device::{Batch, Discard, Prepared, Sample};
use tilemark_core::method::{Cache, Method, Regime};
use tilemark_core::record::{Ceilings, Round, Samples, Timing, WorkDone};
use tilemark_core::{Device, Dtype, Fault, Info};

/// A wall clock, so that a test can bring its own.
pub trait Clock {
    /// Seconds since some fixed moment.
    fn now(&self) -> f64;
}

/// The host's monotonic clock.
#[derive(Debug)]
pub struct HostClock(Instant);

impl HostClock {
    /// A clock that starts at 0.
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

/// A sample under this share of the round's highest clock does not count.
const LEAST_CLOCK: f64 = 0.75;

/// How far a result may pass a measured ceiling, which has an error of its own.
const CEILING_ALLOWANCE: f64 = 1.05;

/// Most launches that are batched into one sample.
const MOST_LAUNCHES: f64 = 100_000.0;

/// One turn of a case that is ready.
///
/// The first round of a case settles the device for as long as the method allows; later rounds
/// run one window of it, which brings caches and clock back after another implementation's turn.
pub fn round(
    device: &mut dyn Device,
    sets: &[Prepared],
    method: &Method,
    clock: &dyn Clock,
    index: u32,
    order: u32,
) -> Result<Round, Fault> {
    let cold = method.cache == Cache::Cold;
    let launches = if cold { 1 } else { launches_per_sample(device, sets, method)? };
    let start = clock.now();
    if method.regime == Regime::Settled {
        let limit = if index == 0 { method.settle_max_s } else { method.settle_window_s };
        settle(device, sets, method, clock, limit, launches)?;
    }
    let settle_s = clock.now() - start;
    let start = clock.now();
    let mut stopping = Stopping::new(method);
    let mut taken: Vec<Sample> = Vec::new();
    let mut throttle = device.telemetry().throttle;
    let stop = loop {
        let samples = stopping.next_batch(clock.now() - start);
        let mut batch = device.time(&Batch { sets, cold, samples, launches })?;
        let now = device.telemetry().throttle;
        if now != throttle {
            batch.iter_mut().for_each(|s| s.discarded = s.discarded.or(Some(Discard::Throttled)));
            throttle = now;
        }
        batch.iter().for_each(|sample| stopping.add(sample.seconds, launches));
        taken.extend(batch);
        if let Some(stop) = stopping.reason(clock.now() - start) {
            break stop;
        }
    };
    let telemetry = device.telemetry();
    Ok(Round { index, order, settle_s, stop, samples: columns(&taken), telemetry })
}

fn settle(
    device: &mut dyn Device,
    sets: &[Prepared],
    method: &Method,
    clock: &dyn Clock,
    limit_s: f64,
    launches: u32,
) -> Result<(), Fault> {
    let mut settling = Settling::new(method.settle_window_s, limit_s);
    let mut stopping = Stopping::new(method);
    let start = clock.now();
    let mut last = start;
    while !settling.is_over() {
        let samples = stopping.next_batch(last - start);
        let cold = method.cache == Cache::Cold;
        let batch = device.time(&Batch { sets, cold, samples, launches })?;
        let seconds: Vec<f64> = batch.iter().map(|sample| sample.seconds).collect();
        seconds.iter().for_each(|s| stopping.add(*s, launches));
        let now = clock.now();
        // A scripted device's time passes on its own clock, not on the wall.
        let counted = seconds.iter().sum::<f64>() * f64::from(launches);
        settling.add(&seconds, (now - last).max(counted));
        last = now;
    }
    Ok(())
}

/// So many launches that a sample lasts as long as the timer needs.
fn launches_per_sample(
    device: &mut dyn Device,
    sets: &[Prepared],
    method: &Method,
) -> Result<u32, Fault> {
    let probe = device.time(&Batch { sets, cold: false, samples: 3, launches: 1 })?;
    let fastest = probe.iter().map(|sample| sample.seconds).fold(f64::INFINITY, f64::min);
    Ok((method.min_sample_s / fastest).ceil().clamp(1.0, MOST_LAUNCHES) as u32)
}

/// The samples by column; those under the expected clock are marked.
fn columns(taken: &[Sample]) -> Samples {
    let clocks: Vec<f64> = taken.iter().filter_map(|sample| sample.clock_hz).collect();
    let highest = clocks.iter().copied().fold(0.0, f64::max);
    let mut samples = Samples {
        seconds: taken.iter().map(|sample| sample.seconds).collect(),
        clock_hz: if clocks.len() == taken.len() { clocks } else { Vec::new() },
        discarded: Vec::new(),
    };
    for (idx, sample) in taken.iter().enumerate() {
        let low = sample.clock_hz.is_some_and(|clock| clock < LEAST_CLOCK * highest);
        let discarded = sample.discarded.or(low.then_some(Discard::LowClock));
        samples.discarded.extend(discarded.map(|why| (idx as u32, why)));
    }
    samples
}

/// Why the times of a case cannot be used, if more than half of them do not count.
pub fn unusable(timing: &Timing) -> Option<String> {
    let total: usize = timing.rounds.iter().map(|round| round.samples.seconds.len()).sum();
    let discarded: usize = timing.rounds.iter().map(|round| round.samples.discarded.len()).sum();
    (2 * discarded > total).then(|| {
        format!("{discarded} of {total} samples were taken at a low clock or while throttling")
    })
}

/// Why the times of a case cannot be true, if they pass a measured ceiling.
///
/// The copy rate bounds only what must come from memory: cold cases larger than the last cache.
pub fn implausible(
    timing: &Timing,
    work: &WorkDone,
    ceilings: &Ceilings,
    dtype: Dtype,
    info: &Info,
    method: &Method,
) -> Option<String> {
    let medians: Vec<f64> = timing
        .rounds
        .iter()
        .filter_map(|round| stats::median(&round.samples.counted().collect::<Vec<_>>()))
        .collect();
    let seconds = stats::median(&medians)?;
    let flops = ceilings.flops_per_second.iter().find(|(name, _)| name == dtype.name());
    if let Some((_, ceiling)) = flops {
        let rate = work.executed.0 as f64 / seconds;
        if rate > CEILING_ALLOWANCE * ceiling {
            return Some(format!("{rate:.3e} FLOP/s, above the measured ceiling {ceiling:.3e}"));
        }
    }
    let from_memory = method.cache == Cache::Cold && work.least_bytes > info.last_level_cache;
    let rate = work.least_bytes.0 as f64 / seconds;
    let ceiling = ceilings.copy_bytes_per_second;
    (from_memory && rate > CEILING_ALLOWANCE * ceiling)
        .then(|| format!("{rate:.3e} B/s, above the measured copy rate {ceiling:.3e}"))
}
