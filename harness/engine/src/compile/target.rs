//! What is compiled for: an architecture, and the form that its driver loads.

use tilemark_core::Fault;
use tilemark_core::device::Vendor;

/// An architecture and a form of its code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The compiler's name of the architecture: `sm_90a`, `gfx942`.
    pub arch: String,
    /// What comes out.
    pub form: Form,
}

/// The form of compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// What a driver of NVIDIA's loads.
    Cubin,
    /// What a driver of AMD's loads: an ELF code object.
    CodeObject,
    /// AMD's assembly as text, which the interpreter loads.
    Assembly,
}

impl Target {
    /// Code for a device of this architecture.
    pub fn code(arch: &str) -> Result<Self, Fault> {
        let form = if is_numbered(arch, "sm_") {
            Form::Cubin
        } else if is_numbered(arch, "gfx") {
            Form::CodeObject
        } else {
            let reason = format!("no compiler for architecture `{arch}`: known are sm_* and gfx*");
            return Err(Fault::Unsupported { reason });
        };
        Ok(Target { arch: arch.to_owned(), form })
    }

    /// Assembly for the interpreter of an architecture of AMD's.
    pub fn assembly(arch: &str) -> Self {
        Target { arch: arch.to_owned(), form: Form::Assembly }
    }

    /// Who makes devices of this architecture.
    pub fn vendor(&self) -> Vendor {
        match self.form {
            Form::Cubin => Vendor::Nvidia,
            Form::CodeObject | Form::Assembly => Vendor::Amd,
        }
    }

    /// Every flag that changes what is made of a source, but for the constants.
    pub(super) fn flags(&self) -> Vec<String> {
        let arch = &self.arch;
        match self.form {
            // NVRTC and nvcc share this line; each adds what only it needs.
            Form::Cubin => {
                vec!["-std=c++17".to_owned(), format!("-arch={arch}"), "-lineinfo".to_owned()]
            }
            Form::CodeObject | Form::Assembly => {
                let offload = format!("--offload-arch={arch}");
                let mut flags: Vec<String> =
                    AMD_FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
                flags.push(offload);
                flags
            }
        }
    }
}

/// No header and no library of ROCm's is needed, and none is searched for. Without `-fuse-cuid` a
/// random symbol would make every object a different one; the line tables let the interpreter
/// name the source line of a fault.
const AMD_FLAGS: [&str; 8] = [
    "-xhip",
    "--cuda-device-only",
    "-nogpulib",
    "-nogpuinc",
    "-std=c++17",
    "-O3",
    "-fuse-cuid=none",
    "-gline-tables-only",
];

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Cubin => "cubin",
            Form::CodeObject => "code object",
            Form::Assembly => "assembly",
        }
    }
}

/// Whether the rest of the name is a number, perhaps with letters behind it (`90a`).
fn is_numbered(arch: &str, prefix: &str) -> bool {
    arch.strip_prefix(prefix).is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_tells_its_vendor() {
        assert_eq!(Target::code("sm_90a").unwrap().vendor(), Vendor::Nvidia);
        assert_eq!(Target::code("gfx942").unwrap().form, Form::CodeObject);
        assert_eq!(Target::assembly("gfx950").vendor(), Vendor::Amd);
    }

    #[test]
    fn an_unknown_architecture_is_refused_by_name() {
        for arch in ["", "sm_", "sm_90a -o /x", "x86_64", "gfx"] {
            let error = Target::code(arch).unwrap_err().to_string();
            assert!(error.contains(&format!("architecture `{arch}`")), "{error}");
        }
    }
}
