//! What to put on a stream, as plain data that serves every vendor.
//!
//! A kernel family describes its launches once per case, outside the timed region; the device
//! compiles the sources, encodes the tensor maps and enqueues. No handle, pointer or vendor type
//! appears here, so the same data drives CUDA, HIP and the interpreter, and can be printed.
//!
//! # A CUDA kernel with tensor maps and a cluster
//!
//! A warp-specialised GEMM (M, N, K) on tiles of 128 × 256 × 64, two blocks to a cluster that
//! share the tile of B by multicast:
//!
//! ```
//! use tilemark_core::launch::*;
//! use tilemark_core::Dtype;
//!
//! static GEMM: Source = Source {
//!     path: "gemm/sm90_wgmma.cu",
//!     text: "...",
//!     headers: &[],
//! };
//! let (m, n, k) = (4096u64, 4096u64, 4096u64);
//! let panel = |tensor, rows: u64, box_rows: u32| {
//!     Argument::TensorMap(TensorMap {
//!         tensor,
//!         dtype: Dtype::Bf16,
//!         dims: vec![k, rows],            // innermost first, in elements
//!         strides_bytes: vec![k * 2],     // of every dimension but the innermost
//!         box_dims: vec![64, box_rows],
//!         swizzle: Swizzle::B128,
//!         l2_promotion: L2Promotion::B256,
//!     })
//! };
//! let gemm = Step::Launch(Launch {
//!     source: &GEMM,
//!     entry: "gemm_wgmma",
//!     constants: vec![("TILE_M", 128.into()), ("TILE_N", 256.into()), ("STAGES", 4.into())],
//!     grid: [132, 1, 1],
//!     block: [384, 1, 1],
//!     cluster: [2, 1, 1],
//!     dynamic_shared_bytes: 4 * (128 + 256) * 64 * 2 + 1024,
//!     arguments: vec![
//!         panel(0, m, 128),
//!         panel(1, n, 128),               // half of a tile of B: the peer fetches the other
//!         Argument::Tensor { tensor: 2, offset_bytes: 0 },
//!         Argument::I32(m as i32),
//!         Argument::I32(n as i32),
//!         Argument::I32(k as i32),
//!     ],
//! });
//! # let _ = gemm;
//! ```
//!
//! # A HIP kernel
//!
//! The same family on gfx942. There is no cluster and no tensor map: the kernel gets pointers and
//! forms its own buffer descriptors.
//!
//! ```
//! use tilemark_core::launch::*;
//!
//! static GEMM: Source = Source { path: "gemm/gfx942_mfma.hip", text: "...", headers: &[] };
//! let gemm = Step::Launch(Launch {
//!     source: &GEMM,
//!     entry: "gemm_mfma",
//!     constants: vec![("TILE_M", 256.into()), ("TILE_N", 256.into())],
//!     grid: [256, 1, 1],
//!     block: [512, 1, 1],
//!     cluster: [1, 1, 1],
//!     dynamic_shared_bytes: 65536,
//!     arguments: vec![
//!         Argument::Tensor { tensor: 0, offset_bytes: 0 },
//!         Argument::Tensor { tensor: 1, offset_bytes: 0 },
//!         Argument::Tensor { tensor: 2, offset_bytes: 0 },
//!         Argument::I32(4096),
//!     ],
//! });
//! # let _ = gemm;
//! ```

use crate::{Bytes, Dtype};
use std::fmt;

/// Device code that travels inside the binary.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it lies below `kernels/`, for messages and the compiler's line numbers.
    pub path: &'static str,
    /// The text.
    pub text: &'static str,
    /// The headers that it includes.
    pub headers: &'static [Header],
}

/// A header of device code.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// The name in the `#include`.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
}

/// What an implementation puts on a stream for one case, all of it inside the timed region.
///
/// Memory that only this implementation needs, such as a workspace or a repacked operand, is
/// `scratch`: tensor numbers go on there after the family's last, so that a family with three
/// tensors calls the first of them number 3. Its content is undefined before every launch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Sizes of this implementation's own memory, aligned to 256 bytes each.
    pub scratch: Vec<Bytes>,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One thing that a stream does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Start a kernel.
    Launch(Launch),
    /// Start a kernel before the one of the step before it has ended, as soon as all its blocks allow
    /// it; the kernel itself waits for what that one writes. (CUDA's programmatic dependent launch,
    /// since sm_90; elsewhere it starts after the other.)
    Early(Launch),
    /// Set every byte of a tensor.
    Fill {
        /// The tensor's number: its place in the family's list, or beyond it in [`Plan::scratch`].
        tensor: usize,
        /// The byte.
        byte: u8,
    },
}

impl Step {
    /// The launch, if it starts a kernel.
    pub fn launch(&self) -> Option<&Launch> {
        match self {
            Step::Launch(launch) | Step::Early(launch) => Some(launch),
            Step::Fill { .. } => None,
        }
    }
}

/// One kernel launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The code.
    pub source: &'static Source,
    /// The kernel's unmangled name.
    pub entry: &'static str,
    /// Compile-time constants, defined as macros in this order.
    pub constants: Vec<(&'static str, Constant)>,
    /// Blocks (workgroups) along x, y, z.
    pub grid: [u32; 3],
    /// Threads (work-items) of a block along x, y, z.
    pub block: [u32; 3],
    /// Blocks of a cluster along x, y, z; all 1 where there is none.
    pub cluster: [u32; 3],
    /// Dynamic shared memory (LDS) of a block.
    pub dynamic_shared_bytes: u32,
    /// The kernel's arguments in order.
    pub arguments: Vec<Argument>,
}

/// The value of a compile-time constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// A number.
    Integer(i64),
    /// Any other text that stands for a value or a type.
    Text(&'static str),
}

/// Bytes that the arguments of a launch may have: CUDA's limit since 12.1.
pub const ARGUMENT_BYTES: usize = 32_764;

/// One argument of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// The address of a tensor.
    Tensor {
        /// The tensor's number: its place in the family's list, or beyond it in [`Plan::scratch`].
        tensor: usize,
        /// Offset from its first byte.
        offset_bytes: u64,
    },
    /// A 32-bit signed integer.
    I32(i32),
    /// A 32-bit unsigned integer.
    U32(u32),
    /// A 64-bit signed integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// Words, passed by value as a struct: a table that every block of threads reads. All arguments
    /// of a launch together have at most [`ARGUMENT_BYTES`].
    Words(Vec<u32>),
    /// A descriptor for the tensor memory accelerator, passed by value (128 bytes).
    TensorMap(TensorMap),
}

/// A tiled tensor map, as `cuTensorMapEncodeTiled` takes it: no interleave, element strides of 1,
/// zeros outside the bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMap {
    /// The tensor's number: its place in the family's list, or beyond it in [`Plan::scratch`].
    pub tensor: usize,
    /// The element type.
    pub dtype: Dtype,
    /// Extents in elements, innermost first.
    pub dims: Vec<u64>,
    /// Strides of every dimension but the innermost; multiples of 16.
    pub strides_bytes: Vec<u64>,
    /// Extents of the box that one copy moves, innermost first.
    pub box_dims: Vec<u32>,
    /// How the box lies in shared memory.
    pub swizzle: Swizzle,
    /// How much of a line the copy promotes into L2.
    pub l2_promotion: L2Promotion,
}

/// The pattern that spreads a box over the banks of shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swizzle {
    /// None.
    None,
    /// Over 32 bytes.
    B32,
    /// Over 64 bytes.
    B64,
    /// Over 128 bytes.
    B128,
}

/// The granularity at which a copy is promoted into L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L2Promotion {
    /// None.
    None,
    /// 64 bytes.
    B64,
    /// 128 bytes.
    B128,
    /// 256 bytes.
    B256,
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Integer(number) => number.fmt(f),
            Constant::Text(word) => f.write_str(word),
        }
    }
}

/// Compile-time constants as `NAME=value`, separated by spaces.
pub fn constants_text(constants: &[(&str, Constant)]) -> String {
    let texts: Vec<String> =
        constants.iter().map(|(name, value)| format!("{name}={value}")).collect();
    texts.join(" ")
}

impl From<i64> for Constant {
    fn from(value: i64) -> Self {
        Constant::Integer(value)
    }
}

impl From<&'static str> for Constant {
    fn from(text: &'static str) -> Self {
        Constant::Text(text)
    }
}
