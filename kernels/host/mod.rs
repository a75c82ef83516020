//! What the implementations on a host share: elements of any type as `f32`, and who may run.
//!
//! It knows element types and the host's vectors, and no family.

pub mod exponential;
pub mod product;

use half::f16;
use half::slice::HalfFloatSliceExt;
use pulp::Arch;
use tilemark_core::{Dtype, Info, Problem};

/// `supports` of an implementation that covers every problem of its family, on a host.
pub fn any_on_host(_problem: &Problem, info: &Info) -> Result<(), String> {
    if info.vendor.runs_host_code() {
        return Ok(());
    }
    Err(format!("a function on the host, and {} does not run those", info.name))
}

/// A tensor that is read: its bytes, and what they mean.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    dtype: Dtype,
    bytes: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements of `dtype` in `bytes`.
    pub fn new(dtype: Dtype, bytes: &'a [u8]) -> Self {
        Elements { dtype, bytes }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.bytes.len() / self.dtype.size() as usize
    }

    /// All of them.
    pub fn to_vec(self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.widen(0, &mut values);
        values
    }

    /// Those from `start` on, as many as `into` holds.
    pub fn widen(self, start: usize, into: &mut [f32]) {
        let size = self.dtype.size() as usize;
        let bytes = &self.bytes[start * size..(start + into.len()) * size];
        match self.dtype {
            Dtype::F32 => into.copy_from_slice(bytemuck::cast_slice(bytes)),
            Dtype::Bf16 => widen_bf16(bytemuck::cast_slice(bytes), into),
            Dtype::F16 => bytemuck::cast_slice::<_, f16>(bytes).convert_to_f32_slice(into),
            Dtype::E4m3 => {
                for (idx, value) in into.iter_mut().enumerate() {
                    *value = self.dtype.decode(bytes, idx);
                }
            }
        }
    }
}

/// Rounds `values` to `dtype` and stores them, filling `into`.
pub fn narrow(dtype: Dtype, values: &[f32], into: &mut [u8]) {
    match dtype {
        Dtype::F32 => bytemuck::cast_slice_mut(into).copy_from_slice(values),
        Dtype::Bf16 => narrow_bf16(values, bytemuck::cast_slice_mut(into)),
        Dtype::F16 => bytemuck::cast_slice_mut::<_, f16>(into).convert_from_f32_slice(values),
        Dtype::E4m3 => dtype.encode(values, into),
    }
}

// `half` converts bf16 one at a time, which took three quarters of a fused rmsnorm.

fn widen_bf16(bits: &[u16], into: &mut [f32]) {
    Arch::new().dispatch(|| {
        for (value, bits) in into.iter_mut().zip(bits) {
            *value = f32::from_bits(u32::from(*bits) << 16);
        }
    });
}

fn narrow_bf16(values: &[f32], into: &mut [u16]) {
    Arch::new().dispatch(|| {
        for (stored, value) in into.iter_mut().zip(values) {
            let bits = value.to_bits();
            // Half a step, less one bit where the kept part is even: ties go to even.
            let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
            // A NaN must not round to infinity; the added bit also makes it quiet.
            let kept = if value.is_nan() { bits | 0x40_0000 } else { rounded };
            *stored = (kept >> 16) as u16;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_widen_and_narrow_as_the_dtype_defines_them() {
        let values: Vec<f32> = (0..37).map(|i| (i as f32 - 18.0) * 0.37).collect();
        for dtype in Dtype::ALL {
            let mut expected = vec![0; values.len() * dtype.size() as usize];
            dtype.encode(&values, &mut expected);
            let mut backing = vec![0u64; values.len()];
            let stored = &mut bytemuck::cast_slice_mut(&mut backing)[..expected.len()];
            narrow(dtype, &values, stored);
            assert_eq!(stored, expected, "{dtype}");

            let rounded: Vec<f32> = values.iter().map(|v| dtype.round(*v)).collect();
            let elements = Elements::new(dtype, stored);
            assert_eq!(elements.to_vec(), rounded, "{dtype}");
            let mut middle = [0.0; 5];
            elements.widen(11, &mut middle);
            assert_eq!(middle, rounded[11..16], "{dtype}");
        }
    }
    #[test]
    fn bf16_rounds_ties_to_even_and_keeps_nan_and_infinity() {
        let [one, step] = [1.0f32, 0.5f32.powi(7)];
        let cases = [
            (one + step / 2.0, one),
            (one + step * 1.5, one + step * 2.0),
            (one + step * 0.51, one + step),
            (-f32::MAX, f32::NEG_INFINITY),
            (f32::INFINITY, f32::INFINITY),
            (-0.0, -0.0),
        ];
        for (value, expected) in cases {
            let mut stored = [0u16];
            narrow_bf16(&[value], &mut stored);
            let mut widened = [0.0];
            widen_bf16(&stored, &mut widened);
            assert_eq!(widened[0].to_bits(), expected.to_bits(), "{value}");
        }
        for nan in [f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
            let mut stored = [0u16];
            narrow_bf16(&[nan], &mut stored);
            assert!(half::bf16::from_bits(stored[0]).is_nan(), "{:#x}", nan.to_bits());
        }
    }
}
