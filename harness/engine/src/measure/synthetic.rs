//! Seeded random numbers for tests of statistics, from the generator that also draws inputs, so
//! that a synthetic series is the same on every machine. It knows no statistic.

use tilemark_core::Distribution;
use tilemark_core::generator::{Stream, mix};

/// A stream of numbers that is the same for the same seed.
pub(crate) struct Noise {
    stream: Stream,
    drawn: u64,
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Noise { stream: Stream::new(mix(seed), 0, Distribution::Normal), drawn: 0 }
    }

    /// Close to standard normal, within ±4.9.
    pub(crate) fn normal(&mut self) -> f64 {
        self.drawn += 1;
        f64::from(self.stream.at(self.drawn))
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        (self.stream.bits(self.drawn) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}
