//! What holds for every family: its standard shapes are valid, its implementations agree with its
//! truth on them, and its tolerance rejects wrong answers.

use crate::FAMILIES;
use crate::testing::Trial;
use tilemark_core::family::{Arithmetic, Code, Role};
use tilemark_core::{Dtype, Family, Implementation, Shape, Tensor, Value};

/// Larger problems are left to runs: their whole truth takes long without optimisation.
const LARGEST_FLOPS: u64 = 2_000_000;

#[test]
fn every_standard_shape_is_valid() {
    for family in FAMILIES {
        for list in ["smoke", "nightly", "paper"] {
            assert!(!shapes(*family, list).is_empty(), "{}: {list}", family.about().name);
        }
    }
}

#[test]
fn every_implementation_agrees_with_the_truth_on_the_smoke_shapes() {
    for_each_small_trial(|trial| {
        for implementation in on_host(trial.family) {
            let outputs = trial.run(implementation, &trial.inputs());
            assert_eq!(trial.judge(&outputs), Ok(()), "`{}`", implementation.name);
        }
    });
}

#[test]
fn wrong_answers_are_rejected_on_the_smoke_shapes() {
    for_each_small_trial(|trial| {
        let right = stored_truth(trial);
        let id = trial.problem.id();
        assert_eq!(trial.judge(&right), Ok(()), "{id}: the truth itself");
        for output in 0..right.len() {
            for (control, wrong) in controls(&right[output], row_elements(trial, output)) {
                let mut outputs = right.clone();
                // A shift of one row, or of equal rows, changes nothing.
                if outputs[output] == wrong {
                    continue;
                }
                outputs[output] = wrong;
                assert!(trial.judge(&outputs).is_err(), "{id}: output {output} passes {control}");
            }
        }
    });
}

#[test]
fn rows_of_the_truth_are_those_of_the_whole() {
    for_each_small_trial(|trial| {
        let whole = trial.truth(Arithmetic::Working);
        for (output, (idx, _)) in outputs(trial).enumerate() {
            let row = row_elements(trial, output);
            let last = whole[output].len() / row - 1;
            let found = trial.rows(idx, &[last as u64, 0], Arithmetic::Working);
            let expected = [&whole[output][last * row..], &whole[output][..row]].concat();
            assert_eq!(found, expected, "{}: output {output}", trial.problem.id());
        }
    });
}

/// Answers that a gate must not let through: `row` is how many elements make one row.
fn controls(right: &[f32], row: usize) -> [(&'static str, Vec<f32>); 4] {
    let finite = || right.iter().filter(|v| v.is_finite());
    let deviation = (finite().map(|v| v * v).sum::<f32>() / finite().count() as f32).sqrt();
    let mut one_wrong = right.to_vec();
    let victim = right.len() - 1 - row / 2;
    one_wrong[victim] += deviation;
    let mut shifted = right.to_vec();
    shifted.rotate_left(row);
    // What a kernel leaves that ran on the previous inputs: here, the same rows in reverse.
    let previous = right.iter().rev().copied().collect();
    [
        ("all zeros", vec![0.0; right.len()]),
        ("one wrong element", one_wrong),
        ("a shifted row", shifted),
        ("a previous output", previous),
    ]
}

fn stored_truth(trial: &Trial) -> Vec<Vec<f32>> {
    let truth = trial.truth(Arithmetic::Exact);
    outputs(trial)
        .zip(truth)
        .map(|((_, tensor), truth)| truth.iter().map(|v| tensor.dtype.round(*v as f32)).collect())
        .collect()
}

fn outputs(trial: &Trial) -> impl Iterator<Item = (usize, &Tensor)> {
    let tensors = trial.tensors.iter().enumerate();
    tensors.filter(|(_, tensor)| matches!(tensor.role, Role::Output { .. }))
}

fn row_elements(trial: &Trial, output: usize) -> usize {
    match outputs(trial).nth(output).map(|(_, tensor)| tensor.role) {
        Some(Role::Output { row }) => row as usize,
        other => panic!("output {output} is {other:?}"),
    }
}

fn for_each_small_trial(check: impl Fn(&Trial)) {
    for family in FAMILIES {
        for (shape, dtypes) in shapes(*family, "smoke") {
            for dtype in dtypes {
                let trial = Trial::new(*family, &shape.to_string(), dtype);
                if family.work(&trial.problem).executed.0 <= LARGEST_FLOPS {
                    check(&trial);
                }
            }
        }
    }
}

/// The implementations of a family that run on a host, which are those that a trial can run.
pub fn on_host(family: &dyn Family) -> impl Iterator<Item = &'static Implementation> {
    family.implementations().iter().filter(|i| matches!(i.code, Code::Host(_)))
}

/// The shapes of a standard list, each with the element types it is meant for.
pub fn shapes(family: &dyn Family, list: &str) -> Vec<(Shape, Vec<Dtype>)> {
    let about = family.about();
    let lists: toml::Table = about.shapes.parse().unwrap();
    let tables = lists[list].as_array().unwrap().iter().map(|table| table.as_table().unwrap());
    let mut shapes = Vec::new();
    for table in tables {
        let dtypes: Vec<Dtype> = match table.get("dtype") {
            Some(names) => names.as_array().unwrap().iter().map(dtype).collect(),
            None => about.dtypes.to_vec(),
        };
        assert!(dtypes.iter().all(|d| about.dtypes.contains(d)), "{table}: a dtype it lacks");
        for given in expand(table) {
            let shape = Shape::complete(&given, about.axes).unwrap();
            assert_eq!(family.check(&shape), Ok(()), "{}: {shape}", about.name);
            shapes.push((shape, dtypes.clone()));
        }
    }
    shapes
}

/// The shapes that a table stands for: one for each combination of its lists' values.
fn expand(table: &toml::Table) -> Vec<Vec<(String, Value)>> {
    let mut shapes = vec![Vec::new()];
    for (name, value) in table.iter().filter(|(name, _)| *name != "dtype") {
        let values = match value {
            toml::Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        let mut longer = Vec::new();
        for shape in &shapes {
            for value in &values {
                longer.push([shape, &[(name.clone(), axis_value(value))][..]].concat());
            }
        }
        shapes = longer;
    }
    shapes
}

fn axis_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::Integer(n) => Value::Integer(u64::try_from(*n).unwrap()),
        toml::Value::Boolean(on) => Value::Flag(*on),
        toml::Value::String(word) => Value::Word(word.clone()),
        other => panic!("no axis takes {other:?}"),
    }
}

fn dtype(name: &toml::Value) -> Dtype {
    name.as_str().unwrap().parse().unwrap()
}
