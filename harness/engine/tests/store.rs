//! Records on disk: whole lines, torn ones, newer ones, resumed ones, and the Parquet tables.

mod common;

use common::problem;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;
use tilemark_core::family::Standing;
use tilemark_core::method::Method;
use tilemark_core::record::{
    CaseResult, Environment, FORMAT, Line, Outcome, Round, Run, Samples, Stop, Timing,
    Verification, WorkDone,
};
use tilemark_core::{Bytes, Case, Flops};
use tilemark_engine::store::{self, RECORD, StoreError, Writer};
use tilemark_engine::summarise::summarise;

fn run() -> Run {
    Run {
        format: FORMAT,
        id: "0192-test".into(),
        started: "2026-11-24T00:00:00Z".into(),
        version: "0".into(),
        commit: None,
        argv: vec!["tilemark".into()],
        suite: "test".into(),
        method: Method::quick(),
        method_id: "m".into(),
        verify_only: false,
        expected_cases: 2,
        plan_id: "p".into(),
        rtol: None,
        atol: None,
        tags: vec![],
    }
}

fn result(rows: u64, outcome: Outcome) -> CaseResult {
    CaseResult {
        case: Case {
            problem: problem(rows),
            implementation: "i".into(),
            variant: None,
            device: "cpu".into(),
        },
        standing: Standing::Candidate,
        outcome,
        earlier: Vec::new(),
        work: WorkDone {
            convention: Flops(u64::from(u32::MAX) * 4096),
            convention_name: "f".into(),
            executed: Flops(1),
            least_bytes: Bytes(1),
        },
        code: vec![],
        choice: None,
        wall_s: 0.5,
        device_s: 0.25,
    }
}

fn measured() -> Outcome {
    let samples = Samples { seconds: vec![1e-3, 2e-3, 3e-3], clock_hz: vec![], discarded: vec![] };
    let round = |index| Round {
        index,
        order: 0,
        settle_s: 0.0,
        stop: Stop::Precise,
        samples: samples.clone(),
        telemetry: Default::default(),
    };
    Outcome::Measured {
        verification: Verification { outputs: vec![], inputs_intact: true, guards_intact: true },
        timing: Timing { rounds: (0..7).map(round).collect() },
    }
}

fn environment(driver: &str) -> Environment {
    let mut device = tilemark_engine::device::info("null").expect("there is always a null device");
    device.driver = Some(driver.to_owned());
    let host = tilemark_engine::host::host();
    Environment { device, ceilings: None, host, libraries: Vec::new() }
}

/// A record of one measured and one unsupported case.
fn recorded(folder: &Path) {
    let mut writer = Writer::create(folder, &run()).expect("the folder can be written");
    let unsupported = Outcome::Unsupported { reason: "no".into() };
    for line in [result(1, measured()), result(2, unsupported)] {
        writer.append(&Line::Results(vec![line])).expect("the folder can be written");
    }
}

fn append(folder: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(folder.join(RECORD)).expect("it is there");
    file.write_all(text.as_bytes()).expect("it can be written");
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let folder = TempDir::new().expect("there is room");
    recorded(folder.path());
    let recording = store::read(folder.path()).expect("a record");
    assert_eq!(recording.run, run());
    assert_eq!(recording.results[0], result(1, measured()));
    assert_eq!(recording.results.len(), 2);
    assert_eq!(recording.end, None);
}

#[test]
fn a_torn_last_line_is_passed_over() {
    let folder = TempDir::new().expect("there is room");
    recorded(folder.path());
    append(folder.path(), "{\"results\":[{\"case\":{\"pro");
    assert_eq!(store::read(folder.path()).expect("a record").results.len(), 2);
}

#[test]
fn a_record_torn_anywhere_can_be_resumed_and_holds_no_case_twice() {
    let whole = TempDir::new().expect("there is room");
    recorded(whole.path());
    let text = fs::read(whole.path().join(RECORD)).expect("a record");
    let first_line = text.iter().position(|byte| *byte == b'\n').expect("whole lines") + 1;
    for cut in first_line..text.len() {
        let torn = TempDir::new().expect("there is room");
        fs::write(torn.path().join(RECORD), &text[..cut]).expect("a new folder");
        let (mut writer, kept) = Writer::resume(torn.path()).expect("nobody else writes there");
        for rows in 1..=2 {
            let result = result(rows, measured());
            if kept.results.iter().all(|old| old.case.id() != result.case.id()) {
                writer.append(&Line::Results(vec![result])).expect("it is open");
            }
        }
        let after = store::read(torn.path()).expect("a record");
        assert_eq!(after.results.len(), 2, "cut at byte {cut}");
    }
}

#[test]
fn what_a_resumed_run_says_of_a_device_takes_the_place_of_what_was_said() {
    let folder = TempDir::new().expect("there is room");
    let mut writer = Writer::create(folder.path(), &run()).expect("nobody else writes there");
    for driver in ["1.0", "2.0"] {
        writer.append(&Line::Environment(Box::new(environment(driver)))).expect("it is open");
    }
    let told = store::read(folder.path()).expect("a record").environments;
    assert_eq!(told, [environment("2.0")]);
}

#[test]
fn a_torn_line_in_the_middle_is_named() {
    let folder = TempDir::new().expect("there is room");
    recorded(folder.path());
    append(folder.path(), "{\"resu\n{\"end\":{}}\n");
    let error = store::read(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { line: 4, .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused_even_if_its_fields_differ() {
    let folder = TempDir::new().expect("there is room");
    fs::write(folder.path().join(RECORD), "{\"run\":{\"format\":99,\"what\":1}}\n")
        .expect("a new folder");
    let error = store::read(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn a_folder_without_a_record_is_no_run() {
    let folder = TempDir::new().expect("there is room");
    let error = store::read(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NoRecord { .. }), "{error}");
}

#[test]
fn two_processes_cannot_write_one_record() {
    let folder = TempDir::new().expect("there is room");
    let _first = Writer::create(folder.path(), &run()).expect("nobody else writes there");
    let error = Writer::resume(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
}

#[test]
fn the_parquet_tables_hold_every_case_and_every_sample() {
    let folder = TempDir::new().expect("there is room");
    recorded(folder.path());
    let summary = summarise(&store::read(folder.path()).expect("a record"));
    store::write_tables(folder.path(), &summary).expect("a new folder");
    let open = |name: &str| {
        SerializedFileReader::new(File::open(folder.path().join(name)).expect("it was written"))
            .expect("Parquet")
    };
    let count = |name: &str| open(name).metadata().file_metadata().num_rows();
    assert_eq!(count("runs.parquet"), 1);
    assert_eq!(count("results.parquet"), 2);
    assert_eq!(count("samples.parquet"), 3 * 7);
    assert_eq!(count("environments.parquet"), 0);
    let rows: Vec<String> = open("results.parquet")
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row").to_string())
        .collect();
    assert!(rows[0].contains("median: 0.002"), "{}", rows[0]);
    // A count past 2^32 stays exact, and a case without a time has null, not 0.
    assert!(rows[0].contains("work_convention: 17592186040320,"), "{}", rows[0]);
    assert!(rows[1].contains("median: null"), "{}", rows[1]);
}
