//! `list`: what there is to run. It starts no device and no worker, so it answers at once.

use crate::args::ListArgs;
use crate::catalog::{self, CATALOG, SUITES};
use crate::exit::Exit;
use crate::output;
use crate::stream::{StdoutError, print};
use serde_json::{Value, json};
use tilemark_core::Family;
use tilemark_core::family::Standing;
use tilemark_core::shape::AxisDefault;

/// Lists families and suites, or shows one family.
pub fn run(args: &ListArgs) -> anyhow::Result<Exit> {
    let families = match &args.family {
        Some(name) => vec![CATALOG.family(name)?],
        None => CATALOG.families.to_vec(),
    };
    if args.json {
        let families: Vec<Value> = families.iter().map(|family| as_json(*family)).collect();
        let suites: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        print(json!({ "families": families, "suites": suites }))?;
    } else if args.family.is_some() {
        show(families[0])?;
    } else {
        overview(&families)?;
    }
    Ok(Exit::Ok)
}

fn overview(families: &[&'static dyn Family]) -> anyhow::Result<()> {
    let mut table = output::table(&["family", "axes", "dtypes", "implementations"]);
    for family in families {
        let about = family.about();
        let axes: Vec<_> = about.axes.iter().map(|axis| axis.name).collect();
        let dtypes: Vec<_> = about.dtypes.iter().map(|dtype| dtype.name()).collect();
        let names: Vec<_> = CATALOG.implementations(*family).map(|i| i.name).collect();
        table.add_row([about.name.to_owned(), axes.join(" "), dtypes.join(" "), names.join(" ")]);
    }
    print(format_args!("{table}\n"))?;
    let mut table = output::table(&["suite", "why"]);
    for (name, _) in SUITES {
        table.add_row([(*name).to_owned(), catalog::suite(name)?.about]);
    }
    print(format_args!("{table}\n\n`tilemark list FAMILY` shows one in full"))?;
    Ok(())
}

fn show(family: &'static dyn Family) -> Result<(), StdoutError> {
    let about = family.about();
    print(format_args!("{}: {}\n", about.name, about.formula))?;
    let mut table = output::table(&["axis", "takes", "default", "meaning"]);
    for axis in about.axes {
        let default = default(&axis.default);
        table.add_row([axis.name.to_owned(), axis.takes(), default, axis.meaning.to_owned()]);
    }
    print(format_args!("{table}\n"))?;
    let mut table = output::table(&["implementation", "standing", "idea"]);
    for implementation in CATALOG.implementations(family) {
        let standing = standing(implementation.standing);
        table.add_row([implementation.name, standing, implementation.idea]);
    }
    print(format_args!("{table}\n"))?;
    let dtypes: Vec<_> = about.dtypes.iter().map(|dtype| dtype.name()).collect();
    print(format_args!("dtypes: {}", dtypes.join(", ")))?;
    print(format_args!("rivals on a CPU: {}", about.cpu_rivals))
}

fn default(default: &AxisDefault) -> String {
    match default {
        AxisDefault::Required => "none".to_owned(),
        AxisDefault::Absent => "left out".to_owned(),
        AxisDefault::Integer(n) => n.to_string(),
        AxisDefault::Flag(on) => on.to_string(),
        AxisDefault::Word(word) => (*word).to_owned(),
        AxisDefault::SameAs(other) => format!("as {other}"),
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Rung => "rung",
        Standing::Candidate => "candidate",
        Standing::Rival => "rival",
    }
}

fn as_json(family: &'static dyn Family) -> Value {
    let about = family.about();
    let axes: Vec<Value> = about
        .axes
        .iter()
        .map(|axis| json!({ "name": axis.name, "meaning": axis.meaning, "takes": axis.takes(), "default": default(&axis.default) }))
        .collect();
    let implementations: Vec<Value> = CATALOG
        .implementations(family)
        .map(|i| json!({ "name": i.name, "standing": standing(i.standing), "idea": i.idea }))
        .collect();
    json!({
        "name": about.name,
        "formula": about.formula,
        "axes": axes,
        "dtypes": about.dtypes,
        "implementations": implementations,
        "cpu_rivals": about.cpu_rivals,
    })
}
