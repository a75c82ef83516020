//! The verbs of the tile library, each as a kernel of its own: y = verb(x), held to a host loop.
//!
//! A family like any other, so that the gate, the interpreter and every device try the verbs that
//! kernels are written in. It is no benchmark: a verb's time means nothing here.

mod cpu;
mod list;
mod places;
mod programs;
#[cfg(test)]
mod tests;
mod verb;

pub use verb::{Form, Product, Verb};

use super::reference;
use crate::exactness::{cancellation, unit_roundoff};
use crate::host;
use list::VERBS;
use tilemark_core::family::{About, Arithmetic, Code, Query, Standing, Tolerance, Work};
use tilemark_core::shape::{AxisDefault, AxisKind};
use tilemark_core::{Axis, Bytes, Dtype, Family, Flops, Implementation, Problem, Shape, Tensor};
use verb::Matrix;

/// The family.
pub struct Tile;

static ABOUT: About = About {
    name: "tile",
    formula: "y = verb(x), or y = a·b",
    axes: &AXES,
    dtypes: &Dtype::ALL,
    shapes: include_str!("../shapes.toml"),
    cpu_rivals: "none: these are checks of our own device code",
};

static AXES: [Axis; 2] = [
    Axis {
        name: "verb",
        meaning: "the verb under test",
        kind: AxisKind::Word(&WORDS),
        default: AxisDefault::Required,
    },
    Axis {
        name: "n",
        meaning: "columns of wgmma's product",
        kind: AxisKind::Integer { min: 8 },
        default: AxisDefault::Integer(WIDTH),
    },
];

/// The width of verbs that have no choice of one.
const WIDTH: u64 = 64;

static WORDS: [&str; VERBS.len()] = {
    let mut words = [""; VERBS.len()];
    let mut number = 0;
    while number < VERBS.len() {
        words[number] = VERBS[number].name;
        number += 1;
    }
    words
};

static IMPLEMENTATIONS: [Implementation; 3] = [
    Implementation {
        name: "cpu_loop",
        idea: "the host loop, in the precision of a kernel",
        standing: Standing::Candidate,
        supports: host::any_on_host,
        code: Code::Host(cpu::host_loop),
    },
    Implementation {
        name: "sm90_verb",
        idea: "a kernel of one verb",
        standing: Standing::Candidate,
        supports: programs::on_nvidia,
        code: Code::Steps(programs::plan),
    },
    Implementation {
        name: "hip_verb",
        idea: "the same on AMD",
        standing: Standing::Candidate,
        supports: programs::on_amd,
        code: Code::Steps(programs::plan),
    },
];

impl Family for Tile {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// Only wgmma has a width, and of each form those that `cuda_wgmma.h` lists.
    fn check(&self, shape: &Shape) -> Result<(), String> {
        let (word, n) = (shape.word("verb"), shape.integer("n"));
        let has_width = VERBS.iter().any(|verb| verb.name == word && verb.has_width());
        if !has_width && n != WIDTH {
            return Err(format!("{word} has no width; n = {WIDTH} stands for that"));
        }
        let widths: &[u64] = if word.contains("registers") { &REGISTER_WIDTHS } else { &WIDTHS };
        if has_width && !widths.contains(&n) {
            return Err(format!("{word} has no form {n} wide, but of {widths:?}"));
        }
        Ok(())
    }

    fn tensors(&self, problem: &Problem) -> Vec<Tensor> {
        let (verb, dtype) = (Verb::of(problem), problem.dtype);
        let input = |name, dims: &[u64], dtype| Tensor::input(name, dims, dtype, 0.0, 1.0);
        let x = |x: &Matrix| input("x", &[x.rows, x.columns], x.dtype(dtype));
        let mut tensors = match &verb.form {
            Form::Moved { x: of, .. } | Form::Spread { x: of, .. } | Form::Summed { x: of, .. } => {
                vec![x(of)]
            }
            Form::Mapped { draw, .. } => {
                let dims = [Matrix::GRID.rows, Matrix::GRID.columns];
                vec![Tensor::input("x", &dims, Dtype::F32, draw.mean, draw.deviation)]
            }
            Form::Multiplied(product) => {
                let [m, n, k] = product.sizes(problem).map(|extent| extent as u64);
                let [a, b] = [product.a.extents(m, k), product.b.extents(n, k)];
                vec![input("a", &a, dtype), input("b", &b, dtype)]
            }
        };
        let y = verb.y(problem);
        tensors.push(Tensor::output("y", &[y.rows, y.columns], y.dtype(dtype), y.columns));
        tensors
    }

    fn work(&self, problem: &Problem) -> Work {
        let verb = Verb::of(problem);
        let y = verb.y(problem);
        let each = match &verb.form {
            Form::Multiplied(product) => 2 * product.sizes(problem)[2] as u64,
            Form::Summed { terms, .. } => *terms as u64,
            Form::Moved { .. } | Form::Mapped { .. } | Form::Spread { .. } => 1,
        };
        let flops = Flops(each * y.rows * y.columns);
        Work {
            convention: flops,
            convention_name: "2·m·n·k of a product, otherwise one an element or term",
            executed: flops,
            least_bytes: Bytes(self.tensors(problem).iter().map(|t| t.bytes().0).sum()),
        }
    }

    /// What moves or rounds elements may err by no more than rounding to nearest does, which is not
    /// at all where y's type holds x. f32 sums err by 2⁻²⁴·√terms of an element's deviation.
    fn tolerance(&self, problem: &Problem, _: usize) -> Tolerance {
        let verb = Verb::of(problem);
        match &verb.form {
            Form::Moved { .. } | Form::Spread { .. } => EXACT,
            Form::Mapped { errors, .. } => Tolerance {
                factor: 1.0,
                floor_relative: errors.relative_log2.exp2(),
                floor_absolute: errors.absolute_log2.exp2(),
            },
            Form::Summed { terms, .. } => of_sums(*terms, verb.y(problem), 0.0),
            Form::Multiplied(product) => {
                let terms = product.sizes(problem)[2];
                let cutting = if problem.dtype == Dtype::E4m3 { cuts(terms) } else { 0.0 };
                of_sums(terms, verb.y(problem), cutting)
            }
        }
    }

    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
        reference::truth(query, arithmetic)
    }

    fn implementations(&self) -> &'static [Implementation] {
        &IMPLEMENTATIONS
    }
}

const WIDTHS: [u64; 11] = [8, 16, 32, 64, 80, 96, 128, 160, 176, 192, 256];
const REGISTER_WIDTHS: [u64; 4] = [64, 96, 128, 256];

/// The floor covers the order in which squares of errors are added up, and nothing else.
const EXACT: Tolerance = Tolerance { factor: 1.0, floor_relative: 1e-12, floor_absolute: 1e-12 };

/// What Hopper loses of a sum of 8-bit products, relative to its deviation: every 32 products and the
/// sum so far are cut to 13 bits behind the leading one of the largest. On an H200 the error is
/// 1.24e-4 for 128 products, and a simulation of such cuts gives 1.2e-4; this is twice that.
fn cuts(terms: usize) -> f64 {
    terms as f64 / 32.0 * 0.5f64.powi(14)
}

/// The largest of 16384 such errors, whose size follows the largest product, is ten deviations in the
/// same simulation, and is allowed sixteen.
const LARGEST_CUT: f64 = 8.0;

/// The tolerance of sums of so many terms, `cutting` beside f32's own rounding.
fn of_sums(terms: usize, y: Matrix, cutting: f64) -> Tolerance {
    let deviation = (terms as f64).sqrt();
    let rounding = unit_roundoff(Dtype::F32) * deviation;
    Tolerance {
        factor: 2.0,
        floor_relative: rounding * cancellation(y.rows * y.columns) + cutting,
        floor_absolute: (rounding + LARGEST_CUT * cutting) * deviation,
    }
}
