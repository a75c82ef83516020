//! Loaded code: its kernels, what they need, and their launch.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::slice;

use super::{Handle, Outcome, Runtime, Status, finish, put, runtime};
use crate::hip::rtc;
use crate::launch::Grid;

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
/// `image` is null, a whole object, or text ended by a zero; `place` is null or valid for a write.
unsafe fn load(place: *mut usize, image: *const c_char) -> Outcome<()> {
    if image.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: not null, and the caller promises the zero at the end; an object is longer than its magic number.
    let start = unsafe { CStr::from_ptr(image) };
    let module = if start.to_bytes().starts_with(b"\x7fELF") {
        // SAFETY: the caller promises a whole object.
        let object = unsafe { slice::from_raw_parts(image.cast(), object_bytes(image.cast())) };
        runtime().load(&rtc::assembly(object).ok_or(Status::InvalidImage)?)?
    } else {
        runtime().load(start.to_str().map_err(|_| Status::InvalidImage)?)?
    };
    // SAFETY: the caller's promise.
    unsafe { put(place, module) }
}

/// The size of an object, which C does not tell: linkers put the table of its sections last.
///
/// # Safety
/// `image` is a whole ELF file of 64 bits.
unsafe fn object_bytes(image: *const u8) -> usize {
    // SAFETY: the offsets are those of e_shoff, e_shentsize and e_shnum in the file's header.
    let (table, entry_bytes, entries) = unsafe {
        let short = |offset| image.add(offset).cast::<u16>().read_unaligned();
        (image.add(40).cast::<u64>().read_unaligned(), short(58), short(60))
    };
    table as usize + usize::from(entry_bytes) * usize::from(entries)
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
            let value = unsafe { slice::from_raw_parts(*parameters.add(index), slot.size) };
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
    let packed = unsafe { slice::from_raw_parts(buffer, size.read_unaligned()) };
    let given = packed.len().min(bytes.len());
    bytes[..given].copy_from_slice(&packed[..given]);
    Ok(bytes)
}
