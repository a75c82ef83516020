//! What the launches of all families share: the headers of device code, the way arguments are
//! written, and who can run code for which architecture. The verbs of those headers are a family
//! themselves, in `checks`.
//!
//! It knows vendors and their architectures, and no family that is written in the verbs.

mod checks;
mod reference;

pub use checks::Tile;

use tilemark_core::device::Vendor;
use tilemark_core::launch::{Argument, Header, L2Promotion, Swizzle, TensorMap};
use tilemark_core::{Dtype, Info};

/// What `#include "tile/tile.h"` reaches.
pub static HEADERS: &[Header] = &[TILE, CUDA, CUDA_WGMMA, HIP];

/// The vocabulary.
pub const TILE: Header = Header { name: "tile/tile.h", text: include_str!("tile.h") };

/// NVIDIA's side of it.
pub const CUDA: Header = Header { name: "tile/vendor/cuda.h", text: include_str!("vendor/cuda.h") };

/// The warpgroup's matrix instructions, which `cuda.h` includes.
pub const CUDA_WGMMA: Header =
    Header { name: "tile/vendor/cuda_wgmma.h", text: include_str!("vendor/cuda_wgmma.h") };

/// AMD's side of it.
pub const HIP: Header = Header { name: "tile/vendor/hip.h", text: include_str!("vendor/hip.h") };

/// The architectures that AMD's side is written for.
pub const AMD: &[&str] = &["gfx942", "gfx950"];

/// Shared memory that a block on Hopper may have: 227 KB.
pub const SM90_SHARED_BYTES: u32 = 232_448;

/// An address that the kernel does not use.
pub const NULL: Argument = Argument::I64(0);

/// The address of a tensor's first element.
pub fn tensor(tensor: usize) -> Argument {
    Argument::Tensor { tensor, offset_bytes: 0 }
}

/// A number that counts rows, columns or the like.
///
/// # Panics
/// If it is beyond 2³¹ − 1, which `supports` must have refused.
pub fn count(value: u64) -> Argument {
    Argument::I32(i32::try_from(value).expect("`supports` admits no extent beyond 31 bits"))
}

/// A distance between elements.
///
/// # Panics
/// If it is beyond 2⁶³ − 1.
pub fn distance(value: u64) -> Argument {
    Argument::I64(i64::try_from(value).expect("a distance lies within memory"))
}

/// A map of a whole tensor, extents innermost first, whose boxes lie in shared memory in the 128-byte
/// swizzle that wgmma and ldmatrix read without conflicts.
pub fn swizzled_map(tensor: usize, dtype: Dtype, dims: &[u64], box_dims: &[u32]) -> Argument {
    let bytes = |dims: &[u64]| dims.iter().product::<u64>() * dtype.size();
    Argument::TensorMap(TensorMap {
        tensor,
        dtype,
        dims: dims.to_vec(),
        strides_bytes: (1..dims.len()).map(|rank| bytes(&dims[..rank])).collect(),
        box_dims: box_dims.to_vec(),
        swizzle: Swizzle::B128,
        l2_promotion: L2Promotion::B256,
    })
}

/// The name of an element type in device code.
pub fn element(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "float",
        Dtype::Bf16 => "Bf16",
        Dtype::F16 => "Fp16",
        Dtype::E4m3 => "E4m3",
    }
}

/// `Ok` on NVIDIA devices from compute capability `least` on, as in 80 for `sm_80`.
pub fn needs_sm(info: &Info, least: u32) -> Result<(), String> {
    match compute_capability(info) {
        None => Err(format!("CUDA code, and {} is no NVIDIA device", info.name)),
        Some(found) if found < least => {
            Err(format!("needs sm_{least} or later, and {} is {}", info.name, info.arch))
        }
        Some(_) => Ok(()),
    }
}

/// `Ok` on Hopper alone, whose warpgroup instructions no other architecture has.
pub fn needs_sm_90a(info: &Info) -> Result<(), String> {
    if info.vendor == Vendor::Nvidia && info.arch == "sm_90a" {
        return Ok(());
    }
    Err(format!(
        "needs sm_90a for wgmma and the tensor memory accelerator, and {} is {}",
        info.name, info.arch
    ))
}

/// `Ok` on AMD devices of these architectures.
pub fn needs_amd(info: &Info, archs: &[&str]) -> Result<(), String> {
    if info.vendor == Vendor::Amd && archs.contains(&info.arch.as_str()) {
        return Ok(());
    }
    Err(format!("needs {}, and {} is {}", archs.join(" or "), info.name, info.arch))
}

/// `Ok` if every extent can be an `int` of device code.
pub fn needs_31_bits(extents: &[u64]) -> Result<(), String> {
    match extents.iter().find(|extent| i32::try_from(**extent).is_err()) {
        Some(extent) => Err(format!("an extent of {extent} does not fit 31 bits")),
        None => Ok(()),
    }
}

fn compute_capability(info: &Info) -> Option<u32> {
    let digits = info.arch.strip_prefix("sm_")?.trim_end_matches(|c: char| c.is_alphabetic());
    if info.vendor == Vendor::Nvidia { digits.parse().ok() } else { None }
}
