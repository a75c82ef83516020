//! What two outcomes of a case say before any time is looked at: correctness comes first.

use tilemark_core::record::{Outcome, OutputCheck};
use tilemark_core::summary::Verdict;

/// An error grows when it is more than so many times what it was.
const GROWTH: f64 = 2.0;

/// Errors below this share of what the gate allows are not compared: rounding alone moves them.
const NEGLIGIBLE: f64 = 0.01;

/// What an outcome says about an implementation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Right, and timed.
    Timed,
    /// Right, not timed.
    Right,
    /// Wrong, or without an answer.
    Failed,
    /// Refused by the implementation.
    Unsupported,
    /// Not tried: nothing can be said.
    NotTried,
    /// Tried, but the machine or the harness was at fault.
    Spoilt,
}

/// The verdict that needs no times, or none if both sides were timed.
pub fn verdict(now: &Outcome, then: &Outcome) -> Option<Verdict> {
    use Standing::{Failed, NotTried, Right, Spoilt, Timed, Unsupported};
    let verdict = match (standing(now), standing(then)) {
        (Timed, Timed) => return None,
        (Right, Right) if is_less_exact(now, then) => Verdict::LessExact,
        (Right, Right) => Verdict::Same,
        (Unsupported | NotTried, Unsupported | NotTried) => Verdict::Untried,
        (Failed | Unsupported | NotTried, Failed | Unsupported | NotTried) => Verdict::BothFailed,
        (Failed | Unsupported, _) => Verdict::Broken { outcome: now.name().to_owned() },
        (Spoilt, _) => incomparable("candidate", now),
        (_, Spoilt) => incomparable("baseline", then),
        (NotTried, _) => Verdict::Missing,
        (_, NotTried) => Verdict::New,
        (_, Failed | Unsupported) => Verdict::Fixed,
        (Right, Timed) => incomparable("candidate", now),
        (Timed, Right) => incomparable("baseline", then),
    };
    Some(verdict)
}

/// Whether an output's error is more than twice what it was.
pub fn is_less_exact(now: &Outcome, then: &Outcome) -> bool {
    let (Some(now), Some(then)) = (now.verification(), then.verification()) else { return false };
    now.outputs.iter().any(|output| {
        let before = then.outputs.iter().find(|o| o.tensor == output.tensor);
        before.is_some_and(|before| grew(output, before))
    })
}

fn grew(now: &OutputCheck, then: &OutputCheck) -> bool {
    let least = NEGLIGIBLE * now.relative_bound;
    now.relative_error > GROWTH * then.relative_error.max(least)
}

fn standing(outcome: &Outcome) -> Standing {
    match outcome {
        Outcome::Measured { .. } => Standing::Timed,
        Outcome::Verified { .. } => Standing::Right,
        Outcome::Skipped { .. } | Outcome::NotRun { .. } => Standing::NotTried,
        Outcome::Infra { .. } | Outcome::Unusable { .. } => Standing::Spoilt,
        Outcome::Unsupported { .. } => Standing::Unsupported,
        Outcome::CompileError { .. }
        | Outcome::OutOfMemory { .. }
        | Outcome::Crash { .. }
        | Outcome::Timeout { .. }
        | Outcome::Incorrect { .. }
        | Outcome::Nonfinite { .. }
        | Outcome::Implausible { .. } => Standing::Failed,
    }
}

fn incomparable(side: &str, outcome: &Outcome) -> Verdict {
    let why = outcome.reason().map_or(String::new(), |reason| format!(": {reason}"));
    Verdict::Incomparable { because: format!("the {side} is {}{why}", outcome.name()) }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{Script, measured, verification};
    use super::*;

    fn verified(error: f64) -> Outcome {
        Outcome::Verified { verification: verification(error) }
    }

    fn timed() -> Outcome {
        measured(&Script::new("p", "a"), &[1.0; 7]).outcome
    }

    fn check(now: Outcome, then: Outcome, wanted: &str) {
        assert_eq!(verdict(&now, &then).as_ref().map_or("times", Verdict::name), wanted);
    }

    #[test]
    fn correctness_decides_before_time_does() {
        let incorrect =
            || Outcome::Incorrect { verification: verification(1.0), reason: "too far off".into() };
        let unsupported = || Outcome::Unsupported { reason: "d = 72".into() };
        let not_run = || Outcome::NotRun { reason: "interrupted".into() };
        let infra = || Outcome::Infra { message: "disk full".into() };
        check(timed(), timed(), "times");
        check(incorrect(), timed(), "broken");
        check(incorrect(), verified(1e-6), "broken");
        check(timed(), Outcome::Timeout { limit_s: 1.0 }, "fixed");
        check(incorrect(), incorrect(), "both_failed");
        check(unsupported(), unsupported(), "untried");
        check(unsupported(), not_run(), "untried");
        check(unsupported(), incorrect(), "both_failed");
        check(unsupported(), timed(), "broken");
        check(timed(), unsupported(), "fixed");
        check(not_run(), timed(), "missing");
        check(timed(), not_run(), "new");
        check(infra(), timed(), "incomparable");
        check(timed(), verified(1e-6), "incomparable");
        check(verified(1e-6), verified(1e-6), "same");
        check(verified(3e-6), verified(1e-6), "less_exact");
    }

    #[test]
    fn an_error_grows_beyond_twice_and_beyond_rounding() {
        assert!(!is_less_exact(&verified(1.9e-6), &verified(1e-6)));
        assert!(is_less_exact(&verified(2.1e-6), &verified(1e-6)));
        assert!(!is_less_exact(&verified(1e-7), &verified(0.0)), "1 % of the bound is 1e-7");
    }
}
