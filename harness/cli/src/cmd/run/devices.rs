//! Which devices a run or a search is for: those that were named, or those that are found.

use crate::exit::UsageError;
use crate::stream::talk;
use std::collections::HashSet;
use tilemark_core::Info;
use tilemark_engine::device;
use tilemark_engine::programs::{ARCHITECTURES, Architecture};
use tilemark_engine::suite::{Devices, Suite};

/// The devices that were named; else all that are found and that the suite is meant for.
pub fn found(names: &[String], suite: &Suite) -> anyhow::Result<Vec<Info>> {
    if !names.is_empty() {
        return each_once(names, |name| Ok(device::info(name)?));
    }
    let infos = meant_for(suite);
    if infos.is_empty() {
        return Err(UsageError {
            problem: format!("suite `{}` is for GPUs, and none is found", suite.name),
            hint: "`tilemark devices` says what was looked for; -d cpu runs it here all the same, \
                   and --dry-run needs no device"
                .to_owned(),
        }
        .into());
    }
    Ok(infos)
}

/// The same for a plan that is only printed: an architecture, of which a data sheet tells, does as
/// well as a device, and all of them do where none is found.
pub fn planned(names: &[String], suite: &Suite) -> anyhow::Result<Vec<Info>> {
    let by_name = |name: &str| ARCHITECTURES.iter().find(|known| known.name == name);
    if !names.is_empty() {
        return each_once(names, |name| match by_name(name) {
            Some(architecture) => Ok(architecture.info()),
            None => Ok(device::info(name)?),
        });
    }
    let infos = meant_for(suite);
    if !infos.is_empty() {
        return Ok(infos);
    }
    talk("no GPU is found: this is the plan for one of each architecture");
    Ok(ARCHITECTURES.iter().map(Architecture::info).collect())
}

fn meant_for(suite: &Suite) -> Vec<Info> {
    let found = device::list().into_iter().filter(|listing| listing.default);
    let mut infos: Vec<Info> = found.filter_map(|listing| listing.found.ok()).collect();
    if suite.devices == Devices::Gpu {
        infos.retain(|info| !info.vendor.runs_host_code());
    }
    infos
}

/// A device may be named twice, and by two names.
fn each_once(
    names: &[String],
    info: impl Fn(&str) -> anyhow::Result<Info>,
) -> anyhow::Result<Vec<Info>> {
    let mut seen = HashSet::new();
    let mut infos: Vec<Info> = names.iter().map(|name| info(name)).collect::<Result<_, _>>()?;
    infos.retain(|info| seen.insert(info.name.clone()));
    Ok(infos)
}
