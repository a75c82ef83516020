//! Plain cuBLAS: one call that chooses its algorithm by itself, as most programs use it.
#![allow(unsafe_code, reason = "cuBLAS is a C interface")]

use super::blas::{Product, Stored, scales_only_8_bits};
use super::cuda::{self, Memory, WORKSPACE, only_nvidia};
use cudarc::cublas::sys;
use std::ffi::c_void;
use tilemark_core::family::{Candidate, Code, Enqueue, Site, Standing};
use tilemark_core::{Dtype, Fault, Implementation, Info, Problem};

/// The rival.
pub static CUBLAS: Implementation = Implementation {
    name: "cublas",
    idea: "cublasGemmEx, default algorithm, sums in f32 throughout, a workspace of 64 MiB",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    let mut version = 0;
    // SAFETY: the library is there, and asks for no handle to tell its version.
    let status = unsafe { sys::cublasGetVersion_v2(std::ptr::null_mut(), &mut version) };
    let [major, minor, patch] = [version / 10_000, version / 100 % 100, version % 100];
    status.result().is_ok().then(|| format!("{major}.{minor}.{patch}"))
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    scales_only_8_bits(problem)?;
    if problem.dtype == Dtype::E4m3 {
        return Err("cublasGemmEx takes no 8-bit floats; cublasLtMatmul does".to_owned());
    }
    Ok(())
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    if !is_present() {
        return Err(cuda::missing("libcublas.so"));
    }
    let mut call = Call::new(site)?;
    let mut enqueue: Enqueue = Box::new(move || call.enqueue());
    // Once here, so that nothing is loaded for the first time while the device holds its stream.
    enqueue()?;
    cuda::wait(site.stream)?;
    let name = "default algorithm".to_owned();
    Ok(vec![Candidate { name, enqueue, launches: Candidate::A_HANDFUL, publish: None }])
}

fn is_present() -> bool {
    // SAFETY: cuBLAS has no initialiser that does more than prepare itself.
    unsafe { sys::is_culib_present() }
}

/// All that one call takes.
struct Call {
    handle: Handle,
    product: Product,
    dtype: Dtype,
    left: u64,
    right: u64,
    result: u64,
    _workspace: Memory,
}

/// Destroyed with the call, before the workspace that it uses.
struct Handle(sys::cublasHandle_t);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it was created by `Call::new` and is destroyed once.
        let _ = unsafe { sys::cublasDestroy_v2(self.0) };
    }
}

impl Call {
    fn new(site: &Site<'_>) -> Result<Self, Fault> {
        let workspace = Memory::new(WORKSPACE)?;
        let handle =
            Handle(cudarc::cublas::result::create_handle().map_err(|e| fault("create", e.0))?);
        let (stream, memory) =
            (site.stream as sys::cudaStream_t, workspace.address() as *mut c_void);
        let mode = sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
        // SAFETY: the handle is alive, the stream is the device's, and the workspace lives as long as
        // the handle. A new stream resets the workspace, hence the order.
        unsafe {
            check("set stream", sys::cublasSetStream_v2(handle.0, stream))?;
            let bytes = WORKSPACE.0 as usize;
            check("set workspace", sys::cublasSetWorkspace_v2(handle.0, memory, bytes))?;
            check("set math mode", sys::cublasSetMathMode(handle.0, mode))?;
        }
        let product = Product::of(site.problem);
        Ok(Call {
            handle,
            product,
            dtype: site.problem.dtype,
            left: site.addresses[product.left.tensor],
            right: site.addresses[product.right.tensor],
            result: *site.addresses.last().expect("a GEMM has tensors"),
            _workspace: workspace,
        })
    }

    fn enqueue(&mut self) -> Result<(), Fault> {
        let (one, zero) = (1f32, 0f32);
        let Product { rows, columns, depth, left, right, result_stride } = self.product;
        let dtype = data_type(self.dtype);
        // SAFETY: extents and strides are those of the problem's tensors, which outlive the call as
        // the site promises; the factors are read on the host before this returns.
        let status = unsafe {
            sys::cublasGemmEx_64(
                self.handle.0,
                operation(&left),
                operation(&right),
                rows as i64,
                columns as i64,
                depth as i64,
                (&raw const one).cast(),
                self.left as *const c_void,
                dtype,
                left.stride as i64,
                self.right as *const c_void,
                dtype,
                right.stride as i64,
                (&raw const zero).cast(),
                self.result as *mut c_void,
                dtype,
                result_stride as i64,
                sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        check("cublasGemmEx", status)
    }
}

/// What a stored matrix is turned by.
pub fn operation(stored: &Stored) -> sys::cublasOperation_t {
    if stored.transposed {
        sys::cublasOperation_t::CUBLAS_OP_T
    } else {
        sys::cublasOperation_t::CUBLAS_OP_N
    }
}

fn data_type(dtype: Dtype) -> sys::cudaDataType {
    match dtype {
        Dtype::F32 => sys::cudaDataType::CUDA_R_32F,
        Dtype::Bf16 => sys::cudaDataType::CUDA_R_16BF,
        Dtype::F16 => sys::cudaDataType::CUDA_R_16F,
        Dtype::E4m3 => unreachable!("`supports` refuses {dtype}"),
    }
}

fn check(operation: &str, status: sys::cublasStatus_t) -> Result<(), Fault> {
    status.result().map_err(|error| fault(operation, error.0))
}

fn fault(operation: &str, status: sys::cublasStatus_t) -> Fault {
    let message = format!("cuBLAS: {operation}: {status:?}");
    match status {
        sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED => Fault::Unsupported { reason: message },
        _ => Fault::Crash { message },
    }
}
