//! The state of a device, from the two places that tell of it: rocm-smi's library, where it is
//! found, and the files of AMD's kernel driver. What the library answers counts first.
//!
//! Neither tells in a form that all releases share why a clock is held back, so no such reason is
//! recorded on AMD.

use files::Files;
use rocm_smi::RocmSmi;
use std::path::Path;
use tilemark_core::device::Telemetry;

mod files;
mod rocm_smi;

/// What can be told of one device; one of the two is there.
pub struct Monitor {
    library: Result<RocmSmi, String>,
    files: Result<Files, String>,
}

impl Monitor {
    /// The device at this place of the bus, below a folder of all devices; or why nothing tells of
    /// it.
    pub fn new(devices: &Path, bus: &str) -> Result<Self, String> {
        Self::of(RocmSmi::find(bus), Files::new(devices, bus))
    }

    fn of(library: Result<RocmSmi, String>, files: Result<Files, String>) -> Result<Self, String> {
        match (&library, &files) {
            (Err(library), Err(files)) => Err(format!("no telemetry: {library}; {files}")),
            _ => Ok(Monitor { library, files }),
        }
    }

    /// Where it comes from, for people.
    pub fn note(&self) -> String {
        match (&self.library, &self.files) {
            (Ok(_), Ok(_)) => "telemetry by rocm-smi and the kernel's driver".to_owned(),
            (Ok(_), Err(why)) => format!("telemetry by rocm-smi ({why})"),
            (Err(why), _) => format!("telemetry by the kernel's driver ({why})"),
        }
    }

    /// Its state now.
    pub fn read(&self) -> Telemetry {
        let files = self.files.as_ref().map(Files::read).unwrap_or_default();
        let library = self.library.as_ref().map(RocmSmi::read).unwrap_or_default();
        Telemetry {
            power_w: library.power_w.or(files.power_w),
            temperature_c: library.temperature_c.or(files.temperature_c),
            energy_j: library.energy_j,
            other_load: library.other_load,
            ..files
        }
    }

    /// What about the device can change a number and stays as it is during a run.
    pub fn traits(&self) -> Vec<(String, String)> {
        self.files.as_ref().map(Files::traits).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device whose files tell its clock and its power, and are of an older date than the library.
    fn files(devices: &Path) -> Result<Files, String> {
        let sensors = devices.join(rocm_smi::tests::BUS).join("hwmon/hwmon0");
        std::fs::create_dir_all(&sensors).unwrap();
        std::fs::write(sensors.join("freq1_input"), "2100000000").unwrap();
        std::fs::write(sensors.join("power1_average"), "1000000").unwrap();
        Files::new(devices, rocm_smi::tests::BUS)
    }

    #[test]
    fn the_librarys_readings_come_before_those_of_the_files() {
        let devices = tempfile::tempdir().unwrap();
        let both = Monitor::of(rocm_smi::tests::stand_in(&[]), files(devices.path())).unwrap();
        let state = both.read();
        assert_eq!(state.clock_hz, Some(2.1e9));
        assert_eq!(state.power_w, Some(650.0));
        assert!(state.energy_j.is_some());
        assert_eq!(both.note(), "telemetry by rocm-smi and the kernel's driver");
    }

    #[test]
    fn one_of_the_two_is_enough_and_none_says_why() {
        let devices = tempfile::tempdir().unwrap();
        let absent = || Err("librocm_smi64.so is not there".to_owned());
        let alone = Monitor::of(absent(), files(devices.path())).unwrap();
        assert_eq!(alone.read().power_w, Some(1.0));
        assert!(alone.note().contains("librocm_smi64.so is not there"), "{}", alone.note());
        let none = Monitor::of(absent(), Err("no sensors".to_owned()));
        let why = none.err().unwrap();
        assert_eq!(why, "no telemetry: librocm_smi64.so is not there; no sensors");
    }
}
