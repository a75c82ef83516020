//! A device without hardware: it computes on the host, so that answers are checked for real, and
//! takes its times and its faults from a script, so that a test knows what must come out.
//!
//! No clock is read here.

use super::cpu::Cpu;
use super::{Listing, Opened};
use serde::Deserialize;
use std::collections::HashMap;
use tilemark_core::device::{Batch, Discard, Prepared, Program, Sample, Slice, Telemetry, Vendor};
use tilemark_core::generator::mix;
use tilemark_core::{Buffer, Bytes, Device, Fault, Info};
use wildmatch::WildMatch;

/// What the null device pretends, as TOML. Everything has a default: an empty script is a device
/// whose every launch takes 100 µs exactly.
///
/// ```toml
/// [[time]]
/// implementation = "cpu_*"   # a glob
/// seconds = 1e-3
/// noise = 0.01               # relative, uniform
/// drift = 0.0                # relative growth a sample
/// throttle_after = 100       # samples; then half the clock
///
/// [[fault]]
/// implementation = "cpu_naive"
/// kind = "abort"             # hang, crash, compile, out_of_memory, infra, nan, wrong_element, zeros, input_changed, guard_overwritten
/// at = "time"                # or prepare, run
/// from_call = 2
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Times, the first rule that matches.
    #[serde(default)]
    pub time: Vec<TimeRule>,
    /// Faults, each once it is due.
    #[serde(default)]
    pub fault: Vec<FaultRule>,
    /// Memory of the device; all of the host's if it is not said.
    pub memory_bytes: Option<u64>,
}

/// How long launches of an implementation take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRule {
    /// Glob of implementation names.
    #[serde(default = "everyone")]
    pub implementation: String,
    /// Time of one launch.
    pub seconds: f64,
    /// Relative size of random differences between samples (uniform within ± this).
    #[serde(default)]
    pub noise: f64,
    /// Relative growth of the time from one sample to the next.
    #[serde(default)]
    pub drift: f64,
    /// From this sample on, clocks are half and times double.
    pub throttle_after: Option<u64>,
}

/// Something that goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Glob of implementation names.
    #[serde(default = "everyone")]
    pub implementation: String,
    /// What happens.
    pub kind: FaultKind,
    /// In which step.
    pub at: Step,
    /// At which call of that step, counted from 0; and at every later one.
    #[serde(default)]
    pub from_call: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The process aborts.
    Abort,
    /// The step never returns.
    Hang,
    /// The driver reports a crash.
    Crash,
    /// There is no memory.
    OutOfMemory,
    /// The compiler refuses.
    Compile,
    /// The harness fails.
    Infra,
    /// The first output element becomes NaN.
    Nan,
    /// The last output element becomes 100.
    WrongElement,
    /// Every output byte becomes zero.
    Zeros,
    /// The first byte of the first input changes.
    InputChanged,
    /// The byte after the last output changes.
    GuardOverwritten,
}

/// A step of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Making it ready.
    Prepare,
    /// Running it once.
    Run,
    /// Timing it.
    Time,
}

/// The clock that the null device claims.
const CLOCK_HZ: f64 = 1e9;

/// Time of one launch where no rule matches.
const DEFAULT_SECONDS: f64 = 100e-6;

/// The scripted device.
pub struct Null {
    script: Script,
    cpu: Cpu,
    info: Info,
    prepared: HashMap<Prepared, (String, Vec<Slice>)>,
    calls: HashMap<usize, u64>,
    samples: u64,
}

pub(super) fn list() -> Vec<Listing> {
    let note = "scripted times and faults, for tests of the harness".to_owned();
    let info = Null::new(Script::default()).info;
    vec![Listing { name: "null".to_owned(), found: Ok(info), default: false, note }]
}

pub(super) fn open(name: &str, script: Option<&str>) -> Option<Opened> {
    if name != "null" {
        return None;
    }
    let script = toml::from_str(script.unwrap_or_default())
        .map_err(|e| format!("the script of the null device: {e}"));
    Some(script.map(|script| Box::new(Null::new(script)) as Box<dyn Device>))
}

impl Null {
    /// A device that follows this script.
    pub fn new(script: Script) -> Self {
        let cpu = Cpu::new();
        let info = Info {
            name: "null".to_owned(),
            vendor: Vendor::Null,
            model: "scripted".to_owned(),
            arch: "none".to_owned(),
            memory: script.memory_bytes.map_or(cpu.info().memory, Bytes),
            traits: Vec::new(),
            ..cpu.info().clone()
        };
        let (prepared, calls) = (HashMap::new(), HashMap::new());
        Null { script, cpu, info, prepared, calls, samples: 0 }
    }

    /// The fault that is due in this step of this implementation.
    fn due(&mut self, implementation: &str, at: Step) -> Option<FaultKind> {
        let mut due = None;
        for (idx, rule) in self.script.fault.iter().enumerate() {
            if rule.at == at && WildMatch::new(&rule.implementation).matches(implementation) {
                let call = self.calls.entry(idx).or_default();
                if *call >= rule.from_call && due.is_none() {
                    due = Some(rule.kind);
                }
                *call += 1;
            }
        }
        due
    }

    /// Lets a fault happen that stops the step.
    fn strike(&self, kind: FaultKind) -> Result<(), Fault> {
        let message = || "as the script says".to_owned();
        match kind {
            FaultKind::Abort => std::process::abort(),
            FaultKind::Hang => loop {
                std::thread::park();
            },
            FaultKind::Crash => Err(Fault::Crash { message: message() }),
            FaultKind::Compile => Err(Fault::Compile { log: message() }),
            FaultKind::Infra => Err(Fault::Infra { message: message() }),
            FaultKind::OutOfMemory => {
                Err(Fault::OutOfMemory { requested: Bytes(1 << 50), available: self.info.memory })
            }
            _ => Ok(()),
        }
    }

    /// Lets a fault happen that spoils what a step leaves.
    fn spoil(&mut self, kind: FaultKind, tensors: &[Slice]) -> Result<(), Fault> {
        let output = tensors.iter().rev().find(|slice| slice.writable).copied();
        let input = tensors.iter().find(|slice| !slice.writable).copied();
        let (Some(output), Some(input)) = (output, input) else { return Ok(()) };
        let end = output.offset.0 + output.bytes.0;
        match kind {
            FaultKind::Nan => self.cpu.upload(output.buffer, output.offset, &[0xff; 4]),
            FaultKind::WrongElement => {
                // The last bytes of 100 in f32; a large number in every 16-bit type.
                self.cpu.upload(output.buffer, Bytes(end - 2), &[0xc8, 0x42])
            }
            FaultKind::Zeros => {
                let zeros = vec![0; output.bytes.0 as usize];
                self.cpu.upload(output.buffer, output.offset, &zeros)
            }
            FaultKind::InputChanged => {
                let mut byte = [0];
                self.cpu.download(input.buffer, input.offset, &mut byte)?;
                self.cpu.upload(input.buffer, input.offset, &[!byte[0]])
            }
            FaultKind::GuardOverwritten => self.cpu.upload(output.buffer, Bytes(end), &[0]),
            _ => Ok(()),
        }
    }

    fn step(&mut self, work: Prepared, at: Step) -> Result<(), Fault> {
        let (implementation, tensors) = self.prepared.get(&work).cloned().unwrap_or_default();
        let due = self.due(&implementation, at);
        if let Some(kind) = due {
            self.strike(kind)?;
        }
        self.cpu.run(work)?;
        due.map_or(Ok(()), |kind| self.spoil(kind, &tensors))
    }

    fn sample(&mut self, implementation: &str) -> Sample {
        let n = self.samples;
        self.samples += 1;
        let rules = &self.script.time;
        let rule =
            rules.iter().find(|rule| WildMatch::new(&rule.implementation).matches(implementation));
        let Some(rule) = rule else {
            return Sample { seconds: DEFAULT_SECONDS, clock_hz: Some(CLOCK_HZ), discarded: None };
        };
        // A random number in −1 … 1 that depends on the sample's number alone.
        let random = (mix(n) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let factor = (1.0 + rule.noise * random) * (1.0 + rule.drift * n as f64);
        let throttled = rule.throttle_after.is_some_and(|after| n >= after);
        let (slow, discarded) =
            if throttled { (2.0, Some(Discard::LowClock)) } else { (1.0, None) };
        Sample { seconds: rule.seconds * factor * slow, clock_hz: Some(CLOCK_HZ / slow), discarded }
    }
}

fn everyone() -> String {
    "*".to_owned()
}

impl Device for Null {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault> {
        if bytes > self.info.memory {
            return Err(Fault::OutOfMemory { requested: bytes, available: self.info.memory });
        }
        self.cpu.allocate(bytes)
    }

    fn release(&mut self, buffer: Buffer) {
        self.cpu.release(buffer);
    }

    fn upload(&mut self, buffer: Buffer, offset: Bytes, data: &[u8]) -> Result<(), Fault> {
        self.cpu.upload(buffer, offset, data)
    }

    fn download(&mut self, buffer: Buffer, offset: Bytes, data: &mut [u8]) -> Result<(), Fault> {
        self.cpu.download(buffer, offset, data)
    }

    fn fill(&mut self, buffer: Buffer, byte: u8) -> Result<(), Fault> {
        self.cpu.fill(buffer, byte)
    }

    fn prepare(&mut self, program: &Program<'_>) -> Result<Prepared, Fault> {
        if let Some(kind) = self.due(program.implementation, Step::Prepare) {
            self.strike(kind)?;
        }
        let work = self.cpu.prepare(program)?;
        let entry = (program.implementation.to_owned(), program.tensors.to_vec());
        self.prepared.insert(work, entry);
        Ok(work)
    }

    fn run(&mut self, work: Prepared) -> Result<(), Fault> {
        self.step(work, Step::Run)
    }

    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault> {
        let Some(work) = batch.sets.first() else { return Ok(Vec::new()) };
        // The kernel runs once a batch: its time is the script's, so once is enough to leave an
        // answer, or a fault, behind.
        self.step(*work, Step::Time)?;
        let implementation = self.prepared[work].0.clone();
        Ok((0..batch.samples).map(|_| self.sample(&implementation)).collect())
    }

    fn telemetry(&mut self) -> Telemetry {
        Telemetry { clock_hz: Some(CLOCK_HZ), ..Telemetry::default() }
    }
}
