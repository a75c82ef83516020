//! The interpreter as a HIP device: what libamdhip64.so would keep behind its functions.
//! Safe Rust; pointers of the caller and the C names stand in `exports`.
//!
//! One device, and every stream is synchronous: a call has finished when it returns. No time passes here, so events have none.

pub mod exports;
pub mod rtc;

use std::collections::HashMap;
use std::ffi::{CStr, CString};

use crate::arch::Arch;
use crate::kernel::{Kernel, LoadError, Module};
use crate::launch::{self, Grid, Options, launch};
use crate::memory::Memory;

/// hipError_t, as far as it is returned here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    InvalidDevice = 101,
    InvalidImage = 200,
    NoBinaryForGpu = 209,
    InvalidHandle = 400,
    NotFound = 500,
    IllegalAddress = 700,
    LaunchTimeOut = 702,
    LaunchFailure = 719,
    NotSupported = 801,
}

/// Code, name and meaning of every status.
const STATUSES: &[(Status, &CStr, &CStr)] = &[
    (Status::Success, c"hipSuccess", c"no error"),
    (Status::InvalidValue, c"hipErrorInvalidValue", c"invalid argument"),
    (Status::OutOfMemory, c"hipErrorOutOfMemory", c"out of memory"),
    (Status::InvalidDevice, c"hipErrorInvalidDevice", c"invalid device ordinal"),
    (
        Status::InvalidImage,
        c"hipErrorInvalidImage",
        c"module is no assembly that this interpreter understands, as text or in an object",
    ),
    (Status::NoBinaryForGpu, c"hipErrorNoBinaryForGpu", c"module is for another architecture"),
    (Status::InvalidHandle, c"hipErrorInvalidHandle", c"invalid resource handle"),
    (Status::NotFound, c"hipErrorNotFound", c"named symbol not found"),
    (
        Status::IllegalAddress,
        c"hipErrorIllegalAddress",
        c"an illegal memory access was encountered",
    ),
    (Status::LaunchTimeOut, c"hipErrorLaunchTimeOut", c"the kernel does not end"),
    (Status::LaunchFailure, c"hipErrorLaunchFailure", c"the interpreter found a fault"),
    (Status::NotSupported, c"hipErrorNotSupported", c"the interpreter does not have this"),
];

impl Status {
    /// Name and meaning of a code.
    pub fn describe(code: i32) -> (&'static CStr, &'static CStr) {
        let known = STATUSES.iter().find(|(status, ..)| *status as i32 == code);
        known.map_or((c"hipErrorUnknown", c"unknown error"), |(_, name, meaning)| (name, meaning))
    }
}

type Outcome<T> = Result<T, Status>;

/// All state of the device. Handles are numbers, so that a stale one is an error and not a crash.
pub struct Runtime {
    pub arch: Arch,
    pub memory: Memory,
    modules: HashMap<usize, Module>,
    /// Module and kernel name of each function handle.
    functions: HashMap<usize, (usize, String)>,
    next_handle: usize,
    /// The last fault in full, which no status can tell.
    fault: Option<(Status, &'static CStr)>,
}

impl Runtime {
    pub fn new(arch: Arch) -> Self {
        Self {
            arch,
            memory: Memory::default(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            next_handle: 0,
            fault: None,
        }
    }

    /// The architecture that TILEMARK_HIP asks for, as in `interpreter:gfx950`; gfx942 where it asks for none.
    pub fn from_environment() -> Self {
        let wanted = std::env::var("TILEMARK_HIP").unwrap_or_default();
        let arch = wanted.rsplit(':').next().and_then(|name| name.parse().ok());
        Self::new(arch.unwrap_or(Arch::Gfx942))
    }

    /// A handle that no other object has had. Streams and events are no more than that.
    pub fn handle(&mut self) -> usize {
        self.next_handle += 16;
        self.next_handle
    }

    /// Half of the smallest board, less what is in use: buffers are the host's memory.
    pub fn free_bytes(&self) -> usize {
        TOTAL_BYTES.saturating_sub(self.memory.bytes_in_use())
    }

    pub fn allocate(&mut self, bytes: usize) -> Outcome<u64> {
        if bytes > self.free_bytes() || self.memory.is_full() {
            return Err(Status::OutOfMemory);
        }
        Ok(self.memory.allocate(bytes))
    }

    pub fn load(&mut self, text: &str) -> Outcome<usize> {
        let module = Module::parse(text).map_err(|error| {
            report(&error);
            match error {
                LoadError::UnknownTarget(_) => Status::NoBinaryForGpu,
                _ => Status::InvalidImage,
            }
        })?;
        if module.arch != self.arch {
            return Err(Status::NoBinaryForGpu);
        }
        let handle = self.handle();
        self.modules.insert(handle, module);
        Ok(handle)
    }

    pub fn unload(&mut self, module: usize) -> Outcome<()> {
        self.functions.retain(|_, (of, _)| *of != module);
        self.modules.remove(&module).map(drop).ok_or(Status::InvalidHandle)
    }

    pub fn function(&mut self, module: usize, name: &str) -> Outcome<usize> {
        let found = self.modules.get(&module).ok_or(Status::InvalidHandle)?.kernel(name);
        found.ok_or(Status::NotFound)?;
        let handle = self.handle();
        self.functions.insert(handle, (module, name.to_owned()));
        Ok(handle)
    }

    pub fn kernel(&self, function: usize) -> Outcome<&Kernel> {
        let (module, name) = self.functions.get(&function).ok_or(Status::InvalidHandle)?;
        let module = self.modules.get(module).ok_or(Status::InvalidHandle)?;
        module.kernel(name).ok_or(Status::InvalidHandle)
    }

    /// Launches a kernel on packed arguments. A fault is told in full on stderr, and to whoever asks for the text of its status.
    pub fn launch(&mut self, function: usize, grid: Grid, arguments: &[u8]) -> Outcome<()> {
        let (module, name) = self.functions.get(&function).ok_or(Status::InvalidHandle)?;
        let kernel = self
            .modules
            .get(module)
            .and_then(|module| module.kernel(name))
            .ok_or(Status::InvalidHandle)?;
        let outcome = launch(kernel, &mut self.memory, grid, arguments, &Options::default());
        outcome.map(drop).map_err(|error| {
            report(&error);
            let status = status_of(&error);
            self.fault = Some((status, keep(&error.to_string())));
            status
        })
    }

    /// Name and meaning of a code; the meaning of the last fault's is that fault.
    pub fn describe(&self, code: i32) -> (&'static CStr, &'static CStr) {
        let (name, meaning) = Status::describe(code);
        match self.fault {
            Some((status, fault)) if status as i32 == code => (name, fault),
            _ => (name, meaning),
        }
    }
}

/// Text that lives as long as the process, as C expects of the text of an error. A process rarely has more than one fault.
fn keep(text: &str) -> &'static CStr {
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    Box::leak(text.into_boxed_c_str())
}

/// What MI300X has is more than a host has; the interpreter offers this much.
pub const TOTAL_BYTES: usize = 16 << 30;

fn status_of(error: &launch::Error) -> Status {
    use crate::fault::Kind;
    match error {
        launch::Error::Fault(fault) => match fault.kind {
            Kind::GlobalOutOfBounds { .. } => Status::IllegalAddress,
            Kind::InstructionLimit { .. } => Status::LaunchTimeOut,
            _ => Status::LaunchFailure,
        },
        _ => Status::InvalidValue,
    }
}

fn report(error: &dyn std::error::Error) {
    eprintln!("tilemark-cdna: {error}");
}

/// hipDeviceAttribute_t: what is the same in every release of HIP that has the attribute.
pub fn attribute(arch: Arch, attribute: i32) -> Option<i32> {
    let lds = arch.lds_bytes() as i32;
    Some(match attribute {
        // Clock in kHz, as the data sheet has it.
        5 => {
            if arch == Arch::Gfx942 {
                2_100_000
            } else {
                2_400_000
            }
        }
        10 => 0,
        19 => 4 << 20,
        23 => 9,
        61 => {
            if arch == Arch::Gfx942 {
                4
            } else {
                5
            }
        }
        26..=28 => 1024,
        29..=31 => i32::MAX,
        56 => 1024,
        57 => 2048,
        59 => 8192,
        60 => {
            if arch == Arch::Gfx942 {
                1_300_000
            } else {
                2_000_000
            }
        }
        63 | 10015 => arch.compute_units() as i32,
        67 => 0,
        71 => 65536,
        74 | 75 | 10002 => lds,
        87 => 64,
        88 => 0,
        10017 => 100_000,
        10018 => 8,
        10019 => 512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_handles_are_errors() {
        let mut runtime = Runtime::new(Arch::Gfx950);
        assert_eq!(runtime.load("nonsense"), Err(Status::InvalidImage));
        assert_eq!(
            runtime.load(".amdgcn_target \"amdgcn-amd-amdhsa--gfx90a\""),
            Err(Status::NoBinaryForGpu)
        );
        assert_eq!(
            runtime.load(".amdgcn_target \"amdgcn-amd-amdhsa--gfx942\""),
            Err(Status::NoBinaryForGpu)
        );
        let module = runtime.load(".amdgcn_target \"amdgcn-amd-amdhsa--gfx950\"").unwrap();
        assert_eq!(runtime.function(module, "k"), Err(Status::NotFound));
        assert_eq!(runtime.unload(module), Ok(()));
        assert_eq!(runtime.unload(module), Err(Status::InvalidHandle));
        assert_eq!(runtime.allocate(TOTAL_BYTES + 1), Err(Status::OutOfMemory));
    }

    #[test]
    fn codes_have_their_names() {
        assert_eq!(Status::describe(209).0, c"hipErrorNoBinaryForGpu");
        assert_eq!(Status::describe(12345).0, c"hipErrorUnknown");
    }
}
