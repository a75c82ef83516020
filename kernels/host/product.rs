//! Products of matrices that fit a core's caches, for any vector width: C += A · B.
//!
//! A tile of 12 × 2 vectors of C (6 × 2 where there are 16 registers) stays in registers while it
//! runs over the depth. Its rows of A stay in the first cache while it runs over all of B, which is
//! packed into panels two vectors wide, so that it is read in order from the second.
//! (K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication, 2008.)
//! It must not know whose blocks these are or how they are shared among threads.

use super::Elements;
use pulp::Simd;
use std::array;
use std::ops::Range;

/// The largest depth of a product, and the stride of A's rows: a constant, so that all rows of a
/// tile are reached from one register. 12 rows of A are 12 KiB, a third of a first cache.
pub const DEPTH: usize = 256;

/// How many vectors a panel is wide.
const VECTORS: usize = 2;

/// Columns of a panel.
pub fn panel_width<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// A block of B, `depth` rows deep: panels of [`panel_width`] columns, each (depth, width), the last
/// one filled up with zeros.
pub struct Panels {
    values: Vec<f32>,
    line: Vec<f32>,
    depth: usize,
}

impl Panels {
    /// No columns yet.
    pub const fn new() -> Self {
        Panels { values: Vec::new(), line: Vec::new(), depth: 0 }
    }

    /// Packs `depth` × `columns` of a matrix (depth, columns) whose rows lie `stride` apart.
    #[inline(always)]
    pub fn pack<S: Simd>(
        &mut self,
        matrix: Elements<'_>,
        depth: Range<usize>,
        columns: Range<usize>,
        stride: usize,
    ) {
        let width = self.resize::<S>(depth.len(), columns.len());
        self.line.clear();
        self.line.resize(columns.len().next_multiple_of(width), 0.0);
        let values: &mut [[S::f32s; VECTORS]] = bytemuck::cast_slice_mut(&mut self.values);
        for (k, row) in depth.enumerate() {
            matrix.widen(row * stride + columns.start, &mut self.line[..columns.len()]);
            // Whole vectors: a copy of a length that is not known here would be a call.
            let line: &[[S::f32s; VECTORS]] = bytemuck::cast_slice(&self.line);
            for (panel, vectors) in line.iter().enumerate() {
                values[panel * self.depth + k] = *vectors;
            }
        }
    }

    /// Packs `depth` × `columns` of a matrix that is stored as (columns, depth), rows `stride` apart.
    #[inline(always)]
    pub fn pack_transposed<S: Simd>(
        &mut self,
        matrix: Elements<'_>,
        depth: Range<usize>,
        columns: Range<usize>,
        stride: usize,
    ) {
        let width = self.resize::<S>(depth.len(), columns.len());
        self.line.resize(depth.len(), 0.0);
        for (j, column) in columns.enumerate() {
            matrix.widen(column * stride + depth.start, &mut self.line);
            let panel = &mut self.values[j / width * width * self.depth..];
            for (row, value) in panel.chunks_exact_mut(width).zip(&self.line) {
                row[j % width] = *value;
            }
        }
    }

    /// Makes room, with zeros where no column will be packed, and returns a panel's width.
    #[inline(always)]
    fn resize<S: Simd>(&mut self, depth: usize, columns: usize) -> usize {
        let width = panel_width::<S>();
        let panels = columns.div_ceil(width);
        self.depth = depth;
        self.values.resize(panels * depth * width, 0.0);
        if !columns.is_multiple_of(width) {
            self.values[(panels - 1) * depth * width..].fill(0.0);
        }
        width
    }
}

/// C += A · B, where A has rows of the panels' depth, [`DEPTH`] apart, and C has as many rows,
/// `stride` apart, each with room for all columns of the panels.
#[inline(always)]
pub fn multiply<S: Simd>(
    simd: S,
    a: &[f32],
    rows: usize,
    b: &Panels,
    c: &mut [f32],
    stride: usize,
) {
    let mut row = 0;
    while row < rows {
        let (a, c) = (&a[row * DEPTH..], &mut c[row * stride..]);
        row += match rows - row {
            12.. if S::REGISTER_COUNT >= 32 => strip::<S, 12>(simd, a, b, c, stride),
            6.. if S::REGISTER_COUNT < 32 => strip::<S, 6>(simd, a, b, c, stride),
            4.. => strip::<S, 4>(simd, a, b, c, stride),
            _ => strip::<S, 1>(simd, a, b, c, stride),
        };
    }
}

/// The first rows of A, which stay in the first cache, against all panels; returns how many rows.
#[inline(always)]
fn strip<S: Simd, const ROWS: usize>(
    simd: S,
    a: &[f32],
    b: &Panels,
    c: &mut [f32],
    stride: usize,
) -> usize {
    let width = panel_width::<S>();
    for (panel, values) in b.values.chunks_exact(b.depth * width).enumerate() {
        let c = &mut c[panel * width..];
        tile::<S, ROWS>(simd, a, bytemuck::cast_slice(values), c, stride);
    }
    ROWS
}

#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(
    simd: S,
    a: &[f32],
    panel: &[[S::f32s; VECTORS]],
    c: &mut [f32],
    stride: usize,
) {
    let rows: [&[f32]; ROWS] = array::from_fn(|i| &a[i * DEPTH..][..panel.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (k, b) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let factor = simd.splat_f32s(row[k]);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = simd.mul_add_e_f32s(factor, *b, *sum);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let c: &mut [S::f32s] =
            bytemuck::cast_slice_mut(&mut c[i * stride..][..VECTORS * S::F32_LANES]);
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = simd.add_f32s(*c, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulp::{Arch, WithSimd};
    use tilemark_core::Dtype;

    /// A (rows, depth) with rows [`DEPTH`] apart, times B (depth, columns), or stored transposed.
    struct Product<'a> {
        a: &'a [f32],
        rows: usize,
        b: &'a [f32],
        depth: usize,
        columns: usize,
        transposed: bool,
    }

    impl WithSimd for Product<'_> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let Product { a, rows, b, depth, columns, transposed } = self;
            let b = Elements::new(Dtype::F32, bytemuck::cast_slice(b));
            let mut panels = Panels::new();
            if transposed {
                panels.pack_transposed::<S>(b, 0..depth, 0..columns, depth);
            } else {
                panels.pack::<S>(b, 0..depth, 0..columns, columns);
            }
            let stride = columns.next_multiple_of(panel_width::<S>());
            let mut c = vec![1.0; rows * stride];
            multiply(simd, a, rows, &panels, &mut c, stride);
            c.chunks_exact(stride).flat_map(|row| &row[..columns]).copied().collect()
        }
    }

    /// Every vector width that this host has: the widest, and narrower ones.
    fn widths() -> Vec<Arch> {
        let mut widths = vec![Arch::new(), Arch::Scalar];
        #[cfg(target_arch = "x86_64")]
        widths.extend(pulp::x86::V3::try_new().map(Arch::V3));
        widths
    }

    proptest! {
        #[test]
        fn every_vector_width_adds_the_same_product(
            rows in 1usize..40, depth in 1usize..20, columns in 1usize..70, transposed: bool,
        ) {
            // Small whole numbers, so that every order of the sums is exact.
            let value = |at: usize| (at * 7 % 11) as f32 - 5.0;
            let a: Vec<f32> = (0..rows * DEPTH).map(value).collect();
            let b: Vec<f32> = (0..depth * columns).map(|at| value(at + 3)).collect();
            let at = |k, j| if transposed { j * depth + k } else { k * columns + j };
            let expected: Vec<f32> = (0..rows * columns)
                .map(|c| (c / columns, c % columns))
                .map(|(i, j)| 1.0 + (0..depth).map(|k| a[i * DEPTH + k] * b[at(k, j)]).sum::<f32>())
                .collect();
            for arch in widths() {
                let product = Product { a: &a, rows, b: &b, depth, columns, transposed };
                prop_assert_eq!(&arch.dispatch(product), &expected, "{:?}", arch);
            }
        }
    }
}
