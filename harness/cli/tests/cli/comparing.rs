//! A run beside another: what became worse, and the names of baselines.

use super::desk::{Desk, OURS, SMALL, interrupt, scripted, scripted_small, wait_for_record};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;

#[test]
fn a_run_compared_with_itself_has_no_difference() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "", "one");
    let slower = contains("slower").or(contains("faster")).not();
    desk.tilemark("compare one one").assert().success().stdout(slower);
    desk.tilemark("compare one one --json").assert().success().stdout(contains("\"cases\""));
}

#[test]
fn a_regression_is_found_and_a_repetition_is_not() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "", "before");
    scripted(&desk, 1e-3, "", "again");
    scripted(&desk, 1.1e-3, "", "slower");
    desk.tilemark("compare again before").assert().success();
    desk.tilemark("compare slower before").assert().code(10).stdout(contains("slower ("));
    desk.tilemark("compare before slower").assert().success().stdout(contains("faster"));
}

/// Runs the small problems on the null device, ours with this fault if any, and gives the run a
/// name.
fn small_run(desk: &Desk, verb: &str, fault: &str, name: &str) {
    desk.write("script.toml", fault);
    let small = SMALL.strip_prefix("run").expect("it runs");
    let flags = format!("{verb}{small} -d null --null-script script.toml --timeout 1 --quick");
    let _ = desk.tilemark(&flags).args(["--save-baseline", name]).assert();
}

#[test]
fn a_comparison_ends_with_what_became_worse() {
    let desk = Desk::new();
    let fault =
        |kind| format!("[[fault]]\nimplementation = \"{OURS}\"\nkind = \"{kind}\"\nat = \"run\"\n");
    small_run(&desk, "run", "", "right");
    small_run(&desk, "run", &fault("abort"), "crashed");
    small_run(&desk, "run", &fault("hang"), "hung");
    small_run(&desk, "run", &fault("zeros"), "wrong");
    desk.tilemark("compare crashed right").assert().code(12);
    desk.tilemark("compare hung right").assert().code(12);
    desk.tilemark("compare wrong right").assert().code(11);
    desk.tilemark("compare wrong right --fail-on none").assert().success();
    desk.tilemark("compare crashed crashed").assert().success().stdout(contains("both_failed"));
}

#[test]
fn a_verified_run_is_compared_by_its_answers() {
    let desk = Desk::new();
    small_run(&desk, "run", "", "timed");
    small_run(&desk, "verify", "", "verified");
    for pair in ["verified timed", "timed verified", "verified verified"] {
        desk.tilemark(&format!("compare {pair}")).assert().success().stdout(contains("same"));
    }
    let fault = "[[fault]]\nkind = \"zeros\"\nat = \"run\"\n";
    small_run(&desk, "verify", fault, "wrong");
    desk.tilemark("compare wrong timed").assert().code(11);
    let verify = SMALL.replacen("run", "verify", 1);
    desk.tilemark(&verify).args("-d null --baseline timed".split(' ')).assert().success();
}

#[test]
fn two_methods_cannot_be_compared() {
    let desk = Desk::new();
    desk.tilemark(SMALL).args(["--save-baseline", "a"]).assert().success();
    desk.tilemark(SMALL).args("--save-baseline b --cache hot".split(' ')).assert().success();
    desk.tilemark("compare a b").assert().code(14).stdout(contains("the method differs"));
}

#[test]
fn a_name_goes_only_to_a_run_that_came_to_its_end() {
    let desk = Desk::new();
    small_run(&desk, "run", "", "monday");
    assert!(desk.path("runs/monday.baseline").is_file());
    desk.write("script.toml", "[[fault]]\nkind = \"hang\"\nat = \"run\"\n");
    let endless = "-d null --null-script script.toml --save-baseline monday -o broken_off";
    let mut program = desk.start(&format!("{SMALL} {endless}"));
    wait_for_record(&desk.path("broken_off"));
    assert_eq!(interrupt(&mut program), Some(130));
    assert!(!desk.path("broken_off/monday.baseline").exists());
}

#[test]
fn a_name_finds_a_run_that_was_resumed_elsewhere() {
    let desk = Desk::new();
    let command = scripted_small("-o other");
    desk.tilemark(&command).assert().success();
    let folders = fs::read_dir(desk.path("other")).expect("there are runs");
    let run = folders.last().expect("there is a run").expect("it can be read").file_name();
    let run = format!("other/{}", run.to_string_lossy());
    let resume = scripted_small(&format!("--resume {run} --save-baseline x"));
    desk.tilemark(&resume).assert().success();
    desk.tilemark(&format!("compare x {run}")).assert().success();
}
