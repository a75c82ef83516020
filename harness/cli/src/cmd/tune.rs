//! `tune`: searches the variants of implementations whose constants are data, and writes the
//! quickest right one of each problem into the family's file of choices.

use super::run::{cancel_on_ctrl_c, devices, launcher, now, selection};
use crate::args::TuneArgs;
use crate::catalog::{self, CATALOG};
use crate::exit::{Exit, UsageError};
use crate::output::{self, Progress};
use anyhow::Context;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tilemark_core::method::Method;
use tilemark_core::record::{CaseResult, Ceilings};
use tilemark_core::{Case, Info};
use tilemark_engine::measure::HostClock;
use tilemark_engine::plan::Plan;
use tilemark_engine::run::{Observer, RunError, Runner, Settings, describe};
use tilemark_engine::tune::{ChoicesFile, Search, Stages, Trial, searches, tune};
use tilemark_engine::validate::Overrides;
use tilemark_engine::worker::Launcher;

/// Searches problem by problem; what was found stays when the user breaks it off. Exit code 12 if
/// a problem has no variant that is right.
pub fn run(args: &TuneArgs) -> anyhow::Result<Exit> {
    let suite = catalog::suite(&args.suite)?;
    let choose = if args.dry_run { devices::planned } else { devices::found };
    let infos = choose(&args.selection.devices, &suite)?;
    let plan = Plan::make(&suite, &CATALOG, &infos, &selection(&args.selection))?;
    output::unmatched(&plan.unmatched);
    let searches = searches(&plan, &CATALOG, &infos)?;
    check(args, &searches, &infos)?;
    if args.dry_run {
        let groups = searches.into_iter().map(|search| search.group).collect();
        output::plan(&Plan { groups, ..Plan::default() })?;
        return Ok(Exit::Ok);
    }
    let launcher = launcher(args.null_script.as_deref())?;
    let outputs = Outputs::open(args)?;
    carry_out(args, &launcher, &searches, &infos, outputs)
}

/// A search without variants, or into a file of another family, is a mistake to be told at once.
fn check(args: &TuneArgs, searches: &[Search], infos: &[Info]) -> anyhow::Result<()> {
    let Some(first) = searches.first() else {
        let names: Vec<_> = infos.iter().map(|info| info.name.as_str()).collect();
        return Err(UsageError {
            problem: format!("nothing to tune on {}", names.join(", ")),
            hint: "constants are data in `gemm` on sm_90a; try --dry-run -b gemm -d sm_90a"
                .to_owned(),
        }
        .into());
    };
    let other = searches.iter().find(|search| search.file != first.file);
    if let (Some(out), Some(other)) = (&args.out, other) {
        return Err(UsageError {
            problem: format!(
                "--out {}: the choices belong into {} and {}",
                out.display(),
                first.file,
                other.file
            ),
            hint: "select one family with --op".to_owned(),
        }
        .into());
    }
    Ok(())
}

/// Where winners and samples go beside stdout.
struct Outputs {
    choices: Option<ChoicesFile>,
    samples: Option<File>,
}

impl Outputs {
    fn open(args: &TuneArgs) -> anyhow::Result<Self> {
        let choices = args.out.as_deref().map(ChoicesFile::open).transpose()?;
        let create = |path: &PathBuf| {
            File::create(path).with_context(|| format!("--json: cannot write {}", path.display()))
        };
        Ok(Outputs { choices, samples: args.json.as_ref().map(create).transpose()? })
    }

    /// Writes what one search found, so that it stays whatever becomes of the next.
    fn keep(&mut self, search: &Search, trial: &Trial, origin: &str) -> anyhow::Result<()> {
        if let Some(samples) = &mut self.samples {
            let line = serde_json::to_string(trial)?;
            writeln!(samples, "{line}").context("cannot write to the file that --json names")?;
        }
        let entry = trial.entry(origin);
        if let (Some(choices), Some(entry)) = (&mut self.choices, &entry) {
            choices.put(&trial.scope, entry)?;
        }
        Ok(output::trial(search, trial, entry.as_deref())?)
    }
}

fn carry_out(
    args: &TuneArgs,
    launcher: &Launcher,
    searches: &[Search],
    infos: &[Info],
    mut outputs: Outputs,
) -> anyhow::Result<Exit> {
    let cancel = cancel_on_ctrl_c()?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let stages = Stages::new(Settings {
        method: Method::quick(),
        overrides: Overrides::default(),
        verify_only: false,
        timeout: args.timeout,
        scratch: scratch.path().to_owned(),
        retries: 0,
        patience: Duration::ZERO,
    });
    let ceilings = ceilings(launcher, infos, stages.last().timeout, &cancel);
    let clock = HostClock::new();
    let mut runner = Runner::new(launcher, stages.last(), infos, &ceilings, &clock, &cancel);
    let mut exit = Exit::Ok;
    let mut talk = Talk { progress: Progress::new(searches.len()), done: 0 };
    for search in searches {
        let trial = match tune(search, &mut runner, &stages, &mut talk) {
            Ok(trial) => trial,
            Err(RunError::Interrupted) => return Ok(Exit::Interrupted),
            Err(error) => return Err(error.into()),
        };
        talk.done += 1;
        outputs.keep(search, &trial, &origin(search, infos))?;
        if trial.verdict.is_none() {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// When and with what an entry was made.
fn origin(search: &Search, infos: &[Info]) -> String {
    let date = now()[..10].to_owned();
    let device = infos.iter().find(|info| info.name == search.group.device);
    match device.and_then(|info| info.driver.as_deref()) {
        Some(driver) => format!("{date}, driver {driver}"),
        None => date,
    }
}

/// The ceilings of each device, above which no time is believed.
fn ceilings(
    launcher: &Launcher,
    infos: &[Info],
    timeout: Duration,
    cancel: &AtomicBool,
) -> HashMap<String, Ceilings> {
    let mut known = HashMap::new();
    for info in infos {
        match describe(launcher, &info.name, true, timeout, cancel) {
            Ok(described) => {
                known.extend(described.ceilings.map(|ceilings| (info.name.clone(), ceilings)));
            }
            Err(failure) => tracing::warn!("{}: no ceilings: {failure}", info.name),
        }
    }
    known
}

/// Progress over searches; what fails is told when its search ends.
struct Talk {
    progress: Progress,
    done: usize,
}

impl Observer for Talk {
    fn group_starts(&mut self, title: &str, _: usize, total: usize) {
        self.progress.group_starts(title, self.done, total);
    }

    fn turn(&mut self, case: &Case, round: u32, rounds: u32) {
        self.progress.turn(case, round, rounds);
    }

    fn case_ends(&mut self, _: &CaseResult) {}

    fn waits(&mut self, at_most_s: f64) {
        self.progress.waits(at_most_s);
    }
}
