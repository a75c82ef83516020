//! What a kernel family must answer, and what an implementation of it is.
//!
//! A family is what is computed: a formula with its axes. It answers seven questions and knows no
//! device, no clock and no file.

use crate::case::Distribution;
use crate::device::{Info, Vendor};
use crate::generator::Stream;
use crate::launch::Plan;
use crate::{Axis, Bytes, Dtype, Fault, Flops, Problem, Shape};
use serde::{Deserialize, Serialize};

/// The seven questions.
pub trait Family: Sync {
    /// Who are you: name, formula, axes, element types, standard shapes.
    fn about(&self) -> &'static About;

    /// Is this shape one of yours? Each axis has been checked already; this is for relations
    /// between axes, and says which axis is wrong and why.
    fn check(&self, _shape: &Shape) -> Result<(), String> {
        Ok(())
    }

    /// Which tensors does a problem have, inputs first? Their order is the order of arguments.
    fn tensors(&self, problem: &Problem) -> Vec<Tensor>;

    /// How much work is it?
    fn work(&self, problem: &Problem) -> Work;

    /// How exact must an output be, beyond the error of the working-precision reference? `output`
    /// is its index in the family's list of tensors: the outputs of a backward pass differ in scale.
    fn tolerance(&self, problem: &Problem, output: usize) -> Tolerance;

    /// What is the truth? Evaluates rows of one output: the `row` consecutive elements that
    /// [`Role::Output`] names, for each row index in `rows`, concatenated.
    ///
    /// With [`Arithmetic::Exact`] everything after the operands is f64. With
    /// [`Arithmetic::Working`] it is what an honest kernel of this dtype does: f32 accumulation,
    /// and intermediates rounded where such a kernel stores them in the dtype. The caller rounds
    /// the result to the output's dtype.
    fn truth(&self, query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64>;

    /// Who implements it, simplest first? Rivals are elsewhere.
    fn implementations(&self) -> &'static [Implementation];

    /// In which ways can an implementation solve this problem on this device, where its constants
    /// are data that a search decides? None for one that has only one way, or does not cover the
    /// problem.
    fn tuning(&self, _implementation: &str, _problem: &Problem, _info: &Info) -> Option<Tuning> {
        None
    }

    /// A check of the whole output in far less work than computing it, where the operator is
    /// linear in an operand: the largest deviation over the output's rows, relative to what
    /// working precision explains (so that 1 is the limit), or none if there is no such check.
    fn projection(
        &self,
        _problem: &Problem,
        _operands: &[Operand],
        _output: &Readout<'_>,
    ) -> Option<f64> {
        None
    }
}

/// What a family is.
#[derive(Debug)]
pub struct About {
    /// The name in suites, flags and records.
    pub name: &'static str,
    /// The formula, on one line.
    pub formula: &'static str,
    /// The axes, in the order in which a shape is written.
    pub axes: &'static [Axis],
    /// The element types that the formula is defined for here.
    pub dtypes: &'static [Dtype],
    /// The text of `shapes.toml`: named lists of shapes.
    pub shapes: &'static str,
    /// What there is to compare with on a CPU, or why there is nothing.
    pub cpu_rivals: &'static str,
}

/// One operand or result of a problem.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The formula's symbol.
    pub name: &'static str,
    /// Extents, outermost first; the last is contiguous.
    pub dims: Vec<u64>,
    /// Element type.
    pub dtype: Dtype,
    /// Read or written.
    pub role: Role,
}

/// Whether a tensor is read or written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Read: drawn as `mean + deviation · x`, with x from the problem's distribution.
    Input {
        /// Centre of the values.
        mean: f32,
        /// Factor on the random part.
        deviation: f32,
    },
    /// Written.
    Output {
        /// How many consecutive elements the reference computes together at little extra cost.
        row: u64,
    },
    /// Written and read by the implementation; never checked.
    Scratch,
}

/// How much work a problem is.
#[derive(Clone, Debug)]
pub struct Work {
    /// Operations by the convention that the field quotes.
    pub convention: Flops,
    /// That convention's formula.
    pub convention_name: &'static str,
    /// Operations that the formula cannot do without.
    pub executed: Flops,
    /// Fewest bytes of device memory: every input read once, every output written once.
    pub least_bytes: Bytes,
}

/// How far an output may lie from the truth: `factor` times the error of the working-precision
/// reference, plus a floor.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Multiple of the reference's own error.
    pub factor: f64,
    /// Added to the bound on the relative L2 error.
    pub floor_relative: f64,
    /// Added to the bound on the largest absolute error.
    pub floor_absolute: f64,
}

/// The precision in which the truth is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// f64 throughout.
    Exact,
    /// f32 accumulation, intermediates rounded to the dtype where a kernel would store them.
    Working,
}

/// Which part of which output the truth is asked for.
#[derive(Debug)]
pub struct Query<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// Every tensor's operand in the family's order; outputs have none.
    pub operands: &'a [Operand],
    /// Index of the output in the family's list of tensors.
    pub output: usize,
    /// Indices of rows of that output.
    pub rows: &'a [u64],
}

/// An input as the reference sees it: its elements, rounded to its dtype, by index.
#[derive(Clone, Debug)]
pub struct Operand {
    dtype: Dtype,
    mean: f32,
    deviation: f32,
    stream: Stream,
    stored: Vec<f32>,
}

/// An output as the reference sees it.
#[derive(Clone, Copy, Debug)]
pub struct Readout<'a> {
    /// Index of the output in the family's list of tensors.
    pub output: usize,
    /// Its element type.
    pub dtype: Dtype,
    /// Its bytes as the device left them.
    pub bytes: &'a [u8],
}

/// One way to compute a family.
#[derive(Debug)]
pub struct Implementation {
    /// The idea, with the architecture first where it needs one: `cpu_blocked`, `sm90_wgmma`.
    pub name: &'static str,
    /// The idea in a sentence.
    pub idea: &'static str,
    /// What it stands for in a comparison.
    pub standing: Standing,
    /// `Ok`, or why it cannot solve this problem on this device, at which it looks first.
    pub supports: fn(&Problem, &Info) -> Result<(), String>,
    /// How it runs.
    pub code: Code,
}

/// What an implementation stands for in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A rung of the ladder, there to be read and to be measured against.
    Rung,
    /// Ours: compared with the rivals.
    Candidate,
    /// Other people's code.
    Rival,
}

/// Solves a problem on the host: gets the inputs' bytes and the outputs' bytes, each in the
/// family's order and aligned to 64.
pub type HostFunction = fn(&Problem, &[&[u8]], &mut [&mut [u8]]);

/// How an implementation runs.
#[derive(Clone, Copy, Debug)]
pub enum Code {
    /// A function on the host.
    Host(HostFunction),
    /// Device code of ours, as steps on a device's stream.
    Steps(fn(&Problem, &Info) -> Plan),
    /// Somebody's library, which puts its own work on a device's stream.
    Library(fn(&Site<'_>) -> Result<Vec<Candidate>, Fault>),
}

/// How one case runs: an implementation's code for one problem on one device.
#[derive(Clone, Debug)]
pub enum Body {
    /// A function on the host.
    Host(HostFunction),
    /// What to put on a stream.
    Plan(Plan),
    /// A library that puts its own work on a stream.
    Library(fn(&Site<'_>) -> Result<Vec<Candidate>, Fault>),
}

/// The ways in which an implementation can solve a problem, and where the best of them is kept.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// The file of choices, below `kernels/`.
    pub file: &'static str,
    /// The keys that make an entry of that file hold for this problem and device, and for no other:
    /// the inside of an inline table of TOML.
    pub scope: String,
    /// Each way once. The first is the one that the implementation takes by itself.
    pub variants: Vec<Variant>,
}

/// One way of an implementation to solve a problem.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The keys that an entry of the file of choices has beside its scope: the inside of an inline
    /// table of TOML.
    pub choice: String,
    /// How it runs.
    pub body: Body,
}

/// Where a library finds what it works on. Handles and addresses are the device's own, as numbers:
/// for CUDA a `CUstream` and `CUdeviceptr`s of the current context, for HIP their twins.
#[derive(Debug)]
pub struct Site<'a> {
    /// What to compute.
    pub problem: &'a Problem,
    /// The device.
    pub info: &'a Info,
    /// The stream.
    pub stream: u64,
    /// Addresses of the tensors, in the family's order; they stay valid as long as the candidates.
    pub addresses: &'a [u64],
}

/// One of the ways in which a library can solve a problem; the device times all of them outside
/// the measurement and keeps the quickest, so that a rival is met at its best.
pub struct Candidate {
    /// What tells it from the library's others, for the record: an algorithm's number and tile.
    pub name: String,
    /// Puts the work on the stream once; returns before it is done. This is what is timed.
    pub enqueue: Enqueue,
    /// Launches that this puts there, or more: a stream that is held back takes only so many.
    pub launches: u32,
    /// Copies the latest result into our tensors, for a library that insists on outputs of its own:
    /// a copy within the timed call would be traffic that the library's users do not have. The
    /// device calls it outside of the time, after every run and every series of timed launches, so
    /// that what is verified is what the last launch computed. None where `enqueue` writes to our
    /// tensors itself.
    pub publish: Option<Enqueue>,
}

impl Candidate {
    /// Launches of a call that is a handful of kernels, if more cannot be told.
    pub const A_HANDFUL: u32 = 8;
}

/// Puts something on a stream.
pub type Enqueue = Box<dyn FnMut() -> Result<(), Fault>>;

impl Implementation {
    /// Whether its code is for other devices than this one, so that a plan does not even mention it
    /// there: a function on the host on a GPU or the reverse, or code for another vendor or
    /// architecture. The last is told by the refusal, which a device of no vendor would get in the
    /// same words; `supports` therefore looks at the device first.
    pub fn is_for_other_devices(&self, problem: &Problem, info: &Info) -> bool {
        if matches!(self.code, Code::Host(_)) || info.vendor.runs_host_code() {
            return !(matches!(self.code, Code::Host(_)) && info.vendor.runs_host_code());
        }
        let nobodys = Info { vendor: Vendor::Null, ..info.clone() };
        (self.supports)(problem, info)
            .is_err_and(|reason| (self.supports)(problem, &nobodys) == Err(reason))
    }
}

impl Code {
    /// What a device is given to run this problem.
    pub fn body(&self, problem: &Problem, info: &Info) -> Body {
        match *self {
            Code::Host(function) => Body::Host(function),
            Code::Steps(steps) => Body::Plan(steps(problem, info)),
            Code::Library(candidates) => Body::Library(candidates),
        }
    }
}

impl Tensor {
    /// An input of the given mean and deviation.
    pub fn input(
        name: &'static str,
        dims: &[u64],
        dtype: Dtype,
        mean: f32,
        deviation: f32,
    ) -> Self {
        Tensor { name, dims: dims.to_vec(), dtype, role: Role::Input { mean, deviation } }
    }

    /// An output whose reference is computed in rows of `row` elements.
    pub fn output(name: &'static str, dims: &[u64], dtype: Dtype, row: u64) -> Self {
        Tensor { name, dims: dims.to_vec(), dtype, role: Role::Output { row } }
    }

    /// How many elements it has; `u64::MAX` if that many cannot be counted.
    pub fn elements(&self) -> u64 {
        self.dims.iter().fold(1, |n: u64, extent| n.saturating_mul(*extent))
    }

    /// Its size; `u64::MAX` if it cannot be counted.
    pub fn bytes(&self) -> Bytes {
        Bytes(self.elements().saturating_mul(self.dtype.size()))
    }
}

impl Operand {
    /// The operand of tensor number `index` of a problem, or an empty one if that is no input.
    ///
    /// With `stored`, its elements are drawn once and kept; without, each is drawn when asked for.
    pub fn new(problem: &Problem, index: usize, tensor: &Tensor, stored: bool) -> Self {
        let (mean, deviation, distribution) = match tensor.role {
            Role::Input { mean, deviation } => (mean, deviation, problem.distribution),
            _ => (0.0, 0.0, Distribution::Zeros),
        };
        let stream = Stream::new(problem.seed, index, distribution);
        let mut operand =
            Operand { dtype: tensor.dtype, mean, deviation, stream, stored: Vec::new() };
        if stored && matches!(tensor.role, Role::Input { .. }) {
            operand.stored = (0..tensor.elements()).map(|i| operand.draw(i)).collect();
        }
        operand
    }

    /// Keeps the elements, as drawn from the first on, so that they need not be drawn again.
    pub fn keep(&mut self, elements: Vec<f32>) {
        self.stored = elements;
    }

    /// The element at a flat index.
    #[inline]
    pub fn at(&self, index: usize) -> f64 {
        f64::from(match self.stored.get(index) {
            Some(value) => *value,
            None => self.draw(index as u64),
        })
    }

    /// The element at a flat index, as drawn and rounded to the dtype.
    #[inline]
    pub fn draw(&self, index: u64) -> f32 {
        self.dtype.round(self.mean + self.deviation * self.stream.at(index))
    }
}

impl Readout<'_> {
    /// The element at a flat index.
    #[inline]
    pub fn at(&self, index: usize) -> f64 {
        f64::from(self.dtype.decode(self.bytes, index))
    }
}

impl Arithmetic {
    /// Rounds an intermediate that a kernel of this dtype would store in it.
    #[inline]
    pub fn stored(self, dtype: Dtype, value: f64) -> f64 {
        match self {
            Arithmetic::Exact => value,
            Arithmetic::Working => f64::from(dtype.round(value as f32)),
        }
    }

    /// One step of an accumulation.
    #[inline]
    pub fn fused(self, sum: f64, a: f64, b: f64) -> f64 {
        match self {
            Arithmetic::Exact => sum + a * b,
            // A product of two f32 is exact in f64, so this rounds once, like an FMA in f32.
            Arithmetic::Working => f64::from((sum + a * b) as f32),
        }
    }

    /// Rounds the result of one operation to the accumulator's precision.
    #[inline]
    pub fn accumulated(self, value: f64) -> f64 {
        match self {
            Arithmetic::Exact => value,
            Arithmetic::Working => f64::from(value as f32),
        }
    }
}
