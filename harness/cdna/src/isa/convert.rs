//! Conversions between number formats: a line a mnemonic.
//! The 8-bit formats of the two architectures differ, so each has its own lines.

use super::lanes::{one, three, two, wide};
use super::{Compute, Kind};
use crate::arch::Arch;
use crate::number::{
    E4M3, E4M3_FNUZ, E5M2, E5M2_FNUZ, Minifloat, from_f16, to_bf16, to_f16, to_f16_towards_zero,
};

/// The kinds of sources and result, and how to compute.
pub fn lookup(mnemonic: &str, arch: Arch) -> Option<(Kind, Kind, Compute)> {
    let name = mnemonic.strip_prefix("v_cvt_")?;
    from_single(name)
        .map(|(result, compute)| (Kind::F32, result, compute))
        .or_else(|| to_single(name))
        .or_else(|| double(name))
        .or_else(|| minifloat(name, arch))
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

#[inline(always)]
fn f(bits: u32) -> f32 {
    f32::from_bits(bits)
}

fn from_single(name: &str) -> Option<(Kind, Compute)> {
    Some(match name {
        "u32_f32" => (Kind::U32, one!(|a| f(a) as u32)),
        "i32_f32" => (Kind::U32, one!(|a| f(a) as i32 as u32)),
        "rpi_i32_f32" => (Kind::U32, one!(|a| (f(a) + 0.5).floor() as i32 as u32)),
        "flr_i32_f32" => (Kind::U32, one!(|a| f(a).floor() as i32 as u32)),
        "f16_f32" => (Kind::F16, one!(|a| to_f16(f(a)))),
        "pk_f16_f32" => (Kind::U32, two!(|a, b| to_f16(f(a)) | to_f16(f(b)) << 16)),
        "pkrtz_f16_f32" => {
            (Kind::U32, two!(|a, b| to_f16_towards_zero(f(a)) | to_f16_towards_zero(f(b)) << 16))
        }
        "pk_bf16_f32" => (Kind::U32, two!(|a, b| to_bf16(f(a)) | to_bf16(f(b)) << 16)),
        "pk_u8_f32" => (
            Kind::U32,
            Compute::Three(|out, a, b, c| {
                three(out, a, b, c, |a, byte, old| {
                    let shift = 8 * (byte & 3);
                    old & !(0xff << shift) | u32::from(f(a) as u8) << shift
                })
            }),
        ),
        _ => return None,
    })
}

fn to_single(name: &str) -> Option<(Kind, Kind, Compute)> {
    let (source, compute) = match name {
        "f32_u32" => (Kind::U32, one!(|a| (a as f32).to_bits())),
        "f32_i32" => (Kind::U32, one!(|a| (a as i32 as f32).to_bits())),
        "f32_f16" => (Kind::F16, one!(|a| from_f16(a).to_bits())),
        "f32_bf16" => (Kind::F16, one!(|a| a << 16)),
        "f32_ubyte0" => (Kind::U32, one!(|a| ((a & 255) as f32).to_bits())),
        "f32_ubyte1" => (Kind::U32, one!(|a| ((a >> 8 & 255) as f32).to_bits())),
        "f32_ubyte2" => (Kind::U32, one!(|a| ((a >> 16 & 255) as f32).to_bits())),
        "f32_ubyte3" => (Kind::U32, one!(|a| ((a >> 24) as f32).to_bits())),
        "f16_u16" => return Some((Kind::U32, Kind::F16, one!(|a| to_f16((a & 0xffff) as f32)))),
        "f16_i16" => return Some((Kind::U32, Kind::F16, one!(|a| to_f16(f32::from(a as i16))))),
        "u16_f16" => {
            return Some((Kind::F16, Kind::U32, one!(|a| u32::from(from_f16(a) as u16))));
        }
        "i16_f16" => {
            let compute = one!(|a| u32::from(from_f16(a) as i16 as u16));
            return Some((Kind::F16, Kind::U32, compute));
        }
        _ => return None,
    };
    Some((source, Kind::F32, compute))
}

fn double(name: &str) -> Option<(Kind, Kind, Compute)> {
    macro_rules! long {
        ($dwords:literal, $f:expr) => {
            Compute::Wide(
                |out, a, b, c| {
                    let f: fn(u64) -> u64 = $f;
                    wide(out, a, b, c, |a, _, _| f(a))
                },
                1,
                $dwords,
            )
        };
    }
    Some(match name {
        "f64_u32" => (Kind::U32, Kind::F64, long!(2, |a| f64::from(a as u32).to_bits())),
        "f64_i32" => (Kind::U32, Kind::F64, long!(2, |a| f64::from(a as i32).to_bits())),
        "f64_f32" => (Kind::F32, Kind::F64, long!(2, |a| f64::from(f(a as u32)).to_bits())),
        "f32_f64" => {
            let compute = long!(1, |a| u64::from((f64::from_bits(a) as f32).to_bits()));
            (Kind::F64, Kind::F32, compute)
        }
        "u32_f64" => (Kind::F64, Kind::U32, long!(1, |a| u64::from(f64::from_bits(a) as u32))),
        "i32_f64" => {
            let compute = long!(1, |a| u64::from(f64::from_bits(a) as i32 as u32));
            (Kind::F64, Kind::U32, compute)
        }
        _ => return None,
    })
}

macro_rules! minifloat_lines {
    ($name:expr, $fp8:expr, $bf8:expr) => {
        match $name {
            "f32_fp8" => (Kind::U32, Kind::F32, one!(|a| decode($fp8, a))),
            "f32_bf8" => (Kind::U32, Kind::F32, one!(|a| decode($bf8, a))),
            "pk_f32_fp8" => (Kind::U32, Kind::U64, decode_pair!($fp8)),
            "pk_f32_bf8" => (Kind::U32, Kind::U64, decode_pair!($bf8)),
            "pk_fp8_f32" => {
                (Kind::F32, Kind::U32, two!(|a, b| encode($fp8, a) | encode($fp8, b) << 8))
            }
            "pk_bf8_f32" => {
                (Kind::F32, Kind::U32, two!(|a, b| encode($bf8, a) | encode($bf8, b) << 8))
            }
            "sr_fp8_f32" => (Kind::F32, Kind::U32, two!(|a, random| stochastic($fp8, a, random))),
            "sr_bf8_f32" => (Kind::F32, Kind::U32, two!(|a, random| stochastic($bf8, a, random))),
            _ => return None,
        }
    };
}

macro_rules! decode_pair {
    ($format:expr) => {
        Compute::Wide(
            |out, a, b, c| {
                wide(out, a, b, c, |a, _, _| {
                    u64::from(decode($format, a as u32))
                        | u64::from(decode($format, a as u32 >> 8)) << 32
                })
            },
            1,
            2,
        )
    };
}

fn minifloat(name: &str, arch: Arch) -> Option<(Kind, Kind, Compute)> {
    Some(match arch {
        Arch::Gfx942 => minifloat_lines!(name, E4M3_FNUZ, E5M2_FNUZ),
        Arch::Gfx950 => minifloat_lines!(name, E4M3, E5M2),
    })
}

fn decode(format: Minifloat, code: u32) -> u32 {
    format.decode(code as u8).to_bits()
}

fn encode(format: Minifloat, value: u32) -> u32 {
    u32::from(format.encode(f(value)))
}

/// Stochastic rounding: random bits are added below the last kept bit, then the rest is cut off.
fn stochastic(format: Minifloat, value: u32, random: u32) -> u32 {
    let dropped = 23 - format.mantissa_bits;
    let noise = random >> (32 - dropped);
    if !f(value).is_finite() {
        return encode(format, value);
    }
    encode(format, value.wrapping_add(noise) & !((1 << dropped) - 1))
}
