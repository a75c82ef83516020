//! Scalar arithmetic: a line a mnemonic. A 32-bit operand arrives zero-extended; of a 32-bit result the low half is kept.

use super::ScalarFn;

/// How many registers the result has, whether the instruction reads the old SCC, and how to compute.
#[derive(Clone, Copy)]
pub struct Entry {
    pub result: u8,
    pub scc: SccUse,
    pub compute: ScalarFn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SccUse {
    Reads,
    Writes,
    Keeps,
}

pub fn lookup(mnemonic: &str) -> Option<Entry> {
    let name = mnemonic.strip_prefix("s_")?;
    arithmetic(name)
        .or_else(|| bits(name))
        .or_else(|| unary(name))
        .or_else(|| select(name))
        .or_else(|| compare(name))
}

/// The function of `s_*_saveexec_b64`: (operand, EXEC) → EXEC.
pub fn save_exec(mnemonic: &str) -> Option<fn(u64, u64) -> u64> {
    Some(match mnemonic {
        "s_and_saveexec_b64" => |a, exec| a & exec,
        "s_or_saveexec_b64" => |a, exec| a | exec,
        "s_xor_saveexec_b64" => |a, exec| a ^ exec,
        "s_andn2_saveexec_b64" => |a, exec| a & !exec,
        "s_andn1_saveexec_b64" => |a, exec| !a & exec,
        "s_orn2_saveexec_b64" => |a, exec| a | !exec,
        "s_nand_saveexec_b64" => |a, exec| !(a & exec),
        "s_nor_saveexec_b64" => |a, exec| !(a | exec),
        "s_xnor_saveexec_b64" => |a, exec| !(a ^ exec),
        _ => return None,
    })
}

fn writes(result: u8, compute: ScalarFn) -> Entry {
    Entry { result, scc: SccUse::Writes, compute }
}

fn keeps(result: u8, compute: ScalarFn) -> Entry {
    Entry { result, scc: SccUse::Keeps, compute }
}

fn reads(result: u8, compute: ScalarFn) -> Entry {
    Entry { result, scc: SccUse::Reads, compute }
}

fn signed_overflow((value, overflow): (i32, bool)) -> (u64, bool) {
    (u64::from(value as u32), overflow)
}

fn carry(sum: u64) -> (u64, bool) {
    (sum & 0xffff_ffff, sum >> 32 != 0)
}

fn nonzero32(value: u32) -> (u64, bool) {
    (u64::from(value), value != 0)
}

fn nonzero64(value: u64) -> (u64, bool) {
    (value, value != 0)
}

fn arithmetic(name: &str) -> Option<Entry> {
    Some(match name {
        "add_u32" => writes(1, |a, b, _| carry(a + b)),
        "sub_u32" => writes(1, |a, b, _| (a.wrapping_sub(b), b > a)),
        "addc_u32" => reads(1, |a, b, scc| carry(a + b + u64::from(scc))),
        "subb_u32" => {
            reads(1, |a, b, scc| (a.wrapping_sub(b + u64::from(scc)), b + u64::from(scc) > a))
        }
        "add_i32" | "addk_i32" => {
            writes(1, |a, b, _| signed_overflow((a as i32).overflowing_add(b as i32)))
        }
        "sub_i32" => writes(1, |a, b, _| signed_overflow((a as i32).overflowing_sub(b as i32))),
        "mul_i32" | "mulk_i32" => keeps(1, |a, b, scc| (a.wrapping_mul(b), scc)),
        "mul_hi_u32" => keeps(1, |a, b, scc| ((a * b) >> 32, scc)),
        "mul_hi_i32" => {
            keeps(1, |a, b, scc| ((i64::from(a as i32) * i64::from(b as i32)) as u64 >> 32, scc))
        }
        "min_u32" => writes(1, |a, b, _| (a.min(b), a <= b)),
        "max_u32" => writes(1, |a, b, _| (a.max(b), a >= b)),
        "min_i32" => writes(1, |a, b, _| if a as i32 <= b as i32 { (a, true) } else { (b, false) }),
        "max_i32" => writes(1, |a, b, _| if a as i32 >= b as i32 { (a, true) } else { (b, false) }),
        "absdiff_i32" => writes(1, |a, b, _| nonzero32((a as i32).abs_diff(b as i32))),
        "lshl1_add_u32" => writes(1, |a, b, _| carry((a << 1) + b)),
        "lshl2_add_u32" => writes(1, |a, b, _| carry((a << 2) + b)),
        "lshl3_add_u32" => writes(1, |a, b, _| carry((a << 3) + b)),
        "lshl4_add_u32" => writes(1, |a, b, _| carry((a << 4) + b)),
        _ => return None,
    })
}

fn bits(name: &str) -> Option<Entry> {
    Some(match name {
        "and_b32" => writes(1, |a, b, _| nonzero64(a & b)),
        "or_b32" => writes(1, |a, b, _| nonzero64(a | b)),
        "xor_b32" => writes(1, |a, b, _| nonzero64(a ^ b)),
        "andn2_b32" => writes(1, |a, b, _| nonzero64(a & !b)),
        "orn2_b32" => writes(1, |a, b, _| nonzero32(a as u32 | !(b as u32))),
        "nand_b32" => writes(1, |a, b, _| nonzero32(!(a & b) as u32)),
        "nor_b32" => writes(1, |a, b, _| nonzero32(!(a | b) as u32)),
        "xnor_b32" => writes(1, |a, b, _| nonzero32(!(a ^ b) as u32)),
        "and_b64" => writes(2, |a, b, _| nonzero64(a & b)),
        "or_b64" => writes(2, |a, b, _| nonzero64(a | b)),
        "xor_b64" => writes(2, |a, b, _| nonzero64(a ^ b)),
        "andn2_b64" => writes(2, |a, b, _| nonzero64(a & !b)),
        "orn2_b64" => writes(2, |a, b, _| nonzero64(a | !b)),
        "nand_b64" => writes(2, |a, b, _| nonzero64(!(a & b))),
        "nor_b64" => writes(2, |a, b, _| nonzero64(!(a | b))),
        "xnor_b64" => writes(2, |a, b, _| nonzero64(!(a ^ b))),
        "lshl_b32" => writes(1, |a, b, _| nonzero32((a as u32) << (b & 31))),
        "lshr_b32" => writes(1, |a, b, _| nonzero32(a as u32 >> (b & 31))),
        "ashr_i32" => writes(1, |a, b, _| nonzero32((a as i32 >> (b & 31)) as u32)),
        "lshl_b64" => writes(2, |a, b, _| nonzero64(a << (b & 63))),
        "lshr_b64" => writes(2, |a, b, _| nonzero64(a >> (b & 63))),
        "ashr_i64" => writes(2, |a, b, _| nonzero64((a as i64 >> (b & 63)) as u64)),
        "bfe_u32" => writes(1, |a, b, _| nonzero64(field(a, b & 31, (b >> 16 & 127).min(32)))),
        "bfe_u64" => writes(2, |a, b, _| nonzero64(field(a, b & 63, b >> 16 & 127))),
        "bfe_i32" => writes(1, |a, b, _| {
            let value = signed_field(i64::from(a as i32), b & 31, (b >> 16 & 127).min(32));
            nonzero32(value as u32)
        }),
        "bfe_i64" => writes(2, |a, b, _| nonzero64(signed_field(a as i64, b & 63, b >> 16 & 127))),
        "bfm_b32" => keeps(1, |a, b, scc| (((1 << (a & 31)) - 1) << (b & 31) & 0xffff_ffff, scc)),
        "bfm_b64" => keeps(2, |a, b, scc| (((1 << (a & 63)) - 1) << (b & 63), scc)),
        "bitset0_b32" => keeps(1, |a, old, scc| (old & !(1 << (a & 31)), scc)),
        "bitset1_b32" => keeps(1, |a, old, scc| (old | 1 << (a & 31), scc)),
        "bitset0_b64" => keeps(2, |a, old, scc| (old & !(1 << (a & 63)), scc)),
        "bitset1_b64" => keeps(2, |a, old, scc| (old | 1 << (a & 63), scc)),
        "pack_ll_b32_b16" => keeps(1, |a, b, scc| (a & 0xffff | (b & 0xffff) << 16, scc)),
        "pack_lh_b32_b16" => keeps(1, |a, b, scc| (a & 0xffff | b & 0xffff_0000, scc)),
        "pack_hh_b32_b16" => keeps(1, |a, b, scc| (a >> 16 & 0xffff | b & 0xffff_0000, scc)),
        _ => return None,
    })
}

fn field(value: u64, offset: u64, width: u64) -> u64 {
    match width {
        0 => 0,
        64.. => value >> offset,
        _ => value >> offset & ((1 << width) - 1),
    }
}

fn signed_field(value: i64, offset: u64, width: u64) -> u64 {
    if width == 0 {
        return 0;
    }
    let unused = 64 - width.min(64);
    ((value >> offset) << unused >> unused) as u64
}

fn unary(name: &str) -> Option<Entry> {
    Some(match name {
        "mov_b32" | "movk_i32" => keeps(1, |a, _, scc| (a, scc)),
        "mov_b64" => keeps(2, |a, _, scc| (a, scc)),
        "not_b32" => writes(1, |a, _, _| nonzero32(!(a as u32))),
        "not_b64" => writes(2, |a, _, _| nonzero64(!a)),
        "abs_i32" => writes(1, |a, _, _| nonzero32((a as i32).unsigned_abs())),
        "brev_b32" => keeps(1, |a, _, scc| (u64::from((a as u32).reverse_bits()), scc)),
        "brev_b64" => keeps(2, |a, _, scc| (a.reverse_bits(), scc)),
        "bcnt1_i32_b32" | "bcnt1_i32_b64" => {
            writes(1, |a, _, _| nonzero64(u64::from(a.count_ones())))
        }
        "bcnt0_i32_b32" => writes(1, |a, _, _| nonzero64(u64::from((a as u32).count_zeros()))),
        "bcnt0_i32_b64" => writes(1, |a, _, _| nonzero64(u64::from(a.count_zeros()))),
        "ff1_i32_b32" | "ff1_i32_b64" => keeps(1, |a, _, scc| {
            (if a == 0 { u64::MAX } else { u64::from(a.trailing_zeros()) }, scc)
        }),
        "flbit_i32_b32" => keeps(1, |a, _, scc| {
            (if a == 0 { u64::MAX } else { u64::from((a as u32).leading_zeros()) }, scc)
        }),
        "flbit_i32_b64" => keeps(1, |a, _, scc| {
            (if a == 0 { u64::MAX } else { u64::from(a.leading_zeros()) }, scc)
        }),
        "sext_i32_i8" => keeps(1, |a, _, scc| (a as i8 as u64, scc)),
        "sext_i32_i16" => keeps(1, |a, _, scc| (a as i16 as u64, scc)),
        "wqm_b64" => writes(2, |a, _, _| nonzero64(a)),
        _ => return None,
    })
}

fn select(name: &str) -> Option<Entry> {
    Some(match name {
        "cselect_b32" => reads(1, |a, b, scc| (if scc { a } else { b }, scc)),
        "cselect_b64" => reads(2, |a, b, scc| (if scc { a } else { b }, scc)),
        // The old destination is the second operand.
        "cmov_b32" | "cmovk_i32" => reads(1, |a, old, scc| (if scc { a } else { old }, scc)),
        "cmov_b64" => reads(2, |a, old, scc| (if scc { a } else { old }, scc)),
        _ => return None,
    })
}

fn compare(name: &str) -> Option<Entry> {
    let name = name.strip_prefix("cmpk_").or(name.strip_prefix("cmp_"));
    Some(match name? {
        "eq_u32" | "eq_i32" => writes(0, |a, b, _| (0, a as u32 == b as u32)),
        "lg_u32" | "lg_i32" => writes(0, |a, b, _| (0, a as u32 != b as u32)),
        "lt_u32" => writes(0, |a, b, _| (0, a < b)),
        "le_u32" => writes(0, |a, b, _| (0, a <= b)),
        "gt_u32" => writes(0, |a, b, _| (0, a > b)),
        "ge_u32" => writes(0, |a, b, _| (0, a >= b)),
        "lt_i32" => writes(0, |a, b, _| (0, (a as i32) < b as i32)),
        "le_i32" => writes(0, |a, b, _| (0, a as i32 <= b as i32)),
        "gt_i32" => writes(0, |a, b, _| (0, a as i32 > b as i32)),
        "ge_i32" => writes(0, |a, b, _| (0, a as i32 >= b as i32)),
        "eq_u64" => writes(0, |a, b, _| (0, a == b)),
        "lg_u64" => writes(0, |a, b, _| (0, a != b)),
        _ => return None,
    })
}

/// `s_bitcmp0_b32` and `s_bitcmp1_b32` compare one bit; they share no name with the rest.
pub fn bit_compare(mnemonic: &str) -> Option<ScalarFn> {
    Some(match mnemonic {
        "s_bitcmp0_b32" => |a, b, _| (0, a >> (b & 31) & 1 == 0),
        "s_bitcmp1_b32" => |a, b, _| (0, a >> (b & 31) & 1 == 1),
        "s_bitcmp0_b64" => |a, b, _| (0, a >> (b & 63) & 1 == 0),
        "s_bitcmp1_b64" => |a, b, _| (0, a >> (b & 63) & 1 == 1),
        _ => return None,
    })
}
