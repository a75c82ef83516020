//! The counter-based generator: (seed, tensor, element index) → value, the same on every machine.
//!
//! It uses integer arithmetic and one multiplication in f32, so that a host, a GPU of any vendor
//! and the f64 reference draw the same bits without talking to each other, in any order.

use crate::Distribution;

/// The random stream of one tensor of one problem.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: u64,
    distribution: Distribution,
}

impl Stream {
    /// The stream of tensor number `tensor` for the given seed.
    pub fn new(seed: u64, tensor: usize, distribution: Distribution) -> Self {
        Stream { key: mix(mix(seed) ^ tensor as u64), distribution }
    }

    /// The element at `index`, of unit variance where the distribution is normal or uniform.
    #[inline]
    pub fn at(&self, index: u64) -> f32 {
        let bits = self.bits(index);
        match self.distribution {
            Distribution::Normal => self.normal(index),
            Distribution::Uniform => uniform(bits),
            Distribution::Outliers => {
                let factor = if mix(bits).is_multiple_of(1024) { 16.0 } else { 1.0 };
                factor * self.normal(index)
            }
            Distribution::Large => 64.0 * self.normal(index),
            Distribution::Subnormal => self.normal(index) * 2f32.powi(-20),
            Distribution::Zeros => 0.0,
        }
    }

    /// 64 random bits for `index`.
    #[inline]
    pub fn bits(&self, index: u64) -> u64 {
        mix(self.key ^ index.wrapping_mul(GOLDEN))
    }

    /// The sum of eight uniform 16-bit words (Irwin–Hall), centred and scaled: within ±4.9, with
    /// excess kurtosis −0.15. The sum is an exact integer, so one rounding makes the value.
    #[inline]
    fn normal(&self, index: u64) -> f32 {
        let first = self.bits(index);
        let second = mix(first);
        let words = |x: u64| (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
        let centred = (words(first) + words(second)) as i64 - 4 * 65535;
        centred as f32 * NORMAL_SCALE
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// 1 / √(8 · (2³² − 1) / 12): the standard deviation of the sum of eight 16-bit words.
const NORMAL_SCALE: f32 = 1.868_812_4e-5;

/// 24 bits centred on zero, times √12: exact until the one multiplication.
#[inline]
fn uniform(bits: u64) -> f32 {
    let centred = (bits >> 40) as i64 * 2 + 1 - (1 << 24);
    centred as f32 * (3.464_101_6 / (1u64 << 25) as f32)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), a bijection of 64 bits.
#[inline]
pub fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(GOLDEN);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(distribution: Distribution) -> (f64, f64) {
        let stream = Stream::new(7, 0, distribution);
        let n = 1 << 18;
        let values: Vec<f64> = (0..n).map(|i| f64::from(stream.at(i))).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        (mean, variance)
    }

    #[test]
    fn normal_and_uniform_have_zero_mean_and_unit_variance() {
        for distribution in [Distribution::Normal, Distribution::Uniform] {
            let (mean, variance) = moments(distribution);
            // Five standard errors of either estimate at 2^18 elements.
            assert!(mean.abs() < 5.0 / 512.0, "{distribution}: mean {mean}");
            assert!((variance - 1.0).abs() < 0.015, "{distribution}: variance {variance}");
        }
    }

    #[test]
    fn seeds_tensors_and_elements_differ() {
        let value = |seed, tensor, index| Stream::new(seed, tensor, Distribution::Normal).at(index);
        assert_ne!(value(1, 0, 0), value(2, 0, 0));
        assert_ne!(value(1, 0, 0), value(1, 1, 0));
        assert_ne!(value(1, 0, 0), value(1, 0, 1));
    }

    /// These bits are part of the schema: a change of them makes old records incomparable.
    #[test]
    fn the_first_elements_are_fixed_for_ever() {
        let stream = Stream::new(42, 3, Distribution::Normal);
        let bits: Vec<u32> = (0..4).map(|i| stream.at(i).to_bits()).collect();
        assert_eq!(bits, [0xbfd8_d2aa, 0x3fb3_67ef, 0x3fd1_9467, 0xbf00_3863]);
    }
}
