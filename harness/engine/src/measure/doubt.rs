//! Reasons not to believe a timing: most samples taken in a bad state, or faster than can be.
//!
//! It judges complete timings and gives the reason in words; it takes no sample and stores nothing.

use super::rounds;
use tilemark_core::device::{Discard, Info};
use tilemark_core::method::{Cache, Method};
use tilemark_core::record::{Ceilings, Timing, WorkDone};
use tilemark_core::units::{ByteRate, FlopRate};
use tilemark_core::{Bytes, Dtype, Seconds};

/// A result may pass the measured ceiling by this factor, since the ceiling has noise too.
const ALLOWANCE: f64 = 1.05;

/// On a host a copy that allocates the lines it writes moves three bytes for two that it counts,
/// so that work that mostly reads can pass its rate by half.
const WRITE_ALLOCATE: f64 = 1.5;

/// Why a timing does not count at all: more than half of its samples were discarded.
pub fn unusable(timing: &Timing) -> Option<String> {
    let samples: usize = timing.rounds.iter().map(|r| r.samples.seconds.len()).sum();
    let reasons = || timing.rounds.iter().flat_map(|r| &r.samples.discarded).map(|(_, why)| *why);
    let low = reasons().filter(|why| *why == Discard::LowClock).count();
    let throttled = reasons().filter(|why| *why == Discard::Throttled).count();
    (2 * (low + throttled) > samples).then(|| {
        format!(
            "of {samples} samples, {low} were taken under 75 % of the expected clock and \
             {throttled} while the throttle reasons changed"
        )
    })
}

/// Why a timing cannot be: it passes a measured ceiling of the device by more than 5 %.
///
/// The ceiling of the memory holds only where data must come from memory: the cache is cold, and
/// what the cache can keep of the output when the kernel ends is taken off the bytes.
pub fn implausible(
    timing: &Timing,
    work: &WorkDone,
    ceilings: &Ceilings,
    dtype: Dtype,
    device: &Info,
    method: &Method,
) -> Option<String> {
    let time = Seconds(rounds::typical(timing)?);
    let flops = ceilings.flops_per_second.iter().find(|(name, _)| name == dtype.name());
    let reached = work.executed.per(time);
    if let Some((name, ceiling)) = flops
        && reached.0 > ALLOWANCE * ceiling
    {
        let ceiling = FlopRate(*ceiling);
        return Some(format!("{reached} is above the measured ceiling of {name}, {ceiling}"));
    }
    let kept = device.last_level_cache.0;
    let moved = Bytes(work.least_bytes.0.saturating_sub(kept)).per(time);
    let host = if device.vendor.runs_host_code() { WRITE_ALLOCATE } else { 1.0 };
    let ceiling = ByteRate(host * ceilings.copy_bytes_per_second);
    (method.cache == Cache::Cold && moved.0 > ALLOWANCE * ceiling.0)
        .then(|| format!("{moved} from memory is above the measured ceiling, {ceiling}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilemark_core::Flops;
    use tilemark_core::device::{Telemetry, Vendor};
    use tilemark_core::record::{Round, Samples, Stop};

    fn timing(seconds: f64, discarded: u32) -> Timing {
        let round = |index| Round {
            index,
            order: 0,
            settle_s: 0.0,
            stop: Stop::Precise,
            samples: Samples {
                seconds: vec![seconds; 10],
                clock_hz: Vec::new(),
                discarded: (0..discarded).map(|idx| (idx, Discard::LowClock)).collect(),
            },
            telemetry: Telemetry::default(),
        };
        Timing { rounds: (0..3).map(round).collect() }
    }

    #[test]
    fn more_than_half_discarded_is_unusable() {
        assert_eq!(unusable(&timing(1.0, 5)), None);
        let reason = unusable(&timing(1.0, 6)).unwrap();
        assert!(reason.starts_with("of 30 samples, 18 were taken under 75 %"), "{reason}");
    }

    /// 10⁹ operations on 10⁹ bytes; ceilings of 10¹² operations and 10¹¹ bytes per second.
    fn judge(seconds: f64, vendor: Vendor, cache: Cache, cache_bytes: u64) -> Option<String> {
        let work = WorkDone {
            convention: Flops(2_000_000_000),
            convention_name: "twice".into(),
            executed: Flops(1_000_000_000),
            least_bytes: Bytes(1_000_000_000),
        };
        let device = Info {
            name: "null".into(),
            vendor,
            model: "none".into(),
            arch: "none".into(),
            uuid: None,
            memory: Bytes(1 << 40),
            last_level_cache: Bytes(cache_bytes),
            units: 1,
            driver: None,
            runtime: None,
            traits: Vec::new(),
        };
        let ceilings = Ceilings {
            copy_bytes_per_second: 1e11,
            flops_per_second: vec![("f32".into(), 1e12)],
            how: "stated".into(),
        };
        let method = Method { cache, ..Method::standard() };
        implausible(&timing(seconds, 0), &work, &ceilings, Dtype::F32, &device, &method)
    }

    #[test]
    fn a_result_within_the_ceilings_is_plausible() {
        assert_eq!(judge(0.0101, Vendor::Nvidia, Cache::Cold, 1 << 20), None);
        assert_eq!(judge(0.0097, Vendor::Nvidia, Cache::Cold, 1 << 20), None, "the allowance");
    }

    #[test]
    fn more_bytes_than_the_memory_gives_is_implausible() {
        let reason = judge(0.009, Vendor::Nvidia, Cache::Cold, 1 << 20).unwrap();
        assert_eq!(reason, "111 GB/s from memory is above the measured ceiling, 100 GB/s");
        assert!(judge(0.006, Vendor::Cpu, Cache::Cold, 1 << 20).is_some());
    }

    #[test]
    fn what_a_cache_can_hold_need_not_come_from_memory() {
        assert_eq!(judge(0.002, Vendor::Nvidia, Cache::Hot, 1 << 20), None);
        assert_eq!(judge(0.002, Vendor::Nvidia, Cache::Cold, 900_000_000), None);
        assert_eq!(judge(0.007, Vendor::Cpu, Cache::Cold, 1 << 20), None, "mostly reads");
    }

    #[test]
    fn more_operations_than_the_device_does_is_implausible() {
        let reason = judge(0.0009, Vendor::Nvidia, Cache::Hot, 1 << 20).unwrap();
        assert_eq!(reason, "1.11 TFLOP/s is above the measured ceiling of f32, 1.00 TFLOP/s");
    }
}
