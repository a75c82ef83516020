//! Every mistake of a user: what it is told, and how the program ends.

use super::desk::{Desk, SMALL, scripted_small};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;

fn check_mistake(arguments: &str, code: i32, message: &str) {
    Desk::new().tilemark(arguments).assert().code(code).stderr(contains(message));
}

#[test]
fn a_mistake_is_named_with_its_remedy() {
    check_mistake("run -b gem", 2, "unknown family `gem`; known: gemm");
    check_mistake("run -d cuda:7x", 2, "unknown device `cuda:7x`");
    check_mistake("run -b gemm -a h=3", 2, "error: --axis h=3: family `gemm` has no axis `h`");
    check_mistake("run --dtype f64", 2, "unknown dtype `f64`");
    check_mistake("run -b gemm -m 0", 2, "error: -m 0: family `gemm`: axis `m` takes a whole");
    check_mistake("run -b gemm -a m=0", 2, "error: --axis m=0: family `gemm`: axis `m` takes");
    check_mistake("run -b gemm -a layout=zz", 2, "error: --axis layout=zz: family `gemm`");
    check_mistake("run -b attention -a hk=7", 2, "error: --axis hk=7: family `attention`, ");
    check_mistake("run --save-baseline a/b", 2, "--save-baseline \"a/b\": a name is not empty");
    check_mistake("run --save-baseline=", 2, "--save-baseline \"\": a name is not empty");
    check_mistake("run -b gemm -a m=[1", 2, "the list lacks its `]`");
    check_mistake("run --only cuda_*", 2, "the selection is empty");
    check_mistake("run nosuch", 2, "no suite `nosuch`");
    check_mistake("run --shard 3/2", 2, "is no shard");
    check_mistake("run --timeout 0", 2, "above 0");
    check_mistake("run --timeout 1e300", 2, "'--timeout <SECONDS>': expected seconds above 0");
    check_mistake("run --patience=-1", 2, "'--patience <SECONDS>': expected seconds from 0 to");
    check_mistake("report .", 2, "is no run folder");
    check_mistake("compare a b", 2, "no run `a`");
    check_mistake("run -b rmsnorm --baseline nosuch", 2, "no run `nosuch`");
    check_mistake("list gem", 2, "unknown family `gem`");
    check_mistake("build --arch sm_1", 2, "no such architecture");
    check_mistake("build -b gem", 2, "unknown family `gem`");
    check_mistake("tune -d null -b gemm", 2, "nothing to tune on null");
    check_mistake("tune -d sm_90a -b gemm", 2, "unknown device `sm_90a`");
    check_mistake("tune -d null --dry-run --out x", 2, "cannot be used with");
    check_mistake("run -d null --null-script nosuch.toml", 2, "nosuch.toml: No such file");
}

#[test]
fn a_malformed_script_is_a_mistake_and_no_outcome() {
    let desk = Desk::new();
    desk.write("script.toml", "[[time]]\nsecnds = 1.0\n");
    let told = contains("--null-script script.toml:2: unknown field `secnds`");
    for verb in ["run -b gemm", "verify -b gemm"] {
        let command = format!("{verb} -d null --null-script script.toml");
        desk.tilemark(&command).assert().code(2).stderr(told.clone());
    }
    assert!(!desk.path("runs").exists());
}

#[test]
fn a_glob_that_matches_nothing_is_told() {
    let desk = Desk::new();
    let command = scripted_small("--dry-run --only cpu_naive,tpyo --skip cpu_nave");
    let told = contains("warning: --only 'tpyo' matches nothing")
        .and(contains("warning: --skip 'cpu_nave' matches nothing"))
        .and(contains("cpu_naive").not());
    desk.tilemark(&command).assert().success().stderr(told);
}

#[test]
fn a_malformed_suite_is_named_with_file_line_and_key() {
    let desk = Desk::new();
    desk.write("bad.toml", "about = \"x\"\n[[entry]]\nfamly = \"gemm\"\n");
    let message = contains("bad.toml:3").and(contains("famly"));
    desk.tilemark("run bad.toml").assert().code(2).stderr(message);
    fs::write(desk.path("bytes.toml"), b"about = \"\xff\"\n").expect("the folder can be written");
    let message = contains("bytes.toml:1: is not UTF-8");
    desk.tilemark("run bytes.toml").assert().code(2).stderr(message);
}

#[test]
fn a_newer_record_is_refused() {
    let desk = Desk::new();
    fs::create_dir(desk.path("new")).expect("the folder can be written");
    desk.write("new/record.jsonl", "{\"run\":{\"format\":99}}\n");
    desk.tilemark("report new").assert().code(2).stderr(contains("format 99"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let desk = Desk::new();
    desk.write("file", "");
    desk.tilemark(SMALL).args(["-o", "file/runs"]).assert().code(15).stderr(contains("file/runs"));
}

#[test]
fn a_target_that_cannot_be_written_is_named_before_anything_runs() {
    for flag in ["html", "json", "csv", "md", "junit", "parquet"] {
        let desk = Desk::new();
        desk.write("file", "");
        let told = contains(format!("--{flag}: cannot")).and(contains("file/x"));
        let run = scripted_small(&format!("--{flag} file/x"));
        desk.tilemark(&run).assert().code(15).stderr(told);
        assert!(!desk.path("runs").exists(), "--{flag}: something ran");
    }
}

#[test]
fn a_cause_is_told_once() {
    let desk = Desk::new();
    desk.write("file", "");
    let ended = desk.tilemark(&scripted_small("-o file/runs")).assert().code(15);
    let stderr = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
    assert_eq!(stderr.matches("os error").count(), 1, "{stderr}");
}
