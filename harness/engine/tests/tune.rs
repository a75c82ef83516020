//! Searches over variants of which some fail, for real: this test binary is its own worker on the
//! null device, whose script says how long each variant takes.

mod common;

use common::CATALOG;
use common::running::{Silent, launcher, settings};
use libtest_mimic::{Arguments, Failed, Trial as Test};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tilemark_core::method::Method;
use tilemark_core::record::CaseResult;
use tilemark_core::{Case, Fault, Info};
use tilemark_engine::device;
use tilemark_engine::measure::HostClock;
use tilemark_engine::plan::{Plan, PlanError, Selection};
use tilemark_engine::run::{RunError, Runner};
use tilemark_engine::suite::Suite;
use tilemark_engine::tune::{Search, Stages, Trial, searches, tune};
use tilemark_engine::worker::serve;

const SUITE: &str = r#"
about = "a test"
[[entry]]
family = "sum_of_squares"
shapes = [{ rows = [7, 131] }]
"#;

/// What fails is quick: only the gate keeps it from winning.
const QUICK_B: &str = r#"
time = [
    { implementation = "*present*", seconds = 2e-3, noise = 0.01 },
    { implementation = "*\"a\"*", seconds = 1.9e-3, noise = 0.01 },
    { implementation = "*\"b\"*", seconds = 1.8e-3, noise = 0.01 },
    { implementation = "*\"c\"*", seconds = 3e-3, noise = 0.01 },
]
"#;

const NONE_IS_QUICKER: &str = r#"
time = [
    { implementation = "*present*", seconds = 2e-3 },
    { implementation = "*\"a\"*", seconds = 1.996e-3 },
    { implementation = "*\"b\"*", seconds = 2e-3 },
    { implementation = "*\"c\"*", seconds = 3e-3 },
]
"#;

const ALL_WRONG: &str = r#"fault = [{ kind = "zeros", at = "run" }]"#;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, worker, script, _, name, ..] = &arguments[..]
        && worker == "worker"
    {
        let device = device::open(name, Some(script));
        return serve(&CATALOG, device.map_err(|e| Fault::Infra { message: e.to_string() }));
    }
    let tests = vec![
        Test::test("the_quickest_right_variant_wins", the_quickest_right_variant_wins),
        Test::test("a_tie_keeps_the_present_choice", a_tie_keeps_the_present_choice),
        Test::test("nothing_right_is_no_winner", nothing_right_is_no_winner),
        Test::test("an_interrupted_search_says_so", an_interrupted_search_says_so),
        Test::test("a_search_is_made_for_each_problem", a_search_is_made_for_each_problem),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn the_quickest_right_variant_wins() -> Result<(), Failed> {
    let trial = carry_out(QUICK_B, &AtomicBool::new(false))?;
    expect_eq(&trial.entry("today"), &Some(
        "{ rows = 7, tile = \"b\" }, # 1.80 ms; was 2.00 ms; others 1.90 ms, 2.00 ms, 3.00 ms; today".to_owned(),
    ))?;
    let outcomes: Vec<_> = trial.left_out().map(|r| (tile(&r.case), r.outcome.name())).collect();
    expect_eq(
        &outcomes,
        &vec![
            ("aborts", "crash"),
            ("is_wrong", "incorrect"),
            ("goes_stale", "incorrect"),
            ("spins", "timeout"),
        ],
    )?;
    let rounds = |results: &[CaseResult]| -> Vec<(String, usize)> {
        let timed = results.iter().filter_map(|r| Some((r, r.outcome.timing()?)));
        timed.map(|(r, timing)| (tile(&r.case).to_owned(), timing.rounds.len())).collect()
    };
    let each = |n| ["present", "a", "b", "c"].map(|tile| (tile.to_owned(), n)).to_vec();
    expect_eq(&rounds(&trial.screened), &each(1))?;
    expect_eq(&rounds(&trial.last), &each(7))
}

fn a_tie_keeps_the_present_choice() -> Result<(), Failed> {
    let trial = carry_out(NONE_IS_QUICKER, &AtomicBool::new(false))?;
    let verdict = trial.verdict.ok_or("there is no verdict")?;
    expect_eq(&(verdict.choice.as_str(), verdict.is_present), &("tile = \"present\"", true))
}

fn nothing_right_is_no_winner() -> Result<(), Failed> {
    let trial = carry_out(ALL_WRONG, &AtomicBool::new(false))?;
    expect_eq(&(trial.verdict.is_none(), trial.last.len()), &(true, 0))?;
    expect_eq(&(trial.entry("today"), trial.left_out().count()), &(None, 8))
}

fn an_interrupted_search_says_so() -> Result<(), Failed> {
    let cancel = AtomicBool::new(false);
    cancel.store(true, Ordering::Relaxed);
    match carry_out(QUICK_B, &cancel) {
        Err(RunError::Interrupted) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn a_search_is_made_for_each_problem() -> Result<(), Failed> {
    let found = all_searches(&Selection::default())?;
    let scopes: Vec<_> = found.iter().map(|search| search.scope.as_str()).collect();
    expect_eq(&scopes, &vec!["rows = 7", "rows = 131"])?;
    expect_eq(&found[0].group.cases.len(), &8)?;
    expect_eq(
        &found[0].group.cases[5].case.id(),
        &"sum_of_squares/f32/rows=7,columns=64/normal/42/honest[tile = \"a\"]@null".to_owned(),
    )?;
    let rival = Selection { only: vec!["rival".to_owned()], ..Selection::default() };
    expect_eq(&all_searches(&rival)?.len(), &0)
}

/// The search at the first problem.
fn carry_out(script: &str, cancel: &AtomicBool) -> Result<Trial, RunError> {
    let search = all_searches(&Selection::default()).expect("there is a plan").swap_remove(0);
    let launcher = launcher(&["worker", script]);
    let scratch = tempfile::tempdir().expect("there is a temporary folder");
    let settings = settings(Method::quick(), Duration::from_secs(2), scratch.path());
    let stages = Stages::new(settings);
    let (infos, clock, ceilings) = ([null()], HostClock::new(), HashMap::new());
    let mut runner = Runner::new(&launcher, stages.last(), &infos, &ceilings, &clock, cancel);
    tune(&search, &mut runner, &stages, &mut Silent)
}

fn all_searches(selection: &Selection) -> Result<Vec<Search>, PlanError> {
    let suite = Suite::parse("test.toml", SUITE).expect("the suite is valid");
    let devices = [null()];
    let plan = Plan::make(&suite, &CATALOG, &devices, selection)?;
    Ok(searches(&plan, &CATALOG, &devices)?)
}

fn null() -> Info {
    device::info("null").expect("there is always a null device")
}

fn tile(case: &Case) -> &str {
    let choice = case.variant.as_deref().unwrap_or_default();
    choice.trim_start_matches("tile = ").trim_matches('"')
}

fn expect_eq<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Result<(), Failed> {
    if found == wanted { Ok(()) } else { Err(format!("{found:?} is not {wanted:?}").into()) }
}
