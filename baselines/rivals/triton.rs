//! Kernels of ours in Triton, in the Python that torch runs in: what a compiler makes of an idea that
//! our kernels carry out by hand.
//!
//! Its file is run only when a problem is planned, since a Python with torch need not have Triton.

use super::cuda::only_nvidia;
use super::torch::{candidates, ready, supports_attention};
use std::ffi::CStr;
use std::sync::OnceLock;
use tilemark_core::family::{Candidate, Code, Site, Standing};
use tilemark_core::{Fault, Implementation, Info, Problem};

/// Attention, forward.
pub static FLASH: Implementation = Implementation {
    name: "triton_flash",
    idea: "flash attention written for this comparison in Triton, the quickest of a few tiles",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

const MODULE: &CStr = c"tilemark_triton_attention";
const FILE: &CStr = c"rivals/torch/triton_attention.py";
const TEXT: &str = include_str!("torch/triton_attention.py");

/// Blocks of a grid along y.
const MOST_HEADS: u64 = 65_535;

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    supports_attention(problem)?;
    let heads = problem.shape.integer("b") * problem.shape.integer("h");
    if heads > MOST_HEADS {
        return Err(format!("its grid covers {MOST_HEADS} heads, not {heads}"));
    }
    Ok(())
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    let interpreter = ready()?;
    load()?;
    candidates(interpreter, site, MODULE, c"plan")
}

/// Runs the file, whose text Triton must be able to read again; once, whatever comes of it.
fn load() -> Result<(), Fault> {
    static LOADED: OnceLock<Result<(), Fault>> = OnceLock::new();
    let load = || {
        let interpreter = ready()?;
        let remember = interpreter.import(c"tilemark_site")?.attribute(c"remember")?;
        remember.call(&[FILE.to_str().expect("a path in ASCII"), TEXT])?;
        interpreter.module(MODULE, FILE, TEXT).map(drop)
    };
    LOADED.get_or_init(load).clone()
}
