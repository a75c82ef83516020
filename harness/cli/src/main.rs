//! Tilemark's command line: the only crate that prints, exits, or joins the others.

mod args;
mod catalog;
mod exit;
mod output;
mod stream;

mod cmd {
    pub mod build;
    pub mod compare;
    pub mod devices;
    pub mod doctor;
    pub mod list;
    pub mod report;
    pub mod run;
    pub mod shell;
    pub mod tune;
    pub mod worker;
}

use args::{Cli, Verb};
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

// What is allocated begins at a cache line and needs no page of the kernel's after the first time.
// With the C library's allocator, where a worker's memory happened to lie moved small kernels by up
// to half of their time from process to process.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_log(cli.verbose);
    let exit = match std::panic::catch_unwind(|| dispatch(cli.verb)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => output::error(&error),
        Err(_) => output::panicked(),
    };
    ExitCode::from(exit)
}

fn dispatch(verb: Verb) -> anyhow::Result<Exit> {
    match verb {
        Verb::Devices(args) => cmd::devices::run(&args),
        Verb::List(args) => cmd::list::run(&args),
        Verb::Run(args) => cmd::run::run(&args, false),
        Verb::Verify(args) => cmd::run::run(&args, true),
        Verb::Compare(args) => cmd::compare::run(&args),
        Verb::Report(args) => cmd::report::run(&args),
        Verb::Build(args) => cmd::build::run(&args),
        Verb::Tune(args) => cmd::tune::run(&args),
        Verb::Doctor(args) => cmd::doctor::run(&args),
        Verb::Completions(args) => cmd::shell::completions(&args),
        Verb::Man => cmd::shell::man(),
        Verb::Worker(args) => cmd::worker::run(&args),
    }
}
