//! What Tilemark compares with: other people's code, as implementations of our families.
//!
//! A rival is timed by the same worker, on the same inputs and behind the same gate as ours.

#[path = "rivals/gemm_crate.rs"]
mod gemm_crate;

use tilemark_core::Implementation;

/// Every rival, with the name of the family that it implements.
pub static RIVALS: &[(&str, &Implementation)] =
    &[("gemm", &gemm_crate::GEMM), ("attention", &gemm_crate::ATTENTION)];
