//! Where the program is joined: the families, the rivals and the suites that it carries.

use crate::exit::UsageError;
use anyhow::Context;
use std::path::Path;
use tilemark_engine::catalog::Catalog;
use tilemark_engine::suite::{Suite, Text};

/// Every family with everyone who implements it.
pub static CATALOG: Catalog = Catalog {
    families: tilemark_kernels::FAMILIES,
    rivals: tilemark_baselines::RIVALS,
    libraries: tilemark_baselines::libraries,
};

/// The suites that travel inside the binary, by name.
pub static SUITES: &[(&str, &str)] = &[
    ("smoke", include_str!("../../../suites/smoke.toml")),
    ("nightly", include_str!("../../../suites/nightly.toml")),
    ("fftconv", include_str!("../../../suites/fftconv.toml")),
    ("paper", include_str!("../../../suites/paper.toml")),
    ("attention", include_str!("../../../suites/attention.toml")),
    ("hmar", include_str!("../../../suites/hmar.toml")),
    ("hydragen", include_str!("../../../suites/hydragen.toml")),
    ("tile", include_str!("../../../suites/tile.toml")),
];

/// The suite of that name, or in that file.
pub fn suite(name: &str) -> anyhow::Result<Suite> {
    if let Some((name, text)) = SUITES.iter().find(|(known, _)| *known == name) {
        return Ok(Suite::parse(&format!("{name}.toml"), text)?);
    }
    if !Path::new(name).is_file() {
        let known: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(UsageError {
            problem: format!("no suite `{name}`, and no such file"),
            hint: format!("suites: {}; or the path of a TOML file", known.join(", ")),
        }
        .into());
    }
    let bytes = std::fs::read(name).with_context(|| format!("cannot read the suite {name}"))?;
    Ok(Suite::parse(name, Text::new(name, &bytes)?.text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tilemark_core::device::Vendor;
    use tilemark_core::{Bytes, Info};
    use tilemark_engine::plan::{Plan, Selection};

    /// Whoever refuses a problem before looking at the device would vanish from a plan for its own
    /// device, where the refusal is to be a record.
    #[test]
    fn no_implementation_is_left_out_of_a_plan_that_has_it() {
        let mut checked = 0;
        let gpus = [(Vendor::Nvidia, "sm_90a"), (Vendor::Amd, "gfx942"), (Vendor::Amd, "gfx950")];
        for ((vendor, arch), (name, text)) in
            gpus.into_iter().flat_map(|gpu| SUITES.iter().map(move |suite| (gpu, suite)))
        {
            let suite = Suite::parse(name, text).expect("it is one of ours");
            let plan = Plan::make(&suite, &CATALOG, &[gpu(vendor, arch)], &Selection::default());
            // A suite of which nothing is for a device makes no plan for it.
            let Ok(plan) = plan else { continue };
            let planned: BTreeSet<String> =
                plan.cases().map(|planned| planned.case.implementation.clone()).collect();
            let left_out: BTreeSet<String> =
                plan.left_out.get("gpu:0").into_iter().flatten().cloned().collect();
            checked += left_out.len();
            let both: Vec<_> = planned.intersection(&left_out).collect();
            assert!(both.is_empty(), "{name} on {arch}: {both:?} refuse before they look");
        }
        assert!(checked > 20, "of {checked} implementations only");
    }

    fn gpu(vendor: Vendor, arch: &str) -> Info {
        Info {
            name: "gpu:0".to_owned(),
            vendor,
            model: "made up".to_owned(),
            arch: arch.to_owned(),
            uuid: None,
            memory: Bytes(100 << 30),
            last_level_cache: Bytes(0),
            units: 132,
            driver: None,
            runtime: None,
            traits: Vec::new(),
        }
    }
}
