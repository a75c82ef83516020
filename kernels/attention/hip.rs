//! Who can run the kernels for AMD's matrix cores, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::{LSE, Sizes};
use crate::tile::{self, count, element, needs_amd, tensor};
use std::f64::consts::LOG2_E;
use tilemark_core::launch::{Argument, Header, Launch, Plan, Source, Step};
use tilemark_core::{Dtype, Info, Problem};

static GFX942: Source = Source {
    path: "attention/gfx942_flash.hip",
    text: include_str!("gfx942_flash.hip"),
    headers: FLASH_HEADERS,
};
static GFX950: Source = Source {
    path: "attention/gfx950_flash.hip",
    text: include_str!("gfx950_flash.hip"),
    headers: FLASH_HEADERS,
};
static FLASH_HEADERS: &[Header] = &[
    GFX942_STREAM,
    GFX950_STREAM,
    FLASH_MFMA,
    MFMA_ROWS,
    tile::TILE,
    tile::CUDA,
    tile::CUDA_WGMMA,
    tile::HIP,
];

/// What attention over any keys includes: the stream that the architecture has, or either one.
pub const MFMA_STREAM: Header =
    Header { name: "attention/mfma_stream.h", text: include_str!("mfma_stream.h") };
pub const GFX942_STREAM: Header =
    Header { name: "attention/gfx942_stream.h", text: include_str!("gfx942_stream.h") };
pub const GFX950_STREAM: Header =
    Header { name: "attention/gfx950_stream.h", text: include_str!("gfx950_stream.h") };
pub const FLASH_MFMA: Header =
    Header { name: "attention/flash_mfma.h", text: include_str!("flash_mfma.h") };

/// What the passes share.
pub const MFMA_ROWS: Header =
    Header { name: "attention/mfma_rows.h", text: include_str!("mfma_rows.h") };

/// Queries of a block, 32 a wave; in the backward pass keys too.
pub const BLOCK_ROWS: usize = 256;

/// `supports` of the kernel that stages tiles in registers.
pub fn gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx942"])?;
    fits(problem)
}

/// `supports` of the kernel that copies tiles straight to LDS.
pub fn gfx950(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &["gfx950"])?;
    fits(problem)
}

/// Tiles staged in registers.
pub fn staged(problem: &Problem, _info: &Info) -> Plan {
    flash(&GFX942, "attention_gfx942_flash", problem)
}

/// Tiles copied straight to LDS.
pub fn copied(problem: &Problem, _info: &Info) -> Plan {
    flash(&GFX950, "attention_gfx950_flash", problem)
}

/// Whether elements, heads and extents suit the matrix cores, in either pass.
pub fn fits(problem: &Problem) -> Result<(), String> {
    let Sizes { n, nk, d, .. } = Sizes::of(problem);
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    if d > 128 || !d.is_multiple_of(8) {
        return Err(format!("takes heads of whole vectors of 8 up to 128 elements, not {d}"));
    }
    if n.max(nk) * d >= 1 << 30 {
        return Err("a head's elements exceed a buffer's offsets".to_owned());
    }
    if blocks(problem) > i32::MAX as u64 {
        return Err(format!("{} blocks exceed a grid", blocks(problem)));
    }
    Ok(())
}

fn heads(problem: &Problem) -> u64 {
    problem.shape.integer("b") * problem.shape.integer("h")
}

fn blocks(problem: &Problem) -> u64 {
    heads(problem) * (Sizes::of(problem).n.div_ceil(BLOCK_ROWS) as u64)
}

fn flash(source: &'static Source, entry: &'static str, problem: &Problem) -> Plan {
    let sizes = Sizes::of(problem);
    let extents = [sizes.h, sizes.hk, sizes.n, sizes.nk, sizes.d].map(|n| count(n as u64));
    let scale = Argument::F32((sizes.scale() * LOG2_E) as f32);
    let launch = Launch {
        source,
        entry,
        constants: vec![
            ("ELEMENT", element(problem.dtype).into()),
            ("HEAD_DIM", if sizes.d <= 64 { 64 } else { 128 }.into()),
            ("CAUSAL", i64::from(sizes.causal).into()),
        ],
        grid: [blocks(problem) as u32, 1, 1],
        block: [512, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: (0..=LSE).map(tensor).chain(extents).chain([scale]).collect(),
    };
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}
