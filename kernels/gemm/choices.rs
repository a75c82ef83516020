//! The table of measured choices: which kernel and constants serve which problem on Hopper.
//!
//! It holds what `choices.toml` says, which tuning writes, and finds the entry for a problem. It
//! must not know how a kernel is launched.

use super::Sizes;
use super::operands::Operands;
use super::sm90::Tile;
use serde::Deserialize;
use std::sync::LazyLock;
use tilemark_core::launch::Plan;
use tilemark_core::{Dtype, Info, Problem};

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("choices.toml")).expect("choices.toml is a table of choices")
});

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    candidates: Vec<Tile>,
    choices: Vec<Choice>,
}

/// What won on one model for each combination of the lists' values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    model: String,
    dtype: Vec<Dtype>,
    layout: Vec<String>,
    m: Vec<u64>,
    n: Vec<u64>,
    k: Vec<u64>,
    tile: Tile,
}

/// One of the ways in which a search may run a problem.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the table would say of it, as TOML.
    pub tile: String,
    /// What it puts on the stream.
    pub plan: Plan,
}

/// What a search may try on a problem that Hopper's kernels support: the file's candidates, as far
/// as they are legal for it.
pub fn candidates(problem: &Problem, info: &Info) -> Vec<Candidate> {
    let operands = Operands::of(problem);
    let legal = TABLE.candidates.iter().filter(|tile| tile.is_legal(&operands));
    legal
        .map(|tile| Candidate { tile: tile.to_string(), plan: tile.plan(&operands, info) })
        .collect()
}

/// The tile of the nearest entry that `admits` lets through.
///
/// # Panics
/// If the file has no such entry.
pub fn nearest(operands: &Operands, info: &Info, admits: fn(&Tile) -> bool) -> Tile {
    let legal = |choice: &&Choice| {
        choice.dtype.contains(&operands.dtype)
            && choice.layout.iter().any(|layout| layout == operands.sizes.layout())
            && choice.tile.is_legal(operands)
            && admits(&choice.tile)
    };
    let legal: Vec<&Choice> = TABLE.choices.iter().filter(legal).collect();
    let known = legal.iter().any(|choice| choice.model == info.model);
    let distance = |choice: &&&Choice| choice.distance(operands.sizes);
    let near = legal.iter().filter(|choice| !known || choice.model == info.model);
    let nearest = near.min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.expect("each dtype and layout has an entry for each kernel").tile
}

impl Choice {
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
