//! Matrix instructions against plain products, with the lane layouts written out from AMD's tables and not from the crate.

mod common;

use common::inputs;
use common::lanes::{Lanes, execute};
use half::{bf16, f16};
use tilemark_cdna::number::{E2M1, E2M3, E3M2, E4M3, E4M3_FNUZ, E5M2, E5M2_FNUZ, Minifloat};

/// A format: its bits, and how a value becomes a code.
#[derive(Clone, Copy)]
enum Format {
    F32,
    F16,
    Bf16,
    Mini(Minifloat, usize),
}

impl Format {
    fn bits(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Mini(_, bits) => bits,
        }
    }

    fn code(self, value: f32) -> u128 {
        match self {
            Self::F32 => value.to_bits().into(),
            Self::F16 => f16::from_f32(value).to_bits().into(),
            Self::Bf16 => bf16::from_f32(value).to_bits().into(),
            Self::Mini(format, _) => format.encode(value).into(),
        }
    }

    fn rounded(self, value: f32) -> f64 {
        match self {
            Self::Mini(format, _) => format.decode(format.encode(value)).into(),
            _ => value.into(),
        }
    }
}

/// The depth that element `e` of lane `l` has, by the table of section 2 of the notes on AMD.
fn depth_of(m: usize, k: usize, format: Format, l: usize, e: usize) -> usize {
    match (m, k) {
        (32, 64) if format.bits() == 8 => 32 * (e / 16) + 16 * (l / 32) + e % 16,
        (16, 128) if format.bits() == 8 => 64 * (e / 16) + 16 * (l / 16) + e % 16,
        (32, 64) => 32 * (l / 32) + e,
        (16, 128) => 32 * (l / 16) + e,
        (32, 2) => l / 32,
        (16, 4) => l / 16,
        (32, 8) => 4 * (l / 32) + e,
        (16, 16) => 4 * (l / 16) + e,
        (32, 16) => 8 * (l / 32) + e,
        (16, 32) => 8 * (l / 16) + e,
        _ => unreachable!("{m} {k}"),
    }
}

/// The row that register `r` of lane `l` of the result has.
fn row_of(m: usize, l: usize, r: usize) -> usize {
    if m == 32 { 8 * (r / 4) + 4 * (l / 32) + r % 4 } else { 4 * (l / 16) + r }
}

/// `values[row * k + depth]` as the registers of an operand.
fn pack(values: &[f32], m: usize, k: usize, format: Format) -> Vec<Lanes> {
    let each = m * k / 64;
    let mut registers = vec![[0; 64]; (each * format.bits()).div_ceil(32)];
    for l in 0..64 {
        for e in 0..each {
            let code = format.code(values[l % m * k + depth_of(m, k, format, l, e)]);
            for bit in 0..format.bits() {
                let at = e * format.bits() + bit;
                registers[at / 32][l] |= ((code >> bit & 1) as u32) << (at % 32);
            }
        }
    }
    registers
}

fn check(
    arch: &str,
    mnemonic: &str,
    (m, k): (usize, usize),
    a: Format,
    b: Format,
    modifiers: &str,
) {
    let (left, right) = (inputs(m * k, 31), inputs(m * k, 57));
    let registers = m * m / 64;
    let (ra, rb) = (pack(&left, m, k, a), pack(&right, m, k, b));
    let (first_b, first_c) = (64 + ra.len(), 64 + ra.len() + rb.len());
    let addend = inputs(m * m, 99);
    let c = (0..registers)
        .map(|r| std::array::from_fn(|l| addend[row_of(m, l, r) * m + l % m].to_bits()));
    let all: Vec<Lanes> = ra.iter().chain(&rb).copied().chain(c).collect();
    let last = |first: usize, count: usize| first + count - 1;
    // Eight-register operands are named whole even where the format fills fewer.
    let range = |first: usize, count: usize| {
        if count == 1 { format!("v{first}") } else { format!("v[{first}:{}]", last(first, count)) }
    };
    let body = format!(
        "{mnemonic} {}, {}, {}, {}{modifiers}",
        range(10, registers),
        range(64, ra.len()),
        range(first_b, rb.len()),
        range(first_c, registers)
    );
    let got = execute(arch, &body, &all, registers);
    for (r, lanes) in got.iter().enumerate() {
        for (l, bits) in lanes.iter().enumerate() {
            let (row, column) = (row_of(m, l, r), l % m);
            let product =
                |d: usize| a.rounded(left[row * k + d]) * b.rounded(right[column * k + d]);
            let want: f64 = (0..k).map(product).sum::<f64>() + f64::from(addend[row * m + column]);
            assert_eq!(
                f64::from(f32::from_bits(*bits)),
                want,
                "{mnemonic} {arch}: row {row}, column {column}"
            );
        }
    }
}

#[test]
fn products_of_both_architectures() {
    for arch in common::ARCHS {
        check(arch, "v_mfma_f32_16x16x4_f32", (16, 4), Format::F32, Format::F32, "");
        check(arch, "v_mfma_f32_32x32x2_f32", (32, 2), Format::F32, Format::F32, "");
        check(arch, "v_mfma_f32_16x16x16_f16", (16, 16), Format::F16, Format::F16, "");
        check(arch, "v_mfma_f32_32x32x8_f16", (32, 8), Format::F16, Format::F16, "");
        check(arch, "v_mfma_f32_16x16x16_bf16", (16, 16), Format::Bf16, Format::Bf16, "");
        check(arch, "v_mfma_f32_32x32x8_bf16", (32, 8), Format::Bf16, Format::Bf16, "");
    }
}

#[test]
fn eight_bit_products_use_the_formats_of_the_architecture() {
    let fnuz = [Format::Mini(E4M3_FNUZ, 8), Format::Mini(E5M2_FNUZ, 8)];
    let ocp = [Format::Mini(E4M3, 8), Format::Mini(E5M2, 8)];
    for (arch, [fp8, bf8]) in [("gfx942", fnuz), ("gfx950", ocp)] {
        check(arch, "v_mfma_f32_16x16x32_fp8_fp8", (16, 32), fp8, fp8, "");
        check(arch, "v_mfma_f32_32x32x16_fp8_bf8", (32, 16), fp8, bf8, "");
        check(arch, "v_mfma_f32_16x16x32_bf8_fp8", (16, 32), bf8, fp8, "");
        check(arch, "v_mfma_f32_32x32x16_bf8_bf8", (32, 16), bf8, bf8, "");
    }
}

#[test]
fn products_of_gfx950() {
    check("gfx950", "v_mfma_f32_16x16x32_bf16", (16, 32), Format::Bf16, Format::Bf16, "");
    check("gfx950", "v_mfma_f32_32x32x16_bf16", (32, 16), Format::Bf16, Format::Bf16, "");
    check("gfx950", "v_mfma_f32_16x16x32_f16", (16, 32), Format::F16, Format::F16, "");
    check("gfx950", "v_mfma_f32_32x32x16_f16", (32, 16), Format::F16, Format::F16, "");
    let formats = [
        Format::Mini(E4M3, 8),
        Format::Mini(E5M2, 8),
        Format::Mini(E2M3, 6),
        Format::Mini(E3M2, 6),
        Format::Mini(E2M1, 4),
    ];
    for (a, &left) in formats.iter().enumerate() {
        for (b, &right) in formats.iter().enumerate() {
            let modifiers = format!(" cbsz:{a} blgp:{b}");
            check("gfx950", "v_mfma_f32_16x16x128_f8f6f4", (16, 128), left, right, &modifiers);
            check("gfx950", "v_mfma_f32_32x32x64_f8f6f4", (32, 64), left, right, &modifiers);
        }
    }
}

/// One depth block of 32 has a scale a row and a scale a column: lane l gives row l % M and block l / M.
#[test]
fn block_scales_multiply_their_blocks() {
    let (m, k) = (16, 128);
    let format = Format::Mini(E4M3, 8);
    let (left, right) = (inputs(m * k, 3), inputs(m * k, 4));
    let mut all: Vec<Lanes> = [pack(&left, m, k, format), pack(&right, m, k, format)].concat();
    all.extend([[0; 64]; 4]);
    let scale = |seed: usize, l: usize| 127 + (l * 7 + seed) % 5;
    all.push(std::array::from_fn(|l| scale(1, l) as u32));
    all.push(std::array::from_fn(|l| (scale(2, l) as u32) << 8));
    let body = "v_mfma_scale_f32_16x16x128_f8f6f4 v[10:13], v[64:71], v[72:79], v[80:83], v84, v85 op_sel:[0,1,0] op_sel_hi:[0,0,0]";
    let got = execute("gfx950", body, &all, 4);
    let factor =
        |seed, index: usize, block: usize| 2f64.powi(scale(seed, block * m + index) as i32 - 127);
    for (r, lanes) in got.iter().enumerate() {
        for (l, &bits) in lanes.iter().enumerate() {
            let (row, column) = (row_of(m, l, r), l % m);
            let term = |d: usize| {
                format.rounded(left[row * k + d])
                    * format.rounded(right[column * k + d])
                    * factor(1, row, d / 32)
                    * factor(2, column, d / 32)
            };
            let want: f64 = (0..k).map(term).sum();
            assert_eq!(f64::from(f32::from_bits(bits)), want, "row {row}, column {column}");
        }
    }
}

#[test]
fn double_products_have_their_own_layout() {
    let (a, b) = (inputs(64, 5), inputs(64, 6));
    let split =
        |value: f32| (f64::from(value).to_bits() as u32, (f64::from(value).to_bits() >> 32) as u32);
    // A row and B column l % 16, depth l / 16.
    let operand = |values: &[f32]| {
        let low = std::array::from_fn(|l| split(values[l % 16 * 4 + l / 16]).0);
        let high = std::array::from_fn(|l| split(values[l % 16 * 4 + l / 16]).1);
        [low, high]
    };
    let all: Vec<Lanes> = [operand(&a), operand(&b)].concat();
    let got = execute("gfx942", "v_mfma_f64_16x16x4_f64 v[10:17], v[64:65], v[66:67], 0", &all, 8);
    for r in 0..4 {
        for (l, (low, high)) in got[2 * r].iter().zip(&got[2 * r + 1]).enumerate() {
            let value = f64::from_bits(u64::from(*low) | u64::from(*high) << 32);
            let (row, column) = (4 * r + l / 16, l % 16);
            let want: f64 =
                (0..4).map(|d| f64::from(a[row * 4 + d]) * f64::from(b[column * 4 + d])).sum();
            assert_eq!(value, want, "row {row}, column {column}");
        }
    }
}

/// In each group of 16 lanes, lane l receives column l of the tile whose row l / 4 it addresses at column 4 (l % 4).
#[test]
fn a_transposing_read_gives_columns() {
    let body = "v_lshlrev_b32_e32 v4, 3, v0
ds_write_b64 v4, v[64:65]
ds_read_b64_tr_b16 v[10:11], v4
s_waitcnt lgkmcnt(0)";
    let element = |lane: usize, j: usize| (lane * 4 + j) as u32;
    let register =
        |r: usize| std::array::from_fn(|l| element(l, 2 * r) | element(l, 2 * r + 1) << 16);
    let got = execute("gfx950", body, &[register(0), register(1)], 2);
    for (l, (first, second)) in got[0].iter().zip(&got[1]).enumerate() {
        let pair = [*first, *second];
        for j in 0..4 {
            let value = pair[j / 2] >> (16 * (j % 2)) & 0xffff;
            assert_eq!(
                value,
                element(l / 16 * 16 + 4 * j + l % 16 / 4, l % 4),
                "lane {l}, element {j}"
            );
        }
    }
}
