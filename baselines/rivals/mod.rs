//! Rivals, one file for each piece of other people's code.
//!
//! Nothing here knows our kernels; what a rival needs beyond the other's code is in its timed call.

pub mod attention;
pub mod gemm;
pub mod realfft;

pub mod cublas;
pub mod cublaslt;
pub mod cufft;
pub mod hipblaslt;
pub mod rocblas;
pub mod torch;
pub mod triton;

mod blas;
mod cuda;
mod hip;
mod product;
mod python;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use tilemark_core::{Dtype, Info, Problem};

/// `supports` of a rival that covers every problem of its family, on a host.
fn any_on_host(_problem: &Problem, info: &Info) -> Result<(), String> {
    if info.vendor.runs_host_code() {
        return Ok(());
    }
    Err(format!("a function on the host, and {} does not run those", info.name))
}

/// A tensor's elements as f32.
///
/// # Panics
/// If `dtype` is none that the rivals support.
fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F32 => bytemuck::cast_slice(bytes).to_vec(),
        Dtype::Bf16 => bytemuck::cast_slice::<_, bf16>(bytes).to_f32_vec(),
        Dtype::F16 => bytemuck::cast_slice::<_, f16>(bytes).to_f32_vec(),
        Dtype::E4m3 => unreachable!("no rival supports {dtype}"),
    }
}

/// Rounds `values` to `dtype` into `bytes`.
///
/// # Panics
/// If `dtype` is none that the rivals support.
fn narrow(dtype: Dtype, values: &[f32], bytes: &mut [u8]) {
    match dtype {
        Dtype::F32 => bytemuck::cast_slice_mut(bytes).copy_from_slice(values),
        Dtype::Bf16 => bytemuck::cast_slice_mut::<_, bf16>(bytes).convert_from_f32_slice(values),
        Dtype::F16 => bytemuck::cast_slice_mut::<_, f16>(bytes).convert_from_f32_slice(values),
        Dtype::E4m3 => unreachable!("no rival supports {dtype}"),
    }
}
