//! cuBLASLt: its heuristic names up to 16 algorithms for a problem, and the device takes the quickest.
#![allow(unsafe_code, reason = "cuBLASLt is a C interface")]

use super::blas::{self, Product, Scaling, Stored};
use super::cublas::operation as operation_of;
use super::cuda::{self, Memory, WORKSPACE, only_nvidia};
use cudarc::cublaslt::sys;
use std::ffi::c_void;
use std::rc::Rc;
use tilemark_core::family::{Candidate, Code, Site, Standing};
use tilemark_core::{Dtype, Fault, Implementation, Info, Problem};

/// The rival.
pub static CUBLASLT: Implementation = Implementation {
    name: "cublaslt",
    idea: "the quickest of the heuristic's first 16 algorithms, a workspace of 64 MiB; split sums meet in f32, sums of e4m3 are the tensor cores' fast ones",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

/// How many algorithms the heuristic is asked for.
const CANDIDATES: usize = 16;

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    // SAFETY: the library is there.
    let version = unsafe { sys::cublasLtGetVersion() };
    Some(format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100))
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    blas::scales_only_8_bits(problem)?;
    if problem.dtype == Dtype::E4m3 && !Product::of(problem).left.transposed {
        return Err("cuBLASLt multiplies e4m3 in layout nt only".to_owned());
    }
    Ok(())
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    if !is_present() {
        return Err(cuda::missing("libcublasLt.so"));
    }
    let call = Rc::new(Call::new(site)?);
    let mut candidates = Vec::new();
    for (rank, found) in call.heuristic()?.into_iter().enumerate() {
        // An algorithm may still refuse when it is launched; and whatever the first launch loads
        // must be loaded before the device holds its stream.
        if call.enqueue(&found.algo).is_err() {
            continue;
        }
        let call = Rc::clone(&call);
        candidates.push(Candidate {
            name: format!("{}, the heuristic's number {}", describe(&found.algo), rank + 1),
            enqueue: Box::new(move || call.enqueue(&found.algo)),
            publish: None,
        });
    }
    cuda::wait(site.stream)?;
    if candidates.is_empty() {
        return Err(Fault::Unsupported { reason: "cuBLASLt has no algorithm for this".to_owned() });
    }
    Ok(candidates)
}

fn is_present() -> bool {
    // SAFETY: cuBLASLt has no initialiser that does more than prepare itself.
    unsafe { sys::is_culib_present() }
}

/// All that a launch takes but the algorithm.
struct Call {
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
    fn new(site: &Site<'_>) -> Result<Self, Fault> {
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
    fn heuristic(&self) -> Result<Vec<sys::cublasLtMatmulHeuristicResult_t>, Fault> {
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

    fn enqueue(&self, algorithm: &sys::cublasLtMatmulAlgo_t) -> Result<(), Fault> {
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

/// What tells an algorithm from the others, for the record.
fn describe(algorithm: &sys::cublasLtMatmulAlgo_t) -> String {
    use sys::cublasLtMatmulAlgoConfigAttributes_t as Attribute;
    let get = |attribute| {
        let (mut value, mut written) = (0u32, 0);
        // SAFETY: the algorithm came from the heuristic, and the value has the room that is said.
        // An attribute that an algorithm does not have stays 0.
        let _ = unsafe {
            sys::cublasLtMatmulAlgoConfigGetAttribute(
                algorithm,
                attribute,
                (&raw mut value).cast(),
                size_of::<u32>(),
                &mut written,
            )
        };
        value
    };
    format!(
        "algorithm {}, tile {}, stages {}, split {}",
        get(Attribute::CUBLASLT_ALGO_CONFIG_ID),
        get(Attribute::CUBLASLT_ALGO_CONFIG_TILE_ID),
        get(Attribute::CUBLASLT_ALGO_CONFIG_STAGES_ID),
        get(Attribute::CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
    )
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
