//! What the rivals for NVIDIA devices need from the driver: memory of their own, and to wait.
//!
//! The device that calls a rival has made its context current, so the driver is loaded and ready.
#![allow(unsafe_code, reason = "the driver is a C interface")]

use cudarc::driver::sys;
use cudarc::nvrtc::{self, CompileOptions};
use std::ffi::{CStr, CString, c_void};
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

/// Device code that a rival needs beside its library, unloaded when it is dropped.
pub struct Program {
    module: sys::CUmodule,
}

/// What a kernel is given.
#[derive(Clone, Copy)]
pub enum Argument {
    /// An address, or another number of 64 bits.
    Wide(u64),
    /// A number of 32 bits.
    Int(i32),
}

impl Program {
    /// Compiles a text with macros for a device by NVRTC, and loads it into the current context.
    pub fn compile(text: &str, arch: &str, definitions: &[(&str, u64)]) -> Result<Self, Fault> {
        // SAFETY: NVRTC has no initialiser that does more than prepare itself.
        if !unsafe { nvrtc::sys::is_culib_present() } {
            return Err(missing("libnvrtc.so"));
        }
        let mut options = vec![format!("--gpu-architecture={}", arch.replace("sm_", "compute_"))];
        options.extend(definitions.iter().map(|(name, value)| format!("-D{name}={value}")));
        let options = CompileOptions { options, ..Default::default() };
        let ptx = nvrtc::compile_ptx_with_opts(text, options)
            .map_err(|error| Fault::Crash { message: format!("NVRTC: {error}") })?;
        let ptx = CString::new(ptx.to_src()).expect("PTX is text");
        let mut module = std::ptr::null_mut();
        // SAFETY: the module outlives the call, and the text ends with a zero.
        match unsafe { sys::cuModuleLoadData(&mut module, ptx.as_ptr().cast()) } {
            sys::CUresult::CUDA_SUCCESS => Ok(Program { module }),
            other => Err(crash("cuModuleLoadData", other)),
        }
    }

    /// Puts a kernel on a stream, in one dimension.
    ///
    /// # Safety
    /// The arguments are those that the kernel declares, and what they point to is as large as it
    /// reads and writes, until the stream has come so far.
    pub unsafe fn launch(
        &self,
        entry: &CStr,
        blocks: u32,
        threads: u32,
        stream: u64,
        arguments: &[Argument],
    ) -> Result<(), Fault> {
        let mut function = std::ptr::null_mut();
        // SAFETY: the module is alive, and the function and the name outlive the call.
        match unsafe { sys::cuModuleGetFunction(&mut function, self.module, entry.as_ptr()) } {
            sys::CUresult::CUDA_SUCCESS => {}
            other => return Err(crash("cuModuleGetFunction", other)),
        }
        let pointer = |argument: &Argument| match argument {
            Argument::Wide(value) => std::ptr::from_ref(value).cast_mut().cast::<c_void>(),
            Argument::Int(value) => std::ptr::from_ref(value).cast_mut().cast(),
        };
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(pointer).collect();
        // SAFETY: the function is the module's, and the driver copies the arguments before it
        // returns; the rest is the caller's promise.
        let status = unsafe {
            sys::cuLaunchKernel(
                function,
                blocks,
                1,
                1,
                threads,
                1,
                1,
                0,
                stream as sys::CUstream,
                pointers.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        match status {
            sys::CUresult::CUDA_SUCCESS => Ok(()),
            other => Err(crash("cuLaunchKernel", other)),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the module came from cuModuleLoadData and is unloaded once.
        let _ = unsafe { sys::cuModuleUnload(self.module) };
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
