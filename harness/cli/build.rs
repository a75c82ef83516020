//! Notes the commit that the binary is built from, where there is a git checkout.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../../.git/HEAD");
    println!("cargo:rerun-if-changed=../../.git/logs/HEAD");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        let dirty = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
        let mark = if dirty { "+changes" } else { "" };
        println!("cargo:rustc-env=TILEMARK_COMMIT={commit}{mark}");
    }
}
