//! Matrix multiplication on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::Sizes;
use crate::host::{Elements, narrow};
use tilemark_core::Problem;

/// Three loops, on operands widened to f32.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let [a, b] = [0, 1].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let mut c = vec![0.0f32; sizes.m * sizes.n];
    for (i, row) in c.chunks_exact_mut(sizes.n).enumerate() {
        for k in 0..sizes.k {
            let factor = a[i * sizes.k + k];
            for (j, sum) in row.iter_mut().enumerate() {
                *sum += factor * b[sizes.b(k, j)];
            }
        }
    }
    narrow(problem.dtype, &c, outputs[0]);
}
