//! Number formats narrower than f32, and the roundings that the two architectures document.
//! Knows bits and values only: nothing of registers, lanes or instructions.

use std::sync::LazyLock;

use half::{bf16, f16};

/// A float of at most eight bits: sign, exponent, mantissa.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minifloat {
    pub exponent_bits: u32,
    pub mantissa_bits: u32,
    pub bias: i32,
    pub special: Special,
}

/// What the codes at the end of a minifloat's range mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// The top exponent is infinity and NaN, as in IEEE 754.
    Ieee,
    /// Only the all-ones code is NaN and there is no infinity (OCP e4m3).
    AllOnesNan,
    /// Only the code of minus zero is NaN (FNUZ, gfx942).
    MinusZeroNan,
    /// Every code is a number (OCP fp6 and fp4).
    None,
}

pub const E4M3: Minifloat = Minifloat::new(4, 3, 7, Special::AllOnesNan);
pub const E5M2: Minifloat = Minifloat::new(5, 2, 15, Special::Ieee);
pub const E4M3_FNUZ: Minifloat = Minifloat::new(4, 3, 8, Special::MinusZeroNan);
pub const E5M2_FNUZ: Minifloat = Minifloat::new(5, 2, 16, Special::MinusZeroNan);
pub const E2M3: Minifloat = Minifloat::new(2, 3, 1, Special::None);
pub const E3M2: Minifloat = Minifloat::new(3, 2, 3, Special::None);
pub const E2M1: Minifloat = Minifloat::new(2, 1, 1, Special::None);

impl Minifloat {
    pub const fn new(exponent_bits: u32, mantissa_bits: u32, bias: i32, special: Special) -> Self {
        Self { exponent_bits, mantissa_bits, bias, special }
    }

    const fn sign_bit(self) -> u8 {
        1 << (self.exponent_bits + self.mantissa_bits)
    }

    /// The largest code whose value is finite, without sign.
    pub fn max_code(self) -> u8 {
        let all_ones = self.sign_bit() - 1;
        match self.special {
            Special::Ieee => (((1u8 << self.exponent_bits) - 1) << self.mantissa_bits) - 1,
            Special::AllOnesNan => all_ones - 1,
            Special::MinusZeroNan | Special::None => all_ones,
        }
    }

    pub fn decode(self, code: u8) -> f32 {
        let sign = self.sign_bit();
        let magnitude = code & (sign - 1);
        let negative = code & sign != 0;
        if self.special == Special::MinusZeroNan && negative && magnitude == 0 {
            return f32::NAN;
        }
        if magnitude > self.max_code() {
            let top = ((1u32 << self.exponent_bits) - 1) << self.mantissa_bits;
            let infinite = self.special == Special::Ieee && u32::from(magnitude) == top;
            let value = if infinite { f32::INFINITY } else { f32::NAN };
            return if negative { -value } else { value };
        }
        let exponent = i32::from(magnitude >> self.mantissa_bits);
        let fraction = f32::from(magnitude & ((1 << self.mantissa_bits) - 1));
        let unit = exp2i(exponent.max(1) - self.bias - self.mantissa_bits as i32);
        let hidden = if exponent == 0 { 0.0 } else { exp2i(self.mantissa_bits as i32) };
        let value = (hidden + fraction) * unit;
        if negative { -value } else { value }
    }

    /// Rounds to nearest even. Beyond the largest value the result is infinity where the format
    /// has one, else NaN, else the largest value: FP16_OVFL is off, as the runtime leaves it.
    pub fn encode(self, value: f32) -> u8 {
        let sign = if value.is_sign_negative() { self.sign_bit() } else { 0 };
        if value.is_nan() {
            return self.nan(sign);
        }
        let magnitude = f64::from(value.abs());
        let lowest = 1 - self.bias;
        let exponent = if magnitude == 0.0 {
            lowest
        } else {
            (((magnitude.to_bits() >> 52) as i32) - 1023).max(lowest)
        };
        let steps = magnitude * exp2d(self.mantissa_bits as i32 - exponent);
        let rounded = steps.round_ties_even();
        if rounded >= exp2d(9) {
            return self.overflow(sign);
        }
        // A carry out of the mantissa moves into the exponent field by itself.
        let code = (((exponent - lowest) as u32) << self.mantissa_bits) + rounded as u32;
        if code > u32::from(self.max_code()) {
            return self.overflow(sign);
        }
        match (code as u8, self.special) {
            (0, Special::MinusZeroNan) => 0,
            (code, _) => code | sign,
        }
    }

    fn nan(self, sign: u8) -> u8 {
        match self.special {
            Special::Ieee | Special::AllOnesNan => (self.sign_bit() - 1) | sign,
            Special::MinusZeroNan => self.sign_bit(),
            Special::None => self.max_code() | sign,
        }
    }

    fn overflow(self, sign: u8) -> u8 {
        match self.special {
            Special::Ieee => (self.max_code() + 1) | sign,
            Special::AllOnesNan => (self.sign_bit() - 1) | sign,
            Special::MinusZeroNan => self.sign_bit(),
            Special::None => self.max_code() | sign,
        }
    }

    /// All 256 values, by code: what a matrix instruction looks its operands up in.
    pub fn table(self) -> &'static [f32; 256] {
        static TABLES: LazyLock<Vec<(Minifloat, [f32; 256])>> = LazyLock::new(|| {
            [E4M3, E5M2, E4M3_FNUZ, E5M2_FNUZ, E2M3, E3M2, E2M1]
                .into_iter()
                .map(|format| (format, std::array::from_fn(|code| format.decode(code as u8))))
                .collect()
        });
        TABLES
            .iter()
            .find(|(format, _)| *format == self)
            .map(|(_, table)| table)
            .expect("every named format has a table")
    }
}

/// 2^n for an exponent in f32's normal range.
fn exp2i(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// 2^n for an exponent in f64's normal range.
pub fn exp2d(n: i32) -> f64 {
    f64::from_bits(((i64::from(n) + 1023) as u64) << 52)
}

pub fn from_f16(bits: u32) -> f32 {
    f16::from_bits(bits as u16).to_f32()
}

pub fn to_f16(value: f32) -> u32 {
    u32::from(f16::from_f32(value).to_bits())
}

/// f32 to f16, rounded towards zero: `v_cvt_pkrtz_f16_f32`.
pub fn to_f16_towards_zero(value: f32) -> u32 {
    let nearest = f16::from_f32(value);
    let overshoots = nearest.to_f32().abs() > value.abs() && value.is_finite();
    u32::from(nearest.to_bits()) - u32::from(overshoots)
}

pub fn from_bf16(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

pub fn to_bf16(value: f32) -> u32 {
    u32::from(bf16::from_f32(value).to_bits())
}

/// a·b + c with one rounding.
/// Without a fused instruction the f64 sum is rounded to odd, which makes the second rounding exact:
/// the product of two f32 fits f64, and libm's fma costs more than the rest of the instruction.
#[inline(always)]
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_feature = "fma") {
        return a.mul_add(b, c);
    }
    let product = f64::from(a) * f64::from(b);
    let addend = f64::from(c);
    let sum = product + addend;
    let back = sum - product;
    let error = (product - (sum - back)) + (addend - back);
    let inexact = error != 0.0 && sum.is_finite();
    let bits = sum.to_bits();
    let towards_zero = (error < 0.0) != (sum < 0.0);
    let odd = if towards_zero { bits.wrapping_sub(1) } else { bits + 1 };
    let adjust = inexact && bits & 1 == 0;
    f64::from_bits(if adjust { odd } else { bits }) as f32
}

/// Denormals become zero of the same sign.
#[inline(always)]
pub fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0f32.copysign(value) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_round_trip(format: Minifloat) {
        let codes = u32::from(format.sign_bit()) * 2;
        for code in 0..codes {
            let value = format.decode(code as u8);
            if value.is_nan() {
                assert!(format.decode(format.encode(value)).is_nan());
            } else if code as u8 != format.sign_bit() || format.special != Special::MinusZeroNan {
                assert_eq!(u32::from(format.encode(value)), code, "{format:?} {value}");
            }
        }
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for format in [E4M3, E5M2, E4M3_FNUZ, E5M2_FNUZ, E2M3, E3M2, E2M1] {
            check_round_trip(format);
        }
    }

    #[test]
    fn largest_values_are_the_documented_ones() {
        let largest = |format: Minifloat| format.decode(format.max_code());
        assert_eq!(largest(E4M3), 448.0);
        assert_eq!(largest(E4M3_FNUZ), 240.0);
        assert_eq!(largest(E5M2), 57344.0);
        assert_eq!(largest(E5M2_FNUZ), 57344.0);
        assert_eq!(largest(E2M3), 7.5);
        assert_eq!(largest(E3M2), 28.0);
        assert_eq!(largest(E2M1), 6.0);
    }

    #[test]
    fn overflow_is_nan_or_infinity_without_the_saturating_mode() {
        assert_eq!(E4M3.encode(1e6), 0x7f);
        assert_eq!(E4M3.encode(-1e30), 0xff);
        assert_eq!(E4M3_FNUZ.encode(1e6), 0x80);
        assert_eq!(E5M2.encode(1e6), 0x7c);
        assert_eq!(E2M1.encode(100.0), 0x7);
        assert_eq!(E4M3.encode(464.0), 0x7e, "a tie rounds to the even code");
        assert_eq!(E4M3.encode(464.1), 0x7f);
    }

    #[test]
    fn f16_towards_zero_never_grows() {
        assert_eq!(to_f16_towards_zero(65519.0), 0x7bff);
        assert_eq!(to_f16_towards_zero(f32::INFINITY), 0x7c00);
        assert_eq!(from_f16(to_f16_towards_zero(-1.0009)), -1.0);
        assert_eq!(to_f16_towards_zero(1e9), 0x7bff);
    }

    proptest! {
        #[test]
        fn encode_picks_the_nearest_code(value in -500f32..500.0) {
            for format in [E4M3, E5M2, E4M3_FNUZ, E5M2_FNUZ, E2M3, E3M2, E2M1] {
                let got = format.decode(format.encode(value));
                if got.is_finite() {
                    for code in 0..=format.max_code() {
                        let other = format.decode(code).copysign(value);
                        let clipped = value.clamp(-format.decode(format.max_code()), format.decode(format.max_code()));
                        prop_assert!((got - clipped).abs() <= (other - clipped).abs(), "{format:?} {value} {got} {other}");
                    }
                }
            }
        }

        #[test]
        fn fma_rounds_once(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
            let (a, b, c) = (f32::from_bits(a), f32::from_bits(b), f32::from_bits(c));
            let (got, want) = (fma(a, b, c), a.mul_add(b, c));
            prop_assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "{a} {b} {c}: {got} {want}");
        }
    }
}
