//! Takes samples: the stream is held while launches queue, L2 is emptied, events stand around the
//! work, and stamps around them tell the clock.
//!
//! This is one of the places that read a clock: the device's own.

use super::runtime::{Argument, Event as _, Extent, Gate as _, Memory as _, Runtime};
use super::work::Work;
use tilemark_core::device::Sample;
use tilemark_core::{Bytes, Fault, Info};

/// How often the size of L2 is read to empty it: its replacement is not strictly in order, and
/// parts of it may hold the same line.
const SWEEP_FACTOR: u64 = 3;

/// Samples that are enqueued behind one hold.
const SAMPLES_HELD: usize = 16;

/// Operations that a stream takes before the host must wait for it. A stream that is held may
/// never be filled so far, since nobody would let it go.
const QUEUE_DEPTH: u32 = 512;

/// Stamps hold two words for each of so many multiprocessors.
const STAMP_UNITS: u32 = 256;

/// A sample's clock is told only over a window that is long beside the tick of the device's timer,
/// which is a microsecond on some devices.
const SHORTEST_CLOCK_WINDOW_NS: u64 = 50_000;

/// What samples are taken with.
pub struct Instruments<R: Runtime> {
    stamp: R::Kernel,
    sweep: R::Kernel,
    swept: R::Memory,
    sink: R::Memory,
    stamps: R::Memory,
    gate: R::Gate,
    events: Vec<R::Event>,
    units: u32,
}

/// What to time, and how.
#[derive(Clone, Copy)]
pub struct Request {
    /// Empty L2 before each launch.
    pub cold: bool,
    /// Replay captured graphs.
    pub graph: bool,
    /// Samples to take.
    pub samples: usize,
    /// Launches of one sample.
    pub launches: u32,
}

impl<R: Runtime> Instruments<R> {
    /// Loads the harness's device code and reserves what it needs.
    pub fn new(context: &R, info: &Info) -> Result<Self, Fault> {
        let compiled = context.compile(R::INSTRUMENTS, &[], info)?;
        let module = context.load(&compiled.image)?;
        let swept = context.reserve(Bytes(SWEEP_FACTOR * info.last_level_cache.0.max(1 << 20)))?;
        swept.fill(0x5a)?;
        let events = (0..2 * SAMPLES_HELD).map(|_| context.event()).collect::<Result<_, _>>()?;
        Ok(Instruments {
            stamp: context.kernel(&module, "stamp")?,
            sweep: context.kernel(&module, "sweep")?,
            swept,
            sink: context.reserve(Bytes(16))?,
            stamps: context.reserve(Bytes(SAMPLES_HELD as u64 * 2 * STAMP_BYTES))?,
            gate: context.gate()?,
            events,
            units: info.units,
        })
    }

    /// Takes samples; `works` take turns, one launch each.
    pub fn time(
        &mut self,
        context: &R,
        works: &mut [Work<R>],
        request: &Request,
    ) -> Result<Vec<Sample>, Fault> {
        context.reset_caches()?;
        let mut samples = Vec::with_capacity(request.samples);
        let mut turn = 0;
        while samples.len() < request.samples {
            let count = SAMPLES_HELD.min(request.samples - samples.len());
            self.stamps.fill(0)?;
            let held = self.queue_is_short(works, request, count);
            if held {
                context.hold(&mut self.gate)?;
            }
            // Whatever goes wrong in between, the stream is let go.
            let enqueued = self.enqueue(context, works, request, count, &mut turn);
            self.gate.open();
            enqueued?;
            context.synchronize()?;
            self.read(request, count, &mut samples)?;
        }
        works.iter_mut().try_for_each(Work::publish)?;
        context.synchronize()?;
        Ok(samples)
    }

    fn queue_is_short(&self, works: &[Work<R>], request: &Request, count: usize) -> bool {
        let each = works.iter().map(|work| work.launches()).max().unwrap_or(1);
        let sample = each.saturating_mul(request.launches).saturating_add(5);
        sample.saturating_mul(count as u32) < QUEUE_DEPTH
    }

    fn enqueue(
        &mut self,
        context: &R,
        works: &mut [Work<R>],
        request: &Request,
        count: usize,
        turn: &mut usize,
    ) -> Result<(), Fault> {
        for index in 0..count {
            self.stamp(context, 2 * index)?;
            if request.cold {
                self.sweep(context)?;
            }
            context.record(&self.events[2 * index])?;
            for _ in 0..request.launches {
                let at = *turn % works.len();
                *turn += 1;
                let work = &mut works[at];
                if request.graph { work.replay(context)? } else { work.enqueue(context)? }
            }
            context.record(&self.events[2 * index + 1])?;
            self.stamp(context, 2 * index + 1)?;
        }
        Ok(())
    }

    fn stamp(&self, context: &R, slot: usize) -> Result<(), Fault> {
        let address = self.stamps.address() + slot as u64 * STAMP_BYTES;
        let arguments =
            [Argument::new(&address.to_le_bytes()), Argument::new(&STAMP_UNITS.to_le_bytes())];
        context.launch(&self.stamp, &Extent::flat(self.units, 32), &arguments)
    }

    fn sweep(&self, context: &R) -> Result<(), Fault> {
        let vectors = self.swept.bytes().0 / 16;
        let arguments = [self.swept.address(), vectors, self.sink.address()]
            .map(|value| Argument::new(&value.to_le_bytes()));
        context.launch(&self.sweep, &Extent::flat(self.units * 8, 256), &arguments)
    }

    fn read(
        &self,
        request: &Request,
        count: usize,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Fault> {
        let mut stamps = vec![0; count * 2 * STAMP_BYTES as usize];
        self.stamps.download(Bytes(0), &mut stamps)?;
        let stamps: Vec<u64> = stamps
            .chunks_exact(8)
            .map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")))
            .collect();
        let pairs = stamps.chunks_exact(2 * STAMP_WORDS);
        for (index, pair) in pairs.enumerate() {
            let (before, after) = pair.split_at(STAMP_WORDS);
            let whole = self.events[2 * index].seconds_to(&self.events[2 * index + 1])?;
            samples.push(Sample {
                seconds: whole / f64::from(request.launches),
                clock_hz: clock_hz(before, after),
                discarded: None,
            });
        }
        Ok(())
    }
}

const STAMP_WORDS: usize = 2 * STAMP_UNITS as usize;
const STAMP_BYTES: u64 = STAMP_WORDS as u64 * 8;

/// The mean clock between two stamps, by the multiprocessors that both of them reached.
fn clock_hz(before: &[u64], after: &[u64]) -> Option<f64> {
    let (mut cycles, mut nanoseconds) = (0, 0);
    for (b, a) in before.chunks_exact(2).zip(after.chunks_exact(2)) {
        let (b_cycles, b_time, a_cycles, a_time) = (b[0], b[1], a[0], a[1]);
        if b_time > 0 && a_time >= b_time + SHORTEST_CLOCK_WINDOW_NS && a_cycles > b_cycles {
            cycles += a_cycles - b_cycles;
            nanoseconds += a_time - b_time;
        }
    }
    (nanoseconds > 0).then(|| cycles as f64 / (nanoseconds as f64 * 1e-9))
}

#[cfg(test)]
mod tests {
    use super::clock_hz;

    #[test]
    fn a_clock_is_cycles_over_time_of_the_units_that_both_stamps_reached() {
        let before = [1000, 5_000, 0, 0, 900, 5_000];
        let after = [201_000, 105_000, 77, 105_000, 180_900, 105_000];
        // 200 000 and 180 000 cycles in 100 µs each; the middle unit has no first stamp.
        assert_eq!(clock_hz(&before, &after), Some(1.9e9));
    }

    #[test]
    fn a_window_of_a_few_ticks_tells_no_clock() {
        assert_eq!(clock_hz(&[10, 1000], &[9_000, 6_000]), None);
    }
}
