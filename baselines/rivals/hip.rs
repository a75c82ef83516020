//! What the rivals for AMD devices need from the driver: memory of their own, and to wait.
//!
//! The device that calls a rival has made its context current, so the driver is loaded and ready.
#![allow(unsafe_code, reason = "the driver is a C interface")]

use rocmrc::hip::sys;
use tilemark_core::device::Vendor;
use tilemark_core::{Bytes, Fault, Info};

/// What every rival here may use for sums that are split, as on the other vendor's devices.
pub const WORKSPACE: Bytes = Bytes(64 << 20);

/// Device memory that is given back when it is dropped.
pub struct Memory {
    address: u64,
}

impl Memory {
    /// Reserves memory on the current device.
    pub fn new(bytes: Bytes) -> Result<Self, Fault> {
        let mut address = std::ptr::null_mut();
        // SAFETY: `address` outlives the call, which writes nothing else.
        match unsafe { sys::hipMalloc(&mut address, bytes.0 as usize) } {
            sys::hipError_t::hipSuccess => Ok(Memory { address: address as u64 }),
            sys::hipError_t::hipErrorOutOfMemory => {
                Err(Fault::OutOfMemory { requested: bytes, available: free() })
            }
            other => Err(crash("hipMalloc", other)),
        }
    }

    /// Where it lies.
    pub fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the address came from hipMalloc and is given back once. The status is of no use:
        // a device that died took its memory along.
        let _ = unsafe { sys::hipFree(self.address as *mut std::ffi::c_void) };
    }
}

/// Waits for everything on a stream.
pub fn wait(stream: u64) -> Result<(), Fault> {
    // SAFETY: the device that gave the handle keeps the stream as long as the rival.
    match unsafe { sys::hipStreamSynchronize(stream as sys::hipStream_t) } {
        sys::hipError_t::hipSuccess => Ok(()),
        other => Err(crash("hipStreamSynchronize", other)),
    }
}

/// Whether a device is AMD's; if not, why a library of theirs cannot serve it.
pub fn only_amd(info: &Info) -> Result<(), String> {
    if info.vendor == Vendor::Amd {
        return Ok(());
    }
    Err(format!("a library for AMD GPUs, and {} is none", info.name))
}

/// What to say where a library is not.
pub fn missing(library: &str) -> Fault {
    Fault::Unsupported {
        reason: format!(
            "{library} was looked for on the loader's path and in ROCM_PATH, and not found\nhint: install ROCm, or name its folder in ROCM_PATH"
        ),
    }
}

fn free() -> Bytes {
    let (mut free, mut total) = (0, 0);
    // SAFETY: both numbers outlive the call. Where it fails they stay 0, which is the cautious answer.
    let _ = unsafe { sys::hipMemGetInfo(&mut free, &mut total) };
    Bytes(free as u64)
}

fn crash(operation: &str, status: sys::hipError_t) -> Fault {
    Fault::Crash { message: format!("{operation}: {status:?}") }
}
