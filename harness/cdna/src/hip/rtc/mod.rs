//! The interpreter as hipRTC: what libhiprtc.so would keep behind its functions. Safe Rust.
//!
//! Clang compiles; the object carries the assembly it was made of in a section of its own, so that it is what
//! hipRTC would give and what the interpreter can load. The clang is ROCm's (`$ROCM_PATH/llvm/bin/clang`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object as _, ObjectSection as _};

/// A source that may be included, or that includes: its name and text.
pub struct File {
    pub name: String,
    pub text: String,
}

/// A program: what goes in, and what came out of the last compilation.
pub struct Program {
    pub source: File,
    pub headers: Vec<File>,
    pub log: Vec<u8>,
    pub code: Vec<u8>,
}

const BEFORE: &str = include_str!("before.h");
const SECTION: &str = ".tilemark_assembly";

impl Program {
    pub fn new(source: File, headers: Vec<File>) -> Self {
        Self { source, headers, log: Vec::new(), code: Vec::new() }
    }

    /// Whether the source compiles; if not, the log says why.
    pub fn compile(&mut self, options: &[String]) -> bool {
        let mut log = Vec::new();
        let outcome = self.object(options, &mut log);
        self.log = log;
        match outcome {
            Ok(code) => self.code = code,
            Err(error) => self.log.extend(format!("{error}\n").bytes()),
        }
        !self.code.is_empty()
    }

    fn object(&self, options: &[String], log: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let before = File { name: "hiprtc_runtime.h".to_owned(), text: BEFORE.to_owned() };
        for file in self.headers.iter().chain([&self.source, &before]) {
            lay(folder.path(), file)?;
        }
        let mut compile = clang();
        compile.args(["-xhip", "--cuda-device-only", "-nogpulib", "-nogpuinc", "-fuse-cuid=none"]);
        compile.args(["-std=c++14", "-D__HIPCC_RTC__", "-include", &before.name]).args(options);
        run(compile.args(["-S", "-I.", &self.source.name, "-o", "code.s"]), folder.path(), log)?;
        let mut assembly = fs::read_to_string(folder.path().join("code.s"))?;
        let arch = options.iter().find_map(|option| option.strip_prefix("--offload-arch="));
        assembly
            .push_str(&format!("\n\t.section {SECTION},\"\",@progbits\n\t.incbin \"code.s\"\n"));
        fs::write(folder.path().join("with.s"), assembly)?;
        let target = format!("-mcpu={}", arch.unwrap_or_default());
        let mut assemble = clang();
        assemble.args(["--target=amdgcn-amd-amdhsa", &target, "with.s", "-o", "code.hsaco"]);
        run(&mut assemble, folder.path(), log)?;
        fs::read(folder.path().join("code.hsaco"))
    }
}

/// The assembly that an object of [`Program::compile`] carries.
pub fn assembly(object: &[u8]) -> Option<String> {
    let file = object::File::parse(object).ok()?;
    let bytes = file.section_by_name(SECTION)?.data().ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

fn clang() -> Command {
    let rocm = std::env::var_os("ROCM_PATH").unwrap_or_else(|| "/opt/rocm".into());
    Command::new(PathBuf::from(rocm).join("llvm/bin/clang"))
}

fn lay(folder: &Path, file: &File) -> io::Result<()> {
    let path = folder.join(&file.name);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, &file.text)
}

/// Adds what the compiler says to the log.
fn run(command: &mut Command, folder: &Path, log: &mut Vec<u8>) -> io::Result<()> {
    let output = command.current_dir(folder).output()?;
    log.extend(output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("clang: {}", output.status))),
    }
}
