//! The two ways out of the program: stdout takes data, stderr takes talk.
//!
//! It knows nothing of what is said. That stdout takes no more is an error like any other, never a
//! panic; that stderr takes no more cannot be told to anyone.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// A way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Data.
    Stdout,
    /// Talk.
    Stderr,
}

/// Stdout takes no more: its reader is gone, or a disk is full.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
pub struct StdoutError(#[source] io::Error);

impl StdoutError {
    /// Whether the reader had seen enough, as with `| head`.
    pub fn reader_is_gone(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Stream {
    /// Writes a text as it is.
    pub fn write(self, text: impl Display) -> Result<(), StdoutError> {
        match self {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                write!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(StdoutError)
            }
            Stream::Stderr => {
                let _ = write!(io::stderr(), "{text}");
                Ok(())
            }
        }
    }

    /// Writes a text and ends the line.
    pub fn line(self, text: impl Display) -> Result<(), StdoutError> {
        self.write(format_args!("{text}\n"))
    }

    /// Whether a person reads it as it comes.
    pub fn is_terminal(self) -> bool {
        match self {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// A line of data on stdout.
pub fn print(text: impl Display) -> Result<(), StdoutError> {
    Stream::Stdout.line(text)
}

/// A line of talk on stderr.
pub fn talk(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
