//! `build`: compiles all device code for every architecture, on a machine that has none of them.

use crate::args::BuildArgs;
use crate::catalog::CATALOG;
use crate::exit::{Exit, UsageError};
use crate::output;
use crate::stream::{StdoutError, print};
use serde_json::{Value, json};
use tilemark_core::Fault;
use tilemark_core::launch::constants_text;
use tilemark_engine::compile::{Cache, Compilers, KernelCode};
use tilemark_engine::programs::{self, ARCHITECTURES, Architecture, Built};

/// Prints what the compiler made of every kernel; exit code 12 if a program does not compile, warns
/// or spills, 15 if there is no compiler.
pub fn run(args: &BuildArgs) -> anyhow::Result<Exit> {
    let (compilers, cache) = (Compilers::here(), Cache::here());
    let mut exit = Exit::Ok;
    let mut values = Vec::new();
    for architecture in architectures(&args.archs)? {
        let programs = programs::programs(&CATALOG, &args.families, architecture, args.variants)?;
        let built = programs::build(programs, architecture, compilers, &cache);
        exit = exit.max(verdict(&built));
        if args.json {
            values.push(as_json(architecture, &built));
        } else {
            show(architecture, &built)?;
        }
    }
    if args.json {
        print(serde_json::to_string_pretty(&values)?)?;
    }
    Ok(exit)
}

fn architectures(names: &[String]) -> anyhow::Result<Vec<&'static Architecture>> {
    if names.is_empty() {
        return Ok(ARCHITECTURES.iter().collect());
    }
    let find = |name: &String| {
        ARCHITECTURES.iter().find(|known| known.name == name).ok_or_else(|| {
            let known: Vec<_> = ARCHITECTURES.iter().map(|known| known.name).collect();
            let hint = format!("known: {}", known.join(", "));
            UsageError { problem: format!("--arch {name}: no such architecture"), hint }.into()
        })
    };
    names.iter().map(find).collect()
}

fn verdict(built: &[Built]) -> Exit {
    let without_compiler = |built: &Built| matches!(built.compiled, Err(Fault::Infra { .. }));
    if built.iter().any(without_compiler) {
        Exit::Unfit
    } else if built.iter().any(|built| !built.faults().is_empty()) {
        Exit::Failed
    } else {
        Exit::Ok
    }
}

/// A table an architecture, and below it what is wrong.
fn show(architecture: &Architecture, built: &[Built]) -> Result<(), StdoutError> {
    let compiler = built.iter().find_map(|b| b.compiled.as_ref().ok()).map(|c| &c.compiler);
    let by = compiler.map_or(String::new(), |compiler| format!(", by {compiler}"));
    print(format_args!("{}: {} programs{by}", architecture.name, built.len()))?;
    let launched: Vec<(&Built, &KernelCode)> =
        built.iter().flat_map(|built| kernels(built).map(move |kernel| (built, kernel))).collect();
    if !launched.is_empty() {
        let on_amd = launched.iter().any(|(_, kernel)| kernel.amd.is_some());
        let mut headers = vec!["source", "kernel", "registers", "spilled", "stack", "shared"];
        if on_amd {
            headers.extend(["VGPR", "AGPR", "SGPR", "waves/SIMD"]);
        }
        headers.push("constants");
        let mut table = output::table(&headers);
        for (built, kernel) in launched {
            table.add_row(row(built, kernel));
        }
        print(table)?;
    }
    for built in built {
        for fault in built.faults() {
            let constants = constants_text(&built.program.constants);
            let program = format!("{} {constants}", built.program.source.path);
            print(format_args!("{}: {fault}", program.trim_end()))?;
        }
    }
    print("")
}

fn row(built: &Built, kernel: &KernelCode) -> Vec<String> {
    let mut row = vec![built.program.source.path.to_owned(), kernel.name.clone()];
    let KernelCode { registers, spilled_bytes, stack_bytes, static_shared_bytes, .. } = kernel;
    let numbers = [registers, spilled_bytes, stack_bytes, static_shared_bytes];
    row.extend(numbers.map(u32::to_string));
    if let Some(amd) = &kernel.amd {
        let numbers = [amd.vgprs, amd.agprs, amd.sgprs, amd.waves_per_simd];
        row.extend(numbers.map(|number| number.to_string()));
    }
    row.push(constants_text(&built.program.constants));
    row
}

/// The kernels that are launched, of those in the source.
fn kernels(built: &Built) -> impl Iterator<Item = &KernelCode> {
    let all = built.compiled.as_ref().map_or(&[][..], |compiled| &compiled.kernels[..]);
    all.iter().filter(|kernel| built.program.entries.contains(kernel.name.as_str()))
}

fn as_json(architecture: &Architecture, built: &[Built]) -> Value {
    let program = |built: &Built| {
        json!({
            "source": built.program.source.path,
            "constants": constants_text(&built.program.constants),
            "users": built.program.users,
            "compiler": built.compiled.as_ref().map(|compiled| &compiled.compiler).ok(),
            "hash": built.compiled.as_ref().map(|compiled| &compiled.hash).ok(),
            "kernels": kernels(built).collect::<Vec<_>>(),
            "faults": built.faults(),
        })
    };
    let programs: Vec<Value> = built.iter().map(program).collect();
    json!({ "arch": architecture.name, "programs": programs })
}
