//! Every family with everyone who implements it: ours first, then the rivals.

use tilemark_core::device::Vendor;
use tilemark_core::{Family, Implementation};

/// What can be run, as the CLI joined it.
#[derive(Clone, Copy)]
pub struct Catalog {
    /// The families.
    pub families: &'static [&'static dyn Family],
    /// Rivals, each with the name of the family it implements.
    pub rivals: &'static [(&'static str, &'static Implementation)],
    /// Names and versions of the libraries that rivals on such a device call; asked in a worker,
    /// since it loads them.
    pub libraries: fn(Vendor) -> Vec<(String, String)>,
}

/// A name that is in no list, with the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`; known: {}", known.join(", "))]
pub struct UnknownName {
    /// What it should have been.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The names there are.
    pub known: Vec<String>,
}

impl Catalog {
    /// The family of that name.
    pub fn family(&self, name: &str) -> Result<&'static dyn Family, UnknownName> {
        self.families.iter().copied().find(|f| f.about().name == name).ok_or_else(|| UnknownName {
            what: "family",
            name: name.to_owned(),
            known: self.families.iter().map(|f| f.about().name.to_owned()).collect(),
        })
    }

    /// Everyone who implements a family.
    pub fn implementations(
        &self,
        family: &'static dyn Family,
    ) -> impl Iterator<Item = &'static Implementation> {
        let name = family.about().name;
        let rivals = self.rivals.iter().filter(move |(f, _)| *f == name).map(|(_, rival)| *rival);
        family.implementations().iter().chain(rivals)
    }

    /// The implementation of that name.
    pub fn implementation(
        &self,
        family: &'static dyn Family,
        name: &str,
    ) -> Result<&'static Implementation, UnknownName> {
        self.implementations(family).find(|i| i.name == name).ok_or_else(|| UnknownName {
            what: "implementation",
            name: name.to_owned(),
            known: self.implementations(family).map(|i| i.name.to_owned()).collect(),
        })
    }
}
