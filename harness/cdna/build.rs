//! Gives the shared library the name under which HIP's runtime is looked up, so that whoever has loaded it by
//! path gets it again when libamdhip64.so is asked for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libamdhip64.so");
}
