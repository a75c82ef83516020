//! `report`: a run's page and its other forms, written again from its record.

pub mod targets;

use super::compare::judged;
use crate::args::ReportArgs;
use crate::exit::Exit;
use crate::stream::talk;
#[cfg(feature = "reports")]
use anyhow::Context;
use std::path::Path;
use targets::Targets;
use tilemark_core::summary::RunSummary;
use tilemark_engine::{store, summarise};

/// Writes the page into the run's folder, and every other form that was asked for.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let recording = store::read(&args.run)?;
    let mut summary = summarise::summarise(&recording);
    if let Some(baseline) = &args.baseline {
        summary.against = Some(judged(&recording, &store::read(baseline)?));
    }
    let mut targets = Targets::open(&args.outputs)?;
    targets.write(&summary)?;
    let folder = if args.run.is_dir() { args.run.as_path() } else { Path::new(".") };
    let page = write_page(folder, &summary)?;
    let printed = targets.print(&summary);
    talk(page);
    printed.map(|()| Exit::Ok)
}

/// Writes the page into the folder; gives what says where it is.
#[cfg(feature = "reports")]
pub fn write_page(folder: &Path, summary: &RunSummary) -> anyhow::Result<String> {
    let page = &tilemark_reports::REPORTS[0];
    let path = folder.join(page.file);
    std::fs::write(&path, (page.render)(summary)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!("report: {}", path.display()))
}

/// This binary was built without reports: the record is all there is, and it is complete.
#[cfg(not(feature = "reports"))]
pub fn write_page(folder: &Path, _summary: &RunSummary) -> anyhow::Result<String> {
    Ok(format!("record: {} (built without reports)", folder.display()))
}
