//! The `gemm` crate's matrix product behind a safe function: it checks extents, which the crate
//! leaves to its caller.
#![allow(unsafe_code, reason = "the crate's only entry takes pointers and strides")]

use gemm::Parallelism;

/// A matrix that is read: element (i, j) is `values[i · row_stride + j · column_stride]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// The elements.
    pub values: &'a [f32],
    /// From a row to the next.
    pub row_stride: usize,
    /// From a column to the next.
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` elements, one after the other.
    pub fn row_major(values: &'a [f32], columns: usize) -> Self {
        Matrix { values, row_stride: columns, column_stride: 1 }
    }

    /// The transpose of a matrix whose rows have `rows` elements.
    pub fn transposed(values: &'a [f32], rows: usize) -> Self {
        Matrix { values, row_stride: 1, column_stride: rows }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// C (M, N) = alpha · A (M, K) · B (K, N); every extent is at least 1.
///
/// # Panics
/// If an operand or C does not hold the extents.
pub fn product(
    [m, n, k]: [usize; 3],
    alpha: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    parallelism: Parallelism,
) {
    assert!(a.holds(m, k) && b.holds(k, n) && c.len() >= m * n, "operands hold M, N and K");
    // SAFETY: the assertion above bounds every index that the extents and strides reach, C is
    // exclusively borrowed, and the crate supports f32.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}
