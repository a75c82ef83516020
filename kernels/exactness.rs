//! What rounding explains: the constants from which families state their tolerances.
//!
//! It knows no family; a family says how its formula carries these errors to an output.

use tilemark_core::{Distribution, Dtype};

/// Half the distance from 1 to the next larger value: the largest relative error of rounding a
/// number once, 2⁻ᵖ for p bits of precision.
pub fn unit_roundoff(dtype: Dtype) -> f64 {
    let precision = match dtype {
        Dtype::F32 => 24,
        Dtype::F16 => 11,
        Dtype::Bf16 => 8,
        Dtype::E4m3 => 4,
    };
    0.5f64.powi(precision)
}

/// The standard deviation of a distribution's values, within a quarter.
pub fn deviation(distribution: Distribution) -> f64 {
    match distribution {
        Distribution::Normal | Distribution::Uniform | Distribution::Outliers => 1.0,
        Distribution::Large => 64.0,
        Distribution::Subnormal => 0.5f64.powi(20),
        Distribution::Zeros => 0.0,
    }
}

/// By how much a relative bound on sums must widen where they are few: one sum may be far smaller
/// than its terms, and its error is not. A norm over many sums is not small by such luck.
pub fn cancellation(sums: u64) -> f64 {
    1.0 + 32.0 / sums as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roundoff_is_where_one_plus_it_rounds_back_to_one() {
        for dtype in Dtype::ALL {
            let half_step = unit_roundoff(dtype) as f32;
            assert_eq!(dtype.round(1.0 + half_step), 1.0, "{dtype}");
            assert_eq!(dtype.round(1.0 + 2.0 * half_step), 1.0 + 2.0 * half_step, "{dtype}");
        }
    }
}
