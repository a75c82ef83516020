//! What the host says of itself. What it does not say stays empty, never invented.

use tilemark_core::Bytes;
use tilemark_core::record::Host;

/// The machine that this process runs on.
pub fn host() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let memory = field(&read("/proc/meminfo"), "MemTotal:")
        .and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(Bytes(0), |kib| Bytes(kib * 1024));
    Host {
        name: read("/proc/sys/kernel/hostname").trim().to_owned(),
        os: field(&read("/etc/os-release"), "PRETTY_NAME=")
            .map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').into()),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: field(&read("/proc/cpuinfo"), "model name")
            .map(|text| text.trim_start_matches([' ', '\t', ':']).to_owned())
            .unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        memory,
    }
}

/// What follows `name` on the first line that starts with it.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "MemTotal:       24 kB\nMemFree: 3 kB\n";
        assert_eq!(field(text, "MemTotal:").as_deref(), Some("24 kB"));
        assert_eq!(field(text, "Swap:"), None);
    }
}
