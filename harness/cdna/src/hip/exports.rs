//! The C face: the functions of libamdhip64.so that a device backend calls. Modules are assembly text, ended by a zero.
//! Only this file has `unsafe`. Each function's pointers are the caller's promise, as hip_runtime_api.h words it.
#![allow(non_snake_case)] // the names are HIP's
#![allow(clippy::missing_safety_doc)] // the contract of each is HIP's own, and the same for all: see above

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::{Outcome, Runtime, Status, TOTAL_BYTES, attribute};
use crate::arch::Arch;
use crate::launch::Grid;

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
    hipGraphLaunch(exec: Handle, stream: Handle);
    hipGraphExecDestroy(exec: Handle);
    hipGraphDestroy(graph: Handle);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipGetDeviceCount(count: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { put(count, 1) })
}

#[unsafe(no_mangle)]
pub extern "C" fn hipSetDevice(device: c_int) -> c_int {
    finish(checked(device).map(drop))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipGetDevice(device: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { put(device, 0) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceGet(device: *mut c_int, ordinal: c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(checked(ordinal).and_then(|_| unsafe { put(device, 0) }))
}

/// HIP's own number for the release whose ABI this is: 6.3.
const VERSION: c_int = 60_300_000;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipRuntimeGetVersion(version: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { put(version, VERSION) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDriverGetVersion(version: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { put(version, VERSION) })
}

fn checked(device: c_int) -> Outcome<Arch> {
    if device == 0 { Ok(runtime().arch) } else { Err(Status::InvalidDevice) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceGetAttribute(
    value: *mut c_int,
    name: c_int,
    device: c_int,
) -> c_int {
    let found = checked(device).and_then(|arch| attribute(arch, name).ok_or(Status::InvalidValue));
    // SAFETY: the caller's promise.
    finish(found.and_then(|found| unsafe { put(value, found) }))
}

/// Copies text and its zero into a buffer of `size` bytes, cut where it is too long.
///
/// # Safety
/// `place` is null or valid for `size` writes.
unsafe fn put_text(place: *mut c_char, size: c_int, text: &str) -> Outcome<()> {
    if place.is_null() || size < 1 {
        return Err(Status::InvalidValue);
    }
    let bytes = text.bytes().take(size as usize - 1).chain([0]);
    for (index, byte) in bytes.enumerate() {
        // SAFETY: index < size, and the caller promises that many bytes.
        unsafe { place.add(index).write(byte as c_char) };
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceGetName(name: *mut c_char, size: c_int, device: c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(checked(device).and_then(|arch| unsafe { put_text(name, size, &device_name(arch)) }))
}

fn device_name(arch: Arch) -> String {
    format!("interpreted {arch}")
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceGetPCIBusId(
    name: *mut c_char,
    size: c_int,
    device: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    finish(checked(device).and_then(|_| unsafe { put_text(name, size, "0000:00:00.0") }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(checked(device).and_then(|_| unsafe { put(uuid, *b"tilemark-cdna\0\0\0") }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipDeviceTotalMem(bytes: *mut usize, device: c_int) -> c_int {
    // SAFETY: the caller's promise.
    finish(checked(device).and_then(|_| unsafe { put(bytes, TOTAL_BYTES) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipMemGetInfo(free: *mut usize, total: *mut usize) -> c_int {
    let left = runtime().free_bytes();
    // SAFETY: the caller's promise, of both.
    finish(unsafe { put(free, left).and_then(|()| put(total, TOTAL_BYTES)) })
}

/// Where hipDeviceProp_t has its fields, which moved between releases.
struct Layout {
    size: usize,
    total_bytes: usize,
    lds_bytes: usize,
    warp_size: usize,
    clock_khz: usize,
    units: usize,
    l2_bytes: usize,
    arch_name: usize,
}

const LAYOUT_5: Layout = Layout {
    size: 792,
    total_bytes: 256,
    lds_bytes: 264,
    warp_size: 276,
    clock_khz: 308,
    units: 336,
    l2_bytes: 340,
    arch_name: 396,
};

const LAYOUT_6: Layout = Layout {
    size: 1472,
    total_bytes: 288,
    lds_bytes: 296,
    warp_size: 308,
    clock_khz: 348,
    units: 388,
    l2_bytes: 616,
    arch_name: 1160,
};

fn properties(layout: &Layout, arch: Arch) -> Vec<u8> {
    let mut bytes = vec![0; layout.size];
    let mut set =
        |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
    let number = |name: i32| attribute(arch, name).unwrap_or(0).to_le_bytes();
    set(0, device_name(arch).as_bytes());
    set(layout.total_bytes, &TOTAL_BYTES.to_le_bytes());
    set(layout.lds_bytes, &arch.lds_bytes().to_le_bytes());
    set(layout.warp_size, &number(87));
    set(layout.clock_khz, &number(5));
    set(layout.units, &number(63));
    set(layout.l2_bytes, &number(19));
    set(layout.arch_name, format!("{arch}:sramecc+:xnack-").as_bytes());
    bytes
}

/// # Safety
/// `place` is null or valid for a write of the layout's size.
unsafe fn put_properties(place: *mut u8, layout: &Layout, device: c_int) -> Outcome<()> {
    let bytes = properties(layout, checked(device)?);
    if place.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: the caller promises as many bytes as the structure of its release has, which is the layout's size.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipGetDeviceProperties(place: *mut u8, device: c_int) -> c_int {
    // SAFETY: the caller's promise; this name belongs to the structure of release 5.
    finish(unsafe { put_properties(place, &LAYOUT_5, device) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipGetDevicePropertiesR0600(place: *mut u8, device: c_int) -> c_int {
    // SAFETY: the caller's promise; this name belongs to the structure since release 6.
    finish(unsafe { put_properties(place, &LAYOUT_6, device) })
}

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

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipModuleLoadData(place: *mut usize, image: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    finish(unsafe { load(place, image) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipModuleLoadDataEx(
    place: *mut usize,
    image: *const c_char,
    count: c_uint,
    options: *mut c_int,
    values: *mut Handle,
) -> c_int {
    let _ = (count, options, values);
    // SAFETY: the caller's promise.
    finish(unsafe { load(place, image) })
}

/// # Safety
/// `image` is null or text ended by a zero, `place` null or valid for a write.
unsafe fn load(place: *mut usize, image: *const c_char) -> Outcome<()> {
    if image.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: not null, and the caller promises the zero at the end.
    let text = unsafe { CStr::from_ptr(image) }.to_str().map_err(|_| Status::InvalidImage)?;
    let module = runtime().load(text)?;
    // SAFETY: the caller's promise.
    unsafe { put(place, module) }
}

#[unsafe(no_mangle)]
pub extern "C" fn hipModuleUnload(module: usize) -> c_int {
    let outcome = runtime().unload(module);
    finish(outcome)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipModuleGetFunction(
    place: *mut usize,
    module: usize,
    name: *const c_char,
) -> c_int {
    if name.is_null() {
        return finish(Err(Status::InvalidValue));
    }
    // SAFETY: not null, and the caller promises text ended by a zero.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let function = runtime().function(module, &name);
    // SAFETY: the caller's promise.
    finish(function.and_then(|function| unsafe { put(place, function) }))
}

/// hipFunction_attribute: 0 threads, 1 static LDS, 3 scratch, 4 registers, 8 dynamic LDS at most.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipFuncGetAttribute(
    value: *mut c_int,
    name: c_int,
    function: usize,
) -> c_int {
    let runtime = runtime();
    let found = runtime.kernel(function).and_then(|kernel| {
        Ok(match name {
            0 => kernel.max_threads,
            1 => kernel.descriptor.lds_bytes,
            3 => kernel.descriptor.scratch_bytes,
            4 => kernel.vgprs,
            8 => kernel.arch.lds_bytes() - kernel.descriptor.lds_bytes,
            _ => return Err(Status::InvalidValue),
        })
    });
    // SAFETY: the caller's promise.
    finish(found.and_then(|found| unsafe { put(value, found as c_int) }))
}

/// Workgroups that one compute unit holds: by registers, by LDS, and at most eight waves a SIMD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: *mut c_int,
    function: usize,
    threads: c_int,
    dynamic_lds_bytes: usize,
) -> c_int {
    let runtime = runtime();
    let found = runtime.kernel(function).map(|kernel| {
        let waves = (512 / kernel.vgprs.max(1).next_multiple_of(8)).min(8) * 4;
        let by_waves = waves / (threads.max(1) as usize).div_ceil(64);
        let lds = kernel.descriptor.lds_bytes + dynamic_lds_bytes;
        kernel.arch.lds_bytes().checked_div(lds).map_or(by_waves, |by_lds| by_lds.min(by_waves))
    });
    // SAFETY: the caller's promise.
    finish(found.and_then(|found| unsafe { put(blocks, found as c_int) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn hipModuleLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    dynamic_lds_bytes: c_uint,
    stream: Handle,
    parameters: *const *const u8,
    extra: *const *const c_void,
) -> c_int {
    let _ = stream;
    let grid = Grid {
        groups: [grid_x, grid_y, grid_z],
        block: [block_x, block_y, block_z],
        dynamic_lds_bytes: dynamic_lds_bytes as usize,
    };
    let mut runtime = runtime();
    // SAFETY: the caller's promise.
    let arguments = unsafe { arguments(&runtime, function, parameters, extra) };
    finish(arguments.and_then(|arguments| runtime.launch(function, grid, &arguments)))
}

/// The argument bytes, from an array of pointers or from a packed buffer.
///
/// # Safety
/// `parameters` is null or has a valid pointer for each argument of the kernel; `extra` is null or HIP's list of keys and values.
unsafe fn arguments(
    runtime: &Runtime,
    function: usize,
    parameters: *const *const u8,
    extra: *const *const c_void,
) -> Outcome<Vec<u8>> {
    let kernel = runtime.kernel(function)?;
    let mut bytes = vec![0; kernel.kernarg_bytes()];
    if !parameters.is_null() {
        for (index, slot) in kernel.slots.iter().filter(|slot| !slot.is_hidden()).enumerate() {
            // SAFETY: one pointer an argument, each to as many bytes as the argument has.
            let value = unsafe { std::slice::from_raw_parts(*parameters.add(index), slot.size) };
            bytes[slot.offset..slot.offset + slot.size].copy_from_slice(value);
        }
        return Ok(bytes);
    }
    if extra.is_null() {
        return Ok(bytes);
    }
    // SAFETY: the list is key, buffer, key, pointer to its size, end: 1, 2 and 3 are the keys.
    let (keys, buffer, size) = unsafe {
        let keys = [*extra as usize, *extra.add(2) as usize, *extra.add(4) as usize];
        (keys, (*extra.add(1)).cast::<u8>(), (*extra.add(3)).cast::<usize>())
    };
    if keys != [1, 2, 3] || buffer.is_null() || size.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: the caller gave the buffer with its size.
    let packed = unsafe { std::slice::from_raw_parts(buffer, size.read_unaligned()) };
    let given = packed.len().min(bytes.len());
    bytes[..given].copy_from_slice(&packed[..given]);
    Ok(bytes)
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
    Status::describe(code).1.as_ptr()
}
