//! The wall between the engine and a device: some ten methods that hold for a GPU of any vendor, for a
//! CPU and for a scripted device that has no hardware at all.

use crate::family::Body;
use crate::record::{Ceilings, CodeReport};
use crate::{Bytes, Problem};
use serde::{Deserialize, Serialize};

/// A device that can hold tensors, run implementations and time them.
pub trait Device {
    /// Who are you?
    fn info(&self) -> &Info;

    /// Reserves memory, aligned to at least 256 bytes on a GPU and 64 on a host.
    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault>;

    /// Gives a buffer back; the device forgets everything prepared with it.
    fn release(&mut self, buffer: Buffer);

    /// Copies from the host, `offset` bytes into the buffer.
    fn upload(&mut self, buffer: Buffer, offset: Bytes, data: &[u8]) -> Result<(), Fault>;

    /// Copies to the host, from `offset` bytes into the buffer.
    fn download(&mut self, buffer: Buffer, offset: Bytes, data: &mut [u8]) -> Result<(), Fault>;

    /// Sets every byte of a buffer.
    fn fill(&mut self, buffer: Buffer, byte: u8) -> Result<(), Fault>;

    /// Makes an implementation ready to run on these tensors: compiles and loads device code,
    /// encodes tensor maps, plans a library's call. Nothing here is ever timed.
    fn prepare(&mut self, program: &Program<'_>) -> Result<Prepared, Fault>;

    /// What the compiler made of prepared work, one entry a kernel; empty where nothing is compiled.
    fn code(&self, _work: Prepared) -> Vec<CodeReport> {
        Vec::new()
    }

    /// Which of a library's candidates prepared work is; none where nothing was chosen.
    fn choice(&self, _work: Prepared) -> Option<String> {
        None
    }

    /// Runs prepared work once, and waits for it.
    fn run(&mut self, work: Prepared) -> Result<(), Fault>;

    /// Times prepared work as `batch` says; one sample for each of its launches.
    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault>;

    /// Clocks, power and temperature now.
    fn telemetry(&mut self) -> Telemetry;

    /// Measures the best rates this device can reach; none where it has none of its own.
    fn ceilings(&mut self) -> Result<Option<Ceilings>, Fault> {
        Ok(None)
    }
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// Its name in flags and records: `cpu`, `null`, `cuda:0`, `hip:1`.
    pub name: String,
    /// Which kind it is.
    pub vendor: Vendor,
    /// The product's name.
    pub model: String,
    /// The target of its compiler: `sm_90a`, `gfx942`, or the host's triple.
    pub arch: String,
    /// A number that tells two devices of one model apart, where there is one.
    pub uuid: Option<String>,
    /// Memory that a case may use.
    pub memory: Bytes,
    /// The last cache before memory.
    pub last_level_cache: Bytes,
    /// Multiprocessors, compute units or cores.
    pub units: u32,
    /// Version of the driver.
    pub driver: Option<String>,
    /// Version of the runtime.
    pub runtime: Option<String>,
    /// Anything else that can change a number, such as SIMD width, compute partition, governor.
    pub traits: Vec<(String, String)>,
}

/// The name of the trait of a device whose code is interpreted.
pub const INTERPRETED: &str = "interpreted";

impl Info {
    /// Whether the times of this device mean anything; if not, answers are checked and no time is
    /// stored.
    pub fn keeps_time(&self) -> bool {
        self.traits.iter().all(|(name, _)| name != INTERPRETED)
    }
}

/// Who makes a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// The host's processor.
    Cpu,
    /// No hardware: times and faults from a script, for tests.
    Null,
    /// CUDA.
    Nvidia,
    /// HIP.
    Amd,
}

impl Vendor {
    /// Whether implementations that are functions on the host run there.
    pub fn runs_host_code(self) -> bool {
        matches!(self, Vendor::Cpu | Vendor::Null)
    }
}

/// A region of a device's memory; only that device knows where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    /// The device's number for it.
    pub id: u64,
    /// Its size.
    pub bytes: Bytes,
}

/// A tensor's place inside a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The buffer.
    pub buffer: Buffer,
    /// Where the tensor starts.
    pub offset: Bytes,
    /// The tensor's size.
    pub bytes: Bytes,
    /// Whether the implementation may write to it.
    pub writable: bool,
}

/// An implementation with everything it needs.
#[derive(Debug)]
pub struct Program<'a> {
    /// What it computes.
    pub problem: &'a Problem,
    /// The implementation's name, with its variant if it is to be another than its own choice; for
    /// messages.
    pub implementation: &'a str,
    /// How it runs.
    pub body: &'a Body,
    /// One place a tensor, in the family's order.
    pub tensors: &'a [Slice],
}

/// Work that a device has made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prepared(pub u32);

/// What to time.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The same work on several sets of inputs, taken in turn.
    pub sets: &'a [Prepared],
    /// Flush the last-level cache before every launch.
    pub cold: bool,
    /// How many samples to take.
    pub samples: u32,
    /// Launches within one sample; its time is divided by them.
    pub launches: u32,
    /// Replay a graph that was captured once, where the device has such a thing.
    pub graph: bool,
}

/// One timed launch, or the mean of several.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Duration of one launch.
    pub seconds: f64,
    /// The device's clock while it ran, where it can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_hz: Option<f64>,
    /// Why this sample does not count, if it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub discarded: Option<Discard>,
}

/// Why a sample was kept but does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// Taken under three quarters of the expected clock.
    LowClock,
    /// The throttle reasons changed while it ran.
    Throttled,
}

/// The state of a device at one moment; what it cannot tell is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Clock of the compute units.
    pub clock_hz: Option<f64>,
    /// Clock of the memory.
    pub memory_clock_hz: Option<f64>,
    /// Power drawn.
    pub power_w: Option<f64>,
    /// Energy since the driver started counting.
    pub energy_j: Option<f64>,
    /// Temperature of the die.
    pub temperature_c: Option<f64>,
    /// Reasons for which the clock is held back now.
    pub throttle: Vec<String>,
    /// Other processes that use the device; on a host, the cores that others kept busy of late.
    pub other_load: Option<f64>,
}

/// What can go wrong on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// There is not that much memory.
    OutOfMemory {
        /// What was asked for.
        requested: Bytes,
        /// What there was.
        available: Bytes,
    },
    /// The compiler refused the device code.
    Compile {
        /// What it said.
        log: String,
    },
    /// The device cannot run this.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// The kernel failed; the context may be poisoned.
    Crash {
        /// What the driver said.
        message: String,
    },
    /// The harness or its surroundings failed, not the implementation.
    Infra {
        /// What happened.
        message: String,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::OutOfMemory { requested, available } => {
                write!(f, "out of memory: {requested} asked for, {available} available")
            }
            Fault::Compile { log } => write!(f, "compile error: {log}"),
            Fault::Unsupported { reason } => write!(f, "unsupported: {reason}"),
            Fault::Crash { message } => write!(f, "crash: {message}"),
            Fault::Infra { message } => write!(f, "infrastructure: {message}"),
        }
    }
}

impl std::error::Error for Fault {}
