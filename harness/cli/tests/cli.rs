//! The program as a person uses it: every verb, every mistake, every exit code, on the CPU and on
//! the null device.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tilemark_core::record::Recording;
use tilemark_engine::store;

/// A folder of its own for each test, with the program in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Desk { folder: TempDir::new().expect("there is a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tilemark(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilemark"));
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        command
    }

    /// The program in the background, silent.
    fn start(&self, arguments: &str) -> Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_tilemark"))
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program is built")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    /// The only run folder there is.
    fn run(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("runs")).expect("there are runs");
        let mut folders = entries.map(|e| e.expect("it can be read").path()).filter(|p| p.is_dir());
        folders.next().expect("there is a run")
    }

    fn recording(&self) -> Recording {
        read(&self.run())
    }
}

fn read(run: &Path) -> Recording {
    store::read(run).expect("it is a run")
}

fn ids(run: &Path) -> Vec<String> {
    read(run).results.iter().map(|result| result.case.id()).collect()
}

/// Two small problems: quick, and with a rival.
const SMALL: &str = "run -b gemm --dtype f32 -a m=[5,33] -n 17 -k 9 -a layout=nn -a scale=none";

/// Our implementation that every test with a fault strikes.
const OURS: &str = "cpu_naive";

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
fn a_run_compared_with_itself_has_no_difference() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "", "one");
    let slower = contains("slower").or(contains("faster")).not();
    desk.tilemark("compare one one").assert().success().stdout(slower);
    desk.tilemark("compare one one --json").assert().success().stdout(contains("\"cases\""));
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

/// A run of the null device, which is quick.
fn scripted_small(flags: &str) -> String {
    format!("{SMALL} -d null --quick --rounds 2 {flags}")
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

#[test]
fn every_smoke_case_of_ours_and_of_the_rivals_is_right() {
    Desk::new().tilemark("verify smoke").assert().success();
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
    assert!(desk.run().join("report.html").is_file() && desk.path("j").is_file());
    assert!(desk.run().join("samples.parquet").is_file());
}

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
fn a_shape_that_does_not_fit_is_an_outcome() {
    let huge = "run -b gemm --dtype f32 -m 4000000 -n 4000000 -k 3 -a layout=nn";
    Desk::new().tilemark(huge).assert().code(12).stdout(contains("out_of_memory"));
}

#[test]
fn a_dry_run_prints_the_plan_and_leaves_nothing() {
    let desk = Desk::new();
    let id = "gemm/f32/m=5,n=17,k=9,layout=nn,scale=none/normal/42/cpu_naive@cpu";
    desk.tilemark(SMALL).arg("--dry-run").assert().success().stdout(contains(id));
    assert!(!desk.path("runs").exists());
}

#[test]
fn a_dry_run_needs_no_device() {
    let desk = Desk::new();
    let ready = |device: &str| contains(format!("@{device} ")).and(contains("ready"));
    let command = "run nightly --dry-run -b gemm -d sm_90a,gfx942";
    desk.tilemark(command).assert().success().stdout(ready("sm_90a").and(ready("gfx942")));
    desk.tilemark("run nightly --dry-run -b gemm").assert().success().stdout(contains("ready"));
    assert!(!desk.path("runs").exists());
}

#[test]
fn a_device_with_two_names_runs_once() {
    let desk = Desk::new();
    let lines = |devices: &str| {
        let command = format!("{SMALL} --dry-run -d {devices}");
        let ended = desk.tilemark(&command).assert().success();
        String::from_utf8_lossy(&ended.get_output().stdout).into_owned()
    };
    assert_eq!(lines("null,null"), lines("null"));
    assert_eq!(lines("cpu,cpu:0"), lines("cpu"));
}

#[test]
fn a_dry_run_of_tuning_lists_the_variants_of_a_device_that_is_not_here() {
    let command =
        "tune --dry-run -d sm_90a -b gemm --dtype bf16 -m 64 -n 1024 -k 1024 -a layout=nt";
    let assert = Desk::new().tilemark(command).assert().success();
    let shown = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    let variant = |kernel: &str| {
        let of = |line: &&str| line.contains("sm90_wgmma[tile = {") && line.contains(kernel);
        shown.lines().filter(of).filter(|line| line.trim_end().ends_with("ready")).count()
    };
    let counts = ["kernel = \"sm90_wgmma\"", "kernel = \"sm90_small_m\""].map(variant);
    assert!(counts.iter().all(|count| *count > 1), "{counts:?} in\n{shown}");
}

/// Runs the small problems on the null device with one fault for our simple implementation.
fn check_fault(kind: &str, at: &str, code: i32, outcome: &str) {
    let desk = Desk::new();
    let rule = format!("implementation = \"{OURS}\"\nkind = \"{kind}\"\nat = \"{at}\"\n");
    desk.write("script.toml", &format!("[[fault]]\n{rule}"));
    let flags = "-d null --null-script script.toml --timeout 1 --quick --rounds 2";
    desk.tilemark(SMALL).args(flags.split(' ')).assert().code(code).stdout(contains(outcome));
    for result in desk.recording().results {
        let expected = if result.case.implementation == OURS { outcome } else { "measured" };
        assert_eq!(result.outcome.name(), expected, "{kind} at {at}: {}", result.case.id());
    }
}

#[test]
fn every_fault_is_its_own_outcome_and_the_others_go_on() {
    check_fault("abort", "run", 12, "crash");
    check_fault("abort", "time", 12, "crash");
    check_fault("hang", "time", 12, "timeout");
    check_fault("crash", "prepare", 12, "crash");
    check_fault("compile", "prepare", 12, "compile_error");
    check_fault("out_of_memory", "prepare", 12, "out_of_memory");
    check_fault("infra", "run", 12, "infra");
    check_fault("nan", "run", 11, "nonfinite");
    check_fault("nan", "time", 11, "nonfinite");
    check_fault("zeros", "run", 11, "incorrect");
    check_fault("wrong_element", "time", 11, "incorrect");
    check_fault("input_changed", "run", 11, "incorrect");
    check_fault("guard_overwritten", "time", 11, "incorrect");
}

/// Runs problems enough for the rivals to stand for the machine, with scripted times, and saves
/// the run under a name.
fn scripted(desk: &Desk, seconds: f64, extra: &str, name: &str) {
    let rule = format!("implementation = \"cpu_*\"\nseconds = {seconds}\nnoise = 0.001\n{extra}");
    desk.write("script.toml", &format!("[[time]]\n{rule}"));
    let flags = ["-d", "null", "--null-script", "script.toml", "--save-baseline", name];
    // Whether it succeeds depends on the script.
    let problems = "run -b gemm --dtype f32 -a m=[5:12] -n 17 -k 9 -a layout=nn";
    let _ = desk.tilemark(problems).args(flags).assert();
}

#[test]
fn a_regression_is_found_and_a_repetition_is_not() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "", "before");
    scripted(&desk, 1e-3, "", "again");
    scripted(&desk, 1.1e-3, "", "slower");
    desk.tilemark("compare again before").assert().success();
    desk.tilemark("compare slower before").assert().code(10).stdout(contains("slower ("));
    desk.tilemark("compare before slower").assert().success().stdout(contains("faster"));
}

#[test]
fn samples_of_a_throttled_device_make_a_case_unusable() {
    let desk = Desk::new();
    scripted(&desk, 1e-3, "throttle_after = 3\n", "hot");
    let results = desk.recording().results;
    let ours = results.iter().filter(|result| result.case.implementation == OURS);
    for result in ours {
        assert_eq!(result.outcome.name(), "unusable");
    }
}

/// Runs the small problems on the null device, ours with this fault if any, and gives the run a
/// name.
fn small_run(desk: &Desk, verb: &str, fault: &str, name: &str) {
    desk.write("script.toml", fault);
    let small = SMALL.strip_prefix("run").expect("it runs");
    let flags = format!("{verb}{small} -d null --null-script script.toml --timeout 1 --quick");
    let _ = desk.tilemark(&flags).args(["--save-baseline", name]).assert();
}

#[test]
fn a_comparison_ends_with_what_became_worse() {
    let desk = Desk::new();
    let fault =
        |kind| format!("[[fault]]\nimplementation = \"{OURS}\"\nkind = \"{kind}\"\nat = \"run\"\n");
    small_run(&desk, "run", "", "right");
    small_run(&desk, "run", &fault("abort"), "crashed");
    small_run(&desk, "run", &fault("hang"), "hung");
    small_run(&desk, "run", &fault("zeros"), "wrong");
    desk.tilemark("compare crashed right").assert().code(12);
    desk.tilemark("compare hung right").assert().code(12);
    desk.tilemark("compare wrong right").assert().code(11);
    desk.tilemark("compare wrong right --fail-on none").assert().success();
    desk.tilemark("compare crashed crashed").assert().success().stdout(contains("both_failed"));
}

#[test]
fn a_verified_run_is_compared_by_its_answers() {
    let desk = Desk::new();
    small_run(&desk, "run", "", "timed");
    small_run(&desk, "verify", "", "verified");
    for pair in ["verified timed", "timed verified", "verified verified"] {
        desk.tilemark(&format!("compare {pair}")).assert().success().stdout(contains("same"));
    }
    let fault = "[[fault]]\nkind = \"zeros\"\nat = \"run\"\n";
    small_run(&desk, "verify", fault, "wrong");
    desk.tilemark("compare wrong timed").assert().code(11);
    let verify = SMALL.replacen("run", "verify", 1);
    desk.tilemark(&verify).args("-d null --baseline timed".split(' ')).assert().success();
}

#[test]
fn a_name_moves_only_to_a_run_that_came_to_its_end() {
    let desk = Desk::new();
    let names = || fs::read_to_string(desk.path("runs/monday.baseline")).ok();
    small_run(&desk, "run", "", "monday");
    let first = names();
    assert!(first.is_some());
    desk.write("script.toml", "[[fault]]\nkind = \"hang\"\nat = \"run\"\n");
    let endless = "-d null --null-script script.toml --save-baseline monday -o";
    let mut program = desk.start(&format!("{SMALL} {endless} runs"));
    std::thread::sleep(Duration::from_millis(800));
    program.kill().expect("it runs");
    program.wait().expect("it was started");
    assert_eq!(names(), first, "a killed run took the name");
}

#[test]
fn a_name_finds_a_run_that_was_resumed_elsewhere() {
    let desk = Desk::new();
    let command = scripted_small("-o other");
    desk.tilemark(&command).assert().success();
    let folders = fs::read_dir(desk.path("other")).expect("there are runs");
    let run = folders.last().expect("there is a run").expect("it can be read").file_name();
    let run = format!("other/{}", run.to_string_lossy());
    let resume = scripted_small(&format!("--resume {run} --save-baseline x"));
    desk.tilemark(&resume).assert().success();
    desk.tilemark(&format!("compare x {run}")).assert().success();
}

#[test]
fn two_methods_cannot_be_compared() {
    let desk = Desk::new();
    desk.tilemark(SMALL).args(["--save-baseline", "a"]).assert().success();
    desk.tilemark(SMALL).args("--save-baseline b --cache hot".split(' ')).assert().success();
    desk.tilemark("compare a b").assert().code(14).stdout(contains("the method differs"));
}

/// Waits until a run has made its folder and written its first line.
fn wait_for_record(folder: &Path) -> PathBuf {
    for _ in 0..1000 {
        let found = fs::read_dir(folder).ok().and_then(|mut entries| entries.next());
        if let Some(Ok(run)) = found
            && fs::metadata(run.path().join("record.jsonl")).is_ok_and(|m| m.len() > 0)
        {
            return run.path();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the run made no record within 5 s");
}

#[test]
fn a_run_killed_at_any_moment_and_resumed_has_every_case_once() {
    let desk = Desk::new();
    let arguments = "run -b gemm --dtype f32 -a m=[1:6] -n 17 -k 9 -a layout=nn";
    let start = Instant::now();
    desk.tilemark(arguments).assert().success();
    let (whole, expected) = (start.elapsed(), ids(&desk.run()));
    for _ in 0..3 {
        let share = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        let (run, moment) = killed(&desk, arguments, whole.mul_f64(share));
        desk.tilemark(arguments).arg("--resume").arg(&run).assert().success();
        assert_eq!(ids(&run), expected, "killed after {moment:?} of {whole:?}");
        fs::remove_dir_all(desk.path("killed")).expect("it is there");
    }
}

/// A run that was killed so long after its record began, or sooner, if it had ended by then.
fn killed(desk: &Desk, arguments: &str, moment: Duration) -> (PathBuf, Duration) {
    let mut program = desk.start(&format!("{arguments} -o killed"));
    let run = wait_for_record(&desk.path("killed"));
    std::thread::sleep(moment);
    program.kill().expect("it was started");
    program.wait().expect("it was started");
    if read(&run).end.is_none() {
        return (run, moment);
    }
    fs::remove_dir_all(desk.path("killed")).expect("it is there");
    killed(desk, arguments, moment / 2)
}

#[test]
fn a_finished_run_that_is_resumed_measures_nothing_again() {
    let desk = Desk::new();
    desk.tilemark(SMALL).assert().success();
    let run = desk.run();
    let measured = || -> Vec<String> {
        let record = fs::read_to_string(run.join("record.jsonl")).expect("there is a record");
        record.lines().filter(|line| line.starts_with("{\"results\"")).map(str::to_owned).collect()
    };
    let before = measured();
    assert!(!before.is_empty());
    desk.tilemark(SMALL).arg("--resume").arg(&run).assert().success();
    assert!(measured() == before, "the record holds other measurements than before");
}

#[test]
fn a_run_resumed_with_other_cases_is_refused() {
    let desk = Desk::new();
    desk.tilemark(SMALL).assert().success();
    let other = "run -b gemm --dtype f32 -m 7 -n 7 -k 7 --resume";
    desk.tilemark(other).arg(desk.run()).assert().code(2).stderr(contains("another plan"));
}

#[test]
fn ctrl_c_keeps_what_is_done_and_says_130() {
    let desk = Desk::new();
    let mut program = desk.start("run smoke -b gemm");
    let run = wait_for_record(&desk.path("runs"));
    std::thread::sleep(Duration::from_millis(1500));
    let interrupt = format!("kill -INT {}", program.id());
    let sent = std::process::Command::new("sh").args(["-c", &interrupt]).status();
    assert!(sent.expect("there is a shell").success());
    assert_eq!(program.wait().expect("it was started").code(), Some(130));
    assert!(read(&run).end.is_some_and(|end| end.interrupted));
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
