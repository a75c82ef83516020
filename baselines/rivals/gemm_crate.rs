//! The `gemm` crate (the matrix product under faer and candle), and attention composed from it.
//!
//! It multiplies in f32. bf16 and f16 are widened before and rounded after, inside the timed call,
//! as a user of the crate would have to.
#![allow(unsafe_code, reason = "the crate's product takes pointers")]

use gemm::Parallelism;
use half::{bf16, f16};
use rayon::prelude::*;
use tilemark_core::family::{Code, Standing};
use tilemark_core::{Dtype, Implementation, Info, Problem};

/// C = A · B.
pub static GEMM: Implementation = Implementation {
    name: "gemm_crate",
    idea: "the gemm crate in f32 on all cores; 16-bit types are widened and rounded in the call",
    standing: Standing::Rival,
    supports: on_a_host,
    code: Code::Host(product),
};

/// Attention as it is written without a fused kernel: two products and a softmax between them.
pub static ATTENTION: Implementation = Implementation {
    name: "gemm_composed",
    idea: "a core a head: Q·Kᵀ by the gemm crate, softmax over stored scores, P·V by the crate",
    standing: Standing::Rival,
    supports: on_a_host,
    code: Code::Host(attention),
};

fn on_a_host(_: &Problem, info: &Info) -> Result<(), String> {
    if info.vendor.runs_host_code() {
        Ok(())
    } else {
        Err(format!("a function on the host, and {} does not run those", info.name))
    }
}

/// A matrix that is read: its first element, and the distance to the next row and column.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    elements: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    fn row_major(elements: &'a [f32], columns: usize) -> Self {
        Matrix { elements, row_stride: columns, column_stride: 1 }
    }

    fn transposed(self) -> Self {
        Matrix { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    /// Whether a matrix of this size lies inside the elements.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride
                < self.elements.len()
    }
}

/// `c` (m, n) = `factor` · `a` (m, k) · `b` (k, n); `c` is row-major and dense.
fn multiply(
    [m, n, k]: [usize; 3],
    c: &mut [f32],
    a: Matrix<'_>,
    b: Matrix<'_>,
    factor: f32,
    parallelism: Parallelism,
) {
    assert!(c.len() == m * n && a.holds(m, k) && b.holds(k, n), "a matrix is too small");
    // SAFETY: all three matrices were just checked to lie inside their slices, `c` is borrowed
    // exclusively, and `read_dst` is false, so its old elements are not read.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.elements.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.elements.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn product(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.index(axis));
    let [a, b] = [0, 1].map(|idx| widened(problem.dtype, inputs[idx]));
    let b = match problem.shape.word("layout") {
        "nt" => Matrix::row_major(&b, k).transposed(),
        _ => Matrix::row_major(&b, n),
    };
    let mut c = vec![0.0; m * n];
    multiply([m, n, k], &mut c, Matrix::row_major(&a, k), b, 1.0, Parallelism::Rayon(0));
    round_into(problem.dtype, &c, outputs[0]);
}

fn attention(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [h, hk, n, nk, d] = ["h", "hk", "n", "nk", "d"].map(|axis| problem.shape.index(axis));
    let causal = problem.shape.flag("causal");
    let [q, k, v] = [0, 1, 2].map(|idx| widened(problem.dtype, inputs[idx]));
    let mut o = vec![0.0; q.len()];
    let mut lse = vec![0.0; q.len() / d];
    o.par_chunks_mut(n * d).zip(lse.par_chunks_mut(n)).enumerate().for_each(|(head, (o, lse))| {
        let key_head = head / h * hk + head % h / (h / hk);
        let keys = key_head * nk * d..(key_head + 1) * nk * d;
        let query = Matrix::row_major(&q[head * n * d..(head + 1) * n * d], d);
        let key = Matrix::row_major(&k[keys.clone()], d).transposed();
        let scale = 1.0 / (d as f32).sqrt();
        let mut scores = vec![0.0; n * nk];
        multiply([n, nk, d], &mut scores, query, key, scale, Parallelism::None);
        for (i, (row, lse)) in scores.chunks_exact_mut(nk).zip(lse).enumerate() {
            let seen = if causal { (i + 1 + nk).saturating_sub(n).min(nk) } else { nk };
            *lse = softmax(row, seen);
        }
        let (weights, values) = (Matrix::row_major(&scores, nk), Matrix::row_major(&v[keys], d));
        multiply([n, d, nk], o, weights, values, 1.0, Parallelism::None);
    });
    round_into(problem.dtype, &o, outputs[0]);
    outputs[1].copy_from_slice(bytemuck::cast_slice(&lse));
}

/// Softmax over the first `seen` scores of a row, zeros behind them; gives the log-sum-exp.
fn softmax(row: &mut [f32], seen: usize) -> f32 {
    let (scores, masked) = row.split_at_mut(seen);
    masked.fill(0.0);
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    max + sum.ln()
}

fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F32 => bytemuck::cast_slice(bytes).to_vec(),
        Dtype::Bf16 => widen(bytemuck::cast_slice(bytes), bf16::to_f32),
        Dtype::F16 => widen(bytemuck::cast_slice(bytes), f16::to_f32),
        Dtype::E4m3 => (0..bytes.len()).map(|idx| dtype.decode(bytes, idx)).collect(),
    }
}

fn widen<T: Copy + Sync>(elements: &[T], to_f32: fn(T) -> f32) -> Vec<f32> {
    elements.par_iter().with_min_len(4096).map(|element| to_f32(*element)).collect()
}

fn round_into(dtype: Dtype, values: &[f32], bytes: &mut [u8]) {
    const CHUNK: usize = 4096;
    let size = dtype.size() as usize;
    let parts = bytes.par_chunks_mut(CHUNK * size).zip(values.par_chunks(CHUNK));
    parts.for_each(|(bytes, values)| dtype.encode(values, bytes));
}
