//! Finding all device code of a catalog and compiling it, with a compiler scripted in shell.

mod common;

use common::SumOfSquares;
use std::collections::BTreeSet;
use tilemark_core::family::{
    About, Arithmetic, Body, Code, Query, Standing, Tolerance, Tuning, Variant, Work,
};
use tilemark_core::launch::{Constant, Launch, Plan, Source, Step};
use tilemark_core::{Family, Implementation, Info, Problem, Tensor};
use tilemark_engine::catalog::Catalog;
use tilemark_engine::compile::find::{Absent, Compiler};
use tilemark_engine::compile::{Cache, Compilers};
use tilemark_engine::programs::{self, ARCHITECTURES, Architecture, Constants, DeviceProgram};

static SQUARES: Source = Source { path: "test/squares.cu", text: "squares", headers: &[] };
static FINISH: Source = Source { path: "test/finish.cu", text: "finish", headers: &[] };

static CATALOG: Catalog = Catalog {
    families: &[&Tuned],
    rivals: &[("sum_of_squares", &TILED), ("sum_of_squares", &OTHER)],
    libraries: |_| Vec::new(),
};

static TILED: Implementation = Implementation {
    name: "tiled",
    idea: "two launches, the first with a tile that depends on the shape",
    standing: Standing::Candidate,
    supports: on_hopper,
    code: Code::Steps(|problem, _| {
        let tile = if problem.shape.integer("rows") > 100 { 128 } else { 32 };
        let squares = launch(&SQUARES, "squares", vec![("TILE", tile.into())]);
        plan(vec![squares, Step::Fill { tensor: 1, byte: 0 }, launch(&FINISH, "finish", vec![])])
    }),
};

static OTHER: Implementation = Implementation {
    name: "other",
    idea: "another kernel of the same source",
    code: Code::Steps(|_, _| plan(vec![launch(&SQUARES, "transposed", vec![("TILE", 32.into())])])),
    ..TILED
};

fn on_hopper(_: &Problem, device: &Info) -> Result<(), String> {
    if device.arch == "sm_90a" { Ok(()) } else { Err("needs sm_90a".to_owned()) }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { scratch: Vec::new(), steps }
}

fn launch(
    source: &'static Source,
    entry: &'static str,
    constants: Vec<(&'static str, Constant)>,
) -> Step {
    Step::Launch(Launch {
        source,
        entry,
        constants,
        grid: [1; 3],
        block: [1; 3],
        cluster: [1; 3],
        dynamic_shared_bytes: 0,
        arguments: Vec::new(),
    })
}

fn architecture(name: &str) -> &'static Architecture {
    ARCHITECTURES.iter().find(|known| known.name == name).expect("it is known")
}

fn found(arch: &str) -> Vec<DeviceProgram> {
    programs::programs(&CATALOG, &[], architecture(arch), false).expect("the catalog is sound")
}

/// Sums of squares, with a tile that is never launched by choice but that a search may try.
struct Tuned;

impl Family for Tuned {
    fn about(&self) -> &'static About {
        SumOfSquares.about()
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        SumOfSquares.tensors(problem)
    }

    fn work(&self, problem: &Problem) -> Work {
        SumOfSquares.work(problem)
    }

    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance {
        SumOfSquares.tolerance(problem, output)
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        SumOfSquares.truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        SumOfSquares.implementations()
    }

    fn tuning(&self, implementation: &str, _: &Problem, _: &Info) -> Option<Tuning> {
        let tile_of_64 = launch(&SQUARES, "squares", vec![("TILE", 64.into())]);
        let variant =
            |step| Variant { choice: "TILE = 64".to_owned(), body: Body::Plan(plan(vec![step])) };
        (implementation == TILED.name).then(|| Tuning {
            file: "sum_of_squares/choices.toml",
            scope: String::new(),
            variants: vec![variant(tile_of_64)],
        })
    }
}

#[test]
fn what_a_search_may_try_is_found_where_it_is_wanted() {
    let tiles = |variants| -> Vec<Constants> {
        let programs = programs::programs(&CATALOG, &[], architecture("sm_90a"), variants);
        programs.expect("the catalog is sound").into_iter().map(|p| p.constants).collect()
    };
    let wanted = vec![("TILE", Constant::Integer(64))];
    assert!(!tiles(false).contains(&wanted));
    assert_eq!(tiles(true).iter().filter(|constants| **constants == wanted).count(), 1);
}

#[test]
fn every_source_is_found_once_for_each_set_of_constants() {
    let describe = |program: &DeviceProgram| {
        let entries: Vec<_> = program.entries.iter().copied().collect();
        format!("{} {:?} {}", program.source.path, program.constants, entries.join(" "))
    };
    let expected = [
        r#"test/squares.cu [("TILE", Integer(32))] squares transposed"#,
        r#"test/finish.cu [] finish"#,
        r#"test/squares.cu [("TILE", Integer(128))] squares"#,
    ];
    let programs = found("sm_90a");
    assert_eq!(programs.iter().map(describe).collect::<Vec<_>>(), expected);
    let users = ["sum_of_squares/other", "sum_of_squares/tiled"].map(str::to_owned);
    assert_eq!(programs[0].users, BTreeSet::from(users));
    assert!(found("sm_80").is_empty(), "no implementation supports it");
}

#[test]
fn an_unknown_family_is_a_mistake() {
    let families = ["gem".to_owned()];
    let error = programs::programs(&CATALOG, &families, architecture("sm_90a"), false).unwrap_err();
    assert_eq!(error.to_string(), "unknown family `gem`; known: sum_of_squares");
}

/// Spills in tiles of 128, has no `transposed`, refuses `finish.cu`.
const FAKE_NVCC: &str = r#"
if [ "$1" = --version ]; then echo "fake release 1"; exit; fi
case "$*" in *finish.cu*) echo "no such thing" >&2; exit 1;; esac
case "$*" in *TILE=128*) spill=24;; *) spill=0;; esac
echo "ptxas info : Compiling entry function 'squares' for 'sm_90a'" >&2
echo "    0 bytes stack frame, $spill bytes spill stores, $spill bytes spill loads" >&2
echo "ptxas info : Used 40 registers" >&2
echo image >code.cubin
"#;

#[test]
fn what_spills_is_missing_or_does_not_compile_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("nvcc");
    std::fs::write(&script, FAKE_NVCC).unwrap();
    let nvidia = Ok(Compiler::nvcc(&format!("sh {}", script.display())).unwrap());
    let absent = || Err(Absent { looked_for: Vec::new(), remedy: "a test" });
    let compilers = Compilers { nvidia, hiprtc: absent(), clang: absent() };
    let cache = Cache::at(&folder.path().join("cache"));
    let built = programs::build(found("sm_90a"), architecture("sm_90a"), &compilers, &cache);
    let faults: Vec<Vec<String>> = built.iter().map(|built| built.faults()).collect();
    assert_eq!(faults[0], ["launches `transposed`, which is not in the source"]);
    assert!(faults[1].len() == 1 && faults[1][0].contains("no such thing"), "{faults:?}");
    assert_eq!(faults[2], ["`squares` spills 24 bytes"]);
}
