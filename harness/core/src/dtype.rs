//! Element types, and their exact conversion to and from the bytes that a device sees.
//!
//! Every value of every type here is exact in `f32`, so host code carries elements as `f32`.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE binary32.
    F32,
    /// bfloat16: 8 exponent bits, 7 stored mantissa bits.
    Bf16,
    /// IEEE binary16.
    F16,
    /// OCP 8-bit float, 4 exponent and 3 mantissa bits; largest value 448, no infinity.
    E4m3,
}

impl Dtype {
    /// Every type, in the order in which lists show them.
    pub const ALL: [Dtype; 4] = [Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::E4m3];

    /// The name used in suites, flags, records and plots.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::Bf16 => "bf16",
            Dtype::F16 => "f16",
            Dtype::E4m3 => "e4m3",
        }
    }

    /// Bytes of one element.
    #[inline]
    pub fn size(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::Bf16 | Dtype::F16 => 2,
            Dtype::E4m3 => 1,
        }
    }

    /// The nearest representable value, ties to even.
    #[inline]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Dtype::F32 => value,
            Dtype::Bf16 => bf16::from_f32(value).to_f32(),
            Dtype::F16 => f16::from_f32(value).to_f32(),
            Dtype::E4m3 => e4m3_to_f32(e4m3_from_f32(value)),
        }
    }

    /// Writes `values`, rounded, as this type's little-endian bytes; `bytes` must fit exactly.
    pub fn encode(self, values: &[f32], bytes: &mut [u8]) {
        assert_eq!(bytes.len() as u64, values.len() as u64 * self.size(), "encode: sizes differ");
        match self {
            Dtype::F32 => {
                for (chunk, v) in bytes.chunks_exact_mut(4).zip(values) {
                    chunk.copy_from_slice(&v.to_le_bytes());
                }
            }
            Dtype::Bf16 => {
                for (chunk, v) in bytes.chunks_exact_mut(2).zip(values) {
                    chunk.copy_from_slice(&bf16::from_f32(*v).to_le_bytes());
                }
            }
            Dtype::F16 => {
                for (chunk, v) in bytes.chunks_exact_mut(2).zip(values) {
                    chunk.copy_from_slice(&f16::from_f32(*v).to_le_bytes());
                }
            }
            Dtype::E4m3 => {
                for (byte, v) in bytes.iter_mut().zip(values) {
                    *byte = e4m3_from_f32(*v);
                }
            }
        }
    }

    /// The element at `index` of a tensor's bytes.
    ///
    /// # Panics
    /// If `bytes` ends before that element does.
    #[inline]
    pub fn decode(self, bytes: &[u8], index: usize) -> f32 {
        match self {
            Dtype::F32 => {
                let at = index * 4;
                f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
            }
            Dtype::Bf16 => bf16::from_le_bytes([bytes[index * 2], bytes[index * 2 + 1]]).to_f32(),
            Dtype::F16 => f16::from_le_bytes([bytes[index * 2], bytes[index * 2 + 1]]).to_f32(),
            Dtype::E4m3 => e4m3_to_f32(bytes[index]),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Dtype::ALL.into_iter().find(|d| d.name() == text).ok_or_else(|| {
            let known: Vec<_> = Dtype::ALL.iter().map(|d| d.name()).collect();
            format!("unknown dtype `{text}`; known: {}", known.join(", "))
        })
    }
}

const E4M3_NAN: u8 = 0x7f;

fn e4m3_to_f32(code: u8) -> f32 {
    let sign = if code & 0x80 != 0 { -1.0 } else { 1.0 };
    let exponent = i32::from(code >> 3 & 0xf);
    let mantissa = f32::from(code & 7);
    match (exponent, code & 7) {
        (15, 7) => f32::NAN,
        (0, _) => sign * mantissa * 2f32.powi(-9),
        _ => sign * (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 7),
    }
}

/// Saturating, as every GPU converts by default: |x| over 448 becomes 448, NaN stays NaN.
fn e4m3_from_f32(value: f32) -> u8 {
    let sign = if value.is_sign_negative() { 0x80 } else { 0 };
    let magnitude = value.abs();
    if magnitude.is_nan() {
        return sign | E4M3_NAN;
    }
    if magnitude >= 448.0 {
        return sign | 0x7e;
    }
    let exponent = if magnitude < 2f32.powi(-6) { -6 } else { exponent_of(magnitude) };
    // The quotient is exact, so this rounds once. A carry to 16 lands in the next binade's code.
    let steps = (magnitude * 2f32.powi(3 - exponent)).round_ties_even() as i32;
    let code = if exponent == -6 { steps } else { (exponent + 6) * 8 + steps };
    sign | code as u8
}

fn exponent_of(positive: f32) -> i32 {
    (positive.to_bits() >> 23) as i32 - 127
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_e4m3_code_survives_a_round_trip() {
        for code in 0..=255u8 {
            let value = e4m3_to_f32(code);
            if value.is_nan() {
                assert!(e4m3_to_f32(e4m3_from_f32(value)).is_nan());
            } else {
                assert_eq!(e4m3_from_f32(value), code, "code {code:#x} = {value}");
            }
        }
    }

    proptest! {
        #[test]
        fn e4m3_rounds_to_a_nearest_code(value in -460f32..460.0) {
            let rounded = Dtype::E4m3.round(value);
            let best = (0..=255u8)
                .map(e4m3_to_f32)
                .filter(|v| !v.is_nan())
                .map(|v| (v - value).abs())
                .fold(f32::INFINITY, f32::min);
            prop_assert_eq!((rounded - value).abs(), best);
        }

        #[test]
        fn decode_inverts_encode(value: f32) {
            for dtype in Dtype::ALL {
                let mut bytes = vec![0; 2 * dtype.size() as usize];
                dtype.encode(&[0.0, value], &mut bytes);
                let decoded = dtype.decode(&bytes, 1);
                prop_assert!(decoded == dtype.round(value) || value.is_nan() && decoded.is_nan());
            }
        }
    }
}
