//! NVIDIA's GPUs through CUDA's driver, which is loaded when it is there.

use super::gpu::Gpu;
use super::{Listing, Opened};
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use driver::{Context, Ordinal};
use telemetry::Monitor;
use tilemark_core::device::Vendor;
use tilemark_core::{Bytes, Device, Info};

mod ceilings;
mod driver;
mod runtime;
mod telemetry;
mod tensor_map;

pub(super) fn list() -> Vec<Listing> {
    let absent = |why: String| {
        let note = "NVIDIA GPUs by CUDA".to_owned();
        vec![Listing { name: "cuda".to_owned(), found: Err(why), default: true, note }]
    };
    match driver::start().and_then(|()| driver::count()) {
        Err(why) => absent(why),
        Ok(0) => absent("the driver is there and knows no device".to_owned()),
        Ok(count) => (0..count).map(listing).collect(),
    }
}

fn listing(number: u32) -> Listing {
    let found = Ordinal::new(number).map(|ordinal| describe(number, ordinal));
    let telemetry = match found.as_ref().ok().and_then(|info| info.uuid.as_deref()) {
        Some(uuid) => Monitor::new(uuid).err(),
        None => Some("without a UUID there is no telemetry".to_owned()),
    };
    let note = telemetry.unwrap_or_else(|| "telemetry by NVML".to_owned());
    Listing { name: format!("cuda:{number}"), found, default: true, note }
}

pub(super) fn open(name: &str, _script: Option<&str>) -> Option<Opened> {
    let number = match name {
        "cuda" => 0,
        _ => name.strip_prefix("cuda:")?.parse().ok()?,
    };
    Some(open_device(number).map(|device| Box::new(device) as Box<dyn Device>))
}

fn describe(number: u32, ordinal: Ordinal) -> Info {
    let ask = |attribute| ordinal.attribute(attribute);
    let major = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    let minor = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    let shared = ask(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    Info {
        name: format!("cuda:{number}"),
        vendor: Vendor::Nvidia,
        model: ordinal.name(),
        arch: arch(major, minor),
        uuid: ordinal.uuid(),
        memory: ordinal.memory(),
        last_level_cache: Bytes(ask(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).into()),
        units: ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        driver: None,
        runtime: driver::version(),
        traits: vec![("shared_memory_per_block".to_owned(), Bytes(shared.into()).to_string())],
    }
}

/// The compiler's target. From Hopper on, the instructions that make a chip fast belong to its own
/// architecture alone, which the letter says.
fn arch(major: u32, minor: u32) -> String {
    let letter = if major >= 9 { "a" } else { "" };
    format!("sm_{major}{minor}{letter}")
}

fn open_device(number: u32) -> Result<Gpu<Context>, String> {
    driver::start()?;
    let ordinal = Ordinal::new(number)?;
    let mut info = describe(number, ordinal);
    let monitor = info.uuid.as_deref().and_then(|uuid| Monitor::new(uuid).ok());
    if let Some(monitor) = &monitor {
        info.driver = monitor.driver();
        info.traits.extend(monitor.traits());
    }
    let telemetry = move || monitor.as_ref().map(Monitor::read).unwrap_or_default();
    Context::new(ordinal)
        .and_then(|context| Gpu::new(context, info, Box::new(telemetry)))
        .map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_named_as_its_compiler_names_it() {
        assert_eq!(arch(8, 9), "sm_89");
        assert_eq!(arch(9, 0), "sm_90a");
        assert_eq!(arch(10, 0), "sm_100a");
    }

    #[test]
    fn other_names_are_not_ours() {
        assert!(open("cpu", None).is_none());
        assert!(open("cuda:x", None).is_none());
    }
}
