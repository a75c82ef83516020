//! Reads a suite: a TOML file that says which families run at which shapes, and how.
//!
//! Every error names the file, the line and the key. Nothing here knows a family: shapes are
//! checked when the plan is made.

mod method;
mod text;
mod values;

pub use text::Text;

use method::MethodTable;
use serde::Deserialize;
use std::collections::BTreeMap;
use tilemark_core::method::Method;
use tilemark_core::{Distribution, Dtype, Value};
use toml::Spanned;
use values::{Given, ShapesValue, Table, names, shape_table};

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
    /// Globs of implementations that sit this out.
    pub skip: Vec<String>,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Where an entry's shapes come from.
#[derive(Clone, Debug)]
pub enum Shapes {
    /// A list of the family's `shapes.toml`.
    Named {
        /// Its name.
        list: String,
        /// Where the suite names it.
        place: String,
    },
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
    shapes: Spanned<ShapesValue>,
    dtype: Option<Given>,
    distribution: Option<Given>,
    #[serde(default)]
    skip: Vec<String>,
    #[serde(default = "default_seed")]
    seed: u64,
}

impl Suite {
    /// Reads the text of a suite; `file` is its name, for messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, SuiteError> {
        let text = Text { file, text };
        let parsed: SuiteFile = text.parse()?;
        let entries = parsed.entry.into_iter().map(|table| entry(text, table));
        let name = std::path::Path::new(file).file_stem().unwrap_or_default();
        Ok(Suite {
            name: name.to_string_lossy().into_owned(),
            about: parsed.about,
            devices: parsed.devices,
            entries: entries.collect::<Result<_, _>>()?,
            method: parsed.method.resolve(text)?,
        })
    }
}

/// Reads one named list of a family's `shapes.toml`, which was asked for at `place`.
pub fn named_shapes(
    text: Text<'_>,
    list: &str,
    place: &str,
) -> Result<Vec<ShapeTable>, SuiteError> {
    let lists: BTreeMap<String, Vec<Table>> = text.parse()?;
    let Some(tables) = lists.get(list) else {
        let known: Vec<_> = lists.keys().map(String::as_str).collect();
        let known = known.join(", ");
        let problem = format!("shapes: {} has no list `{list}`; its lists: {known}", text.file);
        return Err(SuiteError { place: place.to_owned(), problem });
    };
    tables.iter().map(|table| shape_table(text, table)).collect()
}

/// Reads all lists of a family's `shapes.toml`, one after the other.
pub fn all_shapes(text: Text<'_>) -> Result<Vec<ShapeTable>, SuiteError> {
    let lists: BTreeMap<String, Vec<Table>> = text.parse()?;
    lists.values().flatten().map(|table| shape_table(text, table)).collect()
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

/// The seed of a suite that names none.
fn default_seed() -> u64 {
    42
}

fn entry(text: Text<'_>, table: EntryTable) -> Result<Entry, SuiteError> {
    let shapes_place = text.place(table.shapes.span().start);
    let shapes = match table.shapes.into_inner() {
        ShapesValue::Named(list) => Shapes::Named { list, place: shapes_place },
        ShapesValue::Listed(tables) => {
            let tables = tables.iter().map(|table| shape_table(text, table));
            Shapes::Listed(tables.collect::<Result<_, _>>()?)
        }
    };
    let dtypes = table.dtype.map(|given| names(text, "dtype", &given)).transpose()?;
    let distributions = table.distribution.map(|given| names(text, "distribution", &given));
    let mut distributions = distributions.transpose()?.unwrap_or_default();
    if distributions.is_empty() {
        distributions.push(Distribution::Normal);
    }
    Ok(Entry {
        place: text.place(table.family.span().start),
        family: table.family.into_inner(),
        shapes,
        dtypes: dtypes.unwrap_or_default(),
        distributions,
        skip: table.skip,
        seed: table.seed,
    })
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
        let suite = Suite::parse("dir/nightly.toml", SUITE).expect("it is well formed");
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

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let error = Suite::parse("s.toml", text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} should contain {expected:?}");
    }

    #[test]
    fn a_mistake_names_the_file_the_line_and_the_key() {
        check_error("about = \"x\"\nentries = []\n", "s.toml:2: unknown field `entries`");
        check_error("about = 3\n", "s.toml:1: about: invalid type: integer `3`");
        check_error("about = \"x\"\n[[entry]]\nshapes = \"a\"\n", "missing field `family`");
        check_error("about = \"x\n", "s.toml:1: ");
        let bytes = b"about = \"x\"\n# \xff\n";
        assert_eq!(Text::new("s.toml", bytes).unwrap_err().to_string(), "s.toml:2: is not UTF-8");
    }

    #[test]
    fn a_mistake_in_an_entry_names_what_is_expected() {
        let check = |lines: &str, expected: &str| {
            let text = format!("about = \"x\"\n[[entry]]\nfamily = \"g\"\n{lines}\n");
            check_error(&text, expected);
        };
        let takes = "takes a whole number, a word, true or false, or a list of these";
        check("shapes = [{ n = [] }]", "s.toml:4: n: an empty list of values");
        check("shapes = [\n{ k = 1.5 }]", &format!("s.toml:5: k: {takes}, not `1.5`"));
        check("shapes = [{ k = [1, -2] }]", &format!("s.toml:4: k: {takes}, not `-2`"));
        check("shapes = [{ dtype = \"f64\" }]", "s.toml:4: dtype: unknown dtype `f64`; known: f32");
        check(
            "shapes = \"a\"\ndtype = \"f64\"",
            "s.toml:5: dtype: unknown dtype `f64`; known: f32",
        );
        check("shapes = \"a\"\ndtype = [\"f32\", 3]", "s.toml:5: dtype: takes a name or a list");
        check(
            "shapes = \"a\"\ndistribution = \"odd\"",
            "s.toml:5: distribution: unknown distribution `odd`; known: normal",
        );
        check("shapes = 3", "s.toml:4: shapes: invalid type: integer `3`, expected the name of");
        check("shapes = [3]", "s.toml:4: ");
    }

    #[test]
    fn a_method_that_measures_nothing_is_refused() {
        let check = |setting: &str, expected: &str| {
            let text =
                format!("about = \"x\"\nentry = []\n[method]\npreset = \"quick\"\n{setting}\n");
            check_error(&text, &format!("s.toml:5: {expected}"));
        };
        check("rounds = 0", "rounds: takes a whole number of at least 1, not 0");
        check("blocks = 0", "blocks: takes");
        check("rounds = -1", "rounds: invalid value: integer `-1`");
        check("min_samples = 0", "min_samples: takes");
        check(
            "max_samples = 6",
            "max_samples: takes a whole number of at least min_samples, 7, not 6",
        );
        check("max_time_s = 0.0", "max_time_s: takes a number above 0, not 0");
        check("precision = nan", "precision: takes a number above 0, not NaN");
        check("precision = -0.1", "precision: takes");
        check("settle_window_s = inf", "settle_window_s: takes a number above 0, not inf");
        check("min_time_s = -1.0", "min_time_s: takes 0 or a number above it, not -1");
        check("settle_max_s = inf", "settle_max_s: takes");
        check("min_sample_s = nan", "min_sample_s: takes");
        check("fresh_workers_s = -1.0", "fresh_workers_s: takes");
        check_error(
            "about = \"x\"\nmethod = { preset = \"fast\" }\nentry = []",
            "s.toml:2: preset: unknown variant `fast`",
        );
        check_error(
            "about = \"x\"\nmethod = { rounds = 0 }\nentry = []",
            "s.toml:2: rounds: takes a whole number",
        );
    }
}
