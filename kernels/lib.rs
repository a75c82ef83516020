//! What Tilemark measures. A family is a folder; this list is all that joins them.
//!
//! Nothing here knows a clock, a file or a device: a family says what is computed and how, as data.

pub mod attention;
pub mod block_sparse_attention;
pub mod fftconv;
pub mod gemm;
pub mod monarch_mixer;
pub mod rmsnorm;
pub mod shared_prefix_attention;

mod exactness;
mod host;
mod tile;

#[cfg(test)]
mod breakages;
#[cfg(test)]
mod interpreted;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod repeatability;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use tilemark_core::Family;

/// Every family, in the order in which lists show them.
pub static FAMILIES: &[&dyn Family] = &[
    &gemm::Gemm,
    &attention::Attention,
    &attention::AttentionBackward,
    &block_sparse_attention::BlockSparseAttention,
    &block_sparse_attention::BlockSparseAttentionBackward,
    &fftconv::FftConv,
    &fftconv::FftConvBackward,
    &monarch_mixer::MonarchMixer,
    &rmsnorm::RmsNorm,
    &rmsnorm::RmsNormBackward,
    &shared_prefix_attention::SharedPrefixAttention,
    &tile::Tile,
];
