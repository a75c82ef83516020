//! AMD's GPUs through HIP, which is loaded when it is there; and the interpreter in place of one.

use super::gpu::Gpu;
use super::{Listing, Opened};
use driver::{Attribute, Context, Ordinal};
use std::path::Path;
use telemetry::Monitor;
use tilemark_core::device::{INTERPRETED, Telemetry, Vendor};
use tilemark_core::{Bytes, Device, Info};

mod driver;
mod library;
mod runtime;
mod telemetry;

/// Where the kernel shows what is on the bus.
const DEVICES: &str = "/sys/bus/pci/devices";

/// Behind L2, which each die has for itself, lies a cache that all share and that keeps a kernel's
/// inputs from one launch to the next. HIP has no attribute for its size.
const INFINITY_CACHE: Bytes = Bytes(256 << 20);

pub(super) fn list() -> Vec<Listing> {
    let absent = |why: String| {
        let note = "AMD GPUs by HIP".to_owned();
        vec![Listing { name: "hip".to_owned(), found: Err(why), default: true, note }]
    };
    match driver::start().and_then(|()| driver::count()) {
        Err(why) => absent(why),
        Ok(0) => absent("HIP is there and knows no device".to_owned()),
        Ok(count) => (0..count).map(listing).collect(),
    }
}

fn listing(number: u32) -> Listing {
    let found = Ordinal::new(number).and_then(|ordinal| describe(number, ordinal));
    let interpreted = library::is_interpreter();
    let note = if interpreted {
        "interpreted: checks answers, keeps no time".to_owned()
    } else {
        let monitor = Ordinal::new(number).and_then(monitor);
        monitor.map_or_else(|why| why, |monitor| monitor.note())
    };
    Listing { name: format!("hip:{number}"), found, default: !interpreted, note }
}

pub(super) fn open(name: &str, _script: Option<&str>) -> Option<Opened> {
    let number = match name {
        "hip" => 0,
        _ => name.strip_prefix("hip:")?.parse().ok()?,
    };
    Some(open_device(number).map(|device| Box::new(device) as Box<dyn Device>))
}

fn describe(number: u32, ordinal: Ordinal) -> Result<Info, String> {
    let full = ordinal.arch().ok_or("HIP does not tell its architecture")?;
    let (arch, switches) = full.split_once(':').unwrap_or((&full, ""));
    let ask = |attribute| ordinal.attribute(attribute);
    let bytes = |attribute| Bytes(ask(attribute).unwrap_or(0).into());
    let lds = bytes(Attribute::hipDeviceAttributeMaxSharedMemoryPerBlock);
    let mut traits = vec![("shared_memory_per_block".to_owned(), lds.to_string())];
    if !switches.is_empty() {
        traits.push(("switches".to_owned(), switches.to_owned()));
    }
    if let Some(dies) = ask(Attribute::hipDeviceAttributeNumberOfXccs) {
        traits.push(("dies".to_owned(), dies.to_string()));
    }
    if library::is_interpreter() {
        traits.push((INTERPRETED.to_owned(), "yes".to_owned()));
    }
    Ok(Info {
        name: format!("hip:{number}"),
        vendor: Vendor::Amd,
        model: ordinal.name(),
        arch: arch.to_owned(),
        uuid: ordinal.uuid(),
        memory: ordinal.memory(),
        last_level_cache: last_level_cache(arch, bytes(Attribute::hipDeviceAttributeL2CacheSize)),
        units: ask(Attribute::hipDeviceAttributeMultiprocessorCount).unwrap_or(0),
        driver: std::fs::read_to_string("/sys/module/amdgpu/version")
            .ok()
            .map(|version| version.trim().to_owned()),
        runtime: driver::version(),
        traits,
    })
}

fn last_level_cache(arch: &str, l2: Bytes) -> Bytes {
    if matches!(arch, "gfx940" | "gfx941" | "gfx942" | "gfx950") { INFINITY_CACHE } else { l2 }
}

fn monitor(ordinal: Ordinal) -> Result<Monitor, String> {
    if library::is_interpreter() {
        return Err("an interpreted device has no sensors".to_owned());
    }
    let bus = ordinal.bus().ok_or("HIP does not tell its place on the bus")?;
    Monitor::new(Path::new(DEVICES), &bus)
}

fn open_device(number: u32) -> Result<Gpu<Context>, String> {
    driver::start()?;
    let ordinal = Ordinal::new(number)?;
    let mut info = describe(number, ordinal)?;
    let monitor = monitor(ordinal).ok();
    info.traits.extend(monitor.iter().flat_map(Monitor::traits));
    let telemetry = move || monitor.as_ref().map_or_else(Telemetry::default, Monitor::read);
    Context::new(ordinal, library::is_interpreter())
        .and_then(|context| Gpu::new(context, info, Box::new(telemetry)))
        .map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_must_reach_the_cache_behind_l2() {
        let l2 = Bytes(4 << 20);
        assert_eq!(last_level_cache("gfx942", l2), Bytes(256 << 20));
        assert_eq!(last_level_cache("gfx90a", l2), l2);
    }

    #[test]
    fn other_names_are_not_ours() {
        assert!(open("cuda:0", None).is_none());
        assert!(open("hip:x", None).is_none());
    }
}
