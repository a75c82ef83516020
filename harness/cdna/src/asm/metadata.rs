//! What the compiler says of a kernel beside its code: the `.amdhsa_kernel` block, which fixes the registers at entry,
//! and the metadata of its arguments. Knows no instruction.

use std::collections::HashMap;

use super::operand::integer;

/// One argument of a kernel, as laid out in the kernel argument segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub offset: usize,
    pub size: usize,
    pub kind: String,
}

impl Slot {
    /// Arguments the runtime fills in, such as the number of blocks.
    pub fn is_hidden(&self) -> bool {
        self.kind.starts_with("hidden_")
    }
}

/// The kernel's descriptor: sizes, and which values stand in which registers at entry.
#[derive(Clone, Debug, Default)]
pub struct Descriptor {
    pub lds_bytes: usize,
    pub scratch_bytes: usize,
    pub kernarg_bytes: usize,
    pub dispatch_ptr: bool,
    pub queue_ptr: bool,
    pub kernarg_ptr: bool,
    pub dispatch_id: bool,
    pub private_size: bool,
    pub preload_dwords: usize,
    pub preload_offset: usize,
    pub workgroup_id: [bool; 3],
    /// 0: x, 1: x and y, 2: x, y and z, packed ten bits each into v0.
    pub workitem_id: u32,
    pub flush_f32: bool,
    pub flush_f16_f64: bool,
}

/// Every `.amdhsa_kernel` block of the file, by kernel name.
pub fn descriptors(text: &str) -> HashMap<&str, Descriptor> {
    let mut found = HashMap::new();
    let mut current: Option<(&str, Descriptor)> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(key), value) = (words.next(), words.next().unwrap_or("")) else {
            continue;
        };
        if key == ".amdhsa_kernel" {
            current = Some((value, Descriptor::default()));
        } else if key == ".end_amdhsa_kernel" {
            found.extend(current.take());
        } else if let Some((_, descriptor)) = &mut current {
            descriptor.set(key, integer(value).unwrap_or(0));
        }
    }
    found
}

impl Descriptor {
    fn set(&mut self, key: &str, value: i64) {
        let (on, size) = (value == 1, value as usize);
        match key.strip_prefix(".amdhsa_").unwrap_or(key) {
            "group_segment_fixed_size" => self.lds_bytes = size,
            "private_segment_fixed_size" => self.scratch_bytes = size,
            "kernarg_size" => self.kernarg_bytes = size,
            "user_sgpr_dispatch_ptr" => self.dispatch_ptr = on,
            "user_sgpr_queue_ptr" => self.queue_ptr = on,
            "user_sgpr_kernarg_segment_ptr" => self.kernarg_ptr = on,
            "user_sgpr_dispatch_id" => self.dispatch_id = on,
            "user_sgpr_private_segment_size" => self.private_size = on,
            "user_sgpr_kernarg_preload_length" => self.preload_dwords = size,
            "user_sgpr_kernarg_preload_offset" => self.preload_offset = size,
            "system_sgpr_workgroup_id_x" => self.workgroup_id[0] = on,
            "system_sgpr_workgroup_id_y" => self.workgroup_id[1] = on,
            "system_sgpr_workgroup_id_z" => self.workgroup_id[2] = on,
            "system_vgpr_workitem_id" => self.workitem_id = value as u32,
            "float_denorm_mode_32" => self.flush_f32 = value == 0,
            "float_denorm_mode_16_64" => self.flush_f16_f64 = value == 0,
            // The rest describes occupancy and exceptions, which do not change a result.
            _ => {}
        }
    }
}

/// What `.amdgpu_metadata` says of one kernel.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    pub slots: Vec<Slot>,
    pub properties: HashMap<String, String>,
}

/// The metadata block, by kernel name. Its YAML has a fixed shape: kernels at indent 2, their keys at 4, arguments at 6, their keys at 8.
pub fn metadata(text: &str) -> HashMap<String, Metadata> {
    let mut kernels: Vec<Metadata> = Vec::new();
    let block = text
        .split_once(".amdgpu_metadata")
        .and_then(|(_, rest)| rest.split_once(".end_amdgpu_metadata"))
        .map_or("", |(block, _)| block);
    for line in block.lines() {
        if line.starts_with("  - ") {
            kernels.push(Metadata::default());
        }
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let Some((key, value)) = line.trim_start_matches([' ', '-']).split_once(':') else {
            continue;
        };
        let Some(kernel) = kernels.last_mut() else {
            continue;
        };
        let value = value.trim().trim_matches('\'');
        match indent {
            4 => {
                kernel.properties.insert(key.to_owned(), value.to_owned());
            }
            8 => kernel.argument_key(line, key, value),
            _ => {}
        }
    }
    kernels
        .into_iter()
        .filter_map(|kernel| Some((kernel.properties.get(".name")?.clone(), kernel)))
        .collect()
}

impl Metadata {
    fn argument_key(&mut self, line: &str, key: &str, value: &str) {
        if line.starts_with("      - ") {
            self.slots.push(Slot { offset: 0, size: 0, kind: String::new() });
        }
        let Some(slot) = self.slots.last_mut() else {
            return;
        };
        match key {
            ".offset" => slot.offset = value.parse().unwrap_or(0),
            ".size" => slot.size = value.parse().unwrap_or(0),
            ".value_kind" => slot.kind = value.to_owned(),
            _ => {}
        }
    }

    pub fn number(&self, key: &str) -> Option<usize> {
        self.properties.get(key)?.parse().ok()
    }
}
