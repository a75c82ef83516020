//! `completions` and `man`: generated from the command line's own definition.

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use clap::CommandFactory;
use std::io::stdout;

/// Completions of a shell on stdout.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    clap_complete::generate(args.shell, &mut Cli::command(), "tilemark", &mut stdout());
    Ok(Exit::Ok)
}

/// The man page on stdout, as roff.
pub fn man() -> anyhow::Result<Exit> {
    clap_mangen::Man::new(Cli::command()).render(&mut stdout())?;
    Ok(Exit::Ok)
}
