//! Attention as a Rust user composes it: two products of the `gemm` crate with a softmax between.
//!
//! Each head's scores (N, Nk) are stored in memory, which is what a fused kernel avoids.

use super::product::{Matrix, product};
use super::{any_on_host, narrow, widened};
use gemm::Parallelism;
use rayon::prelude::*;
use tilemark_core::family::{Code, Standing};
use tilemark_core::{Dtype, Implementation, Info, Problem};

/// The rival.
pub static COMPOSED: Implementation = Implementation {
    name: "gemm_composed",
    idea: "unfused: Q·Kᵀ and P·V by the `gemm` crate in f32, softmax between, heads in parallel",
    standing: Standing::Rival,
    supports,
    code: Code::Host(run),
};

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    any_on_host(problem, info)?;
    if problem.dtype == Dtype::E4m3 {
        return Err("the crate has no 8-bit types".to_owned());
    }
    Ok(())
}

fn run(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let ([q, k, v], [o, lse]) = (inputs, outputs) else {
        unreachable!("attention has Q, K, V, O and LSE")
    };
    let [h, hk, n, nk, d] = ["h", "hk", "n", "nk", "d"].map(|axis| problem.shape.index(axis));
    let size = problem.dtype.size() as usize;
    let (query_bytes, key_bytes) = (n * d * size, nk * d * size);
    o.par_chunks_exact_mut(query_bytes).zip(lse.par_chunks_exact_mut(n * 4)).enumerate().for_each(
        |(head, (o, lse))| {
            let key_head = head / h * hk + head % h / (h / hk);
            let part = |tensor: &[u8], idx: usize, bytes: usize| {
                widened(problem.dtype, &tensor[idx * bytes..(idx + 1) * bytes])
            };
            let q = part(q, head, query_bytes);
            let [k, v] = [k, v].map(|tensor| part(tensor, key_head, key_bytes));
            let mut result = vec![0.0; n * d];
            attend(problem, [&q, &k, &v], &mut result, bytemuck::cast_slice_mut(lse));
            narrow(problem.dtype, &result, o);
        },
    );
}

/// One head: Q and O are (N, D), K and V (Nk, D), LSE (N).
fn attend(problem: &Problem, [q, k, v]: [&[f32]; 3], o: &mut [f32], lse: &mut [f32]) {
    let [n, nk, d] = ["n", "nk", "d"].map(|axis| problem.shape.index(axis));
    let scale = 1.0 / (d as f32).sqrt();
    let mut scores = vec![0.0; n * nk];
    let (q, k_transposed) = (Matrix::row_major(q, d), Matrix::transposed(k, d));
    product([n, nk, d], scale, q, k_transposed, &mut scores, Parallelism::None);
    for (i, (row, lse)) in scores.chunks_exact_mut(nk).zip(lse).enumerate() {
        let causal = problem.shape.flag("causal");
        let visible = if causal { (i + 1 + nk).saturating_sub(n).min(nk) } else { nk };
        *lse = softmax(row, visible);
    }
    let (p, v) = (Matrix::row_major(&scores, nk), Matrix::row_major(v, d));
    product([n, d, nk], 1.0, p, v, o, Parallelism::None);
}

/// Makes weights of the first `visible` scores and zeros of the others; returns the logarithm of
/// the sum, −∞ for none.
fn softmax(row: &mut [f32], visible: usize) -> f32 {
    let (seen, hidden) = row.split_at_mut(visible);
    hidden.fill(0.0);
    let max = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in seen.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    for weight in seen {
        *weight /= sum;
    }
    max + sum.ln()
}
