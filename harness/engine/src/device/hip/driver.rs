//! HIP's runtime, made safe: handles that free themselves, and errors that say what was tried.
//!
//! It knows the runtime and nothing of cases. The library is loaded when a device is looked for: the
//! machine's own, or the interpreter's where that is asked for.
#![allow(unsafe_code, reason = "calls of a C library, on handles that these types own")]

use super::library;
use crate::device::gpu::runtime;
use rocmrc::hip::result::{self, HipError};
use rocmrc::hip::sys;
use std::ffi::{CStr, CString, c_int};
use tilemark_core::{Bytes, Fault};

mod launch;
mod memory;

pub use launch::{Graph, Kernel, Module};
pub use memory::{HostGate, Memory};
pub use sys::hipDeviceAttribute_t as Attribute;

/// Ready to be asked for devices, or what was looked for and not found.
pub fn start() -> Result<(), String> {
    library::load()?;
    // The structure that names the architecture came with release 6, and the bindings panic where a
    // function is missing.
    // SAFETY: the library was loaded above; the function is looked up and not called.
    let known = unsafe {
        sys::rocmlib().get::<unsafe extern "C" fn()>(b"hipGetDevicePropertiesR0600\0").is_ok()
    };
    if !known {
        return Err("libamdhip64.so is older than ROCm 6".to_owned());
    }
    result::init().map_err(|e| format!("hipInit: {}", describe(&e)))
}

/// How many devices there are.
pub fn count() -> Result<u32, String> {
    match result::device::get_count() {
        Ok(count) => Ok(count.unsigned_abs()),
        Err(HipError(sys::hipError_t::hipErrorNoDevice)) => Ok(0),
        Err(error) => Err(describe(&error)),
    }
}

/// A device that has not been opened.
#[derive(Clone, Copy)]
pub struct Ordinal(c_int);

impl Ordinal {
    /// The device with this number.
    pub fn new(number: u32) -> Result<Self, String> {
        let number = c_int::try_from(number).map_err(|e| e.to_string())?;
        result::device::get(number).map(|_| Ordinal(number)).map_err(|e| describe(&e))
    }

    /// The product's name.
    pub fn name(self) -> String {
        result::device::get_name(self.0).unwrap_or_else(|_| "unknown".to_owned())
    }

    /// The compiler's name of its architecture, with what the board has switched on or off:
    /// `gfx942:sramecc+:xnack-`.
    pub fn arch(self) -> Option<String> {
        let properties = result::device::get_properties(self.0).ok()?;
        // SAFETY: the runtime ends the name with a zero, within the structure.
        let name = unsafe { CStr::from_ptr(properties.gcnArchName.as_ptr()) };
        Some(name.to_string_lossy().into_owned())
    }

    /// The number that tells two boards apart, which AMD gives as text.
    pub fn uuid(self) -> Option<String> {
        let bytes = result::device::get_uuid(self.0).ok()?.bytes.map(|byte| byte as u8);
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(format!("GPU-{}", std::str::from_utf8(text).ok()?))
    }

    /// Where it sits on the bus: `0000:c1:00.0`.
    pub fn bus(self) -> Option<String> {
        let mut text = [0; 64];
        // SAFETY: the buffer is as long as the call says.
        let status =
            unsafe { sys::hipDeviceGetPCIBusId(text.as_mut_ptr(), text.len() as c_int, self.0) };
        status.result().ok()?;
        // SAFETY: the runtime ends the text with a zero, within the buffer.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        Some(text.to_string_lossy().to_lowercase())
    }

    /// All of its memory.
    pub fn memory(self) -> Bytes {
        Bytes(result::device::total_mem(self.0).map_or(0, |bytes| bytes as u64))
    }

    /// One of its attributes; none where the runtime does not know it.
    pub fn attribute(self, attribute: Attribute) -> Option<u32> {
        result::device::get_attribute(self.0, attribute).ok().map(c_int::unsigned_abs)
    }
}

/// The runtime's release, as `6.4`.
pub fn version() -> Option<String> {
    let version = result::version::runtime().ok()?;
    Some(format!("{}.{}", version / 10_000_000, version / 100_000 % 100))
}

/// An open device, current on this thread, with one stream.
pub struct Context {
    stream: sys::hipStream_t,
    /// Whether its modules are text for the interpreter.
    pub interpreted: bool,
}

impl Context {
    /// Opens a device.
    pub fn new(device: Ordinal, interpreted: bool) -> Result<Self, Fault> {
        result::device::set_device(device.0).or_fault("open the device")?;
        let kind = result::stream::StreamKind::NonBlocking;
        let stream = result::stream::create(kind).or_fault("create a stream")?;
        Ok(Context { stream, interpreted })
    }

    /// The stream's handle as a number, for libraries that enqueue on it.
    pub fn stream_handle(&self) -> u64 {
        self.stream as u64
    }

    /// Waits until the stream is done; a fault of a kernel shows here.
    pub fn synchronize(&self) -> Result<(), Fault> {
        result::stream::synchronize(self.stream).or_fault("wait for the stream")
    }

    /// Free memory.
    pub fn free(&self) -> Result<Bytes, Fault> {
        let (free, _) = result::mem_get_info().or_fault("ask for free memory")?;
        Ok(Bytes(free as u64))
    }

    /// Marks a moment on the stream.
    pub fn record(&self, event: &Event) -> Result<(), Fault> {
        result::event::record(event.0, self.stream).or_fault("record an event")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A device that a kernel poisoned refuses, and the process ends soon after.
        let _ = result::stream::destroy(self.stream);
    }
}

/// A moment on a stream.
pub struct Event(sys::hipEvent_t);

impl Event {
    /// An event that records the time.
    pub fn new() -> Result<Self, Fault> {
        result::event::create().map(Event).or_fault("create an event")
    }
}

impl runtime::Event for Event {
    fn seconds_to(&self, end: &Event) -> Result<f64, Fault> {
        let ms = result::event::elapsed(self.0, end.0).or_fault("read an event")?;
        Ok(f64::from(ms) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = result::event::destroy(self.0);
    }
}

/// What the runtime said, in its words.
fn describe(error: &HipError) -> String {
    let [name, text] = [error.error_name(), error.error_string()].map(CStr::to_string_lossy);
    format!("{name}: {text}")
}

/// Turns the runtime's errors into faults.
trait OrFault<T> {
    /// The value, or a fault that says what was tried.
    fn or_fault(self, operation: &str) -> Result<T, Fault>;
}

impl<T> OrFault<T> for Result<T, HipError> {
    fn or_fault(self, operation: &str) -> Result<T, Fault> {
        self.map_err(|error| {
            let message = format!("could not {operation}: {}", describe(&error));
            if caused_by_a_kernel(error.0) {
                Fault::Crash { message }
            } else {
                Fault::Infra { message }
            }
        })
    }
}

/// Errors that the code under test is to blame for; every other one is the harness's or the
/// machine's.
fn caused_by_a_kernel(error: sys::hipError_t) -> bool {
    use sys::hipError_t::*;
    matches!(
        error,
        hipErrorIllegalAddress
            | hipErrorLaunchOutOfResources
            | hipErrorLaunchTimeOut
            | hipErrorAssert
            | hipErrorLaunchFailure
    )
}

fn c_string(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|e| Fault::Infra { message: format!("`{text}`: {e}") })
}
