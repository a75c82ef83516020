//! What rocm-smi's library tells of a device beyond the driver's files: energy, the power of the
//! socket, the temperature at the junction, other processes.
//!
//! Only functions of numbers are called, which no release has changed; its structures grow. The
//! crates for it either need AMD's header when they are built or return its status as a Rust enum,
//! which a status of a newer release would make undefined.
#![allow(unsafe_code, reason = "calls of a C library")]

use crate::device::gpu::processes;
use libloading::{Library, Symbol};
use std::ffi::c_uint;
use std::path::PathBuf;
use tilemark_core::device::Telemetry;

/// `rsmi_status_t`, of which only success matters here.
type Status = c_uint;

const SUCCESS: Status = 0;

/// `RSMI_TEMP_TYPE_JUNCTION`: the hottest place of the die, which data-centre boards show.
const JUNCTION: u32 = 1;

/// `RSMI_TEMP_CURRENT`.
const CURRENT: c_uint = 0;

/// Devices that one process may use.
const MOST_DEVICES: usize = 256;

/// `rsmi_process_info_t`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Process {
    id: u32,
    address_space: u32,
    memory_bytes: u64,
    copy_us: u64,
    occupancy: u32,
}

/// The library, and the number by which it knows one device.
pub struct RocmSmi {
    library: Library,
    device: u32,
}

impl RocmSmi {
    /// The device at this place of the bus, by the library that the loader or ROCm's folder has; or
    /// why not.
    pub fn find(bus: &str) -> Result<Self, String> {
        let root = std::env::var("ROCM_PATH").unwrap_or_else(|_| "/opt/rocm".to_owned());
        let names = ["librocm_smi64.so", "librocm_smi64.so.7"].map(PathBuf::from);
        let in_root = names.clone().map(|name| PathBuf::from(&root).join("lib").join(name));
        for name in names.iter().chain(&in_root) {
            // SAFETY: loading the library runs its initialisers, which is what it is for.
            if let Ok(library) = unsafe { Library::new(name) } {
                return Self::new(library, bus);
            }
        }
        Err(format!("librocm_smi64.so is neither on the loader's path nor in {root}/lib"))
    }

    fn new(library: Library, bus: &str) -> Result<Self, String> {
        let mut this = RocmSmi { library, device: 0 };
        let said = |what: &str| format!("librocm_smi64.so: {what}");
        this.start().ok_or_else(|| said("rsmi_init is missing or fails"))?;
        let count = this.count().ok_or_else(|| said("it does not tell how many devices it has"))?;
        let place = (0..count).find(|&device| this.place(device).as_deref() == Some(bus));
        this.device = place.ok_or_else(|| said(&format!("it knows no device at {bus}")))?;
        Ok(this)
    }

    /// Its state now, as far as the library tells it.
    pub fn read(&self) -> Telemetry {
        Telemetry {
            power_w: self.power_w(),
            energy_j: self.energy_j(),
            temperature_c: self.temperature_c(),
            other_load: self.processes().map(|all| processes::of_others(all) as f64),
            ..Telemetry::default()
        }
    }

    fn function<F>(&self, name: &str) -> Option<Symbol<'_, F>> {
        // SAFETY: each caller states the function's type as rocm_smi.h has it.
        unsafe { self.library.get(name).ok() }
    }

    fn start(&self) -> Option<()> {
        let init = self.function::<unsafe extern "C" fn(u64) -> Status>("rsmi_init")?;
        // SAFETY: the function takes flags, of which none is set.
        (unsafe { init(0) } == SUCCESS).then_some(())
    }

    fn count(&self) -> Option<u32> {
        let ask =
            self.function::<unsafe extern "C" fn(*mut u32) -> Status>("rsmi_num_monitor_devices")?;
        let mut count = 0;
        // SAFETY: the function writes one number.
        (unsafe { ask(&mut count) } == SUCCESS).then_some(count)
    }

    /// Where a device sits on the bus, as HIP writes it: `0000:c1:00.0`. The domain stands in the
    /// upper half of the library's number, a partition in bits that are left out here.
    fn place(&self, device: u32) -> Option<String> {
        let ask =
            self.function::<unsafe extern "C" fn(u32, *mut u64) -> Status>("rsmi_dev_pci_id_get")?;
        let mut id = 0;
        // SAFETY: the function writes one number.
        let status = unsafe { ask(device, &mut id) };
        let (domain, bus, slot, function) = (id >> 32, id >> 8 & 0xff, id >> 3 & 0x1f, id & 0x7);
        (status == SUCCESS).then(|| format!("{domain:04x}:{bus:02x}:{slot:02x}.{function}"))
    }

    fn power_w(&self) -> Option<f64> {
        let ask = self.function::<unsafe extern "C" fn(u32, *mut u64, *mut c_uint) -> Status>(
            "rsmi_dev_power_get",
        )?;
        let (mut microwatts, mut kind) = (0, 0);
        // SAFETY: the function writes a number and whether it is an average.
        let status = unsafe { ask(self.device, &mut microwatts, &mut kind) };
        (status == SUCCESS).then_some(microwatts as f64 / 1e6)
    }

    fn energy_j(&self) -> Option<f64> {
        let ask = self
            .function::<unsafe extern "C" fn(u32, *mut u64, *mut f32, *mut u64) -> Status>(
                "rsmi_dev_energy_count_get",
            )?;
        let (mut ticks, mut microjoules, mut nanoseconds) = (0, 0.0, 0);
        // SAFETY: the function writes a counter, what one step of it is worth, and its time.
        let status = unsafe { ask(self.device, &mut ticks, &mut microjoules, &mut nanoseconds) };
        (status == SUCCESS).then_some(ticks as f64 * f64::from(microjoules) / 1e6)
    }

    fn temperature_c(&self) -> Option<f64> {
        let ask = self.function::<unsafe extern "C" fn(u32, u32, c_uint, *mut i64) -> Status>(
            "rsmi_dev_temp_metric_get",
        )?;
        let mut millidegrees = 0;
        // SAFETY: the function writes one number.
        let status = unsafe { ask(self.device, JUNCTION, CURRENT, &mut millidegrees) };
        (status == SUCCESS).then_some(millidegrees as f64 / 1e3)
    }

    /// Processes that use the device. One that starts or ends while they are asked for is left out.
    fn processes(&self) -> Option<Vec<u32>> {
        let ask = self.function::<unsafe extern "C" fn(*mut Process, *mut u32) -> Status>(
            "rsmi_compute_process_info_get",
        )?;
        let mut count = 0;
        // SAFETY: without a place for processes, the function writes their number only.
        if unsafe { ask(std::ptr::null_mut(), &mut count) } != SUCCESS {
            return None;
        }
        let mut all = vec![Process::default(); count as usize];
        // SAFETY: the function writes at most as many processes as the number says, and their number.
        let status = unsafe { ask(all.as_mut_ptr(), &mut count) };
        all.truncate(count as usize);
        let ours = all.into_iter().map(|process| process.id).filter(|id| self.is_used_by(*id));
        (status == SUCCESS).then(|| ours.collect())
    }

    fn is_used_by(&self, process: u32) -> bool {
        let ask = self.function::<unsafe extern "C" fn(u32, *mut u32, *mut u32) -> Status>(
            "rsmi_compute_process_gpus_get",
        );
        let mut devices = [0; MOST_DEVICES];
        let mut count = MOST_DEVICES as u32;
        // SAFETY: the function writes at most as many numbers of devices as `count` says.
        let status = ask.map(|ask| unsafe { ask(process, devices.as_mut_ptr(), &mut count) });
        status == Some(SUCCESS) && devices.iter().take(count as usize).any(|d| *d == self.device)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::process::Command;

    /// Where the stand-in's second device sits.
    pub const BUS: &str = "0000:c1:03.1";

    fn compiled(macros: &[&str]) -> Library {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("stand_in.c");
        std::fs::write(&source, include_str!("stand_in.c")).unwrap();
        let library = folder.path().join("librocm_smi64.so");
        let macros = macros.iter().map(|name| format!("-D{name}"));
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .args(macros)
            .status();
        assert!(status.unwrap().success());
        // SAFETY: it has no initialisers.
        unsafe { Library::new(&library).unwrap() }
    }

    /// The second device of a library that lacks what the macros name.
    pub fn stand_in(macros: &[&str]) -> Result<RocmSmi, String> {
        RocmSmi::new(compiled(macros), BUS)
    }

    #[test]
    fn readings_are_those_of_the_device_on_that_place_in_their_units() {
        let expected = Telemetry {
            power_w: Some(650.0),
            energy_j: Some(61.0),
            temperature_c: Some(47.0),
            other_load: Some(2.0),
            ..Telemetry::default()
        };
        assert_eq!(stand_in(&[]).unwrap().read(), expected);
    }

    #[test]
    fn what_an_older_library_lacks_is_left_out() {
        let state = stand_in(&["NO_ENERGY"]).unwrap().read();
        assert_eq!((state.energy_j, state.power_w), (None, Some(650.0)));
    }

    #[test]
    fn a_library_that_cannot_serve_says_why() {
        let why = |macros: &[&str], bus| RocmSmi::new(compiled(macros), bus).err().unwrap();
        assert!(why(&["NO_START"], BUS).contains("rsmi_init is missing or fails"));
        assert!(why(&["NO_COUNT"], BUS).contains("does not tell how many devices"));
        assert!(why(&[], "0001:c1:03.1").contains("it knows no device at 0001:c1:03.1"));
    }
}
