//! What best explains that times changed, in the order in which a person rules things out.
//!
//! A change of method is no cause here: it makes two runs incomparable, and never gets this far.

use super::setting::Changed;
use crate::measure::rounds;
use tilemark_core::family::Standing;
use tilemark_core::record::CaseResult;
use tilemark_core::summary::Cause;

/// Why a case became slower than the machine as a whole.
///
/// The clock, if its cycles are what they were. The code cannot be, where it is the same: then it
/// is the driver or the machine. Else another driver or another device is the first suspect, and
/// last the code.
pub fn of_case(now: &CaseResult, then: &CaseResult, changed: Changed, margin: f64) -> Cause {
    match change_of_cycles(now, then) {
        Some(change) if change.abs() <= margin => Cause::Clock,
        _ if changed.driver => Cause::Driver,
        _ if changed.device || is_same_code(now, then, changed) => Cause::Machine,
        _ => Cause::Code,
    }
}

/// Whether both ran the same code: the device's binaries are the same to the bit, or where none are
/// told the program is, and for a rival its library.
fn is_same_code(now: &CaseResult, then: &CaseResult, changed: Changed) -> bool {
    if now.code.is_empty() && then.code.is_empty() {
        let calls_libraries = now.standing == Standing::Rival;
        return !(changed.program || calls_libraries && changed.libraries);
    }
    now.code.iter().map(|kernel| &kernel.hash).eq(then.code.iter().map(|k| &k.hash))
}

/// Why all cases moved together; `pairs` are those that tell.
pub fn of_shift(pairs: &[(&CaseResult, &CaseResult)], changed: Changed, margin: f64) -> Cause {
    let steady = |pair: &&(&CaseResult, &CaseResult)| {
        change_of_cycles(pair.0, pair.1).is_some_and(|change| change.abs() <= margin)
    };
    if 2 * pairs.iter().filter(steady).count() > pairs.len() {
        Cause::Clock
    } else if changed.driver {
        Cause::Driver
    } else {
        Cause::Machine
    }
}

/// ln of the cycles now over the cycles then, where the device tells its clock.
fn change_of_cycles(now: &CaseResult, then: &CaseResult) -> Option<f64> {
    let cycles = |result: &CaseResult| {
        let timing = result.outcome.timing()?;
        Some(rounds::typical(timing)? * rounds::clock(timing)?)
    };
    Some((cycles(now)? / cycles(then)?).ln())
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{Script, measured};
    use super::*;
    use tilemark_core::record::{CodeReport, Outcome};

    fn case(seconds: f64, clock_hz: Option<f64>, hash: Option<&str>) -> CaseResult {
        let mut result = measured(&Script::new("p", "a"), &[seconds; 7]);
        if let (Some(hz), Outcome::Measured { timing, .. }) = (clock_hz, &mut result.outcome) {
            timing.rounds.iter_mut().for_each(|r| r.samples.clock_hz = vec![hz; 3]);
        }
        result.code = hash
            .map(|hash| CodeReport {
                kernel: "k".into(),
                hash: hash.into(),
                constants: String::new(),
                registers: 0,
                spilled_bytes: 0,
                shared_bytes: 0,
                blocks_per_unit: None,
            })
            .into_iter()
            .collect();
        result
    }

    #[test]
    fn each_explanation_has_its_turn() {
        let check = |now: CaseResult, then: CaseResult, driver: bool, wanted: Cause| {
            let changed = Changed { driver, program: true, ..Changed::default() };
            assert_eq!(of_case(&now, &then, changed, 0.02), wanted);
        };
        let plain = |seconds| case(seconds, None, None);
        check(plain(1.2), plain(1.0), false, Cause::Code);
        check(plain(1.2), plain(1.0), true, Cause::Driver);
        let clocked = |seconds, hz| case(seconds, Some(hz), None);
        check(clocked(1.2, 1e9), clocked(1.0, 1.2e9), true, Cause::Clock);
        check(clocked(1.2, 1.2e9), clocked(1.0, 1.2e9), false, Cause::Code);
        let coded = |seconds, hash| case(seconds, None, Some(hash));
        check(coded(1.2, "x"), coded(1.0, "x"), false, Cause::Machine);
        check(coded(1.2, "y"), coded(1.0, "x"), false, Cause::Code);
    }

    #[test]
    fn the_same_program_is_no_cause_on_a_host_nor_is_the_same_library() {
        let cause = |standing, program, libraries| {
            let [mut now, then] = [1.2, 1.0].map(|seconds| case(seconds, None, None));
            now.standing = standing;
            of_case(&now, &then, Changed { program, libraries, ..Changed::default() }, 0.02)
        };
        assert_eq!(cause(Standing::Candidate, false, true), Cause::Machine);
        assert_eq!(cause(Standing::Candidate, true, false), Cause::Code);
        assert_eq!(cause(Standing::Rival, false, true), Cause::Code);
        assert_eq!(cause(Standing::Rival, false, false), Cause::Machine);
    }

    #[test]
    fn a_shift_in_time_but_not_in_cycles_is_the_clocks() {
        let (now, then) = (case(1.2, Some(1e9), None), case(1.0, Some(1.2e9), None));
        assert_eq!(of_shift(&[(&now, &then)], Changed::default(), 0.02), Cause::Clock);
        assert_eq!(of_shift(&[], Changed::default(), 0.02), Cause::Machine);
    }
}
