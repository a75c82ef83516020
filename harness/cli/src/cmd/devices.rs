//! `devices`: who could run a case here.

use crate::args::DevicesArgs;
use crate::exit::Exit;
use crate::output;
use crate::stream::print;
use comfy_table::Table;
use tilemark_engine::compile::Compilers;
use tilemark_engine::device;

/// Lists the devices.
pub fn run(args: &DevicesArgs) -> anyhow::Result<Exit> {
    let listings = device::list();
    if args.json {
        print(serde_json::to_string_pretty(&listings)?)?;
        return Ok(Exit::Ok);
    }
    let mut table = output::table(&["device", "model", "arch", "memory", "units", "note"]);
    for listing in &listings {
        match &listing.found {
            Ok(info) => table.add_row([
                info.name.clone(),
                info.model.clone(),
                info.arch.clone(),
                info.memory.to_string(),
                info.units.to_string(),
                listing.note.clone(),
            ]),
            Err(why) => {
                let absent = ["–".to_owned(), String::new(), String::new(), String::new()];
                let mut row = vec![listing.name.clone()];
                row.extend(absent);
                row.push(format!("not found: {why}"));
                table.add_row(row)
            }
        };
    }
    print(format_args!("{table}\n\n{}", compilers()))?;
    Ok(Exit::Ok)
}

/// Who compiles device code here.
fn compilers() -> Table {
    let mut table = output::table(&["code for", "compiler", "where"]);
    let Compilers { nvidia, hiprtc, clang } = Compilers::here();
    let rows = [("NVIDIA", nvidia), ("AMD, where ROCm is", hiprtc), ("AMD, else", clang)];
    for (target, compiler) in rows {
        match compiler {
            Ok(compiler) => table.add_row([target, compiler.version(), compiler.path()]),
            Err(absent) => table.add_row([target, "–", &format!("not found: {absent}")]),
        };
    }
    table
}
