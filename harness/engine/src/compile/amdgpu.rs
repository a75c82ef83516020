//! Reads what a compiler for AMD says of every kernel: the metadata, which stands as text in assembly
//! and as a note in a code object, under the same keys. Knows no instruction.

use super::{AmdRegisters, KernelCode};
use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _};
use rmpv::Value;
use std::collections::HashMap;

/// Every kernel of a text of assembly, or what is missing in it.
pub(super) fn of_assembly(text: &str) -> Result<Vec<KernelCode>, String> {
    let block = text.split_once("amdhsa.kernels:").and_then(|(_, rest)| {
        let (kernels, rest) = rest.split_once("amdhsa.target:")?;
        Some((kernels, rest.lines().next()?.trim()))
    });
    let (kernels, target) = block.ok_or("the assembly names no kernel")?;
    codes(&of_yaml(kernels), target)
}

/// Every kernel of a code object, or what is missing in it.
pub(super) fn of_object(image: &[u8]) -> Result<Vec<KernelCode>, String> {
    let note = note(image).map_err(|error| format!("the code object: {error}"))?;
    let note = note.ok_or("the code object has no metadata")?;
    let value = rmpv::decode::read_value(&mut &note[..])
        .map_err(|error| format!("the code object's metadata: {error}"))?;
    let entry = |key: &str| {
        let entries = value.as_map().into_iter().flatten();
        entries.clone().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    };
    let target = entry("amdhsa.target").and_then(Value::as_str).unwrap_or_default();
    let kernels = entry("amdhsa.kernels").and_then(Value::as_array);
    let kernels: Vec<Keys> = kernels.into_iter().flatten().map(of_message).collect();
    codes(&kernels, target)
}

/// What the metadata says of a kernel, as text.
type Keys = HashMap<String, String>;

/// The keys of each kernel in the text, whose YAML has a fixed form: kernels at indent 2, their keys
/// at 4.
fn of_yaml(block: &str) -> Vec<Keys> {
    let mut kernels = Vec::new();
    for line in block.lines() {
        if line.starts_with("  - ") {
            kernels.push(Keys::new());
        }
        let key = line.trim_start_matches([' ', '-']);
        let indent = line.len() - key.len();
        let (Some(kernel), Some((key, value))) = (kernels.last_mut(), key.split_once(':')) else {
            continue;
        };
        if indent == 4 {
            kernel.insert(key.to_owned(), value.trim().trim_matches('\'').to_owned());
        }
    }
    kernels
}

fn of_message(kernel: &Value) -> Keys {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entries = kernel.as_map().into_iter().flatten();
    entries.map(|(key, value)| (text(key), text(value))).collect()
}

/// The note of type NT_AMDGPU_METADATA.
fn note(image: &[u8]) -> object::Result<Option<&[u8]>> {
    const METADATA: u32 = 32;
    let file = ElfFile64::<object::Endianness>::parse(image)?;
    let (header, endian) = (file.elf_header(), file.endian());
    for section in header.section_headers(endian, image)? {
        let Some(mut notes) = section.notes(endian, image)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == b"AMDGPU" && note.n_type(endian) == METADATA {
                return Ok(Some(note.desc()));
            }
        }
    }
    Ok(None)
}

fn codes(kernels: &[Keys], target: &str) -> Result<Vec<KernelCode>, String> {
    if kernels.is_empty() {
        return Err("the metadata names no kernel".to_owned());
    }
    kernels.iter().map(|kernel| code(kernel, target)).collect()
}

fn code(keys: &Keys, target: &str) -> Result<KernelCode, String> {
    let name = keys.get(".name").ok_or("a kernel without a name in the metadata")?;
    let number = |key: &str| {
        let number = keys.get(key).and_then(|value| value.parse::<u32>().ok());
        number.ok_or_else(|| format!("the metadata has no `{key}` of kernel `{name}`"))
    };
    let (registers, agprs) = (number(".vgpr_count")?, number(".agpr_count")?);
    let lds_bytes = number(".group_segment_fixed_size")?;
    let waves = number(".max_flat_workgroup_size")?.div_ceil(64);
    let by_lds = waves_by_lds(waves, lds_bytes, target);
    Ok(KernelCode {
        name: name.clone(),
        registers,
        // A spilled vector register is four bytes of a lane.
        spilled_bytes: 4 * number(".vgpr_spill_count")?,
        stack_bytes: number(".private_segment_fixed_size")?,
        static_shared_bytes: lds_bytes,
        amd: Some(AmdRegisters {
            vgprs: registers.saturating_sub(agprs),
            agprs,
            sgprs: number(".sgpr_count")?,
            sgprs_spilled: number(".sgpr_spill_count")?,
            waves_per_simd: waves_by_registers(registers).min(by_lds),
        }),
    })
}

/// Waves that a SIMD can hold at all.
const MOST_WAVES: u32 = 8;
const SIMDS: u32 = 4;

/// A SIMD has 512 vector registers for each lane, which waves get by eights.
fn waves_by_registers(registers: u32) -> u32 {
    (512 / registers.next_multiple_of(8).max(8)).min(MOST_WAVES)
}

/// On the fullest of the four SIMDs, if a unit holds as many workgroups of `waves` as its LDS allows.
fn waves_by_lds(waves: u32, lds_bytes: u32, target: &str) -> u32 {
    let unit_bytes: u32 = if target.contains("gfx950") { 160 << 10 } else { 64 << 10 };
    let groups = unit_bytes.checked_div(lds_bytes).unwrap_or(u32::MAX);
    groups.saturating_mul(waves).div_ceil(SIMDS).clamp(1, MOST_WAVES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
\t.amdgpu_metadata
---
amdhsa.kernels:
  - .agpr_count:     16
    .args:
      - .name:           a.coerce
        .size:           8
    .group_segment_fixed_size: 20480
    .max_flat_workgroup_size: 256
    .name:           first
    .private_segment_fixed_size: 12
    .sgpr_count:     22
    .sgpr_spill_count: 1
    .vgpr_count:     68
    .vgpr_spill_count: 2
amdhsa.target:   amdgcn-amd-amdhsa--gfx942
";

    #[test]
    fn registers_spills_and_waves_come_from_the_metadata() {
        let amd =
            AmdRegisters { vgprs: 52, agprs: 16, sgprs: 22, sgprs_spilled: 1, waves_per_simd: 3 };
        let expected = KernelCode {
            name: "first".to_owned(),
            registers: 68,
            spilled_bytes: 8,
            stack_bytes: 12,
            static_shared_bytes: 20480,
            amd: Some(amd),
        };
        assert_eq!(of_assembly(TEXT), Ok(vec![expected]));
    }

    #[test]
    fn waves_are_bound_by_registers_or_by_lds() {
        assert_eq!([1, 64, 65, 128, 129, 512].map(waves_by_registers), [8, 8, 7, 4, 3, 1]);
        let by_lds = |waves, kib: u32| waves_by_lds(waves, kib << 10, "gfx942");
        assert_eq!([by_lds(4, 0), by_lds(4, 8), by_lds(4, 9), by_lds(1, 64)], [8, 8, 7, 1]);
        assert_eq!(waves_by_lds(8, 64 << 10, "gfx950"), 4);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = of_assembly(&TEXT.replace("    .sgpr_count:     22\n", "")).unwrap_err();
        assert_eq!(error, "the metadata has no `.sgpr_count` of kernel `first`");
        assert!(of_assembly("").is_err());
        assert!(of_object(b"no object").unwrap_err().contains("code object"));
    }
}
