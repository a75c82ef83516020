//! What Tilemark compares with: other people's code, as implementations of our families.
//!
//! A rival runs behind the same wall, on the same inputs and through the same gate as our kernels.

mod rivals;

#[cfg(test)]
#[path = "../kernels/testing.rs"]
mod testing;
#[cfg(test)]
mod tests;

use tilemark_core::Implementation;

/// Every rival, by the name of the family it implements.
///
/// rmsnorm has none on a CPU: no crate offers it fused on a slice, users write the loops themselves.
pub static RIVALS: &[(&str, &Implementation)] =
    &[("gemm", &rivals::gemm::GEMM), ("attention", &rivals::attention::COMPOSED)];
