//! Which exit code a finished run deserves.

use crate::args::{FailOn, RunArgs};
use crate::exit::Exit;
use tilemark_core::record::Outcome;
use tilemark_core::summary::{Comparison, RunSummary, Verdict};

/// The exit code, by what `--fail-on` asks for; the gravest reason wins.
pub fn exit(args: &RunArgs, summary: &RunSummary) -> Exit {
    let asked = |what| args.fail_on.contains(&what) && !args.fail_on.contains(&FailOn::None);
    let outcomes = || summary.rows.iter().map(|row| &row.result.outcome);
    if asked(FailOn::Wrong) && outcomes().any(is_wrong) {
        return Exit::WrongResult;
    }
    if asked(FailOn::Failed) && outcomes().any(has_failed) {
        return Exit::Failed;
    }
    if asked(FailOn::Unsupported)
        && outcomes().any(|outcome| matches!(outcome, Outcome::Unsupported { .. }))
    {
        return Exit::Failed;
    }
    let rivals = summary.rows.iter().filter_map(|row| row.rival.as_ref());
    if asked(FailOn::Rival) && rivals.into_iter().any(is_slower) {
        return Exit::Regression;
    }
    match &summary.against {
        Some(against) => compared(&against.cases, asked(FailOn::Regression), args.strict),
        None if (summary.rows.len() as u64) < summary.run.expected_cases => Exit::Incomplete,
        None => Exit::Ok,
    }
}

/// The exit code of a comparison.
pub fn compared(cases: &[Comparison], fail_on_regression: bool, strict: bool) -> Exit {
    let any = |wanted: fn(&Comparison) -> bool| cases.iter().any(wanted);
    if any(|c| matches!(c.verdict, Verdict::Broken { .. })) {
        Exit::WrongResult
    } else if fail_on_regression && any(is_slower) {
        Exit::Regression
    } else if !any(|c| c.evidence.is_some()) {
        Exit::NothingToCompare
    } else if any(|c| c.verdict == Verdict::Missing) {
        Exit::Incomplete
    } else if strict && any(|c| c.verdict == Verdict::Ambiguous) {
        Exit::Ambiguous
    } else {
        Exit::Ok
    }
}

fn is_slower(comparison: &Comparison) -> bool {
    matches!(comparison.verdict, Verdict::Slower { .. })
}

fn is_wrong(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Incorrect { .. } | Outcome::Nonfinite { .. } | Outcome::Implausible { .. }
    )
}

fn has_failed(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Crash { .. }
            | Outcome::Timeout { .. }
            | Outcome::OutOfMemory { .. }
            | Outcome::CompileError { .. }
            | Outcome::Infra { .. }
            | Outcome::Unusable { .. }
    )
}
