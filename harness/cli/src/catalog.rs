//! Where the program is joined: the families, the rivals and the suites that it carries.

use crate::exit::UsageError;
use anyhow::Context;
use std::path::Path;
use tilemark_engine::catalog::Catalog;
use tilemark_engine::suite::Suite;

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
    ("paper", include_str!("../../../suites/paper.toml")),
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
    let text =
        std::fs::read_to_string(name).with_context(|| format!("cannot read the suite {name}"))?;
    Ok(Suite::parse(name, &text)?)
}
