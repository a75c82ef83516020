//! A Python interpreter inside this process: found by asking the one that the user runs, loaded by
//! name, spoken to through some twenty functions of its C interface.
//!
//! Code in it shares the process's device context, so that a library of Python's can be handed our
//! tensors and our stream and be timed like everyone else. It must not know which library.
#![allow(unsafe_code, reason = "Python's interface is one of C")]

mod api;
mod find;
mod object;

pub use find::Installation;
pub use object::Object;

use api::Api;
use std::ffi::{CStr, CString};
use std::sync::OnceLock;
use tilemark_core::Fault;

/// The interpreter of this process.
pub struct Interpreter {
    api: Api,
    /// What was found, for messages and versions.
    pub installation: Installation,
}

/// Starts the interpreter if this is the first call; the same one ever after, and never stopped:
/// libraries with threads of their own do not survive that.
pub fn interpreter() -> Result<&'static Interpreter, Fault> {
    static INTERPRETER: OnceLock<Result<Interpreter, String>> = OnceLock::new();
    let started = INTERPRETER.get_or_init(|| Interpreter::start(Installation::find()?));
    started.as_ref().map_err(|reason| Fault::Unsupported { reason: reason.clone() })
}

impl Interpreter {
    fn start(installation: Installation) -> Result<Self, String> {
        let api = Api::load(&installation)?;
        let executable = CString::new(installation.executable.as_str())
            .map_err(|_| "the path of python3 holds a zero".to_owned())?;
        // SAFETY: no interpreter runs yet, this is the only place that starts one, and it is called
        // once. The program's name, which must outlive the interpreter, is leaked by Python itself;
        // by it Python finds its standard library and the packages of a virtual environment.
        unsafe {
            let name = (api.decode_locale)(executable.as_ptr(), std::ptr::null_mut());
            if name.is_null() {
                return Err(format!("Python cannot read its own path {executable:?}"));
            }
            (api.set_program_name)(name);
            (api.initialize)(0);
            // Whoever needs the interpreter takes its lock for that long; nobody holds it here.
            (api.save_thread)();
        }
        Ok(Interpreter { api, installation })
    }

    /// Runs a file's text as a module, by which other files can import it.
    pub fn module(&self, name: &CStr, file: &CStr, text: &str) -> Result<Object<'_>, Fault> {
        let text = CString::new(text).map_err(|_| infra("a zero in Python text"))?;
        let _lock = self.lock();
        // SAFETY: the lock is held, and all texts end in zero and outlive the calls, which return new
        // references or null.
        unsafe {
            const WHOLE_FILE: i32 = 257;
            let code = (self.api.compile)(text.as_ptr(), file.as_ptr(), WHOLE_FILE);
            let code = self.owned(code)?;
            self.owned((self.api.exec_module)(name.as_ptr(), code.raw()))
        }
    }

    /// Imports a module that was run before, or one that Python finds by itself.
    pub fn import(&self, name: &CStr) -> Result<Object<'_>, Fault> {
        let _lock = self.lock();
        // SAFETY: the lock is held, the name ends in zero, and what comes back is new or null.
        unsafe { self.owned((self.api.import)(name.as_ptr())) }
    }

    /// Takes the interpreter's lock until the guard is dropped; taking it twice is fine.
    fn lock(&self) -> Lock<'_> {
        // SAFETY: the interpreter runs, and any thread may ask for its lock.
        Lock { api: &self.api, state: unsafe { (self.api.ensure)() } }
    }

    /// A new reference as an object, or the pending exception as a fault.
    ///
    /// # Safety
    /// The lock is held, and `raw` is a new reference or null.
    unsafe fn owned(&self, raw: *mut api::PyObject) -> Result<Object<'_>, Fault> {
        if raw.is_null() {
            // SAFETY: the lock is held, as the caller promises.
            return Err(unsafe { self.exception() });
        }
        Ok(Object::new(self, raw))
    }

    /// Takes the pending exception: its name and its first line, as the last line of a traceback.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn exception(&self) -> Fault {
        let mut parts = [std::ptr::null_mut(); 3];
        let [kind, value, traceback] = &mut parts;
        // SAFETY: the lock is held and the three places are valid; what is written there is null or a
        // new reference.
        unsafe {
            (self.api.fetch)(kind, value, traceback);
            (self.api.normalize)(kind, value, traceback);
        }
        let [kind, value, _] = parts.map(|raw| (!raw.is_null()).then(|| Object::new(self, raw)));
        let name = kind.and_then(|kind| kind.attribute(c"__name__").ok()?.text().ok());
        let message = value.and_then(|value| value.display().ok()).unwrap_or_default();
        let name = name.unwrap_or_else(|| "no exception".to_owned());
        let first = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let message = format!("{name}: {first}");
        match name.as_str() {
            "NotImplementedError" | "ImportError" | "ModuleNotFoundError" => {
                Fault::Unsupported { reason: message }
            }
            _ => Fault::Crash { message },
        }
    }
}

/// The interpreter's lock, held.
struct Lock<'a> {
    api: &'a Api,
    state: i32,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // SAFETY: it was taken on this thread, as the guard is neither sent nor shared.
        unsafe { (self.api.release)(self.state) }
    }
}

fn infra(message: &str) -> Fault {
    Fault::Infra { message: message.to_owned() }
}

#[cfg(test)]
mod tests;
