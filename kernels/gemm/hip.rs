//! Who can run the kernels for AMD's matrix cores, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::operands::{Matrix, Operands};
use super::sm90::Copies;
use crate::tile::{self, AMD, distance, needs_31_bits, needs_amd, tensor};
use tilemark_core::launch::{Argument, Header, Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

static GFX942: Source = Source {
    path: "gemm/gfx942_mfma.hip",
    text: include_str!("gfx942_mfma.hip"),
    headers: MFMA_HEADERS,
};
static GFX950: Source = Source {
    path: "gemm/gfx950_mfma.hip",
    text: include_str!("gfx950_mfma.hip"),
    headers: MFMA_HEADERS,
};
static MFMA_HEADERS: &[Header] = &[
    Header { name: "gemm/mfma.h", text: include_str!("mfma.h") },
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
    tile::HIP,
];

/// A pitch of which 256 reach 2 GiB, beyond which a buffer's offsets do not.
const LONGEST_PITCH_BYTES: u64 = 1 << 23;

/// What a block makes of C, and by how many waves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    /// Rows and columns.
    side: u32,
    waves: [u32; 2],
}

/// Two waves a SIMD, which hide each other's loads.
const LARGE: Tile = Tile { side: 256, waves: [2, 4] };
/// For problems that would leave most units without a large one.
const SMALL: Tile = Tile { side: 128, waves: [2, 2] };

/// `supports` of the kernels without matrix cores.
pub fn any_amd(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, AMD)?;
    fits(problem)
}

/// `supports` of the kernel with operands staged in registers.
pub fn gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx942"])?;
    matrix_cores(problem)
}

/// `supports` of the kernel with operands copied straight to LDS.
pub fn gfx950(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx950"])?;
    matrix_cores(problem)
}

/// Operands staged in registers.
pub fn staged(problem: &Problem, info: &Info) -> Plan {
    let operands = Operands::of(problem);
    mfma(&GFX942, "gemm_gfx942_mfma", tile_for(&operands, info), &operands, info)
}

/// Operands copied straight to LDS, or staged where that kernel has no form for them: 8 bits that K
/// does not follow, and small problems.
pub fn copied(problem: &Problem, info: &Info) -> Plan {
    let operands = Operands::of(problem);
    let turns_bytes = operands.dtype == Dtype::E4m3 && !operands.sizes.transposed;
    if turns_bytes || tile_for(&operands, info) == SMALL {
        return staged(problem, info);
    }
    mfma(&GFX950, "gemm_gfx950_mfma", LARGE, &operands, info)
}

fn matrix_cores(problem: &Problem) -> Result<(), String> {
    if problem.dtype == Dtype::F32 {
        return Err("multiplies 16 and 8 bits, not f32".to_owned());
    }
    let operands = Operands::of(problem);
    let pitch = operands.a().pitch_bytes.max(operands.b().pitch_bytes);
    if pitch >= LONGEST_PITCH_BYTES - 16 {
        return Err(format!("a row of {pitch} bytes: 256 of them exceed a buffer's offsets"));
    }
    fits(problem)
}

fn fits(problem: &Problem) -> Result<(), String> {
    needs_31_bits(&["m", "n", "k"].map(|axis| problem.shape.integer(axis)))
}

/// The large tile, unless that leaves more than half of the units without one.
fn tile_for(operands: &Operands, info: &Info) -> Tile {
    if LARGE.tiles(operands) * 2 >= u64::from(info.units) { LARGE } else { SMALL }
}

impl Tile {
    fn tiles(self, operands: &Operands) -> u64 {
        let along = |extent: usize| (extent as u64).div_ceil(u64::from(self.side));
        along(operands.sizes.m) * along(operands.sizes.n)
    }
}

/// The copies that give every row a begin at a multiple of 16 bytes, and the product.
fn mfma(
    source: &'static Source,
    entry: &'static str,
    tile: Tile,
    operands: &Operands,
    info: &Info,
) -> Plan {
    let mut copies = Copies::new(operands, info);
    let (a, b, c) = (copies.aligned(operands.a()), copies.aligned(operands.b()), operands.c());
    let pointers = [a, b, c].into_iter().flat_map(pointer_and_pitch);
    let arguments = pointers.chain(operands.extents()).chain(operands.scale_arguments()).collect();
    let mut constants = operands.constants(operands.sizes.transposed);
    let [down, across] = tile.waves;
    let sizes =
        [("TILE_M", tile.side), ("TILE_N", tile.side), ("WAVES_M", down), ("WAVES_N", across)];
    constants.extend(sizes.map(|(name, value)| (name, i64::from(value).into())));
    copies.plan.steps.push(Step::Launch(Launch {
        source,
        entry,
        constants,
        grid: [tile.tiles(operands) as u32, 1, 1],
        block: [64 * down * across, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments,
    }));
    copies.plan
}

fn pointer_and_pitch(matrix: Matrix) -> [Argument; 2] {
    [tensor(matrix.tensor), distance(matrix.pitch())]
}
