//! The best rates that a device reaches: a copy of its own engine, and loops that do nothing but
//! multiply. They are measured in short bursts from a cool start, since a ceiling must lie above
//! what any kernel can reach, and kept on disk by device and driver.

use super::driver::{Context, Event, Kernel, Memory, Module};
use super::runtime::INSTRUMENTS;
use crate::compile::{Cache, compile};
use crate::device::gpu::runtime::{Argument, Event as _, Extent, Memory as _};
use std::path::PathBuf;
use std::time::Duration;
use tilemark_core::record::Ceilings;
use tilemark_core::{Bytes, Fault, Info};

/// Bytes of the copy's source: many times any L2.
const COPY_BYTES: u64 = 2 << 30;

/// Bursts of which the best counts.
const BURSTS: u32 = 8;

/// Rest before each burst, in which the device cools.
const REST: Duration = Duration::from_millis(15);

/// Threads of a block of the arithmetic loops: two warpgroups, so that one's wait is under the
/// other's work.
const THREADS: u32 = 256;

/// An arithmetic loop: its dtype, its kernel, what a block does a step, and steps that take about a
/// millisecond.
struct Loop {
    dtype: &'static str,
    kernel: &'static str,
    block_flops: u64,
    steps: u32,
    blocks_per_unit: u32,
}

/// Loops on Hopper: two warpgroups, each 16 wgmma of m64n128 a step.
static HOPPER: [Loop; 4] = [
    Loop {
        dtype: "f32",
        kernel: "rate_f32",
        block_flops: 2 * 8 * 256,
        steps: 20_000,
        blocks_per_unit: 4,
    },
    Loop {
        dtype: "bf16",
        kernel: "rate_bf16",
        block_flops: 2 * 16 * 2 * 64 * 128 * 16,
        steps: 2_000,
        blocks_per_unit: 1,
    },
    Loop {
        dtype: "f16",
        kernel: "rate_f16",
        block_flops: 2 * 16 * 2 * 64 * 128 * 16,
        steps: 2_000,
        blocks_per_unit: 1,
    },
    Loop {
        dtype: "e4m3",
        kernel: "rate_e4m3",
        block_flops: 2 * 16 * 2 * 64 * 128 * 32,
        steps: 2_000,
        blocks_per_unit: 1,
    },
];

/// Loops elsewhere: eight warps, each 8 mma of m16n8k16 a step.
static OTHERS: [Loop; 3] = [
    Loop {
        dtype: "f32",
        kernel: "rate_f32",
        block_flops: 2 * 8 * 256,
        steps: 20_000,
        blocks_per_unit: 4,
    },
    Loop {
        dtype: "bf16",
        kernel: "rate_bf16",
        block_flops: 8 * 8 * 2 * 16 * 8 * 16,
        steps: 4_000,
        blocks_per_unit: 2,
    },
    Loop {
        dtype: "f16",
        kernel: "rate_f16",
        block_flops: 8 * 8 * 2 * 16 * 8 * 16,
        steps: 4_000,
        blocks_per_unit: 2,
    },
];

/// The ceilings of this device under this driver: as they were found before, else measured now.
pub fn known(context: &Context, info: &Info) -> Result<Ceilings, Fault> {
    let kept = Cache::here().path(&file_name(info));
    let read = |path: &PathBuf| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
    if let Some(ceilings) = kept.as_ref().and_then(read) {
        return Ok(ceilings);
    }
    let ceilings = measure(context, info)?;
    if let Some(path) = kept
        && let Ok(text) = serde_json::to_vec(&ceilings)
        && let Err(e) = std::fs::write(&path, text)
    {
        // Without the file the next run measures again, which is right and only slower.
        tracing::debug!("cannot keep the ceilings in {}: {e}", path.display());
    }
    Ok(ceilings)
}

/// A name that changes with the device, its driver and the loops themselves.
fn file_name(info: &Info) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&info.uuid, &info.driver, &Some(INSTRUMENTS.text.to_owned())] {
        hasher.update(part.as_deref().unwrap_or_default().as_bytes());
        hasher.update(b"\n");
    }
    format!("ceilings-{}.json", &hasher.finalize().to_hex()[..32])
}

fn measure(context: &Context, info: &Info) -> Result<Ceilings, Fault> {
    let compiled = compile(&INSTRUMENTS, &[], &info.arch)?;
    let module = Module::load(context, &compiled.image)?;
    let sink = Memory::new(context, Bytes(16))?;
    let loops: &[Loop] = if info.arch == "sm_90a" { &HOPPER } else { &OTHERS };
    let mut flops_per_second = Vec::with_capacity(loops.len());
    for each in loops {
        let kernel = Kernel::new(&module, each.kernel)?;
        let blocks = info.units * each.blocks_per_unit;
        let arguments = [
            Argument::new(&each.steps.to_le_bytes()),
            Argument::new(&sink.address().to_le_bytes()),
        ];
        let seconds = best_seconds(context, || {
            context.launch(&kernel, &Extent::flat(blocks, THREADS), &arguments)
        })?;
        let flops = each.block_flops * u64::from(blocks) * u64::from(each.steps);
        flops_per_second.push((each.dtype.to_owned(), flops as f64 / seconds));
    }
    Ok(Ceilings {
        copy_bytes_per_second: copy_rate(context)?,
        flops_per_second,
        how: format!(
            "best of {BURSTS} short bursts from a cool start: copy of {} GiB by the driver, bytes \
             read plus bytes written; matrix instructions alone on random operands in shared \
             memory (wgmma m64n128 on sm_90a, mma m16n8k16 from registers elsewhere); f32 by \
             chains of multiply-add",
            COPY_BYTES >> 30
        ),
    })
}

fn copy_rate(context: &Context) -> Result<f64, Fault> {
    let (from, to) =
        (Memory::new(context, Bytes(COPY_BYTES))?, Memory::new(context, Bytes(COPY_BYTES))?);
    from.fill(0x5a)?;
    let seconds = best_seconds(context, || context.copy(&to, &from))?;
    Ok(2.0 * COPY_BYTES as f64 / seconds)
}

fn best_seconds(
    context: &Context,
    mut enqueue: impl FnMut() -> Result<(), Fault>,
) -> Result<f64, Fault> {
    let (start, end) = (Event::new()?, Event::new()?);
    let mut best = f64::INFINITY;
    for _ in 0..BURSTS {
        std::thread::sleep(REST);
        context.record(&start)?;
        enqueue()?;
        context.record(&end)?;
        context.synchronize()?;
        best = best.min(start.seconds_to(&end)?);
    }
    Ok(best)
}
