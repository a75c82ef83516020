//! What the tests share: kernels by name, inputs by formula, and buffers as numbers.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

pub mod lanes;

use std::path::{Path, PathBuf};
use std::process::Command;

use half::bf16;
use tilemark_cdna::kernel::{Kernel, Module};
use tilemark_cdna::launch::Grid;
use tilemark_cdna::session::Argument;

pub const ARCHS: [&str; 2] = ["gfx942", "gfx950"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels")
}

/// A kernel of a committed assembly file.
pub fn kernel(file: &str, arch: &str, name: &str) -> Kernel {
    let text = std::fs::read_to_string(folder().join(format!("{file}.{arch}.s"))).unwrap();
    from_text(&text, name)
}

pub fn from_text(text: &str, name: &str) -> Kernel {
    let module = Module::parse(text).unwrap_or_else(|error| panic!("{error}"));
    module.kernels.into_iter().find(|kernel| kernel.name == name).unwrap()
}

/// The assembly that the toolchain named by TILEMARK_HIP_CLANG makes of a committed source, if one is named.
pub fn compiled(file: &str, arch: &str) -> Option<String> {
    let clang = std::env::var("TILEMARK_HIP_CLANG").ok()?;
    let mut words = clang.split_whitespace();
    let offload = format!("--offload-arch={arch}");
    let output = Command::new(words.next().expect("TILEMARK_HIP_CLANG names a command"))
        .args(words)
        .args(["-x", "hip", "--cuda-device-only", &offload, "-nogpulib", "-nogpuinc", "-O3"])
        .args(["-fuse-cuid=none", "-gline-tables-only", "-S", &format!("{file}.hip"), "-o", "-"])
        .current_dir(folder())
        .output()
        .unwrap_or_else(|error| panic!("{clang}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

pub fn grid(groups: [u32; 3], threads: u32) -> Grid {
    Grid { groups, block: [threads, 1, 1], dynamic_lds_bytes: 0 }
}

/// Values in [-1, 1) with few bits, so that sums of products are exact.
pub fn inputs(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|i| {
            let mixed = (i.wrapping_add(seed))
                .wrapping_mul(0x9e37_79b9)
                .rotate_left(13)
                .wrapping_mul(0x85eb_ca6b);
            (mixed >> 28) as f32 / 8.0 - 1.0
        })
        .collect()
}

pub fn bf16_buffer(values: &[f32]) -> Argument {
    Argument::Buffer(values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect())
}

pub fn zeros(bytes: usize) -> Argument {
    Argument::Buffer(vec![0; bytes])
}

pub fn value(n: i32) -> Argument {
    Argument::Value(n.to_le_bytes().to_vec())
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// A launch with its inputs and what it must give.
pub struct Case {
    pub grid: Grid,
    pub arguments: Vec<Argument>,
    /// Which buffer holds the result.
    pub output: usize,
    pub want: Vec<f64>,
    pub tolerance: f64,
}

pub fn gemm(m: usize, n: usize, k: usize) -> Case {
    let (a, b) = (inputs(m * k, 1), inputs(n * k, 77));
    let product = |i: usize| {
        let (row, column) = (i / n, i % n);
        (0..k).map(|x| f64::from(a[row * k + x]) * f64::from(b[column * k + x])).sum()
    };
    Case {
        grid: grid([(m / 64) as u32, (n / 64) as u32, 1], 256),
        arguments: vec![
            bf16_buffer(&a),
            bf16_buffer(&b),
            zeros(4 * m * n),
            value(n as i32),
            value(k as i32),
        ],
        output: 2,
        want: (0..m * n).map(product).collect(),
        tolerance: 0.0,
    }
}

pub fn attention(n: usize) -> Case {
    const DIM: usize = 64;
    let [q, k, v] = [3, 5, 7].map(|seed| inputs(n * DIM, seed));
    let dot = |i: usize, j: usize| -> f64 {
        (0..DIM).map(|d| f64::from(q[i * DIM + d]) * f64::from(k[j * DIM + d])).sum()
    };
    let mut want = Vec::new();
    for i in 0..n {
        let scores: Vec<f64> = (0..n).map(|j| (dot(i, j) / 8.0).exp()).collect();
        let total: f64 = scores.iter().sum();
        for d in 0..DIM {
            let sum: f64 = (0..n).map(|j| scores[j] * f64::from(v[j * DIM + d])).sum();
            want.push(sum / total);
        }
    }
    Case {
        grid: grid([(n / 32) as u32, 1, 1], 128),
        arguments: vec![
            bf16_buffer(&q),
            bf16_buffer(&k),
            bf16_buffer(&v),
            zeros(4 * n * DIM),
            value(n as i32),
        ],
        output: 3,
        want,
        // P is rounded to bf16: half an ulp is 2^-9 of values below one.
        tolerance: 4e-3,
    }
}

pub fn rmsnorm(rows: usize) -> Case {
    let (x, w) = (inputs(rows * 256, 9), inputs(256, 11));
    let mut want = Vec::new();
    for row in x.chunks_exact(256) {
        let mean = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / 256.0;
        want.extend(
            row.iter().zip(&w).map(|(&v, &w)| f64::from(v) / (mean + 1e-5).sqrt() * f64::from(w)),
        );
    }
    Case {
        grid: grid([rows as u32, 1, 1], 256),
        arguments: vec![
            bf16_buffer(&x),
            bf16_buffer(&w),
            zeros(4 * rows * 256),
            Argument::Value(1e-5f32.to_le_bytes().to_vec()),
        ],
        output: 2,
        want,
        tolerance: 1e-5,
    }
}
