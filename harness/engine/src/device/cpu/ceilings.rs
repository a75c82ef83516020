//! The processor's ceilings, measured: how fast it can copy and how fast it can multiply and add.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;
use tilemark_core::record::Ceilings;

/// Far beyond any core's private caches, and small enough to be quick.
const COPY_BYTES: usize = 256 << 20;

/// Independent chains of multiply-add: more than latency × issue width of any core, and few enough
/// for the sixteen vector registers of AVX2.
const CHAINS: usize = 12;

/// Multiply-adds of each chain in one timing: about 10 ms.
const STEPS: usize = 1 << 21;

/// Repetitions of which the best counts: a ceiling is what the machine can do undisturbed.
const REPEATS: usize = 12;

/// Copies and multiplies on all cores, a few times each, and keeps the best.
pub fn measure() -> Ceilings {
    let rate = multiply_add_rate();
    Ceilings {
        copy_bytes_per_second: copy_rate(),
        // Host code widens every 16-bit type and computes in f32.
        flops_per_second: ["f32", "bf16", "f16"].map(|dtype| (dtype.to_owned(), rate)).into(),
        how: format!(
            "best of {REPEATS} on all cores: copy of {} MiB, bytes read plus bytes written; \
             {CHAINS} independent chains of f32 multiply-add at full SIMD width",
            COPY_BYTES >> 20
        ),
    }
}

fn copy_rate() -> f64 {
    let source = vec![1u64; COPY_BYTES / 8];
    let mut target = vec![0u64; COPY_BYTES / 8];
    let chunk = source.len().div_ceil(rayon::current_num_threads());
    best_seconds(|| {
        target
            .par_chunks_mut(chunk)
            .zip(source.par_chunks(chunk))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut target);
    })
    .map_or(0.0, |seconds| 2.0 * COPY_BYTES as f64 / seconds)
}

fn multiply_add_rate() -> f64 {
    let threads = rayon::current_num_threads();
    let mut flops = 0.0;
    best_seconds(|| {
        let done: f64 =
            (0..threads).into_par_iter().map(|_| Arch::new().dispatch(MultiplyAdd)).sum();
        flops = done;
    })
    .map_or(0.0, |seconds| flops / seconds)
}

fn best_seconds(mut work: impl FnMut()) -> Option<f64> {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.reduce(f64::min)
}

struct MultiplyAdd;

impl WithSimd for MultiplyAdd {
    type Output = f64;

    /// Runs the chains and gives the number of operations done.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let factor = simd.splat_f32s(black_box(0.999_999));
        let term = simd.splat_f32s(black_box(1e-6));
        let mut chains = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..STEPS {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, term);
            }
        }
        black_box(chains);
        (2 * CHAINS * STEPS * S::F32_LANES) as f64
    }
}
