//! Memory of a device, and a word of the host that a stream can wait for.

use super::{Context, OrFault};
use crate::device::gpu::runtime::{self, checked};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use tilemark_core::{Bytes, Fault};

/// A region of a device's memory.
pub struct Memory {
    address: sys::CUdeviceptr,
    bytes: Bytes,
}

impl Memory {
    /// Reserves memory of the current context.
    pub fn new(context: &Context, bytes: Bytes) -> Result<Self, Fault> {
        let refused = |available| Fault::OutOfMemory { requested: bytes, available };
        let size = usize::try_from(bytes.0.max(1)).map_err(|_| refused(Bytes(0)))?;
        // SAFETY: the memory is freed by `drop` and nowhere else.
        match unsafe { result::malloc_sync(size) } {
            Ok(address) => Ok(Memory { address, bytes }),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(refused(context.memory()?.0))
            }
            Err(error) => Err(error).or_fault("reserve memory"),
        }
    }
}

impl runtime::Memory for Memory {
    fn address(&self) -> u64 {
        self.address
    }

    fn bytes(&self) -> Bytes {
        self.bytes
    }

    fn upload(&self, offset: Bytes, data: &[u8]) -> Result<(), Fault> {
        let at = checked(self.address, self.bytes, offset, data.len())?;
        // SAFETY: all of it lies inside this memory, as was checked.
        unsafe { result::memcpy_htod_sync(at, data) }.or_fault("copy to the device")
    }

    fn download(&self, offset: Bytes, data: &mut [u8]) -> Result<(), Fault> {
        let at = checked(self.address, self.bytes, offset, data.len())?;
        // SAFETY: all of it lies inside this memory, as was checked.
        unsafe { result::memcpy_dtoh_sync(data, at) }.or_fault("copy from the device")
    }

    fn fill(&self, byte: u8) -> Result<(), Fault> {
        // SAFETY: the whole of this memory and no more.
        unsafe { result::memset_d8_sync(self.address, byte, self.bytes.0 as usize) }
            .or_fault("fill memory")?;
        // The call may return before the device is done, and our stream does not wait for it.
        result::ctx::synchronize().or_fault("wait for a fill")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: freed once; a poisoned context refuses, and its process ends soon after.
        let _ = unsafe { result::free_sync(self.address) };
    }
}

impl Context {
    /// Enqueues that every byte of a range is set.
    pub fn fill(&self, address: u64, bytes: Bytes, byte: u8) -> Result<(), Fault> {
        // SAFETY: the caller's range lies in memory that outlives the stream's work.
        unsafe { result::memset_d8_async(address, byte, bytes.0 as usize, self.stream) }
            .or_fault("enqueue a fill")
    }

    /// Enqueues a copy of all of `from` to the start of `to`.
    pub fn copy(&self, to: &Memory, from: &Memory) -> Result<(), Fault> {
        let bytes = from.bytes.0.min(to.bytes.0) as usize;
        // SAFETY: both ranges lie inside memory that is borrowed.
        unsafe { sys::cuMemcpyDtoDAsync_v2(to.address, from.address, bytes, self.stream) }
            .result()
            .or_fault("enqueue a copy")
    }
}

/// A word of the host's memory that holds a stream back until the host has counted far enough: the
/// host enqueues behind it, so that what launches cost it is over before the first one runs.
pub struct Flag {
    word: *mut c_void,
    device_address: sys::CUdeviceptr,
    ticket: u32,
}

impl Flag {
    /// A flag that holds nothing yet.
    pub fn new(_context: &Context) -> Result<Self, Fault> {
        let flags = sys::CU_MEMHOSTALLOC_DEVICEMAP;
        // SAFETY: the memory is freed by `drop` and nowhere else.
        let word = unsafe { result::malloc_host(size_of::<AtomicU32>(), flags) }
            .or_fault("reserve a word of host memory")?;
        let mut flag = Flag { word, device_address: 0, ticket: 0 };
        flag.word().store(0, Ordering::SeqCst);
        // SAFETY: the word was allocated as mapped just now.
        unsafe { sys::cuMemHostGetDevicePointer_v2(&mut flag.device_address, word, 0) }
            .result()
            .or_fault("map a word of host memory")?;
        Ok(flag)
    }

    /// The stream waits from here on until the gate is opened.
    pub fn hold(&mut self, context: &Context) -> Result<(), Fault> {
        self.ticket = self.ticket.wrapping_add(1);
        let equal = sys::CUstreamWaitValue_flags::CU_STREAM_WAIT_VALUE_EQ as u32;
        // SAFETY: the word lives as long as `self`, and `drop` lets go before it is freed.
        unsafe {
            sys::cuStreamWaitValue32_v2(context.stream, self.device_address, self.ticket, equal)
        }
        .result()
        .or_fault("hold the stream")
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: an aligned word that this type owns; the device only reads it.
        unsafe { &*self.word.cast::<AtomicU32>() }
    }
}

impl runtime::Gate for Flag {
    fn open(&self) {
        self.word().store(self.ticket, Ordering::SeqCst);
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        runtime::Gate::open(self);
        // SAFETY: freed once, after the stream was let go.
        let _ = unsafe { result::free_host(self.word) };
    }
}
