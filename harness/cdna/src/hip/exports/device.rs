//! What there is: one device, its attributes and its properties.

use std::ffi::{c_char, c_int};

use super::{Outcome, Status, finish, put, runtime};
use crate::arch::Arch;
use crate::hip::{TOTAL_BYTES, attribute};

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
