//! `worker`: the process that holds a device. Started by the engine, not by people.

use crate::args::WorkerArgs;
use crate::catalog::CATALOG;
use crate::exit::Exit;
use tilemark_core::Fault;
use tilemark_engine::{device, worker};

/// Serves until stdin ends.
pub fn run(args: &WorkerArgs) -> anyhow::Result<Exit> {
    let script = args.null_script.as_ref().map(std::fs::read_to_string).transpose()?;
    let device = device::open(&args.device, script.as_deref())
        .map_err(|e| Fault::Infra { message: e.to_string() });
    worker::serve(&CATALOG, device);
    Ok(Exit::Ok)
}
