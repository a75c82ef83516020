//! Memory of a device, and a gate of the host's that a stream can wait for.

use super::{Context, OrFault};
use crate::device::gpu::runtime::{self, checked};
use rocmrc::hip::result::{self, HipError};
use rocmrc::hip::sys;
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tilemark_core::{Bytes, Fault};

/// A region of a device's memory.
pub struct Memory {
    address: u64,
    bytes: Bytes,
}

impl Memory {
    /// Reserves memory of the current device.
    pub fn new(context: &Context, bytes: Bytes) -> Result<Self, Fault> {
        let refused = |available| Fault::OutOfMemory { requested: bytes, available };
        let size = usize::try_from(bytes.0.max(1)).map_err(|_| refused(Bytes(0)))?;
        match result::malloc_sync(size) {
            Ok(address) => Ok(Memory { address, bytes }),
            Err(HipError(sys::hipError_t::hipErrorOutOfMemory)) => Err(refused(context.free()?)),
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
        result::device::synchronize().or_fault("wait for a fill")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Freed once; a poisoned device refuses, and its process ends soon after.
        let _ = result::free_sync(self.address);
    }
}

impl Context {
    /// Enqueues that every byte of a range is set.
    pub fn fill(&self, address: u64, bytes: Bytes, byte: u8) -> Result<(), Fault> {
        // SAFETY: the caller's range lies in memory that outlives the stream's work.
        unsafe { result::memset_d8_async(address, byte, bytes.0 as usize, self.stream) }
            .or_fault("enqueue a fill")
    }
}

/// Holds a stream back with a function of the host that waits. A word of memory that the stream
/// polls, as on CUDA, would need memory that only some boards have.
pub struct HostGate {
    opened: Arc<Opened>,
    ticket: u64,
}

/// The last ticket that may pass.
#[derive(Default)]
struct Opened {
    ticket: Mutex<u64>,
    changed: Condvar,
}

/// What the waiting function is given.
struct Wait {
    opened: Arc<Opened>,
    ticket: u64,
}

impl HostGate {
    /// A gate that holds nothing yet.
    pub fn new() -> Self {
        HostGate { opened: Arc::default(), ticket: 0 }
    }

    /// The stream waits from here on until the gate is opened.
    pub fn hold(&mut self, context: &Context) -> Result<(), Fault> {
        self.ticket += 1;
        let wait = Box::new(Wait { opened: self.opened.clone(), ticket: self.ticket });
        let wait = Box::into_raw(wait).cast::<c_void>();
        // SAFETY: the stream is alive, and the function is called once with what it is given here.
        let status = unsafe { sys::hipLaunchHostFunc(context.stream, Some(pass), wait) };
        if status != sys::hipError_t::hipSuccess {
            // SAFETY: nothing was enqueued, so this is still ours.
            drop(unsafe { Box::from_raw(wait.cast::<Wait>()) });
        }
        status.result().or_fault("hold the stream")
    }
}

/// Returns once the gate has been opened for its ticket.
unsafe extern "C" fn pass(wait: *mut c_void) {
    // SAFETY: `hold` made it of a box, and the runtime calls this once.
    let Wait { opened, ticket } = *unsafe { Box::from_raw(wait.cast::<Wait>()) };
    let mut last = opened.ticket.lock().unwrap_or_else(PoisonError::into_inner);
    while *last < ticket {
        last = opened.changed.wait(last).unwrap_or_else(PoisonError::into_inner);
    }
}

impl runtime::Gate for HostGate {
    fn open(&self) {
        *self.opened.ticket.lock().unwrap_or_else(PoisonError::into_inner) = self.ticket;
        self.opened.changed.notify_all();
    }
}

impl Drop for HostGate {
    fn drop(&mut self) {
        runtime::Gate::open(self);
    }
}
