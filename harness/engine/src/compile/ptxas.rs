//! Reads what NVIDIA's assembler says with `-v`, from nvcc's stderr or NVRTC's log: registers,
//! spills and shared memory of every kernel, and its warnings.
//!
//! The log is read rather than the cubin, because a cubin holds the size of the stack but not
//! which part of it is spills.

use super::KernelCode;

/// Every kernel that was assembled, or what could not be understood.
pub(super) fn kernels(log: &str) -> Result<Vec<KernelCode>, String> {
    let mut kernels: Vec<KernelCode> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let name = rest.split('\'').next().unwrap_or_default();
            kernels.push(entry(name));
        } else if let Some(kernel) = kernels.last_mut() {
            read(line, kernel);
        }
    }
    match kernels.iter().find(|kernel| kernel.registers == 0) {
        Some(kernel) => Err(format!("the assembler's log has no registers of `{}`", kernel.name)),
        None if kernels.is_empty() => Err("the assembler's log names no kernel".to_owned()),
        None => Ok(kernels),
    }
}

/// The warnings in a log. Messages C75xx are counted as such although some are called info: each
/// says that wgmma or setmaxnreg was not compiled as written, except C7519.
pub(super) fn warnings(log: &str) -> Vec<String> {
    let is_one = |line: &&str| {
        (line.contains("warning") || line.contains("(C75")) && !line.contains("(C7519)")
    };
    log.lines().filter(is_one).map(|line| line.trim().to_owned()).collect()
}

fn entry(name: &str) -> KernelCode {
    KernelCode {
        name: name.to_owned(),
        registers: 0,
        spilled_bytes: 0,
        stack_bytes: 0,
        static_shared_bytes: 0,
        amd: None,
    }
}

/// A line is a list of `NUMBER WORDS`, perhaps with something before the first number; functions
/// that were not inlined add to their caller.
fn read(line: &str, kernel: &mut KernelCode) {
    let (mut stores, mut loads) = (0, 0);
    for item in line.split(',') {
        let mut words = item.split_whitespace();
        let Some(number) = words.find_map(|word| word.parse::<u32>().ok()) else { continue };
        let what: Vec<&str> = words.collect();
        match what.join(" ").as_str() {
            "registers" => kernel.registers = kernel.registers.max(number),
            "bytes stack frame" => kernel.stack_bytes += number,
            "bytes spill stores" => stores = number,
            "bytes spill loads" => loads = number,
            "bytes smem" => kernel.static_shared_bytes = number,
            _ => {}
        }
    }
    kernel.spilled_bytes += stores.max(loads);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_90a'
ptxas info    : Function properties for first
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 168 registers, used 16 barriers, 16 bytes cumulative stack size, 1024 bytes smem
ptxas info    : Compile time = 123.625 ms
ptxas info    : Compiling entry function 'by_nvrtc' for 'sm_90a'
ptxas         .     104 bytes stack frame, 108 bytes spill stores, 106 bytes spill loads
ptxas info    : Used 168 registers, used 16 barriers, 104 bytes cumulative stack size
ptxas info    : Compiling entry function 'second' for 'sm_90a'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : (C7519) Potential Performance Loss: wgmma.mma_async
ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored
ptxas info    : Used 32 registers
gemm/a.cu(3): warning #177-D: variable \"x\" was declared but never referenced
";

    #[test]
    fn every_kernel_has_its_own_figures() {
        let kernels = kernels(LOG).unwrap();
        let figures = |k: &KernelCode| {
            (k.name.clone(), k.registers, k.spilled_bytes, k.stack_bytes, k.static_shared_bytes)
        };
        let expected = [
            ("first".to_owned(), 168, 12, 16, 1024),
            ("by_nvrtc".to_owned(), 168, 108, 104, 0),
            ("second".to_owned(), 32, 0, 0, 0),
        ];
        assert_eq!(kernels.iter().map(figures).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_not_compiled_as_written_is_a_warning() {
        let warnings = warnings(LOG);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("C7508") && warnings[1].contains("#177-D"));
    }

    #[test]
    fn a_log_that_is_not_understood_is_no_report_of_zeros() {
        assert!(kernels("ptxas info : Compiling entry function 'k' for 'sm_90a'").is_err());
        assert!(kernels("").is_err());
    }
}
