//! cuBLASLt: its heuristic names up to 16 algorithms for a problem, and the device takes the quickest.
#![allow(unsafe_code, reason = "cuBLASLt is a C interface")]

mod call;

use super::blas::{Product, scales_only_8_bits};
use super::cuda::{self, only_nvidia};
use call::Call;
use cudarc::cublaslt::sys;
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

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    // SAFETY: the library is there.
    let version = unsafe { sys::cublasLtGetVersion() };
    Some(format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100))
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    scales_only_8_bits(problem)?;
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
            launches: Candidate::A_HANDFUL,
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
