//! Which rows of an output are compared with the truth.
//!
//! Small problems: all. Large ones: a seeded sample that always has the first row, the last one
//! and the rows at tile edges along every dimension, and that spreads over all of them.

use std::collections::BTreeSet;
use tilemark_core::Tensor;
use tilemark_core::family::Role;
use tilemark_core::generator::mix;

/// Operations up to which the whole truth is computed: about a tenth of a second on one core.
const WHOLE_TRUTH_FLOPS: u64 = 50_000_000;

/// Fewest elements of a sample.
const FEWEST_ELEMENTS: u64 = 4096;

/// Fewest rows of a sample beside those at edges, up to [`MOST_ELEMENTS`].
const FEWEST_ROWS: u64 = 64;

/// Elements beyond which rows are so long that fewer of them say as much: a transform of millions of
/// points, of which each takes seconds.
const MOST_ELEMENTS: u64 = 1 << 24;

/// Edges of the tiles that kernels use.
const TILES: [u64; 3] = [64, 128, 256];

/// Row indices of an output, ascending; every row if `flops` for the whole problem are few.
pub fn rows(output: &Tensor, flops: u64, seed: u64) -> Vec<u64> {
    let row = row_elements(output);
    let count = output.elements() / row;
    let wanted = FEWEST_ELEMENTS.div_ceil(row).max(FEWEST_ROWS.min(MOST_ELEMENTS.div_ceil(row)));
    if flops <= WHOLE_TRUTH_FLOPS || count <= wanted {
        return (0..count).collect();
    }
    let extents = leading_extents(output, row);
    let mut chosen = edges(&extents, seed);
    // One random row in each of `wanted` equal strata, so that every batch and head has its share.
    for stratum in 0..wanted {
        let start = stratum * count / wanted;
        let end = (stratum + 1) * count / wanted;
        chosen.insert(start + mix(seed ^ stratum) % (end - start));
    }
    chosen.into_iter().collect()
}

/// Elements of one row.
pub fn row_elements(output: &Tensor) -> u64 {
    match output.role {
        Role::Output { row } => row.max(1),
        _ => 1,
    }
}

/// Extents of the dimensions that number the rows.
fn leading_extents(output: &Tensor, row: u64) -> Vec<u64> {
    let mut inner = 1;
    let mut extents = output.dims.clone();
    while inner < row {
        match extents.pop() {
            Some(extent) => inner *= extent,
            None => break,
        }
    }
    if inner == row { extents } else { vec![output.elements() / row] }
}

/// Rows at the first, last and tile-edge index of each dimension, with the other dimensions at
/// their first, their last and a random index.
fn edges(extents: &[u64], seed: u64) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for (axis, extent) in extents.iter().enumerate() {
        let tiles = TILES.iter().flat_map(|tile| [tile - 1, *tile, extent / tile * tile]);
        for at in tiles.chain([0, extent - 1]).filter(|at| at < extent) {
            for variant in 0..3 {
                let index = extents.iter().enumerate().map(|(other, extent)| match variant {
                    _ if other == axis => at,
                    0 => 0,
                    1 => extent - 1,
                    _ => mix(seed ^ mix(at) ^ other as u64) % extent,
                });
                chosen.insert(flat(extents, index));
            }
        }
    }
    chosen
}

fn flat(extents: &[u64], index: impl Iterator<Item = u64>) -> u64 {
    extents.iter().zip(index).fold(0, |flat, (extent, at)| flat * extent + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilemark_core::Dtype;

    fn output(dims: &[u64], row: u64) -> Tensor {
        Tensor::output("c", dims, Dtype::F32, row)
    }

    #[test]
    fn a_small_problem_is_compared_whole() {
        assert_eq!(rows(&output(&[3, 5], 1), 30, 0).len(), 15);
        let many = output(&[200, 100], 1);
        assert_eq!(rows(&many, WHOLE_TRUTH_FLOPS, 0).len(), 20_000);
        assert!(rows(&many, WHOLE_TRUTH_FLOPS + 1, 0).len() < 10_000);
    }

    #[test]
    fn a_large_problem_has_its_first_last_and_tile_edges() {
        let (m, n) = (1000, 2000);
        let rows = rows(&output(&[m, n], 1), u64::MAX, 7);
        assert!(rows.len() as u64 >= FEWEST_ELEMENTS);
        for (i, j) in [(0, 0), (m - 1, n - 1), (m - 1, 0), (64, 0), (255, n - 1), (0, 1920)] {
            assert!(rows.contains(&(i * n + j)), "({i}, {j}) is missing");
        }
    }

    #[test]
    fn a_sample_reaches_every_batch_and_head() {
        let (b, h, n, d) = (4, 16, 4096, 128);
        let rows = rows(&output(&[b, h, n, d], d), u64::MAX, 7);
        assert!(rows.len() as u64 * d >= FEWEST_ELEMENTS);
        let planes: BTreeSet<u64> = rows.iter().map(|row| row / n).collect();
        assert!(planes.len() as u64 == b * h, "{} of {} planes", planes.len(), b * h);
    }

    #[test]
    fn of_endless_rows_a_few_are_enough() {
        let (h, n) = (384, 1 << 22);
        let of_length = |row: u64| rows(&output(&[1, h, row], row), u64::MAX, 7).len() as u64;
        assert!((4..32).contains(&of_length(n)), "{}", of_length(n));
        assert!(of_length(1 << 18) >= FEWEST_ROWS);
    }
}
