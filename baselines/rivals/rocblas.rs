//! rocBLAS: one call that chooses its algorithm by itself, as most programs use it.
#![allow(unsafe_code, reason = "rocBLAS is a C interface")]

use super::blas::{Product, Stored, scales_only_8_bits};
use super::hip::{self, Memory, WORKSPACE, only_amd};
use rocmrc::rocblas::sys;
use std::ffi::{CStr, c_void};
use tilemark_core::family::{Candidate, Code, Enqueue, Site, Standing};
use tilemark_core::{Dtype, Fault, Implementation, Info, Problem};

/// The rival.
pub static ROCBLAS: Implementation = Implementation {
    name: "rocblas",
    idea: "rocblas_gemm_ex, standard algorithm, sums in f32, a workspace of 64 MiB",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    let mut text = [0u8; 64];
    // SAFETY: the library is there, and writes a text of at most the length that it is told.
    let status = unsafe { sys::rocblas_get_version_string(text.as_mut_ptr().cast(), text.len()) };
    check("version", status).ok()?;
    CStr::from_bytes_until_nul(&text).ok()?.to_str().ok().map(str::to_owned)
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_amd(info)?;
    scales_only_8_bits(problem)?;
    if problem.dtype == Dtype::E4m3 {
        return Err("rocblas_gemm_ex takes no 8-bit floats".to_owned());
    }
    Ok(())
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    if !is_present() {
        return Err(hip::missing("librocblas.so"));
    }
    let mut call = Call::new(site)?;
    let mut enqueue: Enqueue = Box::new(move || call.enqueue());
    // Once here, so that nothing is loaded for the first time while the device holds its stream.
    enqueue()?;
    hip::wait(site.stream)?;
    let name = "standard algorithm".to_owned();
    Ok(vec![Candidate { name, enqueue, launches: Candidate::A_HANDFUL, publish: None }])
}

fn is_present() -> bool {
    // SAFETY: rocBLAS has no initialiser that does more than prepare itself.
    unsafe { sys::is_rocmlib_present() }
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
struct Handle(sys::rocblas_handle);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it was created by `Call::new` and is destroyed once.
        let _ = unsafe { sys::rocblas_destroy_handle(self.0) };
    }
}

impl Call {
    fn new(site: &Site<'_>) -> Result<Self, Fault> {
        let workspace = Memory::new(WORKSPACE)?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: the library writes the handle to a place that outlives the call.
        check("create", unsafe { sys::rocblas_create_handle(&mut raw) })?;
        let handle = Handle(raw);
        let memory = workspace.address() as *mut c_void;
        // SAFETY: the handle is alive, the stream is the device's, and the workspace lives as long as
        // the handle.
        unsafe {
            let stream = site.stream as sys::hipStream_t;
            check("set stream", sys::rocblas_set_stream(handle.0, stream))?;
            let bytes = WORKSPACE.0 as usize;
            check("set workspace", sys::rocblas_set_workspace(handle.0, memory, bytes))?;
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
        // the site promises; the factors are read on the host before this returns. With a factor of
        // 0 the previous result is not read.
        let status = unsafe {
            sys::rocblas_gemm_ex_64(
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
                self.result as *const c_void,
                dtype,
                result_stride as i64,
                self.result as *mut c_void,
                dtype,
                result_stride as i64,
                sys::rocblas_datatype::rocblas_datatype_f32_r,
                sys::rocblas_gemm_algo::rocblas_gemm_algo_standard,
                0,
                0,
            )
        };
        check("rocblas_gemm_ex", status)
    }
}

fn operation(stored: &Stored) -> sys::rocblas_operation {
    if stored.transposed {
        sys::rocblas_operation::rocblas_operation_transpose
    } else {
        sys::rocblas_operation::rocblas_operation_none
    }
}

fn data_type(dtype: Dtype) -> sys::rocblas_datatype {
    match dtype {
        Dtype::F32 => sys::rocblas_datatype::rocblas_datatype_f32_r,
        Dtype::Bf16 => sys::rocblas_datatype::rocblas_datatype_bf16_r,
        Dtype::F16 => sys::rocblas_datatype::rocblas_datatype_f16_r,
        Dtype::E4m3 => unreachable!("`supports` refuses {dtype}"),
    }
}

fn check(operation: &str, status: sys::rocblas_status) -> Result<(), Fault> {
    let message = format!("rocBLAS: {operation}: {status:?}");
    match status {
        sys::rocblas_status::rocblas_status_success => Ok(()),
        sys::rocblas_status::rocblas_status_not_implemented => {
            Err(Fault::Unsupported { reason: message })
        }
        _ => Err(Fault::Crash { message }),
    }
}
