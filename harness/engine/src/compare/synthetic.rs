//! Records made up for tests: cases with given rounds, in a run with a given environment.

use tilemark_core::device::{Info, Telemetry, Vendor};
use tilemark_core::family::Standing;
use tilemark_core::method::Method;
use tilemark_core::record::{
    CaseResult, Environment, FORMAT, Host, Outcome, OutputCheck, Recording, Round, Run, Samples,
    Stop, Timing, Verification, WorkDone,
};
use tilemark_core::{Bytes, Case, Distribution, Dtype, Flops, Problem, Shape};

/// Who solves what.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) problem: String,
    pub(crate) implementation: String,
    pub(crate) standing: Standing,
}

impl Script {
    pub(crate) fn new(problem: &str, implementation: &str) -> Self {
        Script {
            problem: problem.into(),
            implementation: implementation.into(),
            standing: Standing::Candidate,
        }
    }
}

/// A case that was measured, with these medians of its rounds.
pub(crate) fn measured(script: &Script, medians: &[f64]) -> CaseResult {
    let round = |(index, median): (u32, &f64)| Round {
        index,
        order: 0,
        settle_s: 0.0,
        stop: Stop::Precise,
        samples: Samples { seconds: vec![*median; 3], ..Samples::default() },
        telemetry: Telemetry::default(),
    };
    let timing = Timing { rounds: (0..).zip(medians).map(round).collect() };
    CaseResult {
        case: Case {
            problem: Problem {
                family: script.problem.clone(),
                shape: Shape::default(),
                dtype: Dtype::F32,
                distribution: Distribution::Normal,
                seed: 0,
            },
            implementation: script.implementation.clone(),
            variant: None,
            device: "null".into(),
        },
        standing: script.standing,
        outcome: Outcome::Measured { verification: verification(1e-6), timing },
        earlier: Vec::new(),
        work: WorkDone {
            convention: Flops(2_000_000),
            convention_name: "2 n".into(),
            executed: Flops(2_000_000),
            least_bytes: Bytes(1_000_000),
        },
        code: Vec::new(),
        choice: None,
        wall_s: 1.0,
        device_s: 1.0,
    }
}

/// A verdict with this relative error, where the reference has 1e-6.
pub(crate) fn verification(relative_error: f64) -> Verification {
    let output = OutputCheck {
        tensor: "C".into(),
        elements: 1000,
        compared: 1000,
        nan: 0,
        infinite: 0,
        relative_error,
        max_error: relative_error,
        reference_relative_error: 1e-6,
        reference_max_error: 1e-6,
        relative_bound: 1e-5,
        max_bound: 1e-5,
        projection: None,
        worst: None,
    };
    Verification { outputs: vec![output], inputs_intact: true, guards_intact: true }
}

/// A complete run with these results.
pub(crate) fn recording(results: Vec<CaseResult>) -> Recording {
    let run = Run {
        format: FORMAT,
        id: "r".into(),
        started: "2025-01-01T00:00:00Z".into(),
        version: "0".into(),
        commit: None,
        argv: Vec::new(),
        suite: "synthetic".into(),
        method: Method::standard(),
        method_id: "m".into(),
        verify_only: false,
        expected_cases: results.len() as u64,
        plan_id: "p".into(),
        rtol: None,
        atol: None,
        tags: Vec::new(),
    };
    Recording { run, environments: vec![environment()], results, end: None }
}

fn environment() -> Environment {
    let device = Info {
        name: "null".into(),
        vendor: Vendor::Null,
        model: "scripted".into(),
        arch: "none".into(),
        uuid: None,
        memory: Bytes(1 << 30),
        last_level_cache: Bytes(1 << 20),
        units: 1,
        driver: Some("1.0".into()),
        runtime: None,
        traits: Vec::new(),
    };
    let host = Host {
        name: "h".into(),
        os: "linux".into(),
        kernel: "6".into(),
        cpu: "c".into(),
        cores: 2,
        memory: Bytes(1 << 32),
    };
    Environment { device, ceilings: None, host, libraries: Vec::new() }
}
