//! Every verb: what a host loop makes of its input, the element types it is checked with, and how
//! many blocks its kernel takes.
//!
//! A flat list; what its entries mean stands in `verb.rs`.

use super::places::*;
use super::programs::{AMD, PORTABLE, SM90_COPIES, SM90_MATRICES, SM90_THREADS};
use super::verb::{Depth, Draw, Errors, Form, Map, Matrix, Place, Product, Side, Verb};
use tilemark_core::Dtype;

const ALL: &[Dtype] = &[Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::E4m3];
const ROUNDED: &[Dtype] = &[Dtype::F32, Dtype::Bf16, Dtype::F16];
const HALVES: &[Dtype] = &[Dtype::Bf16, Dtype::F16];
const BYTES: &[Dtype] = &[Dtype::E4m3];
/// Verbs that move bits check one type of each size.
const BITS16: &[Dtype] = &[Dtype::Bf16];
const BITS32: &[Dtype] = &[Dtype::F32];

const CDNA: &[&str] = crate::tile::AMD;
const CDNA4: &[&str] = &["gfx950"];

const GRID: Matrix = Matrix::GRID;
const GRID_ELEMENTS: Matrix = elements(64, 64);
/// Sixteen rows for sixteen blocks.
const ROWS: Matrix = singles(16, 64);
/// A matrix that boxes of (16, 64) overlap on both sides, and one that two by two of them make.
const RAGGED: Matrix = elements(24, 72);
const BOXES: Matrix = elements(32, 128);
/// The same in three planes of one box's height.
const RAGGED_PLANES: Matrix = elements(36, 72);
const BOXED_PLANES: Matrix = elements(48, 128);
const FRAGMENT: Matrix = elements(16, 16);

const fn elements(rows: u64, columns: u64) -> Matrix {
    Matrix { rows, columns, is_single: false }
}

const fn singles(rows: u64, columns: u64) -> Matrix {
    Matrix { rows, columns, is_single: true }
}

/// A verb's word, and its kernel's name.
struct Names {
    word: &'static str,
    entry: &'static str,
}

macro_rules! named {
    ($name:literal) => {
        Names { word: $name, entry: concat!("check_", $name) }
    };
}

const ABOVE_ONE: Draw = Draw { mean: 2.5, deviation: 0.25 };
const AROUND_ONE: Draw = Draw { mean: 1.0, deviation: 0.125 };
const AROUND_ZERO: Draw = Draw { mean: 0.0, deviation: 0.1875 };

// By the manuals: rsqrt.approx errs by 2^-22.9, ex2.approx by 2 units in the last place, lg2.approx by
// 2^-22 between 0.5 and 2, rcp.approx by one unit; AMD's instructions by one unit. The draws keep y
// below 1, of ex2 below 2, so that a unit is the same for nearly all elements.
const RSQRT: Errors = Errors { relative_log2: -22.9, absolute_log2: -22.9 };
const EX2: Errors = Errors { relative_log2: -22.0, absolute_log2: -22.0 };
const LG2: Errors = Errors { relative_log2: -20.0, absolute_log2: -22.0 };
const RCP: Errors = Errors { relative_log2: -23.0, absolute_log2: -24.0 };

/// mma's: two instructions deep.
const NARROW: Form = Form::Multiplied(Product {
    m: 16,
    n: Some(8),
    depth: Depth::Elements(32),
    a: Side::K,
    b: Side::K,
});

/// Every verb, in the order of `tile.h`, `cuda.h` and `hip.h`.
pub static VERBS: &[Verb] = &[
    both(named!("cvt_f32"), ALL, 64, moved(GRID_ELEMENTS, GRID, same)),
    both(named!("cvt_rn"), ROUNDED, 64, moved(GRID, GRID_ELEMENTS, same)),
    both(named!("cvt_rn_x2"), HALVES, 32, moved(GRID, GRID_ELEMENTS, same)),
    both(named!("pack"), HALVES, 8, moved(GRID, GRID_ELEMENTS, same)),
    both(named!("unpack"), HALVES, 8, moved(GRID_ELEMENTS, GRID, same)),
    both(named!("rsqrt"), BITS32, 64, mapped(|x| 1.0 / x.sqrt(), ABOVE_ONE, RSQRT)),
    both(named!("ex2"), BITS32, 64, mapped(f64::exp2, AROUND_ZERO, EX2)).by_vendor(),
    both(named!("lg2"), BITS32, 64, mapped(f64::log2, AROUND_ONE, LG2)).by_vendor(),
    both(named!("rcp"), BITS32, 64, mapped(f64::recip, ABOVE_ONE, RCP)).by_vendor(),
    both(named!("sum_across"), BITS32, 16, summed(ROWS, ROWS, 16, |i, t| i / 16 * 16 + t)),
    both(named!("warp_sum"), BITS32, 16, summed(ROWS, ROWS, 64, |i, t| i / 64 * 64 + t)),
    both(named!("any_sync"), BITS32, 16, Form::Spread { x: ROWS, from: |i| i / 64 * 64 + 17 }),
    both(named!("tile_in_bands"), BITS32, 5, moved(singles(7, 37), singles(7, 37), in_bands)),
    both(named!("tile_by_chiplet"), BITS32, 5, moved(singles(10, 30), singles(10, 30), by_chiplet)),
    both(named!("ring_places"), BITS32, 2, moved(singles(1, 6), singles(8, 9), |i| Some(i % 6))),
    both(named!("global_vectors"), BITS16, 2, moved(elements(16, 64), elements(16, 64), same)),
    both(named!("load_floats"), BITS32, 2, moved(ROWS, ROWS, same)),
    both(named!("funnelshift_r"), BITS16, 8, moved(elements(1, 1026), elements(16, 64), next)),
    hopper(named!("cvt_rn_x4"), BYTES, 16, moved(GRID, GRID_ELEMENTS, same)),
    hopper(named!("elect_sync"), BITS32, 16, moved(ROWS, ROWS, same)),
    hopper(named!("shared_words"), BITS32, 16, moved(ROWS, ROWS, |i| Some(i ^ 63))),
    hopper(named!("shared_pairs"), BITS32, 8, moved(ROWS, ROWS, |i| Some(i ^ 126))),
    hopper(named!("shared_u64"), BITS32, 8, moved(ROWS, ROWS, |i| Some(i ^ 126))),
    hopper(named!("named_barriers"), BITS32, 32, moved(ROWS, ROWS, same)),
    hopper(named!("cp_async"), BITS32, 4, moved(ROWS, ROWS, |i| Some(i ^ 252))),
    hopper(
        named!("cp_async_or_zero"),
        BITS32,
        4,
        moved(ROWS, ROWS, |i| Some(i ^ 252).filter(|from| from / 4 % 2 == 0)),
    ),
    hopper(
        named!("red_global_add"),
        BITS32,
        5,
        summed(singles(5, 256), singles(4, 64), 5, |i, t| t * 256 + i),
    )
    .adding(),
    hopper(named!("ld_shared_cluster"), BITS32, 16, moved(ROWS, ROWS, |i| Some(i ^ 64))).in_pairs(),
    hopper(named!("mbarrier_arrive_cluster"), BITS32, 16, moved(ROWS, ROWS, same)).in_pairs(),
    hopper(named!("st_async"), BITS32, 4, moved(ROWS, ROWS, |i| Some(i ^ 256))).in_pairs(),
    hopper(
        named!("mbarrier_arrive_release_cluster"),
        BITS32,
        16,
        moved(ROWS, ROWS, |i| Some(i ^ 64)),
    )
    .in_pairs(),
    copies(named!("cp_async_bulk"), [4, 1], moved(elements(64, 64), elements(64, 64), same)),
    copies(named!("ring"), [1, 1], moved(elements(25, 64), elements(25, 64), same)),
    copies(named!("load_2d"), [2, 2], moved(RAGGED, BOXES, from_ragged)).with_map(
        0,
        &[72, 24],
        &[64, 16],
    ),
    copies(named!("store_2d"), [2, 2], moved(BOXES, RAGGED, to_ragged)).with_map(
        1,
        &[72, 24],
        &[64, 16],
    ),
    copies(named!("load_3d"), [2, 3], moved(RAGGED_PLANES, BOXED_PLANES, from_planes)).with_map(
        0,
        &[72, 12, 3],
        &[64, 16, 1],
    ),
    copies(named!("load_4d"), [2, 6], moved(elements(72, 72), elements(96, 128), from_planes))
        .with_map(0, &[72, 12, 3, 2], &[64, 16, 1, 1]),
    copies(named!("store_3d"), [2, 3], moved(BOXED_PLANES, RAGGED_PLANES, to_planes)).with_map(
        1,
        &[72, 12, 3],
        &[64, 16, 1],
    ),
    copies(
        named!("multicast"),
        [2, 1],
        moved(elements(32, 64), elements(64, 64), |i| Some(i % 2048)),
    )
    .with_map(0, &[64, 32], &[64, 16])
    .in_pairs(),
    matrices(named!("ldmatrix"), BITS16, 32, moved(FRAGMENT, FRAGMENT, fragments)),
    matrices(named!("ldmatrix_trans"), BITS16, 32, moved(FRAGMENT, FRAGMENT, turned_fragments)),
    matrices(named!("stmatrix"), BITS16, 32, moved(FRAGMENT, FRAGMENT, from_fragments)),
    matrices(
        named!("stmatrix_trans"),
        BITS16,
        32,
        moved(FRAGMENT, FRAGMENT, from_turned_fragments),
    ),
    matrices(
        named!("movmatrix_trans"),
        BITS16,
        32,
        moved(FRAGMENT, FRAGMENT, from_turned_fragments),
    ),
    matrices(named!("mma"), HALVES, 32, NARROW),
    matrices(named!("wgmma"), &[Dtype::Bf16, Dtype::F16, Dtype::E4m3], 128, wide(Side::K, Side::K)),
    matrices(named!("wgmma_trans_a"), HALVES, 128, wide(Side::Other, Side::K)),
    matrices(named!("wgmma_trans_b"), HALVES, 128, wide(Side::K, Side::Other)),
    matrices(named!("wgmma_registers"), HALVES, 128, wide(Side::K, Side::K)),
    matrices(named!("wgmma_registers_trans_b"), HALVES, 128, wide(Side::K, Side::Other)),
    cdna(named!("cvt_x2"), HALVES, CDNA, 32, moved(GRID, GRID_ELEMENTS, same)),
    cdna(named!("ds_bpermute"), BITS32, CDNA, 16, moved(ROWS, ROWS, seventh_lanes)),
    cdna(
        named!("v_perm"),
        BITS16,
        CDNA,
        8,
        moved(elements(32, 64), elements(16, 64), outer_halves),
    ),
    cdna(
        named!("buffer_load"),
        BITS32,
        CDNA,
        1,
        moved(singles(4, 64), singles(4, 64), |i| (4..37 * 4).contains(&i).then_some(i)),
    ),
    cdna(
        named!("short_buffer"),
        BITS32,
        CDNA,
        1,
        moved(singles(4, 64), singles(4, 64), |i| (4..37 * 4).contains(&i).then_some(i)),
    ),
    cdna(named!("mfma_16x16x16"), HALVES, CDNA, 1, square(16)),
    cdna(named!("mfma_32x32x8"), HALVES, CDNA, 1, square(32)),
    cdna(named!("mfma_16x16x32_e4m3"), BYTES, CDNA, 1, square(16)),
    cdna(named!("mfma_16x16x32"), HALVES, CDNA4, 1, square(16)),
    cdna(named!("mfma_32x32x16"), HALVES, CDNA4, 1, square(32)),
    cdna(named!("mfma_16x16x128"), BYTES, CDNA4, 1, square(16)),
    cdna(
        named!("buffer_load_lds"),
        BITS32,
        CDNA4,
        1,
        moved(singles(4, 64), singles(4, 64), |i| Some(i ^ 252)),
    ),
    cdna(
        named!("buffer_load_dword_lds"),
        BITS32,
        CDNA4,
        1,
        moved(singles(4, 64), singles(4, 64), |i| Some(i ^ 252)),
    ),
    cdna(
        named!("ds_read_tr"),
        BITS16,
        CDNA4,
        1,
        moved(elements(4, 64), elements(4, 64), turned_reads),
    ),
];

const fn moved(x: Matrix, y: Matrix, from: Place) -> Form {
    Form::Moved { x, y, from }
}

const fn mapped(function: fn(f64) -> f64, draw: Draw, errors: Errors) -> Form {
    Form::Mapped { function, draw, errors }
}

const fn summed(x: Matrix, y: Matrix, terms: usize, term: fn(usize, usize) -> usize) -> Form {
    Form::Summed { x, y, terms, term }
}

/// A product as wide as the problem says, of 128 bytes of k.
const fn wide(a: Side, b: Side) -> Form {
    Form::Multiplied(Product { m: 64, n: None, depth: Depth::Bytes(128), a, b })
}

/// A product of one wave.
const fn square(side: u64) -> Form {
    let depth = Depth::Elements(128);
    Form::Multiplied(Product { m: side, n: Some(side), depth, a: Side::K, b: Side::K })
}

const fn verb(names: Names, dtypes: &'static [Dtype], grid: [u32; 2], form: Form) -> Verb {
    Verb {
        name: names.word,
        entry: names.entry,
        dtypes,
        form,
        nvidia: None,
        amd: None,
        amd_archs: CDNA,
        grid,
        block: 64,
        cluster: 1,
        adds: false,
        map: None,
    }
}

/// Of `tile.h`, or with one name in both vendors' files.
const fn both(names: Names, dtypes: &'static [Dtype], blocks: u32, form: Form) -> Verb {
    let verb = verb(names, dtypes, [blocks, 1], form);
    Verb { nvidia: Some(&PORTABLE), amd: Some(&PORTABLE), ..verb }
}

const fn hopper(names: Names, dtypes: &'static [Dtype], blocks: u32, form: Form) -> Verb {
    Verb { nvidia: Some(&SM90_THREADS), ..verb(names, dtypes, [blocks, 1], form) }
}

const fn copies(names: Names, grid: [u32; 2], form: Form) -> Verb {
    Verb { nvidia: Some(&SM90_COPIES), ..verb(names, BITS16, grid, form) }
}

const fn matrices(names: Names, dtypes: &'static [Dtype], block: u32, form: Form) -> Verb {
    Verb { nvidia: Some(&SM90_MATRICES), block, ..verb(names, dtypes, [1, 1], form) }
}

const fn cdna(
    names: Names,
    dtypes: &'static [Dtype],
    archs: &'static [&'static str],
    blocks: u32,
    form: Form,
) -> Verb {
    Verb { amd: Some(&AMD), amd_archs: archs, ..verb(names, dtypes, [blocks, 1], form) }
}

impl Verb {
    /// The vendors have it under names of their own.
    const fn by_vendor(self) -> Verb {
        Verb { nvidia: Some(&SM90_THREADS), amd: Some(&AMD), ..self }
    }

    /// The kernel adds to y.
    const fn adding(self) -> Verb {
        Verb { adds: true, ..self }
    }

    /// Blocks work in clusters of two.
    const fn in_pairs(self) -> Verb {
        Verb { cluster: 2, ..self }
    }

    const fn with_map(self, tensor: usize, dims: &'static [u64], box_dims: &'static [u32]) -> Verb {
        Verb { map: Some(Map { tensor, dims, box_dims }), ..self }
    }
}
