//! From a quantity to a place on an axis, and which values the axis names.
//!
//! Knows no drawing.

/// An axis: linear or logarithmic, with its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear { low: f64, high: f64 },
    Log { low: f64, high: f64 },
}

impl Scale {
    /// From 0 to a little over the largest value.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let high = values.fold(0.0, f64::max);
        Scale::Linear { low: 0.0, high: if high > 0.0 { high * 1.05 } else { 1.0 } }
    }

    /// Logarithmic around positive values, with room on both sides.
    pub(super) fn log_around(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|v| *v > 0.0 && v.is_finite());
        let (low, high) =
            positive.fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), v| (l.min(v), h.max(v)));
        match low <= high {
            true => Scale::Log { low: low / 1.4, high: high * 1.4 },
            false => Scale::Log { low: 1.0, high: 10.0 },
        }
    }

    /// Where a value lies between the ends: 0 to 1.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear { low, high } => (value - low) / (high - low),
            Scale::Log { low, high } => (value / low).ln() / (high / low).ln(),
        }
    }

    /// The value at a place.
    pub(super) fn value(self, place: f64) -> f64 {
        match self {
            Scale::Linear { low, high } => low + place * (high - low),
            Scale::Log { low, high } => low * (high / low).powf(place),
        }
    }

    /// The values that the axis names: a handful of round ones.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear { low, high } => linear_ticks(low, high),
            Scale::Log { low, high } => log_ticks(low, high),
        }
    }
}

fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let step = round_step((high - low) / 5.0);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= least * 0.999);
    factor.unwrap_or(10.0) * power
}

fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    // Every n-th decade where there are many; halves of a decade where there are few.
    let (factors, every): (&[f64], i32) = match decades {
        few if few < 2.5 => (&[1.0, 2.0, 5.0], 1),
        _ => (&[1.0], (decades / 6.0).ceil() as i32),
    };
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .filter(|power| power.rem_euclid(every) == 0)
        .flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|tick| tilemark_core::units::tick(tick, "")).collect()
    }

    #[test]
    fn an_axis_names_a_handful_of_round_values() {
        assert_eq!(ticks(Scale::from_zero([7.0, 93.0].into_iter())), ["0", "20", "40", "60", "80"]);
        assert_eq!(ticks(Scale::Log { low: 0.9, high: 30.0 }), ["1", "2", "5", "10", "20"]);
        assert_eq!(ticks(Scale::Log { low: 0.9, high: 2e6 }), ["1", "100", "10 k", "1 M"]);
    }

    #[test]
    fn nothing_to_show_still_makes_an_axis() {
        assert_eq!(Scale::from_zero([].into_iter()), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(Scale::log_around([0.0].into_iter()), Scale::Log { low: 1.0, high: 10.0 });
    }

    #[test]
    fn value_inverts_place() {
        for scale in [Scale::Linear { low: 2.0, high: 8.0 }, Scale::Log { low: 2.0, high: 800.0 }] {
            assert!((scale.value(scale.place(5.0)) - 5.0).abs() < 1e-12);
        }
    }
}
