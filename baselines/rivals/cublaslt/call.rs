//! One product as cuBLASLt takes it: an operation, three layouts and a workspace, each given back
//! when it is dropped.

use crate::rivals::blas::{self, Product, Scaling, Stored};
use crate::rivals::cublas::operation as operation_of;
use crate::rivals::cuda::{Memory, WORKSPACE};
use cudarc::cublaslt::sys;
use std::ffi::c_void;
use tilemark_core::family::Site;
use tilemark_core::{Dtype, Fault};

/// How many algorithms the heuristic is asked for.
const CANDIDATES: usize = 16;

/// All that a launch takes but the algorithm.
pub struct Call {
    handle: Owned<sys::cublasLtHandle_t>,
    operation: Owned<sys::cublasLtMatmulDesc_t>,
    left: Matrix,
    right: Matrix,
    result: Matrix,
    workspace: Memory,
    stream: u64,
}

/// A matrix where it lies.
struct Matrix {
    layout: Owned<sys::cublasLtMatrixLayout_t>,
    address: u64,
}

/// An object of the library's, destroyed once.
struct Owned<T: Copy> {
    raw: T,
    destroy: unsafe fn(T) -> sys::cublasStatus_t,
}

impl<T: Copy> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: whoever made it paired it with the library's own function, and nobody else has it.
        let _ = unsafe { (self.destroy)(self.raw) };
    }
}

impl Call {
    /// Describes the problem to the library.
    pub fn new(site: &Site<'_>) -> Result<Self, Fault> {
        let product = Product::of(site.problem);
        let dtype = site.problem.dtype;
        let stored = |stored: &Stored| {
            let address = site.addresses[stored.tensor];
            Matrix::new(dtype, stored.rows, stored.columns, stored.stride, address)
        };
        let result = *site.addresses.last().expect("a GEMM has tensors");
        let Product { rows, columns, result_stride, .. } = product;
        Ok(Call {
            handle: handle()?,
            operation: operation(site, &product)?,
            left: stored(&product.left)?,
            right: stored(&product.right)?,
            result: Matrix::new(blas::result(dtype), rows, columns, result_stride, result)?,
            workspace: Memory::new(WORKSPACE)?,
            stream: site.stream,
        })
    }

    /// The algorithms that the library thinks best of, best first.
    pub fn heuristic(&self) -> Result<Vec<sys::cublasLtMatmulHeuristicResult_t>, Fault> {
        let preference = preference()?;
        // SAFETY: the struct is plain numbers, for which zeros are valid.
        let mut found: [sys::cublasLtMatmulHeuristicResult_t; CANDIDATES] =
            unsafe { std::mem::zeroed() };
        let mut count = 0;
        // SAFETY: every object is alive, and there is room for as many results as are asked for.
        let status = unsafe {
            sys::cublasLtMatmulAlgoGetHeuristic(
                self.handle.raw,
                self.operation.raw,
                self.left.layout.raw,
                self.right.layout.raw,
                self.result.layout.raw,
                self.result.layout.raw,
                preference.raw,
                CANDIDATES as i32,
                found.as_mut_ptr(),
                &mut count,
            )
        };
        check("the heuristic", status)?;
        let mut found = found.to_vec();
        found.truncate(count as usize);
        found.retain(|result| result.state.result().is_ok());
        Ok(found)
    }

    /// Puts the product on the stream, computed in this way.
    pub fn enqueue(&self, algorithm: &sys::cublasLtMatmulAlgo_t) -> Result<(), Fault> {
        let (one, zero) = (1f32, 0f32);
        // SAFETY: layouts are those of the problem's tensors, which outlive the call as the site
        // promises; the factors are read on the host before this returns; the workspace is as large
        // as the heuristic was told. With a factor of 0 the previous result is not read.
        let status = unsafe {
            sys::cublasLtMatmul(
                self.handle.raw,
                self.operation.raw,
                (&raw const one).cast(),
                self.left.address as *const c_void,
                self.left.layout.raw,
                self.right.address as *const c_void,
                self.right.layout.raw,
                (&raw const zero).cast(),
                self.result.address as *const c_void,
                self.result.layout.raw,
                self.result.address as *mut c_void,
                self.result.layout.raw,
                algorithm,
                self.workspace.address() as *mut c_void,
                WORKSPACE.0 as usize,
                self.stream as sys::cudaStream_t,
            )
        };
        check("cublasLtMatmul", status)
    }
}

impl Matrix {
    fn new(
        dtype: Dtype,
        rows: u64,
        columns: u64,
        stride: u64,
        address: u64,
    ) -> Result<Self, Fault> {
        let layout = cudarc::cublaslt::result::create_matrix_layout(
            data_type(dtype),
            rows,
            columns,
            stride as i64,
        );
        let raw = layout.map_err(|error| fault("a layout", error.0))?;
        Ok(Matrix { layout: Owned { raw, destroy: sys::cublasLtMatrixLayoutDestroy }, address })
    }
}

fn handle() -> Result<Owned<sys::cublasLtHandle_t>, Fault> {
    let raw = cudarc::cublaslt::result::create_handle().map_err(|e| fault("a handle", e.0))?;
    Ok(Owned { raw, destroy: sys::cublasLtDestroy })
}

/// What is computed: operands transposed or not, sums in f32, scales.
fn operation(
    site: &Site<'_>,
    product: &Product,
) -> Result<Owned<sys::cublasLtMatmulDesc_t>, Fault> {
    use sys::cublasLtMatmulDescAttributes_t as Attribute;
    use sys::cublasLtMatmulMatrixScale_t::CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F as OUTER_VECTOR;
    let raw = cudarc::cublaslt::result::create_matmul_desc(
        sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        sys::cudaDataType::CUDA_R_32F,
    )
    .map_err(|error| fault("an operation", error.0))?;
    let operation = Owned { raw, destroy: sys::cublasLtMatmulDescDestroy };
    let set = |attribute, value: &[u8]| {
        // SAFETY: the operation is alive and the value is as long as is said.
        let status = unsafe {
            sys::cublasLtMatmulDescSetAttribute(raw, attribute, value.as_ptr().cast(), value.len())
        };
        check("an attribute of the operation", status)
    };
    let transposition = |stored: &Stored| (operation_of(stored) as u32).to_ne_bytes();
    set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &transposition(&product.left))?;
    set(Attribute::CUBLASLT_MATMUL_DESC_TRANSB, &transposition(&product.right))?;
    if site.problem.dtype == Dtype::E4m3 {
        set(Attribute::CUBLASLT_MATMUL_DESC_FAST_ACCUM, &1i8.to_ne_bytes())?;
    }
    let scaling = Scaling::of(site.problem);
    if let Scaling::Vector { .. } = scaling {
        let mode = (OUTER_VECTOR as u32).to_ne_bytes();
        set(Attribute::CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode)?;
        set(Attribute::CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode)?;
    }
    if let Scaling::Tensor { left, right } | Scaling::Vector { left, right } = scaling {
        let address = |tensor: usize| site.addresses[tensor].to_ne_bytes();
        set(Attribute::CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &address(left))?;
        set(Attribute::CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &address(right))?;
    }
    Ok(operation)
}

/// What the heuristic may propose. Sums that are split are not rounded to the output's type before
/// they meet: the family rounds once.
fn preference() -> Result<Owned<sys::cublasLtMatmulPreference_t>, Fault> {
    use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
    use sys::cublasLtReductionScheme_t as Reduction;
    let raw =
        cudarc::cublaslt::result::create_matmul_pref().map_err(|e| fault("a preference", e.0))?;
    let preference = Owned { raw, destroy: sys::cublasLtMatmulPreferenceDestroy };
    let set = |attribute, value: &[u8]| {
        // SAFETY: the preference is alive and the value is as long as is said.
        let status = unsafe {
            sys::cublasLtMatmulPreferenceSetAttribute(
                raw,
                attribute,
                value.as_ptr().cast(),
                value.len(),
            )
        };
        check("an attribute of the preference", status)
    };
    let in_f32 = Reduction::CUBLASLT_REDUCTION_SCHEME_INPLACE as u32
        | Reduction::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
    set(Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &WORKSPACE.0.to_ne_bytes())?;
    set(Attribute::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &in_f32.to_ne_bytes())?;
    Ok(preference)
}

fn data_type(dtype: Dtype) -> sys::cudaDataType {
    match dtype {
        Dtype::F32 => sys::cudaDataType::CUDA_R_32F,
        Dtype::Bf16 => sys::cudaDataType::CUDA_R_16BF,
        Dtype::F16 => sys::cudaDataType::CUDA_R_16F,
        Dtype::E4m3 => sys::cudaDataType::CUDA_R_8F_E4M3,
    }
}

fn check(operation: &str, status: sys::cublasStatus_t) -> Result<(), Fault> {
    status.result().map_err(|error| fault(operation, error.0))
}

fn fault(operation: &str, status: sys::cublasStatus_t) -> Fault {
    let message = format!("cuBLASLt: {operation}: {status:?}");
    match status {
        sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED => Fault::Unsupported { reason: message },
        _ => Fault::Crash { message },
    }
}
