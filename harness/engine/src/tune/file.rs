//! The file in which choices are kept: TOML with a list `choices`, one entry a line, which people
//! read and review. An edit therefore touches no line but those of the entry.

use std::fs;
use std::path::{Path, PathBuf};

/// The line with which the list begins, and the one with which it ends.
const BEGIN: &str = "choices = [";
const END: &str = "]";

/// A file of choices that is being written.
#[derive(Debug)]
pub struct ChoicesFile {
    path: PathBuf,
    text: String,
}

/// Why a file of choices cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system says no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// Read or write.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl ChoicesFile {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let text = fs::read_to_string(path).map_err(|source| FileError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let file = ChoicesFile { path: path.to_owned(), text };
        file.check(&file.text)?;
        Ok(file)
    }

    /// Puts an entry first in the list, in place of any of the same scope, and writes the file.
    /// Of entries that are equally near a problem the first is taken, so that this one wins over
    /// an older one that lists the same sizes among others.
    pub fn put(&mut self, scope: &str, entry: &str) -> Result<(), FileError> {
        let text = with_entry(&self.text, scope, entry);
        self.check(&text)?;
        // Aside and renamed: a reader never meets half a file.
        let aside = self.path.with_extension("toml.new");
        fs::write(&aside, &text)
            .and_then(|()| fs::rename(&aside, &self.path))
            .map_err(|source| FileError::Io { action: "write", path: self.path.clone(), source })?;
        self.text = text;
        Ok(())
    }

    fn check(&self, text: &str) -> Result<(), FileError> {
        let malformed = |problem: String| FileError::Malformed { path: self.path.clone(), problem };
        text.parse::<toml::Table>().map_err(|e| malformed(e.to_string()))?;
        if text.lines().any(|line| line == BEGIN) {
            return Ok(());
        }
        Err(malformed(format!("no line `{BEGIN}`")))
    }
}

fn with_entry(text: &str, scope: &str, entry: &str) -> String {
    let scope = entry_of(&format!("{{ {scope} }}"));
    let mut written = String::new();
    let mut within = false;
    for line in text.lines() {
        within &= line != END;
        let replaced = within && scope.as_ref().is_some_and(|scope| has_scope(line, scope));
        if !replaced {
            written.push_str(line);
            written.push('\n');
        }
        if line == BEGIN {
            within = true;
            written.push_str("    ");
            written.push_str(entry);
            written.push('\n');
        }
    }
    written
}

/// Whether the entry on a line has all keys of the scope with the same values.
fn has_scope(line: &str, scope: &toml::Table) -> bool {
    let entry = entry_of(line);
    entry.is_some_and(|entry| scope.iter().all(|(key, value)| entry.get(key) == Some(value)))
}

/// The inline table on a line of a list.
fn entry_of(line: &str) -> Option<toml::Table> {
    let list: toml::Table = format!("list = [\n{line}\n]").parse().ok()?;
    list.get("list")?.as_array()?.first()?.as_table().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# What was measured.
candidates = [
    { tile = 1 },
]

choices = [
    { rows = [1, 2], tile = 1 }, # by hand
    { rows = [2], tile = 1 }, # 3 us
]
others = [
    { rows = [2], tile = 9 },
]
";

    #[test]
    fn an_entry_stands_first_and_replaces_its_own_scope_alone() {
        let new = with_entry(TEXT, "rows = [ 2 ]", "{ rows = [2], tile = 4 }, # 2 us");
        let wanted = TEXT
            .replace("    { rows = [2], tile = 1 }, # 3 us\n", "")
            .replace("choices = [\n", "choices = [\n    { rows = [2], tile = 4 }, # 2 us\n");
        assert_eq!(new, wanted);
    }

    #[test]
    fn a_file_is_written_entry_by_entry() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = folder.path().join("choices.toml");
        fs::write(&path, TEXT).expect("the folder can be written");
        let mut file = ChoicesFile::open(&path).expect("it is well formed");
        file.put("rows = [7]", "{ rows = [7], tile = 4 },").expect("the folder can be written");
        file.put("rows = [7]", "{ rows = [7], tile = 5 },").expect("the folder can be written");
        let written = fs::read_to_string(&path).expect("it was written");
        let wanted = TEXT.replace("choices = [\n", "choices = [\n    { rows = [7], tile = 5 },\n");
        assert_eq!(written, wanted);
        assert_eq!(
            fs::read_dir(folder.path()).expect("it is there").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_is_no_file_of_choices_is_left_alone() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = folder.path().join("choices.toml");
        let mistake = |text: &str| {
            fs::write(&path, text).expect("the folder can be written");
            ChoicesFile::open(&path).unwrap_err().to_string()
        };
        assert!(mistake("tiles = 1\n").contains("no line `choices = [`"));
        assert!(mistake("choices = [\n").contains("choices.toml: TOML parse error"));
        fs::write(&path, TEXT).expect("the folder can be written");
        let mut file = ChoicesFile::open(&path).expect("it is well formed");
        assert!(file.put("rows = [7]", "{ rows = [7]; }").is_err());
        assert_eq!(fs::read_to_string(&path).expect("it was written"), TEXT);
        assert!(ChoicesFile::open(&folder.path().join("no")).is_err());
    }
}
