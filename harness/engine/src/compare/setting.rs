//! Were two runs made the same way on the same thing? Only then are their times compared.
//!
//! It looks at environments and methods and at no time.

use tilemark_core::record::{Environment, Recording};

/// The fields that forbid a comparison of a device's times, in words; none if there are none.
///
/// Driver, runtime and kernel may differ, and are then the cause; so may the device's uuid, which
/// makes the machine the cause, since a fleet compares devices of one model. A host's name, its
/// memory to the byte and library versions differ without any meaning for a kernel's time.
pub fn obstacle(candidate: &Recording, baseline: &Recording, device: &str) -> Option<String> {
    let (now, then) = (&candidate.run, &baseline.run);
    if now.method_id != then.method_id {
        return Some(format!("the method differs: {} was {}", now.method_id, then.method_id));
    }
    let of = |recording| environment(recording, device);
    let (Some(now), Some(then)) = (of(candidate), of(baseline)) else {
        return Some(format!("one of the runs does not say what `{device}` is"));
    };
    let host_matters = now.device.vendor.runs_host_code();
    let fields = [
        ("vendor", now.device.vendor != then.device.vendor),
        ("model", now.device.model != then.device.model),
        ("architecture", now.device.arch != then.device.arch),
        ("units", now.device.units != then.device.units),
        ("last-level cache", now.device.last_level_cache != then.device.last_level_cache),
        ("traits", now.device.traits != then.device.traits),
        ("host's processor", host_matters && now.host.cpu != then.host.cpu),
        ("host's cores", host_matters && now.host.cores != then.host.cores),
    ];
    let differing: Vec<&str> =
        fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    (!differing.is_empty()).then(|| format!("these differ: {}", differing.join(", ")))
}

/// The end of a commit's name if the program was built from a tree that had changes besides.
const CHANGES: &str = "+changes";

/// What a device's runs differ in that can explain a change of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Driver or runtime; on a host, its kernel.
    pub driver: bool,
    /// Another device of the same model.
    pub device: bool,
    /// The program that ran, as far as is known: a commit without changes is the same to the line.
    pub program: bool,
    /// Libraries that rivals call.
    pub libraries: bool,
}

/// What changed on a device between two comparable runs.
pub fn changed(candidate: &Recording, baseline: &Recording, device: &str) -> Changed {
    let of = |recording| environment(recording, device);
    let (Some(now), Some(then)) = (of(candidate), of(baseline)) else { return Changed::default() };
    let [ran, before] = [candidate, baseline].map(|recording| recording.run.commit.as_deref());
    let kernel = now.device.vendor.runs_host_code() && now.host.kernel != then.host.kernel;
    Changed {
        driver: now.device.driver != then.device.driver
            || now.device.runtime != then.device.runtime
            || kernel,
        device: now.device.uuid != then.device.uuid,
        program: ran != before || ran.is_none_or(|commit| commit.ends_with(CHANGES)),
        libraries: now.libraries != then.libraries,
    }
}

/// Whether a device's times are those of code on a host.
pub fn on_host(recording: &Recording, device: &str) -> bool {
    environment(recording, device).is_some_and(|e| e.device.vendor.runs_host_code())
}

fn environment<'a>(recording: &'a Recording, device: &str) -> Option<&'a Environment> {
    recording.environments.iter().find(|e| e.device.name == device)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::recording;
    use super::*;

    fn check(edit: impl Fn(&mut Recording), obstacle_wanted: Option<&str>, wanted: Changed) {
        let then = recording(Vec::new());
        let mut now = recording(Vec::new());
        edit(&mut now);
        assert_eq!(obstacle(&now, &then, "null").as_deref(), obstacle_wanted);
        assert_eq!(changed(&now, &then, "null"), wanted);
    }

    #[test]
    fn the_program_is_the_same_where_its_commit_is_and_had_no_changes() {
        let is_changed = |now: Option<&str>, then: Option<&str>| {
            let of = |commit: Option<&str>| {
                let mut recording = recording(Vec::new());
                recording.run.commit = commit.map(str::to_owned);
                recording
            };
            changed(&of(now), &of(then), "null").program
        };
        assert!(!is_changed(Some("a"), Some("a")));
        assert!(is_changed(Some("b"), Some("a")));
        assert!(is_changed(Some("a+changes"), Some("a+changes")));
        assert!(is_changed(None, None));
    }

    #[test]
    fn what_differs_forbids_or_explains() {
        let nothing = Changed { program: true, ..Changed::default() };
        check(|_| {}, None, nothing);
        check(|r| r.run.method_id = "n".into(), Some("the method differs: n was m"), nothing);
        check(
            |r| {
                r.environments[0].device.model = "other".into();
                r.environments[0].host.cores = 4;
            },
            Some("these differ: model, host's cores"),
            nothing,
        );
        let driver = Changed { driver: true, ..nothing };
        check(|r| r.environments[0].device.driver = None, None, driver);
        check(|r| r.environments[0].host.kernel = "7".into(), None, driver);
        let device = Changed { device: true, ..nothing };
        check(|r| r.environments[0].device.uuid = Some("u".into()), None, device);
        check(|r| r.environments[0].host.name = "other".into(), None, nothing);
        let gone = Some("one of the runs does not say what `null` is");
        check(|r| r.environments.clear(), gone, Changed::default());
    }
}
