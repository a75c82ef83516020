//! The command line: `run` executes a kernel on files, `mutate` says what share of deletions is noticed.
//! Results go to stdout, talk to stderr; 0 means no fault, 1 a fault or a failure.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use tilemark_cdna::exec::group::Order;
use tilemark_cdna::kernel::{Kernel, Module};
use tilemark_cdna::launch::{Grid, Options};
use tilemark_cdna::mutate::{Class, Mutant, Verdict, mutate, tally};
use tilemark_cdna::session::{Argument, Named, run};

/// Interprets the assembly that clang emits for gfx942 and gfx950.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Execute a kernel and report faults.
    Run {
        #[command(flatten)]
        launch: Launch,
        /// Seed of the order of waves; without one, each runs to its barrier in turn.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Delete one instruction at a time and report what share is noticed.
    Mutate {
        #[command(flatten)]
        launch: Launch,
        /// Try every n-th candidate of a class.
        #[arg(long, default_value_t = 1)]
        stride: usize,
    },
}

#[derive(Args)]
struct Launch {
    /// Assembly that clang wrote with -S.
    file: PathBuf,
    #[arg(long)]
    kernel: String,
    /// Workgroups: x,y,z.
    #[arg(long, value_parser = triple)]
    grid: [u32; 3],
    /// Threads of a workgroup: x,y,z.
    #[arg(long, value_parser = triple)]
    block: [u32; 3],
    /// In order: in:FILE, io:FILE, out:FILE:BYTES, zero:BYTES, i32:N, u64:N, f32:X …
    #[arg(long = "arg")]
    arguments: Vec<String>,
    #[arg(long, default_value_t = 0)]
    dynamic_lds_bytes: usize,
}

fn triple(text: &str) -> Result<[u32; 3], String> {
    let mut numbers = [1; 3];
    for (index, part) in text.split(',').enumerate() {
        let slot = numbers.get_mut(index).ok_or("more than three numbers")?;
        *slot = part.trim().parse().map_err(|error| format!("{part}: {error}"))?;
    }
    Ok(numbers)
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run { launch, seed } => execute(&launch, seed),
        Command::Mutate { launch, stride } => measure(&launch, stride),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

impl Launch {
    fn module(&self) -> Result<Module, Failure> {
        let text = fs::read_to_string(&self.file)
            .map_err(|error| format!("{}: {error}", self.file.display()))?;
        Ok(Module::parse(&text)?)
    }

    fn grid(&self) -> Grid {
        Grid { groups: self.grid, block: self.block, dynamic_lds_bytes: self.dynamic_lds_bytes }
    }

    fn arguments(&self) -> Result<Vec<Named>, Failure> {
        Ok(self.arguments.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
    }

    fn find(&self, module: Module) -> Result<Kernel, Failure> {
        let names: Vec<_> = module.kernels.iter().map(|kernel| kernel.name.clone()).collect();
        let found = module.kernels.into_iter().find(|kernel| kernel.name == self.kernel);
        Ok(found.ok_or_else(|| {
            format!("no kernel {}\n  hint: the file has {}", self.kernel, names.join(", "))
        })?)
    }
}

fn execute(launch: &Launch, seed: Option<u64>) -> Result<(), Failure> {
    let kernel = launch.find(launch.module()?)?;
    let named = launch.arguments()?;
    let arguments: Vec<Argument> = named.iter().map(|named| named.argument.clone()).collect();
    let order = seed.map_or(Order::InTurn, Order::Seeded);
    let began = Instant::now();
    let outcome =
        run(&kernel, launch.grid(), &arguments, &Options { order, ..Options::default() })?;
    let seconds = began.elapsed().as_secs_f64();
    let outputs = named.iter().filter(|named| matches!(named.argument, Argument::Buffer(_)));
    for (named, bytes) in outputs.zip(&outcome.buffers) {
        if let Some(path) = &named.output {
            fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let report = outcome.report;
    println!("instructions {}", report.instructions);
    println!("matrix instructions {}", report.matrix_instructions);
    eprintln!(
        "{seconds:.3} s, {:.2} M wave-instructions/s",
        report.instructions as f64 / seconds / 1e6
    );
    Ok(())
}

fn measure(launch: &Launch, stride: usize) -> Result<(), Failure> {
    let mut kernel = launch.find(launch.module()?)?;
    let arguments: Vec<Argument> =
        launch.arguments()?.into_iter().map(|named| named.argument).collect();
    let mutants = mutate(&mut kernel, launch.grid(), &arguments, stride.max(1))?;
    for mutant in mutants.iter().filter(|mutant| mutant.verdict == Verdict::Unnoticed) {
        let location = &kernel.locations[mutant.index];
        println!("unnoticed: line {}: {}", location.line, location.text);
    }
    for class in Class::ALL {
        let of_class = |mutant: &&Mutant| mutant.class == class;
        let (all, noticed) = tally(mutants.iter().filter(of_class));
        if all > 0 {
            println!("{class:<15} {noticed} of {all}");
        }
    }
    let (all, noticed) = tally(&mutants);
    println!("{:<15} {noticed} of {all}", "all");
    Ok(())
}
