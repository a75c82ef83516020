//! `compare`: one run judged against another.

use super::run::{folder, judge};
use crate::args::CompareArgs;
use crate::exit::Exit;
use crate::output;
use tilemark_engine::{compare, store};

/// Compares two runs.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let candidate = store::read(&folder::find(&args.output, &args.candidate)?)?;
    let baseline = store::read(&folder::find(&args.output, &args.baseline)?)?;
    let comparison = compare::compare(&candidate, &baseline);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        output::comparison(&comparison);
    }
    Ok(judge::compared(&comparison.cases, true, args.strict))
}
