//! NVRTC, NVIDIA's compiler as a library, loaded at run time.
//!
//! Loaded by path and not through cudarc's bindings: these know only plain names, so that neither
//! the checkout's own NVRTC nor the user's choice can be given to them, and they panic where a
//! library is too old to have a function.

#![allow(unsafe_code, reason = "calls of a C library")]

use super::find::mapped;
use super::process::misread;
use super::{Job, Output, ptxas};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use tilemark_core::Fault;

/// A loaded NVRTC. Its functions may be called from several threads at once.
pub(super) struct Nvrtc {
    api: Api,
    path: String,
    version: String,
    /// The functions of `api` live in the first.
    _libraries: (Library, Option<Library>),
}

type Handle = *mut c_void;
type Status = c_int;

/// The functions that are used, with the signatures of `nvrtc.h`.
struct Api {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status,
    create: unsafe extern "C" fn(
        *mut Handle,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> Status,
    compile: unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> Status,
    destroy: unsafe extern "C" fn(*mut Handle) -> Status,
    log_size: unsafe extern "C" fn(Handle, *mut usize) -> Status,
    log: unsafe extern "C" fn(Handle, *mut c_char) -> Status,
    cubin_size: unsafe extern "C" fn(Handle, *mut usize) -> Status,
    cubin: unsafe extern "C" fn(Handle, *mut c_char) -> Status,
    describe: unsafe extern "C" fn(Status) -> *const c_char,
}

const SUCCESS: Status = 0;
const INVALID_OPTION: Status = 5;
const COMPILATION_FAILED: Status = 6;

/// NVRTC keeps what it made in the driver's cache, and says nothing of registers when it finds it there.
const NO_CACHE: &str = "--no-cache";

impl Nvrtc {
    /// Loads a library by path or plain name; says why it cannot.
    pub(super) fn load(library: &str) -> Result<Self, String> {
        // SAFETY: loading NVRTC runs its initialisers only, which have no precondition.
        let loaded = unsafe { Library::new(library) }.map_err(|_| absent(library))?;
        let api = Api::of(&loaded)?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to live integers, which the function writes.
        let status = unsafe { (api.version)(&mut major, &mut minor) };
        if status != SUCCESS {
            return Err(format!("nvrtcVersion: {}", api.message(status)));
        }
        let path = mapped("libnvrtc.so").unwrap_or_else(|| library.to_owned());
        let builtins = builtins(&path, major, minor);
        // Two releases of one minor version differ, but only their files tell.
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        let version = format!("NVRTC {major}.{minor} ({bytes} bytes)");
        Ok(Nvrtc { api, path, version, _libraries: (loaded, builtins) })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn compile(&self, job: &Job<'_>) -> Result<Output, Fault> {
        let mut program = Program::new(self, job)?;
        let mut options = job.target.flags();
        options.push("--ptxas-options=-v".to_owned());
        options.extend(job.definitions());
        options.push(NO_CACHE.to_owned());
        let mut status = program.compile(&options)?;
        if status == INVALID_OPTION {
            // Of a release that keeps nothing, or of another option, which is then told again.
            options.pop();
            program = Program::new(self, job)?;
            status = program.compile(&options)?;
        }
        let log = program.text(self.api.log_size, self.api.log)?;
        let log = String::from_utf8_lossy(&log);
        let log = log.trim_end_matches('\0');
        match status {
            SUCCESS => {}
            COMPILATION_FAILED => return Err(job.refused(&self.version, log)),
            status => {
                let log = format!("{}\n{log}", self.api.message(status));
                return Err(job.refused(&self.version, &log));
            }
        }
        let kernels = ptxas::kernels(log).map_err(|problem| misread(&self.version, &problem))?;
        let image = program.text(self.api.cubin_size, self.api.cubin)?;
        Ok(Output { image, kernels, warnings: ptxas::warnings(log) })
    }
}

impl std::fmt::Debug for Nvrtc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.version, self.path)
    }
}

impl Api {
    fn of(library: &Library) -> Result<Self, String> {
        // SAFETY: each name has the type that nvrtc.h declares for it, and the pointers are kept
        // beside the library only.
        unsafe {
            Ok(Api {
                version: symbol(library, c"nvrtcVersion")?,
                create: symbol(library, c"nvrtcCreateProgram")?,
                compile: symbol(library, c"nvrtcCompileProgram")?,
                destroy: symbol(library, c"nvrtcDestroyProgram")?,
                log_size: symbol(library, c"nvrtcGetProgramLogSize")?,
                log: symbol(library, c"nvrtcGetProgramLog")?,
                cubin_size: symbol(library, c"nvrtcGetCUBINSize")?,
                cubin: symbol(library, c"nvrtcGetCUBIN")?,
                describe: symbol(library, c"nvrtcGetErrorString")?,
            })
        }
    }

    fn message(&self, status: Status) -> String {
        // SAFETY: the function takes any number and gives a string that is never freed.
        let text = unsafe { CStr::from_ptr((self.describe)(status)) };
        text.to_string_lossy().into_owned()
    }

    fn checked(&self, action: &str, status: Status) -> Result<(), Fault> {
        if status == SUCCESS {
            return Ok(());
        }
        Err(Fault::Infra { message: format!("NVRTC: cannot {action}: {}", self.message(status)) })
    }
}

/// A function of the library.
///
/// # Safety
///
/// `F` is the type of the function of that name, and is not called once the library is dropped.
unsafe fn symbol<F: Copy>(library: &Library, name: &CStr) -> Result<F, String> {
    // SAFETY: the caller's promise.
    let found = unsafe { library.get::<F>(name) };
    found.map(|symbol| *symbol).map_err(|_| format!("has no {}", name.to_string_lossy()))
}

/// A program of NVRTC's, destroyed when dropped.
struct Program<'a> {
    api: &'a Api,
    handle: Handle,
    /// NVRTC may keep pointers to these until the program is destroyed.
    _texts: Vec<CString>,
}

impl<'a> Program<'a> {
    fn new(nvrtc: &'a Nvrtc, job: &Job<'_>) -> Result<Self, Fault> {
        let headers = job.source.headers;
        let mut texts = vec![text(job.source.text)?, text(job.source.path)?];
        for header in headers {
            texts.extend([text(header.text)?, text(header.name)?]);
        }
        let pairs = texts[2..].chunks_exact(2);
        let (contents, names): (Vec<_>, Vec<_>) =
            pairs.map(|pair| (pair[0].as_ptr(), pair[1].as_ptr())).unzip();
        let mut handle = ptr::null_mut();
        // SAFETY: every pointer is to a string or array in `texts`, `contents` and `names`; the
        // arrays have `headers.len()` entries, and the strings live as long as the program.
        let status = unsafe {
            (nvrtc.api.create)(
                &mut handle,
                texts[0].as_ptr(),
                texts[1].as_ptr(),
                headers.len() as c_int,
                contents.as_ptr(),
                names.as_ptr(),
            )
        };
        nvrtc.api.checked("create a program", status)?;
        Ok(Program { api: &nvrtc.api, handle, _texts: texts })
    }

    fn compile(&self, options: &[String]) -> Result<Status, Fault> {
        let options: Vec<CString> = options.iter().map(|o| text(o)).collect::<Result<_, _>>()?;
        let pointers: Vec<_> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the handle is that of a live program, and the array holds as many strings as it says.
        Ok(unsafe { (self.api.compile)(self.handle, pointers.len() as c_int, pointers.as_ptr()) })
    }

    /// What a pair of functions gives: its size, then its bytes.
    fn text(
        &self,
        size: unsafe extern "C" fn(Handle, *mut usize) -> Status,
        bytes: unsafe extern "C" fn(Handle, *mut c_char) -> Status,
    ) -> Result<Vec<u8>, Fault> {
        let mut length = 0;
        // SAFETY: the handle is that of a live program, and `length` is a live integer.
        self.api.checked("read a size", unsafe { size(self.handle, &mut length) })?;
        let mut buffer = vec![0u8; length];
        // SAFETY: the function writes exactly the bytes that its sibling has counted.
        let status = unsafe { bytes(self.handle, buffer.as_mut_ptr().cast()) };
        self.api.checked("read a result", status)?;
        Ok(buffer)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle came from `create` and is destroyed once. A failure leaks it, no more.
        let _ = unsafe { (self.api.destroy)(&mut self.handle) };
    }
}

fn text(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::Compile { log: "a zero byte in the source".to_owned() })
}

/// NVRTC loads this library of its own by plain name when it compiles. Where it lies beside NVRTC
/// but not on the loader's path, it is found only if it has been loaded before.
fn builtins(nvrtc: &str, major: c_int, minor: c_int) -> Option<Library> {
    let path = Path::new(nvrtc).with_file_name(format!("libnvrtc-builtins.so.{major}.{minor}"));
    // SAFETY: it belongs to NVRTC and, like it, has initialisers without a precondition.
    unsafe { Library::new(path) }.ok()
}

fn absent(library: &str) -> String {
    if library.contains('/') { "not there" } else { "not on the loader's path" }.to_owned()
}
