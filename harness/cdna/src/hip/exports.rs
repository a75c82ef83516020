//! The C face: the functions of libamdhip64.so that a device backend calls, and those of libhiprtc.so. Modules are
//! assembly text, ended by a zero, or objects that carry such text.
//! Only this module has `unsafe`. Each function's pointers are the caller's promise, as hip_runtime_api.h words it.
#![allow(non_snake_case, reason = "the names are HIP's")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the contract of each is HIP's own, and the same for all: see above"
)]
#![allow(unsafe_code, reason = "pointers of a caller in C")]

mod device;
mod memory;
mod module;
mod rtc;
mod stream;

pub use device::*;
pub use memory::*;
pub use module::*;
pub use rtc::*;
pub use stream::*;

use std::ffi::{c_char, c_int, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::{Outcome, Runtime, Status};

static RUNTIME: LazyLock<Mutex<Runtime>> =
    LazyLock::new(|| Mutex::new(Runtime::from_environment()));
static LAST: Mutex<Status> = Mutex::new(Status::Success);

type Handle = *mut c_void;

/// A thread that panicked left the tables whole: each call changes them in one step.
fn runtime() -> MutexGuard<'static, Runtime> {
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn finish(outcome: Outcome<()>) -> c_int {
    let status = outcome.err().unwrap_or(Status::Success);
    if status != Status::Success {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
    status as c_int
}

/// Writes a result where the caller wants it.
///
/// # Safety
/// `place` is null or valid for a write.
unsafe fn put<T>(place: *mut T, value: T) -> Outcome<()> {
    if place.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: not null, and the caller promises that it is valid otherwise.
    unsafe { place.write_unaligned(value) };
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn hipGetLastError() -> c_int {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *last, Status::Success) as c_int
}

#[unsafe(no_mangle)]
pub extern "C" fn hipPeekAtLastError() -> c_int {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) as c_int
}

#[unsafe(no_mangle)]
pub extern "C" fn hipGetErrorName(code: c_int) -> *const c_char {
    Status::describe(code).0.as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn hipGetErrorString(code: c_int) -> *const c_char {
    runtime().describe(code).1.as_ptr()
}
