//! The worker process: the only part that touches a device.
//!
//! One process per device and implementation. It reads one JSON line and answers with one JSON
//! line, so that a worker may also be written in another language. A crash, a hang or a poisoned
//! context ends with the process and never outlives its case.
//!
//! A case is `prepare`, any number of `round`s, `finish`. The answer is checked in the first and
//! in the last of them, on the buffers and the binary that are timed in between.

mod link;
mod serve;

pub use link::{Failure, Launcher, Link};
pub use serve::serve;

use crate::validate::Overrides;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tilemark_core::method::Method;
use tilemark_core::record::{Ceilings, CodeReport, Round, Verification};
use tilemark_core::{Case, Fault, Info};

/// Version of the lines below.
pub const PROTOCOL: u32 = 3;

/// What a worker is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Make a case ready, run it once and check the answer.
    Prepare {
        /// The case.
        case: Box<Case>,
        /// How it will be timed.
        method: Box<Method>,
        /// The user's own bounds on the error.
        overrides: Overrides,
        /// A folder in which the workers of this run leave each other the truth of a problem.
        scratch: PathBuf,
    },
    /// Time the case that is ready.
    Round {
        /// The round's number.
        index: u32,
        /// The place in the round's random order.
        order: u32,
    },
    /// Check what the last timed launch left, and forget the case.
    Finish,
    /// Measure the device's ceilings.
    Ceilings,
    /// Name the libraries that rivals on the device call.
    Libraries,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The first line, unasked.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The device.
        info: Box<Info>,
    },
    /// The case is ready and its answer right.
    Ready {
        /// The verdict.
        verification: Verification,
        /// What the compiler made of it.
        code: Vec<CodeReport>,
        /// Which of a library's candidates it is.
        choice: Option<String>,
        /// How long the device took to run it once.
        ran_s: f64,
    },
    /// A round's samples.
    Round {
        /// The round.
        round: Round,
    },
    /// The answer is still right.
    Finished {
        /// The verdict.
        verification: Verification,
    },
    /// The answer is wrong.
    Rejected {
        /// The verdict.
        verification: Verification,
        /// Whether it is so because of elements that are not finite.
        nonfinite: bool,
        /// Why, in words.
        reason: String,
    },
    /// The ceilings, if the device knows how to measure them.
    Ceilings {
        /// The ceilings.
        ceilings: Option<Ceilings>,
    },
    /// The libraries that are here.
    Libraries {
        /// Name and version of each.
        libraries: Vec<(String, String)>,
    },
    /// The case cannot go on.
    Fault {
        /// Why.
        fault: Fault,
    },
}
