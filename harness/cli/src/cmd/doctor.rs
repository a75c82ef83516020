//! `doctor`: is this machine fit to measure, and if not, what would make it so?

use crate::args::DevicesArgs;
use crate::exit::Exit;
use crate::output;
use crate::stream::print;
use tilemark_engine::compile::Compilers;
use tilemark_engine::device;
use tilemark_engine::host;

/// One thing that was looked at.
struct Check {
    what: &'static str,
    grade: Grade,
    found: String,
    hint: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Grade {
    Good,
    Poor,
    Unfit,
}

/// Looks at everything that can spoil a number; exit code 15 if no case can run at all.
pub fn run(args: &DevicesArgs) -> anyhow::Result<Exit> {
    let mut checks = vec![load(), governor(), folder()];
    checks.extend(devices());
    checks.extend(compilers());
    if args.json {
        let rows: Vec<_> = checks
            .iter()
            .map(|check| {
                serde_json::json!({
                    "what": check.what,
                    "grade": check.grade.name(),
                    "found": check.found,
                    "hint": check.hint,
                })
            })
            .collect();
        print(serde_json::to_string_pretty(&rows)?)?;
    } else {
        let mut table = output::table(&["", "what", "found", "hint"]);
        for Check { what, grade, found, hint } in &checks {
            let hint = if *grade == Grade::Good { "" } else { hint };
            table.add_row([grade.name(), what, found, hint]);
        }
        print(table)?;
    }
    let unfit = checks.iter().any(|check| check.grade == Grade::Unfit);
    Ok(if unfit { Exit::Unfit } else { Exit::Ok })
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Poor => "poor",
            Grade::Unfit => "unfit",
        }
    }
}

/// Other work on the host disturbs CPU cases and the launches of GPU cases.
fn load() -> Check {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = text.split(' ').next().and_then(|first| first.parse().ok());
    let cores = f64::from(host::host().cores);
    let grade = match load {
        Some(load) if load > cores / 2.0 => Grade::Poor,
        _ => Grade::Good,
    };
    let found = load.map_or("unknown".to_owned(), |load| format!("{load} on {cores} cores"));
    Check { what: "load average", grade, found, hint: "wait until other programs are done" }
}

fn governor() -> Check {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let found = std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let grade = match found.as_deref() {
        Ok("performance") | Err(_) => Grade::Good,
        Ok(_) => Grade::Poor,
    };
    let found = found.unwrap_or_else(|_| "not visible, as in most virtual machines".to_owned());
    let hint = "CPU cases vary with the clock: choose the governor `performance`";
    Check { what: "CPU governor", grade, found, hint }
}

fn folder() -> Check {
    let probe = std::env::temp_dir().join(format!("tilemark-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    let (grade, found) = match written {
        Ok(()) => (Grade::Good, "can be written".to_owned()),
        Err(e) => (Grade::Poor, e.to_string()),
    };
    Check { what: "temporary folder", grade, found, hint: "set TMPDIR to a folder of yours" }
}

fn devices() -> Vec<Check> {
    let listings = device::list();
    let any = listings.iter().any(|listing| listing.default && listing.found.is_ok());
    let mut checks: Vec<Check> = listings
        .into_iter()
        .map(|listing| match listing.found {
            Ok(info) => Check {
                what: "device",
                grade: Grade::Good,
                found: format!("{}: {}", info.name, info.model),
                hint: "",
            },
            Err(why) => Check {
                what: "device",
                grade: Grade::Poor,
                found: format!("{}: {why}", listing.name),
                hint: "install the vendor's driver if this machine has such a device",
            },
        })
        .collect();
    if !any {
        let found = "none that can run a case".to_owned();
        checks.push(Check { what: "devices", grade: Grade::Unfit, found, hint: "see above" });
    }
    checks
}

/// Without a compiler, a GPU of its vendor runs no code of ours.
fn compilers() -> [Check; 2] {
    let compilers = Compilers::here();
    let rows = [("compiler for NVIDIA", &compilers.nvidia), ("compiler for AMD", compilers.amd())];
    rows.map(|(what, compiler)| {
        let (grade, found) = match compiler {
            Ok(compiler) => (Grade::Good, format!("{} at {}", compiler.version(), compiler.path())),
            Err(absent) => (Grade::Poor, format!("none of {}", absent.looked_for.join(", "))),
        };
        Check { what, grade, found, hint: "`scripts/toolchain` installs it into a checkout" }
    })
}
