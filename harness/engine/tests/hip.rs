//! AMD's kernels from source to verdict without an AMD GPU: clang compiles, the interpreter stands in
//! for HIP's library, and this test binary is its own worker.

mod common;

use common::SumOfSquares;
use common::running::{self, settings};
use libtest_mimic::{Arguments, Failed, Trial};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tilemark_core::family::{Code, Standing};
use tilemark_core::launch::{Argument, Launch, Plan, Source, Step};
use tilemark_core::record::{CaseResult, Outcome};
use tilemark_core::{Fault, Implementation, Info, Problem};
use tilemark_engine::catalog::Catalog;
use tilemark_engine::device;
use tilemark_engine::plan::{Plan as Cases, Selection};
use tilemark_engine::run::describe;
use tilemark_engine::suite::Suite;
use tilemark_engine::worker::{Launcher, serve};

const SUITE: &str = r#"
about = "a test"
method = { preset = "quick", rounds = 2 }
[[entry]]
family = "sum_of_squares"
shapes = [{ rows = 131 }]
"#;

static FAULTS: Source =
    Source { path: "hip/faults.hip", text: include_str!("hip/faults.hip"), headers: &[] };

/// An implementation whose kernel has its own name; what it computes is `$scale` times the truth.
macro_rules! implementation {
    ($name:literal, $entry:literal, $scale:literal) => {
        Implementation {
            name: $name,
            idea: "a test",
            standing: Standing::Rival,
            supports: |_, device| match device.arch.as_str() {
                "gfx942" | "gfx950" => Ok(()),
                other => Err(format!("not for {other}")),
            },
            code: Code::Steps(|problem, _| plan($entry, $scale, problem)),
        }
    };
}

static CATALOG: Catalog = Catalog {
    families: &[&SumOfSquares],
    rivals: &[
        ("sum_of_squares", &implementation!("interpreted", "honest", 1)),
        ("sum_of_squares", &implementation!("doubled", "honest", 2)),
        ("sum_of_squares", &implementation!("wrong_at_the_end", "is_wrong", 1)),
        ("sum_of_squares", &implementation!("out_of_bounds", "illegal_address", 1)),
        ("sum_of_squares", &implementation!("missing", "no_such_kernel", 1)),
    ],
    libraries: |_| Vec::new(),
};

fn plan(entry: &'static str, scale: i64, problem: &Problem) -> Plan {
    let [rows, columns] = ["rows", "columns"].map(|axis| problem.shape.integer(axis) as u32);
    let tensor = |tensor| Argument::Tensor { tensor, offset_bytes: 0 };
    let launch = Launch {
        source: &FAULTS,
        entry,
        constants: vec![("SCALE", scale.into())],
        grid: [rows.div_ceil(64), 1, 1],
        block: [64, 1, 1],
        cluster: [1; 3],
        dynamic_shared_bytes: 0,
        arguments: vec![
            tensor(0),
            tensor(1),
            Argument::I32(rows as i32),
            Argument::I32(columns as i32),
        ],
    };
    Plan {
        scratch: Vec::new(),
        steps: vec![Step::Fill { tensor: 1, byte: 0 }, Step::Launch(launch)],
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "worker") {
        let device = device::open(&arguments[3], None);
        return serve(&CATALOG, device.map_err(|e| Fault::Infra { message: e.to_string() }));
    }
    let mut trials = vec![Trial::test("an_absent_gpu_is_explained", an_absent_gpu_is_explained)];
    for arch in ["gfx942", "gfx950"] {
        let trial = |name: &str, test: fn(&str) -> Result<(), Failed>| {
            Trial::test(format!("{name}_{arch}"), move || test(arch))
        };
        trials.push(trial("the_device_says_that_it_is_interpreted", says_that_it_is_interpreted));
        trials.push(trial("answers_are_checked_and_no_time_is_kept", answers_are_checked));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Whoever has ROCm sees devices instead.
fn an_absent_gpu_is_explained() -> Result<(), Failed> {
    let listings = device::list();
    match listings.iter().find(|listing| listing.name.starts_with("hip")) {
        Some(listing) if listing.name.starts_with("hip:") => Ok(()),
        Some(listing) if listing.found.as_ref().is_err_and(|why| why.contains("libamdhip64")) => {
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}

/// This program as a worker on the interpreter of an architecture.
fn launcher(arch: &str) -> Launcher {
    let program = std::env::current_exe().expect("this program has a file");
    Launcher {
        program: "/usr/bin/env".into(),
        arguments: vec![
            format!("TILEMARK_HIP=interpreter:{arch}"),
            program.display().to_string(),
            "worker".to_owned(),
        ],
    }
}

fn info(arch: &str) -> Info {
    let limit = Duration::from_secs(30);
    let described = describe(&launcher(arch), "hip:0", true, limit, &AtomicBool::new(false));
    let description = described.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(description.ceilings, None);
    description.info
}

fn says_that_it_is_interpreted(arch: &str) -> Result<(), Failed> {
    let info = info(arch);
    assert_eq!((info.name.as_str(), info.arch.as_str()), ("hip:0", arch));
    assert_eq!(info.model, format!("interpreted {arch}"));
    assert!(!info.keeps_time());
    Ok(())
}

/// A run that would time on another device: here it ends with the verdicts.
fn answers_are_checked(arch: &str) -> Result<(), Failed> {
    let results = run(arch);
    let outcome = |name: &str| {
        let found = results.iter().find(|result| result.case.implementation == name);
        found.map(|result| &result.outcome).expect("every implementation has its case")
    };
    assert!(matches!(outcome("interpreted"), Outcome::Verified { .. }), "{results:?}");
    assert!(matches!(outcome("doubled"), Outcome::Incorrect { .. }), "{results:?}");
    assert!(matches!(outcome("wrong_at_the_end"), Outcome::Incorrect { .. }), "{results:?}");
    let out_of_bounds = outcome("out_of_bounds");
    // The record says which instruction of which lane it was, and its line in the source.
    let told = matches!(out_of_bounds, Outcome::Crash { message }
        if message.contains("hipErrorIllegalAddress") && message.contains("faults.hip"));
    assert!(told, "{out_of_bounds:?}");
    let missing = outcome("missing");
    let told = matches!(missing, Outcome::Infra { message } if message.contains("no_such_kernel"));
    assert!(told, "{missing:?}");

    let honest = results.iter().find(|result| result.case.implementation == "interpreted");
    let code = &honest.expect("it is there").code;
    assert!(code.len() == 1 && code[0].kernel == "honest" && code[0].registers > 0, "{code:?}");
    Ok(())
}

fn run(arch: &str) -> Vec<CaseResult> {
    let infos = [info(arch)];
    let suite = Suite::parse("test.toml", SUITE).expect("the suite is valid");
    let plan = Cases::make(&suite, &CATALOG, &infos, &Selection::default());
    let scratch = tempfile::tempdir().expect("there is a temporary folder");
    let settings = settings(suite.method, Duration::from_secs(60), scratch.path());
    running::results(&launcher(arch), &settings, &infos, &plan.expect("there is a plan"))
}
