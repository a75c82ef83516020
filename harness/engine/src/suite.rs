//! Reads a suite: a TOML file that says which families run at which shapes, and how.
//!
//! Every error names the file, the line and the key. Nothing here knows a family: shapes are
//! checked when the plan is made.

use serde::Deserialize;
use std::collections::BTreeMap;
use tilemark_core::method::{Cache, Launching, Method, Regime};
use tilemark_core::{Distribution, Dtype, Value};
use toml::Spanned;

/// A suite, as read.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its name: the file's, without the ending.
    pub name: String,
    /// Why it exists.
    pub about: String,
    /// Where it runs unless devices are named.
    pub devices: Devices,
    /// How its numbers are made.
    pub method: Method,
    /// What it runs.
    pub entries: Vec<Entry>,
}

/// Where a suite runs unless devices are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Devices {
    /// Everywhere.
    #[default]
    All,
    /// On GPUs: its shapes would keep a host busy for hours.
    Gpu,
}

/// Shapes of one family.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The family's name.
    pub family: String,
    /// Where it stands, for messages: `smoke.toml:12`.
    pub place: String,
    /// The shapes, some from the family's own lists.
    pub shapes: Shapes,
    /// Element types; empty means the family's first, unless a shape says otherwise.
    pub dtypes: Vec<Dtype>,
    /// How inputs are drawn.
    pub distributions: Vec<Distribution>,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Where an entry's shapes come from.
#[derive(Clone, Debug)]
pub enum Shapes {
    /// A list of the family's `shapes.toml`.
    Named(String),
    /// Written in the suite.
    Listed(Vec<ShapeTable>),
}

/// A table of axis values; an axis with several values is a cartesian product.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapeTable {
    /// The axes.
    pub axes: Vec<(String, Vec<Value>)>,
    /// Element types of this shape; empty means those of the entry.
    pub dtypes: Vec<Dtype>,
}

/// Why a suite or a list of shapes cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SuiteError {
    /// `file:line` where that is known, else the file.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    about: String,
    #[serde(default)]
    devices: Devices,
    #[serde(default)]
    method: MethodTable,
    entry: Vec<EntryTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryTable {
    family: Spanned<String>,
    shapes: ShapesValue,
    #[serde(default)]
    dtype: OneOrMany<Dtype>,
    #[serde(default)]
    distribution: OneOrMany<Distribution>,
    #[serde(default = "default_seed")]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ShapesValue {
    Named(String),
    Listed(Vec<BTreeMap<String, OneOrMany<Value>>>),
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// `preset` and any of [`Method`]'s settings, which replace the preset's.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct MethodTable {
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

impl Suite {
    /// Reads the text of a suite; `file` is its name, for messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, SuiteError> {
        let parsed: SuiteFile = toml::from_str(text).map_err(|e| toml_error(file, text, &e))?;
        let mut entries = Vec::with_capacity(parsed.entry.len());
        for table in parsed.entry {
            entries.push(entry(file, text, table)?);
        }
        let name = std::path::Path::new(file).file_stem().unwrap_or_default();
        Ok(Suite {
            name: name.to_string_lossy().into_owned(),
            about: parsed.about,
            devices: parsed.devices,
            method: parsed.method.resolve(),
            entries,
        })
    }
}

/// The lists of a `shapes.toml`, by name.
type Lists = BTreeMap<String, Vec<BTreeMap<String, OneOrMany<Value>>>>;

fn lists(file: &str, text: &str) -> Result<Lists, SuiteError> {
    toml::from_str(text).map_err(|e| toml_error(file, text, &e))
}

/// Reads one named list of a family's `shapes.toml`.
pub fn named_shapes(file: &str, text: &str, list: &str) -> Result<Vec<ShapeTable>, SuiteError> {
    let mut lists = lists(file, text)?;
    let Some(tables) = lists.remove(list) else {
        let known: Vec<_> = lists.keys().map(String::as_str).collect();
        let problem = format!("no list `{list}` of shapes; lists: {}", known.join(", "));
        return Err(SuiteError { place: file.to_owned(), problem });
    };
    shape_tables(tables).map_err(|problem| SuiteError { place: file.to_owned(), problem })
}

/// Reads all lists of a family's `shapes.toml`, one after the other.
pub fn all_shapes(file: &str, text: &str) -> Result<Vec<ShapeTable>, SuiteError> {
    let tables = lists(file, text)?.into_values().flatten().collect();
    shape_tables(tables).map_err(|problem| SuiteError { place: file.to_owned(), problem })
}

impl ShapeTable {
    /// Every combination of the axes' values.
    pub fn combinations(&self) -> Vec<Vec<(String, Value)>> {
        let mut all = vec![Vec::new()];
        for (axis, values) in &self.axes {
            all = all
                .into_iter()
                .flat_map(|head: Vec<(String, Value)>| {
                    values.iter().map(move |value| {
                        let mut longer = head.clone();
                        longer.push((axis.clone(), value.clone()));
                        longer
                    })
                })
                .collect();
        }
        all
    }
}

impl MethodTable {
    fn resolve(self) -> Method {
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

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        }
    }
}

/// The seed of a suite that names none.
fn default_seed() -> u64 {
    42
}

fn entry(file: &str, text: &str, table: EntryTable) -> Result<Entry, SuiteError> {
    let place = format!("{file}:{}", line_of(text, table.family.span().start));
    let shapes = match table.shapes {
        ShapesValue::Named(name) => Shapes::Named(name),
        ShapesValue::Listed(tables) => Shapes::Listed(
            shape_tables(tables).map_err(|problem| SuiteError { place: place.clone(), problem })?,
        ),
    };
    let mut distributions = table.distribution.into_vec();
    if distributions.is_empty() {
        distributions.push(Distribution::Normal);
    }
    Ok(Entry {
        family: table.family.into_inner(),
        place,
        shapes,
        dtypes: table.dtype.into_vec(),
        distributions,
        seed: table.seed,
    })
}

fn shape_tables(
    tables: Vec<BTreeMap<String, OneOrMany<Value>>>,
) -> Result<Vec<ShapeTable>, String> {
    tables.into_iter().map(shape_table).collect()
}

fn shape_table(table: BTreeMap<String, OneOrMany<Value>>) -> Result<ShapeTable, String> {
    let mut shape = ShapeTable::default();
    for (axis, values) in table {
        let values = values.into_vec();
        if axis == "dtype" {
            shape.dtypes =
                values.iter().map(|v| v.to_string().parse()).collect::<Result<_, String>>()?;
        } else if values.is_empty() {
            return Err(format!("axis `{axis}` has an empty list of values"));
        } else {
            shape.axes.push((axis, values));
        }
    }
    Ok(shape)
}

fn toml_error(file: &str, text: &str, error: &toml::de::Error) -> SuiteError {
    let place = match error.span() {
        Some(span) => format!("{file}:{}", line_of(text, span.start)),
        None => file.to_owned(),
    };
    SuiteError { place, problem: error.message().to_owned() }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = r#"
about = "a test"
method = { preset = "quick", rounds = 9, settle_window_s = 0.005 }

[[entry]]
family = "gemm"
shapes = "smoke"
dtype = ["f32", "bf16"]

[[entry]]
family = "attention"
shapes = [{ n = [1, 7], causal = [false, true], dtype = "f32" }]
distribution = "uniform"
seed = 7
"#;

    #[test]
    fn a_suite_is_read_with_its_defaults() {
        let suite = Suite::parse("dir/nightly.toml", SUITE).unwrap();
        assert_eq!(suite.name, "nightly");
        let method = Method { rounds: 9, settle_window_s: 0.005, ..Method::quick() };
        assert_eq!(suite.method, method);
        assert_eq!(suite.entries[0].place, "dir/nightly.toml:6");
        assert_eq!(suite.entries[0].dtypes, [Dtype::F32, Dtype::Bf16]);
        assert_eq!(suite.entries[0].seed, 42);
        assert_eq!(suite.entries[1].distributions, [Distribution::Uniform]);
        let Shapes::Listed(tables) = &suite.entries[1].shapes else { panic!("a list") };
        assert_eq!(tables[0].combinations().len(), 4);
        assert_eq!(tables[0].dtypes, [Dtype::F32]);
    }

    fn check_error(text: &str, expected: &str) {
        let error = Suite::parse("s.toml", text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} should contain {expected:?}");
    }

    #[test]
    fn a_mistake_names_the_file_the_line_and_the_key() {
        check_error("about = \"x\"\nentries = []\n", "s.toml:2: unknown field `entries`");
        check_error("about = 3\n", "s.toml:1: invalid type: integer `3`");
        check_error("about = \"x\"\n[[entry]]\nshapes = \"a\"\n", "missing field `family`");
        check_error("about = \"x\n", "s.toml:1: ");
        check_error(
            "about = \"x\"\n[[entry]]\nfamily = \"g\"\nshapes = [{ n = [] }]\n",
            "s.toml:3: axis `n` has an empty list",
        );
        check_error(
            "about = \"x\"\nmethod = { preset = \"fast\" }\nentry = []",
            "s.toml:2: unknown variant `fast`",
        );
    }
}
