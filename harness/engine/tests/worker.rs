//! Workers that fail, for real: this test binary is its own worker on the CPU device.
//!
//! Each failure becomes its case's outcome, and the cases beside it are measured all the same.

mod common;

use common::CATALOG;
use common::rotating::Rotating;
use common::running::{self, launcher, settings};
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tilemark_core::method::Method;
use tilemark_core::record::{CaseResult, Outcome, Round};
use tilemark_core::{Device, Fault};
use tilemark_engine::compare::company;
use tilemark_engine::device;
use tilemark_engine::plan::{Plan, Selection};
use tilemark_engine::run::{Settings, describe};
use tilemark_engine::suite::Suite;
use tilemark_engine::worker::serve;

const SUITE: &str = r#"
about = "a test"
method = { preset = "quick", rounds = 2 }
[[entry]]
family = "sum_of_squares"
shapes = [{ rows = 131 }]
"#;

/// The first argument of a worker, and of one whose sets of tensors take turns.
const WORKER: &str = "worker";
const ROTATING: &str = "rotating_worker";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(worker) =
        arguments.get(1).filter(|first| [WORKER, ROTATING].contains(&first.as_str()))
    {
        let device = device::open(&arguments[3], None);
        let device = device.map_err(|e| Fault::Infra { message: e.to_string() });
        let rotates = |cpu| -> Box<dyn Device> { Box::new(Rotating::new(cpu)) };
        return serve(&CATALOG, if worker == ROTATING { device.map(rotates) } else { device });
    }
    let check = |implementation: &'static str, expected: fn(&Outcome) -> bool| {
        Trial::test(implementation, move || check(implementation, expected))
    };
    let trials = vec![
        // Two rounds and four are too few for an interval, so that six are taken.
        check(
            "honest",
            |outcome| matches!(outcome, Outcome::Measured { timing, .. } if timing.rounds.len() == 6),
        ),
        check(
            "aborts",
            |outcome| matches!(outcome, Outcome::Crash { message } if message.contains("SIGABRT")),
        ),
        check("leaves_a_child", |outcome| matches!(outcome, Outcome::Crash { .. })),
        check("spins", |outcome| matches!(outcome, Outcome::Timeout { .. })),
        check(
            "panics",
            |outcome| matches!(outcome, Outcome::Crash { message } if message.contains("on purpose")),
        ),
        check("leaves_nan", |outcome| matches!(outcome, Outcome::Nonfinite { .. })),
        check("is_wrong", |outcome| matches!(outcome, Outcome::Incorrect { .. })),
        check("writes_nothing", |outcome| matches!(outcome, Outcome::Nonfinite { .. })),
        check("writes_only_once", |outcome| matches!(outcome, Outcome::Nonfinite { .. })),
        check("goes_stale", |outcome| matches!(outcome, Outcome::Incorrect { .. })),
        Trial::test("every_set_of_tensors_is_checked", every_set_is_checked),
        Trial::test("names_the_libraries", names_the_libraries),
        Trial::test("a_crash_is_tried_again_with_a_new_worker", a_crash_is_tried_again),
        Trial::test("rungs_rest_once_they_have_taken_their_rounds", rungs_rest),
        Trial::test("disturbed_rounds_are_made_up_for", makes_up_for_disturbed_rounds),
        Trial::test("a_case_goes_on_in_new_processes_each_of_which_is_checked", new_processes),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Runs one implementation beside the rival.
fn check(implementation: &str, expected: fn(&Outcome) -> bool) -> Result<(), Failed> {
    let results = How::usual().run(&[implementation, "rival"]);
    let of = |name: &str| results.iter().find(|result| result.case.implementation == name);
    let (Some(failing), Some(rival)) = (of(implementation), of("rival")) else {
        return Err(format!("two results were expected: {results:?}").into());
    };
    if !expected(&failing.outcome) {
        return Err(format!("{implementation} ended as {:?}", failing.outcome).into());
    }
    if !matches!(rival.outcome, Outcome::Measured { .. }) {
        return Err(format!("the rival beside it ended as {:?}", rival.outcome).into());
    }
    Ok(())
}

fn a_crash_is_tried_again() -> Result<(), Failed> {
    let mark = common::abort_mark(std::process::id());
    let results = How { retries: 1, ..How::usual() }.run(&["aborts_once", "rival"]);
    std::fs::remove_file(mark)?;
    let measured = |result: &CaseResult| matches!(result.outcome, Outcome::Measured { .. });
    if results.len() != 2 || !results.iter().all(measured) {
        return Err(format!("{results:?}").into());
    }
    // The crash stays with the case that crashed.
    for result in &results {
        let crashed = result.case.implementation == "aborts_once";
        if result.earlier.iter().map(Outcome::name).ne(crashed.then_some("crash")) {
            return Err(format!("{}: {:?}", result.case.id(), result.earlier).into());
        }
    }
    Ok(())
}

fn rungs_rest() -> Result<(), Failed> {
    let results = How::usual().run(&["honest", "rung", "rival"]);
    let rounds = |result: &CaseResult| {
        let rounds = result.outcome.timing().map_or(0, |timing| timing.rounds.len());
        (result.case.implementation.clone(), rounds)
    };
    let found: Vec<_> = results.iter().map(rounds).collect();
    let wanted = [("honest", 6), ("rung", 2), ("rival", 6)];
    if found != wanted.map(|(name, rounds)| (name.to_owned(), rounds)) {
        return Err(format!("{found:?}").into());
    }
    Ok(())
}

/// Six rounds take six processes where the method allows as many, one where it allows none; what
/// else the host does is told all the same, over turns that last; and a process whose answer is
/// wrong ends the case, whatever those before it answered.
fn new_processes() -> Result<(), Failed> {
    let marks = common::process_marks(std::process::id());
    for (fresh_workers_s, wanted) in [(60.0, 6), (0.0, 1)] {
        let (settle_window_s, settle_max_s) = (0.05, 0.2);
        let method = Method { fresh_workers_s, settle_window_s, settle_max_s, ..suite().method };
        let results = How { method, ..How::usual() }.run(&["leaves_its_mark", "rival"]);
        let processes = std::fs::read_dir(&marks)?.count();
        std::fs::remove_dir_all(&marks)?;
        let rounds = results[0].outcome.timing().map(|timing| timing.rounds.len());
        if (rounds, processes) != (Some(6), wanted) {
            return Err(format!("{processes} processes: {results:?}").into());
        }
        let last = results[0].outcome.timing().and_then(|timing| timing.rounds.last());
        if last.and_then(|round| round.telemetry.other_load).is_none() {
            return Err(format!("nothing is told of others: {results:?}").into());
        }
    }
    let method = Method { fresh_workers_s: 60.0, ..suite().method };
    let results = How { method, ..How::usual() }.run(&["is_right_in_its_first_process", "rival"]);
    std::fs::remove_dir_all(&marks)?;
    let wrong = |result: &CaseResult| matches!(result.outcome, Outcome::Incorrect { .. });
    if results.iter().map(wrong).ne([true, false]) {
        return Err(format!("{results:?}").into());
    }
    Ok(())
}

/// What serves the first set of tensors alone is right where there is no other, and is found out where
/// sets take turns, although what the first one holds is right.
fn every_set_is_checked() -> Result<(), Failed> {
    let outcomes = |worker: &'static str| {
        let results = How { worker, ..How::usual() }.run(&["serves_one_set", "rival"]);
        results.into_iter().map(|result| result.outcome.name()).collect::<Vec<_>>()
    };
    match [outcomes(WORKER), outcomes(ROTATING)] {
        [one, many] if one == ["measured"; 2] && many == ["nonfinite", "measured"] => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Rounds beside a process that keeps a core busy are made up for once it is gone: at least five are
/// left that nobody disturbed, unless the patience is used up, since a test's host has other tests.
fn makes_up_for_disturbed_rounds() -> Result<(), Failed> {
    let patience = Duration::from_secs(6);
    let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn()?;
    let ends = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        busy.kill().and_then(|()| busy.wait())
    });
    let start = Instant::now();
    let (settle_window_s, settle_max_s) = (0.05, 0.2);
    let method = Method { rounds: 5, blocks: 1, settle_window_s, settle_max_s, ..suite().method };
    let results = How { method, patience, ..How::usual() }.run(&["honest", "rival"]);
    ends.join().expect("it waits and kills")?;
    for result in &results {
        let rounds =
            result.outcome.timing().map(|timing| timing.rounds.clone()).unwrap_or_default();
        let others = |round: &Round| round.telemetry.other_load.unwrap_or(0.0);
        let disturbed = rounds.iter().filter(|round| company::is_busy(others(round))).count();
        if disturbed == 0 {
            return Err(format!("the busy process was not noticed: {result:?}").into());
        }
        if rounds.len() - disturbed < 5 && start.elapsed() < patience {
            return Err(format!("{disturbed} of {} were disturbed", rounds.len()).into());
        }
    }
    Ok(())
}

/// The record says which libraries the rivals called, as the worker found them.
fn names_the_libraries() -> Result<(), Failed> {
    let (limit, cancel) = (Duration::from_secs(2), AtomicBool::new(false));
    let described = describe(&launcher(&[WORKER]), "cpu", false, limit, &cancel)?;
    if described.libraries != [("libsquares".to_owned(), "1.2".to_owned())] {
        return Err(format!("{described:?}").into());
    }
    Ok(())
}

fn suite() -> Suite {
    Suite::parse("test.toml", SUITE).expect("the suite is valid")
}

/// How implementations are run.
struct How {
    worker: &'static str,
    method: Method,
    retries: u32,
    patience: Duration,
}

impl How {
    fn usual() -> Self {
        let method = suite().method;
        How { worker: WORKER, method, retries: 0, patience: Duration::ZERO }
    }

    fn run(self, implementations: &[&str]) -> Vec<CaseResult> {
        let infos = [device::info("cpu").expect("there is always a CPU")];
        let only = implementations.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { only, ..Selection::default() };
        let plan = Plan::make(&suite(), &CATALOG, &infos, &selection).expect("there is a plan");
        let scratch = tempfile::tempdir().expect("there is a temporary folder");
        let settings = Settings {
            retries: self.retries,
            patience: self.patience,
            ..settings(self.method, Duration::from_secs(2), scratch.path())
        };
        running::results(&launcher(&[self.worker]), &settings, &infos, &plan)
    }
}
