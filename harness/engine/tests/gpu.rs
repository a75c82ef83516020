//! Kernels that fail on a real GPU: this test binary is its own worker there.
//!
//! Each failure becomes its case's outcome, and the honest kernel that takes turns with it, and the
//! one that comes after it, are measured all the same. On a machine without a GPU one test remains:
//! that the backend says what it looked for.

mod common;

use common::SumOfSquares;
use common::running::{self, launcher, settings};
use libtest_mimic::{Arguments, Failed, Trial};
use std::time::Duration;
use tilemark_core::family::{Code, Standing};
use tilemark_core::launch::{Argument, Launch, Plan, Source, Step};
use tilemark_core::method::Launching;
use tilemark_core::record::{CaseResult, Outcome};
use tilemark_core::{Bytes, Fault, Implementation, Problem};
use tilemark_engine::catalog::Catalog;
use tilemark_engine::device;
use tilemark_engine::plan::{Plan as Cases, Selection};
use tilemark_engine::suite::Suite;
use tilemark_engine::worker::serve;

const DEVICE: &str = "cuda:0";

const SUITE: &str = r#"
about = "a test"
method = { preset = "quick", rounds = 2 }
[[entry]]
family = "sum_of_squares"
shapes = [{ rows = 131 }]
"#;

static FAULTS: Source =
    Source { path: "gpu/faults.cu", text: include_str!("gpu/faults.cu"), headers: &[] };

/// An implementation that is a kernel of that name; the family has others of its own on a host.
macro_rules! implementation {
    ($name:literal) => {
        Implementation {
            name: concat!("gpu_", $name),
            idea: "a test",
            standing: Standing::Rival,
            supports: |_, _| Ok(()),
            code: Code::Steps(|problem, _| plan($name, problem)),
        }
    };
}

/// Asks for more memory of its own than any device has.
static GREEDY: Implementation = Implementation {
    code: Code::Steps(|problem, _| Plan {
        scratch: vec![Bytes(1 << 50)],
        ..plan("honest", problem)
    }),
    ..implementation!("greedy")
};

/// Asks for more threads in a block than any device has.
static TOO_WIDE: Implementation = Implementation {
    code: Code::Steps(|problem, _| {
        let mut plan = plan("honest", problem);
        if let Step::Launch(launch) = &mut plan.steps[0] {
            launch.block = [4096, 1, 1];
        }
        plan
    }),
    ..implementation!("too_wide")
};

static CATALOG: Catalog = Catalog {
    families: &[&SumOfSquares],
    rivals: &[
        ("sum_of_squares", &implementation!("honest")),
        ("sum_of_squares", &implementation!("illegal_address")),
        ("sum_of_squares", &implementation!("misaligned_address")),
        ("sum_of_squares", &implementation!("traps")),
        ("sum_of_squares", &implementation!("hangs")),
        ("sum_of_squares", &implementation!("is_wrong")),
        ("sum_of_squares", &implementation!("writes_nothing")),
        ("sum_of_squares", &implementation!("writes_beside")),
        ("sum_of_squares", &implementation!("changes_an_input")),
        ("sum_of_squares", &implementation!("goes_stale")),
        ("sum_of_squares", &implementation!("no_such_kernel")),
        ("sum_of_squares", &GREEDY),
        ("sum_of_squares", &TOO_WIDE),
    ],
    libraries: |_| Vec::new(),
};

fn plan(entry: &'static str, problem: &Problem) -> Plan {
    let [rows, columns] = ["rows", "columns"].map(|axis| problem.shape.integer(axis) as u32);
    let tensor = |tensor| Argument::Tensor { tensor, offset_bytes: 0 };
    let launch = Launch {
        source: &FAULTS,
        entry,
        constants: Vec::new(),
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
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "worker") {
        let device = device::open(&arguments[3], None);
        return serve(&CATALOG, device.map_err(|e| Fault::Infra { message: e.to_string() }));
    }
    let trials = match device::info(DEVICE) {
        Ok(_) => on_a_gpu(),
        Err(_) => vec![Trial::test("an_absent_gpu_is_explained", || {
            let found = device::list().into_iter().find(|listing| listing.name == "cuda");
            match found.map(|listing| listing.found) {
                Some(Err(why)) if !why.is_empty() => Ok(()),
                other => Err(format!("{other:?}").into()),
            }
        })],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn on_a_gpu() -> Vec<Trial> {
    let check = |implementation: &'static str, expected: fn(&Outcome) -> bool| {
        Trial::test(implementation, move || check(implementation, expected))
    };
    let crashes = |outcome: &Outcome| matches!(outcome, Outcome::Crash { .. });
    let incorrect = |outcome: &Outcome| matches!(outcome, Outcome::Incorrect { .. });
    vec![
        check("gpu_illegal_address", crashes),
        check("gpu_misaligned_address", crashes),
        check("gpu_traps", crashes),
        check("gpu_too_wide", crashes),
        check("gpu_hangs", |outcome| matches!(outcome, Outcome::Timeout { .. })),
        check("gpu_greedy", |outcome| matches!(outcome, Outcome::OutOfMemory { .. })),
        check(
            "gpu_no_such_kernel",
            |outcome| matches!(outcome, Outcome::Infra { message } if message.contains("no_such_kernel")),
        ),
        check("gpu_is_wrong", incorrect),
        check("gpu_writes_beside", incorrect),
        check("gpu_changes_an_input", incorrect),
        check("gpu_goes_stale", incorrect),
        check("gpu_writes_nothing", |outcome| matches!(outcome, Outcome::Nonfinite { .. })),
        Trial::test("a_graph_is_replayed", || {
            let results = run(&["gpu_honest"], Launching::Graph);
            expect(&results, "gpu_honest", |outcome| matches!(outcome, Outcome::Measured { .. }))
        }),
    ]
}

/// Runs one implementation beside the honest one, then the honest one alone.
fn check(implementation: &str, expected: fn(&Outcome) -> bool) -> Result<(), Failed> {
    let measured = |outcome: &Outcome| matches!(outcome, Outcome::Measured { .. });
    let results = run(&[implementation, "gpu_honest"], Launching::Stream);
    expect(&results, implementation, expected)?;
    expect(&results, "gpu_honest", measured)?;
    expect(&run(&["gpu_honest"], Launching::Stream), "gpu_honest", measured)
}

fn expect(
    results: &[CaseResult],
    implementation: &str,
    expected: fn(&Outcome) -> bool,
) -> Result<(), Failed> {
    match results.iter().find(|result| result.case.implementation == implementation) {
        Some(result) if expected(&result.outcome) => Ok(()),
        other => Err(format!("{implementation} ended as {:?}", other.map(|r| &r.outcome)).into()),
    }
}

fn run(implementations: &[&str], launching: Launching) -> Vec<CaseResult> {
    let infos = [device::info(DEVICE).expect("it was found before")];
    let mut suite = Suite::parse("test.toml", SUITE).expect("the suite is valid");
    suite.method.launching = launching;
    let only = implementations.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection { only, ..Selection::default() };
    let plan = Cases::make(&suite, &CATALOG, &infos, &selection).expect("there is a plan");
    let scratch = tempfile::tempdir().expect("there is a temporary folder");
    let settings = settings(suite.method, Duration::from_secs(8), scratch.path());
    running::results(&launcher(&["worker"]), &settings, &infos, &plan)
}
