//! Memory of the device and of the host, copies and fills.

use std::ffi::{c_int, c_uint};

use super::{Handle, Outcome, Status, finish, put, runtime};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMalloc(place: *mut u64, bytes: usize) -> c_int {
    let address = runtime().allocate(bytes);
    // SAFETY: the caller's promise.
    finish(address.and_then(|address| unsafe { put(place, address) }))
}

#[unsafe(no_mangle)]
pub extern "C" fn hipFree(address: u64) -> c_int {
    let freed = address == 0 || runtime().memory.free(address);
    finish(if freed { Ok(()) } else { Err(Status::InvalidValue) })
}

/// Host memory with its size in front, so that it can be given back.
const HEADER: usize = 64;

fn host_layout(bytes: usize) -> Outcome<std::alloc::Layout> {
    let size = bytes.checked_add(HEADER).ok_or(Status::OutOfMemory)?;
    std::alloc::Layout::from_size_align(size, HEADER).map_err(|_| Status::OutOfMemory)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipHostMalloc(place: *mut *mut u8, bytes: usize, flags: c_uint) -> c_int {
    let _ = flags;
    finish(host_layout(bytes).and_then(|layout| {
        // SAFETY: the layout's size is at least HEADER, so not zero.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        if start.is_null() {
            return Err(Status::OutOfMemory);
        }
        // SAFETY: the block has HEADER bytes more than the caller gets, aligned for a usize; `place` is the caller's promise.
        unsafe {
            start.cast::<usize>().write(bytes);
            put(place, start.add(HEADER))
        }
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipHostFree(address: *mut u8) -> c_int {
    if address.is_null() {
        return finish(Ok(()));
    }
    // SAFETY: the address is one that hipHostMalloc gave, so a header stands in front of it.
    let start = unsafe { address.sub(HEADER) };
    // SAFETY: as above; the header holds the size.
    let bytes = unsafe { start.cast::<usize>().read() };
    finish(host_layout(bytes).map(|layout| {
        // SAFETY: allocated by hipHostMalloc with this layout.
        unsafe { std::alloc::dealloc(start, layout) };
    }))
}

const HOST_TO_DEVICE: c_int = 1;
const DEVICE_TO_HOST: c_int = 2;
const DEVICE_TO_DEVICE: c_int = 3;
const BY_ADDRESS: c_int = 4;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpy(to: u64, from: u64, bytes: usize, kind: c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, kind) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyAsync(
    to: u64,
    from: u64,
    bytes: usize,
    kind: c_int,
    stream: Handle,
) -> c_int {
    let _ = stream;
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, kind) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyHtoD(to: u64, from: u64, bytes: usize) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, HOST_TO_DEVICE) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyDtoH(to: u64, from: u64, bytes: usize) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, DEVICE_TO_HOST) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyDtoD(to: u64, from: u64, bytes: usize) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, DEVICE_TO_DEVICE) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyHtoDAsync(
    to: u64,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, HOST_TO_DEVICE) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyDtoHAsync(
    to: u64,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, DEVICE_TO_HOST) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemcpyDtoDAsync(
    to: u64,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    // SAFETY: the caller's promise.
    finish(unsafe { copy(to, from, bytes, DEVICE_TO_DEVICE) })
}

/// # Safety
/// The side that `kind` says is the host's is valid for `bytes` bytes.
unsafe fn copy(to: u64, from: u64, bytes: usize, kind: c_int) -> Outcome<()> {
    if bytes == 0 {
        return Ok(());
    }
    let runtime = runtime();
    let memory = &runtime.memory;
    let (device_to, device_from) = match kind {
        HOST_TO_DEVICE => (true, false),
        DEVICE_TO_HOST => (false, true),
        DEVICE_TO_DEVICE => (true, true),
        BY_ADDRESS => (memory.holds(to, bytes), memory.holds(from, bytes)),
        _ => (false, false),
    };
    let data = if device_from {
        memory.read_bytes(from, bytes).ok_or(Status::InvalidValue)?
    } else if from == 0 {
        return Err(Status::InvalidValue);
    } else {
        // SAFETY: not null, and the caller promises the bytes.
        unsafe { std::slice::from_raw_parts(from as *const u8, bytes) }.to_vec()
    };
    if device_to {
        return if memory.write_bytes(to, &data) { Ok(()) } else { Err(Status::InvalidValue) };
    }
    if to == 0 {
        return Err(Status::InvalidValue);
    }
    // SAFETY: not null, and the caller promises the bytes; `data` is a copy, so the two do not overlap.
    unsafe { (to as *mut u8).copy_from_nonoverlapping(data.as_ptr(), bytes) };
    Ok(())
}

fn fill(address: u64, pattern: &[u8], count: usize) -> c_int {
    let written = runtime().memory.write_bytes(address, &pattern.repeat(count));
    finish(if written || count == 0 { Ok(()) } else { Err(Status::InvalidValue) })
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemset(address: u64, value: c_int, bytes: usize) -> c_int {
    fill(address, &[value as u8], bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetAsync(
    address: u64,
    value: c_int,
    bytes: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    fill(address, &[value as u8], bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetD8(address: u64, value: u8, count: usize) -> c_int {
    fill(address, &[value], count)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetD8Async(address: u64, value: u8, count: usize, stream: Handle) -> c_int {
    let _ = stream;
    fill(address, &[value], count)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetD16Async(
    address: u64,
    value: u16,
    count: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    fill(address, &value.to_le_bytes(), count)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetD32(address: u64, value: c_int, count: usize) -> c_int {
    fill(address, &value.to_le_bytes(), count)
}

#[unsafe(no_mangle)]
pub extern "C" fn hipMemsetD32Async(
    address: u64,
    value: c_int,
    count: usize,
    stream: Handle,
) -> c_int {
    let _ = stream;
    fill(address, &value.to_le_bytes(), count)
}
