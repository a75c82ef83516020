//! The axis syntax of the command line, nvbench's: `m=128`, `m=[128,256]`, `n=[1:9:2]`,
//! `k[pow2]=[10:14]`, `causal=[true,false]`.

use tilemark_core::Value;

/// Values that replace those of a suite on one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValues {
    /// The axis's name.
    pub axis: String,
    /// Its values, in the order given.
    pub values: Vec<Value>,
    /// The flag that gave them, for messages: `--axis m=128` or `-m 128`.
    pub flag: String,
}

/// Why a text is no axis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem}")]
pub struct AxisError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Most values that one axis may have: past this a range is a typing mistake.
const MOST_VALUES: usize = 10_000;

impl AxisValues {
    /// Reads one axis.
    pub fn parse(text: &str) -> Result<Self, AxisError> {
        parse(text).map_err(|problem| AxisError { text: text.to_owned(), problem })
    }

    /// One number on one axis that has a flag of its own.
    pub fn single(axis: &str, value: u64) -> Self {
        let flag = format!("-{axis} {value}");
        AxisValues { axis: axis.to_owned(), values: vec![Value::Integer(value)], flag }
    }
}

fn parse(text: &str) -> Result<AxisValues, String> {
    let (name, list) =
        text.split_once('=').ok_or("expected NAME=VALUE, NAME=[A,B] or NAME[pow2]=[A:B]")?;
    let (axis, power_of_two) = match name.trim().split_once('[') {
        None => (name.trim(), false),
        Some((axis, "pow2]")) => (axis, true),
        Some((_, flags)) => {
            return Err(format!("unknown axis flag `[{flags}`; the only one is `[pow2]`"));
        }
    };
    if axis.is_empty() {
        return Err("the axis has no name".to_owned());
    }
    let list = list.trim();
    let items = match list.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or("the list lacks its `]`")?,
        None => list,
    };
    let mut values = Vec::new();
    for item in items.split(',').map(str::trim) {
        values.extend(parse_item(item)?);
        if values.len() > MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} values"));
        }
    }
    if power_of_two {
        values = values.into_iter().map(raise).collect::<Result<_, _>>()?;
    }
    Ok(AxisValues { axis: axis.to_owned(), values, flag: format!("--axis {text}") })
}

fn parse_item(item: &str) -> Result<Vec<Value>, String> {
    if item.is_empty() {
        return Err("a value is empty".to_owned());
    }
    if item == "true" || item == "false" {
        return Ok(vec![Value::Flag(item == "true")]);
    }
    // A word may have a colon, which makes no range then: tokens:4096.
    if item.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(vec![Value::Word(item.to_owned())]);
    }
    if item.contains(':') {
        return parse_range(item);
    }
    if item.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        let number = item.parse().map_err(|_| format!("`{item}` is no whole number"))?;
        return Ok(vec![Value::Integer(number)]);
    }
    Ok(vec![Value::Word(item.to_owned())])
}

/// `start:end` or `start:end:stride`, both ends included.
fn parse_range(item: &str) -> Result<Vec<Value>, String> {
    let parts: Vec<u64> = item
        .split(':')
        .map(|part| part.trim().parse().map_err(|_| format!("`{part}` is no whole number")))
        .collect::<Result<_, _>>()?;
    let (start, end, stride) = match parts[..] {
        [start, end] => (start, end, 1),
        [start, end, stride] => (start, end, stride),
        _ => return Err(format!("`{item}` is no range START:END or START:END:STRIDE")),
    };
    if stride == 0 || end < start {
        return Err(format!("the range `{item}` is empty"));
    }
    let count = usize::try_from((end - start) / stride).unwrap_or(usize::MAX);
    if count >= MOST_VALUES {
        return Err(format!("the range `{item}` has more than {MOST_VALUES} values"));
    }
    Ok((0..=count as u64).map(|i| Value::Integer(start + i * stride)).collect())
}

fn raise(exponent: Value) -> Result<Value, String> {
    match exponent {
        Value::Integer(e) if e < 64 => Ok(Value::Integer(1 << e)),
        other => Err(format!("`[pow2]` takes exponents from 0 to 63, not `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match AxisValues::parse(text) {
            Ok(AxisValues { axis, values, .. }) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                format!("{axis}: {}", values.join(" "))
            }
            Err(error) => error.problem,
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn the_forms_of_nvbench_are_read() {
        check("m=128", "m: 128");
        check("m=[128, 256]", "m: 128 256");
        check("n=[1:9:4]", "n: 1 5 9");
        check("n=[3:5]", "n: 3 4 5");
        check("m[pow2]=[10:12]", "m: 1024 2048 4096");
        check("m[pow2]=[0,20]", "m: 1 1048576");
        check("causal=[true,false]", "causal: true false");
        check("layout=nt", "layout: nt");
        check("schedule=[tokens:9,sides:1+2]", "schedule: tokens:9 sides:1+2");
        check("m=[1:3,7]", "m: 1 2 3 7");
    }

    #[test]
    fn a_mistake_is_named() {
        check("m", "expected NAME=VALUE, NAME=[A,B] or NAME[pow2]=[A:B]");
        check("=3", "the axis has no name");
        check("m=[1,2", "the list lacks its `]`");
        check("m[log]=[1]", "unknown axis flag `[log]`; the only one is `[pow2]`");
        check("m=[9:1]", "the range `9:1` is empty");
        check("m=[1:9:0]", "the range `1:9:0` is empty");
        check("m=-3", "`-3` is no whole number");
        check("m=[1,,2]", "a value is empty");
        check("m[pow2]=[70]", "`[pow2]` takes exponents from 0 to 63, not `70`");
        check(
            "m=[0:18446744073709551615]",
            "the range `0:18446744073709551615` has more than 10000 values",
        );
    }
}
