//! Which exit code a finished run or a comparison deserves.

use crate::args::{FailOn, JudgeArgs};
use crate::exit::Exit;
use tilemark_core::record::Outcome;
use tilemark_core::summary::{Comparison, RunSummary, Verdict};

/// When several codes are due, the first of these is given.
const GRAVEST_FIRST: [Exit; 6] = [
    Exit::WrongResult,
    Exit::Failed,
    Exit::Regression,
    Exit::NothingToCompare,
    Exit::Incomplete,
    Exit::Ambiguous,
];

/// The exit code of a run that came to its end.
pub fn exit(asked: &JudgeArgs, summary: &RunSummary) -> Exit {
    let outcomes = summary.rows.iter().filter_map(|row| fault(&row.result.outcome));
    let rivals = summary.rows.iter().filter_map(|row| row.rival.as_ref());
    let behind = rivals.filter(|rival| is_slower(rival)).map(|_| FailOn::Rival);
    let own = asked.code(outcomes.chain(behind));
    let against = summary.against.as_ref();
    let against = against.map_or(Exit::Ok, |against| compared(asked, &against.cases));
    let is_whole = summary.rows.len() as u64 >= summary.run.expected_cases;
    let whole = if is_whole || asked.nothing() { Exit::Ok } else { Exit::Incomplete };
    gravest(&[own, against, whole])
}

/// The exit code of a comparison. A case without an answer on either side is no difference: it
/// counts neither as worse nor as compared.
pub fn compared(asked: &JudgeArgs, cases: &[Comparison]) -> Exit {
    if asked.nothing() {
        return Exit::Ok;
    }
    let any = |wanted: fn(&Comparison) -> bool| cases.iter().any(wanted);
    let worse = asked.code(cases.iter().filter_map(|case| worsening(&case.verdict)));
    if worse != Exit::Ok {
        worse
    } else if !any(is_judged) {
        Exit::NothingToCompare
    } else if any(|c| c.verdict == Verdict::Missing) {
        Exit::Incomplete
    } else if asked.strict && any(|c| c.verdict == Verdict::Ambiguous) {
        Exit::Ambiguous
    } else {
        Exit::Ok
    }
}

impl JudgeArgs {
    fn nothing(&self) -> bool {
        self.fail_on.contains(&FailOn::None)
    }

    /// The code of the gravest of these that is asked about.
    fn code(&self, found: impl Iterator<Item = FailOn>) -> Exit {
        let found = found.filter(|what| !self.nothing() && self.fail_on.contains(what));
        let codes: Vec<Exit> = found.map(code).collect();
        gravest(&codes)
    }
}

fn gravest(exits: &[Exit]) -> Exit {
    GRAVEST_FIRST.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Ok)
}

fn code(what: FailOn) -> Exit {
    match what {
        FailOn::Wrong => Exit::WrongResult,
        FailOn::Failed | FailOn::Unsupported => Exit::Failed,
        FailOn::Regression | FailOn::Rival => Exit::Regression,
        FailOn::None => Exit::Ok,
    }
}

/// What is wrong with an outcome.
fn fault(outcome: &Outcome) -> Option<FailOn> {
    match outcome {
        Outcome::Incorrect { .. } | Outcome::Nonfinite { .. } | Outcome::Implausible { .. } => {
            Some(FailOn::Wrong)
        }
        Outcome::Crash { .. }
        | Outcome::Timeout { .. }
        | Outcome::OutOfMemory { .. }
        | Outcome::CompileError { .. }
        | Outcome::Infra { .. }
        | Outcome::Unusable { .. } => Some(FailOn::Failed),
        Outcome::Unsupported { .. } => Some(FailOn::Unsupported),
        Outcome::Measured { .. }
        | Outcome::Verified { .. }
        | Outcome::Skipped { .. }
        | Outcome::NotRun { .. } => None,
    }
}

/// What is worse than in the baseline. What was right and is refused now has failed.
fn worsening(verdict: &Verdict) -> Option<FailOn> {
    match verdict {
        Verdict::Slower { .. } => Some(FailOn::Regression),
        Verdict::LessExact => Some(FailOn::Wrong),
        Verdict::Broken { outcome } => Some(match outcome.as_str() {
            "incorrect" | "nonfinite" | "implausible" => FailOn::Wrong,
            _ => FailOn::Failed,
        }),
        _ => None,
    }
}

fn is_slower(comparison: &Comparison) -> bool {
    matches!(comparison.verdict, Verdict::Slower { .. })
}

/// Whether both sides had something to compare.
fn is_judged(comparison: &Comparison) -> bool {
    match comparison.verdict {
        Verdict::Ambiguous => comparison.evidence.is_some(),
        Verdict::Faster
        | Verdict::Same
        | Verdict::Slower { .. }
        | Verdict::Broken { .. }
        | Verdict::Fixed
        | Verdict::LessExact => true,
        Verdict::Incomparable { .. }
        | Verdict::BothFailed
        | Verdict::Untried
        | Verdict::Missing
        | Verdict::New => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Verb};
    use clap::Parser;
    use tilemark_core::summary::{Cause, Evidence};

    fn broken(outcome: &str) -> Verdict {
        Verdict::Broken { outcome: outcome.to_owned() }
    }

    fn slower() -> Verdict {
        Verdict::Slower { cause: Cause::Code }
    }

    fn case(verdict: Verdict) -> Comparison {
        let evidence =
            Evidence { ratio: 1.0, low: 0.9, high: 1.1, margin: 0.02, rounds: 7, coverage: 0.98 };
        let evidence = (verdict == Verdict::Ambiguous).then_some(evidence);
        Comparison { candidate: String::new(), baseline: String::new(), verdict, evidence }
    }

    #[track_caller]
    fn check<const N: usize>(verdicts: [Verdict; N], flags: &str, code: u8) {
        let line = ["tilemark", "compare", "a", "b"].into_iter().chain(flags.split_whitespace());
        let Verb::Compare(args) = Cli::parse_from(line).verb else { panic!("it compares") };
        assert_eq!(compared(&args.judge, &verdicts.map(case)) as u8, code);
    }

    #[test]
    fn what_is_worse_has_a_code_by_what_is_asked() {
        for wrong in [broken("incorrect"), broken("nonfinite"), Verdict::LessExact] {
            check([wrong.clone()], "", 11);
            check([wrong.clone()], "--fail-on wrong", 11);
            check([wrong], "--fail-on failed,regression", 0);
        }
        for failed in ["crash", "timeout", "out_of_memory", "compile_error", "unsupported"] {
            check([broken(failed)], "", 12);
            check([broken(failed)], "--fail-on failed", 12);
            check([broken(failed)], "--fail-on wrong,regression", 0);
        }
        check([slower()], "", 10);
        check([slower()], "--fail-on wrong,failed", 0);
        check([slower(), broken("crash")], "", 12);
        check([slower(), broken("crash"), broken("incorrect")], "", 11);
        check([slower(), broken("crash")], "--fail-on regression", 10);
    }

    #[test]
    fn what_is_open_or_absent_has_a_code() {
        let incomparable = || Verdict::Incomparable { because: String::new() };
        check([Verdict::Same], "--strict", 0);
        check([Verdict::Fixed, Verdict::Faster], "--strict", 0);
        check([Verdict::Ambiguous], "", 0);
        check([Verdict::Ambiguous], "--strict", 13);
        check([], "", 14);
        check([incomparable(), Verdict::New], "", 14);
        check([Verdict::BothFailed], "", 14);
        check([Verdict::BothFailed, Verdict::Same], "", 0);
        check([Verdict::Missing], "", 14);
        check([Verdict::Missing, Verdict::Same], "", 16);
        check([Verdict::Missing, slower()], "", 10);
    }

    #[test]
    fn fail_on_none_is_zero_whatever_is_found() {
        let all = [slower(), broken("crash"), broken("incorrect"), Verdict::LessExact];
        check(all, "--fail-on none --strict", 0);
        check([Verdict::Missing, Verdict::Ambiguous], "--fail-on none --strict", 0);
        check([], "--fail-on none", 0);
        check([slower()], "--fail-on regression,none", 0);
    }
}
