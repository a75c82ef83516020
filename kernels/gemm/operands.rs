//! The operands of a product as device code of either vendor takes them: where they lie, and the
//! arguments and macros that all kernels of the folder have in common.
//!
//! It must not know any kernel.

use super::{Scale, Sizes, output_dtype};
use crate::tile::{NULL, count, distance, element, tensor};
use tilemark_core::launch::{Argument, Constant};
use tilemark_core::{Dtype, Problem};

/// A row-major matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    /// Number of the tensor that holds it.
    pub tensor: usize,
    /// Element type.
    pub dtype: Dtype,
    /// Extent down.
    pub rows: u64,
    /// Extent along a row.
    pub columns: u64,
    /// From one row's begin to the next one's.
    pub pitch_bytes: u64,
}

impl Matrix {
    /// From one row's begin to the next one's, in elements.
    pub fn pitch(&self) -> u64 {
        self.pitch_bytes / self.dtype.size()
    }

    fn dense(tensor: usize, dtype: Dtype, rows: usize, columns: usize) -> Self {
        let (rows, columns) = (rows as u64, columns as u64);
        Matrix { tensor, dtype, rows, columns, pitch_bytes: columns * dtype.size() }
    }

    /// Whether every row begins at a multiple of 16 bytes, given that the first one does.
    pub fn is_aligned(&self) -> bool {
        self.pitch_bytes.is_multiple_of(16)
    }
}

/// What all kernels are told of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// Its sizes.
    pub sizes: Sizes,
    /// The type of A and B.
    pub dtype: Dtype,
}

impl Operands {
    /// Those of a problem.
    pub fn of(problem: &Problem) -> Self {
        Operands { sizes: Sizes::of(problem), dtype: problem.dtype }
    }

    /// A (M, K).
    pub fn a(&self) -> Matrix {
        Matrix::dense(0, self.dtype, self.sizes.m, self.sizes.k)
    }

    /// B as it is stored: (K, N) or (N, K).
    pub fn b(&self) -> Matrix {
        let Sizes { n, k, transposed, .. } = self.sizes;
        let (rows, columns) = if transposed { (n, k) } else { (k, n) };
        Matrix::dense(1, self.dtype, rows, columns)
    }

    /// C (M, N).
    pub fn c(&self) -> Matrix {
        let Sizes { m, n, .. } = self.sizes;
        Matrix::dense(self.sizes.c(), output_dtype(self.dtype), m, n)
    }

    /// M, N, K.
    pub fn extents(&self) -> [Argument; 3] {
        let Sizes { m, n, k, .. } = self.sizes;
        [m, n, k].map(|extent| count(extent as u64))
    }

    /// The scales of A and B.
    pub fn scale_arguments(&self) -> [Argument; 2] {
        match self.sizes.scale {
            Scale::None => [NULL, NULL],
            Scale::Tensor | Scale::RowColumn => [tensor(2), tensor(3)],
        }
    }

    /// Whether tensor cores must get B with K contiguous: as it is stored, or because 8-bit types
    /// have no other form.
    pub fn loads_k_major(&self) -> bool {
        self.sizes.transposed || self.dtype == Dtype::E4m3
    }

    /// The macros of the kernels that scale, for B read with K contiguous or not.
    pub fn constants(&self, b_k_major: bool) -> Vec<(&'static str, Constant)> {
        let scales = match self.sizes.scale {
            Scale::None => 0,
            Scale::Tensor => 1,
            Scale::RowColumn => 2,
        };
        let mut constants = self.unscaled_constants(b_k_major);
        constants.push(("SCALES", scales.into()));
        constants
    }

    /// The macros that every kernel has.
    pub fn unscaled_constants(&self, b_k_major: bool) -> Vec<(&'static str, Constant)> {
        vec![
            ("ELEMENT", element(self.dtype).into()),
            ("OUTPUT", element(output_dtype(self.dtype)).into()),
            ("B_K_MAJOR", i64::from(b_k_major).into()),
        ]
    }

    /// A, its pitch; B, its pitch; C, its pitch; M, N, K.
    pub fn pointer_arguments(&self) -> Vec<Argument> {
        let matrices = [self.a(), self.b(), self.c()];
        let pointers = matrices.iter().flat_map(|m| [tensor(m.tensor), distance(m.pitch())]);
        pointers.chain(self.extents()).collect()
    }
}
