//! Everything that crosses a process or a file: the lines of a run's record.
//!
//! Units are SI base units. A time exists only inside an [`Outcome`] that has a [`Verification`]
//! too, so nothing can store a time without the verdict on the output that was timed.

mod verification;

pub use verification::{OutputCheck, Verification};

use crate::device::{Discard, Info, Telemetry};
use crate::family::Standing;
use crate::method::Method;
use crate::{Bytes, Case, Flops};
use serde::{Deserialize, Serialize};

/// The format of the record. Older formats are read; a newer one is refused.
pub const FORMAT: u32 = 1;

/// One line of a record file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// First line: what was asked for.
    Run(Box<Run>),
    /// One line a device: what it ran on.
    Environment(Box<Environment>),
    /// The results of one problem, all of them at once, so that a record never holds half of an
    /// interleaved comparison.
    Results(Vec<CaseResult>),
    /// Last line: how it ended; absent if the run was killed.
    End(End),
}

/// A whole record, as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What was asked for.
    pub run: Run,
    /// What it ran on, one entry a device.
    pub environments: Vec<Environment>,
    /// One entry a case.
    pub results: Vec<CaseResult>,
    /// How it ended; none if it was killed.
    pub end: Option<End>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`FORMAT`] of the program that wrote this.
    pub format: u32,
    /// The run's unique id.
    pub id: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The program's version.
    pub version: String,
    /// The commit it was built from, and whether the tree had changes.
    pub commit: Option<String>,
    /// The command line as typed.
    pub argv: Vec<String>,
    /// The suite's name.
    pub suite: String,
    /// How numbers are made.
    pub method: Method,
    /// The method's id: a hash of all its settings.
    pub method_id: String,
    /// Whether answers are only checked and nothing is timed.
    pub verify_only: bool,
    /// How many cases the plan has.
    pub expected_cases: u64,
    /// Hash of the plan's case ids in order: a resumed run must have the same plan.
    pub plan_id: String,
    /// The relative error that is allowed instead of the families' floors, if the user said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtol: Option<f64>,
    /// The absolute one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atol: Option<f64>,
    /// Free words of the user's.
    pub tags: Vec<String>,
}

/// What it ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The device.
    pub device: Info,
    /// Its measured ceilings, where they were found.
    pub ceilings: Option<Ceilings>,
    /// The host.
    pub host: Host,
    /// Versions of libraries and compilers that take part, by name.
    pub libraries: Vec<(String, String)>,
}

/// The host of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Operating system.
    pub os: String,
    /// Kernel version.
    pub kernel: String,
    /// The processor's model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: u32,
    /// Memory.
    pub memory: Bytes,
}

/// The best rates that this device was seen to reach: what a roofline is drawn with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Bytes per second of a large copy, counting what is read and what is written.
    pub copy_bytes_per_second: f64,
    /// Operations per second by dtype, and how that was found.
    pub flops_per_second: Vec<(String, f64)>,
    /// How they were measured.
    pub how: String,
}

/// One case and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// What the implementation stands for.
    pub standing: Standing,
    /// What became of it.
    pub outcome: Outcome,
    /// What became of its earlier tries, where `--retries` allowed another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Outcome>,
    /// How much work it is.
    pub work: WorkDone,
    /// What the compiler made of the device code, one entry a kernel.
    pub code: Vec<CodeReport>,
    /// Which of a library's candidates it is: the quickest in a trial before the measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Wall-clock time that the harness spent on it, with everything, earlier tries too.
    pub wall_s: f64,
    /// Wall-clock time on the device: settling, samples and flushes.
    pub device_s: f64,
}

/// How much work a case is: [`crate::family::Work`] as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkDone {
    /// Operations by convention.
    pub convention: Flops,
    /// The convention's formula.
    pub convention_name: String,
    /// Operations that the formula needs.
    pub executed: Flops,
    /// Fewest bytes.
    pub least_bytes: Bytes,
}

/// What became of a case. Different reasons for having no time are different, and none is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Right before and after it was timed.
    Measured {
        /// The verdict on the output: of every check, what was furthest off.
        verification: Verification,
        /// The times.
        timing: Timing,
    },
    /// Right; no time was asked for.
    Verified {
        /// The verdict on the output.
        verification: Verification,
    },
    /// The implementation does not cover this problem on this device.
    Unsupported {
        /// Why not.
        reason: String,
    },
    /// The user or suite left it out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The compiler refused the device code.
    CompileError {
        /// What it said.
        log: String,
    },
    /// The tensors do not fit.
    OutOfMemory {
        /// What was needed.
        requested: Bytes,
        /// What there was.
        available: Bytes,
    },
    /// The worker or the device's context died.
    Crash {
        /// The signal, exit status or driver's message, and the last lines of its stderr.
        message: String,
    },
    /// The watchdog killed it.
    Timeout {
        /// After this long.
        limit_s: f64,
    },
    /// The gate rejected the output.
    Incorrect {
        /// The verdict.
        verification: Verification,
        /// Which bound was passed, in words.
        reason: String,
    },
    /// The output holds NaN or infinity where the truth does not, or was left unwritten.
    Nonfinite {
        /// The verdict.
        verification: Verification,
        /// How many, in words.
        reason: String,
    },
    /// Faster than the device's measured ceiling allows.
    Implausible {
        /// The verdict on the output.
        verification: Verification,
        /// The times that cannot be.
        timing: Timing,
        /// Which ceiling was passed, in words.
        reason: String,
    },
    /// More than half of the samples were taken in a bad state of the device.
    Unusable {
        /// The verdict on the output.
        verification: Verification,
        /// The times, all of them.
        timing: Timing,
        /// What was wrong, in words.
        reason: String,
    },
    /// The harness or the machine failed, not the implementation.
    Infra {
        /// How.
        message: String,
    },
    /// The run ended first.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// Every time that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// In the order in which they ran.
    pub rounds: Vec<Round>,
}

/// One turn of an implementation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The round's number; implementations with the same number ran next to each other.
    pub index: u32,
    /// Place in the round's random order.
    pub order: u32,
    /// How long the device was brought to a steady state.
    pub settle_s: f64,
    /// Why no more samples were taken.
    pub stop: Stop,
    /// The samples.
    pub samples: Samples,
    /// The device's state after them.
    pub telemetry: Telemetry,
}

/// The samples of a round, by column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Duration of one launch, in order.
    pub seconds: Vec<f64>,
    /// The clock during each, where it can be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub clock_hz: Vec<f64>,
    /// Indices of samples that do not count, ascending, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub discarded: Vec<(u32, Discard)>,
}

/// Why a round took no more samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The median is known precisely enough.
    Precise,
    /// More samples no longer change the noise.
    StableNoisy,
    /// The time limit.
    TimeLimit,
    /// The limit on samples.
    SampleLimit,
}

/// What the compiler made of one kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeReport {
    /// The kernel's name.
    pub kernel: String,
    /// Hash of source, headers, constants, flags and compiler.
    pub hash: String,
    /// Its compile-time constants as `NAME=value`, separated by spaces; records before they were
    /// kept have none.
    #[serde(default)]
    pub constants: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of a thread spilled to memory.
    pub spilled_bytes: u32,
    /// Static and dynamic shared memory of a block.
    pub shared_bytes: u32,
    /// Blocks that fit on a multiprocessor at once, where the device can tell.
    pub blocks_per_unit: Option<u32>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When, RFC 3339 in UTC.
    pub ended: String,
    /// Cases with an outcome.
    pub finished_cases: u64,
    /// Whether the user broke it off.
    pub interrupted: bool,
}

impl Outcome {
    /// The word for it in tables and filters.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Measured { .. } => "measured",
            Outcome::Verified { .. } => "verified",
            Outcome::Unsupported { .. } => "unsupported",
            Outcome::Skipped { .. } => "skipped",
            Outcome::CompileError { .. } => "compile_error",
            Outcome::OutOfMemory { .. } => "out_of_memory",
            Outcome::Crash { .. } => "crash",
            Outcome::Timeout { .. } => "timeout",
            Outcome::Incorrect { .. } => "incorrect",
            Outcome::Nonfinite { .. } => "nonfinite",
            Outcome::Implausible { .. } => "implausible",
            Outcome::Unusable { .. } => "unusable",
            Outcome::Infra { .. } => "infra",
            Outcome::NotRun { .. } => "not_run",
        }
    }

    /// Whether this is what the user hoped for.
    pub fn is_ok(&self) -> bool {
        matches!(self, Outcome::Measured { .. } | Outcome::Verified { .. })
    }

    /// Why it is not, in words.
    pub fn reason(&self) -> Option<String> {
        match self {
            Outcome::Measured { .. } | Outcome::Verified { .. } => None,
            Outcome::Unsupported { reason }
            | Outcome::Skipped { reason }
            | Outcome::NotRun { reason }
            | Outcome::Incorrect { reason, .. }
            | Outcome::Nonfinite { reason, .. }
            | Outcome::Implausible { reason, .. }
            | Outcome::Unusable { reason, .. } => Some(reason.clone()),
            Outcome::CompileError { log } => Some(log.clone()),
            Outcome::OutOfMemory { requested, available } => {
                Some(format!("needs {requested}; {available} available"))
            }
            Outcome::Crash { message } | Outcome::Infra { message } => Some(message.clone()),
            Outcome::Timeout { limit_s } => Some(format!("killed after {limit_s} s")),
        }
    }

    /// The verdict on the output, where there is one.
    pub fn verification(&self) -> Option<&Verification> {
        match self {
            Outcome::Measured { verification, .. }
            | Outcome::Verified { verification }
            | Outcome::Incorrect { verification, .. }
            | Outcome::Nonfinite { verification, .. }
            | Outcome::Implausible { verification, .. }
            | Outcome::Unusable { verification, .. } => Some(verification),
            _ => None,
        }
    }

    /// The times that count: those of a measured case.
    pub fn timing(&self) -> Option<&Timing> {
        match self {
            Outcome::Measured { timing, .. } => Some(timing),
            _ => None,
        }
    }
}

impl Samples {
    /// The samples that count.
    pub fn counted(&self) -> impl Iterator<Item = f64> {
        self.seconds.iter().enumerate().filter_map(|(idx, seconds)| {
            let discarded = self.discarded.binary_search_by_key(&idx, |(d, _)| *d as usize);
            discarded.is_err().then_some(*seconds)
        })
    }
}
