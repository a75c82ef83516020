//! What is planned, without a device where none is needed.

use super::desk::{Desk, SMALL};
use predicates::prelude::*;
use predicates::str::contains;

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
