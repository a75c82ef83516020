//! What the host says of its processor: read from /proc and /sys where they exist.

use tilemark_core::device::{Telemetry, Vendor};
use tilemark_core::{Bytes, Info};

/// Who the processor is.
pub fn info() -> Info {
    let cpuinfo = read("/proc/cpuinfo");
    let mut traits = vec![("simd".to_owned(), simd().to_owned())];
    if let Some(governor) = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        traits.push(("governor".to_owned(), governor));
    }
    if let Some(off) = first_line("/sys/devices/system/cpu/intel_pstate/no_turbo") {
        traits.push(("turbo".to_owned(), if off == "0" { "on" } else { "off" }.to_owned()));
    }
    Info {
        name: "cpu".to_owned(),
        vendor: Vendor::Cpu,
        model: cpuinfo_field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".to_owned()),
        arch: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        uuid: None,
        memory: available_memory(),
        last_level_cache: last_level_cache(),
        units: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        driver: None,
        runtime: None,
        traits,
    }
}

/// The processor's state now, but for its load.
pub fn telemetry() -> Telemetry {
    let khz = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
    let mhz = || cpuinfo_field(&read("/proc/cpuinfo"), "cpu MHz");
    let number = |text: String| text.parse::<f64>().ok();
    Telemetry {
        clock_hz: khz.and_then(number).map(|khz| khz * 1e3).or_else(|| {
            let mhz = mhz().and_then(number)?;
            Some(mhz * 1e6)
        }),
        temperature_c: first_line("/sys/class/thermal/thermal_zone0/temp")
            .and_then(number)
            .map(|millis| millis / 1e3),
        ..Telemetry::default()
    }
}

/// Memory that can be had without swapping: what the kernel calls available, or the limit of the
/// control group if that is less.
pub fn available_memory() -> Bytes {
    let available = read("/proc/meminfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse().ok()
        })
        .map_or(u64::MAX, |kib: u64| kib * 1024);
    let limit = first_line("/sys/fs/cgroup/memory.max").and_then(|text| text.parse().ok());
    Bytes(available.min(limit.unwrap_or(u64::MAX)))
}

/// The largest unified cache that the first core sees, or 32 MiB where it does not say.
fn last_level_cache() -> Bytes {
    let sizes = (0..8).filter_map(|idx| {
        let text = first_line(&format!("/sys/devices/system/cpu/cpu0/cache/index{idx}/size"))?;
        Some(text.strip_suffix('K')?.parse::<u64>().ok()? * 1024)
    });
    Bytes(sizes.max().unwrap_or(32 << 20))
}

fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512f";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "baseline"
}

fn cpuinfo_field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}
