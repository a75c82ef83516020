//! TOML text with its file's name, so that every error names file, line and key.

use super::SuiteError;
use serde::de::DeserializeOwned;

/// The text of a file.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The file's name, for messages.
    pub file: &'a str,
    /// What it holds.
    pub text: &'a str,
}

impl<'a> Text<'a> {
    /// A file's bytes as text.
    pub fn new(file: &'a str, bytes: &'a [u8]) -> Result<Self, SuiteError> {
        std::str::from_utf8(bytes).map(|text| Text { file, text }).map_err(|error| {
            let line = line_of(bytes, error.valid_up_to());
            SuiteError { place: format!("{file}:{line}"), problem: "is not UTF-8".to_owned() }
        })
    }

    /// Reads it.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, SuiteError> {
        toml::from_str(self.text).map_err(|error| {
            let problem = error.message().to_owned();
            let Some(span) = error.span() else {
                return SuiteError { place: self.file.to_owned(), problem };
            };
            let key = self.key_of(span.start).map_or(String::new(), |key| format!("{key}: "));
            self.error(span.start, format!("{key}{problem}"))
        })
    }

    /// An error at an offset.
    pub fn error(self, offset: usize, problem: String) -> SuiteError {
        SuiteError { place: self.place(offset), problem }
    }

    /// `file:line` of an offset.
    pub fn place(self, offset: usize) -> String {
        format!("{}:{}", self.file, line_of(self.text.as_bytes(), offset))
    }

    /// The key of the value that starts at an offset, if one does.
    fn key_of(self, offset: usize) -> Option<&'a str> {
        let before = self.text.get(..offset)?.trim_end_matches([' ', '\t']).strip_suffix('=')?;
        before.rsplit(['\n', '{', ',']).next().map(str::trim)
    }
}

fn line_of(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
