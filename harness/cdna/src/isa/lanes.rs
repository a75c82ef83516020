//! Applies a function of one lane to all lanes. Fixed-size arrays, so that the compiler makes vector code of each loop.

use super::{Flags, Lanes, Wide};
use crate::number::{fma, from_f16, to_f16};

#[inline(always)]
pub fn one(out: &mut Lanes, a: &Lanes, f: impl Fn(u32) -> u32) {
    for l in 0..64 {
        out[l] = f(a[l]);
    }
}

#[inline(always)]
pub fn two(out: &mut Lanes, a: &Lanes, b: &Lanes, f: impl Fn(u32, u32) -> u32) {
    for l in 0..64 {
        out[l] = f(a[l], b[l]);
    }
}

#[inline(always)]
pub fn three(out: &mut Lanes, a: &Lanes, b: &Lanes, c: &Lanes, f: impl Fn(u32, u32, u32) -> u32) {
    for l in 0..64 {
        out[l] = f(a[l], b[l], c[l]);
    }
}

#[inline(always)]
pub fn wide(out: &mut Wide, a: &Wide, b: &Wide, c: &Wide, f: impl Fn(u64, u64, u64) -> u64) {
    for l in 0..64 {
        out[l] = f(a[l], b[l], c[l]);
    }
}

#[inline(always)]
pub fn flags(out: &mut Flags, a: &Lanes, b: &Lanes, f: impl Fn(u32, u32) -> bool) {
    for l in 0..64 {
        out[l] = u8::from(f(a[l], b[l]));
    }
}

#[inline(always)]
pub fn wide_flags(out: &mut Flags, a: &Wide, b: &Wide, f: impl Fn(u64, u64) -> bool) {
    for l in 0..64 {
        out[l] = u8::from(f(a[l], b[l]));
    }
}

/// a·b + c of every lane with one rounding.
/// The f64 sum is right unless it lies half way between two f32 or its f32 is subnormal, where the second rounding can err;
/// such lanes are rare and done again, so that the others need no more than vector code.
pub fn fused(out: &mut Lanes, a: &Lanes, b: &Lanes, c: &Lanes) {
    const DROPPED: u64 = (1 << 29) - 1;
    const HALF: u64 = 1 << 28;
    let mut doubtful = 0;
    for l in 0..64 {
        let [x, y, z] = [a[l], b[l], c[l]].map(|bits| f64::from(f32::from_bits(bits)));
        let sum = x * y + z;
        let value = sum as f32;
        let tiny = value.abs() <= f32::MIN_POSITIVE && sum != 0.0;
        doubtful |= u32::from(sum.to_bits() & DROPPED == HALF) | u32::from(tiny);
        out[l] = value.to_bits();
    }
    if doubtful != 0 {
        three(out, a, b, c, |a, b, c| {
            let [a, b, c] = [a, b, c].map(f32::from_bits);
            fma(a, b, c).to_bits()
        });
    }
}

/// Applies a function of f16 values to both halves.
#[inline(always)]
pub fn halves(a: u32, b: u32, c: u32, f: impl Fn(f32, f32, f32) -> f32) -> u32 {
    let low = f(from_f16(a), from_f16(b), from_f16(c));
    let high = f(from_f16(a >> 16), from_f16(b >> 16), from_f16(c >> 16));
    to_f16(low) | to_f16(high) << 16
}

/// One bit a lane as an all-ones or all-zeros word a lane.
pub fn expand(mask: u64) -> Lanes {
    const BYTES: [[u32; 8]; 256] = {
        let mut table = [[0; 8]; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut bit = 0;
            while bit < 8 {
                table[byte][bit] = if byte >> bit & 1 == 1 { u32::MAX } else { 0 };
                bit += 1;
            }
            byte += 1;
        }
        table
    };
    let mut lanes = [0; 64];
    for (chunk, byte) in lanes.chunks_exact_mut(8).zip(mask.to_le_bytes()) {
        chunk.copy_from_slice(&BYTES[usize::from(byte)]);
    }
    lanes
}

/// One flag a lane as one bit a lane.
pub fn collect(flags: &Flags) -> u64 {
    // The product moves the low bit of byte i to bit 56 + i without carries.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut mask = 0;
    for (index, chunk) in flags.chunks_exact(8).enumerate() {
        let bytes = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight flags"));
        mask |= (bytes.wrapping_mul(GATHER) >> 56) << (8 * index);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fused_sums_round_once(bits in prop::collection::vec(any::<u32>(), 192), near in any::<bool>()) {
            let mut lanes: Vec<Lanes> = bits.chunks_exact(64).map(|c| c.try_into().unwrap()).collect();
            if near {
                // Few bits and small numbers meet half-way cases and subnormals, which random bits do not.
                lanes = lanes.into_iter().map(|l| l.map(|v| v & 0x803f_f000 | (v >> 28 & 1) << 29)).collect();
            }
            let mut out = [0; 64];
            fused(&mut out, &lanes[0], &lanes[1], &lanes[2]);
            for l in 0..64 {
                let [a, b, c] = [0, 1, 2].map(|i: usize| f32::from_bits(lanes[i][l]));
                let (got, want) = (f32::from_bits(out[l]), a.mul_add(b, c));
                prop_assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{a} {b} {c}");
            }
        }

        #[test]
        fn expand_and_collect_are_inverse(mask in any::<u64>()) {
            let flags = expand(mask).map(|lane| u8::from(lane == u32::MAX));
            prop_assert_eq!(collect(&flags), mask);
        }
    }
}
