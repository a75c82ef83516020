//! Asks the user's interpreter what it is, in a process of its own.

use serde_json::Value;
use std::process::Command;

/// A Python that is installed here.
#[derive(Clone, Debug, Default)]
pub struct Installation {
    /// The interpreter.
    pub executable: String,
    /// Its version.
    pub version: String,
    /// Where its shared library may be, best first.
    pub libraries: Vec<String>,
    /// Whether torch can be imported.
    pub has_torch: bool,
    /// Versions of the packages that matter to us.
    pub packages: Vec<(String, String)>,
}

impl Installation {
    /// Finds the interpreter that TILEMARK_PYTHON names, or else `python3`.
    pub fn find() -> Result<Self, String> {
        let named = std::env::var("TILEMARK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(&named)
            .args(["-c", include_str!("../torch/find.py")])
            .output()
            .map_err(|error| {
            format!(
                "no Python: `{named}` does not start: {error}\nhint: name one in TILEMARK_PYTHON"
            )
        })?;
        let answer = String::from_utf8_lossy(&output.stdout);
        Installation::read(&answer).ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it said nothing");
            format!("`{named}` does not tell what it is: {last}")
        })
    }

    fn read(answer: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(answer).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pair = |value: &Value| Some((text(&value[0])?, text(&value[1])?));
        Some(Installation {
            executable: text(&answer["executable"])?,
            version: text(&answer["version"])?,
            libraries: answer["libraries"].as_array()?.iter().filter_map(text).collect(),
            has_torch: answer["has_torch"].as_bool()?,
            packages: answer["packages"].as_array()?.iter().filter_map(pair).collect(),
        })
    }
}
