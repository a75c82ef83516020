//! Matrix multiplication on a host.
//!
//! It must not know shapes that are measured or who measures them.

use super::{Scale, Sizes, output_dtype};
use crate::host::product::{DEPTH, Panels, multiply, panel_width};
use crate::host::{Elements, narrow};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;
use tilemark_core::{Dtype, Problem};

/// Three loops, on operands widened to f32.
pub fn naive(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let [a, b] = [0, 1].map(|idx| Elements::new(problem.dtype, inputs[idx]).to_vec());
    let mut c = vec![0.0f32; sizes.m * sizes.n];
    let scales = Scales::of(sizes, inputs);
    for (i, row) in c.chunks_exact_mut(sizes.n).enumerate() {
        for k in 0..sizes.k {
            let factor = a[i * sizes.k + k];
            for (j, sum) in row.iter_mut().enumerate() {
                *sum += factor * b[sizes.b(k, j)];
            }
        }
        scales.apply(i, 0, row);
    }
    narrow(output_dtype(problem.dtype), &c, outputs[0]);
}

/// What sums are multiplied by before they are rounded.
struct Scales {
    scale: Scale,
    of_a: Vec<f32>,
    of_b: Vec<f32>,
}

impl Scales {
    fn of(sizes: Sizes, inputs: &[&[u8]]) -> Self {
        let read =
            |idx: usize| inputs.get(idx).map(|bytes| Elements::new(Dtype::F32, bytes).to_vec());
        let [of_a, of_b] = [2, 3].map(|idx| read(idx).unwrap_or_default());
        Scales { scale: sizes.scale, of_a, of_b }
    }

    /// Scales the sums of a part of C's row `row` that begins at column `column`.
    fn apply(&self, row: usize, column: usize, sums: &mut [f32]) {
        match self.scale {
            Scale::None => {}
            Scale::Tensor => {
                let factor = self.of_a[0] * self.of_b[0];
                sums.iter_mut().for_each(|sum| *sum *= factor);
            }
            Scale::RowColumn => {
                let factors = self.of_b[column..].iter().map(|of_b| self.of_a[row] * of_b);
                sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum *= factor);
            }
        }
    }
}

/// Largest extents of a tile of C: with its slices of A and B it takes 2 MiB, and of these the 1 MiB
/// of B and A are read often and fit a server core's second cache.
const TILE: usize = 512;

/// A tile of C is a task: it packs its slices of A and B as f32 and adds their products in f32.
pub fn blocked(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(problem);
    let [a, b] = [0, 1].map(|idx| Elements::new(problem.dtype, inputs[idx]));
    let (rows, columns) = tile_extents(sizes, rayon::current_num_threads());
    let scales = Scales::of(sizes, inputs);
    let output = output_dtype(problem.dtype);
    let size = output.size() as usize;
    let run = |tile: Tile<'_>| {
        let task = Task {
            sizes,
            a,
            b,
            rows: tile.row..tile.row + tile.lines.len(),
            columns: tile.offset / size..(tile.offset + tile.lines[0].len()) / size,
        };
        let corner = (tile.row, task.columns.start);
        WORKSPACE.with_borrow_mut(|workspace| {
            let stride = Arch::new().dispatch(Product { task, workspace });
            let sums = workspace.c.chunks_exact_mut(stride);
            for (idx, (line, sums)) in tile.lines.into_iter().zip(sums).enumerate() {
                let sums = &mut sums[..line.len() / size];
                scales.apply(corner.0 + idx, corner.1, sums);
                narrow(output, sums, line);
            }
        });
    };
    let tiles = tiles(outputs[0], sizes.n * size, rows, columns * size);
    if tiles.len() == 1 {
        tiles.into_iter().for_each(run);
    } else {
        tiles.into_par_iter().for_each(run);
    }
}

/// Products of fewer steps take less time than waking another thread, about 20 µs.
const STEPS_WORTH_SHARING: usize = 1 << 20;

/// Extents of tiles: as even as can be, and at least two tiles a thread where there are several.
fn tile_extents(Sizes { m, n, k, .. }: Sizes, threads: usize) -> (usize, usize) {
    let shared = threads > 1 && m * n * k >= STEPS_WORTH_SHARING;
    let wanted = if shared { 2 * threads } else { 1 };
    let (mut down, mut across) = (m.div_ceil(TILE), n.div_ceil(TILE));
    while down * across < wanted && (m / down).max(n / across) > 96 {
        if m / down > n / across {
            down += 1;
        } else {
            across += 1;
        }
    }
    // Whole strips of 12 rows and panels of 32 columns, but for the last tile.
    (m.div_ceil(down).next_multiple_of(12), n.div_ceil(across).next_multiple_of(32))
}

/// A tile of a matrix in bytes: the first row, the offset into it, and each row's part.
struct Tile<'a> {
    row: usize,
    offset: usize,
    lines: Vec<&'a mut [u8]>,
}

/// Cuts a matrix with lines of `stride` bytes into tiles of `rows` lines and `width` bytes.
fn tiles(matrix: &mut [u8], stride: usize, rows: usize, width: usize) -> Vec<Tile<'_>> {
    let mut tiles = Vec::new();
    for (down, band) in matrix.chunks_mut(stride * rows).enumerate() {
        let first = tiles.len();
        let offsets = (0..stride).step_by(width);
        tiles.extend(offsets.map(|offset| Tile { row: down * rows, offset, lines: Vec::new() }));
        for line in band.chunks_exact_mut(stride) {
            for (tile, part) in tiles[first..].iter_mut().zip(line.chunks_mut(width)) {
                tile.lines.push(part);
            }
        }
    }
    tiles
}

/// The product of some rows of A and some columns of B.
struct Task<'a> {
    sizes: Sizes,
    a: Elements<'a>,
    b: Elements<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// A thread's room for one tile in f32: fresh memory would cost a third of a product of 512³.
struct Workspace {
    a: Vec<f32>,
    b: Panels,
    c: Vec<f32>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> =
        const { RefCell::new(Workspace { a: Vec::new(), b: Panels::new(), c: Vec::new() }) };
}

/// Leaves the sums in the workspace and returns their row stride.
struct Product<'a, 'b> {
    task: Task<'a>,
    workspace: &'b mut Workspace,
}

impl WithSimd for Product<'_, '_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Task { sizes, a, b, rows, columns } = self.task;
        let room = self.workspace;
        let stride = columns.len().next_multiple_of(panel_width::<S>());
        room.a.resize(rows.len() * DEPTH, 0.0);
        room.c.clear();
        room.c.resize(rows.len() * stride, 0.0);
        for start in (0..sizes.k).step_by(DEPTH) {
            let depth = start..(start + DEPTH).min(sizes.k);
            for (row, line) in rows.clone().zip(room.a.chunks_exact_mut(DEPTH)) {
                a.widen(row * sizes.k + start, &mut line[..depth.len()]);
            }
            if sizes.transposed {
                room.b.pack_transposed::<S>(b, depth, columns.clone(), sizes.k);
            } else {
                room.b.pack::<S>(b, depth, columns.clone(), sizes.n);
            }
            multiply(simd, &room.a, rows.len(), &room.b, &mut room.c, stride);
        }
        stride
    }
}
