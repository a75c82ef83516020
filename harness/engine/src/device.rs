//! Every device that the engine can open: a list written by hand, one line a backend.

pub mod cpu;
pub mod cuda;
pub mod hip;
pub mod null;

mod gpu;
mod memory;

use serde::Serialize;
use tilemark_core::{Device, Info};

/// A device that was looked for.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// What it is, or what was looked for and not found.
    pub found: Result<Info, String>,
    /// Whether a run uses it unless told otherwise.
    pub default: bool,
    /// What to know before using it.
    pub note: String,
}

/// Why a device cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No backend has that name.
    #[error("unknown device `{name}`; known: {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The backend says no.
    #[error("device `{name}`: {reason}")]
    Unavailable {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// A device, or why its backend cannot give it.
type Opened = Result<Box<dyn Device>, String>;

/// A kind of device: how to find all of its kind, and how to open one by name. Opening answers
/// none if the name is not of this kind; the text is the null device's script.
struct Backend {
    list: fn() -> Vec<Listing>,
    open: fn(&str, Option<&str>) -> Option<Opened>,
}

static BACKENDS: &[Backend] = &[
    Backend { list: cuda::list, open: cuda::open },
    Backend { list: hip::list, open: hip::open },
    Backend { list: cpu::list, open: cpu::open },
    Backend { list: null::list, open: null::open },
];

/// Every device that was looked for, found or not.
pub fn list() -> Vec<Listing> {
    BACKENDS.iter().flat_map(|backend| (backend.list)()).collect()
}

/// What the device of that name is.
pub fn info(name: &str) -> Result<Info, OpenError> {
    open(name, None).map(|device| device.info().clone())
}

/// Opens the device of that name.
pub fn open(name: &str, null_script: Option<&str>) -> Result<Box<dyn Device>, OpenError> {
    let opened = BACKENDS.iter().find_map(|backend| (backend.open)(name, null_script));
    match opened {
        Some(Ok(device)) => Ok(device),
        Some(Err(reason)) => Err(OpenError::Unavailable { name: name.to_owned(), reason }),
        None => {
            let known = list().into_iter().map(|listing| listing.name).collect();
            Err(OpenError::Unknown { name: name.to_owned(), known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_device_is_answered_with_the_known_ones() {
        let error = open("cuda:9x", None).err().expect("there is no such device");
        assert_eq!(error.to_string(), "unknown device `cuda:9x`; known: cuda, hip, cpu, null");
    }

    #[test]
    fn the_cpu_has_two_names() {
        assert_eq!(info("cpu").unwrap().name, "cpu");
        assert_eq!(info("cpu:0").unwrap().name, "cpu");
    }
}
