//! The functions of libhiprtc.so, as hiprtc.h declares them. They have statuses of their own.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use std::slice;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::hip::rtc::{File, Program};

/// hiprtcResult, as far as it is returned here.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Status {
    Success = 0,
    InvalidInput = 3,
    InvalidProgram = 4,
    Compilation = 6,
}

type Outcome<T> = Result<T, Status>;

/// Programs by handle. A program that compiles is out of the table, so that others can go on.
static PROGRAMS: LazyLock<Mutex<HashMap<usize, Program>>> = LazyLock::new(Mutex::default);

fn programs() -> MutexGuard<'static, HashMap<usize, Program>> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn finish(outcome: Outcome<()>) -> c_int {
    outcome.err().unwrap_or(Status::Success) as c_int
}

/// # Safety
/// `place` is null or valid for a write.
unsafe fn put<T>(place: *mut T, value: T) -> Outcome<()> {
    // SAFETY: the caller's promise.
    unsafe { super::put(place, value) }.map_err(|_| Status::InvalidInput)
}

/// # Safety
/// `place` is null or text ended by a zero.
unsafe fn text(place: *const c_char) -> Outcome<String> {
    if place.is_null() {
        return Err(Status::InvalidInput);
    }
    // SAFETY: not null, and the caller promises the zero at the end.
    Ok(unsafe { CStr::from_ptr(place) }.to_string_lossy().into_owned())
}

/// # Safety
/// `place` is null or an array of `count` texts ended by a zero.
unsafe fn texts(place: *const *const c_char, count: c_int) -> Outcome<Vec<String>> {
    if count <= 0 {
        return Ok(Vec::new());
    }
    if place.is_null() {
        return Err(Status::InvalidInput);
    }
    // SAFETY: not null, and the caller promises as many.
    let all = unsafe { slice::from_raw_parts(place, count as usize) };
    // SAFETY: the caller's promise.
    all.iter().map(|one| unsafe { text(*one) }).collect()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hiprtcVersion(major: *mut c_int, minor: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { put(major, 9).and_then(|()| put(minor, 0)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hiprtcCreateProgram(
    place: *mut usize,
    source: *const c_char,
    name: *const c_char,
    count: c_int,
    headers: *const *const c_char,
    names: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { create(place, [source, name], count, [headers, names]) })
}

/// # Safety
/// As hiprtcCreateProgram's.
unsafe fn create(
    place: *mut usize,
    source: [*const c_char; 2],
    count: c_int,
    headers: [*const *const c_char; 2],
) -> Outcome<()> {
    // SAFETY: the caller's promise.
    let ([source, name], [headers, names]) = unsafe {
        let source = [text(source[0])?, text(source[1])?];
        (source, [texts(headers[0], count)?, texts(headers[1], count)?])
    };
    let headers = headers.into_iter().zip(names).map(|(text, name)| File { name, text });
    let program = Program::new(File { name, text: source }, headers.collect());
    let handle = super::runtime().handle();
    programs().insert(handle, program);
    // SAFETY: the caller's promise.
    unsafe { put(place, handle) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hiprtcCompileProgram(
    handle: usize,
    count: c_int,
    options: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    let options = unsafe { texts(options, count) };
    finish(options.and_then(|options| {
        let mut program = programs().remove(&handle).ok_or(Status::InvalidProgram)?;
        let compiles = program.compile(&options);
        programs().insert(handle, program);
        if compiles { Ok(()) } else { Err(Status::Compilation) }
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hiprtcDestroyProgram(place: *mut usize) -> c_int {
    if place.is_null() {
        return finish(Err(Status::InvalidInput));
    }
    // SAFETY: not null, and the caller promises a handle there.
    let handle = unsafe { place.read() };
    finish(programs().remove(&handle).map(drop).ok_or(Status::InvalidProgram))
}

/// One of a program's results.
type Part = fn(&Program) -> &[u8];

/// # Safety
/// `place` is null or valid for a write.
unsafe fn size_of(handle: usize, place: *mut usize, part: Part) -> c_int {
    let size = programs().get(&handle).map(|program| part(program).len());
    // SAFETY: the caller's promise.
    finish(size.ok_or(Status::InvalidProgram).and_then(|size| unsafe { put(place, size) }))
}

/// # Safety
/// `place` is null or valid for as many bytes as [`size_of`] says.
unsafe fn copy_of(handle: usize, place: *mut c_char, part: Part) -> c_int {
    let programs = programs();
    let Some(program) = programs.get(&handle) else {
        return finish(Err(Status::InvalidProgram));
    };
    let bytes = part(program);
    if place.is_null() {
        return finish(Err(Status::InvalidInput));
    }
    // SAFETY: not null, and the caller promises the room.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr().cast(), bytes.len()) };
    finish(Ok(()))
}

/// A pair of functions: the size of a result, then its bytes.
macro_rules! results {
    ($($size:ident, $copy:ident: $field:ident;)*) => {
        $(#[unsafe(no_mangle)]
        pub unsafe extern "C" fn $size(handle: usize, place: *mut usize) -> c_int {
            // SAFETY: the caller's promise.
            unsafe { size_of(handle, place, |program| &program.$field) }
        }

        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $copy(handle: usize, place: *mut c_char) -> c_int {
            // SAFETY: the caller's promise.
            unsafe { copy_of(handle, place, |program| &program.$field) }
        })*
    };
}

results! {
    hiprtcGetProgramLogSize, hiprtcGetProgramLog: log;
    hiprtcGetCodeSize, hiprtcGetCode: code;
}
