//! hipRTC, AMD's compiler as a library, loaded at run time through rocmrc's bindings.
//!
//! It makes code objects only: assembly, for the interpreter, takes clang. Before any source it puts
//! HIP's own definitions, with which those of a source that needs no header would clash. So the
//! source is compiled in a namespace, where its names hide HIP's; only macros have to be taken back.

#![allow(unsafe_code, reason = "calls of a C library")]

use super::find::mapped;
use super::process::misread;
use super::{Job, Output, amdgpu};
use rocmrc::hiprtc::result::{self, HiprtcError};
use rocmrc::hiprtc::sys::{self, hiprtcProgram, hiprtcResult};
use std::ffi::{CString, c_char, c_int};
use std::ptr;
use tilemark_core::Fault;

/// The loaded library, which the bindings keep for the process.
#[derive(Debug)]
pub(super) struct Hiprtc {
    path: String,
    version: String,
}

/// What is called here; the bindings panic where a library has no such function.
const FUNCTIONS: [&str; 8] = [
    "hiprtcVersion",
    "hiprtcCreateProgram",
    "hiprtcCompileProgram",
    "hiprtcDestroyProgram",
    "hiprtcGetProgramLog",
    "hiprtcGetProgramLogSize",
    "hiprtcGetCode",
    "hiprtcGetCodeSize",
];

impl Hiprtc {
    /// Loads the library from the loader's path or `$ROCM_PATH`; says why it cannot.
    pub(super) fn load() -> Result<Self, String> {
        // SAFETY: loading hipRTC runs its initialisers only, which have no precondition.
        if !unsafe { sys::is_rocmlib_present() } {
            return Err("not there".to_owned());
        }
        // SAFETY: the library is there; functions are looked up and not called.
        let has = |name: &&str| unsafe {
            sys::rocmlib().get::<unsafe extern "C" fn()>(name.as_bytes()).is_ok()
        };
        if let Some(missing) = FUNCTIONS.iter().find(|name| !has(name)) {
            return Err(format!("has no {missing}"));
        }
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to live integers, which the function writes.
        let status = unsafe { sys::hiprtcVersion(&mut major, &mut minor) };
        status.result().map_err(|error| format!("hiprtcVersion: {error}"))?;
        let path = mapped("libhiprtc.so").unwrap_or_else(|| "libhiprtc.so".to_owned());
        // Releases keep the number of the version; their files tell them apart.
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        let version = format!("hipRTC {major}.{minor} ({bytes} bytes)");
        Ok(Hiprtc { path, version })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn compile(&self, job: &Job<'_>) -> Result<Output, Fault> {
        let program = Program::new(job)?;
        let status = result::compile_program(program.handle, &options(job));
        let log = program.log().map_err(|error| failed("read the log", error))?;
        match status {
            Ok(()) => {}
            Err(HiprtcError(hiprtcResult::HIPRTC_ERROR_COMPILATION)) => {
                return Err(job.refused(&self.version, &log));
            }
            Err(error) => return Err(job.refused(&self.version, &format!("{error}\n{log}"))),
        }
        let code = result::get_hsaco(program.handle).map_err(|e| failed("read the code", e))?;
        let image = bytes(&code);
        let kernels =
            amdgpu::of_object(&image).map_err(|problem| misread(&self.version, &problem))?;
        let warnings = log.lines().filter(|line| line.contains("warning:"));
        Ok(Output { image, kernels, warnings: warnings.map(str::to_owned).collect() })
    }
}

/// hipRTC itself asks for an older standard, and takes the last that it is given.
fn options(job: &Job<'_>) -> Vec<String> {
    let mut options = vec![format!("--offload-arch={}", job.target.arch)];
    options.extend(["-std=c++17", "-O3"].map(str::to_owned));
    options.extend(job.definitions());
    options
}

/// What hipRTC defines as macros before a source, most of which ours define anew.
const MACROS: [&str; 9] = [
    "__device__",
    "__host__",
    "__global__",
    "__constant__",
    "__shared__",
    "__align__",
    "__noinline__",
    "__forceinline__",
    "__launch_bounds__",
];

/// The source, included into a namespace of its own. Kernels are `extern "C"`, so that their names
/// stay theirs.
fn wrapped(path: &str) -> String {
    let forgotten: String = MACROS.iter().map(|name| format!("#undef {name}\n")).collect();
    format!("{forgotten}namespace tilemark {{\n#include \"{path}\"\n}}\n")
}

/// A program of hipRTC's, destroyed when dropped.
struct Program {
    handle: hiprtcProgram,
}

impl Program {
    /// The source goes in as a header of the text that wraps it.
    fn new(job: &Job<'_>) -> Result<Self, Fault> {
        let source = job.source;
        let main = [text(&wrapped(source.path))?, text("tilemark.hip")?];
        let headers = source.headers.iter().map(|header| (header.text, header.name));
        let (texts, names): (Vec<CString>, Vec<CString>) = headers
            .chain([(source.text, source.path)])
            .map(|(content, name)| Ok((text(content)?, text(name)?)))
            .collect::<Result<Vec<_>, Fault>>()?
            .into_iter()
            .unzip();
        let [texts, names] = [&texts, &names].map(|strings| pointers(strings));
        let mut handle = ptr::null_mut();
        // SAFETY: every pointer is to a string that lives until the end of this function, and hipRTC
        // copies them; the arrays have as many entries as is said.
        let status = unsafe {
            sys::hiprtcCreateProgram(
                &mut handle,
                main[0].as_ptr(),
                main[1].as_ptr(),
                texts.len() as c_int,
                texts.as_ptr(),
                names.as_ptr(),
            )
        };
        status.result().map_err(|error| failed("create a program", error))?;
        Ok(Program { handle })
    }

    fn log(&self) -> Result<String, HiprtcError> {
        let log = bytes(&result::get_program_log(self.handle)?);
        Ok(String::from_utf8_lossy(&log).trim_end_matches('\0').to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A failure leaks the program, no more.
        let _ = result::destroy_program(self.handle);
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).collect()
}

fn bytes(characters: &[c_char]) -> Vec<u8> {
    characters.iter().map(|character| *character as u8).collect()
}

fn text(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::Compile { log: "a zero byte in the source".to_owned() })
}

fn failed(action: &str, error: HiprtcError) -> Fault {
    Fault::Infra { message: format!("hipRTC: cannot {action}: {error}") }
}
