//! Trials of an implementation against its family's truth, for tests of ours and of the rivals.
//!
//! A trial draws the inputs as the harness does and applies the rule of its gate. It must not know
//! any family.

use tilemark_core::device::Vendor;
use tilemark_core::family::{Arithmetic, Code, Operand, Query, Role};
use tilemark_core::{
    Bytes, Distribution, Dtype, Family, Implementation, Info, Problem, Shape, Tensor, Value,
};

/// A problem with its tensors.
pub struct Trial {
    /// The family.
    pub family: &'static dyn Family,
    /// The problem.
    pub problem: Problem,
    /// Its tensors.
    pub tensors: Vec<Tensor>,
    /// Their operands, all stored.
    pub operands: Vec<Operand>,
}

impl Trial {
    /// The trial of a shape written as `m=3,n=5`, with normal inputs.
    pub fn new(family: &'static dyn Family, shape: &str, dtype: Dtype) -> Self {
        Trial::drawn(family, shape, dtype, Distribution::Normal)
    }

    /// The same with inputs of any distribution.
    pub fn drawn(
        family: &'static dyn Family,
        shape: &str,
        dtype: Dtype,
        distribution: Distribution,
    ) -> Self {
        let problem = Problem { distribution, ..problem(family, shape, dtype) };
        let tensors = family.tensors(&problem);
        let operands = tensors
            .iter()
            .enumerate()
            .map(|(idx, tensor)| Operand::new(&problem, idx, tensor, true))
            .collect();
        Trial { family, problem, tensors, operands }
    }

    /// The inputs as drawn.
    pub fn inputs(&self) -> Vec<Vec<f32>> {
        let drawn = |(tensor, operand): (&Tensor, &Operand)| {
            (0..tensor.elements()).map(|index| operand.draw(index)).collect()
        };
        let is_input = |tensor: &Tensor| matches!(tensor.role, Role::Input { .. });
        self.tensors.iter().zip(&self.operands).filter(|(t, _)| is_input(t)).map(drawn).collect()
    }

    /// What an implementation makes of these inputs; outputs start as NaN.
    pub fn run(&self, implementation: &Implementation, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let Code::Host(function) = implementation.code else {
            panic!("`{}` is no function on the host", implementation.name);
        };
        let (inputs_of, outputs_of): (Vec<&Tensor>, Vec<&Tensor>) =
            self.tensors.iter().partition(|tensor| matches!(tensor.role, Role::Input { .. }));
        let stored: Vec<Aligned> = inputs_of
            .iter()
            .zip(inputs)
            .map(|(tensor, values)| Aligned::new(tensor.dtype, values))
            .collect();
        let mut results: Vec<Aligned> = outputs_of
            .iter()
            .map(|tensor| Aligned::new(tensor.dtype, &vec![f32::NAN; tensor.elements() as usize]))
            .collect();
        let input_bytes: Vec<&[u8]> = stored.iter().map(Aligned::bytes).collect();
        let mut output_bytes: Vec<&mut [u8]> = results.iter_mut().map(Aligned::bytes_mut).collect();
        function(&self.problem, &input_bytes, &mut output_bytes);
        results.iter().map(Aligned::values).collect()
    }

    /// The whole truth of each output, in order.
    pub fn truth(&self, arithmetic: Arithmetic) -> Vec<Vec<f64>> {
        let whole = |(output, tensor): (usize, &Tensor)| {
            let Role::Output { row } = tensor.role else { return None };
            let rows: Vec<u64> = (0..tensor.elements() / row).collect();
            Some(self.rows(output, &rows, arithmetic))
        };
        self.tensors.iter().enumerate().filter_map(whole).collect()
    }

    /// The truth of some rows of the output at index `output` of the list of tensors.
    pub fn rows(&self, output: usize, rows: &[u64], arithmetic: Arithmetic) -> Vec<f64> {
        let Trial { family, problem, operands, .. } = self;
        family.truth(&Query { problem, operands, output, rows }, arithmetic)
    }

    /// Whether outputs pass the gate; if not, the first reason.
    pub fn judge(&self, found: &[Vec<f32>]) -> Result<(), String> {
        let (exact, working) = (self.truth(Arithmetic::Exact), self.truth(Arithmetic::Working));
        let tensors = self.tensors.iter().enumerate();
        let outputs = tensors.filter(|(_, tensor)| matches!(tensor.role, Role::Output { .. }));
        for (idx, (at, tensor)) in outputs.enumerate() {
            let tolerance = self.family.tolerance(&self.problem, at);
            let stored = |value: &f64| f64::from(tensor.dtype.round(*value as f32));
            let reference = errors(&exact[idx], working[idx].iter().map(stored));
            let found = errors(&exact[idx], found[idx].iter().map(|v| f64::from(*v)));
            let relative = tolerance.factor * reference.relative + tolerance.floor_relative;
            let max = tolerance.factor * reference.max + tolerance.floor_absolute;
            // Written so that NaN fails.
            if !(found.relative <= relative && found.max <= max) {
                return Err(format!(
                    "{} of {}: relative error {:.2e} (bound {relative:.2e}), max {:.2e} ({max:.2e})",
                    tensor.name,
                    self.problem.id(),
                    found.relative,
                    found.max
                ));
            }
        }
        Ok(())
    }
}

/// The problem of a shape written as `m=3,n=5`, with normal inputs.
pub fn problem(family: &dyn Family, shape: &str, dtype: Dtype) -> Problem {
    let given: Vec<(String, Value)> = shape.split(',').map(axis).collect();
    let shape = Shape::complete(&given, family.about().axes).expect("a valid shape");
    family.check(&shape).expect("a valid shape");
    let family = family.about().name.to_owned();
    Problem { family, shape, dtype, distribution: Distribution::Normal, seed: 42 }
}

/// A device of this architecture, as large as an H200.
pub fn device(vendor: Vendor, arch: &str) -> Info {
    Info {
        name: "made up".to_owned(),
        vendor,
        model: "NVIDIA H200".to_owned(),
        arch: arch.to_owned(),
        uuid: None,
        memory: Bytes(141 << 30),
        last_level_cache: Bytes(50 << 20),
        units: 132,
        driver: None,
        runtime: None,
        traits: Vec::new(),
    }
}

/// Asserts that an implementation passes the gate on each shape in each of its family's dtypes that
/// it supports, and on the last one with inputs of every distribution.
pub fn check_agrees(family: &'static dyn Family, implementation: &Implementation, shapes: &[&str]) {
    let host = device(Vendor::Cpu, "any");
    let check = |trial: Trial| {
        if (implementation.supports)(&trial.problem, &host).is_err() {
            return;
        }
        let outputs = trial.run(implementation, &trial.inputs());
        assert_eq!(trial.judge(&outputs), Ok(()), "`{}`", implementation.name);
    };
    for dtype in family.about().dtypes {
        shapes.iter().for_each(|shape| check(Trial::new(family, shape, *dtype)));
        for distribution in Distribution::ALL {
            let last = shapes.last().expect("at least one shape");
            check(Trial::drawn(family, last, *dtype, distribution));
        }
    }
}

struct Errors {
    relative: f64,
    max: f64,
}

/// An infinity must be matched; it then counts as no error, and otherwise as an infinite one.
fn errors(truth: &[f64], found: impl Iterator<Item = f64>) -> Errors {
    let (mut squares, mut norm, mut max) = (0.0, 0.0, 0.0);
    for (truth, found) in truth.iter().zip(found) {
        let error = if truth == &found { 0.0 } else { (found - truth).abs() };
        squares += error * error;
        norm += if truth.is_finite() { truth * truth } else { 0.0 };
        max = if error > max || error.is_nan() { error } else { max };
    }
    let relative = if squares == 0.0 { 0.0 } else { (squares / norm).sqrt() };
    Errors { relative, max }
}

fn axis(text: &str) -> (String, Value) {
    let (name, value) = text.split_once('=').expect("an axis is written name=value");
    let value = match value.parse() {
        Ok(number) => Value::Integer(number),
        Err(_) => value.parse().map_or_else(|_| Value::Word(value.to_owned()), Value::Flag),
    };
    (name.to_owned(), value)
}

/// A tensor's bytes, aligned as any element type needs.
struct Aligned {
    dtype: Dtype,
    len: usize,
    words: Vec<u64>,
}

impl Aligned {
    fn new(dtype: Dtype, values: &[f32]) -> Self {
        let len = values.len() * dtype.size() as usize;
        let mut aligned = Aligned { dtype, len, words: vec![0; len.div_ceil(8)] };
        dtype.encode(values, aligned.bytes_mut());
        aligned
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    fn values(&self) -> Vec<f32> {
        let elements = self.len / self.dtype.size() as usize;
        (0..elements).map(|index| self.dtype.decode(self.bytes(), index)).collect()
    }
}
