//! Which compilers there are on this machine, and where they were looked for.
//!
//! What the user names comes first; then what `scripts/toolchain` put into the checkout, whose
//! versions are pinned; then what the machine has.

use super::hiprtc::Hiprtc;
use super::nvrtc::Nvrtc;
use super::process::Program;
use super::{Form, Job, Output, Target};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tilemark_core::Fault;

/// The compilers of this machine, or what was looked for in vain.
#[derive(Debug)]
pub struct Compilers {
    /// For NVIDIA.
    pub nvidia: Result<Compiler, Absent>,
    /// For AMD's devices, where ROCm is.
    pub hiprtc: Result<Compiler, Absent>,
    /// For AMD's devices without ROCm, and for the interpreter.
    pub clang: Result<Compiler, Absent>,
}

/// A compiler that works.
#[derive(Debug)]
pub struct Compiler {
    engine: Engine,
    path: String,
    version: String,
}

/// A vendor without a compiler.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Each candidate, and what became of it.
    pub looked_for: Vec<String>,
    /// What would bring one.
    pub remedy: &'static str,
}

#[derive(Debug)]
enum Engine {
    Nvrtc(Nvrtc),
    Nvcc(Program),
    Hiprtc(Hiprtc),
    Clang(Program),
}

/// What brings NVRTC and clang.
pub const TOOLCHAIN: &str = "`scripts/toolchain` installs the compilers into a checkout";

/// What brings hipRTC.
const ROCM: &str = "it comes with ROCm, whose folder ROCM_PATH names";

/// A place where a compiler may be.
type Candidate = (String, fn(&str) -> Result<Compiler, String>);

impl Compilers {
    /// Those of this machine, looked for once in a process.
    pub fn here() -> &'static Self {
        static HERE: OnceLock<Compilers> = OnceLock::new();
        HERE.get_or_init(|| Compilers {
            nvidia: first(nvidia(), TOOLCHAIN),
            hiprtc: first(hiprtc(), ROCM),
            clang: first(clang(), TOOLCHAIN),
        })
    }

    /// The one for AMD's devices: hipRTC, or clang where it is not found.
    pub fn amd(&self) -> &Result<Compiler, Absent> {
        if self.hiprtc.is_ok() { &self.hiprtc } else { &self.clang }
    }

    /// The one that compiles for this target.
    pub(super) fn choose(&self, target: &Target) -> Result<&Compiler, Fault> {
        let compiler = match target.form {
            Form::Cubin => &self.nvidia,
            Form::CodeObject => self.amd(),
            Form::Assembly => &self.clang,
        };
        compiler.as_ref().map_err(|absent| Fault::Infra {
            message: format!("no compiler for {}: {absent}", target.arch),
        })
    }
}

impl Compiler {
    /// NVRTC, by the path or plain name of its library.
    pub fn nvrtc(library: &str) -> Result<Self, String> {
        let nvrtc = Nvrtc::load(library)?;
        let (path, version) = (nvrtc.path().to_owned(), nvrtc.version().to_owned());
        Ok(Compiler { engine: Engine::Nvrtc(nvrtc), path, version })
    }

    /// nvcc, by its path, perhaps with arguments behind it.
    pub fn nvcc(command: &str) -> Result<Self, String> {
        let (program, version) = Program::find(command)?;
        Ok(Compiler { engine: Engine::Nvcc(program), path: command.to_owned(), version })
    }

    /// hipRTC, on the loader's path or below `$ROCM_PATH`.
    pub fn hiprtc() -> Result<Self, String> {
        let hiprtc = Hiprtc::load()?;
        let (path, version) = (hiprtc.path().to_owned(), hiprtc.version().to_owned());
        Ok(Compiler { engine: Engine::Hiprtc(hiprtc), path, version })
    }

    /// A clang that knows AMD's architectures: its path, perhaps with arguments behind it.
    pub fn clang(command: &str) -> Result<Self, String> {
        let (program, version) = Program::find(command)?;
        Ok(Compiler { engine: Engine::Clang(program), path: command.to_owned(), version })
    }

    /// Where it was found.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn compile(&self, job: &Job<'_>) -> Result<Output, Fault> {
        match &self.engine {
            Engine::Nvrtc(nvrtc) => nvrtc.compile(job),
            Engine::Nvcc(program) => program.nvcc(job, &self.version),
            Engine::Hiprtc(hiprtc) => hiprtc.compile(job),
            Engine::Clang(program) => program.clang(job, &self.version),
        }
    }
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "looked for {}; hint: {}", self.looked_for.join(", "), self.remedy)
    }
}

impl std::error::Error for Absent {}

fn first(candidates: Vec<Candidate>, remedy: &'static str) -> Result<Compiler, Absent> {
    let mut looked_for = Vec::new();
    for (place, open) in candidates {
        match open(&place) {
            Ok(compiler) => return Ok(compiler),
            Err(why) => looked_for.push(format!("{place} ({why})")),
        }
    }
    Err(Absent { looked_for, remedy })
}

/// A compiler that the user names is the only candidate: another in its place would be a surprise.
fn nvidia() -> Vec<Candidate> {
    if let Some(library) = variable("TILEMARK_NVRTC") {
        return vec![(library, Compiler::nvrtc)];
    }
    if let Some(program) = variable("TILEMARK_NVCC") {
        return vec![(program, Compiler::nvcc)];
    }
    let mut folders: Vec<PathBuf> =
        toolchain().map(|folder| folder.join("nvidia/cu13")).into_iter().collect();
    folders.extend(["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable).map(PathBuf::from));
    folders.push("/usr/local/cuda".into());

    let mut candidates: Vec<Candidate> = Vec::new();
    for library in folders.iter().flat_map(|folder| libraries(folder)) {
        candidates.push((text(&library), Compiler::nvrtc));
    }
    for name in NVRTC_NAMES {
        candidates.push((name.to_owned(), Compiler::nvrtc));
    }
    for folder in &folders {
        candidates.push((text(&folder.join("bin/nvcc")), Compiler::nvcc));
    }
    candidates.push(("nvcc".to_owned(), Compiler::nvcc));
    candidates
}

/// Newest first. A release of CUDA keeps its major number in the name of the library.
const NVRTC_NAMES: [&str; 2] = ["libnvrtc.so.13", "libnvrtc.so.12"];

/// The NVRTCs of a folder of CUDA; at least one path, so that it is named where it was looked for.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let places = ["lib", "lib64"].map(|lib| folder.join(lib));
    let all = places.iter().flat_map(|lib| NVRTC_NAMES.map(|name| lib.join(name)));
    let there: Vec<PathBuf> = all.filter(|path| path.exists()).collect();
    if there.is_empty() { vec![places[0].join(NVRTC_NAMES[0])] } else { there }
}

/// Another compiler that the user names takes its place. The bindings look it up by themselves.
fn hiprtc() -> Vec<Candidate> {
    let library = text(&rocm().join("lib/libhiprtc.so"));
    match variable("TILEMARK_HIP_CLANG") {
        Some(_) => vec![(library, |_| Err("$TILEMARK_HIP_CLANG asks for clang".to_owned()))],
        None => vec![(library, |_| Compiler::hiprtc())],
    }
}

fn clang() -> Vec<Candidate> {
    if let Some(command) = variable("TILEMARK_HIP_CLANG") {
        return vec![(command, Compiler::clang)];
    }
    let mut places: Vec<String> = toolchain().map(|f| text(&f.join("clang"))).into_iter().collect();
    places.push(text(&rocm().join("llvm/bin/clang")));
    // The first of LLVM's own releases that knows gfx950 without spilling on gfx942.
    places.push("clang-22".to_owned());
    places.into_iter().map(|place| (place, Compiler::clang as fn(&str) -> _)).collect()
}

/// Where ROCm is installed, if it is.
fn rocm() -> PathBuf {
    variable("ROCM_PATH").unwrap_or_else(|| "/opt/rocm".to_owned()).into()
}

/// What `scripts/toolchain` made, in the checkout that holds this program or the current folder.
fn toolchain() -> Option<PathBuf> {
    let starts = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    let above = |start: &PathBuf| {
        start.ancestors().map(|folder| folder.join(".toolchain")).find(|folder| folder.is_dir())
    };
    starts.iter().flatten().find_map(above)
}

/// Where a library lies that was loaded by its plain name, as this process has it mapped.
pub(super) fn mapped(library: &str) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    paths.find(|path| path.contains(&format!("/{library}"))).map(str::to_owned)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
