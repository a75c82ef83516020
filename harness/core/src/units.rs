//! Quantities with their unit, and the one place that turns a number into text for a person.
//!
//! Files hold SI base units (seconds, bytes, FLOP); the prefixes below are for the screen only.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A duration in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

/// A size in bytes; never passes through a float.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// A count of floating-point operations; an addition and a multiplication count one each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Flops(pub u64);

/// FLOP per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlopRate(pub f64);

/// Bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteRate(pub f64);

impl Flops {
    /// The rate at which this much work was done in `time`.
    pub fn per(self, time: Seconds) -> FlopRate {
        FlopRate(self.0 as f64 / time.0)
    }
}

impl Bytes {
    /// The rate at which this much data was moved in `time`.
    pub fn per(self, time: Seconds) -> ByteRate {
        ByteRate(self.0 as f64 / time.0)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0;
        let magnitude = s.abs();
        if magnitude >= 1.0 || magnitude == 0.0 {
            write!(f, "{} s", significant(s))
        } else if magnitude >= 1e-3 {
            write!(f, "{} ms", significant(s * 1e3))
        } else if magnitude >= 1e-6 {
            write!(f, "{} µs", significant(s * 1e6))
        } else {
            write!(f, "{} ns", significant(s * 1e9))
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const STEPS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut value = self.0 as f64;
        let mut step = 0;
        while value >= 1024.0 && step + 1 < STEPS.len() {
            value /= 1024.0;
            step += 1;
        }
        if step == 0 {
            write!(f, "{} B", self.0)
        } else {
            write!(f, "{} {}", significant(value), STEPS[step])
        }
    }
}

impl fmt::Display for Flops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0 as f64, "FLOP")
    }
}

impl fmt::Display for FlopRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0, "FLOP/s")
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0, "B/s")
    }
}

fn decimal(f: &mut fmt::Formatter<'_>, value: f64, unit: &str) -> fmt::Result {
    const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let mut scaled = value;
    let mut step = 0;
    while scaled.abs() >= 1000.0 && step + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        step += 1;
    }
    write!(f, "{} {}{unit}", significant(scaled), PREFIXES[step])
}

/// Three significant digits, without an exponent: `1.23`, `12.3`, `123`, `1234`.
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 99.95 {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The label of an axis: at most three digits, no trailing zeros: `50 µs`, `2.5 G`, `0.5`, `0`.
pub fn tick(value: f64, unit: &str) -> String {
    // A lone `500 m` would read as metres.
    if unit.is_empty() && (0.01..1.0).contains(&value.abs()) {
        return trimmed(value);
    }
    const PREFIXES: [&str; 9] = ["n", "µ", "m", "", "k", "M", "G", "T", "P"];
    let mut scaled = value;
    let mut step = 3;
    while scaled != 0.0 && scaled.abs() < 0.9995 && step > 0 {
        scaled *= 1000.0;
        step -= 1;
    }
    while scaled.abs() >= 999.5 && step + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        step += 1;
    }
    format!("{} {}{unit}", trimmed(scaled), PREFIXES[step]).trim_end().to_owned()
}

/// A share as a percentage: `63.1 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", trimmed(share * 100.0))
}

/// How many times as much: `1.31×`.
pub fn times(ratio: f64) -> String {
    format!("{}×", significant(ratio))
}

/// A figure that may be very small, such as an error: `3.2e-3`.
pub fn scientific(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") }
}

fn trimmed(value: f64) -> String {
    let text = significant(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_with_three_digits_and_its_usual_unit() {
        let shown = |value: &dyn fmt::Display| value.to_string();
        assert_eq!(shown(&Seconds(1.5e-5)), "15.0 µs");
        assert_eq!(shown(&Seconds(0.00123)), "1.23 ms");
        assert_eq!(shown(&Seconds(9.999e-4)), "1000 µs");
        assert_eq!(shown(&Seconds(2.0)), "2.00 s");
        assert_eq!(shown(&Bytes(512)), "512 B");
        assert_eq!(shown(&Bytes(3 << 30)), "3.00 GiB");
        assert_eq!(shown(&Flops(2_000_000).per(Seconds(1e-6))), "2.00 TFLOP/s");
        assert_eq!(shown(&Bytes(4_250_000_000_000).per(Seconds(1.0))), "4.25 TB/s");
    }

    #[test]
    fn a_label_of_an_axis_has_no_digit_too_many() {
        assert_eq!(tick(0.0, "s"), "0 s");
        assert_eq!(tick(5e-5, "s"), "50 µs");
        assert_eq!(tick(1e-3, "s"), "1 ms");
        assert_eq!(tick(2.5e9, ""), "2.5 G");
        assert_eq!(tick(9.999e11, ""), "1 T");
        assert_eq!(tick(100.0, ""), "100");
        assert_eq!(tick(0.5, ""), "0.5");
    }

    #[test]
    fn shares_ratios_and_errors_have_their_own_form() {
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0625), "6.25 %");
        assert_eq!(times(1.3149), "1.31×");
        assert_eq!(scientific(0.00321), "3.2e-3");
        assert_eq!(scientific(0.0), "0");
    }
}
