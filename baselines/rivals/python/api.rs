//! The functions of Python's C interface that are used, found by name in a library at run time.
//!
//! All of them stand in every version from 3.9 to 3.14.

use super::Installation;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::error::Error;
use std::ffi::{c_char, c_int, c_void};

/// Something of Python's.
#[repr(C)]
pub struct PyObject {
    _opaque: [u8; 0],
}

/// A character of Python's configuration.
#[cfg(unix)]
type Wide = i32;

type Raw = *mut PyObject;

macro_rules! api {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, named after what they do here.
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Api {
            fn of(library: &Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those that Python documents for these names.
                unsafe { Ok(Api { $($field: *library.get($symbol)?,)* }) }
            }
        }
    };
}

api! {
    decode_locale = b"Py_DecodeLocale\0": fn(*const c_char, *mut usize) -> *mut Wide;
    set_program_name = b"Py_SetProgramName\0": fn(*const Wide);
    initialize = b"Py_InitializeEx\0": fn(c_int);
    save_thread = b"PyEval_SaveThread\0": fn() -> *mut c_void;
    ensure = b"PyGILState_Ensure\0": fn() -> c_int;
    release = b"PyGILState_Release\0": fn(c_int);
    compile = b"Py_CompileString\0": fn(*const c_char, *const c_char, c_int) -> Raw;
    import = b"PyImport_ImportModule\0": fn(*const c_char) -> Raw;
    exec_module = b"PyImport_ExecCodeModule\0": fn(*const c_char, Raw) -> Raw;
    attribute = b"PyObject_GetAttrString\0": fn(Raw, *const c_char) -> Raw;
    call = b"PyObject_Vectorcall\0": fn(Raw, *const Raw, usize, Raw) -> Raw;
    display = b"PyObject_Str\0": fn(Raw) -> Raw;
    is_true = b"PyObject_IsTrue\0": fn(Raw) -> c_int;
    length = b"PySequence_Size\0": fn(Raw) -> isize;
    item = b"PySequence_GetItem\0": fn(Raw, isize) -> Raw;
    text_from = b"PyUnicode_FromStringAndSize\0": fn(*const c_char, isize) -> Raw;
    text = b"PyUnicode_AsUTF8AndSize\0": fn(Raw, *mut isize) -> *const c_char;
    forget = b"Py_DecRef\0": fn(Raw);
    fetch = b"PyErr_Fetch\0": fn(*mut Raw, *mut Raw, *mut Raw);
    normalize = b"PyErr_NormalizeException\0": fn(*mut Raw, *mut Raw, *mut Raw);
}

impl Api {
    /// Loads the first of the installation's libraries that there is, for good.
    pub fn load(installation: &Installation) -> Result<Self, String> {
        let mut refusals = Vec::new();
        for name in &installation.libraries {
            // Python's own extension modules find the interpreter's functions among the global ones.
            // SAFETY: the interpreter's library runs no code of note when it is loaded.
            match unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) } {
                Ok(library) => {
                    let api =
                        Api::of(&library).map_err(|error| format!("{name}: {}", cause(&error)));
                    // Unloading an interpreter is not possible, and nobody wants to.
                    std::mem::forget(library);
                    return api;
                }
                Err(error) => refusals.push(format!("{name}: {}", cause(&error))),
            }
        }
        Err(format!(
            "no shared library of {} {}: {}\nhint: install libpython, or name another interpreter in TILEMARK_PYTHON",
            installation.executable,
            installation.version,
            refusals.join("; ")
        ))
    }
}

/// What the loader said, which is the source of the error that only names its own call.
fn cause(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
