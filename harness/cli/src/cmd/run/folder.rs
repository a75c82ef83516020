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
        match &args.folder.resume {
            None => Ok(Folder::create(&args.folder.output, run)?),
            Some(path) => Folder::resume(path, run),
        }
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
            ("--rtol", old.rtol != run.rtol),
            ("--atol", old.atol != run.atol),
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

/// The name that `--save-baseline` gives: a file beside the run folders, which holds the path of
/// one of them.
pub struct Name<'a> {
    output: &'a Path,
    name: &'a str,
}

impl<'a> Name<'a> {
    /// A name that a file can have.
    pub fn new(output: &'a Path, name: &'a str) -> Result<Self, UsageError> {
        if name.is_empty() || name.contains(['/', '\\', '\0']) {
            return Err(UsageError {
                problem: format!("--save-baseline {name:?}: a name is not empty and has no slash"),
                hint: "--output chooses the folder".to_owned(),
            });
        }
        Ok(Name { output, name })
    }

    /// Gives the name to a run, and takes it from the run that had it.
    pub fn give(&self, run: &Path) -> Result<(), StoreError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { action, path, source }
        };
        std::fs::create_dir_all(self.output).map_err(io("create", self.output))?;
        let [folder, run] =
            [self.output, run].map(|path| path.canonicalize().map_err(io("find", path)));
        let (folder, run) = (folder?, run?);
        // A run beside its name keeps it when both are moved together.
        let path = run.strip_prefix(&folder).unwrap_or(&run);
        let pointer = pointer(self.output, self.name);
        std::fs::write(&pointer, format!("{}\n", path.display())).map_err(io("write", &pointer))
    }
}

fn pointer(output: &Path, name: &str) -> PathBuf {
    output.join(format!("{name}.baseline"))
}
