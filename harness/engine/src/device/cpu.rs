//! The host's processor as a device: functions in Rust, timed with the host's clock.

use super::memory::Memory;
use super::{Listing, Opened};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use tilemark_core::device::{Batch, Prepared, Program, Sample, Slice, Telemetry};
use tilemark_core::family::{Body, HostFunction};
use tilemark_core::record::Ceilings;
use tilemark_core::{Buffer, Bytes, Device, Fault, Info, Problem};

mod ceilings;
mod probe;

/// The host's processor.
pub struct Cpu {
    info: Info,
    memory: Memory,
    prepared: HashMap<u32, Work>,
    next: u32,
    flush: Vec<u64>,
}

struct Work {
    problem: Problem,
    function: HostFunction,
    tensors: Vec<Slice>,
}

/// Most bytes that a flush by writing writes: a virtual machine may report the whole last-level
/// cache of its host, of which it can use a small part.
const MOST_FLUSHED: u64 = 128 << 20;

pub(super) fn list() -> Vec<Listing> {
    let note = "times vary with whatever else the host does".to_owned();
    vec![Listing { name: "cpu".to_owned(), found: Ok(probe::info()), default: true, note }]
}

pub(super) fn open(name: &str, _script: Option<&str>) -> Option<Opened> {
    matches!(name, "cpu" | "cpu:0").then(|| Ok(Box::new(Cpu::new()) as Box<dyn Device>))
}

impl Cpu {
    /// The processor that this process runs on.
    pub fn new() -> Self {
        let info = probe::info();
        Cpu {
            info,
            memory: Memory::default(),
            prepared: HashMap::new(),
            next: 0,
            flush: Vec::new(),
        }
    }

    fn call(&mut self, work: Prepared) -> Result<(), Fault> {
        let Work { problem, function, tensors } = self
            .prepared
            .get(&work.0)
            .ok_or_else(|| Fault::Infra { message: "no such work is prepared".to_owned() })?;
        let mut panic = None;
        self.memory.with_views(tensors, |inputs, outputs| {
            let called = catch_unwind(AssertUnwindSafe(|| function(problem, inputs, outputs)));
            panic = called.err().map(|payload| describe_panic(payload.as_ref()));
        })?;
        panic.map_or(Ok(()), |message| Err(Fault::Crash { message }))
    }

    /// Brings the tensors of this work out of all caches: line by line where the processor can,
    /// which is exact and quick, else by writing to twice as much memory as the last cache holds.
    fn flush_caches(&mut self, work: Prepared) {
        let tensors = self.prepared.get(&work.0).map(|work| work.tensors.as_slice());
        if self.memory.evict(tensors.unwrap_or_default()) {
            return;
        }
        if self.flush.is_empty() {
            let bytes = (2 * self.info.last_level_cache.0).min(MOST_FLUSHED);
            self.flush = vec![0; bytes as usize / 8];
        }
        // One write a cache line is enough to own it.
        for word in self.flush.iter_mut().step_by(8) {
            *word = std::hint::black_box(word.wrapping_add(1));
        }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Cpu::new()
    }
}

impl Device for Cpu {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault> {
        self.memory.allocate(bytes, probe::available_memory())
    }

    fn release(&mut self, buffer: Buffer) {
        self.memory.release(buffer);
        self.prepared.retain(|_, work| work.tensors.iter().all(|slice| slice.buffer != buffer));
    }

    fn upload(&mut self, buffer: Buffer, offset: Bytes, data: &[u8]) -> Result<(), Fault> {
        let start = offset.0 as usize;
        self.memory.bytes_mut(buffer)?[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn download(&mut self, buffer: Buffer, offset: Bytes, data: &mut [u8]) -> Result<(), Fault> {
        let start = offset.0 as usize;
        data.copy_from_slice(&self.memory.bytes_mut(buffer)?[start..start + data.len()]);
        Ok(())
    }

    fn fill(&mut self, buffer: Buffer, byte: u8) -> Result<(), Fault> {
        self.memory.bytes_mut(buffer)?.fill(byte);
        Ok(())
    }

    fn prepare(&mut self, program: &Program<'_>) -> Result<Prepared, Fault> {
        let Body::Host(function) = *program.body else {
            let reason = "device code does not run on the host".to_owned();
            return Err(Fault::Unsupported { reason });
        };
        let id = self.next;
        self.next += 1;
        let work =
            Work { problem: program.problem.clone(), function, tensors: program.tensors.to_vec() };
        self.prepared.insert(id, work);
        Ok(Prepared(id))
    }

    fn run(&mut self, work: Prepared) -> Result<(), Fault> {
        self.call(work)
    }

    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault> {
        let mut samples = Vec::with_capacity(batch.samples as usize);
        let mut sets = batch.sets.iter().cycle();
        for _ in 0..batch.samples {
            let works: Vec<Prepared> =
                sets.by_ref().take(batch.launches as usize).copied().collect();
            if batch.cold {
                works.iter().for_each(|work| self.flush_caches(*work));
            }
            let start = Instant::now();
            for work in works {
                self.call(work)?;
            }
            let seconds = start.elapsed().as_secs_f64() / f64::from(batch.launches);
            samples.push(Sample { seconds, clock_hz: None, discarded: None });
        }
        Ok(samples)
    }

    fn telemetry(&mut self) -> Telemetry {
        probe::telemetry()
    }

    fn ceilings(&mut self) -> Result<Option<Ceilings>, Fault> {
        Ok(Some(ceilings::measure()))
    }
}

// The CPU runs host code as a GPU runs kernels: a panic is that case's crash.
fn describe_panic(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    format!("the implementation panicked: {}", text.unwrap_or("no message"))
}
