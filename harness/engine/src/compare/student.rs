//! Student's t distribution with a real number of degrees of freedom, for deviations that are
//! themselves estimated from few values.

use std::f64::consts::FRAC_PI_2;

/// Steps of Simpson's rule; even.
const STEPS: u32 = 128;

/// From here on the distribution is normal for every purpose of this crate.
const DEGREES_MAX: f64 = 200.0;

/// P(T > t) for t ≥ 0 and at least one degree of freedom.
///
/// With t = √ν tan θ the density becomes cosⁿ θ with n = ν − 1, which is smooth and has a finite
/// range, so that Simpson's rule gives the tail itself to many digits.
pub fn survival(t: f64, degrees: f64) -> f64 {
    let degrees = degrees.clamp(1.0, DEGREES_MAX);
    let power = degrees - 1.0;
    let tail = integral(power, (t / degrees.sqrt()).atan());
    tail / (2.0 * integral(power, 0.0))
}

/// The t whose survival is `probability` in (0, ½].
pub fn critical(probability: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while survival(high, degrees) > probability {
        high *= 2.0;
    }
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if survival(middle, degrees) > probability { low = middle } else { high = middle }
    }
    high
}

/// ∫ cosⁿ θ dθ from `from` to π/2.
fn integral(power: f64, from: f64) -> f64 {
    let step = (FRAC_PI_2 - from) / f64::from(STEPS);
    let value = |i: u32| (from + step * f64::from(i)).cos().max(0.0).powf(power);
    let inner = |i: u32| if i % 2 == 1 { 4.0 * value(i) } else { 2.0 * value(i) };
    step / 3.0 * (value(0) + (1..STEPS).map(inner).sum::<f64>() + value(STEPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_published_table() {
        let check = |probability, degrees, t: f64| {
            let got = critical(probability, degrees);
            assert!((got - t).abs() < 2e-3 * t, "{got} is not {t} at {degrees} degrees");
        };
        check(0.001, 4.0, 7.173);
        check(0.001, 10.0, 4.144);
        check(0.001, 30.0, 3.385);
        check(0.025, 1.0, 12.706);
        check(0.0005, 120.0, 3.373);
        check(0.001, 1e9, 3.131);
    }

    #[test]
    fn survival_starts_at_one_half_and_falls() {
        assert!((survival(0.0, 7.5) - 0.5).abs() < 1e-9);
        assert!(survival(50.0, 30.0) < 1e-20 && survival(50.0, 30.0) > 0.0);
    }
}
