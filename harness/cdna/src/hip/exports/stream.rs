//! Streams, events and graphs: everything has finished when its call returns, and no time passes.

use std::ffi::{c_char, c_int, c_uint};

use super::{Handle, Status, finish, put, runtime};

/// Functions that do nothing here, because everything has finished when its call returns or has no state.
macro_rules! successes {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(#[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $type),*) -> c_int {
            $(let _ = $argument;)*
            finish(Ok(()))
        })*
    };
}

successes! {
    hipInit(flags: c_uint);
    hipDeviceSynchronize();
    hipStreamDestroy(stream: Handle);
    hipStreamSynchronize(stream: Handle);
    hipStreamQuery(stream: Handle);
    hipStreamWaitEvent(stream: Handle, event: Handle, flags: c_uint);
    hipEventRecord(event: Handle, stream: Handle);
    hipEventSynchronize(event: Handle);
    hipEventQuery(event: Handle);
    hipEventDestroy(event: Handle);
    hipDeviceReset();
}

/// Functions that the interpreter does not have, which say so.
macro_rules! unsupported {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(#[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $type),*) -> c_int {
            $(let _ = $argument;)*
            finish(Err(Status::NotSupported))
        })*
    };
}

unsupported! {
    hipStreamBeginCapture(stream: Handle, mode: c_int);
    hipStreamEndCapture(stream: Handle, graph: *mut Handle);
    hipGraphInstantiate(exec: *mut Handle, graph: Handle, node: *mut Handle, log: *mut c_char, size: usize);
    hipGraphInstantiateWithFlags(exec: *mut Handle, graph: Handle, flags: u64);
    hipLaunchHostFunc(stream: Handle, function: Handle, argument: Handle);
    hipGraphLaunch(exec: Handle, stream: Handle);
    hipGraphExecDestroy(exec: Handle);
    hipGraphDestroy(graph: Handle);
}

/// Writes a new handle where the caller wants it.
///
/// # Safety
/// `place` is null or valid for a write.
unsafe fn put_handle(place: *mut usize) -> c_int {
    let handle = runtime().handle();
    // SAFETY: the caller's promise.
    finish(unsafe { put(place, handle) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipStreamCreate(place: *mut usize) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_handle(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipStreamCreateWithFlags(place: *mut usize, flags: c_uint) -> c_int {
    let _ = flags;
    // SAFETY: the caller's promise.
    unsafe { put_handle(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipEventCreate(place: *mut usize) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { put_handle(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipEventCreateWithFlags(place: *mut usize, flags: c_uint) -> c_int {
    let _ = flags;
    // SAFETY: the caller's promise.
    unsafe { put_handle(place) }
}

/// An interpreter has no time to tell: every interval is zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipEventElapsedTime(
    milliseconds: *mut f32,
    start: Handle,
    stop: Handle,
) -> c_int {
    let _ = (start, stop);
    // SAFETY: the caller's promise.
    finish(unsafe { put(milliseconds, 0.0) })
}
