//! CUDA's driver, made safe: handles that free themselves, and errors that say what was tried.
//!
//! It knows the driver and nothing of cases. The library is loaded when a device is looked for, so
//! that one binary starts on machines that have none.
#![allow(unsafe_code, reason = "calls of a C library, on handles that these types own")]

use crate::device::gpu::runtime;
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::ffi::{CString, c_int};
use tilemark_core::{Bytes, Fault};

mod launch;
mod memory;

pub use launch::{Graph, Kernel, Module};
pub use memory::{Flag, Memory};

/// Ready to be asked for devices, or what was looked for and not found.
pub fn start() -> Result<(), String> {
    // SAFETY: loading the driver's library runs its initialisers, which is what it is for.
    if !unsafe { sys::is_culib_present() } {
        return Err("the driver's library (libcuda.so, libcuda.so.1) is not on this machine".into());
    }
    result::init().map_err(|e| format!("cuInit: {}", describe(e)))
}

/// How many devices there are.
pub fn count() -> Result<u32, String> {
    let count = result::device::get_count().map_err(describe)?;
    Ok(count.unsigned_abs())
}

/// A device that has not been opened.
#[derive(Clone, Copy)]
pub struct Ordinal(sys::CUdevice);

impl Ordinal {
    /// The device with this number.
    pub fn new(number: u32) -> Result<Self, String> {
        let number = c_int::try_from(number).map_err(|e| e.to_string())?;
        result::device::get(number).map(Ordinal).map_err(describe)
    }

    /// The product's name.
    pub fn name(self) -> String {
        result::device::get_name(self.0).unwrap_or_else(|_| "unknown".to_owned())
    }

    /// `GPU-` and the number that `nvidia-smi` shows.
    pub fn uuid(self) -> Option<String> {
        let uuid = result::device::get_uuid(self.0).ok()?;
        let bytes = uuid.bytes.map(|byte| byte as u8);
        Some(format!("GPU-{}", uuid::Uuid::from_bytes(bytes).hyphenated()))
    }

    /// All of its memory.
    pub fn memory(self) -> Bytes {
        // SAFETY: the handle came from the driver.
        Bytes(unsafe { result::device::total_mem(self.0) }.map_or(0, |bytes| bytes as u64))
    }

    /// One of its attributes; 0 where the driver does not know it.
    pub fn attribute(self, attribute: sys::CUdevice_attribute) -> u32 {
        // SAFETY: the handle came from the driver.
        let value = unsafe { result::device::get_attribute(self.0, attribute) };
        value.map_or(0, c_int::unsigned_abs)
    }
}

/// The newest CUDA that the driver serves, as `13.0`.
pub fn version() -> Option<String> {
    let mut version = 0;
    // SAFETY: the pointer is to a local integer.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().ok()?;
    Some(format!("{}.{}", version / 1000, version % 1000 / 10))
}

/// The device's primary context, current on this thread, with one stream.
pub struct Context {
    device: sys::CUdevice,
    stream: sys::CUstream,
}

impl Context {
    /// Opens a device.
    pub fn new(device: Ordinal) -> Result<Self, Fault> {
        // SAFETY: the handle came from the driver; `drop` releases what is retained here.
        let context =
            unsafe { result::primary_ctx::retain(device.0) }.or_fault("open the device")?;
        // SAFETY: the context was retained just now.
        unsafe { result::ctx::set_current(context) }.or_fault("make the context current")?;
        let kind = result::stream::StreamKind::NonBlocking;
        let stream = result::stream::create(kind).or_fault("create a stream")?;
        Ok(Context { device: device.0, stream })
    }

    /// The stream's handle as a number, for libraries that enqueue on it.
    pub fn stream_handle(&self) -> u64 {
        self.stream as u64
    }

    /// Waits until the stream is done; a fault of a kernel shows here.
    pub fn synchronize(&self) -> Result<(), Fault> {
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::synchronize(self.stream) }.or_fault("wait for the stream")
    }

    /// Lines of L2 that somebody marked as persisting become ordinary again.
    pub fn reset_persisting_lines(&self) -> Result<(), Fault> {
        // SAFETY: it takes no argument and acts on the current context.
        let status = unsafe { sys::cuCtxResetPersistingL2Cache() };
        match status.result() {
            // Devices before sm_80 have no such lines.
            Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_SUPPORTED)) => Ok(()),
            other => other.or_fault("reset persisting lines of L2"),
        }
    }

    /// Free and total memory.
    pub fn memory(&self) -> Result<(Bytes, Bytes), Fault> {
        let (free, total) = result::mem_get_info().or_fault("ask for free memory")?;
        Ok((Bytes(free as u64), Bytes(total as u64)))
    }

    /// Marks a moment on the stream.
    pub fn record(&self, event: &Event) -> Result<(), Fault> {
        // SAFETY: both handles are alive.
        unsafe { result::event::record(event.0, self.stream) }.or_fault("record an event")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made in `new`. A context that a kernel poisoned refuses, and the
        // process ends soon after.
        unsafe {
            let _ = result::stream::destroy(self.stream);
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

/// A moment on a stream.
pub struct Event(sys::CUevent);

impl Event {
    /// An event that records the time.
    pub fn new() -> Result<Self, Fault> {
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT;
        result::event::create(flags).map(Event).or_fault("create an event")
    }
}

impl runtime::Event for Event {
    fn seconds_to(&self, end: &Event) -> Result<f64, Fault> {
        // SAFETY: both events are alive and were recorded on one stream.
        let ms = unsafe { result::event::elapsed(self.0, end.0) }.or_fault("read an event")?;
        Ok(f64::from(ms) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is destroyed once.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

/// What the driver said, in its words.
pub fn describe(error: DriverError) -> String {
    let name = error.error_name().map(|text| text.to_string_lossy().into_owned());
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    match (name, text) {
        (Ok(name), Ok(text)) => format!("{name}: {text}"),
        _ => format!("error {:?}", error.0),
    }
}

/// Turns the driver's errors into faults.
pub(super) trait OrFault<T> {
    /// The value, or a fault that says what was tried.
    fn or_fault(self, operation: &str) -> Result<T, Fault>;
}

impl<T> OrFault<T> for Result<T, DriverError> {
    fn or_fault(self, operation: &str) -> Result<T, Fault> {
        self.map_err(|error| {
            let message = format!("could not {operation}: {}", describe(error));
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
fn caused_by_a_kernel(error: sys::CUresult) -> bool {
    use sys::CUresult::*;
    matches!(
        error,
        CUDA_ERROR_ILLEGAL_ADDRESS
            | CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
            | CUDA_ERROR_LAUNCH_TIMEOUT
            | CUDA_ERROR_ASSERT
            | CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUDA_ERROR_MISALIGNED_ADDRESS
            | CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUDA_ERROR_INVALID_PC
            | CUDA_ERROR_LAUNCH_FAILED
            | CUDA_ERROR_INVALID_CLUSTER_SIZE
    )
}

fn c_string(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|e| Fault::Infra { message: format!("`{text}`: {e}") })
}
