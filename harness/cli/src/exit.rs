//! Exit codes: what each means, and which error leads to which.

use crate::stream::StdoutError;
use std::process::ExitCode;
use tilemark_engine::axis::AxisError;
use tilemark_engine::catalog::UnknownName;
use tilemark_engine::device::OpenError;
use tilemark_engine::plan::PlanError;
use tilemark_engine::store::StoreError;
use tilemark_engine::suite::SuiteError;
use tilemark_engine::tune::FileError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// The command line, a suite or a run folder is wrong.
    Usage = 2,
    /// A case is slower than its baseline.
    Regression = 10,
    /// A case has a wrong answer, or one far less exact than its baseline's.
    WrongResult = 11,
    /// A case crashed, ran out of memory or time; or device code does not compile, warns or spills.
    Failed = 12,
    /// With `--strict`: a case could not be told apart from its baseline.
    Ambiguous = 13,
    /// The two runs have no case in common that both have an answer for.
    NothingToCompare = 14,
    /// The machine cannot do this now.
    Unfit = 15,
    /// Cases of the plan have no result.
    Incomplete = 16,
    /// A bug of ours.
    Bug = 70,
    /// The user broke it off.
    Interrupted = 130,
    /// Nobody read stdout to its end, as with `| head`: the code that a shell gives for SIGPIPE.
    ClosedPipe = 141,
}

/// The table that `--help` shows.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  ok
   2  usage: a flag, suite or run folder is wrong
  10  regression: a case is slower than its baseline
  11  wrong result, or an error more than twice the baseline's (less_exact)
  12  a case crashed, or ran out of memory or time; device code does not compile; a case that was
      right in the baseline is unsupported
  13  ambiguous (with --strict)
  14  nothing to compare with: no case has an answer that the other run's can be compared with
  15  environment unfit
  16  incomplete: cases of the plan have no result
  70  a bug of Tilemark's
 130  interrupted
 141  nobody read the output to its end (| head)
Where several are due, the first of 11, 12, 10, 14, 16, 13 is given; what failed in both runs
(both_failed) is no difference.";

impl Exit {
    /// The word for it in the last JSON line.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Usage => "usage",
            Exit::Regression => "regression",
            Exit::WrongResult => "wrong_result",
            Exit::Failed => "failed",
            Exit::Ambiguous => "ambiguous",
            Exit::NothingToCompare => "nothing_to_compare",
            Exit::Unfit => "unfit",
            Exit::Incomplete => "incomplete",
            Exit::Bug => "bug",
            Exit::Interrupted => "interrupted",
            Exit::ClosedPipe => "closed_pipe",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A mistake on the command line that clap cannot see, with its remedy.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct UsageError {
    /// What is wrong, naming the flag or file.
    pub problem: String,
    /// What to do instead.
    pub hint: String,
}

/// The exit code that an error leads to.
pub fn of(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<StdoutError>().is_some_and(StdoutError::reader_is_gone) {
        return Exit::ClosedPipe;
    }
    let usage = error.is::<UsageError>()
        || error.is::<PlanError>()
        || error.is::<SuiteError>()
        || error.is::<UnknownName>()
        || error.is::<AxisError>()
        || error.is::<OpenError>()
        || error.is::<FileError>();
    match error.downcast_ref::<StoreError>() {
        _ if usage => Exit::Usage,
        Some(StoreError::Io { .. } | StoreError::Parquet { .. } | StoreError::Busy { .. }) => {
            Exit::Unfit
        }
        Some(_) => Exit::Usage,
        None => Exit::Unfit,
    }
}

/// The remedy that an error suggests.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(UsageError { hint, .. }) = error.downcast_ref() {
        return Some(hint.clone());
    }
    let hint = match error.downcast_ref::<PlanError>() {
        Some(PlanError::Empty { .. }) => {
            "`tilemark list` shows families and implementations; `--dry-run` shows a plan"
        }
        Some(PlanError::UnknownName(_)) => "`tilemark list` shows every family",
        _ => match error.downcast_ref::<StoreError>() {
            Some(StoreError::NoRecord { .. }) => {
                "a run folder is what `tilemark run` leaves in runs/"
            }
            Some(StoreError::Io { action: "create", .. }) => {
                "choose a folder that can be written with --output"
            }
            _ => return None,
        },
    };
    Some(hint.to_owned())
}
