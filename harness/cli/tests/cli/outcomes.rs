//! What becomes of cases: every fault is an outcome of its own.

use super::desk::{Desk, OURS, SMALL, scripted};
use predicates::str::contains;

#[test]
fn every_smoke_case_of_ours_and_of_the_rivals_is_right() {
    Desk::new().tilemark("verify smoke").assert().success();
}

#[test]
fn a_shape_that_does_not_fit_is_an_outcome() {
    let huge = "run -b gemm --dtype f32 -m 4000000 -n 4000000 -k 3 -a layout=nn";
    Desk::new().tilemark(huge).assert().code(12).stdout(contains("out_of_memory"));
}

/// Runs the small problems on the null device with one fault for our simple implementation.
fn check_fault(kind: &str, at: &str, code: i32, outcome: &str) {
    let desk = Desk::new();
    let rule = format!("implementation = \"{OURS}\"\nkind = \"{kind}\"\nat = \"{at}\"\n");
    desk.write("script.toml", &format!("[[fault]]\n{rule}"));
    let flags = "-d null --null-script script.toml --timeout 1 --quick --rounds 2";
    desk.tilemark(SMALL).args(flags.split(' ')).assert().code(code).stdout(contains(outcome));
    for result in desk.recording().results {
        let expected = if result.case.implementation == OURS { outcome } else { "measured" };
        assert_eq!(result.outcome.name(), expected, "{kind} at {at}: {}", result.case.id());
    }
}

#[test]
fn every_fault_is_its_own_outcome_and_the_others_go_on() {
    check_fault("abort", "run", 12, "crash");
    check_fault("abort", "time", 12, "crash");
    check_fault("hang", "time", 12, "timeout");
    check_fault("crash", "prepare", 12, "crash");
    check_fault("compile", "prepare", 12, "compile_error");
    check_fault("out_of_memory", "prepare", 12, "out_of_memory");
    check_fault("infra", "run", 12, "infra");
    check_fault("nan", "run", 11, "nonfinite");
    check_fault("nan", "time", 11, "nonfinite");
    check_fault("zeros", "run", 11, "incorrect");
    check_fault("wrong_element", "time", 11, "incorrect");
    check_fault("input_changed", "run", 11, "incorrect");
    check_fault("guard_overwritten", "time", 11, "incorrect");
}

#[test]
fn samples_of_a_throttled_device_make_a_case_unusable() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "throttle_after = 3\n", "hot");
    let results = desk.recording().results;
    let ours = results.iter().filter(|result| result.case.implementation == OURS);
    for result in ours {
        assert_eq!(result.outcome.name(), "unusable");
    }
}
