//! A kernel with its arguments, ready to be launched again and again from the same state: what the commands and tests share.

use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use crate::kernel::Kernel;
use crate::launch::{self, Grid, Options, Report, launch, pack};
use crate::memory::Memory;

/// One argument of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Passed by value.
    Value(Vec<u8>),
    /// A buffer with these contents, whose address is passed.
    Buffer(Vec<u8>),
}

/// An argument as the command line names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub argument: Argument,
    /// Where the buffer goes after the launch.
    pub output: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub enum ArgumentError {
    #[error(
        "argument {0} is not in:FILE, io:FILE, out:FILE:BYTES, zero:BYTES, i32:N, u32:N, i64:N, u64:N, f32:X or f64:X"
    )]
    Form(String),
    #[error("argument {text}: {error}")]
    File { text: String, error: std::io::Error },
}

impl FromStr for Named {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let form = || ArgumentError::Form(text.to_owned());
        let (kind, value) = text.split_once(':').ok_or_else(form)?;
        let read = || {
            std::fs::read(value)
                .map_err(|error| ArgumentError::File { text: text.to_owned(), error })
        };
        let buffer = |bytes, output| Ok(Self { argument: Argument::Buffer(bytes), output });
        match kind {
            "in" => return buffer(read()?, None),
            "io" => return buffer(read()?, Some(value.into())),
            "zero" => return buffer(vec![0; value.parse().map_err(|_| form())?], None),
            "out" => {
                let (path, bytes) = value.rsplit_once(':').ok_or_else(form)?;
                return buffer(vec![0; bytes.parse().map_err(|_| form())?], Some(path.into()));
            }
            _ => {}
        }
        let bytes = scalar_bytes(kind, value).ok_or_else(form)?;
        Ok(Self { argument: Argument::Value(bytes), output: None })
    }
}

fn scalar_bytes(kind: &str, value: &str) -> Option<Vec<u8>> {
    Some(match kind {
        "i32" => value.parse::<i32>().ok()?.to_le_bytes().to_vec(),
        "u32" => value.parse::<u32>().ok()?.to_le_bytes().to_vec(),
        "i64" => value.parse::<i64>().ok()?.to_le_bytes().to_vec(),
        "u64" => value.parse::<u64>().ok()?.to_le_bytes().to_vec(),
        "f32" => value.parse::<f32>().ok()?.to_le_bytes().to_vec(),
        "f64" => value.parse::<f64>().ok()?.to_le_bytes().to_vec(),
        _ => return None,
    })
}

/// What a launch left: the buffers, in the order of the arguments.
#[derive(Debug)]
pub struct Outcome {
    pub report: Report,
    pub buffers: Vec<Vec<u8>>,
}

/// Launches a kernel on fresh copies of its arguments.
pub fn run(
    kernel: &Kernel,
    grid: Grid,
    arguments: &[Argument],
    options: &Options,
) -> Result<Outcome, launch::Error> {
    let mut memory = Memory::default();
    let mut addresses = Vec::new();
    let mut packed = Vec::new();
    for argument in arguments {
        packed.push(match argument {
            Argument::Value(bytes) => bytes.clone(),
            Argument::Buffer(bytes) => {
                let address = memory.upload(bytes);
                addresses.push(address);
                address.to_le_bytes().to_vec()
            }
        });
    }
    let report = launch(kernel, &mut memory, grid, &pack(kernel, &packed)?, options)?;
    let buffers = addresses.into_iter().filter_map(|address| memory.download(address)).collect();
    Ok(Outcome { report, buffers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_by_kind() {
        let check = |text: &str, want: &[u8]| {
            let named: Named = text.parse().unwrap();
            assert_eq!(named.argument, Argument::Value(want.to_vec()), "{text}");
        };
        check("i32:-1", &[255; 4]);
        check("u64:258", &[2, 1, 0, 0, 0, 0, 0, 0]);
        check("f32:1", &[0, 0, 0x80, 0x3f]);
        let zero: Named = "zero:3".parse().unwrap();
        assert_eq!(zero.argument, Argument::Buffer(vec![0; 3]));
        assert!("bool:1".parse::<Named>().is_err());
        assert!("in:/nonexistent/file".parse::<Named>().is_err());
    }
}
