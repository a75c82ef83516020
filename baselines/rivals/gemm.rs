//! Matrix multiplication by the `gemm` crate, which faer and candle use.
//!
//! The crate has a path of its own for f16, which rounds the sums to f16 every few hundred steps of K;
//! the gate rejects it at K = 3000. What it computes in f32 is right, so that is what is timed.

use super::product::{Matrix, product};
use super::{any_on_host, narrow, widened};
use ::gemm::Parallelism;
use bytemuck::{cast_slice, cast_slice_mut};
use tilemark_core::family::{Code, Standing};
use tilemark_core::{Dtype, Implementation, Info, Problem};

/// The rival.
pub static GEMM: Implementation = Implementation {
    name: "gemm_crate",
    idea: "the `gemm` crate in f32, rayon; bf16 and f16 are converted within the timed call",
    standing: Standing::Rival,
    supports,
    code: Code::Host(run),
};

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    any_on_host(problem, info)?;
    if problem.dtype == Dtype::E4m3 {
        return Err("the crate has no 8-bit types".to_owned());
    }
    match problem.shape.word("scale") {
        "none" => Ok(()),
        scale => Err(format!("the crate has no scale={scale}")),
    }
}

fn run(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let ([a, b], [c]) = (inputs, outputs) else { unreachable!("gemm has A, B and C") };
    if problem.dtype == Dtype::F32 {
        return multiply(problem, cast_slice(a), cast_slice(b), cast_slice_mut(c));
    }
    let [a, b] = [a, b].map(|operand| widened(problem.dtype, operand));
    let mut wide = vec![0.0; c.len() / problem.dtype.size() as usize];
    multiply(problem, &a, &b, &mut wide);
    narrow(problem.dtype, &wide, c);
}

fn multiply(problem: &Problem, a: &[f32], b: &[f32], c: &mut [f32]) {
    let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.index(axis));
    let b = match problem.shape.word("layout") {
        "nt" => Matrix::transposed(b, k),
        _ => Matrix::row_major(b, n),
    };
    product([m, n, k], 1.0, Matrix::row_major(a, k), b, c, Parallelism::Rayon(0));
}
