//! What AMD's kernel driver shows of a device in files: clocks, power, temperature. Their form is
//! stable, and no library has to match. Everything is optional.

use std::path::{Path, PathBuf};
use tilemark_core::device::Telemetry;

/// The files of one device.
pub struct Files {
    device: PathBuf,
    sensors: PathBuf,
}

impl Files {
    /// The device at this place of the bus, below a folder of all devices; or why it cannot be
    /// watched.
    pub fn new(devices: &Path, bus: &str) -> Result<Self, String> {
        let device = devices.join(bus);
        let hwmon = device.join("hwmon");
        let sensors = std::fs::read_dir(&hwmon)
            .ok()
            .and_then(|mut entries| entries.next()?.ok())
            .ok_or_else(|| format!("no sensors in {}", hwmon.display()))?;
        Ok(Files { device, sensors: sensors.path() })
    }

    /// Its state now.
    pub fn read(&self) -> Telemetry {
        let number = |name: &str| {
            std::fs::read_to_string(self.sensors.join(name)).ok()?.trim().parse::<f64>().ok()
        };
        Telemetry {
            clock_hz: number("freq1_input"),
            memory_clock_hz: number("freq2_input"),
            power_w: number("power1_average").or_else(|| number("power1_input")).map(|uw| uw / 1e6),
            temperature_c: number("temp1_input").map(|millidegrees| millidegrees / 1e3),
            ..Telemetry::default()
        }
    }

    /// What about the device can change a number and stays as it is during a run.
    pub fn traits(&self) -> Vec<(String, String)> {
        let file = |name: &str, path: PathBuf| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((name.to_owned(), text.trim().to_owned()))
        };
        let cap = std::fs::read_to_string(self.sensors.join("power1_cap")).ok();
        let watts = cap.and_then(|cap| cap.trim().parse::<u64>().ok()).map(|uw| uw / 1_000_000);
        let files = [
            file("compute_partition", self.device.join("current_compute_partition")),
            file("memory_partition", self.device.join("current_memory_partition")),
            watts.map(|watts| ("power_limit".to_owned(), format!("{watts} W"))),
        ];
        files.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_files_are_read_in_their_units() {
        let devices = tempfile::tempdir().unwrap();
        let device = devices.path().join("0000:c1:00.0");
        let sensors = device.join("hwmon/hwmon3");
        std::fs::create_dir_all(&sensors).unwrap();
        let files = [
            ("freq1_input", "2100000000\n"),
            ("power1_average", "750000000\n"),
            ("power1_cap", "1000000000\n"),
            ("temp1_input", "45000\n"),
        ];
        for (name, text) in files {
            std::fs::write(sensors.join(name), text).unwrap();
        }
        std::fs::write(device.join("current_compute_partition"), "SPX\n").unwrap();
        let files = Files::new(devices.path(), "0000:c1:00.0").unwrap();
        let expected = Telemetry {
            clock_hz: Some(2.1e9),
            power_w: Some(750.0),
            temperature_c: Some(45.0),
            ..Telemetry::default()
        };
        assert_eq!(files.read(), expected);
        let traits = [("compute_partition", "SPX"), ("power_limit", "1000 W")];
        let traits = traits.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(files.traits(), traits);
        assert!(Files::new(devices.path(), "0000:c2:00.0").is_err());
    }
}
