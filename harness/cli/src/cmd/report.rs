//! `report`: a run's page and its other forms, written again from its record.

use crate::args::{OutputArgs, ReportArgs};
use crate::exit::Exit;
use anyhow::Context;
use std::path::Path;
use tilemark_core::summary::RunSummary;
use tilemark_engine::{compare, store, summarise};

/// Writes the page into the run's folder, and every other form that was asked for.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let recording = store::read(&args.run)?;
    let mut summary = summarise::summarise(&recording);
    if let Some(baseline) = &args.baseline {
        summary.against = Some(compare::compare(&recording, &store::read(baseline)?));
    }
    write_asked(&args.outputs, &summary)?;
    let folder = if args.run.is_dir() { args.run.as_path() } else { Path::new(".") };
    write_page(folder, &summary)?;
    Ok(Exit::Ok)
}

/// Writes text to a file, or to stdout for `-`.
#[cfg(feature = "reports")]
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return Ok(std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?);
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the page into the folder and says where it is.
#[cfg(feature = "reports")]
pub fn write_page(folder: &Path, summary: &RunSummary) -> anyhow::Result<()> {
    let page = &tilemark_reports::REPORTS[0];
    let path = folder.join(page.file);
    write(&path, &(page.render)(summary)?)?;
    eprintln!("report: {}", path.display());
    Ok(())
}

/// Writes the forms that flags asked for.
#[cfg(feature = "reports")]
pub fn write_asked(outputs: &OutputArgs, summary: &RunSummary) -> anyhow::Result<()> {
    use tilemark_reports::{csv, json, junit, markdown, page};
    type Render = fn(&RunSummary) -> Result<String, tilemark_reports::Error>;
    let asked: [(_, Render); 5] = [
        (&outputs.html, page::render),
        (&outputs.json, json::render),
        (&outputs.csv, csv::render),
        (&outputs.md, markdown::render),
        (&outputs.junit, junit::render),
    ];
    for (path, render) in asked {
        if let Some(path) = path {
            write(path, &render(summary)?)?;
        }
    }
    write_parquet(outputs, summary)
}

/// This binary was built without reports: the record is all there is, and it is complete.
#[cfg(not(feature = "reports"))]
pub fn write_page(folder: &Path, _summary: &RunSummary) -> anyhow::Result<()> {
    eprintln!("record: {} (built without reports)", folder.display());
    Ok(())
}

/// This binary was built without reports: only Parquet can be written.
#[cfg(not(feature = "reports"))]
pub fn write_asked(outputs: &OutputArgs, summary: &RunSummary) -> anyhow::Result<()> {
    let asked = [&outputs.html, &outputs.json, &outputs.csv, &outputs.md, &outputs.junit];
    if asked.iter().any(|path| path.is_some()) {
        return Err(crate::exit::UsageError {
            problem: "this binary was built without reports".to_owned(),
            hint: "copy the run folder to a machine with the full binary: `tilemark report RUN`"
                .to_owned(),
        }
        .into());
    }
    write_parquet(outputs, summary)
}

fn write_parquet(outputs: &OutputArgs, summary: &RunSummary) -> anyhow::Result<()> {
    if let Some(folder) = &outputs.parquet {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--parquet: cannot create {}", folder.display()))?;
        store::write_tables(folder, summary)?;
    }
    Ok(())
}
