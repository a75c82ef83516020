//! Who can run the CUDA kernels, and the launches of those that need no more than pointers;
//! `sm90.rs` has those with tensor maps.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::operands::Operands;
use super::sm90::SMALL_M_ROWS;
use super::{Scale, Sizes};
use crate::tile::{self, needs_31_bits, needs_sm, needs_sm_90a};
use tilemark_core::launch::{Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

static NAIVE: Source =
    Source { path: "gemm/naive.cu", text: include_str!("naive.cu"), headers: tile::HEADERS };
static SHARED: Source =
    Source { path: "gemm/shared.cu", text: include_str!("shared.cu"), headers: tile::HEADERS };
static MMA: Source =
    Source { path: "gemm/sm80_mma.cu", text: include_str!("sm80_mma.cu"), headers: tile::HEADERS };

/// Blocks that a grid may have along y.
const MOST_BLOCKS_Y: u64 = 65_535;

/// `supports` of the kernels without tensor cores.
pub fn any_nvidia(problem: &Problem, info: &Info) -> Result<(), String> {
    // The conversions of 8-bit types came with sm_89, those of bf16 with sm_80.
    needs_sm(
        info,
        match problem.dtype {
            Dtype::E4m3 => 89,
            Dtype::Bf16 => 80,
            Dtype::F16 | Dtype::F32 => 70,
        },
    )?;
    fits_a_grid(Sizes::of(problem), 8)
}

/// `supports` of the kernel on `mma.sync`.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    let sizes = Sizes::of(problem);
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    if sizes.scale != Scale::None {
        return Err("has no epilogue that scales".to_owned());
    }
    fits_a_grid(sizes, 128)
}

/// `supports` of Hopper's kernels.
pub fn hopper(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    if problem.dtype == Dtype::F32 {
        return Err("tensor cores have no f32: they would round the operands to tf32".to_owned());
    }
    fits_31_bits(Sizes::of(problem))
}

/// `supports` of the kernel for few rows.
pub fn hopper_small_m(problem: &Problem, info: &Info) -> Result<(), String> {
    hopper(problem, info)?;
    let rows = problem.shape.integer("m");
    if rows > SMALL_M_ROWS {
        return Err(format!("takes at most {SMALL_M_ROWS} rows, not {rows}"));
    }
    Ok(())
}

/// The formula, an element of C a thread.
pub fn naive(problem: &Problem, _info: &Info) -> Plan {
    scaling(&NAIVE, "gemm_naive", &Operands::of(problem), [32, 8], [32, 8, 1])
}

/// Tiles of f32 in shared memory.
pub fn shared(problem: &Problem, _info: &Info) -> Plan {
    scaling(&SHARED, "gemm_shared", &Operands::of(problem), [128, 128], [256, 1, 1])
}

/// Tensor cores by the warp.
pub fn mma(problem: &Problem, _info: &Info) -> Plan {
    let operands = Operands::of(problem);
    let aligned = operands.a().is_aligned() && operands.b().is_aligned();
    let mut constants = operands.unscaled_constants(operands.sizes.transposed);
    constants.push(("ALIGNED", i64::from(aligned).into()));
    one_launch(Launch {
        source: &MMA,
        entry: "gemm_sm80_mma",
        constants,
        grid: tiles(operands.sizes, [128, 128]),
        block: [256, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: operands.pointer_arguments(),
    })
}

/// A kernel that takes pointers and scales.
fn scaling(
    source: &'static Source,
    entry: &'static str,
    operands: &Operands,
    tile: [u64; 2],
    block: [u32; 3],
) -> Plan {
    let mut arguments = operands.pointer_arguments();
    arguments.extend(operands.scale_arguments());
    one_launch(Launch {
        source,
        entry,
        constants: operands.constants(operands.sizes.transposed),
        grid: tiles(operands.sizes, tile),
        block,
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    })
}

fn one_launch(launch: Launch) -> Plan {
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

/// A block for each tile of C, of the given columns and rows.
fn tiles(sizes: Sizes, [columns, rows]: [u64; 2]) -> [u32; 3] {
    let blocks = |extent: usize, tile| (extent as u64).div_ceil(tile) as u32;
    [blocks(sizes.n, columns), blocks(sizes.m, rows), 1]
}

fn fits_31_bits(sizes: Sizes) -> Result<(), String> {
    needs_31_bits(&[sizes.m, sizes.n, sizes.k].map(|extent| extent as u64))
}

fn fits_a_grid(sizes: Sizes, tile_rows: u64) -> Result<(), String> {
    fits_31_bits(sizes)?;
    let most = tile_rows * MOST_BLOCKS_Y;
    if sizes.m as u64 > most {
        return Err(format!("its grid covers {most} rows, not {}", sizes.m));
    }
    Ok(())
}
