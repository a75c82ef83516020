//! What a person and a program read: the run folder, the forms of a report, stdout and its end.

use super::desk::{Desk, OURS, SMALL, scripted_small};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::process::Stdio;

#[test]
fn a_run_leaves_records_tables_and_a_page_and_says_where() {
    let desk = Desk::new();
    desk.tilemark(SMALL)
        .assert()
        .success()
        .stdout(contains(OURS).and(contains("\"status\":\"ok\"")))
        .stderr(contains("report.html"));
    let tables = ["runs", "environments", "results", "samples"].map(|t| format!("{t}.parquet"));
    let others = ["record.jsonl".to_owned(), "report.html".to_owned()];
    for file in tables.iter().chain(&others) {
        assert!(desk.run().join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn every_form_of_a_report_can_be_asked_for_and_made_again() {
    let desk = Desk::new();
    let forms = "--json j --csv c --md m --junit x --parquet p --html h";
    desk.tilemark(SMALL).args(forms.split(' ')).assert().success();
    for file in ["j", "c", "m", "x", "h", "p/results.parquet"] {
        assert!(desk.path(file).is_file(), "{file} is missing");
    }
    desk.tilemark("report --md -").arg(desk.run()).assert().success().stdout(contains("gemm"));
}

#[test]
fn a_form_on_stdout_is_alone_there() {
    let desk = Desk::new();
    let stdout = |form: &str| {
        let told = contains(OURS).and(contains("\"status\":\"ok\""));
        let run = scripted_small(&format!("{form} -"));
        let ended = desk.tilemark(&run).assert().success().stderr(told);
        String::from_utf8_lossy(&ended.get_output().stdout).into_owned()
    };
    assert!(serde_json::from_str::<serde_json::Value>(&stdout("--json")).is_ok());
    let csv = stdout("--csv");
    let widths: Vec<_> = csv.lines().map(|line| line.matches(',').count()).collect();
    assert!(widths.len() > 6 && widths.iter().all(|width| *width >= widths[0]), "{csv}");
    assert!(stdout("--md").trim_start().starts_with('#'));
    let junit = stdout("--junit");
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
    let both = scripted_small("--csv - --json -");
    desk.tilemark(&both).assert().code(2).stderr(contains("--csv -: stdout is for --json already"));
}

/// What the program says and ends with when its stdout takes nothing.
fn unread(desk: &Desk, arguments: &str, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_tilemark"))
        .current_dir(desk.folder.path())
        .args(arguments.split_whitespace())
        .stdout(stdout)
        .output()
        .expect("the program is built");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// A pipe that nobody reads.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    drop(reader);
    writer
}

#[test]
fn a_reader_that_has_seen_enough_is_no_bug_of_ours() {
    let desk = Desk::new();
    for verb in ["list", "list gemm", "devices", "doctor", "man", "completions zsh"] {
        assert_eq!(unread(&desk, verb, closed_pipe()), (Some(141), String::new()), "{verb}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let full = || fs::File::create("/dev/full").expect("it can be opened");
    let desk = Desk::new();
    let run = scripted_small("");
    for verb in ["list", "devices", "man", "completions zsh", &run] {
        let (code, stderr) = unread(&desk, verb, full());
        assert_eq!(code, Some(15), "{verb}");
        assert!(
            stderr.contains("error: cannot write to stdout: No space left"),
            "{verb}: {stderr}"
        );
    }
}

#[test]
fn a_run_that_nobody_reads_leaves_all_its_files() {
    let desk = Desk::new();
    let (code, stderr) = unread(&desk, &scripted_small("--json j"), closed_pipe());
    assert_eq!(code, Some(141));
    assert!(stderr.contains("report.html") && !stderr.contains("error"), "{stderr}");
    let written = fs::read(desk.path("j")).expect("it is there");
    assert!(serde_json::from_slice::<serde_json::Value>(&written).is_ok());
    assert!(desk.run().join("report.html").is_file());
    assert!(desk.run().join("samples.parquet").is_file());
}

#[test]
fn lists_devices_doctor_shell_and_man_answer() {
    let desk = Desk::new();
    let check = |arguments: &str, word: &str| {
        desk.tilemark(arguments).assert().success().stdout(contains(word));
    };
    check("list", "smoke");
    check("list gemm", "gemm_crate");
    check("list --json", "\"families\"");
    check("devices", "cpu");
    check("devices --json", "\"memory\"");
    check("devices", "code for");
    check("doctor", "load average");
    check("doctor", "compiler for AMD");
    check("completions bash", "_tilemark");
    check("man", ".TH");
    check("man", "TILEMARK RUN");
    check("man", "\\-\\-resume");
}
