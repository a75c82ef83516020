//! Keeps what was compiled, by content: an entry's name is the hash of everything that went into it.
//!
//! An entry is one file: a hash of the rest, a line of JSON, the image. It is built aside and renamed
//! into place, so that workers that compile the same thing at once disturb nobody; and a torn or
//! altered one is compiled again rather than believed.

use super::{Compiled, KernelCode};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The layout of an entry and how reports are read; part of every key, so that an old file is never
/// taken for a new one.
pub(super) const LAYOUT: &str = "tilemark entry 3";

/// A folder of compiled code, or none where nothing can be kept.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
}

/// The line of JSON.
#[derive(Serialize, Deserialize)]
struct Report {
    key: String,
    compiler: String,
    kernels: Vec<KernelCode>,
    warnings: Vec<String>,
}

impl Cache {
    /// The user's cache: `$TILEMARK_CACHE`, `$XDG_CACHE_HOME/tilemark` or `~/.cache/tilemark`.
    pub fn here() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = var("TILEMARK_CACHE")
            .map(PathBuf::from)
            .or_else(|| var("XDG_CACHE_HOME").map(|base| Path::new(&base).join("tilemark")))
            .or_else(|| var("HOME").map(|home| Path::new(&home).join(".cache/tilemark")));
        Cache { folder }
    }

    /// A cache in this folder, which need not exist yet.
    pub fn at(folder: &Path) -> Self {
        Cache { folder: Some(folder.to_owned()) }
    }

    /// Where the file of that name is kept, for others who keep something by content.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(key))
    }

    /// The entry of that key, if there is one and it is whole.
    pub(super) fn get(&self, key: &str) -> Option<Compiled> {
        let path = self.path(key)?;
        let bytes = std::fs::read(&path).ok()?;
        let entry = read(key, &bytes);
        if entry.is_none() {
            tracing::warn!("{}: not a whole entry; compiled again", path.display());
        }
        entry
    }

    /// Keeps an entry. A cache that cannot be written costs time, but no result.
    pub(super) fn put(&self, compiled: &Compiled) {
        let Some(path) = self.path(&compiled.hash) else { return };
        if let Err(error) = write(&path, compiled) {
            tracing::warn!("cannot keep compiled code in {}: {error}", path.display());
        }
    }
}

fn read(key: &str, bytes: &[u8]) -> Option<Compiled> {
    let (hash, rest) = split_line(bytes)?;
    if hash != blake3::hash(rest).to_hex().as_bytes() {
        return None;
    }
    let (report, image) = split_line(rest)?;
    let report: Report = serde_json::from_slice(report).ok()?;
    let Report { compiler, kernels, warnings, .. } = report;
    let hash = (report.key == key).then_some(report.key)?;
    Some(Compiled { image: image.to_vec(), hash, kernels, compiler, warnings })
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn write(path: &Path, compiled: &Compiled) -> std::io::Result<()> {
    let folder = path.parent().expect("an entry lies in the cache's folder");
    std::fs::create_dir_all(folder)?;
    let report = Report {
        key: compiled.hash.clone(),
        compiler: compiled.compiler.clone(),
        kernels: compiled.kernels.clone(),
        warnings: compiled.warnings.clone(),
    };
    let mut rest = serde_json::to_vec(&report)?;
    rest.push(b'\n');
    rest.extend(&compiled.image);
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(aside, "{}", blake3::hash(&rest).to_hex())?;
    aside.write_all(&rest)?;
    aside.persist(path).map_err(|error| error.error)?;
    Ok(())
}
