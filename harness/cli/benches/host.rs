//! What the harness itself costs on a host: a worker's round trip, the reference kernels, and
//! reading and reporting a hundred thousand records.

use criterion::Criterion;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tilemark_core::device::Program;
use tilemark_core::family::Standing;
use tilemark_core::method::Method;
use tilemark_core::record::{
    CaseResult, FORMAT, Line, Outcome, Recording, Round, Run, Samples, Stop, Timing, Verification,
    WorkDone,
};
use tilemark_core::{
    Bytes, Case, Device, Distribution, Dtype, Family, Flops, Problem, Shape, Value,
};
use tilemark_engine::device::cpu::Cpu;
use tilemark_engine::store::{self, Writer};
use tilemark_engine::summarise::summarise;
use tilemark_engine::tensors::Placed;
use tilemark_engine::validate::{Overrides, Truth, verify};
use tilemark_engine::worker::{Launcher, Link, Request};

const RECORDS: u64 = 100_000;

fn worker_round_trip(criterion: &mut Criterion) {
    let launcher = Launcher {
        program: env!("CARGO_BIN_EXE_tilemark").into(),
        arguments: vec!["worker".to_owned()],
    };
    let (limit, cancel) = (Duration::from_secs(10), AtomicBool::new(false));
    let start = || Link::start(&launcher, "cpu", "bench", limit, &cancel).expect("it starts").0;
    criterion.bench_function("worker/start", |bencher| bencher.iter(start));
    let mut link = start();
    // Nothing is ready, so the answer is a fault, at once: the trip is all there is to measure.
    let request = Request::Finish;
    criterion.bench_function("worker/round_trip", |bencher| {
        bencher.iter(|| link.ask(&request, limit, &cancel).expect("it answers"));
    });
}

fn problem(family: &dyn Family, axes: &[(&str, u64)]) -> Problem {
    let given: Vec<_> =
        axes.iter().map(|(axis, n)| ((*axis).to_owned(), Value::Integer(*n))).collect();
    Problem {
        family: family.about().name.to_owned(),
        shape: Shape::complete(&given, family.about().axes).expect("the shape is valid"),
        dtype: Dtype::Bf16,
        distribution: Distribution::Normal,
        seed: 42,
    }
}

fn reference_kernels(criterion: &mut Criterion) {
    let shapes: [(&str, &[(&str, u64)]); 3] = [
        ("gemm", &[("m", 128), ("n", 128), ("k", 128)]),
        ("attention", &[("b", 1), ("h", 2), ("n", 128), ("d", 64)]),
        ("rmsnorm", &[("rows", 64), ("hidden", 1024)]),
    ];
    for (name, axes) in shapes {
        let families = tilemark_kernels::FAMILIES.iter();
        let family = families.copied().find(|f| f.about().name == name).expect("it is listed");
        let problem = problem(family, axes);
        criterion.bench_function(&format!("truth/{name}"), |bencher| {
            bencher.iter(|| Truth::compute(family, black_box(&problem)));
        });
    }
}

fn gemm() -> &'static dyn Family {
    tilemark_kernels::FAMILIES[0]
}

/// What the gate does with a large answer: the sample, the projection of the whole, the inputs.
fn verification(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify/gemm");
    group.sample_size(10);
    for side in [1024, 4096, 8192] {
        let mut device = Cpu::new();
        let problem = problem(gemm(), &[("m", side), ("n", side), ("k", side)]);
        let placed = Placed::new(&mut device, &problem, gemm().tensors(&problem), 1);
        let placed = placed.expect("the tensors fit");
        let implementations = gemm().implementations().iter();
        let blocked =
            implementations.clone().find(|i| i.name == "cpu_blocked").expect("it is ours");
        let program = Program {
            problem: &problem,
            implementation: blocked.name,
            body: &blocked.code.body(&problem, device.info()),
            tensors: placed.slices(0),
        };
        let work = device.prepare(&program).expect("it runs on the host");
        device.run(work).expect("it runs on the host");
        let truth = Truth::compute(gemm(), &problem);
        let overrides = Overrides::default();
        group.bench_function(format!("{side}"), |bencher| {
            bencher.iter(|| {
                let verdict = verify(&mut device, gemm(), &problem, &placed, 0, &truth, &overrides);
                assert_eq!(verdict.expect("it can be read").1, None);
            });
        });
        group.bench_function(format!("{side}/truth"), |bencher| {
            bencher.iter(|| Truth::compute(gemm(), &problem));
        });
        placed.release(&mut device);
    }
    group.finish();
}

fn result(seed: u64, standing: Standing) -> CaseResult {
    let samples = Samples { seconds: vec![1e-3; 7], ..Samples::default() };
    let round = |index| Round {
        index,
        order: 0,
        settle_s: 0.0,
        stop: Stop::Precise,
        samples: samples.clone(),
        telemetry: Default::default(),
    };
    CaseResult {
        case: Case {
            problem: Problem { seed, ..problem(gemm(), &[("m", 64), ("n", 64), ("k", 64)]) },
            implementation: format!("{standing:?}"),
            variant: None,
            device: "cpu".to_owned(),
        },
        standing,
        outcome: Outcome::Measured {
            verification: Verification {
                outputs: Vec::new(),
                inputs_intact: true,
                guards_intact: true,
            },
            timing: Timing { rounds: (0..7).map(round).collect() },
        },
        earlier: Vec::new(),
        work: WorkDone {
            convention: Flops(1 << 19),
            convention_name: "2·m·n·k".to_owned(),
            executed: Flops(1 << 19),
            least_bytes: Bytes(1 << 15),
        },
        code: Vec::new(),
        choice: None,
        wall_s: 0.1,
        device_s: 0.1,
    }
}

fn recording() -> Recording {
    let run = Run {
        format: FORMAT,
        id: "bench".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        version: "0".to_owned(),
        commit: None,
        argv: Vec::new(),
        suite: "bench".to_owned(),
        method: Method::quick(),
        method_id: "bench".to_owned(),
        verify_only: false,
        expected_cases: RECORDS,
        plan_id: "bench".to_owned(),
        rtol: None,
        atol: None,
        tags: Vec::new(),
    };
    let standings = [Standing::Candidate, Standing::Rival];
    let results = (0..RECORDS).map(|n| result(n / 2, standings[n as usize % 2])).collect();
    Recording { run, environments: Vec::new(), results, end: None }
}

fn many_records(criterion: &mut Criterion) {
    let recording = recording();
    let folder = std::env::temp_dir().join(format!("tilemark-bench-{}", std::process::id()));
    let mut writer = Writer::create(&folder, &recording.run).expect("the folder can be written");
    for results in recording.results.chunks(2) {
        writer.append(&Line::Results(results.to_vec())).expect("the folder can be written");
    }
    let mut group = criterion.benchmark_group("100000 records");
    group.sample_size(10);
    group.bench_function("read", |b| b.iter(|| store::read(&folder).expect("it is a run")));
    group.bench_function("summarise", |b| b.iter(|| summarise(black_box(&recording))));
    let summary = summarise(&recording);
    group.bench_function("parquet", |b| {
        b.iter(|| store::write_tables(&folder, &summary).expect("the folder can be written"));
    });
    for report in tilemark_reports::REPORTS {
        group.bench_function(report.name, |b| b.iter(|| (report.render)(&summary)));
    }
    group.finish();
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for bench in [worker_round_trip, reference_kernels, verification, many_records] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
