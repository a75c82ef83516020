//! What the rivals for NVIDIA devices need from the driver: memory of their own, and to wait.
//!
//! The device that calls a rival has made its context current, so the driver is loaded and ready.
#![allow(unsafe_code, reason = "the driver is a C interface")]

use cudarc::driver::sys;
use tilemark_core::device::Vendor;
use tilemark_core::{Bytes, Fault, Info};

/// What every rival here may use for sums that are split, as much as cuBLAS recommends and more
/// than it takes by itself.
pub const WORKSPACE: Bytes = Bytes(64 << 20);

/// Device memory that is given back when it is dropped.
pub struct Memory {
    address: u64,
}

impl Memory {
    /// Reserves memory in the current context.
    pub fn new(bytes: Bytes) -> Result<Self, Fault> {
        let mut address = 0;
        // SAFETY: `address` outlives the call, which writes nothing else.
        let status = unsafe { sys::cuMemAlloc_v2(&mut address, bytes.0 as usize) };
        match status {
            sys::CUresult::CUDA_SUCCESS => Ok(Memory { address }),
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                Err(Fault::OutOfMemory { requested: bytes, available: free() })
            }
            other => Err(crash("cuMemAlloc", other)),
        }
    }

    /// Where it lies.
    pub fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the address came from cuMemAlloc and is given back once. The status is of no use:
        // a context that died took its memory along.
        let _ = unsafe { sys::cuMemFree_v2(self.address) };
    }
}

/// Waits for everything on a stream.
pub fn wait(stream: u64) -> Result<(), Fault> {
    // SAFETY: the device that gave the handle keeps the stream as long as the rival.
    match unsafe { sys::cuStreamSynchronize(stream as sys::CUstream) } {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        other => Err(crash("cuStreamSynchronize", other)),
    }
}

/// Whether a device is NVIDIA's; if not, why a library of theirs cannot serve it.
pub fn only_nvidia(info: &Info) -> Result<(), String> {
    if info.vendor == Vendor::Nvidia {
        return Ok(());
    }
    Err(format!("a library for NVIDIA GPUs, and {} is none", info.name))
}

fn free() -> Bytes {
    let (mut free, mut total) = (0, 0);
    // SAFETY: both numbers outlive the call. Where it fails they stay 0, which is the cautious answer.
    let _ = unsafe { sys::cuMemGetInfo_v2(&mut free, &mut total) };
    Bytes(free as u64)
}

fn crash(operation: &str, status: sys::CUresult) -> Fault {
    Fault::Crash { message: format!("{operation}: {status:?}") }
}

/// What to say where a library is not.
pub fn missing(library: &str) -> Fault {
    Fault::Unsupported {
        reason: format!(
            "{library} was looked for on the loader's path and not found\nhint: install it, or name its folder in LD_LIBRARY_PATH"
        ),
    }
}
