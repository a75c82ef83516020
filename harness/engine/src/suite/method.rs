//! The `method` table of a suite: a preset, and settings that replace the preset's.
//!
//! Whatever it leaves possible can be measured: no setting makes a run without a sample.

use super::SuiteError;
use super::text::Text;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use tilemark_core::method::{Cache, Launching, Method, Regime};
use toml::Spanned;

/// `preset` and any of [`Method`]'s settings, which replace the preset's.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct MethodTable {
    preset: Option<Preset>,
    regime: Option<Regime>,
    cache: Option<Cache>,
    launching: Option<Launching>,
    rounds: Option<u32>,
    blocks: Option<u32>,
    fresh_workers_s: Option<f64>,
    min_samples: Option<u32>,
    max_samples: Option<u32>,
    min_time_s: Option<f64>,
    max_time_s: Option<f64>,
    precision: Option<f64>,
    settle_window_s: Option<f64>,
    settle_max_s: Option<f64>,
    min_sample_s: Option<f64>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Preset {
    #[default]
    Standard,
    Quick,
}

/// Where the settings stand in the text.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    method: BTreeMap<String, Spanned<IgnoredAny>>,
}

impl MethodTable {
    /// The whole method, if it can be carried out.
    pub fn resolve(self, text: Text<'_>) -> Result<Method, SuiteError> {
        let method = self.over_preset();
        let Some((key, problem)) = fault(&method) else { return Ok(method) };
        let places: Places = text.parse()?;
        let place = places.method.get(key).map_or(0, |value| value.span().start);
        Err(text.error(place, format!("{key}: {problem}")))
    }

    fn over_preset(self) -> Method {
        let preset = match self.preset.unwrap_or_default() {
            Preset::Standard => Method::standard(),
            Preset::Quick => Method::quick(),
        };
        Method {
            regime: self.regime.unwrap_or(preset.regime),
            cache: self.cache.unwrap_or(preset.cache),
            launching: self.launching.unwrap_or(preset.launching),
            rounds: self.rounds.unwrap_or(preset.rounds),
            blocks: self.blocks.unwrap_or(preset.blocks),
            fresh_workers_s: self.fresh_workers_s.unwrap_or(preset.fresh_workers_s),
            min_samples: self.min_samples.unwrap_or(preset.min_samples),
            max_samples: self.max_samples.unwrap_or(preset.max_samples),
            min_time_s: self.min_time_s.unwrap_or(preset.min_time_s),
            max_time_s: self.max_time_s.unwrap_or(preset.max_time_s),
            precision: self.precision.unwrap_or(preset.precision),
            settle_window_s: self.settle_window_s.unwrap_or(preset.settle_window_s),
            settle_max_s: self.settle_max_s.unwrap_or(preset.settle_max_s),
            min_sample_s: self.min_sample_s.unwrap_or(preset.min_sample_s),
        }
    }
}

/// The first setting with which nothing could be measured, and what it takes.
fn fault(method: &Method) -> Option<(&'static str, String)> {
    let counts = [
        ("rounds", method.rounds, 1),
        ("blocks", method.blocks, 1),
        ("min_samples", method.min_samples, 1),
        ("max_samples", method.max_samples, method.min_samples),
    ];
    if let Some((key, count, least)) = counts.into_iter().find(|(_, count, least)| count < least) {
        let floor = if key == "max_samples" { "min_samples, " } else { "" };
        return Some((
            key,
            format!("takes a whole number of at least {floor}{least}, not {count}"),
        ));
    }
    let above_zero = [
        ("max_time_s", method.max_time_s),
        ("precision", method.precision),
        ("settle_window_s", method.settle_window_s),
    ];
    let from_zero = [
        ("min_time_s", method.min_time_s),
        ("settle_max_s", method.settle_max_s),
        ("min_sample_s", method.min_sample_s),
        ("fresh_workers_s", method.fresh_workers_s),
    ];
    let is_positive = |value: f64| value.is_finite() && value > 0.0;
    if let Some((key, value)) = above_zero.into_iter().find(|(_, value)| !is_positive(*value)) {
        return Some((key, format!("takes a number above 0, not {value}")));
    }
    let is_size = |value: f64| value.is_finite() && value >= 0.0;
    let (key, value) = from_zero.into_iter().find(|(_, value)| !is_size(*value))?;
    Some((key, format!("takes 0 or a number above it, not {value}")))
}
