//! Which variants go on to the last stage, and which of them wins: pure functions of results.

use crate::compare::difference::{Difference, Direction};
use crate::measure::rounds;
use serde::Serialize;
use tilemark_core::record::CaseResult;
use tilemark_core::units::Seconds;

/// So many of the quickest go on: one round errs by a few percent, and seldom more than that lies
/// between the best and the fifth.
const FINALISTS: usize = 4;

/// A choice is not given up for a smaller share of its time: of several equal variants, each told
/// apart from it at 95 %, one may look quicker by chance, but seldom by so much.
const LEAST_GAIN: f64 = 0.005;

/// The winner and its times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The winner.
    pub choice: String,
    /// Whether it is the one that the implementation takes already.
    pub is_present: bool,
    /// Its time.
    pub seconds: f64,
    /// The time of the present choice; none if that was not right.
    pub present_seconds: Option<f64>,
    /// Times of the other finalists, ascending.
    pub others_seconds: Vec<f64>,
}

impl Verdict {
    /// The times in words, the winner's first.
    pub fn times(&self) -> String {
        let mut words = vec![Seconds(self.seconds).to_string()];
        match self.present_seconds {
            _ if self.is_present => words.push("kept".to_owned()),
            Some(seconds) => words.push(format!("was {}", Seconds(seconds))),
            None => words.push("what was chosen before fails".to_owned()),
        }
        let others: Vec<_> = self.others_seconds.iter().map(|s| Seconds(*s).to_string()).collect();
        if !others.is_empty() {
            words.push(format!("others {}", others.join(", ")));
        }
        words.join("; ")
    }
}

/// Places of the results that go on: the quickest, and the first, which is the present choice, if
/// it was right at all.
pub fn finalists(screened: &[CaseResult]) -> Vec<usize> {
    let places = screened.iter().enumerate();
    let mut timed: Vec<(f64, usize)> =
        places.filter_map(|(at, result)| Some((seconds(result)?, at))).collect();
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let goes_on =
        |(rank, (_, at)): (usize, &(f64, usize))| (rank < FINALISTS || *at == 0).then_some(*at);
    let mut finalists: Vec<usize> = timed.iter().enumerate().filter_map(goes_on).collect();
    finalists.sort_unstable();
    finalists
}

/// The quickest of those that are faster than the present choice beyond the noise of their rounds;
/// else the present choice, or the quickest of all if that was not right. None if nothing was.
pub fn verdict(results: &[CaseResult], present: Option<&str>) -> Option<Verdict> {
    let mut timed: Vec<(f64, &CaseResult)> =
        results.iter().filter_map(|result| Some((seconds(result)?, result))).collect();
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let present = timed.iter().find(|(_, result)| result.case.variant.as_deref() == present);
    let replaces = |challenger| present.is_none_or(|(_, present)| is_faster(challenger, present));
    let (seconds, winner) = timed.iter().find(|(_, result)| replaces(result)).or(present)?;
    let others = timed.iter().filter(|(_, result)| result.case != winner.case);
    Some(Verdict {
        choice: winner.case.variant.clone()?,
        is_present: present.is_some_and(|(_, present)| present.case == winner.case),
        seconds: *seconds,
        present_seconds: present.map(|(seconds, _)| *seconds),
        others_seconds: others.map(|(seconds, _)| *seconds).collect(),
    })
}

/// Whether all of the interval for the difference by round lies beyond the least gain.
fn is_faster(challenger: &CaseResult, present: &CaseResult) -> bool {
    let (Some(now), Some(then)) = (challenger.outcome.timing(), present.outcome.timing()) else {
        return false;
    };
    let paired = Difference::paired(&rounds::medians(now), &rounds::medians(then));
    paired.is_some_and(|(difference, _)| difference.direction(LEAST_GAIN) == Direction::Faster)
}

fn seconds(result: &CaseResult) -> Option<f64> {
    rounds::typical(result.outcome.timing()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::synthetic::{Script, measured};
    use tilemark_core::record::Outcome;

    fn result(name: &str, medians: &[f64]) -> CaseResult {
        let mut result = measured(&Script::new("p", "i"), medians);
        result.case.variant = Some(name.to_owned());
        result
    }

    fn failed(name: &str) -> CaseResult {
        let mut result = result(name, &[1.0]);
        result.outcome = Outcome::Crash { message: "on purpose".to_owned() };
        result
    }

    #[test]
    fn the_quickest_and_the_present_choice_go_on() {
        let check = |times: &[f64], wanted: &[usize]| {
            let results: Vec<_> = times
                .iter()
                .map(|time| if time.is_nan() { failed("x") } else { result("x", &[*time]) })
                .collect();
            assert_eq!(finalists(&results), wanted, "{times:?}");
        };
        check(&[9.0, 5.0, 1.0, 4.0, 3.0, 2.0], &[0, 2, 3, 4, 5]);
        check(&[1.0, 5.0, 9.0, 4.0, 3.0, 2.0], &[0, 3, 4, 5]);
        check(&[f64::NAN, 5.0, 4.0], &[1, 2]);
        check(&[f64::NAN, f64::NAN], &[]);
    }

    /// Seven rounds about a time; the scatter alternates in sign from round to round.
    fn rounds_of(seconds: f64, scatter: f64) -> Vec<f64> {
        (0..7)
            .map(|round| seconds * (1.0 + if round % 2 == 0 { scatter } else { -scatter }))
            .collect()
    }

    fn check_verdict(results: &[CaseResult], wanted: Option<(&str, bool)>) {
        let found = verdict(results, Some("now"));
        assert_eq!(found.as_ref().map(|v| (v.choice.as_str(), v.is_present)), wanted, "{found:?}");
    }

    #[test]
    fn a_faster_variant_replaces_the_present_choice_and_a_tie_does_not() {
        let now = || result("now", &rounds_of(1.0, 0.0));
        let other = |name, seconds, scatter| result(name, &rounds_of(seconds, scatter));
        check_verdict(&[now(), other("a", 0.98, 0.001)], Some(("a", false)));
        check_verdict(&[other("a", 0.98, 0.001), now()], Some(("a", false)));
        // Within the noise, and faster in every round but by too little.
        check_verdict(&[now(), other("a", 0.98, 0.03)], Some(("now", true)));
        check_verdict(&[now(), other("a", 0.997, 0.0)], Some(("now", true)));
        // Of two that are clearly faster the quicker one, even beside a noisy one that looks best.
        let field = [now(), other("a", 0.97, 0.0), other("b", 0.95, 0.0), other("c", 0.94, 0.08)];
        check_verdict(&field, Some(("b", false)));
    }

    #[test]
    fn what_failed_is_never_chosen() {
        let slow = || result("slow", &rounds_of(3.0, 0.0));
        check_verdict(&[failed("now"), failed("quick"), slow()], Some(("slow", false)));
        check_verdict(&[result("now", &rounds_of(3.0, 0.0)), failed("quick")], Some(("now", true)));
        check_verdict(&[failed("now"), failed("quick")], None);
    }

    #[test]
    fn too_few_rounds_replace_nothing() {
        let results = [result("now", &[1.0; 4]), result("a", &[0.5; 4])];
        check_verdict(&results, Some(("now", true)));
    }

    #[test]
    fn a_verdict_has_the_times_that_made_it() {
        let field = [("now", 1.0), ("a", 0.8), ("b", 0.9)];
        let results = field.map(|(name, seconds)| result(name, &[seconds; 7]));
        let verdict = verdict(&results, Some("now")).unwrap();
        assert_eq!(verdict.seconds, 0.8);
        assert_eq!(verdict.present_seconds, Some(1.0));
        assert_eq!(verdict.others_seconds, [0.9, 1.0]);
        assert_eq!(verdict.times(), "800 ms; was 1.00 s; others 900 ms, 1.00 s");
    }
}
