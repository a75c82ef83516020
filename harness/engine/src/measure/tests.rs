//! Rounds on a scripted device whose launches move a scripted clock.

use super::*;
use std::{cell::Cell, rc::Rc};
use tilemark_core::device::{Buffer, Info, Program, Telemetry};
use tilemark_core::{Bytes, Seconds};

struct Scripted<F> {
    /// Launch number and time of day → one sample.
    launch: F,
    launches: u64,
    now_s: Rc<Cell<f64>>,
    /// When the throttle bits change.
    throttles_at_s: f64,
    batches: Vec<(u32, u32)>,
}

impl<F: FnMut(u64, f64) -> Sample> Device for Scripted<F> {
    fn info(&self) -> &Info {
        unreachable!("a round needs no info")
    }

    fn allocate(&mut self, _: Bytes) -> Result<Buffer, Fault> {
        unreachable!("a round allocates nothing")
    }

    fn release(&mut self, _: Buffer) {}

    fn upload(&mut self, _: Buffer, _: Bytes, _: &[u8]) -> Result<(), Fault> {
        unreachable!("a round writes nothing")
    }

    fn download(&mut self, _: Buffer, _: Bytes, _: &mut [u8]) -> Result<(), Fault> {
        unreachable!("a round reads nothing")
    }

    fn fill(&mut self, _: Buffer, _: u8) -> Result<(), Fault> {
        unreachable!("a round fills nothing")
    }

    fn prepare(&mut self, _: &Program<'_>) -> Result<Prepared, Fault> {
        unreachable!("a round prepares nothing")
    }

    fn run(&mut self, _: Prepared) -> Result<(), Fault> {
        unreachable!("a round runs only what it times")
    }

    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault> {
        self.batches.push((batch.samples, batch.launches));
        let sample = |_| {
            let sample = (self.launch)(self.launches, self.now_s.get());
            self.launches += u64::from(batch.launches);
            let lasted_s = sample.seconds * f64::from(batch.launches);
            self.now_s.set(self.now_s.get() + lasted_s);
            sample
        };
        Ok((0..batch.samples).map(sample).collect())
    }

    fn telemetry(&mut self) -> Telemetry {
        let throttled = self.now_s.get() >= self.throttles_at_s;
        let throttle = if throttled { vec!["power".into()] } else { Vec::new() };
        Telemetry { throttle, ..Telemetry::default() }
    }
}

struct ScriptedClock(Rc<Cell<f64>>);

impl Clock for ScriptedClock {
    fn now(&self) -> f64 {
        self.0.get()
    }
}

fn device<F: FnMut(u64, f64) -> Sample>(launch: F) -> Scripted<F> {
    let now_s = Rc::new(Cell::new(0.0));
    Scripted { launch, launches: 0, now_s, throttles_at_s: f64::INFINITY, batches: Vec::new() }
}

fn measure<F: FnMut(u64, f64) -> Sample>(
    device: &mut Scripted<F>,
    method: &Method,
    index: u32,
) -> Result<Round, Fault> {
    let clock = ScriptedClock(device.now_s.clone());
    round(device, &[Prepared(0)], method, &clock, index, 2)
}

fn at(seconds: f64) -> Sample {
    Sample { seconds, clock_hz: None, discarded: None }
}

#[test]
fn a_steady_device_gives_a_precise_round() {
    let mut device = device(|_, _| at(1e-3));
    let round = measure(&mut device, &Method::standard(), 0).unwrap();
    assert_eq!((round.index, round.order, round.stop), (0, 2, Stop::Precise));
    assert!((1.0..1.1).contains(&round.settle_s), "{}", round.settle_s);
    assert_eq!(round.samples.seconds.len(), 500);
    assert!(round.samples.clock_hz.is_empty());
    assert!(device.batches.iter().all(|(_, launches)| *launches == 1), "cold is unbatched");
}

#[test]
fn a_later_round_settles_shortly_and_a_burst_not_at_all() {
    let round = measure(&mut device(|_, _| at(1e-3)), &Method::standard(), 3).unwrap();
    assert!((0.25..0.35).contains(&round.settle_s), "{}", round.settle_s);
    let burst = Method { regime: Regime::Burst, ..Method::standard() };
    let round = measure(&mut device(|_, _| at(1e-3)), &burst, 0).unwrap();
    assert_eq!(round.settle_s, 0.0);
}

#[test]
fn hot_samples_are_batched_until_they_last() {
    let method = Method { cache: Cache::Hot, ..Method::standard() };
    // The very first launch is slow, and must not decide the batch.
    let mut device = device(|launch, _| at(if launch == 0 { 1e-2 } else { 1e-6 }));
    let round = measure(&mut device, &method, 0).unwrap();
    let (_, launches) = *device.batches.last().unwrap();
    assert!((200..=230).contains(&launches), "{launches}");
    assert!(round.samples.seconds.iter().all(|s| *s == 1e-6), "a sample is per launch");
    assert_eq!(round.stop, Stop::Precise);
}

#[test]
fn samples_under_three_quarters_of_the_clock_are_kept_and_marked() {
    let mut device = device(|launch, _| {
        let slow = launch % 10 == 7;
        let clock_hz = Some(if slow { 1.0e9 } else { 1.5e9 });
        Sample { seconds: if slow { 1.5e-3 } else { 1e-3 }, clock_hz, discarded: None }
    });
    let round = measure(&mut device, &Method::standard(), 0).unwrap();
    let samples = &round.samples;
    assert_eq!(samples.clock_hz.len(), samples.seconds.len());
    assert_eq!(samples.discarded.len(), samples.seconds.iter().filter(|s| **s > 1e-3).count());
    assert!(samples.discarded.iter().all(|(_, why)| *why == Discard::LowClock));
    assert!(samples.counted().all(|s| s == 1e-3));
}

#[test]
fn samples_across_a_throttle_change_are_kept_and_marked() {
    let mut device = device(|_, _| at(1e-3));
    device.throttles_at_s = 1.1;
    let round = measure(&mut device, &Method::standard(), 0).unwrap();
    let discarded = &round.samples.discarded;
    assert!(!discarded.is_empty() && discarded.len() < round.samples.seconds.len());
    assert!(discarded.iter().all(|(_, why)| *why == Discard::Throttled));
    let last = round.samples.seconds.len() as u32 - 1;
    assert!(discarded.iter().all(|(idx, _)| *idx != last), "one batch only");
}

#[test]
fn a_power_cap_that_comes_and_goes_discards_nothing() {
    let reasons = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert!(!changed(&reasons(&[]), &reasons(&[POWER_CAP])));
    assert!(!changed(&reasons(&["hw_thermal"]), &reasons(&[POWER_CAP, "hw_thermal"])));
    assert!(changed(&reasons(&[POWER_CAP]), &reasons(&[POWER_CAP, "hw_thermal"])));
}

#[test]
fn a_time_that_cannot_be_is_a_fault_of_the_harness() {
    for seconds in [0.0, -1e-6, f64::NAN, f64::INFINITY] {
        let fault = measure(&mut device(|_, _| at(seconds)), &Method::standard(), 0).unwrap_err();
        assert!(matches!(fault, Fault::Infra { .. }), "{fault}");
    }
}

#[test]
fn the_host_clock_moves_forward() {
    let clock = HostClock::new();
    let (first, second) = (Seconds(clock.now()), Seconds(clock.now()));
    assert!(first <= second);
}
