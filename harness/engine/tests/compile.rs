//! Compiling and its cache: with compilers scripted in shell, which count how often they are called,
//! and with the real ones that `scripts/toolchain` installs.

#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

use std::path::Path;
use tempfile::TempDir;
use tilemark_core::Fault;
use tilemark_core::launch::{Constant, Header, Source};
use tilemark_engine::compile::find::{Absent, Compiler, TOOLCHAIN};
use tilemark_engine::compile::{Cache, Compiled, Compilers, Form, Job, Target};

static SOURCE: Source = Source {
    path: "family/kernel.cu",
    text: "#include \"tile/tile.h\"\nkernel\n",
    headers: &[Header { name: "tile/tile.h", text: "header\n" }],
};

/// As nvcc: adds a line to `calls`, and makes a cubin of the arguments and the files it was given.
const FAKE_NVCC: &str = r#"
if [ "$1" = --version ]; then echo "fake release 1"; exit; fi
echo call >>"$CALLS"
case "$*" in *BROKEN*) echo "family/kernel.cu(2): error: no such thing"; exit 1;; esac
{ echo "$@"; cat family/kernel.cu tile/tile.h; } >code.cubin
case "$*" in *SILENT*) exit;; esac
echo "ptxas info : Compiling entry function 'kernel' for 'sm_90a'" >&2
echo "ptxas info : Used 40 registers, 512 bytes smem" >&2
"#;

/// A compiler, a cache and a count of calls, in a folder of their own.
struct Fixture {
    folder: TempDir,
    compilers: Compilers,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("nvcc");
        let calls = folder.path().join("calls");
        std::fs::write(&script, format!("CALLS={}\n{FAKE_NVCC}", calls.display())).unwrap();
        std::fs::write(calls, "").unwrap();
        let nvidia = Ok(Compiler::nvcc(&format!("sh {}", script.display())).unwrap());
        let clang =
            Err(Absent { looked_for: vec!["clang (not there)".to_owned()], remedy: TOOLCHAIN });
        Fixture { folder, compilers: Compilers { nvidia, hiprtc: absent(), clang } }
    }

    fn cache(&self) -> Cache {
        Cache::at(&self.folder.path().join("cache"))
    }

    fn compile(&self, source: &Source, constant: &'static str) -> Result<Compiled, Fault> {
        let target = Target::code("sm_90a").unwrap();
        let constants = [("KIND", Constant::Text(constant)), ("SIZE", 64.into())];
        let job = Job { source, constants: &constants, target: &target };
        job.run(&self.compilers, &self.cache())
    }

    fn calls(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("calls")).unwrap().lines().count()
    }

    /// The only entry of the cache.
    fn entry(&self) -> std::path::PathBuf {
        let entries: Vec<_> =
            std::fs::read_dir(self.folder.path().join("cache")).unwrap().collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].as_ref().unwrap().path()
    }
}

#[test]
fn what_was_compiled_once_is_not_compiled_again() {
    let fixture = Fixture::new();
    let first = fixture.compile(&SOURCE, "float").unwrap();
    assert_eq!(fixture.compile(&SOURCE, "float").unwrap(), first);
    assert_eq!(fixture.calls(), 1);
    assert_eq!((first.kernels[0].registers, first.kernels[0].static_shared_bytes), (40, 512));
    let image = String::from_utf8(first.image).unwrap();
    assert!(image.contains("-DKIND=float -DSIZE=64") && image.contains("-arch=sm_90a"), "{image}");
    assert!(image.contains("kernel\nheader\n"), "{image}");
}

#[test]
fn another_constant_source_or_header_is_another_entry() {
    let fixture = Fixture::new();
    let other_text = Source { text: "other\n", ..SOURCE };
    let other_header =
        Source { headers: &[Header { name: "tile/tile.h", text: "other\n" }], ..SOURCE };
    let mut hashes = vec![
        fixture.compile(&SOURCE, "float").unwrap().hash,
        fixture.compile(&SOURCE, "double").unwrap().hash,
        fixture.compile(&other_text, "float").unwrap().hash,
        fixture.compile(&other_header, "float").unwrap().hash,
    ];
    hashes.sort();
    hashes.dedup();
    assert_eq!((hashes.len(), fixture.calls()), (4, 4));
}

/// Spoils the only entry; it must be compiled again, and then be believed again.
fn check_spoilt(spoil: impl Fn(&mut Vec<u8>)) {
    let fixture = Fixture::new();
    let first = fixture.compile(&SOURCE, "float").unwrap();
    let mut bytes = std::fs::read(fixture.entry()).unwrap();
    spoil(&mut bytes);
    std::fs::write(fixture.entry(), bytes).unwrap();
    assert_eq!(fixture.compile(&SOURCE, "float").unwrap(), first);
    assert_eq!(fixture.calls(), 2);
    fixture.compile(&SOURCE, "float").unwrap();
    assert_eq!(fixture.calls(), 2);
}

#[test]
fn a_torn_or_altered_entry_is_compiled_again() {
    check_spoilt(|bytes| bytes.truncate(bytes.len() - 1));
    check_spoilt(|bytes| bytes.truncate(10));
    check_spoilt(Vec::clear);
    check_spoilt(|bytes| *bytes.last_mut().unwrap() ^= 1);
    check_spoilt(|bytes| {
        // A report of 40 registers turned into one of 41.
        let at = bytes.windows(4).position(|four| four == b":40,").unwrap();
        bytes[at + 2] = b'1';
    });
}

#[test]
fn workers_that_compile_the_same_at_once_leave_one_whole_entry() {
    let fixture = Fixture::new();
    let results: Vec<Compiled> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| fixture.compile(&SOURCE, "float").unwrap())).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert!(results.iter().all(|result| *result == results[0]));
    fixture.entry();
    let calls = fixture.calls();
    fixture.compile(&SOURCE, "float").unwrap();
    assert_eq!(fixture.calls(), calls);
}

#[test]
fn a_refusal_names_source_constants_and_the_compilers_words() {
    let fixture = Fixture::new();
    let Err(Fault::Compile { log }) = fixture.compile(&SOURCE, "BROKEN") else {
        panic!("the compiler refuses")
    };
    let expected = "family/kernel.cu for sm_90a -DKIND=BROKEN -DSIZE=64, by fake release 1:\n\
                    family/kernel.cu(2): error: no such thing";
    assert_eq!(log, expected);
    fixture.compile(&SOURCE, "BROKEN").unwrap_err();
    assert_eq!(fixture.calls(), 2, "a refusal is not kept");
}

#[test]
fn a_compiler_that_reports_nothing_is_no_compiler() {
    let error = Fixture::new().compile(&SOURCE, "SILENT").unwrap_err();
    assert!(matches!(&error, Fault::Infra { message } if message.contains("names no kernel")));
}

#[test]
fn without_a_compiler_it_is_said_what_was_looked_for() {
    let fixture = Fixture::new();
    let target = Target::code("gfx942").unwrap();
    let job = Job { source: &SOURCE, constants: &[], target: &target };
    let message = job.run(&fixture.compilers, &fixture.cache()).unwrap_err().to_string();
    for part in ["no compiler for gfx942", "clang (not there)", "scripts/toolchain"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_result() {
    let fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join("cache"), "a file in the way").unwrap();
    fixture.compile(&SOURCE, "float").unwrap();
    fixture.compile(&SOURCE, "float").unwrap();
    assert_eq!(fixture.calls(), 2);
}

static NAIVE: Source = Source {
    path: "gemm/naive.cu",
    text: include_str!("../../../kernels/gemm/naive.cu"),
    headers: &[
        Header { name: "tile/tile.h", text: include_str!("../../../kernels/tile/tile.h") },
        Header {
            name: "tile/vendor/cuda.h",
            text: include_str!("../../../kernels/tile/vendor/cuda.h"),
        },
        Header {
            name: "tile/vendor/cuda_wgmma.h",
            text: include_str!("../../../kernels/tile/vendor/cuda_wgmma.h"),
        },
    ],
};

static SCALE: Source = Source {
    path: "test/scale.hip",
    text: "extern \"C\" __attribute__((global)) void scale(float* x) {\n\
           \x20   __attribute__((shared)) float row[64];\n\
           \x20   int lane = __builtin_amdgcn_workitem_id_x();\n\
           \x20   row[lane] = x[lane];\n\
           \x20   __builtin_amdgcn_s_barrier();\n\
           \x20   x[lane] = FACTOR * row[63 - lane];\n\
           }\n",
    headers: &[],
};

/// The compilers of `scripts/toolchain`, on which these tests depend.
fn toolchain() -> &'static Path {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.toolchain"));
    assert!(folder.is_dir(), "no compilers: run scripts/toolchain first");
    folder
}

fn absent() -> Result<Compiler, Absent> {
    Err(Absent { looked_for: Vec::new(), remedy: "a test" })
}

/// Compiles with this compiler alone and nothing kept.
fn build(compiler: Compiler, source: &Source, value: i64, target: &Target) -> Compiled {
    let folder = tempfile::tempdir().unwrap();
    let compilers = match target.form {
        Form::Cubin => Compilers { nvidia: Ok(compiler), hiprtc: absent(), clang: absent() },
        _ => Compilers { nvidia: absent(), hiprtc: absent(), clang: Ok(compiler) },
    };
    let name = if source.path.ends_with(".cu") { "SCALES" } else { "FACTOR" };
    let constants = [(name, Constant::Integer(value))];
    let job = Job { source, constants: &constants, target };
    job.run(&compilers, &Cache::at(folder.path())).unwrap_or_else(|fault| panic!("{fault}"))
}

#[test]
fn nvcc_and_nvrtc_make_the_same_of_a_kernel() {
    let target = Target::code("sm_90a").unwrap();
    let nvrtc = || {
        let path = toolchain().join("nvidia/cu13/lib/libnvrtc.so.13");
        Compiler::nvrtc(path.to_str().unwrap()).unwrap()
    };
    let nvcc =
        || Compiler::nvcc(toolchain().join("nvidia/cu13/bin/nvcc").to_str().unwrap()).unwrap();
    for scales in [0, 2] {
        let by_nvrtc = build(nvrtc(), &NAIVE, scales, &target);
        let by_nvcc = build(nvcc(), &NAIVE, scales, &target);
        assert_eq!(by_nvrtc.kernels, by_nvcc.kernels);
        assert_eq!(by_nvrtc.kernels[0].name, "gemm_naive");
        assert!(by_nvrtc.kernels[0].registers > 10 && by_nvrtc.kernels[0].spilled_bytes == 0);
        assert!(by_nvrtc.image.starts_with(b"\x7fELF") && by_nvcc.image.starts_with(b"\x7fELF"));
        assert_eq!((by_nvrtc.warnings, by_nvcc.warnings), (Vec::new(), Vec::new()));
    }
    let images = [0, 2].map(|scales| build(nvrtc(), &NAIVE, scales, &target).image);
    assert_ne!(images[0], images[1], "the constant reaches the compiler");
}

#[test]
fn a_refusal_of_nvrtc_names_the_line() {
    let path = toolchain().join("nvidia/cu13/lib/libnvrtc.so.13");
    let nvidia = Ok(Compiler::nvrtc(path.to_str().unwrap()).unwrap());
    let broken = Source { text: "#include \"tile/tile.h\"\nint x = y;\n", ..NAIVE };
    let target = Target::code("sm_90a").unwrap();
    let job = Job { source: &broken, constants: &[], target: &target };
    let folder = tempfile::tempdir().unwrap();
    let compilers = Compilers { nvidia, hiprtc: absent(), clang: absent() };
    let fault = job.run(&compilers, &Cache::at(folder.path())).unwrap_err();
    let Fault::Compile { log } = fault else { panic!("{fault}") };
    assert!(log.contains("gemm/naive.cu(2)") && log.contains("\"y\" is undefined"), "{log}");
}

#[test]
fn clang_makes_objects_and_the_text_behind_them() {
    let clang = || Compiler::clang(toolchain().join("clang").to_str().unwrap()).unwrap();
    for arch in ["gfx942", "gfx950"] {
        let object = build(clang(), &SCALE, 3, &Target::code(arch).unwrap());
        let text = build(clang(), &SCALE, 3, &Target::assembly(arch));
        assert!(object.image.starts_with(b"\x7fELF"));
        let assembly = String::from_utf8(text.image).unwrap();
        assert!(assembly.contains(&format!("amdhsa--{arch}")));
        assert_eq!(object.kernels, text.kernels);
        let kernel = &text.kernels[0];
        let amd = kernel.amd.unwrap();
        assert_eq!((kernel.name.as_str(), kernel.static_shared_bytes), ("scale", 256));
        assert_eq!(kernel.registers, amd.vgprs + amd.agprs);
        assert!(assembly.contains(&format!("; Occupancy: {}\n", amd.waves_per_simd)));
        assert!(amd.sgprs > 0 && kernel.spilled_bytes == 0 && kernel.stack_bytes == 0);
    }
}
