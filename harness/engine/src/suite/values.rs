//! Values as a suite writes them: one, or a list that stands for each of its own.
//!
//! They are told apart here and not by serde, whose untagged enums forget line and key.

use super::text::Text;
use super::{ShapeTable, SuiteError};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use tilemark_core::Value;
use toml::Spanned;

/// One value or a list.
pub type Given = Spanned<toml::Value>;

/// The axes of a shape, and its `dtype`.
pub type Table = BTreeMap<String, Given>;

/// What `shapes` holds.
pub enum ShapesValue {
    /// The name of a list of the family's `shapes.toml`.
    Named(String),
    /// Shapes.
    Listed(Vec<Table>),
}

impl<'de> Deserialize<'de> for ShapesValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapesVisitor)
    }
}

struct ShapesVisitor;

impl<'de> Visitor<'de> for ShapesVisitor {
    type Value = ShapesValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a list of shapes, or a list of tables")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ShapesValue, E> {
        Ok(ShapesValue::Named(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, tables: A) -> Result<ShapesValue, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(tables)).map(ShapesValue::Listed)
    }
}

/// A shape of a suite or of a family's list.
pub fn shape_table(text: Text<'_>, table: &Table) -> Result<ShapeTable, SuiteError> {
    let mut shape = ShapeTable::default();
    for (axis, given) in table {
        if axis == "dtype" {
            shape.dtypes = names(text, axis, given)?;
            continue;
        }
        let takes = "takes a whole number, a word, true or false, or a list of these";
        let values = each(text, axis, given, takes, |value| match value {
            toml::Value::Boolean(on) => Some(Value::Flag(*on)),
            toml::Value::Integer(number) => Some(Value::Integer(u64::try_from(*number).ok()?)),
            toml::Value::String(word) => Some(Value::Word(word.clone())),
            _ => None,
        })?;
        if values.is_empty() {
            return Err(text.error(given.span().start, format!("{axis}: an empty list of values")));
        }
        shape.axes.push((axis.clone(), values));
    }
    Ok(shape)
}

/// The names that a key holds, one or a list.
pub fn names<T: FromStr<Err = String>>(
    text: Text<'_>,
    key: &str,
    given: &Given,
) -> Result<Vec<T>, SuiteError> {
    let names = each(text, key, given, "takes a name or a list of names", |value| {
        value.as_str().map(str::to_owned)
    })?;
    let parse = |name: &String| name.parse();
    let parsed: Result<Vec<T>, String> = names.iter().map(parse).collect();
    parsed.map_err(|problem| text.error(given.span().start, format!("{key}: {problem}")))
}

fn each<T>(
    text: Text<'_>,
    key: &str,
    given: &Given,
    takes: &str,
    read: impl Fn(&toml::Value) -> Option<T>,
) -> Result<Vec<T>, SuiteError> {
    let values = match given.get_ref() {
        toml::Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let value = |value| {
        let problem = || format!("{key}: {takes}, not `{value}`");
        read(value).ok_or_else(|| text.error(given.span().start, problem()))
    };
    values.iter().map(value).collect()
}
