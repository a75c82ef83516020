//! Source + constants + architecture → binary, with what the compiler said of it.
//!
//! Compilers are found at run time and never linked: NVRTC or nvcc for NVIDIA, hipRTC or
//! clang for AMD. Results are kept by content, so that a case compiles once on a machine. Nothing here
//! touches a device, and no kernel is known by name.

pub mod cache;
pub mod find;
pub mod target;

mod amdgpu;
mod hiprtc;
mod nvrtc;
mod process;
mod ptxas;

pub use cache::Cache;
pub use find::Compilers;
pub use target::{Form, Target};

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use tilemark_core::Fault;
use tilemark_core::launch::{Constant, Source};

/// Device code as a driver loads it, and what the compiler said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// A cubin, a code object, or the text of AMD's assembly, as the target asked.
    pub image: Vec<u8>,
    /// Hash of source, headers, constants, flags, compiler and target.
    pub hash: String,
    /// Every kernel of the source, in the compiler's order.
    pub kernels: Vec<KernelCode>,
    /// Which compiler it was: `NVRTC 13.0`, or the line with its version.
    pub compiler: String,
    /// What it warned of. A refused `setmaxnreg` or a serialised wgmma is such a warning, and
    /// costs more than most mistakes; only C7519, which tells that wgmma's registers were moved
    /// and is met on sound code, is left out.
    pub warnings: Vec<String>,
}

/// What the compiler made of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelCode {
    /// Its unmangled name.
    pub name: String,
    /// Registers of a thread; on AMD the vector registers of both kinds.
    pub registers: u32,
    /// Bytes of a thread that are spilled to memory.
    pub spilled_bytes: u32,
    /// Stack (scratch) of a thread, which holds spills and what cannot live in registers.
    pub stack_bytes: u32,
    /// Static shared memory (LDS) of a block.
    pub static_shared_bytes: u32,
    /// What only AMD has.
    pub amd: Option<AmdRegisters>,
}

/// The registers of a kernel on AMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmdRegisters {
    /// Vector registers, as they are allotted: by fours where accumulation registers follow.
    pub vgprs: u32,
    /// Accumulation registers.
    pub agprs: u32,
    /// Scalar registers of a wave.
    pub sgprs: u32,
    /// Scalar registers that were spilled into vector registers or scratch.
    pub sgprs_spilled: u32,
    /// Waves that fit on a SIMD at once, by registers and static LDS.
    pub waves_per_simd: u32,
}

/// Compiles for `arch` (`sm_90a`, `gfx942`, …), from the cache if it has been done before.
///
/// Fails with [`Fault::Compile`] if the compiler refuses the source, with [`Fault::Unsupported`]
/// if no compiler knows such an architecture, and with [`Fault::Infra`] if no compiler is found.
pub fn compile(
    source: &'static Source,
    constants: &[(&'static str, Constant)],
    arch: &str,
) -> Result<Compiled, Fault> {
    compile_for(source, constants, &Target::code(arch)?)
}

/// [`compile`] for a target that is more than an architecture.
pub fn compile_for(
    source: &'static Source,
    constants: &[(&'static str, Constant)],
    target: &Target,
) -> Result<Compiled, Fault> {
    Job { source, constants, target }.run(Compilers::here(), &Cache::here())
}

/// One compilation.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The code.
    pub source: &'a Source,
    /// Macros to define.
    pub constants: &'a [(&'static str, Constant)],
    /// What to make of it.
    pub target: &'a Target,
}

/// What a compiler gives back.
struct Output {
    image: Vec<u8>,
    kernels: Vec<KernelCode>,
    warnings: Vec<String>,
}

impl Job<'_> {
    /// Compiles with the compiler among these that knows the target, unless the cache has it.
    pub fn run(&self, compilers: &Compilers, cache: &Cache) -> Result<Compiled, Fault> {
        let compiler = compilers.choose(self.target)?;
        let key = self.key(compiler.version());
        if let Some(compiled) = cache.get(&key) {
            return Ok(compiled);
        }
        let Output { image, kernels, warnings } = compiler.compile(self)?;
        let compiler = compiler.version().to_owned();
        let compiled = Compiled { image, hash: key, kernels, compiler, warnings };
        cache.put(&compiled);
        Ok(compiled)
    }

    /// The name under which the result is kept. Every part is preceded by its length, so that no
    /// two jobs read the same.
    fn key(&self, compiler: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(cache::LAYOUT);
        part(compiler);
        self.target.flags().iter().for_each(|flag| part(flag));
        part(self.target.form.name());
        part(self.source.path);
        part(self.source.text);
        for header in self.source.headers {
            part(header.name);
            part(header.text);
        }
        self.definitions().iter().for_each(|definition| part(definition));
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The constants as a compiler takes them.
    fn definitions(&self) -> Vec<String> {
        let define = |(name, value): &(&str, Constant)| match value {
            Constant::Integer(number) => format!("-D{name}={number}"),
            Constant::Text(text) => format!("-D{name}={text}"),
        };
        self.constants.iter().map(define).collect()
    }

    /// A refusal, with everything that is needed to repeat it.
    fn refused(&self, compiler: &str, log: &str) -> Fault {
        let mut text = format!("{} for {}", self.source.path, self.target.arch);
        for definition in self.definitions() {
            let _ = write!(text, " {definition}");
        }
        Fault::Compile { log: format!("{text}, by {compiler}:\n{}", log.trim_end()) }
    }
}
