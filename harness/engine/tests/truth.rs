//! The truth that workers of a problem share: the same to the bit, computed once, and believed
//! only if it is whole.

mod common;

use common::{SumOfSquares, problem};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use tilemark_core::{Family, Problem, Shape, Value};
use tilemark_engine::validate::Truth;

const ROWS: u64 = 131;

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Desk { folder: TempDir::new().expect("there is a temporary folder") }
    }

    fn truth(&self) -> Truth {
        Truth::shared(&SumOfSquares, &problem(ROWS), self.folder.path())
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("it can be read");
        entries.map(|entry| entry.expect("it can be read").path()).collect()
    }
}

#[test]
fn the_second_worker_reads_what_the_first_one_computed() {
    let desk = Desk::new();
    let first = desk.truth();
    assert_eq!(first.outputs, Truth::compute(&SumOfSquares, &problem(ROWS)).outputs);
    let [file] = &desk.files()[..] else { panic!("one file was expected: {:?}", desk.files()) };
    assert_eq!(desk.truth().outputs, first.outputs);
    // That it is read, and not computed again, shows in a file that says something else.
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 8;
    bytes[last..].copy_from_slice(&7f64.to_ne_bytes());
    fs::write(file, bytes).unwrap();
    assert_eq!(desk.truth().outputs[0].exact.last(), Some(&7.0));
}

#[test]
fn a_file_that_is_not_whole_is_computed_anew() {
    for wrong in [|len| len - 1, |len| len + 1, |len| len - 8, |_| 0, |len| len + 8] {
        let desk = Desk::new();
        let first = desk.truth();
        let file = &desk.files()[0];
        let mut bytes = fs::read(file).unwrap();
        let whole = bytes.clone();
        bytes.resize(wrong(bytes.len()), 0);
        fs::write(file, bytes).unwrap();
        assert_eq!(desk.truth().outputs, first.outputs);
        assert_eq!(fs::read(file).unwrap(), whole, "the next worker finds it whole");
    }
}

#[test]
fn another_problem_has_a_truth_of_its_own_and_a_solved_one_has_none() {
    let desk = Desk::new();
    let one = desk.truth();
    let other = Truth::shared(&SumOfSquares, &problem(ROWS + 1), desk.folder.path());
    assert_ne!(one.outputs[0].exact.len(), other.outputs[0].exact.len());
    assert_eq!(desk.files().len(), 2);
    Truth::forget(&problem(ROWS), desk.folder.path());
    assert_eq!(desk.files().len(), 1);
    Truth::forget(&problem(ROWS), desk.folder.path());
}

#[test]
fn a_truth_of_many_elements_is_not_left() {
    let desk = Desk::new();
    for rows in [1 << 20, (1 << 20) + 1] {
        let given = [("rows", rows), ("columns", 1)];
        let given = given.map(|(axis, value)| (axis.to_owned(), Value::Integer(value)));
        let shape = Shape::complete(&given, SumOfSquares.about().axes).expect("it is valid");
        let problem = Problem { shape, ..problem(rows) };
        let truth = Truth::shared(&SumOfSquares, &problem, desk.folder.path());
        assert_eq!(truth.outputs[0].exact.len() as u64, rows, "the whole truth is known");
        assert_eq!(desk.files().len(), 1, "{rows} rows");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_no_obstacle() {
    let nowhere = PathBuf::from("/nonexistent/folder");
    let truth = Truth::shared(&SumOfSquares, &problem(ROWS), &nowhere);
    assert_eq!(truth.outputs, Truth::compute(&SumOfSquares, &problem(ROWS)).outputs);
}
