//! hipBLASLt: its heuristic names up to 16 algorithms for a problem, and the device takes the
//! quickest.
#![allow(unsafe_code, reason = "hipBLASLt is a C interface")]

use super::blas::{Product, Stored, scales_only_8_bits};
use super::hip::{self, Memory, WORKSPACE, only_amd};
use rocmrc::hipblaslt::sys;
use std::ffi::c_void;
use std::rc::Rc;
use tilemark_core::family::{Candidate, Code, Site, Standing};
use tilemark_core::{Dtype, Fault, Implementation, Info, Problem};

/// The rival.
pub static HIPBLASLT: Implementation = Implementation {
    name: "hipblaslt",
    idea: "the quickest of the heuristic's first 16 algorithms, sums in f32, a workspace of 64 MiB",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

/// How many algorithms the heuristic is asked for.
const CANDIDATES: usize = 16;

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    let (handle, mut version) = (handle().ok()?, 0);
    // SAFETY: the handle is alive, and the number outlives the call.
    check("version", unsafe { sys::hipblasLtGetVersion(handle.raw, &mut version) }).ok()?;
    Some(format!("{}.{}.{}", version / 100_000, version / 100 % 1000, version % 100))
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_amd(info)?;
    scales_only_8_bits(problem)?;
    if problem.dtype == Dtype::E4m3 {
        return Err("8-bit products are asked of NVIDIA's libraries only so far".to_owned());
    }
    Ok(())
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    if !is_present() {
        return Err(hip::missing("libhipblaslt.so"));
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
            name: format!("the heuristic's number {}", rank + 1),
            enqueue: Box::new(move || call.enqueue(&found.algo)),
            launches: Candidate::A_HANDFUL,
            publish: None,
        });
    }
    hip::wait(site.stream)?;
    if candidates.is_empty() {
        return Err(Fault::Unsupported {
            reason: "hipBLASLt has no algorithm for this".to_owned(),
        });
    }
    Ok(candidates)
}

fn is_present() -> bool {
    // SAFETY: hipBLASLt has no initialiser that does more than prepare itself.
    unsafe { sys::is_rocmlib_present() }
}

/// All that a launch takes but the algorithm.
struct Call {
    handle: Owned<sys::hipblasLtHandle_t>,
    operation: Owned<sys::hipblasLtMatmulDesc_t>,
    left: Matrix,
    right: Matrix,
    result: Matrix,
    workspace: Memory,
    stream: u64,
}

/// A matrix where it lies.
struct Matrix {
    layout: Owned<sys::hipblasLtMatrixLayout_t>,
    address: u64,
}

/// An object of the library's, destroyed once.
struct Owned<T: Copy> {
    raw: T,
    destroy: unsafe fn(T) -> sys::hipblasStatus_t,
}

impl<T> Owned<*mut T> {
    /// What `create` writes to the place that it is given.
    fn made(
        what: &str,
        create: impl FnOnce(&mut *mut T) -> sys::hipblasStatus_t,
        destroy: unsafe fn(*mut T) -> sys::hipblasStatus_t,
    ) -> Result<Self, Fault> {
        let mut raw = std::ptr::null_mut();
        check(what, create(&mut raw))?;
        Ok(Owned { raw, destroy })
    }
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
            operation: operation(&product)?,
            left: stored(&product.left)?,
            right: stored(&product.right)?,
            result: Matrix::new(dtype, rows, columns, result_stride, result)?,
            workspace: Memory::new(WORKSPACE)?,
            stream: site.stream,
        })
    }

    /// The algorithms that the library thinks best of, best first.
    fn heuristic(&self) -> Result<Vec<sys::hipblasLtMatmulHeuristicResult_t>, Fault> {
        let preference = preference()?;
        // SAFETY: the struct is plain numbers, for which zeros are valid.
        let mut found: [sys::hipblasLtMatmulHeuristicResult_t; CANDIDATES] =
            unsafe { std::mem::zeroed() };
        let mut count = 0;
        // SAFETY: every object is alive, and there is room for as many results as are asked for.
        let status = unsafe {
            sys::hipblasLtMatmulAlgoGetHeuristic(
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

    fn enqueue(&self, algorithm: &sys::hipblasLtMatmulAlgo_t) -> Result<(), Fault> {
        let (one, zero) = (1f32, 0f32);
        // SAFETY: layouts are those of the problem's tensors, which outlive the call as the site
        // promises; the factors are read on the host before this returns; the workspace is as large
        // as the heuristic was told. With a factor of 0 the previous result is not read.
        let status = unsafe {
            sys::hipblasLtMatmul(
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
                self.stream as sys::hipStream_t,
            )
        };
        check("hipblasLtMatmul", status)
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
        let dtype = data_type(dtype);
        let layout = Owned::made(
            "a layout",
            // SAFETY: the library writes the layout to a place that outlives the call.
            |raw| unsafe {
                sys::hipblasLtMatrixLayoutCreate(raw, dtype, rows, columns, stride as i64)
            },
            sys::hipblasLtMatrixLayoutDestroy,
        )?;
        Ok(Matrix { layout, address })
    }
}

fn handle() -> Result<Owned<sys::hipblasLtHandle_t>, Fault> {
    Owned::made(
        "a handle",
        // SAFETY: the library writes the handle to a place that outlives the call.
        |raw| unsafe { sys::hipblasLtCreate(raw) },
        sys::hipblasLtDestroy,
    )
}

/// What is computed: operands transposed or not, sums in f32.
fn operation(product: &Product) -> Result<Owned<sys::hipblasLtMatmulDesc_t>, Fault> {
    use sys::hipblasLtMatmulDescAttributes_t as Attribute;
    let sums = sys::hipblasComputeType_t::HIPBLAS_COMPUTE_32F;
    let operation = Owned::made(
        "an operation",
        // SAFETY: the library writes the operation to a place that outlives the call.
        |raw| unsafe { sys::hipblasLtMatmulDescCreate(raw, sums, sys::hipDataType::HIP_R_32F) },
        sys::hipblasLtMatmulDescDestroy,
    )?;
    let factors = [
        (Attribute::HIPBLASLT_MATMUL_DESC_TRANSA, product.left),
        (Attribute::HIPBLASLT_MATMUL_DESC_TRANSB, product.right),
    ];
    for (attribute, factor) in factors {
        let value = if factor.transposed {
            sys::hipblasOperation_t::HIPBLAS_OP_T
        } else {
            sys::hipblasOperation_t::HIPBLAS_OP_N
        };
        // SAFETY: the operation is alive and the value is as long as is said.
        let status = unsafe {
            sys::hipblasLtMatmulDescSetAttribute(
                operation.raw,
                attribute,
                (&raw const value).cast(),
                size_of_val(&value),
            )
        };
        check("an attribute of the operation", status)?;
    }
    Ok(operation)
}

/// What the heuristic may propose.
fn preference() -> Result<Owned<sys::hipblasLtMatmulPreference_t>, Fault> {
    let preference = Owned::made(
        "a preference",
        // SAFETY: the library writes the preference to a place that outlives the call.
        |raw| unsafe { sys::hipblasLtMatmulPreferenceCreate(raw) },
        sys::hipblasLtMatmulPreferenceDestroy,
    )?;
    let bytes = WORKSPACE.0;
    // SAFETY: the preference is alive and the value is as long as is said.
    let status = unsafe {
        sys::hipblasLtMatmulPreferenceSetAttribute(
            preference.raw,
            sys::hipblasLtMatmulPreferenceAttributes_t::HIPBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
            (&raw const bytes).cast(),
            size_of_val(&bytes),
        )
    };
    check("an attribute of the preference", status)?;
    Ok(preference)
}

fn data_type(dtype: Dtype) -> sys::hipDataType {
    match dtype {
        Dtype::F32 => sys::hipDataType::HIP_R_32F,
        Dtype::Bf16 => sys::hipDataType::HIP_R_16BF,
        Dtype::F16 => sys::hipDataType::HIP_R_16F,
        Dtype::E4m3 => unreachable!("`supports` refuses {dtype}"),
    }
}

fn check(operation: &str, status: sys::hipblasStatus_t) -> Result<(), Fault> {
    let message = format!("hipBLASLt: {operation}: {status:?}");
    match status {
        sys::hipblasStatus_t::HIPBLAS_STATUS_SUCCESS => Ok(()),
        sys::hipblasStatus_t::HIPBLAS_STATUS_NOT_SUPPORTED => {
            Err(Fault::Unsupported { reason: message })
        }
        _ => Err(Fault::Crash { message }),
    }
}
