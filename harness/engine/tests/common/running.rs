//! A plan from its first worker to its results, in silence; the test's own binary is the worker.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tilemark_core::method::Method;
use tilemark_core::record::CaseResult;
use tilemark_core::{Case, Info};
use tilemark_engine::measure::HostClock;
use tilemark_engine::plan::Plan;
use tilemark_engine::run::{Observer, Runner, Settings};
use tilemark_engine::validate::Overrides;
use tilemark_engine::worker::Launcher;

/// Workers that get these arguments before the engine's.
pub fn launcher(arguments: &[&str]) -> Launcher {
    Launcher {
        program: std::env::current_exe().expect("this program has a file"),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
    }
}

/// Every case once, nobody waited for.
pub fn settings(method: Method, timeout: Duration, scratch: &Path) -> Settings {
    Settings {
        method,
        overrides: Overrides::default(),
        verify_only: false,
        timeout,
        scratch: scratch.to_owned(),
        retries: 0,
        patience: Duration::ZERO,
    }
}

/// The results of all cases.
pub fn results(
    launcher: &Launcher,
    settings: &Settings,
    infos: &[Info],
    plan: &Plan,
) -> Vec<CaseResult> {
    let (clock, cancel, ceilings) = (HostClock::new(), AtomicBool::new(false), HashMap::new());
    let mut results = Vec::new();
    Runner::new(launcher, settings, infos, &ceilings, &clock, &cancel)
        .run(
            plan,
            &|_| false,
            &mut |group| {
                results.extend(group);
                Ok(())
            },
            &mut Silent,
        )
        .expect("nothing breaks the run off");
    results
}

/// Tells nobody.
pub struct Silent;

impl Observer for Silent {
    fn group_starts(&mut self, _: &str, _: usize, _: usize) {}
    fn turn(&mut self, _: &Case, _: u32, _: u32) {}
    fn case_ends(&mut self, _: &CaseResult) {}
    fn waits(&mut self, _: f64) {}
}
