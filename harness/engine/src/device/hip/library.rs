//! Which libamdhip64.so is loaded: the machine's, or the interpreter's where `$TILEMARK_HIP` asks for it.
//!
//! The bindings load by plain name. The interpreter's library carries that name as its own
//! (its soname), so that it is found in place of any other once it has been loaded by path.
#![allow(unsafe_code, reason = "loading a library runs its initialisers")]

use libloading::Library;
use rocmrc::hip::sys;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The variable that asks for the interpreter: `interpreter:gfx942`.
const VARIABLE: &str = "TILEMARK_HIP";

/// The file that `harness/cdna` builds.
const INTERPRETER: &str = "libtilemark_cdna.so";

/// Whether the interpreter is asked for.
pub fn is_interpreter() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| value.starts_with("interpreter"))
}

/// Makes sure that the library is there, or says what was looked for.
pub fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<Option<Library>, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| if is_interpreter() { interpreter() } else { Ok(None) });
    loaded.as_ref().map_err(Clone::clone)?;
    // SAFETY: loading the runtime runs its initialisers, which is what it is for.
    if unsafe { sys::is_rocmlib_present() } {
        return Ok(());
    }
    let root = std::env::var("ROCM_PATH").unwrap_or_else(|_| "/opt/rocm".to_owned());
    Err(format!("libamdhip64.so is neither on the loader's path nor in {root}/lib"))
}

fn interpreter() -> Result<Option<Library>, String> {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    if !["interpreter:gfx942", "interpreter:gfx950"].contains(&wanted.as_str()) {
        return Err(format!(
            "${VARIABLE} is `{wanted}`: it takes interpreter:gfx942 or interpreter:gfx950"
        ));
    }
    let places = places();
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        return Err(format!(
            "the interpreter is none of {}; hint: cargo build --release -p tilemark-cdna",
            places.join(", ")
        ));
    };
    // SAFETY: it is our own library, whose initialisers have no precondition.
    let library = unsafe { Library::new(path) };
    library.map(Some).map_err(|error| format!("{}: {error}", path.display()))
}

/// Beside this program, where it is installed; beside what cargo builds it and its tests with.
fn places() -> Vec<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("."));
    [folder.to_owned(), folder.join("deps"), folder.join("..")]
        .map(|folder| folder.join(INTERPRETER))
        .into()
}
