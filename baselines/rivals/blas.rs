//! A row-major product as the column-major one that every BLAS takes, as numbers only.
//!
//! A row-major matrix read by columns is its transpose, so C = A·B is asked for as Cᵀ = Bᵀ·Aᵀ: the
//! operands change places and not one element moves. It must not know any library.

use tilemark_core::{Dtype, Problem};

/// A product of two matrices in column-major terms: (rows, depth) times (depth, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Rows of the left factor and of the result.
    pub rows: u64,
    /// Columns of the right factor and of the result.
    pub columns: u64,
    /// What is summed over.
    pub depth: u64,
    /// The left factor.
    pub left: Stored,
    /// The right factor.
    pub right: Stored,
    /// From a column of the result to the next.
    pub result_stride: u64,
}

/// A factor as it lies in memory, column-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place among the problem's tensors.
    pub tensor: usize,
    /// Whether the factor is the transpose of what is stored.
    pub transposed: bool,
    /// Rows as stored.
    pub rows: u64,
    /// Columns as stored.
    pub columns: u64,
    /// From a stored column to the next.
    pub stride: u64,
}

/// How the factors of an 8-bit product are scaled, and by which of the problem's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// One f32 for each operand.
    Tensor {
        /// The tensor with the left factor's.
        left: usize,
        /// The tensor with the right factor's.
        right: usize,
    },
    /// One f32 for each row of A and each column of B.
    Vector {
        /// The tensor with one for each row of the left factor.
        left: usize,
        /// The tensor with one for each column of the right factor.
        right: usize,
    },
}

/// The place of A and B among a GEMM's tensors; the result comes last.
const A: usize = 0;
const B: usize = 1;

/// The place of the scales of A and B, where there are any.
const SCALE_A: usize = 2;
const SCALE_B: usize = 3;

impl Product {
    /// The product of a GEMM problem.
    pub fn of(problem: &Problem) -> Self {
        let [m, n, k] = ["m", "n", "k"].map(|axis| problem.shape.integer(axis));
        let transposed = problem.shape.word("layout") == "nt";
        let (rows, columns) = if transposed { (k, n) } else { (n, k) };
        Product {
            rows: n,
            columns: m,
            depth: k,
            left: Stored { tensor: B, transposed, rows, columns, stride: rows },
            right: Stored { tensor: A, transposed: false, rows: k, columns: m, stride: k },
            result_stride: n,
        }
    }
}

impl Scaling {
    /// The scaling of a GEMM problem; its left factor is B.
    pub fn of(problem: &Problem) -> Self {
        let (left, right) = (SCALE_B, SCALE_A);
        match problem.shape.get("scale").map(|_| problem.shape.word("scale")) {
            None | Some("none") => Scaling::None,
            Some("tensor") => Scaling::Tensor { left, right },
            Some(_) => Scaling::Vector { left, right },
        }
    }
}

/// Whether a library that scales 8-bit products only covers the problem's scales.
pub fn scales_only_8_bits(problem: &Problem) -> Result<(), String> {
    if problem.dtype == Dtype::E4m3 || Scaling::of(problem) == Scaling::None {
        return Ok(());
    }
    Err(format!("the library scales products of 8-bit operands only, not of {}", problem.dtype))
}

/// The type in which a product of these operands is stored.
pub fn result(operands: Dtype) -> Dtype {
    if operands == Dtype::E4m3 { Dtype::Bf16 } else { operands }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;
    use tilemark_core::family::Arithmetic;
    use tilemark_kernels::FAMILIES;

    /// Column-major throughout, as a BLAS defines it.
    fn multiply(product: &Product, tensors: &[Vec<f32>]) -> Vec<f64> {
        let at = |stored: &Stored, row: u64, column: u64| {
            let (row, column) = if stored.transposed { (column, row) } else { (row, column) };
            assert!(row < stored.rows && column < stored.columns, "outside of what is stored");
            f64::from(tensors[stored.tensor][(row + column * stored.stride) as usize])
        };
        let mut result = vec![f64::NAN; (product.result_stride * product.columns) as usize];
        for row in 0..product.rows {
            for column in 0..product.columns {
                let terms = (0..product.depth)
                    .map(|l| at(&product.left, row, l) * at(&product.right, l, column));
                result[(row + column * product.result_stride) as usize] = terms.sum();
            }
        }
        result
    }

    fn check(shape: &str) {
        let family = FAMILIES.iter().find(|f| f.about().name == "gemm").unwrap();
        let trial = Trial::new(*family, shape, Dtype::F32);
        let found = multiply(&Product::of(&trial.problem), &trial.inputs());
        let truth = &trial.truth(Arithmetic::Exact)[0];
        for (idx, (found, truth)) in found.iter().zip(truth).enumerate() {
            assert!((found - truth).abs() < 1e-9, "{shape}: element {idx} is {found}, not {truth}");
        }
        assert_eq!(found.len(), truth.len());
    }

    #[test]
    fn scales_of_wide_operands_are_refused_and_of_8_bit_ones_are_found() {
        let family = FAMILIES.iter().find(|f| f.about().name == "gemm").unwrap();
        let of = |scale, dtype| Trial::new(*family, &format!("m=3,n=5,k=7,scale={scale}"), dtype);
        let (left, right) = (3, 2);
        for (scale, expected) in [
            ("none", Scaling::None),
            ("tensor", Scaling::Tensor { left, right }),
            ("row_column", Scaling::Vector { left, right }),
        ] {
            let trial = of(scale, Dtype::E4m3);
            assert_eq!(Scaling::of(&trial.problem), expected);
            assert_eq!(scales_only_8_bits(&trial.problem), Ok(()));
            if let Scaling::Tensor { left, right } | Scaling::Vector { left, right } = expected {
                assert_eq!(trial.tensors[left].name, "scale_b");
                assert_eq!(trial.tensors[right].name, "scale_a");
            }
        }
        assert!(scales_only_8_bits(&of("none", Dtype::Bf16).problem).is_ok());
        assert!(scales_only_8_bits(&of("tensor", Dtype::Bf16).problem).is_err());
    }

    #[test]
    fn a_row_major_product_is_a_column_major_one_with_its_operands_exchanged() {
        for layout in ["nn", "nt"] {
            check(&format!("m=3,n=5,k=7,layout={layout}"));
            check(&format!("m=1,n=4,k=2,layout={layout}"));
            check(&format!("m=6,n=1,k=1,layout={layout}"));
        }
    }
}
