//! A folder of its own for each test, the program in it, and the runs that tests share.

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tilemark_core::record::Recording;
use tilemark_engine::store;

/// A folder of its own for each test, with the program in it.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Desk { folder: TempDir::new().expect("there is a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn tilemark(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilemark"));
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        command
    }

    /// The program in the background, silent.
    pub fn start(&self, arguments: &str) -> Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_tilemark"))
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program is built")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    /// The only run folder there is.
    pub fn run(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("runs")).expect("there are runs");
        let mut folders = entries.map(|e| e.expect("it can be read").path()).filter(|p| p.is_dir());
        folders.next().expect("there is a run")
    }

    pub fn recording(&self) -> Recording {
        read(&self.run())
    }
}

pub fn read(run: &Path) -> Recording {
    store::read(run).expect("it is a run")
}

pub fn ids(run: &Path) -> Vec<String> {
    read(run).results.iter().map(|result| result.case.id()).collect()
}

/// Two small problems: quick, and with a rival.
pub const SMALL: &str = "run -b gemm --dtype f32 -a m=[5,33] -n 17 -k 9 -a layout=nn -a scale=none";

/// Our implementation that every test with a fault strikes.
pub const OURS: &str = "cpu_naive";

/// A run of the null device, which is quick.
pub fn scripted_small(flags: &str) -> String {
    format!("{SMALL} -d null --quick --rounds 2 {flags}")
}

/// Runs problems enough for the rivals to stand for the machine, with scripted times, and saves
/// the run under a name.
pub fn scripted(desk: &Desk, seconds: f64, extra: &str, name: &str) {
    let rule = format!("implementation = \"cpu_*\"\nseconds = {seconds}\nnoise = 0.001\n{extra}");
    desk.write("script.toml", &format!("[[time]]\n{rule}"));
    let flags = ["-d", "null", "--null-script", "script.toml", "--save-baseline", name];
    // Whether it succeeds depends on the script.
    let problems = "run -b gemm --dtype f32 -a m=[5:12] -n 17 -k 9 -a layout=nn";
    let _ = desk.tilemark(problems).args(flags).assert();
}

/// Waits until a run has made its folder and written its first line.
pub fn wait_for_record(folder: &Path) -> PathBuf {
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

/// Sends what Ctrl-C sends, and says how the program ended.
pub fn interrupt(program: &mut Child) -> Option<i32> {
    let interrupt = format!("kill -INT {}", program.id());
    let sent = std::process::Command::new("sh").args(["-c", &interrupt]).status();
    assert!(sent.expect("there is a shell").success());
    program.wait().expect("it was started").code()
}
