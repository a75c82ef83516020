//! Compilers that are programs: nvcc, and clang with AMD's backend.
//!
//! The source and its headers are laid out in a folder of their own, in which the compiler runs, so
//! that its messages name files as the source tree does, and nothing else can be included.

use super::{Form, Job, Output, amdgpu, ptxas};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tilemark_core::Fault;

/// A compiler's command: its path, perhaps with arguments behind it.
#[derive(Debug)]
pub(super) struct Program {
    words: Vec<String>,
}

impl Program {
    /// The program of this command, with its version.
    pub(super) fn find(command: &str) -> Result<(Self, String), String> {
        let program = Program { words: command.split_whitespace().map(str::to_owned).collect() };
        let version = version(program.command())?;
        Ok((program, version))
    }

    /// Compiles by the rules of nvcc.
    pub(super) fn nvcc(&self, job: &Job<'_>, version: &str) -> Result<Output, Fault> {
        let folder = lay_out(job)?;
        let mut command = self.command();
        command.args(job.target.flags()).args(["-cubin", "--ptxas-options=-v", "-I."]);
        command.args(job.definitions()).args([job.source.path, "-o", "code.cubin"]);
        let log = run(job, version, &mut command, &folder)?;
        let kernels = ptxas::kernels(&log).map_err(|problem| misread(version, &problem))?;
        let image = read(&folder.path().join("code.cubin"))?;
        Ok(Output { image, kernels, warnings: ptxas::warnings(&log) })
    }

    /// Compiles by the rules of clang.
    ///
    /// Assembly first, since what is loaded on hardware is then the very text that the interpreter
    /// runs.
    pub(super) fn clang(&self, job: &Job<'_>, version: &str) -> Result<Output, Fault> {
        let folder = lay_out(job)?;
        let mut command = self.command();
        command.args(job.target.flags()).args(["-S", "-I."]).args(job.definitions());
        command.args([job.source.path, "-o", "code.s"]);
        let log = run(job, version, &mut command, &folder)?;
        let (image, kernels) = match job.target.form {
            Form::CodeObject => {
                let object = self.assemble(job, version, &folder)?;
                let kernels = amdgpu::of_object(&object);
                (object, kernels)
            }
            Form::Assembly | Form::Cubin => {
                let assembly = read(&folder.path().join("code.s"))?;
                let kernels = amdgpu::of_assembly(&String::from_utf8_lossy(&assembly));
                (assembly, kernels)
            }
        };
        let kernels = kernels.map_err(|problem| misread(version, &problem))?;
        let warnings = log.lines().filter(|line| line.contains("warning:"));
        Ok(Output { image, kernels, warnings: warnings.map(str::to_owned).collect() })
    }

    fn assemble(&self, job: &Job<'_>, version: &str, folder: &TempDir) -> Result<Vec<u8>, Fault> {
        let mut command = self.command();
        command.args(["--target=amdgcn-amd-amdhsa", &format!("-mcpu={}", job.target.arch)]);
        command.args(["code.s", "-o", "code.hsaco"]);
        run(job, version, &mut command, folder)?;
        read(&folder.path().join("code.hsaco"))
    }

    /// The command, ready for arguments. Clang looks for its linker (`ld.lld`) on the path: it may
    /// lie beside it as well.
    fn command(&self) -> Command {
        let program = self.words.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command.args(self.words.iter().skip(1));
        let beside = Path::new(program).parent().map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = beside.into_iter().chain(std::env::split_paths(&path));
        if let Ok(joined) = std::env::join_paths(folders) {
            command.env("PATH", joined);
        }
        command
    }
}

/// The line of `--version` that says it.
fn version(mut command: Command) -> Result<String, String> {
    let output = command.arg("--version").output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not there".to_owned(),
        _ => error.to_string(),
    })?;
    if !output.status.success() {
        return Err(format!("--version: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let says = |line: &&str| line.contains("version") || line.contains("release");
    let line = text.lines().find(says).or(text.lines().next());
    line.map(|line| line.trim().to_owned()).ok_or_else(|| "--version: says nothing".to_owned())
}

/// The source and its headers under their own names in a new folder, which goes when dropped.
fn lay_out(job: &Job<'_>) -> Result<TempDir, Fault> {
    let folder = tempfile::tempdir().map_err(|e| infra("make a temporary folder", &e))?;
    let headers = job.source.headers.iter().map(|header| (header.name, header.text));
    for (name, text) in headers.chain([(job.source.path, job.source.text)]) {
        let path = folder.path().join(name);
        let parent = path.parent().expect("a file in the folder has a parent");
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|e| infra(&format!("write {}", path.display()), &e))?;
    }
    Ok(folder)
}

/// Runs a compiler in the folder; gives all that it said.
fn run(
    job: &Job<'_>,
    version: &str,
    command: &mut Command,
    folder: &TempDir,
) -> Result<String, Fault> {
    let output = command
        .current_dir(folder.path())
        .output()
        .map_err(|e| infra(&format!("start {}", command.get_program().display()), &e))?;
    let mut log = String::from_utf8_lossy(&output.stderr).into_owned();
    log.push_str(&String::from_utf8_lossy(&output.stdout));
    if output.status.success() { Ok(log) } else { Err(job.refused(version, &log)) }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|e| infra(&format!("read {}", path.display()), &e))
}

fn infra(action: &str, error: &std::io::Error) -> Fault {
    Fault::Infra { message: format!("cannot {action}: {error}") }
}

/// The compiler did its work, but its report is not the one we know.
pub(super) fn misread(version: &str, problem: &str) -> Fault {
    Fault::Infra { message: format!("report of {version}: {problem}") }
}
