//! Where the forms of a report go that flags ask for. Files are opened before anything runs, so
//! that a path that cannot be written costs no run.

use crate::args::OutputArgs;
use crate::exit::UsageError;
use crate::stream::Stream;
use anyhow::Context;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tilemark_core::summary::RunSummary;
use tilemark_engine::store;

/// What the flags ask for.
pub struct Targets {
    files: Vec<Target>,
    /// The form that stdout is for, by its flag.
    stdout: Option<&'static str>,
    parquet: Option<PathBuf>,
}

/// One form in one file.
struct Target {
    form: &'static str,
    path: PathBuf,
    file: File,
}

impl Targets {
    /// Opens every file, without emptying it yet.
    pub fn open(outputs: &OutputArgs) -> anyhow::Result<Self> {
        let mut targets = Targets { files: Vec::new(), stdout: None, parquet: None };
        for (form, path) in outputs.forms() {
            is_built(form)?;
            if path != Path::new("-") {
                targets.files.push(Target::open(form, path)?);
            } else if let Some(other) = targets.stdout.replace(form) {
                return Err(UsageError {
                    problem: format!("--{form} -: stdout is for --{other} already"),
                    hint: "give one of them the path of a file".to_owned(),
                }
                .into());
            }
        }
        if let Some(folder) = &outputs.parquet {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("--parquet: cannot create {}", folder.display()))?;
            targets.parquet = Some(folder.clone());
        }
        Ok(targets)
    }

    /// Where tables for people go: not among data.
    pub fn tables(&self) -> Stream {
        if self.stdout.is_some() { Stream::Stderr } else { Stream::Stdout }
    }

    /// Writes all files.
    pub fn write(&mut self, summary: &RunSummary) -> anyhow::Result<()> {
        for target in &mut self.files {
            target.write(&text(target.form, summary)?)?;
        }
        if let Some(folder) = &self.parquet {
            store::write_tables(folder, summary)?;
        }
        Ok(())
    }

    /// Writes the form that stdout is for.
    pub fn print(&self, summary: &RunSummary) -> anyhow::Result<()> {
        if let Some(form) = self.stdout {
            Stream::Stdout.write(text(form, summary)?)?;
        }
        Ok(())
    }
}

impl Target {
    fn open(form: &'static str, path: &Path) -> anyhow::Result<Self> {
        // What is there stays until there is something to take its place.
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| cannot_write(form, path))?;
        Ok(Target { form, path: path.to_owned(), file })
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        // A pipe or a terminal has no length.
        let empty = match self.file.metadata() {
            Ok(about) if about.is_file() => self.file.set_len(0),
            _ => Ok(()),
        };
        let written = empty.and_then(|()| self.file.write_all(text.as_bytes()));
        written.with_context(|| cannot_write(self.form, &self.path))
    }
}

fn cannot_write(form: &str, path: &Path) -> String {
    format!("--{form}: cannot write {}", path.display())
}

#[cfg(feature = "reports")]
fn is_built(_form: &str) -> Result<(), UsageError> {
    Ok(())
}

#[cfg(feature = "reports")]
fn text(form: &str, summary: &RunSummary) -> anyhow::Result<String> {
    let report = tilemark_reports::find(form).expect("a form's flag is the name of a report");
    Ok((report.render)(summary)?)
}

/// The record and its tables are all that this binary writes.
#[cfg(not(feature = "reports"))]
fn is_built(form: &str) -> Result<(), UsageError> {
    Err(UsageError {
        problem: format!("--{form}: this binary was built without reports"),
        hint: "copy the run folder to a machine with the full binary: `tilemark report RUN`"
            .to_owned(),
    })
}

#[cfg(not(feature = "reports"))]
fn text(form: &str, _summary: &RunSummary) -> anyhow::Result<String> {
    Err(is_built(form).expect_err("no form is built").into())
}

#[cfg(all(test, feature = "reports"))]
mod tests {
    use super::*;

    #[test]
    fn every_report_has_a_flag_of_its_name() {
        let path = Some(PathBuf::from("-"));
        let outputs = OutputArgs {
            html: path.clone(),
            json: path.clone(),
            csv: path.clone(),
            md: path.clone(),
            junit: path,
            parquet: None,
        };
        let mut flags: Vec<_> = outputs.forms().map(|(form, _)| form).collect();
        let mut names: Vec<_> =
            tilemark_reports::REPORTS.iter().map(|report| report.name).collect();
        flags.sort_unstable();
        names.sort_unstable();
        assert_eq!(flags, names);
    }
}
