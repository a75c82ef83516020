//! Writes one Parquet table from named columns. It knows types and units, not what they mean.

use super::StoreError;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// One column: its name, its unit (empty where it has none), which direction is better (empty
/// where neither is) and its values; null is never 0.
pub struct Column {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: &'static str,
    pub values: Values,
}

/// The values of a column.
pub enum Values {
    Text(Vec<Option<String>>),
    Float(Vec<Option<f64>>),
    Integer(Vec<Option<u64>>),
    Flag(Vec<Option<bool>>),
}

/// Writes the table aside and renames it into place, so that a file is whole or absent.
pub fn write(path: &Path, table: &str, columns: &[Column]) -> Result<(), StoreError> {
    let aside = path.with_extension("parquet.part");
    let io = |action| move |source| StoreError::Io { action, path: path.to_owned(), source };
    let file = File::create(&aside).map_err(io("create"))?;
    write_file(file, table, columns)
        .map_err(|source| StoreError::Parquet { path: path.to_owned(), source })?;
    std::fs::rename(&aside, path).map_err(io("rename into place"))
}

fn write_file(file: File, table: &str, columns: &[Column]) -> Result<(), ParquetError> {
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder(table).with_fields(fields).build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(metadata(columns)))
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        let mut out = group.next_column()?.expect("the schema has one field a column");
        write_column(&mut out, &column.values)?;
        out.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.values {
        Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Values::Float(_) => (Physical::DOUBLE, None),
        Values::Integer(_) => (Physical::INT64, None),
        Values::Flag(_) => (Physical::BOOLEAN, None),
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

/// `unit.NAME` and `better.NAME`: unit and direction are part of the schema.
fn metadata(columns: &[Column]) -> Vec<KeyValue> {
    let mut pairs = Vec::new();
    for Column { name, unit, better, .. } in columns {
        if !unit.is_empty() {
            pairs.push(KeyValue::new(format!("unit.{name}"), Some((*unit).to_owned())));
        }
        if !better.is_empty() {
            pairs.push(KeyValue::new(format!("better.{name}"), Some((*better).to_owned())));
        }
    }
    pairs
}

fn write_column(out: &mut SerializedColumnWriter<'_>, values: &Values) -> Result<(), ParquetError> {
    match values {
        Values::Text(values) => {
            let present: Vec<ByteArray> =
                values.iter().flatten().map(|text| text.as_str().into()).collect();
            out.typed::<ByteArrayType>().write_batch(&present, Some(&levels(values)), None)?;
        }
        Values::Float(values) => {
            let present: Vec<f64> = values.iter().flatten().copied().collect();
            out.typed::<DoubleType>().write_batch(&present, Some(&levels(values)), None)?;
        }
        Values::Integer(values) => {
            // Parquet's INT64 is signed; a count past 2⁶³ saturates instead of turning negative.
            let present: Vec<i64> =
                values.iter().flatten().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
            out.typed::<Int64Type>().write_batch(&present, Some(&levels(values)), None)?;
        }
        Values::Flag(values) => {
            let present: Vec<bool> = values.iter().flatten().copied().collect();
            out.typed::<BoolType>().write_batch(&present, Some(&levels(values)), None)?;
        }
    }
    Ok(())
}

/// Definition levels: 1 where there is a value.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|value| i16::from(value.is_some())).collect()
}
