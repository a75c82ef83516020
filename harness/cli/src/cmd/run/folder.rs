//! The run's folder: a new one, or one that was left by a killed run; and names for baselines.

use super::{end, summary_of};
use crate::args::RunArgs;
use crate::exit::UsageError;
use std::path::{Path, PathBuf};
use tilemark_core::record::{CaseResult, Line, Run};
use tilemark_core::summary::RunSummary;
use tilemark_engine::store::{RECORD, StoreError, Writer};

/// An open run folder.
pub struct Folder {
    path: PathBuf,
    writer: Writer,
    done: Vec<CaseResult>,
}

impl Folder {
    /// Makes a folder for this run, or goes on in the one that `--resume` names.
    pub fn open(args: &RunArgs, run: &Run) -> anyhow::Result<Self> {
        let folder = match &args.folder.resume {
            None => Folder::create(&args.folder.output, run)?,
            Some(path) => Folder::resume(path, run)?,
        };
        if let Some(name) = &args.folder.save_baseline {
            save_name(&args.folder.output, name, &folder.path)?;
        }
        Ok(folder)
    }

    fn create(output: &Path, run: &Run) -> Result<Self, StoreError> {
        let time = run.started.replace(['-', ':', 'Z'], "").replace('T', "-");
        let unique = &run.id[run.id.len() - 6..];
        let path = output.join(format!("{time}-{}-{unique}", run.suite));
        let writer = Writer::create(&path, run)?;
        Ok(Folder { path, writer, done: Vec::new() })
    }

    fn resume(path: &Path, run: &Run) -> anyhow::Result<Self> {
        let (writer, recording) = Writer::resume(path)?;
        let old = &recording.run;
        let differs = [
            ("plan", old.plan_id != run.plan_id),
            ("method", old.method_id != run.method_id),
            ("verb", old.verify_only != run.verify_only),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return Err(UsageError {
                problem: format!(
                    "--resume {}: this command has another {what} than the run",
                    path.display()
                ),
                hint: format!("repeat its own command: {}", old.argv.join(" ")),
            }
            .into());
        }
        Ok(Folder { path: path.to_owned(), writer, done: recording.results })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Results that the folder already held.
    pub fn done(&self) -> impl Iterator<Item = &CaseResult> {
        self.done.iter()
    }

    /// Writes a line of the record.
    pub fn append(&mut self, line: &Line) -> Result<(), StoreError> {
        self.writer.append(line)
    }

    /// Writes the last line, and reads the whole record back.
    pub fn close(&mut self, interrupted: bool) -> anyhow::Result<RunSummary> {
        let finished = summary_of(&self.path)?.rows.len();
        self.writer.append(&Line::End(end(finished, interrupted)))?;
        summary_of(&self.path)
    }
}

/// The run that a baseline's name or path stands for.
pub fn find(output: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(name);
    if path.join(RECORD).is_file() || path.is_file() {
        return Ok(path);
    }
    let pointer = pointer(output, name);
    match std::fs::read_to_string(&pointer) {
        Ok(folder) => Ok(output.join(folder.trim())),
        Err(_) => Err(UsageError {
            problem: format!("no run `{name}`: no such run folder, and no baseline of that name"),
            hint: format!(
                "give a run folder, or a name saved with --save-baseline (looked for {})",
                pointer.display()
            ),
        }
        .into()),
    }
}

/// A baseline's name is a file that holds the run folder's name, beside the run folders.
fn save_name(output: &Path, name: &str, run: &Path) -> Result<(), StoreError> {
    let path = pointer(output, name);
    let folder = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::fs::write(&path, folder + "\n").map_err(|source| StoreError::Io {
        action: "write",
        path,
        source,
    })
}

fn pointer(output: &Path, name: &str) -> PathBuf {
    output.join(format!("{name}.baseline"))
}
