//! What is made of a run that has ended: a name, a comparison, reports, tables, an exit code.
//!
//! It is opened before the run, so that what cannot be had is refused before anything is measured.

use super::folder::{self, Folder, Name};
use super::judge;
use crate::args::RunArgs;
use crate::cmd::compare::judged;
use crate::cmd::report::targets::Targets;
use crate::cmd::report::write_page;
use crate::exit::Exit;
use crate::output;
use crate::stream::talk;
use std::path::PathBuf;
use tilemark_core::summary::RunSummary;
use tilemark_engine::store;

/// What the flags ask for.
pub struct Conclusion<'a> {
    args: &'a RunArgs,
    baseline: Option<PathBuf>,
    name: Option<Name<'a>>,
    targets: Targets,
}

impl<'a> Conclusion<'a> {
    /// Finds the baseline, checks the name and opens what will be written.
    pub fn open(args: &'a RunArgs) -> anyhow::Result<Self> {
        let output = &args.folder.output;
        let (baseline, name) = (args.baseline.as_deref(), args.folder.save_baseline.as_deref());
        Ok(Conclusion {
            args,
            baseline: baseline.map(|name| folder::find(output, name)).transpose()?,
            name: name.map(|name| Name::new(output, name)).transpose()?,
            targets: Targets::open(&args.outputs)?,
        })
    }

    /// Closes the folder, and writes all files before it prints: whoever reads may have seen enough.
    pub fn draw(mut self, mut folder: Folder, interrupted: bool) -> anyhow::Result<Exit> {
        let mut summary = folder.close(interrupted)?;
        if let (Some(name), false) = (&self.name, interrupted) {
            name.give(folder.path())?;
        }
        if let Some(baseline) = &self.baseline {
            let recording = store::read(folder.path())?;
            summary.against = Some(judged(&recording, &store::read(baseline)?));
        }
        store::write_tables(folder.path(), &summary)?;
        self.targets.write(&summary)?;
        let page = write_page(folder.path(), &summary)?;
        let printed = self.print(&summary);
        output::overhead(&summary);
        talk(page);
        printed?;
        let judge = &self.args.judge;
        let exit = if interrupted { Exit::Interrupted } else { judge::exit(judge, &summary) };
        output::status(self.targets.tables(), exit, folder.path())?;
        Ok(exit)
    }

    fn print(&self, summary: &RunSummary) -> anyhow::Result<()> {
        let tables = self.targets.tables();
        output::results(tables, summary)?;
        if let Some(against) = &summary.against {
            output::comparison(tables, against)?;
        }
        self.targets.print(summary)
    }
}
