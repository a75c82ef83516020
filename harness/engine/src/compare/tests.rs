//! Runs of a synthetic machine against each other: false alarms, power, shifts and causes.
//!
//! The seeds are fixed, so a count is the same on every machine.

use super::machine::{Machine, run, suite};
use super::synthetic::{Script, measured, recording, verification};
use super::*;
use tilemark_core::device::Vendor;
use tilemark_core::record::Outcome;
use tilemark_core::summary::Cause;

const QUIET: Machine = Machine {
    rounds: 0.002,
    processes: 0.001,
    runs: 0.0,
    drift: 0.0,
    bursts: 0.0,
    long_bursts: 0.0,
    second_speed: 0.0,
};

/// Machines from a quiet one to a busy shared one.
const MACHINES: [Machine; 7] = [
    QUIET,
    Machine { processes: 0.005, ..QUIET },
    Machine { rounds: 0.01, processes: 0.03, ..QUIET },
    Machine { rounds: 0.05, processes: 0.005, ..QUIET },
    Machine { rounds: 0.01, processes: 0.005, runs: 0.05, drift: 0.03, ..QUIET },
    Machine { rounds: 0.01, processes: 0.01, bursts: 0.1, ..QUIET },
    Machine {
        rounds: 0.05,
        processes: 0.02,
        runs: 0.1,
        drift: 0.05,
        bursts: 0.1,
        long_bursts: 0.03,
        second_speed: 0.0,
    },
];

/// One on which every case runs at two speeds, as often at the second as chance has it that night.
const TWO_SPEEDS: Machine = Machine { rounds: 0.02, second_speed: 0.5, ..QUIET };

/// Verdicts of pairs of runs of identical code.
fn identical(machine: &Machine, problems: usize, pairs: u64) -> Vec<Verdict> {
    let cases = suite(problems);
    let compared =
        |pair: u64| compare(&run(&cases, machine, 2 * pair), &run(&cases, machine, 2 * pair + 1));
    (0..pairs).flat_map(|pair| compared(pair).cases).map(|case| case.verdict).collect()
}

fn is_slower(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Slower { .. })
}

#[test]
fn identical_code_is_hardly_ever_called_slower() {
    for problems in [1, 4, 16] {
        let pairs = 160 / problems as u64;
        let verdicts: Vec<Verdict> =
            MACHINES.iter().flat_map(|machine| identical(machine, problems, pairs)).collect();
        let slower = verdicts.iter().filter(|v| is_slower(v)).count();
        assert!(1000 * slower <= verdicts.len(), "{slower} of {}", verdicts.len());
    }
}

#[test]
fn a_second_speed_shows_in_what_moves_both_ways() {
    for (problems, pairs) in [(16, 40), (64, 10)] {
        let verdicts = identical(&TWO_SPEEDS, problems, pairs);
        let slower = verdicts.iter().filter(|v| is_slower(v)).count();
        assert!(1000 * slower <= verdicts.len(), "{slower} of {}", verdicts.len());
    }
}

#[test]
fn a_host_that_hindered_every_round_for_a_while_is_no_slower_code() {
    let mut now = run(&scaled(&["simple"], 1.3), &QUIET, 1);
    let then = run(&suite(18), &QUIET, 2);
    let simple = |run: &Recording| {
        run.results.iter().position(|r| r.case.implementation == "simple").unwrap_or_default()
    };
    let place = simple(&now);
    let verdict = |now: &Recording| compare(now, &then).cases[place].verdict.clone();
    assert_eq!(verdict(&now), Verdict::Slower { cause: Cause::Code });
    let Outcome::Measured { timing, .. } = &mut now.results[place].outcome else { unreachable!() };
    timing.rounds[3].samples.seconds[0] /= 1.3;
    assert_eq!(verdict(&now), Verdict::Ambiguous, "one sample was as fast as ever");
}

#[test]
fn what_became_faster_hides_nothing_on_a_gpu() {
    let mut after = scaled(&["simple"], 0.7);
    after[0].1 *= 1.1;
    let first = |vendor| {
        let mut runs = [run(&after, &QUIET, 1), run(&suite(18), &QUIET, 2)];
        runs.iter_mut().for_each(|run| run.environments[0].device.vendor = vendor);
        compare(&runs[0], &runs[1]).cases.swap_remove(0).verdict
    };
    assert_eq!(first(Vendor::Nvidia), Verdict::Slower { cause: Cause::Code });
    assert_eq!(first(Vendor::Cpu), Verdict::Ambiguous, "noise of a host may look so");
}

#[test]
fn identical_code_is_called_the_same_on_all_but_restless_machines() {
    for machine in &MACHINES[..6] {
        let verdicts = identical(machine, 18, 10);
        let same = verdicts.iter().filter(|v| **v == Verdict::Same).count();
        assert!(2 * same > verdicts.len(), "{same} of {}", verdicts.len());
    }
}

/// How many of ten pairs of runs call the first case slower when its time grows.
fn found(machine: &Machine, problems: usize, growth: f64) -> usize {
    let before = suite(problems);
    let mut after = before.clone();
    after[0].1 *= growth;
    let verdict = |seed: u64| {
        let (now, then) = (run(&after, machine, 2 * seed), run(&before, machine, 2 * seed + 1));
        compare(&now, &then).cases.swap_remove(0).verdict
    };
    let slower = Verdict::Slower { cause: Cause::Code };
    (1000..1010).filter(|seed| verdict(*seed) == slower).count()
}

#[test]
fn a_case_that_slowed_is_found() {
    assert_eq!(found(&QUIET, 12, 1.05), 10);
    assert_eq!(found(&QUIET, 3, 1.1), 10);
    assert_eq!(found(&QUIET, 1, 1.25), 10, "two controls want a larger change");
    let five_percent = Machine { rounds: 0.05, processes: 0.005, ..QUIET };
    assert!(found(&five_percent, 30, 1.25) >= 8);
}

/// A suite with the times of the named implementations scaled.
fn scaled(names: &[&str], growth: f64) -> Vec<(Script, f64)> {
    let mut cases = suite(18);
    let named = cases.iter_mut().filter(|(s, _)| names.contains(&s.implementation.as_str()));
    named.for_each(|(_, seconds)| *seconds *= growth);
    cases
}

fn against_itself(after: &[(Script, f64)]) -> RunComparison {
    compare(&run(after, &QUIET, 1), &run(&suite(18), &QUIET, 2))
}

#[test]
fn a_shift_that_rivals_share_is_the_machines() {
    let comparison = against_itself(&scaled(&["ours", "simple", "theirs"], 1.1));
    let shift = &comparison.common_shifts[0];
    assert_eq!((shift.cause, shift.by_rivals, shift.series), (Some(Cause::Machine), true, 6));
    assert!((shift.ratio - 1.0 / 1.1).abs() < 0.005, "{shift:?}");
    assert!(comparison.cases.iter().all(|case| case.verdict == Verdict::Same));
}

#[test]
fn a_shift_of_ours_alone_is_the_codes() {
    let comparison = against_itself(&scaled(&["ours", "simple"], 1.1));
    assert_eq!(comparison.common_shifts[0].cause, None);
    for case in comparison.cases {
        let wanted = if case.candidate.contains("/theirs@") {
            Verdict::Same
        } else {
            Verdict::Slower { cause: Cause::Code }
        };
        assert_eq!(case.verdict, wanted, "{}", case.candidate);
    }
}

#[test]
fn a_shift_of_all_without_rivals_is_open_but_told() {
    let ours = |mut cases: Vec<(Script, f64)>| {
        cases.retain(|(script, _)| script.standing != Standing::Rival);
        cases
    };
    let now = run(&ours(scaled(&["ours", "simple"], 1.1)), &QUIET, 1);
    let comparison = compare(&now, &run(&ours(suite(18)), &QUIET, 2));
    let shift = &comparison.common_shifts[0];
    assert_eq!((shift.cause, shift.by_rivals), (Some(Cause::Machine), false));
    assert!(comparison.cases.iter().all(|case| case.verdict == Verdict::Ambiguous));
}

#[test]
fn a_burst_over_one_problem_is_no_finding() {
    let mut cases = suite(18);
    cases.iter_mut().filter(|(s, _)| s.problem == "p6").for_each(|(_, seconds)| *seconds *= 1.3);
    let comparison = against_itself(&cases);
    assert!(comparison.cases.iter().all(|case| !is_slower(&case.verdict)));
    let hit = comparison.cases.iter().filter(|case| case.candidate.starts_with("p6/"));
    assert!(hit.into_iter().all(|case| case.verdict == Verdict::Ambiguous));
}

#[test]
fn another_driver_is_the_first_suspect() {
    let mut now = run(&scaled(&["simple"], 1.2), &QUIET, 1);
    now.environments[0].device.driver = Some("2.0".into());
    let comparison = compare(&now, &run(&suite(18), &QUIET, 2));
    let simple = comparison.cases.iter().find(|c| c.candidate.contains("/simple@")).unwrap();
    assert_eq!(simple.verdict, Verdict::Slower { cause: Cause::Driver });
}

fn one(name: &str, outcome: Option<Outcome>) -> CaseResult {
    let mut result = measured(&Script::new("p", name), &[1.0; 7]);
    result.outcome = outcome.unwrap_or(result.outcome);
    result
}

#[test]
fn every_case_of_either_run_has_a_verdict() {
    let timeout = || Some(Outcome::Timeout { limit_s: 1.0 });
    let now = recording(vec![
        one("same", None),
        one("new", None),
        one("broken", timeout()),
        one("fixed", None),
    ]);
    let then = recording(vec![
        one("gone", None),
        one("fixed", timeout()),
        one("broken", None),
        one("same", None),
    ]);
    let comparison = compare(&now, &then);
    let told: Vec<_> =
        comparison.cases.iter().map(|c| (c.candidate.as_str(), c.verdict.name())).collect();
    let id = |name: &str| one(name, None).case.id();
    let wanted = [
        (id("same"), "same"),
        (id("new"), "new"),
        (id("broken"), "broken"),
        (id("fixed"), "fixed"),
        (id("gone"), "missing"),
    ];
    assert_eq!(told, wanted.each_ref().map(|(id, verdict)| (id.as_str(), *verdict)));
    assert_eq!(comparison.baseline_run, "r");
    assert!(comparison.cases[0].evidence.is_some() && comparison.cases[1].evidence.is_none());
}

#[test]
fn another_method_forbids_times_but_not_correctness() {
    let broken = one("b", Some(Outcome::Timeout { limit_s: 1.0 }));
    let mut now = recording(vec![one("a", None), broken]);
    now.run.method_id = "n".into();
    let comparison = compare(&now, &recording(vec![one("a", None), one("b", None)]));
    let because = "the method differs: n was m".to_owned();
    assert_eq!(comparison.cases[0].verdict, Verdict::Incomparable { because });
    assert_eq!(comparison.cases[1].verdict.name(), "broken");
    assert!(comparison.common_shifts.is_empty());
}

#[test]
fn an_error_that_grew_is_told_with_the_times() {
    let mut now = one("a", None);
    if let Outcome::Measured { verification: own, .. } = &mut now.outcome {
        *own = verification(5e-6);
    }
    let comparison = compare(&recording(vec![now]), &recording(vec![one("a", None)]));
    assert_eq!(comparison.cases[0].verdict, Verdict::LessExact);
    assert!(comparison.cases[0].evidence.is_some());
}

#[test]
fn among_many_cases_a_finding_must_be_rarer_than_one_alone() {
    let slower = Verdict::Slower { cause: Cause::Code };
    // Of twenty, the rarest stands up to 5 % / 20.
    for (p_value, wanted) in [(0.0024, slower.clone()), (0.0026, Verdict::Ambiguous)] {
        let evidence = compared_with_itself();
        let judgement = |place| Judgement {
            place,
            verdict: if place == 7 { slower.clone() } else { Verdict::Same },
            evidence,
            p_value: if place == 7 { p_value } else { 0.5 },
            shift: 0.0,
        };
        let mut judgements: Vec<Judgement> = (0..20).map(judgement).collect();
        settle_discoveries(&mut judgements);
        assert_eq!(judgements[7].verdict, wanted, "p = {p_value}");
        assert!(judgements.iter().filter(|j| j.place != 7).all(|j| j.verdict == Verdict::Same));
    }
}

fn compared_with_itself() -> Evidence {
    let run = recording(vec![one("a", None)]);
    compare(&run, &run).cases[0].evidence.expect("both were measured")
}
