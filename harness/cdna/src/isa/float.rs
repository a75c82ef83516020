//! Floating-point vector instructions: a line a mnemonic.
//! The transcendental ones are within one ulp of the true value on hardware, and are not bit-exact to it here.
//! Division scales nothing: where its steps could overflow or vanish without scaling, the last one gives the exact quotient.

use super::lanes::{flags, fused, halves, one, three, two, wide, wide_flags};
use super::{Compute, Kind};
use crate::number::{flush, from_f16, to_f16};

/// The kind of the sources and how to compute, or `None` if this file does not know the mnemonic.
pub fn lookup(mnemonic: &str) -> Option<(Kind, Compute)> {
    let name = mnemonic.strip_prefix("v_")?;
    single(name)
        .map(|compute| (Kind::F32, compute))
        .or_else(|| double(name).map(|compute| (Kind::F64, compute)))
        .or_else(|| half(name).map(|compute| (Kind::F16, compute)))
        .or_else(|| packed_half(name).map(|compute| (Kind::F16x2, compute)))
}

/// The f32 half of a `v_pk_*_f32`.
pub fn packed_single(mnemonic: &str) -> Option<Compute> {
    single(match mnemonic {
        "v_pk_add_f32" => "add_f32",
        "v_pk_mul_f32" => "mul_f32",
        "v_pk_fma_f32" => "fma_f32",
        _ => return None,
    })
}

macro_rules! f32_1 {
    ($f:expr) => {
        Compute::One(|out, a| one(out, a, |a| apply1(a, $f)))
    };
}
macro_rules! f32_2 {
    ($f:expr) => {
        Compute::Two(|out, a, b| two(out, a, b, |a, b| apply2(a, b, $f)))
    };
}
macro_rules! f32_3 {
    ($f:expr) => {
        Compute::Three(|out, a, b, c| three(out, a, b, c, |a, b, c| apply3(a, b, c, $f)))
    };
}

#[inline(always)]
fn apply1(a: u32, f: impl Fn(f32) -> f32) -> u32 {
    f(f32::from_bits(a)).to_bits()
}

#[inline(always)]
fn apply2(a: u32, b: u32, f: impl Fn(f32, f32) -> f32) -> u32 {
    f(f32::from_bits(a), f32::from_bits(b)).to_bits()
}

#[inline(always)]
fn apply3(a: u32, b: u32, c: u32, f: impl Fn(f32, f32, f32) -> f32) -> u32 {
    f(f32::from_bits(a), f32::from_bits(b), f32::from_bits(c)).to_bits()
}

fn single(name: &str) -> Option<Compute> {
    Some(match name {
        "add_f32" => f32_2!(|a, b| a + b),
        "sub_f32" => f32_2!(|a, b| a - b),
        "subrev_f32" => f32_2!(|a, b| b - a),
        "mul_f32" => f32_2!(|a, b| a * b),
        "mul_legacy_f32" => f32_2!(|a, b| if a == 0.0 || b == 0.0 { 0.0 } else { a * b }),
        "max_f32" => f32_2!(maximum),
        "min_f32" => f32_2!(minimum),
        "fma_f32" | "fmac_f32" | "fmaak_f32" | "fmamk_f32" | "div_fmas_f32" => {
            Compute::Three(fused)
        }
        "mad_f32" | "mac_f32" => f32_3!(|a, b, c| a * b + c),
        "max3_f32" => f32_3!(|a, b, c| maximum(maximum(a, b), c)),
        "min3_f32" => f32_3!(|a, b, c| minimum(minimum(a, b), c)),
        "med3_f32" => f32_3!(|a, b, c| maximum(minimum(a, b), minimum(maximum(a, b), c))),
        "maximum3_f32" => f32_3!(|a, b, c| a.max(b).max(c) + 0.0 * (a + b + c)),
        "div_fixup_f32" => f32_3!(|quotient, denominator, numerator| {
            let tame = |x: f32| (1e-18..1e18).contains(&x.abs());
            if tame(numerator) && tame(denominator) { quotient } else { numerator / denominator }
        }),
        "exp_f32" => f32_1!(|a| flush(flush(a).exp2())),
        "log_f32" => f32_1!(|a| flush(a).log2()),
        "rcp_f32" | "rcp_iflag_f32" => f32_1!(|a| 1.0 / a),
        "rsq_f32" => f32_1!(|a| (1.0 / f64::from(a).sqrt()) as f32),
        "sqrt_f32" => f32_1!(|a| a.sqrt()),
        "sin_f32" => f32_1!(|turns| turn(turns).sin() as f32),
        "cos_f32" => f32_1!(|turns| turn(turns).cos() as f32),
        "fract_f32" => f32_1!(|a| (a - a.floor()).min(1.0 - f32::EPSILON / 2.0)),
        "floor_f32" => f32_1!(|a| a.floor()),
        "ceil_f32" => f32_1!(|a| a.ceil()),
        "trunc_f32" => f32_1!(|a| a.trunc()),
        "rndne_f32" => f32_1!(|a| a.round_ties_even()),
        "frexp_mant_f32" => f32_1!(|a| frexp(f64::from(a)).0 as f32),
        "ldexp_f32" => Compute::Two(|out, a, b| two(out, a, b, ldexp_f32)),
        "frexp_exp_i32_f32" => {
            Compute::One(|out, a| one(out, a, |a| frexp(f64::from(f32::from_bits(a))).1 as u32))
        }
        "cmp_class_f32" => Compute::Compare(|out, a, b| {
            flags(out, a, b, |a, mask| class(f64::from(f32::from_bits(a)), subnormal(a), mask))
        }),
        _ => return compare_single(name),
    })
}

fn subnormal(bits: u32) -> bool {
    f32::from_bits(bits).is_subnormal()
}

fn ldexp_f32(a: u32, exponent: u32) -> u32 {
    (ldexp(f64::from(f32::from_bits(a)), exponent as i32) as f32).to_bits()
}

/// Scales without overflow on the way: no finite exponent needs more than ±2200.
fn ldexp(value: f64, exponent: i32) -> f64 {
    let mut rest = exponent.clamp(-2200, 2200);
    let mut value = value;
    while rest != 0 {
        let step = rest.clamp(-1000, 1000);
        value *= crate::number::exp2d(step);
        rest -= step;
    }
    value
}

/// Mantissa in [0.5, 1) and exponent; exponent 0 where there is none.
fn frexp(value: f64) -> (f64, i32) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    let normal = if value.is_subnormal() { value * crate::number::exp2d(64) } else { value };
    let exponent = (normal.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    let shift = if value.is_subnormal() { 64 } else { 0 };
    (ldexp(normal, -exponent), exponent - shift)
}

fn turn(turns: f32) -> f64 {
    f64::from(turns) * std::f64::consts::TAU
}

/// A NaN loses against a number; minus zero is below plus zero.
#[inline(always)]
fn maximum(a: f32, b: f32) -> f32 {
    if a > b || b.is_nan() {
        a
    } else if a == b {
        f32::from_bits(a.to_bits() & b.to_bits())
    } else {
        b
    }
}

#[inline(always)]
fn minimum(a: f32, b: f32) -> f32 {
    if a < b || b.is_nan() {
        a
    } else if a == b {
        f32::from_bits(a.to_bits() | b.to_bits())
    } else {
        b
    }
}

/// The ten classes of `v_cmp_class_*`, from signalling NaN (bit 0) to positive infinity (bit 9).
fn class(value: f64, subnormal: bool, mask: u32) -> bool {
    let negative = value.is_sign_negative();
    let bit = if value.is_nan() {
        return mask & 3 != 0;
    } else if value.is_infinite() {
        if negative { 2 } else { 9 }
    } else if value == 0.0 {
        if negative { 5 } else { 6 }
    } else if subnormal {
        if negative { 4 } else { 7 }
    } else if negative {
        3
    } else {
        8
    };
    mask >> bit & 1 == 1
}

/// One arm for each of the fourteen comparisons of floats.
macro_rules! comparisons {
    ($name:expr, $suffix:literal, $make:ident) => {
        match $name.strip_prefix("cmp_")?.strip_suffix($suffix)? {
            "f" => $make!(|_, _| false),
            "lt" => $make!(|a, b| a < b),
            "eq" => $make!(|a, b| a == b),
            "le" => $make!(|a, b| a <= b),
            "gt" => $make!(|a, b| a > b),
            "lg" => $make!(|a, b| a.partial_cmp(&b).is_some_and(|order| order.is_ne())),
            "ge" => $make!(|a, b| a >= b),
            "o" => $make!(|a, b| a.partial_cmp(&b).is_some()),
            "u" => $make!(|a, b| a.partial_cmp(&b).is_none()),
            "nge" => $make!(|a, b| !(a >= b)),
            "nlg" => $make!(|a, b| a.partial_cmp(&b).is_none_or(|order| order.is_eq())),
            "ngt" => $make!(|a, b| !(a > b)),
            "nle" => $make!(|a, b| !(a <= b)),
            "neq" => $make!(|a, b| a != b),
            "nlt" => $make!(|a, b| !(a < b)),
            "tru" => $make!(|_, _| true),
            _ => return None,
        }
    };
}

macro_rules! compare_f32 {
    ($f:expr) => {
        Compute::Compare(|out, a, b| {
            let f: fn(f32, f32) -> bool = $f;
            flags(out, a, b, |a, b| f(f32::from_bits(a), f32::from_bits(b)))
        })
    };
}
macro_rules! compare_f16 {
    ($f:expr) => {
        Compute::Compare(|out, a, b| {
            let f: fn(f32, f32) -> bool = $f;
            flags(out, a, b, |a, b| f(from_f16(a), from_f16(b)))
        })
    };
}
macro_rules! compare_f64 {
    ($f:expr) => {
        Compute::CompareWide(|out, a, b| {
            let f: fn(f64, f64) -> bool = $f;
            wide_flags(out, a, b, |a, b| f(f64::from_bits(a), f64::from_bits(b)))
        })
    };
}

// A negated comparison is true of NaN, which its positive opposite is not.
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn compare_single(name: &str) -> Option<Compute> {
    Some(comparisons!(name, "_f32", compare_f32))
}

#[allow(clippy::neg_cmp_op_on_partial_ord)] // as above
fn compare_half(name: &str) -> Option<Compute> {
    Some(comparisons!(name, "_f16", compare_f16))
}

#[allow(clippy::neg_cmp_op_on_partial_ord)] // as above
fn compare_double(name: &str) -> Option<Compute> {
    Some(comparisons!(name, "_f64", compare_f64))
}

macro_rules! f64_n {
    ($sources:literal, $f:expr) => {
        Compute::Wide(
            |out, a, b, c| {
                let f: fn(f64, f64, f64) -> f64 = $f;
                wide(out, a, b, c, |a, b, c| {
                    f(f64::from_bits(a), f64::from_bits(b), f64::from_bits(c)).to_bits()
                })
            },
            $sources,
            2,
        )
    };
}

fn double(name: &str) -> Option<Compute> {
    Some(match name {
        "add_f64" => f64_n!(2, |a, b, _| a + b),
        "mul_f64" => f64_n!(2, |a, b, _| a * b),
        "max_f64" => f64_n!(2, |a, b, _| a.max(b)),
        "min_f64" => f64_n!(2, |a, b, _| a.min(b)),
        "fma_f64" | "fmac_f64" | "div_fmas_f64" => f64_n!(3, f64::mul_add),
        "div_fixup_f64" => f64_n!(3, |quotient, denominator, numerator| {
            let tame = |x: f64| (1e-150..1e150).contains(&x.abs());
            if tame(numerator) && tame(denominator) { quotient } else { numerator / denominator }
        }),
        "rcp_f64" => f64_n!(1, |a, _, _| 1.0 / a),
        "rsq_f64" => f64_n!(1, |a, _, _| 1.0 / a.sqrt()),
        "sqrt_f64" => f64_n!(1, |a, _, _| a.sqrt()),
        "floor_f64" => f64_n!(1, |a, _, _| a.floor()),
        "ceil_f64" => f64_n!(1, |a, _, _| a.ceil()),
        "trunc_f64" => f64_n!(1, |a, _, _| a.trunc()),
        "rndne_f64" => f64_n!(1, |a, _, _| a.round_ties_even()),
        "fract_f64" => f64_n!(1, |a, _, _| a - a.floor()),
        "frexp_mant_f64" => f64_n!(1, |a, _, _| frexp(a).0),
        "frexp_exp_i32_f64" => Compute::Wide(
            |out, a, b, c| {
                wide(out, a, b, c, |a, _, _| u64::from(frexp(f64::from_bits(a)).1 as u32))
            },
            1,
            1,
        ),
        "ldexp_f64" => Compute::Wide(
            |out, a, b, c| {
                wide(out, a, b, c, |a, b, _| ldexp(f64::from_bits(a), b as i32).to_bits())
            },
            2,
            2,
        ),
        "cmp_class_f64" => Compute::CompareWide(|out, a, b| {
            wide_flags(out, a, b, |a, mask| {
                class(f64::from_bits(a), f64::from_bits(a).is_subnormal(), mask as u32)
            })
        }),
        _ => return compare_double(name),
    })
}

macro_rules! f16_1 {
    ($f:expr) => {
        Compute::One(|out, a| one(out, a, |a| to_f16(($f)(from_f16(a)))))
    };
}
macro_rules! f16_2 {
    ($f:expr) => {
        Compute::Two(|out, a, b| two(out, a, b, |a, b| to_f16(($f)(from_f16(a), from_f16(b)))))
    };
}
macro_rules! f16_3 {
    ($f:expr) => {
        Compute::Three(|out, a, b, c| {
            three(out, a, b, c, |a, b, c| to_f16(($f)(from_f16(a), from_f16(b), from_f16(c))))
        })
    };
}

/// f16 results are computed in f32, whose 24 bits make the second rounding harmless for all but fused products.
fn half(name: &str) -> Option<Compute> {
    Some(match name {
        "add_f16" => f16_2!(|a: f32, b: f32| a + b),
        "sub_f16" => f16_2!(|a: f32, b: f32| a - b),
        "subrev_f16" => f16_2!(|a: f32, b: f32| b - a),
        "mul_f16" => f16_2!(|a: f32, b: f32| a * b),
        "pack_b32_f16" => Compute::Two(|out, a, b| two(out, a, b, |a, b| a & 0xffff | b << 16)),
        "max_f16" => f16_2!(maximum),
        "min_f16" => f16_2!(minimum),
        "fma_f16" | "fmac_f16" => Compute::Three(|out, a, b, c| {
            three(out, a, b, c, |a, b, c| fma_f16(from_f16(a), from_f16(b), from_f16(c)))
        }),
        "max3_f16" => f16_3!(|a: f32, b: f32, c: f32| maximum(maximum(a, b), c)),
        "min3_f16" => f16_3!(|a: f32, b: f32, c: f32| minimum(minimum(a, b), c)),
        "exp_f16" => f16_1!(|a: f32| a.exp2()),
        "log_f16" => f16_1!(|a: f32| a.log2()),
        "rcp_f16" => f16_1!(|a: f32| 1.0 / a),
        "rsq_f16" => f16_1!(|a: f32| 1.0 / a.sqrt()),
        "sqrt_f16" => f16_1!(|a: f32| a.sqrt()),
        "floor_f16" => f16_1!(|a: f32| a.floor()),
        "ceil_f16" => f16_1!(|a: f32| a.ceil()),
        "trunc_f16" => f16_1!(|a: f32| a.trunc()),
        "rndne_f16" => f16_1!(|a: f32| a.round_ties_even()),
        "fract_f16" => f16_1!(|a: f32| a - a.floor()),
        "ldexp_f16" => Compute::Two(|out, a, b| {
            two(out, a, b, |a, b| to_f16(ldexp(f64::from(from_f16(a)), i32::from(b as i16)) as f32))
        }),
        _ => return compare_half(name),
    })
}

/// The exact f64 result rounded once: 53 bits hold any product and most sums, and `half` rounds f64 directly.
fn fma_f16(a: f32, b: f32, c: f32) -> u32 {
    let exact = f64::from(a) * f64::from(b) + f64::from(c);
    u32::from(half::f16::from_f64(exact).to_bits())
}

fn packed_half(name: &str) -> Option<Compute> {
    macro_rules! packed {
        ($f:expr) => {
            Compute::Two(|out, a, b| two(out, a, b, |a, b| halves(a, b, 0, |a, b, _| ($f)(a, b))))
        };
    }
    Some(match name {
        "pk_add_f16" => packed!(|a: f32, b: f32| a + b),
        "pk_mul_f16" => packed!(|a: f32, b: f32| a * b),
        "pk_max_f16" => packed!(maximum),
        "pk_min_f16" => packed!(minimum),
        "pk_fma_f16" => Compute::Three(|out, a, b, c| {
            three(out, a, b, c, |a, b, c| {
                let part = |s: u32| fma_f16(from_f16(a >> s), from_f16(b >> s), from_f16(c >> s));
                part(0) | part(16) << 16
            })
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maximum_prefers_numbers_and_plus_zero() {
        assert_eq!(maximum(f32::NAN, 1.0), 1.0);
        assert_eq!(maximum(1.0, f32::NAN), 1.0);
        assert!(maximum(-0.0, 0.0).is_sign_positive());
        assert!(minimum(-0.0, 0.0).is_sign_negative());
    }

    #[test]
    fn classes_are_told_apart() {
        let check = |value: f64, bit: u32| {
            assert!(class(value, value.is_subnormal(), 1 << bit), "{value}");
            assert!(!class(value, value.is_subnormal(), 0x3ff & !(1 << bit)), "{value}");
        };
        check(f64::NEG_INFINITY, 2);
        check(-1.0, 3);
        check(-5e-324, 4);
        check(-0.0, 5);
        check(0.0, 6);
        check(5e-324, 7);
        check(1.0, 8);
        check(f64::INFINITY, 9);
        assert!(class(f64::NAN, false, 2));
    }

    #[test]
    fn ldexp_and_frexp_reach_the_ends_of_the_range() {
        assert_eq!(ldexp(1.0, -1074), 5e-324);
        assert_eq!(ldexp(1.0, i32::MAX), f64::INFINITY);
        assert_eq!(frexp(0.0), (0.0, 0));
        assert_eq!(frexp(8.0), (0.5, 4));
        assert_eq!(frexp(5e-324), (0.5, -1073));
    }
}
