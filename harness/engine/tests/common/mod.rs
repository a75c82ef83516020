//! A family for tests of the engine, which knows no kernel of the suite: row sums of squares.
//!
//! y[i] = Σⱼ x[i, j]², with one honest implementation and one for every way to fail.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod rotating;
pub mod running;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tilemark_core::family::{
    About, Arithmetic, Code, HostFunction, Operand, Query, Readout, Standing, Tolerance, Tuning,
    Variant, Work,
};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Info, Problem, Tensor};
use tilemark_engine::catalog::Catalog;

pub struct SumOfSquares;

pub static CATALOG: Catalog = Catalog {
    families: &[&SumOfSquares],
    rivals: &[("sum_of_squares", &RIVAL)],
    libraries: |_| vec![("libsquares".to_owned(), "1.2".to_owned())],
};

static ABOUT: About = About {
    name: "sum_of_squares",
    formula: "y[i] = Σⱼ x[i, j]²",
    axes: &[
        Axis {
            name: "rows",
            meaning: "rows",
            kind: AxisKind::Integer { min: 1 },
            default: AxisDefault::Required,
        },
        Axis {
            name: "columns",
            meaning: "columns",
            kind: AxisKind::Integer { min: 1 },
            default: AxisDefault::Integer(64),
        },
    ],
    dtypes: &[Dtype::F32],
    shapes: "smoke = [{ rows = [1, 131] }]",
    cpu_rivals: "the same function under another name",
};

static IMPLEMENTATIONS: [Implementation; 15] = [
    implementation("honest", honest),
    implementation("aborts", |_, _, _| std::process::abort()),
    implementation("spins", |_, _, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    // What it started holds its stderr, and lives longer than any test.
    implementation("leaves_a_child", |_, _, _| {
        std::process::Command::new("sleep").arg("600").spawn().expect("there is a sleep");
        std::process::abort()
    }),
    implementation("panics", |_, _, _| panic!("on purpose")),
    implementation("leaves_nan", |problem, inputs, outputs| {
        honest(problem, inputs, outputs);
        outputs[0][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    }),
    implementation("is_wrong", |problem, inputs, outputs| {
        honest(problem, inputs, outputs);
        outputs[0][..4].copy_from_slice(&0f32.to_le_bytes());
    }),
    implementation("writes_nothing", |_, _, _| ()),
    // Right once, wrong from the second call on: only a check after the timing sees it.
    implementation("goes_stale", |problem, inputs, outputs| {
        let last = f32::from_le_bytes([outputs[0][0], outputs[0][1], outputs[0][2], outputs[0][3]]);
        honest(problem, inputs, outputs);
        if !last.is_nan() {
            outputs[0][..4].copy_from_slice(&0f32.to_le_bytes());
        }
    }),
    // Serves the outputs that it saw first, whichever it is given.
    implementation("serves_one_set", |problem, inputs, outputs| {
        static FIRST: OnceLock<usize> = OnceLock::new();
        let place = outputs[0].as_ptr().addr();
        if *FIRST.get_or_init(|| place) == place {
            honest(problem, inputs, outputs);
        }
    }),
    // Right once, and never writes again: the first answer must not stand for those that are timed.
    implementation("writes_only_once", |problem, inputs, outputs| {
        static WROTE: AtomicBool = AtomicBool::new(false);
        if !WROTE.swap(true, Ordering::Relaxed) {
            honest(problem, inputs, outputs);
        }
    }),
    implementation("aborts_once", |problem, inputs, outputs| {
        if std::fs::File::create_new(abort_mark(std::os::unix::process::parent_id())).is_ok() {
            std::process::abort();
        }
        honest(problem, inputs, outputs);
    }),
    implementation("leaves_its_mark", |problem, inputs, outputs| {
        is_first_process();
        honest(problem, inputs, outputs);
    }),
    implementation("is_right_in_its_first_process", |problem, inputs, outputs| {
        honest(problem, inputs, outputs);
        if !is_first_process() {
            outputs[0][..4].copy_from_slice(&0f32.to_le_bytes());
        }
    }),
    Implementation { standing: Standing::Rung, ..implementation("rung", honest) },
];

/// The file that says that a worker of this runner has aborted.
pub fn abort_mark(runner: u32) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tilemark-test-aborted-{runner}"))
}

/// Where processes leave their marks, one folder a runner.
pub fn process_marks(runner: u32) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tilemark-test-processes-{runner}"))
}

/// Whether no other worker of this runner has asked before this one. Each leaves a file.
fn is_first_process() -> bool {
    static FIRST: OnceLock<bool> = OnceLock::new();
    *FIRST.get_or_init(|| {
        let marks = process_marks(std::os::unix::process::parent_id());
        std::fs::create_dir_all(&marks).expect("the temporary folder can be written to");
        let before = std::fs::read_dir(&marks).expect("it was just made").count();
        let mark = marks.join(std::process::id().to_string());
        std::fs::write(mark, "").expect("the folder can be written to");
        before == 0
    })
}

/// The variants of `honest`, each with the implementation that it does the same as. Their times are
/// a test's to script.
const VARIANTS: [(&str, &str); 8] = [
    ("present", "honest"),
    ("aborts", "aborts"),
    ("is_wrong", "is_wrong"),
    ("goes_stale", "goes_stale"),
    ("spins", "spins"),
    ("a", "honest"),
    ("b", "honest"),
    ("c", "honest"),
];

static RIVAL: Implementation =
    Implementation { standing: Standing::Rival, ..implementation("rival", honest) };

const fn implementation(name: &'static str, function: HostFunction) -> Implementation {
    Implementation {
        name,
        idea: "a test",
        standing: Standing::Candidate,
        supports: runs_anywhere,
        code: Code::Host(function),
    }
}

fn runs_anywhere(_: &Problem, _: &Info) -> Result<(), String> {
    Ok(())
}

fn honest(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let columns = problem.shape.index("columns");
    for (row, out) in outputs[0].chunks_exact_mut(4).enumerate() {
        let squares = (0..columns).map(|j| Dtype::F32.decode(inputs[0], row * columns + j).powi(2));
        out.copy_from_slice(&squares.sum::<f32>().to_le_bytes());
    }
}

impl Family for SumOfSquares {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let (rows, columns) = (problem.shape.integer("rows"), problem.shape.integer("columns"));
        vec![
            Tensor::input("x", &[rows, columns], Dtype::F32, 0.0, 1.0),
            Tensor::output("y", &[rows], Dtype::F32, 1),
        ]
    }

    fn work(&self, problem: &Problem) -> Work {
        let rows = problem.shape.integer("rows");
        let elements = rows.saturating_mul(problem.shape.integer("columns"));
        let flops = Flops(elements.saturating_mul(2));
        Work {
            convention: flops,
            convention_name: "2·rows·columns",
            executed: flops,
            least_bytes: Bytes(elements.saturating_add(rows).saturating_mul(4)),
        }
    }

    fn tolerance(&self, _: &Problem, output: usize) -> Tolerance {
        assert_eq!(output, 1, "only y is an output");
        Tolerance { factor: 2.0, floor_relative: 1e-6, floor_absolute: 1e-4 }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        let columns = query.problem.shape.index("columns");
        let x: &Operand = &query.operands[0];
        let row = |row: &u64| {
            let elements = (0..columns).map(|j| x.at(*row as usize * columns + j));
            elements.fold(0.0, |sum, x| arithmetic.fused(sum, x, x))
        };
        query.rows.iter().map(row).collect()
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }

    fn tuning(&self, implementation: &str, problem: &Problem, info: &Info) -> Option<Tuning> {
        let variant = |(tile, name): &(&str, &str)| {
            let like = IMPLEMENTATIONS.iter().find(|known| known.name == *name);
            let body = like.expect("it is in the list").code.body(problem, info);
            Variant { choice: format!("tile = \"{tile}\""), body }
        };
        (implementation == "honest").then(|| Tuning {
            file: "sum_of_squares/choices.toml",
            scope: format!("rows = {}", problem.shape.integer("rows")),
            variants: VARIANTS.iter().map(variant).collect(),
        })
    }

    /// The sum of all outputs against the sum of all squares: linear in x².
    fn projection(
        &self,
        problem: &Problem,
        operands: &[Operand],
        output: &Readout<'_>,
    ) -> Option<f64> {
        let rows = problem.shape.index("rows");
        let elements = rows * problem.shape.index("columns");
        let expected: f64 = (0..elements).map(|i| operands[0].at(i).powi(2)).sum();
        let found: f64 = (0..rows).map(|i| output.at(i)).sum();
        Some((found - expected).abs() / (1e-6 * expected))
    }
}

/// A problem of this many rows.
pub fn problem(rows: u64) -> Problem {
    use tilemark_core::{Distribution, Shape, Value};
    let given = [("rows".to_owned(), Value::Integer(rows))];
    Problem {
        family: ABOUT.name.to_owned(),
        shape: Shape::complete(&given, ABOUT.axes).expect("the shape is valid"),
        dtype: Dtype::F32,
        distribution: Distribution::Normal,
        seed: 42,
    }
}
