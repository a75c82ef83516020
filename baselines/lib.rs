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
use tilemark_core::device::Vendor;

/// Every rival, by the name of the family it implements.
///
/// rmsnorm has none on a CPU: no crate offers it fused on a slice, users write the loops themselves;
/// nor has monarch_mixer, whose parts meet theirs in gemm and fftconv.
pub static RIVALS: &[(&str, &Implementation)] = &[
    ("gemm", &rivals::gemm::GEMM),
    ("gemm", &rivals::cublaslt::CUBLASLT),
    ("gemm", &rivals::cublas::CUBLAS),
    ("gemm", &rivals::hipblaslt::HIPBLASLT),
    ("gemm", &rivals::rocblas::ROCBLAS),
    ("gemm", &rivals::torch::GEMM),
    ("attention", &rivals::attention::COMPOSED),
    ("attention", &rivals::torch::CUDNN),
    ("attention", &rivals::torch::FLASH),
    ("attention", &rivals::triton::FLASH),
    ("attention_bwd", &rivals::torch::CUDNN_BACKWARD),
    ("attention_bwd", &rivals::torch::FLASH_BACKWARD),
    ("block_sparse_attention", &rivals::torch::MASKED),
    ("block_sparse_attention", &rivals::torch::FLEX),
    ("block_sparse_attention_bwd", &rivals::torch::MASKED_BACKWARD),
    ("block_sparse_attention_bwd", &rivals::torch::FLEX_BACKWARD),
    ("fftconv", &rivals::realfft::REALFFT),
    ("fftconv", &rivals::cufft::FFTCONV),
    ("fftconv", &rivals::torch::FFTCONV),
    ("fftconv_bwd", &rivals::torch::FFTCONV_BACKWARD),
    ("monarch_mixer", &rivals::torch::MONARCH_MIXER),
    ("rmsnorm", &rivals::torch::RMSNORM),
    ("rmsnorm_bwd", &rivals::torch::RMSNORM_BACKWARD),
    ("shared_prefix_attention", &rivals::torch::REPEATED),
    ("shared_prefix_attention", &rivals::torch::TWO_CALLS),
];

/// Versions of the libraries that the rivals on a device of this vendor call, as far as they are
/// here. It loads what it asks, so it belongs into a worker.
pub fn libraries(vendor: Vendor) -> Vec<(String, String)> {
    if vendor.runs_host_code() {
        return Vec::new();
    }
    let own = match vendor {
        Vendor::Nvidia => vec![
            ("cublas", rivals::cublas::version()),
            ("cublaslt", rivals::cublaslt::version()),
            ("cufft", rivals::cufft::version()),
        ],
        _ => vec![
            ("rocblas", rivals::rocblas::version()),
            ("hipblaslt", rivals::hipblaslt::version()),
        ],
    };
    let mut found = rivals::torch::versions();
    found.extend(own.into_iter().filter_map(|(name, version)| Some((name.to_owned(), version?))));
    found
}
