//! The exponential in f32, written so that a compiler can compute many of them at once.
//!
//! It must not know who needs it.

/// The exponential of x, within 2 units in the last place; 1.2·10⁻³⁸ below −87, infinite above 88.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let finite = exp_of_negative(x);
    if x > 88.0 { f32::INFINITY } else { finite }
}

/// The same for x ≤ 0, with one comparison less.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and the exponential of r by a polynomial. (Cephes, expf.)
#[inline(always)]
pub fn exp_of_negative(x: f32) -> f32 {
    // Not `max`, which would turn NaN into a number.
    let x = if x < -87.0 { -87.0 } else { x };
    // Adding 1.5·2²³ rounds to a whole number and leaves it in the low bits.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    // ln 2 in two parts, the first of 10 bits, so that its product with n is exact.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut polynomial = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
        polynomial = polynomial * r + coefficient;
    }
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (polynomial * (r * r) + r + 1.0) * power_of_two
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_exact_to_two_units_in_the_last_place() {
        assert_eq!(exp_of_negative(0.0), 1.0);
        for step in 0..87_000 {
            let x = step as f32 * -0.001;
            let truth = f64::from(x).exp();
            let error = (f64::from(exp_of_negative(x)) - truth).abs() / truth;
            assert!(error < 2.0 * f64::from(f32::EPSILON), "exp({x}) is off by {error:e}");
        }
    }

    #[test]
    fn positive_numbers_are_as_exact_up_to_the_largest() {
        for step in 0..88_000 {
            let x = step as f32 * 0.001;
            let truth = f64::from(x).exp();
            let error = (f64::from(exp(x)) - truth).abs() / truth;
            assert!(error < 2.0 * f64::from(f32::EPSILON), "exp({x}) is off by {error:e}");
        }
        assert_eq!([88.8, 100.0, f32::INFINITY].map(exp), [f32::INFINITY; 3]);
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(-1.0), exp_of_negative(-1.0));
    }

    #[test]
    fn the_extremes_are_tiny_or_stay_what_they_are() {
        for x in [-88.0, -1e30, f32::NEG_INFINITY] {
            assert!((0.0..2e-38).contains(&exp_of_negative(x)), "exp({x})");
        }
        assert!(exp_of_negative(f32::NAN).is_nan());
    }
}
