//! `run` and `verify`: from a suite to a run folder, its tables and its page.

pub mod devices;
pub mod folder;

pub mod conclusion;
pub mod judge;

use crate::args::{RunArgs, SelectionArgs};
use crate::catalog::{self, CATALOG};
use crate::exit::{Exit, UsageError};
use crate::output::{self, Progress};
use anyhow::Context;
use conclusion::Conclusion;
use folder::Folder;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tilemark_core::method::{Launching, Method};
use tilemark_core::record::{CaseResult, Ceilings, End, Environment, Line, Run};
use tilemark_core::summary::RunSummary;
use tilemark_core::{Case, Info};
use tilemark_engine::axis::AxisValues;
use tilemark_engine::device::null::Script;
use tilemark_engine::measure::HostClock;
use tilemark_engine::plan::{Plan, Selection};
use tilemark_engine::run::{Description, RunError, Runner, Settings, describe};
use tilemark_engine::suite::{Suite, Text};
use tilemark_engine::validate::Overrides;
use tilemark_engine::worker::Launcher;
use tilemark_engine::{host, method_id, store, summarise};

/// Runs a suite; with `verify_only` it checks answers and times nothing.
pub fn run(args: &RunArgs, verify_only: bool) -> anyhow::Result<Exit> {
    let mut suite = catalog::suite(&args.suite)?;
    suite.method = method(args, &suite);
    let selection = selection(&args.selection);
    let choose = if args.dry_run { devices::planned } else { devices::found };
    let infos = choose(&args.selection.devices, &suite)?;
    let plan = Plan::make(&suite, &CATALOG, &infos, &selection)?;
    output::left_out(&plan);
    output::unmatched(&plan.unmatched);
    if args.dry_run {
        output::plan(&plan)?;
        return Ok(Exit::Ok);
    }
    let launcher = launcher(args.null_script.as_deref())?;
    let conclusion = Conclusion::open(args)?;
    let mut folder = Folder::open(args, &header(args, &suite, &plan, verify_only))?;
    let interrupted = carry_out(args, &launcher, &suite, &plan, &infos, &mut folder, verify_only)?;
    conclusion.draw(folder, interrupted)
}

/// Everything that touches a device; true if the user broke it off.
fn carry_out(
    args: &RunArgs,
    launcher: &Launcher,
    suite: &Suite,
    plan: &Plan,
    infos: &[Info],
    folder: &mut Folder,
    verify_only: bool,
) -> anyhow::Result<bool> {
    let cancel = cancel_on_ctrl_c()?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let settings = Settings {
        method: suite.method.clone(),
        overrides: Overrides { rtol: args.rtol, atol: args.atol },
        verify_only,
        timeout: args.timeout,
        scratch: scratch.path().to_owned(),
        retries: args.retries,
        patience: patience(args),
    };
    let done: HashSet<String> = folder.done().map(|result| result.case.id()).collect();
    let ceilings = environments(launcher, infos, plan, &settings, &cancel, folder)?;
    let clock = HostClock::new();
    let mut progress = Progress::new(plan.cases().count());
    let is_done = |case: &Case| done.contains(&case.id());
    let mut sink = |results: Vec<CaseResult>| folder.append(&Line::Results(results));
    let ran = Runner::new(launcher, &settings, infos, &ceilings, &clock, &cancel).run(
        plan,
        &is_done,
        &mut sink,
        &mut progress,
    );
    match ran {
        Ok(()) => Ok(false),
        Err(RunError::Interrupted) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Records what each device of the plan is, and gives its ceilings where they could be measured.
fn environments(
    launcher: &Launcher,
    infos: &[Info],
    plan: &Plan,
    settings: &Settings,
    cancel: &AtomicBool,
    folder: &mut Folder,
) -> anyhow::Result<HashMap<String, Ceilings>> {
    let mut known = HashMap::new();
    for info in infos.iter().filter(|info| plan.groups.iter().any(|g| g.device == info.name)) {
        let with_ceilings = !settings.verify_only;
        let described = describe(launcher, &info.name, with_ceilings, settings.timeout, cancel);
        let Description { info: device, ceilings, libraries } =
            described.unwrap_or_else(|failure| {
                tracing::warn!("{}: no ceilings: {failure}", info.name);
                Description { info: info.clone(), ceilings: None, libraries: Vec::new() }
            });
        known.extend(ceilings.clone().map(|ceilings| (info.name.clone(), ceilings)));
        let host = host::host();
        let environment = Environment { device, ceilings, host, libraries };
        folder.append(&Line::Environment(Box::new(environment)))?;
    }
    Ok(known)
}

fn header(args: &RunArgs, suite: &Suite, plan: &Plan, verify_only: bool) -> Run {
    Run {
        format: tilemark_core::record::FORMAT,
        id: uuid::Uuid::now_v7().to_string(),
        started: now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("TILEMARK_COMMIT").map(str::to_owned),
        argv: std::env::args().collect(),
        suite: suite.name.clone(),
        method_id: method_id(&suite.method),
        method: suite.method.clone(),
        verify_only,
        expected_cases: plan.cases().count() as u64,
        plan_id: plan.id(),
        rtol: args.rtol,
        atol: args.atol,
        tags: args.folder.tags.clone(),
    }
}

/// The time, RFC 3339 in UTC.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn end(finished_cases: usize, interrupted: bool) -> End {
    End { ended: now(), finished_cases: finished_cases as u64, interrupted }
}

fn method(args: &RunArgs, suite: &Suite) -> Method {
    let mut method = if args.method.quick { Method::quick() } else { suite.method.clone() };
    method.regime = args.method.regime.unwrap_or(method.regime);
    method.cache = args.method.cache.unwrap_or(method.cache);
    if args.method.graph {
        method.launching = Launching::Graph;
    }
    method.rounds = args.method.rounds.unwrap_or(method.rounds);
    method
}

/// The selection as the planner takes it.
pub(super) fn selection(args: &SelectionArgs) -> Selection {
    let short = [("m", args.m), ("n", args.n), ("k", args.k)];
    let short = short.iter().filter_map(|(axis, n)| n.map(|n| AxisValues::single(axis, n)));
    Selection {
        families: args.families.clone(),
        only: args.only.clone(),
        skip: args.skip.clone(),
        axes: args.axes.iter().cloned().chain(short).collect(),
        dtypes: args.dtypes.clone(),
        distributions: args.distributions.clone(),
        seed: args.seed,
        shard: args.shard,
    }
}

/// Workers of this program, which follow the script on the null device.
pub(super) fn launcher(null_script: Option<&Path>) -> anyhow::Result<Launcher> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut arguments = vec!["worker".to_owned()];
    if let Some(script) = null_script {
        check_script(script)?;
        arguments.extend(["--null-script".to_owned(), script.display().to_string()]);
    }
    Ok(Launcher { program, arguments })
}

/// A script that no worker could read is a mistake to be told before there is one.
fn check_script(path: &Path) -> Result<(), UsageError> {
    let file = path.display().to_string();
    let mistake = |problem: String| UsageError {
        problem: format!("--null-script {problem}"),
        hint: "the head of harness/engine/src/device/null.rs shows a script".to_owned(),
    };
    let bytes = std::fs::read(path).map_err(|error| mistake(format!("{file}: {error}")))?;
    let script: Result<Script, _> = Text::new(&file, &bytes).and_then(Text::parse);
    script.map(drop).map_err(|error| mistake(error.to_string()))
}

/// A flag that Ctrl-C raises.
pub(super) fn cancel_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .context("cannot listen to Ctrl-C")?;
    Ok(cancel)
}

fn summary_of(path: &Path) -> anyhow::Result<RunSummary> {
    Ok(summarise::summarise(&store::read(path)?))
}

/// Unless told otherwise; nobody waits for a first look.
fn patience(args: &RunArgs) -> Duration {
    let default_s = if args.method.quick { 0 } else { 30 };
    args.patience.unwrap_or(Duration::from_secs(default_s))
}
