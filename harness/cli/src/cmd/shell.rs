//! `completions` and `man`: generated from the command line's own definition.

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::stream::Stream;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io;

/// Completions of a shell on stdout.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tilemark", &mut script);
    Stream::Stdout.write(String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// The man page on stdout, as roff: the program, then every verb with its flags.
pub fn man() -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    // Gives the verbs their full names.
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    let shown = |verb: &&Command| !verb.is_hide_set() && verb.get_name() != "help";
    for verb in command.get_subcommands().filter(shown) {
        page.push_str(&section(verb)?);
    }
    Stream::Stdout.write(page)?;
    Ok(Exit::Ok)
}

/// One verb as a section, in which what would be sections of its own page are subsections.
fn section(verb: &Command) -> io::Result<String> {
    let man = Man::new(verb.clone());
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let text = String::from_utf8_lossy(&text).replace(".SH ", ".SS ");
    let title = verb.get_bin_name().unwrap_or(verb.get_name()).to_uppercase();
    Ok(format!(".SH \"{title}\"\n{text}"))
}
