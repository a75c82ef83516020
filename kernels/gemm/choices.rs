//! The table of measured choices: which kernel and constants serve which problem on Hopper.
//!
//! It holds what `choices.toml` says, which tuning writes, and finds the entry for a problem. It
//! must not know how a kernel is launched.

use super::Sizes;
use super::operands::Operands;
use super::sm90::Tile;
use serde::Deserialize;
use std::sync::LazyLock;
use tilemark_core::family::{Body, Tuning, Variant};
use tilemark_core::launch::Plan;
use tilemark_core::{Dtype, Info, Problem};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("choices.toml")));

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    candidates: Vec<Tile>,
    choices: Vec<Choice>,
}

/// What won on one model for each combination of the lists' values; for all scales if none is
/// listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    model: String,
    dtype: Vec<Dtype>,
    layout: Vec<String>,
    #[serde(default)]
    scale: Vec<String>,
    m: Vec<u64>,
    n: Vec<u64>,
    k: Vec<u64>,
    tile: Tile,
}

/// What a search may try on a problem that Hopper's kernels support: the tile that the table names
/// now, then the file's other candidates that are legal and come to another launch.
pub fn tuning(problem: &Problem, info: &Info) -> Tuning {
    let operands = Operands::of(problem);
    let now = nearest(&operands, info, |_| true);
    let legal = TABLE.candidates.iter().copied().filter(|tile| tile.is_legal(&operands));
    let mut plans: Vec<(Tile, Plan)> = Vec::new();
    for tile in std::iter::once(now).chain(legal) {
        let plan = tile.plan(&operands, info);
        // Stages that do not fit are left out, which makes some tiles the same.
        if plans.iter().all(|(_, known)| *known != plan) {
            plans.push((tile, plan));
        }
    }
    let variant =
        |(tile, plan)| Variant { choice: format!("tile = {tile}"), body: Body::Plan(plan) };
    Tuning {
        file: "gemm/choices.toml",
        scope: scope(&operands, info),
        variants: plans.into_iter().map(variant).collect(),
    }
}

/// The keys of an entry for one problem on one model.
fn scope(operands: &Operands, info: &Info) -> String {
    let Operands { sizes: sizes @ Sizes { m, n, k, scale, .. }, dtype } = operands;
    let model = toml::Value::from(info.model.as_str());
    let (layout, scale) = (sizes.layout(), scale.word());
    let words = format!(r#"dtype = ["{dtype}"], layout = ["{layout}"], scale = ["{scale}"]"#);
    format!("model = {model}, {words}, m = [{m}], n = [{n}], k = [{k}]")
}

/// The tile of the nearest entry that `admits` lets through.
///
/// # Panics
/// If the file has no such entry.
pub fn nearest(operands: &Operands, info: &Info, admits: fn(&Tile) -> bool) -> Tile {
    TABLE.nearest(operands, info, admits)
}

impl Table {
    /// The table in a file's text.
    pub fn parse(text: &str) -> Self {
        toml::from_str(text).expect("choices.toml is a table of choices")
    }

    /// See [`nearest`].
    pub fn nearest(&self, operands: &Operands, info: &Info, admits: fn(&Tile) -> bool) -> Tile {
        let legal = |choice: &&Choice| {
            choice.covers(operands) && choice.tile.is_legal(operands) && admits(&choice.tile)
        };
        let legal: Vec<&Choice> = self.choices.iter().filter(legal).collect();
        let known = legal.iter().any(|choice| choice.model == info.model);
        let distance = |choice: &&&Choice| choice.distance(operands.sizes);
        let near = legal.iter().filter(|choice| !known || choice.model == info.model);
        let nearest = near.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.expect("each dtype and layout has an entry for each kernel").tile
    }
}

impl Choice {
    /// Whether it was measured on such operands, of whatever sizes.
    fn covers(&self, Operands { sizes, dtype }: &Operands) -> bool {
        let lists = |list: &[String], word| list.iter().any(|listed| listed == word);
        self.dtype.contains(dtype)
            && lists(&self.layout, sizes.layout())
            && (self.scale.is_empty() || lists(&self.scale, sizes.scale.word()))
    }

    /// In powers of two along m, n and k. The rows count twice, since they decide whether a problem
    /// is bound by memory or by the tensor cores.
    fn distance(&self, sizes: Sizes) -> f64 {
        let along = |listed: &[u64], extent: usize| {
            let far = |listed: &u64| (*listed as f64 / extent as f64).log2().abs();
            listed.iter().map(far).fold(f64::INFINITY, f64::min)
        };
        2.0 * along(&self.m, sizes.m) + along(&self.n, sizes.n) + along(&self.k, sizes.k)
    }
}
