//! Reads what clang writes into AMD's assembly beside the code: the metadata, and its comments on
//! every kernel. Knows no instruction.

use super::{AmdRegisters, KernelCode};
use std::collections::HashMap;

/// Every kernel of the text, or what is missing in it.
pub(super) fn kernels(text: &str) -> Result<Vec<KernelCode>, String> {
    let comments = comments(text);
    let kernels = metadata(text);
    if kernels.is_empty() {
        return Err("the assembly names no kernel".to_owned());
    }
    kernels.iter().map(|kernel| code(kernel, &comments)).collect()
}

fn code(
    metadata: &HashMap<&str, &str>,
    comments: &HashMap<&str, HashMap<&str, u32>>,
) -> Result<KernelCode, String> {
    let name = *metadata.get(".name").ok_or("a kernel without a name in the metadata")?;
    let missing = |key: &str| format!("the assembly has no `{key}` of kernel `{name}`");
    let number = |key: &str| {
        metadata.get(key).and_then(|value| value.parse::<u32>().ok()).ok_or_else(|| missing(key))
    };
    let comment = |key: &str| {
        comments.get(name).and_then(|of| of.get(key)).copied().ok_or_else(|| missing(key))
    };
    Ok(KernelCode {
        name: name.to_owned(),
        registers: comment("TotalNumVgprs")?,
        // A spilled vector register is four bytes of a lane.
        spilled_bytes: 4 * number(".vgpr_spill_count")?,
        stack_bytes: number(".private_segment_fixed_size")?,
        static_shared_bytes: number(".group_segment_fixed_size")?,
        amd: Some(AmdRegisters {
            vgprs: comment("NumVgprs")?,
            agprs: comment("NumAgprs")?,
            sgprs: comment("TotalNumSgprs")?,
            sgprs_spilled: number(".sgpr_spill_count")?,
            waves_per_simd: comment("Occupancy")?,
        }),
    })
}

/// The keys of each kernel in the metadata, whose YAML has a fixed form: kernels at indent 2 of
/// the list `amdhsa.kernels`, their keys at 4.
fn metadata(text: &str) -> Vec<HashMap<&str, &str>> {
    let mut kernels = Vec::new();
    let block = text
        .split_once("amdhsa.kernels:")
        .and_then(|(_, rest)| rest.split_once("amdhsa.target:"))
        .map_or("", |(block, _)| block);
    for line in block.lines() {
        if line.starts_with("  - ") {
            kernels.push(HashMap::new());
        }
        let key = line.trim_start_matches([' ', '-']);
        let indent = line.len() - key.len();
        let (Some(kernel), Some((key, value))) = (kernels.last_mut(), key.split_once(':')) else {
            continue;
        };
        if indent == 4 {
            kernel.insert(key, value.trim().trim_matches('\''));
        }
    }
    kernels
}

/// The numbers in the comments `; KEY: NUMBER` that follow each kernel's descriptor.
fn comments(text: &str) -> HashMap<&str, HashMap<&str, u32>> {
    let mut kernels = HashMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix(".amdhsa_kernel ") {
            current = Some(name.trim());
            continue;
        }
        let numbered = line.strip_prefix("; ").and_then(|comment| comment.split_once(':'));
        if let (Some(kernel), Some((key, value))) = (current, numbered) {
            let number = value.trim().split(' ').next().and_then(|number| number.parse().ok());
            if let Some(number) = number {
                kernels.entry(kernel).or_insert_with(HashMap::new).insert(key.trim(), number);
            }
        }
    }
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
first:
\t.amdhsa_kernel first
\t\t.amdhsa_group_segment_fixed_size 20480
\t.end_amdhsa_kernel
; Kernel info:
; TotalNumSgprs: 22
; NumVgprs: 50
; NumAgprs: 16
; TotalNumVgprs: 68
; LDSByteSize: 20480 bytes/workgroup (compile time only)
; Occupancy: 3
\t.amdgpu_metadata
---
amdhsa.kernels:
  - .agpr_count:     16
    .args:
      - .name:           a.coerce
        .size:           8
    .group_segment_fixed_size: 20480
    .name:           first
    .private_segment_fixed_size: 12
    .sgpr_spill_count: 1
    .vgpr_spill_count: 2
amdhsa.target:   amdgcn-amd-amdhsa--gfx942
";

    #[test]
    fn registers_come_from_the_comments_and_spills_from_the_metadata() {
        let amd =
            AmdRegisters { vgprs: 50, agprs: 16, sgprs: 22, sgprs_spilled: 1, waves_per_simd: 3 };
        let expected = KernelCode {
            name: "first".to_owned(),
            registers: 68,
            spilled_bytes: 8,
            stack_bytes: 12,
            static_shared_bytes: 20480,
            amd: Some(amd),
        };
        assert_eq!(kernels(TEXT), Ok(vec![expected]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = kernels(&TEXT.replace("; Occupancy: 3\n", "")).unwrap_err();
        assert_eq!(error, "the assembly has no `Occupancy` of kernel `first`");
        assert!(kernels("").is_err());
    }
}
