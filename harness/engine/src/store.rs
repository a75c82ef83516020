//! A run's folder: the record as JSON lines while it runs, Parquet tables when it has ended.
//!
//! Every line is written whole and at once the moment its cases end, so a kill loses at most the
//! problem in hand. A torn last line is passed over when a record is read, and cut off when a run
//! is resumed. Nothing here knows what a number means.

mod columns;
mod tables;

pub use tables::write_tables;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tilemark_core::record::{FORMAT, Line, Recording, Run};

/// The record's file name inside a run's folder.
pub const RECORD: &str = "record.jsonl";

/// Why a run's folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system said no.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// There is no record in it.
    #[error("{path} is no run folder: it has no {RECORD}")]
    NoRecord {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes to it now.
    #[error("{path} is being written by another process")]
    Busy {
        /// The record.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{path} has format {found}; this program reads formats up to {FORMAT}: update it")]
    Newer {
        /// The record.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A line before the last makes no sense.
    #[error("{path}:{line}: {problem}")]
    Corrupt {
        /// The record.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The Parquet library refused.
    #[error("cannot write {path}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: parquet::errors::ParquetError,
    },
}

/// An open record, locked against a second writer.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
}

impl Writer {
    /// Makes the folder and writes the run's first line.
    pub fn create(folder: &Path, run: &Run) -> Result<Self, StoreError> {
        let io = |action| move |source| StoreError::Io { action, path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io("create"))?;
        let path = folder.join(RECORD);
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(|source| {
                StoreError::Io { action: "create", path: path.clone(), source }
            })?;
        let mut writer = Writer { file, path };
        writer.lock()?;
        writer.append(&Line::Run(Box::new(run.clone())))?;
        Ok(writer)
    }

    /// Opens a record to go on with it, and gives what it holds. Cuts off a torn last line.
    pub fn resume(folder: &Path) -> Result<(Self, Recording), StoreError> {
        let path = record_path(folder)?;
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::Io { action, path, source }
        };
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(io("open"))?;
        let mut writer = Writer { file: file.try_clone().map_err(io("open"))?, path: path.clone() };
        // Before it is read, or lines that another writer still adds would be cut off.
        writer.lock()?;
        let text = fs::read(&path).map_err(io("read"))?;
        let (recording, whole) = parse(&path, &text)?;
        file.set_len(whole as u64).map_err(io("truncate"))?;
        file.seek(SeekFrom::End(0)).map_err(io("seek in"))?;
        writer.file = file;
        Ok((writer, recording))
    }

    /// Writes one line, at once.
    pub fn append(&mut self, line: &Line) -> Result<(), StoreError> {
        let mut text = serde_json::to_string(line).expect("a record is plain data");
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|source| StoreError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn lock(&self) -> Result<(), StoreError> {
        self.file.try_lock().map_err(|_| StoreError::Busy { path: self.path.clone() })
    }
}

/// Reads a run's folder, or a record file itself.
pub fn read(path: &Path) -> Result<Recording, StoreError> {
    let path = record_path(path)?;
    let text = fs::read(&path).map_err(|source| StoreError::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    parse(&path, &text).map(|(recording, _)| recording)
}

fn record_path(path: &Path) -> Result<PathBuf, StoreError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let record = path.join(RECORD);
    if record.is_file() { Ok(record) } else { Err(StoreError::NoRecord { path: path.to_owned() }) }
}

/// The recording, and the length of the whole lines that made it.
fn parse(path: &Path, text: &[u8]) -> Result<(Recording, usize), StoreError> {
    let mut lines = Vec::new();
    let mut whole = 0;
    for (idx, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.last() != Some(&b'\n') {
            tracing::warn!("{}: the last line is torn and was passed over", path.display());
            break;
        }
        if idx == 0 {
            refuse_newer(path, line)?;
        }
        let parsed = serde_json::from_slice(line).map_err(|e| StoreError::Corrupt {
            path: path.to_owned(),
            line: idx + 1,
            problem: e.to_string(),
        })?;
        lines.push(parsed);
        whole += line.len();
    }
    Ok((assemble(path, lines)?, whole))
}

fn refuse_newer(path: &Path, line: &[u8]) -> Result<(), StoreError> {
    let value: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    match value["run"]["format"].as_u64() {
        Some(found) if found > u64::from(FORMAT) => {
            Err(StoreError::Newer { path: path.to_owned(), found })
        }
        _ => Ok(()),
    }
}

fn assemble(path: &Path, lines: Vec<Line>) -> Result<Recording, StoreError> {
    let mut lines = lines.into_iter();
    let Some(Line::Run(run)) = lines.next() else {
        let problem = "the record does not start with a `run` line".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), line: 1, problem });
    };
    let mut recording =
        Recording { run: *run, environments: Vec::new(), results: Vec::new(), end: None };
    for line in lines {
        match line {
            // A resumed run says again what it ran on; what it says last holds.
            Line::Environment(environment) => {
                recording.environments.retain(|e| e.device.name != environment.device.name);
                recording.environments.push(*environment);
            }
            Line::Results(results) => recording.results.extend(results),
            Line::End(end) => recording.end = Some(end),
            Line::Run(_) => {}
        }
    }
    Ok(recording)
}
