//! Every class of vector and scalar arithmetic against the host, on random bits.
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use common::lanes::{Lanes, execute};
use half::{bf16, f16};
use proptest::prelude::*;

type Host = fn(u32, u32, u32) -> u32;

fn f(bits: u32) -> f32 {
    f32::from_bits(bits)
}

fn h(bits: u32) -> f32 {
    f16::from_bits(bits as u16).to_f32()
}

fn to_h(value: f32) -> u32 {
    f16::from_f32(value).to_bits().into()
}

/// Instruction on v64, v65, v66 into v10, and what the host makes of the same bits.
const EXACT: &[(&str, Host)] = &[
    ("v_add_f32_e32 v10, v64, v65", |a, b, _| (f(a) + f(b)).to_bits()),
    ("v_sub_f32_e64 v10, |v64|, -v65", |a, b, _| (f(a).abs() + f(b)).to_bits()),
    ("v_mul_f32_e64 v10, v64, v65 mul:2", |a, b, _| (f(a) * f(b) * 2.0).to_bits()),
    ("v_fma_f32 v10, v64, -v65, v66", |a, b, c| f(a).mul_add(-f(b), f(c)).to_bits()),
    ("v_sqrt_f32_e32 v10, v64", |a, _, _| f(a).sqrt().to_bits()),
    ("v_floor_f32_e32 v10, v64", |a, _, _| f(a).floor().to_bits()),
    ("v_rndne_f32_e32 v10, v64", |a, _, _| f(a).round_ties_even().to_bits()),
    ("v_cvt_u32_f32_e32 v10, v64", |a, _, _| f(a) as u32),
    ("v_cvt_i32_f32_e32 v10, v64", |a, _, _| f(a) as i32 as u32),
    ("v_cvt_f32_i32_e32 v10, v64", |a, _, _| (a as i32 as f32).to_bits()),
    ("v_cvt_f16_f32_e32 v10, v64", |a, _, _| to_h(f(a))),
    ("v_cvt_f32_f16_e32 v10, v64", |a, _, _| h(a).to_bits()),
    (
        "v_cvt_f32_f16_sdwa v10, v64 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:WORD_1",
        |a, _, _| h(a >> 16).to_bits(),
    ),
    ("v_add_f16_e32 v10, v64, v65", |a, b, _| to_h(h(a) + h(b))),
    ("v_pk_mul_f16 v10, v64, v65 op_sel_hi:[1,0]", |a, b, _| {
        to_h(h(a) * h(b)) | to_h(h(a >> 16) * h(b)) << 16
    }),
    ("v_fma_mix_f32 v10, v64, v65, -v66 op_sel:[1,0,0] op_sel_hi:[1,0,0]", |a, b, c| {
        h(a >> 16).mul_add(f(b), -f(c)).to_bits()
    }),
    ("v_add_u32_e32 v10, v64, v65", |a, b, _| a.wrapping_add(b)),
    ("v_mul_hi_u32 v10, v64, v65", |a, b, _| ((u64::from(a) * u64::from(b)) >> 32) as u32),
    ("v_mad_u32_u24 v10, v64, v65, v66", |a, b, c| {
        (a << 8 >> 8).wrapping_mul(b << 8 >> 8).wrapping_add(c)
    }),
    ("v_ashrrev_i32_e32 v10, v64, v65", |a, b, _| ((b as i32) >> (a % 32)) as u32),
    ("v_bfe_u32 v10, v64, v65, v66", |a, b, c| (a >> (b % 32)) & ((1 << (c % 32)) - 1)),
    ("v_alignbit_b32 v10, v64, v65, v66", |a, b, c| {
        (((u64::from(a) << 32) | u64::from(b)) >> (c % 32)) as u32
    }),
    ("v_bfi_b32 v10, v64, v65, v66", |a, b, c| (a & b) | (!a & c)),
    ("v_lshl_add_u32 v10, v64, 3, v66", |a, _, c| (a << 3).wrapping_add(c)),
    (
        "v_and_b32_sdwa v10, v64, v65 dst_sel:WORD_1 dst_unused:UNUSED_PAD src0_sel:BYTE_3 src1_sel:DWORD",
        |a, b, _| (a >> 24 & b) << 16,
    ),
    ("v_med3_i32 v10, v64, v65, v66", |a, b, c| {
        let mut sorted = [a as i32, b as i32, c as i32];
        sorted.sort_unstable();
        sorted[1] as u32
    }),
];

fn same(got: u32, want: u32) -> bool {
    got == want || f(got).is_nan() && f(want).is_nan() || h(got).is_nan() && h(want).is_nan()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn vector_instructions_agree_with_the_host(bits in prop::collection::vec(any::<u32>(), 192)) {
        let inputs: Vec<Lanes> = bits.chunks_exact(64).map(|c| c.try_into().unwrap()).collect();
        for (body, host) in EXACT {
            let got = execute("gfx942", body, &inputs, 1);
            for l in 0..64 {
                let want = host(inputs[0][l], inputs[1][l], inputs[2][l]);
                prop_assert!(same(got[0][l], want), "{body}: {:#x} {:#x} {:#x}: {:#x} is not {want:#x}", inputs[0][l], inputs[1][l], inputs[2][l], got[0][l]);
            }
        }
    }

    #[test]
    fn long_instructions_agree_with_the_host(bits in prop::collection::vec(any::<u32>(), 384)) {
        let inputs: Vec<Lanes> = bits.chunks_exact(64).map(|c| c.try_into().unwrap()).collect();
        let pair = |r: usize, l: usize| u64::from(inputs[r][l]) | u64::from(inputs[r + 1][l]) << 32;
        let d = f64::from_bits;
        let at = |l: usize| [pair(0, l), pair(2, l), pair(4, l)];
        let cases: Vec<(&str, Vec<u64>)> = vec![
            ("v_add_f64 v[10:11], v[64:65], v[66:67]", (0..64).map(|l| (d(at(l)[0]) + d(at(l)[1])).to_bits()).collect()),
            ("v_fma_f64 v[10:11], v[64:65], -v[66:67], v[68:69]", (0..64).map(|l| d(at(l)[0]).mul_add(-d(at(l)[1]), d(at(l)[2])).to_bits()).collect()),
            ("v_lshl_add_u64 v[10:11], v[64:65], 3, v[68:69]", (0..64).map(|l| (at(l)[0] << 3).wrapping_add(at(l)[2])).collect()),
            ("v_mad_u64_u32 v[10:11], s[8:9], v64, v66, v[68:69]", (0..64).map(|l| (at(l)[0] & 0xffff_ffff).wrapping_mul(at(l)[1] & 0xffff_ffff).wrapping_add(at(l)[2])).collect()),
            ("v_pk_mov_b32 v[10:11], v[64:65], v[66:67] op_sel:[1,0]", (0..64).map(|l| at(l)[0] >> 32 | at(l)[1] << 32).collect()),
            ("v_ashrrev_i64 v[10:11], v64, v[66:67]", (0..64).map(|l| (at(l)[1] as i64 >> (at(l)[0] & 63)) as u64).collect()),
        ];
        for (body, want) in cases {
            let got = execute("gfx950", body, &inputs, 2);
            for l in 0..64 {
                let value = u64::from(got[0][l]) | u64::from(got[1][l]) << 32;
                prop_assert!(value == want[l] || d(value).is_nan() && d(want[l]).is_nan(), "{body} lane {l}");
            }
        }
    }

    #[test]
    fn bf16_rounds_to_nearest_even(bits in prop::collection::vec(any::<u32>(), 128)) {
        let inputs: Vec<Lanes> = bits.chunks_exact(64).map(|c| c.try_into().unwrap()).collect();
        let got = execute("gfx950", "v_cvt_pk_bf16_f32 v10, v64, v65", &inputs, 1);
        for l in 0..64 {
            let want = u32::from(bf16::from_f32(f(inputs[0][l])).to_bits()) | u32::from(bf16::from_f32(f(inputs[1][l])).to_bits()) << 16;
            prop_assert_eq!(got[0][l], want);
        }
    }
}

/// Transcendental instructions are within an ulp of the true value; the results near zero are flushed.
#[test]
fn transcendentals_are_within_an_ulp() {
    let check = |body: &str, from: f32, to: f32, truth: fn(f64) -> f64| {
        let input: Lanes =
            std::array::from_fn(|l| (from + (to - from) * l as f32 / 63.0).to_bits());
        let got = execute("gfx942", body, &[input], 1);
        for l in 0..64 {
            let (value, want) = (f(got[0][l]), truth(f64::from(f(input[l]))));
            let ulp = f64::from(f32::EPSILON) * want.abs().max(f64::from(f32::MIN_POSITIVE));
            assert!(
                (f64::from(value) - want).abs() <= ulp,
                "{body} of {}: {value} is not {want}",
                f(input[l])
            );
        }
    };
    check("v_exp_f32_e32 v10, v64", -120.0, 120.0, f64::exp2);
    check("v_log_f32_e32 v10, v64", 1e-3, 1e6, f64::log2);
    check("v_rcp_f32_e32 v10, v64", 1e-3, 1e6, f64::recip);
    check("v_rsq_f32_e32 v10, v64", 1e-3, 1e6, |x| 1.0 / x.sqrt());
    check("v_sqrt_f32_e32 v10, v64", 0.0, 1e6, f64::sqrt);
}

/// MODE keeps denormals by default; a kernel may ask for zeros.
#[test]
fn denormals_follow_the_mode() {
    let tiny = [1u32; 64];
    let kept = execute("gfx942", "v_mul_f32_e32 v10, 1.0, v64", &[tiny], 1);
    assert_eq!(kept[0], tiny);
    let flushed = execute(
        "gfx942",
        "s_setreg_imm32_b32 hwreg(HW_REG_MODE, 4, 2), 0\nv_mul_f32_e32 v10, 1.0, v64",
        &[tiny],
        1,
    );
    assert_eq!(flushed[0], [0; 64]);
    let exponent = execute("gfx942", "v_exp_f32_e32 v10, v64", &[[(-130f32).to_bits(); 64]], 1);
    assert_eq!(exponent[0], [0; 64], "exp flushes its result");
}

#[test]
fn scalar_halves_are_packed() {
    for (pack, want) in [("ll", 0xccdd_2233), ("lh", 0xaabb_2233), ("hh", 0xaabb_0011_u32)] {
        let body = format!(
            "s_mov_b32 s20, 0x112233\ns_mov_b32 s21, 0xaabbccdd\n\
             s_pack_{pack}_b32_b16 s22, s20, s21\nv_mov_b32_e32 v10, s22"
        );
        assert_eq!(execute("gfx942", &body, &[[0; 64]], 1)[0], [want; 64], "{pack}");
    }
}

#[test]
fn lanes_move_as_documented() {
    let index: Lanes = std::array::from_fn(|l| l as u32);
    let check = |body: &str, want: fn(usize) -> usize| {
        let got = execute("gfx950", body, &[index, [0; 64]], 1);
        assert_eq!(got[0], std::array::from_fn(|l| want(l) as u32), "{body}");
    };
    let dpp = |control: &str| {
        format!("v_mov_b32_dpp v10, v64 {control} row_mask:0xf bank_mask:0xf bound_ctrl:1")
    };
    check(&dpp("quad_perm:[1,0,3,2]"), |l| l ^ 1);
    check(&dpp("row_ror:4"), |l| l / 16 * 16 + (l + 12) % 16);
    check(&dpp("row_shr:1"), |l| if l % 16 == 0 { 0 } else { l - 1 });
    check(&dpp("row_mirror"), |l| l ^ 15);
    check(&dpp("row_half_mirror"), |l| l ^ 7);
    check(&dpp("row_bcast:15"), |l| if l < 16 { 0 } else { l / 16 * 16 - 1 });
    check("ds_swizzle_b32 v10, v64 offset:swizzle(SWAP,16)\ns_waitcnt lgkmcnt(0)", |l| l ^ 16);
    check(
        "v_lshlrev_b32_e32 v3, 2, v64\nv_xor_b32_e32 v3, 0x80, v3\nds_bpermute_b32 v10, v3, v64\ns_waitcnt lgkmcnt(0)",
        |l| l ^ 32,
    );
    check(
        "v_mov_b32_e32 v10, v64\nv_mov_b32_e32 v11, v65\nv_permlane32_swap_b32_e32 v10, v11",
        |l| if l < 32 { l } else { 0 },
    );
    check("v_mbcnt_lo_u32_b32 v10, -1, 0\nv_mbcnt_hi_u32_b32 v10, -1, v10", |l| l);
}
