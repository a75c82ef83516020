//! The state of a device by NVML: clocks, power, energy, temperature, reasons to slow down, other
//! processes. Everything is optional: a machine may lack the library or a reading.

use crate::device::gpu::processes;
use crate::measure::POWER_CAP;
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use tilemark_core::device::Telemetry;

/// NVML's view of one device.
pub struct Monitor {
    nvml: Nvml,
    uuid: String,
}

/// Reasons that hold the clock back, by the names of the record. That a device is idle, or that
/// somebody set its clocks, is none: the first ends with the first launch, and the second shows in
/// the clock.
const REASONS: [(ThrottleReasons, &str); 6] = [
    (ThrottleReasons::SW_POWER_CAP, POWER_CAP),
    (ThrottleReasons::HW_SLOWDOWN, "hw_slowdown"),
    (ThrottleReasons::SYNC_BOOST, "sync_boost"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "sw_thermal"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hw_thermal"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "hw_power_brake"),
];

impl Monitor {
    /// The device of that UUID, or why it cannot be watched.
    pub fn new(uuid: &str) -> Result<Self, String> {
        let nvml = Nvml::init().map_err(|e| format!("NVML: {e}"))?;
        nvml.device_by_uuid(uuid).map_err(|e| format!("NVML does not know {uuid}: {e}"))?;
        Ok(Monitor { nvml, uuid: uuid.to_owned() })
    }

    /// Its state now.
    pub fn read(&self) -> Telemetry {
        let Ok(device) = self.nvml.device_by_uuid(self.uuid.as_str()) else {
            return Telemetry::default();
        };
        let hz = |mhz: u32| f64::from(mhz) * 1e6;
        let reasons = device.current_throttle_reasons().unwrap_or(ThrottleReasons::empty());
        Telemetry {
            clock_hz: device.clock_info(Clock::SM).ok().map(hz),
            memory_clock_hz: device.clock_info(Clock::Memory).ok().map(hz),
            power_w: device.power_usage().ok().map(|mw| f64::from(mw) / 1e3),
            energy_j: device.total_energy_consumption().ok().map(|mj| mj as f64 / 1e3),
            temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
            throttle: REASONS
                .iter()
                .filter(|(reason, _)| reasons.contains(*reason))
                .map(|(_, name)| (*name).to_owned())
                .collect(),
            other_load: device
                .running_compute_processes()
                .ok()
                .map(|all| processes::of_others(all.iter().map(|process| process.pid)) as f64),
        }
    }

    /// The driver's version, as `580.159.04`.
    pub fn driver(&self) -> Option<String> {
        self.nvml.sys_driver_version().ok()
    }

    /// What about the device can change a number and stays as it is during a run.
    pub fn traits(&self) -> Vec<(String, String)> {
        let Ok(device) = self.nvml.device_by_uuid(self.uuid.as_str()) else { return Vec::new() };
        let told = |on| if on { "on" } else { "off" }.to_owned();
        let readings = [
            (
                "power_limit",
                device.enforced_power_limit().ok().map(|mw| format!("{} W", mw / 1000)),
            ),
            ("most_clock", device.max_clock_info(Clock::SM).ok().map(|mhz| format!("{mhz} MHz"))),
            ("ecc", device.is_ecc_enabled().ok().map(|ecc| told(ecc.currently_enabled))),
            ("compute_mode", device.compute_mode().ok().map(|mode| format!("{mode:?}"))),
        ];
        let present =
            readings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        present.collect()
    }
}
