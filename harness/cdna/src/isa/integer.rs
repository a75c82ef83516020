//! Integer and bit vector instructions: a line a mnemonic.

use super::lanes::{flags, one, three, two, wide, wide_flags};
use super::{Compute, Kind};

pub fn lookup(mnemonic: &str) -> Option<(Kind, Compute)> {
    let name = mnemonic.strip_prefix("v_")?;
    short(name)
        .or_else(|| ternary(name))
        .or_else(|| packed(name))
        .or_else(|| compare(name))
        .map(|compute| (Kind::U32, compute))
        .or_else(|| long(name).map(|compute| (Kind::U64, compute)))
}

macro_rules! one {
    ($f:expr) => {
        Compute::One(|out, a| one(out, a, $f))
    };
}
macro_rules! two {
    ($f:expr) => {
        Compute::Two(|out, a, b| two(out, a, b, $f))
    };
}
macro_rules! three {
    ($f:expr) => {
        Compute::Three(|out, a, b, c| three(out, a, b, c, $f))
    };
}

fn short(name: &str) -> Option<Compute> {
    Some(match name {
        "mov_b32" | "accvgpr_read_b32" | "accvgpr_write_b32" | "accvgpr_mov_b32" => one!(|a| a),
        "not_b32" => one!(|a| !a),
        "bfrev_b32" => one!(u32::reverse_bits),
        "ffbl_b32" => one!(|a| if a == 0 { u32::MAX } else { a.trailing_zeros() }),
        "ffbh_u32" => one!(|a| if a == 0 { u32::MAX } else { a.leading_zeros() }),
        "add_u32" => two!(u32::wrapping_add),
        "sub_u32" => two!(u32::wrapping_sub),
        "subrev_u32" => two!(|a, b| b.wrapping_sub(a)),
        "add_u16" => two!(|a, b| a.wrapping_add(b) & 0xffff),
        "sub_u16" => two!(|a, b| a.wrapping_sub(b) & 0xffff),
        "subrev_u16" => two!(|a, b| b.wrapping_sub(a) & 0xffff),
        "mul_lo_u16" => two!(|a, b| a.wrapping_mul(b) & 0xffff),
        "lshlrev_b16" => two!(|a, b| b << (a & 15) & 0xffff),
        "lshrrev_b16" => two!(|a, b| (b & 0xffff) >> (a & 15)),
        "ashrrev_i16" => two!(|a, b| (i32::from(b as i16) >> (a & 15)) as u32 & 0xffff),
        "max_u16" => two!(|a, b| (a & 0xffff).max(b & 0xffff)),
        "min_u16" => two!(|a, b| (a & 0xffff).min(b & 0xffff)),
        "max_i16" => two!(|a, b| u32::from((a as i16).max(b as i16) as u16)),
        "min_i16" => two!(|a, b| u32::from((a as i16).min(b as i16) as u16)),
        "and_b32" => two!(|a, b| a & b),
        "or_b32" => two!(|a, b| a | b),
        "xor_b32" => two!(|a, b| a ^ b),
        "xnor_b32" => two!(|a, b| !(a ^ b)),
        "lshlrev_b32" => two!(|a, b| b << (a & 31)),
        "lshrrev_b32" => two!(|a, b| b >> (a & 31)),
        "ashrrev_i32" => two!(|a, b| (b as i32 >> (a & 31)) as u32),
        "mul_lo_u32" => two!(u32::wrapping_mul),
        "mul_hi_u32" => two!(|a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32),
        "mul_hi_i32" => two!(|a, b| ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32),
        "mul_u32_u24" => two!(|a, b| low24(a).wrapping_mul(low24(b))),
        "mul_hi_u32_u24" => two!(|a, b| ((u64::from(low24(a)) * u64::from(low24(b))) >> 32) as u32),
        "mul_i32_i24" => two!(|a, b| signed24(a).wrapping_mul(signed24(b)) as u32),
        "max_i32" => two!(|a, b| (a as i32).max(b as i32) as u32),
        "min_i32" => two!(|a, b| (a as i32).min(b as i32) as u32),
        "max_u32" => two!(|a, b| a.max(b)),
        "min_u32" => two!(|a, b| a.min(b)),
        "bfm_b32" => two!(|a, b| ((1u32 << (a & 31)) - 1) << (b & 31)),
        "bcnt_u32_b32" => two!(|a, b| b.wrapping_add(a.count_ones())),
        "mbcnt_lo_u32_b32" => Compute::Two(|out, a, b| {
            for l in 0..64 {
                out[l] = b[l].wrapping_add((a[l] & lanes_below(l.min(32))).count_ones());
            }
        }),
        "mbcnt_hi_u32_b32" => Compute::Two(|out, a, b| {
            for l in 0..64 {
                out[l] = b[l].wrapping_add((a[l] & lanes_below(l.saturating_sub(32))).count_ones());
            }
        }),
        _ => return None,
    })
}

fn lanes_below(count: usize) -> u32 {
    ((1u64 << count) - 1) as u32
}

#[inline(always)]
fn low24(a: u32) -> u32 {
    a & 0xff_ffff
}

#[inline(always)]
fn signed24(a: u32) -> i32 {
    (a << 8) as i32 >> 8
}

fn ternary(name: &str) -> Option<Compute> {
    Some(match name {
        "add3_u32" => three!(|a, b, c| a.wrapping_add(b).wrapping_add(c)),
        "lshl_add_u32" => three!(|a, b, c| (a << (b & 31)).wrapping_add(c)),
        "add_lshl_u32" => three!(|a, b, c| a.wrapping_add(b) << (c & 31)),
        "lshl_or_b32" => three!(|a, b, c| a << (b & 31) | c),
        "and_or_b32" => three!(|a, b, c| a & b | c),
        "or3_b32" => three!(|a, b, c| a | b | c),
        "xad_u32" => three!(|a, b, c| (a ^ b).wrapping_add(c)),
        "bfi_b32" => three!(|a, b, c| a & b | !a & c),
        "bfe_u32" => three!(|a, b, c| a >> (b & 31) & ((1 << (c & 31)) - 1)),
        "bfe_i32" => three!(|a, b, c| signed_field(a, b & 31, c & 31)),
        "alignbit_b32" => {
            three!(|a, b, c| ((u64::from(a) << 32 | u64::from(b)) >> (c & 31)) as u32)
        }
        "alignbyte_b32" => {
            three!(|a, b, c| ((u64::from(a) << 32 | u64::from(b)) >> (8 * (c & 3))) as u32)
        }
        "mad_u32_u24" => three!(|a, b, c| low24(a).wrapping_mul(low24(b)).wrapping_add(c)),
        "mad_i32_i24" => {
            three!(|a, b, c| (signed24(a).wrapping_mul(signed24(b)) as u32).wrapping_add(c))
        }
        "mad_legacy_u16" | "mad_u16" => {
            three!(|a, b, c| a.wrapping_mul(b).wrapping_add(c) & 0xffff)
        }
        "max3_u32" => three!(|a, b, c| a.max(b).max(c)),
        "min3_u32" => three!(|a, b, c| a.min(b).min(c)),
        "max3_i32" => three!(|a, b, c| (a as i32).max(b as i32).max(c as i32) as u32),
        "min3_i32" => three!(|a, b, c| (a as i32).min(b as i32).min(c as i32) as u32),
        "med3_u32" => three!(|a, b, c| a.max(b).min(a.min(b).max(c))),
        "med3_i32" => three!(|a, b, c| {
            let (a, b, c) = (a as i32, b as i32, c as i32);
            a.max(b).min(a.min(b).max(c)) as u32
        }),
        "sad_u32" => three!(|a, b, c| a.abs_diff(b).wrapping_add(c)),
        "perm_b32" => three!(permute_bytes),
        _ => return None,
    })
}

/// The truth table `table` of a `v_bitop3_b32`, whose bit 4a + 2b + c is the result for the bits a, b, c.
pub fn bitop3(table: u32, a: u32, b: u32, c: u32) -> u32 {
    (0..8)
        .filter(|row| table >> row & 1 == 1)
        .map(|row| {
            let pick = |bit: u32, value: u32| if row >> bit & 1 == 1 { value } else { !value };
            pick(2, a) & pick(1, b) & pick(0, c)
        })
        .fold(0, |all, row| all | row)
}

fn signed_field(a: u32, offset: u32, width: u32) -> u32 {
    if width == 0 {
        return 0;
    }
    let field = i64::from(a as i32) >> offset;
    ((field << (64 - width)) >> (64 - width)) as u32
}

/// Selectors 0–7 take a byte of b then a, 8–11 a sign, 12 zero, above all ones.
fn permute_bytes(a: u32, b: u32, selector: u32) -> u32 {
    let pair = u64::from(a) << 32 | u64::from(b);
    let bytes = selector.to_le_bytes().map(|code| match code {
        0..=7 => (pair >> (8 * code)) as u8,
        8..=11 => {
            let sign_bit = 16 * u32::from(code - 8) + 15;
            if pair >> sign_bit & 1 == 1 { 0xff } else { 0 }
        }
        12 => 0,
        _ => 0xff,
    });
    u32::from_le_bytes(bytes)
}

/// Two 16-bit integers in one register.
fn packed(name: &str) -> Option<Compute> {
    macro_rules! packed {
        ($f:expr) => {
            Compute::Two(|out, a, b| {
                let f: fn(u16, u16) -> u16 = $f;
                two(out, a, b, |a, b| {
                    u32::from(f(a as u16, b as u16))
                        | u32::from(f((a >> 16) as u16, (b >> 16) as u16)) << 16
                })
            })
        };
    }
    Some(match name {
        "pk_add_u16" | "pk_add_i16" => packed!(u16::wrapping_add),
        "pk_sub_u16" | "pk_sub_i16" => packed!(u16::wrapping_sub),
        "pk_mul_lo_u16" => packed!(u16::wrapping_mul),
        "pk_lshlrev_b16" => packed!(|a, b| b << (a & 15)),
        "pk_lshrrev_b16" => packed!(|a, b| b >> (a & 15)),
        "pk_ashrrev_i16" => packed!(|a, b| (b as i16 >> (a & 15)) as u16),
        "pk_max_u16" => packed!(|a, b| a.max(b)),
        "pk_min_u16" => packed!(|a, b| a.min(b)),
        "pk_max_i16" => packed!(|a, b| (a as i16).max(b as i16) as u16),
        "pk_min_i16" => packed!(|a, b| (a as i16).min(b as i16) as u16),
        _ => return None,
    })
}

macro_rules! ordering {
    ($operation:expr, $convert:expr, $make:ident) => {
        match $operation {
            "lt" => $make!(|a, b| $convert(a) < $convert(b)),
            "eq" => $make!(|a, b| $convert(a) == $convert(b)),
            "le" => $make!(|a, b| $convert(a) <= $convert(b)),
            "gt" => $make!(|a, b| $convert(a) > $convert(b)),
            "ne" => $make!(|a, b| $convert(a) != $convert(b)),
            "ge" => $make!(|a, b| $convert(a) >= $convert(b)),
            _ => return None,
        }
    };
}

fn compare(name: &str) -> Option<Compute> {
    macro_rules! narrow {
        ($f:expr) => {
            Compute::Compare(|out, a, b| flags(out, a, b, $f))
        };
    }
    let (operation, kind) = name.strip_prefix("cmp_")?.split_once('_')?;
    Some(match kind {
        "u32" => ordering!(operation, |a: u32| a, narrow),
        "i32" => ordering!(operation, |a: u32| a as i32, narrow),
        "u16" => ordering!(operation, |a: u32| a as u16, narrow),
        "i16" => ordering!(operation, |a: u32| a as i16, narrow),
        _ => return None,
    })
}

fn compare_long(name: &str) -> Option<Compute> {
    macro_rules! broad {
        ($f:expr) => {
            Compute::CompareWide(|out, a, b| wide_flags(out, a, b, $f))
        };
    }
    let (operation, kind) = name.strip_prefix("cmp_")?.split_once('_')?;
    Some(match kind {
        "u64" => ordering!(operation, |a: u64| a, broad),
        "i64" => ordering!(operation, |a: u64| a as i64, broad),
        _ => return None,
    })
}

/// 64-bit results; where a source is 32 bits wide it arrives zero-extended.
fn long(name: &str) -> Option<Compute> {
    macro_rules! long {
        ($sources:literal, $f:expr) => {
            Compute::Wide(|out, a, b, c| wide(out, a, b, c, $f), $sources, 2)
        };
    }
    Some(match name {
        "mov_b64" => long!(1, |a, _, _| a),
        "lshlrev_b64" => long!(2, |a, b, _| b << (a & 63)),
        "lshrrev_b64" => long!(2, |a, b, _| b >> (a & 63)),
        "ashrrev_i64" => long!(2, |a, b, _| (b as i64 >> (a & 63)) as u64),
        "lshl_add_u64" => long!(3, |a, b, c| (a << (b & 7)).wrapping_add(c)),
        "mad_u64_u32" => long!(3, |a, b, c| (a & LOW).wrapping_mul(b & LOW).wrapping_add(c)),
        "mad_i64_i32" => long!(3, |a, b, c| {
            let product = i64::from(a as i32) * i64::from(b as i32);
            (product as u64).wrapping_add(c)
        }),
        _ => return compare_long(name),
    })
}

const LOW: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_permuted_as_documented() {
        assert_eq!(permute_bytes(0x8877_6655, 0x4433_2211, 0x0706_0100), 0x8877_2211);
        assert_eq!(permute_bytes(0x8877_6655, 0x4433_2211, 0x0c0d_0b08), 0x00ff_ff00);
    }

    proptest! {
        #[test]
        fn bitop3_is_its_truth_table(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
            prop_assert_eq!(bitop3(0x80, a, b, c), a & b & c);
            prop_assert_eq!(bitop3(0x96, a, b, c), a ^ b ^ c);
            prop_assert_eq!(bitop3(0xfe, a, b, c), a | b | c);
            prop_assert_eq!(bitop3(0x78, a, b, c), a ^ (b & c));
        }

        #[test]
        fn signed_fields_extend_the_top_bit(a in any::<u32>(), offset in 0u32..32, width in 0u32..32) {
            let mut want = 0i64;
            for bit in 0..width {
                let from = (offset + bit).min(31);
                want |= i64::from(a >> from & 1) << bit;
            }
            if width > 0 && want >> (width - 1) & 1 == 1 {
                want -= 1 << width;
            }
            prop_assert_eq!(signed_field(a, offset, width), want as u32);
        }
    }
}
