//! How a number is made: every setting that changes what a time means.
//!
//! A method's id is part of a series' key, so a change here opens a new series and never looks
//! like a regression.

use serde::{Deserialize, Serialize};

/// The settings of a measurement. Times are in seconds.
///
/// A record of a later program may have settings that this one does not know: its id differs then,
/// and its times are compared with none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Whether the device is brought to a steady clock first.
    pub regime: Regime,
    /// Whether the last-level cache is flushed before every sample.
    pub cache: Cache,
    /// How work reaches a GPU.
    #[serde(default)]
    pub launching: Launching,
    /// Rounds in which the implementations of a problem take turns.
    pub rounds: u32,
    /// Most blocks of that many rounds: while ours cannot be told from the quickest rival, another
    /// one follows. Records from before there were blocks have one.
    #[serde(default = "one")]
    pub blocks: u32,
    /// Before each of its later rounds a case on a host goes on in a new process, as long as what the
    /// harness takes for it beside the device stays below this. Where memory and code lie differs
    /// between processes, and moves a time by more than the rounds of one of them show. Records from
    /// before there were any have none.
    #[serde(default)]
    pub fresh_workers_s: f64,
    /// Least number of samples of one round.
    pub min_samples: u32,
    /// Most samples of one round.
    pub max_samples: u32,
    /// Least kernel time of one round.
    pub min_time_s: f64,
    /// Wall-clock limit of one round.
    pub max_time_s: f64,
    /// Half-width of the median's 95 % interval, relative to it, at which a round may stop.
    pub precision: f64,
    /// Length of one window of the settling phase.
    pub settle_window_s: f64,
    /// Longest settling phase.
    pub settle_max_s: f64,
    /// Shortest sample where the cache is hot; launches are batched until a sample lasts so long.
    pub min_sample_s: f64,
}

/// Whether a device is warm when the samples are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Regime {
    /// Run until clock and time are flat.
    Settled,
    /// Start cool, as a short burst of work would.
    Burst,
}

/// What the caches hold when a sample starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Flushed before every launch.
    Cold,
    /// As the launch before left them.
    Hot,
}

/// How work reaches a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launching {
    /// One launch after the other.
    #[default]
    Stream,
    /// Captured once as a graph, and replayed.
    Graph,
}

impl Method {
    /// The default: seven rounds, or 14 or 21 where they leave it open who is quicker, each long
    /// enough for a stable median.
    pub fn standard() -> Self {
        Method {
            regime: Regime::Settled,
            cache: Cache::Cold,
            launching: Launching::Stream,
            rounds: 7,
            blocks: 3,
            fresh_workers_s: 0.08,
            min_samples: 20,
            max_samples: 10_000,
            min_time_s: 0.5,
            max_time_s: 15.0,
            precision: 0.005,
            settle_window_s: 0.25,
            settle_max_s: 3.0,
            min_sample_s: 200e-6,
        }
    }

    /// For a first look: the same protocol with short rounds.
    pub fn quick() -> Self {
        Method {
            rounds: 7,
            min_samples: 7,
            max_samples: 200,
            min_time_s: 0.01,
            max_time_s: 0.1,
            precision: 0.02,
            settle_window_s: 0.01,
            settle_max_s: 0.1,
            ..Method::standard()
        }
    }
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_method_has_one_block_and_one_process() {
        let mut old = serde_json::to_value(Method::standard()).expect("it is plain data");
        for later in ["blocks", "fresh_workers_s"] {
            old.as_object_mut().expect("it has fields").remove(later);
        }
        let read: Method = serde_json::from_value(old).expect("later fields have defaults");
        assert_eq!(read, Method { blocks: 1, fresh_workers_s: 0.0, ..Method::standard() });
    }
}
