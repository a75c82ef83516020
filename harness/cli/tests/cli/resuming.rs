//! Runs that were broken off: what is kept, and how they go on.

use super::desk::{Desk, SMALL, ids, interrupt, read, wait_for_record};
use predicates::str::contains;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

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
fn a_run_resumed_with_other_cases_or_tolerances_is_refused() {
    let desk = Desk::new();
    desk.tilemark(SMALL).assert().success();
    let other = "run -b gemm --dtype f32 -m 7 -n 7 -k 7 --resume";
    desk.tilemark(other).arg(desk.run()).assert().code(2).stderr(contains("another plan"));
    let loose = format!("{SMALL} --rtol 0.5 --resume");
    desk.tilemark(&loose).arg(desk.run()).assert().code(2).stderr(contains("another --rtol"));
}

#[test]
fn ctrl_c_keeps_what_is_done_and_says_130() {
    let desk = Desk::new();
    let mut program = desk.start("run smoke -b gemm");
    let run = wait_for_record(&desk.path("runs"));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(interrupt(&mut program), Some(130));
    assert!(read(&run).end.is_some_and(|end| end.interrupted));
}
