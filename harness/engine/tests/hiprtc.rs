//! hipRTC without ROCm: the interpreter's library answers as libhiprtc.so in a folder that is laid out
//! as ROCm's, and puts names of HIP's before a source, as hipRTC does. The compiler of
//! `scripts/toolchain` stands in that folder, too.

use libtest_mimic::{Arguments, Failed, Trial};
use object::{Object as _, ObjectSection as _};
use std::ffi::c_void;
use std::ptr;
use tempfile::TempDir;
use tilemark_cdna::hip::exports::*;
use tilemark_core::Fault;
use tilemark_core::launch::{Constant, Header, Source};
use tilemark_engine::compile::find::{Absent, Compiler};
use tilemark_engine::compile::{Cache, Compiled, Compilers, Job, Target};

const TOOLCHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.toolchain");

static NAIVE: Source = Source {
    path: "gemm/naive.cu",
    text: include_str!("../../../kernels/gemm/naive.cu"),
    headers: &[
        Header { name: "tile/tile.h", text: include_str!("../../../kernels/tile/tile.h") },
        Header {
            name: "tile/vendor/hip.h",
            text: include_str!("../../../kernels/tile/vendor/hip.h"),
        },
    ],
};

static DOUBLE: Source = Source {
    path: "test/double.hip",
    text: "#include \"tile/vendor/hip.h\"\n\
           extern \"C\" __global__ __launch_bounds__(64) void twice(float* x) {\n\
           \x20   __shared__ float row[64];\n\
           \x20   row[threadIdx.x] = x[threadIdx.x];\n\
           \x20   __syncthreads();\n\
           \x20   x[threadIdx.x] = SCALES * row[63 - threadIdx.x];\n\
           }\n",
    headers: NAIVE.headers,
};

fn main() {
    let rocm = rocm();
    // SAFETY: no other thread runs yet.
    #[allow(unsafe_code, reason = "the bindings take ROCm's folder from the environment")]
    unsafe {
        std::env::set_var("ROCM_PATH", rocm.path());
        std::env::set_var("TILEMARK_HIP", "interpreter:gfx950");
        std::env::remove_var("TILEMARK_HIP_CLANG");
    }
    let trials = vec![
        Trial::test("hiprtc_makes_the_code_that_clang_makes", makes_what_clang_makes),
        Trial::test("where_rocm_is_hiprtc_makes_objects_and_clang_assembly", is_chosen),
        Trial::test("a_refusal_of_hiprtc_names_the_line", refusals_name_the_line),
        Trial::test("what_hiprtc_makes_is_loaded_and_runs", its_code_runs),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_if_failed();
    drop(rocm);
}

/// A folder like ROCm's: the interpreter's library under hipRTC's name, and clang.
fn rocm() -> TempDir {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let [library, clang] = ["lib/libhiprtc.so", "llvm/bin/clang"].map(|at| folder.path().join(at));
    for file in [&library, &clang] {
        std::fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("it is ours");
    }
    let program = std::env::current_exe().expect("this program has a file");
    std::os::unix::fs::symlink(program.with_file_name("libtilemark_cdna.so"), library)
        .and_then(|()| {
            std::fs::write(
                &clang,
                format!("#!/bin/sh\nPATH={TOOLCHAIN}:$PATH exec {TOOLCHAIN}/clang \"$@\"\n"),
            )
        })
        .and_then(|()| std::fs::set_permissions(&clang, executable()))
        .expect("it is ours");
    folder
}

fn executable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

fn clang() -> Compiler {
    Compiler::clang(&format!("{TOOLCHAIN}/clang")).expect("scripts/toolchain has been run")
}

fn compile(compiler: Compiler, source: &Source, arch: &str) -> Result<Compiled, Fault> {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let absent = || Err(Absent { looked_for: Vec::new(), remedy: "a test" });
    let compilers = Compilers { nvidia: absent(), hiprtc: Ok(compiler), clang: absent() };
    let target = Target::code(arch)?;
    let job = Job { source, constants: &[("SCALES", Constant::Integer(2))], target: &target };
    job.run(&compilers, &Cache::at(folder.path()))
}

/// The instructions of an object.
fn code(image: &[u8]) -> Vec<u8> {
    let file = object::File::parse(image).expect("it is an object");
    let section = file.section_by_name(".text").expect("it has code");
    section.data().expect("the section is whole").to_vec()
}

fn makes_what_clang_makes() -> Result<(), Failed> {
    for arch in ["gfx942", "gfx950"] {
        let by_hiprtc = compile(Compiler::hiprtc()?, &NAIVE, arch)?;
        let by_clang = compile(clang(), &NAIVE, arch)?;
        assert_eq!(by_hiprtc.kernels, by_clang.kernels);
        assert_eq!(by_hiprtc.kernels[0].name, "gemm_naive");
        assert_eq!(by_hiprtc.warnings, Vec::<String>::new());
        assert!(code(&by_hiprtc.image) == code(&by_clang.image), "{arch}: the code differs");
        assert!(by_hiprtc.compiler.starts_with("hipRTC 9.0 ("), "{}", by_hiprtc.compiler);
    }
    Ok(())
}

fn is_chosen() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let compiler_for = |target: Target| {
        let job = Job { source: &DOUBLE, constants: &[("SCALES", 2.into())], target: &target };
        job.run(Compilers::here(), &Cache::at(folder.path())).map(|compiled| compiled.compiler)
    };
    assert!(compiler_for(Target::code("gfx950")?)?.starts_with("hipRTC"));
    assert!(compiler_for(Target::assembly("gfx950"))?.contains("clang"));
    Ok(())
}

fn refusals_name_the_line() -> Result<(), Failed> {
    let broken = Source { text: "#include \"tile/tile.h\"\nint x = y;\n", ..NAIVE };
    let fault = compile(Compiler::hiprtc()?, &broken, "gfx942").expect_err("y is undeclared");
    let told = matches!(&fault, Fault::Compile { log }
        if log.contains("gemm/naive.cu:2:9: error: use of undeclared identifier 'y'")
        && log.contains("gemm/naive.cu for gfx942 -DSCALES=2, by hipRTC"));
    assert!(told, "{fault}");
    Ok(())
}

/// The object goes to the functions that the HIP device calls.
#[allow(unsafe_code, reason = "the C functions are called as C would call them")]
fn its_code_runs() -> Result<(), Failed> {
    let image = compile(Compiler::hiprtc()?, &DOUBLE, "gfx950")?.image;
    let mut row: Vec<f32> = (0u8..64).map(f32::from).collect();
    let bytes = size_of_val(row.as_slice());
    let (mut module, mut function, mut address) = (0, 0, 0u64);
    // SAFETY: the image is a whole object; every other pointer is to a live local of the type that HIP
    // names, and the kernel takes one pointer.
    unsafe {
        assert_eq!(hipModuleLoadData(&mut module, image.as_ptr().cast()), 0);
        assert_eq!(hipModuleGetFunction(&mut function, module, c"twice".as_ptr()), 0);
        assert_eq!(hipMalloc(&mut address, bytes), 0);
        assert_eq!(hipMemcpy(address, row.as_ptr() as u64, bytes, 1), 0);
        let parameters = [ptr::from_ref(&address).cast()];
        let (none, parameters) = (ptr::null::<*const c_void>(), parameters.as_ptr());
        let stream = ptr::null_mut();
        let status =
            hipModuleLaunchKernel(function, 1, 1, 1, 64, 1, 1, 0, stream, parameters, none);
        assert_eq!(status, 0);
        assert_eq!(hipMemcpy(row.as_mut_ptr() as u64, address, bytes, 2), 0);
    }
    let expected: Vec<f32> = (0u8..64).map(|lane| 2.0 * f32::from(63 - lane)).collect();
    assert_eq!(row, expected);
    Ok(())
}
