//! The command line, as clap reads it. The comments are the help text.

use crate::exit::EXIT_CODES;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tilemark_core::method::{Cache, Regime};
use tilemark_core::{Distribution, Dtype};
use tilemark_engine::axis::AxisValues;
use tilemark_engine::plan::Shard;

/// Runs every GPU kernel of a suite and the rivals on the devices it finds, checks every answer,
/// times what is right, and reports.
#[derive(Parser)]
#[command(name = "tilemark", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Show the devices that can run cases, and what was looked for and not found
    Devices(DevicesArgs),
    /// Show families, axes, implementations and suites
    List(ListArgs),
    /// Run a suite: check, time beside the rivals, record, report
    Run(RunArgs),
    /// Run a suite without timing: check every answer
    Verify(RunArgs),
    /// Compare a run with another one
    Compare(CompareArgs),
    /// Write the reports of a run again
    Report(ReportArgs),
    /// Compile all device code, without a GPU, and show what the compilers made of it
    Build(BuildArgs),
    /// Search the constants of kernels for the quickest at each problem, and write what is chosen
    Tune(TuneArgs),
    /// Check whether this machine is fit to measure
    Doctor(DevicesArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the man page
    Man,
    #[command(hide = true)]
    Worker(WorkerArgs),
}

#[derive(Args)]
pub struct DevicesArgs {
    /// One JSON object on stdout instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ListArgs {
    /// Show one family in full
    pub family: Option<String>,
    /// One JSON object on stdout instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct RunArgs {
    /// A suite's name, or the path of a TOML file
    #[arg(default_value = "smoke")]
    pub suite: String,
    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub method: MethodArgs,
    #[command(flatten)]
    pub folder: FolderArgs,
    #[command(flatten)]
    pub outputs: OutputArgs,
    /// Print the plan and touch no device; -d also takes an architecture, such as sm_90a
    #[arg(long)]
    pub dry_run: bool,
    /// Longest wait for one step of a case, in seconds; past it the worker is killed
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = wait_above_0)]
    pub timeout: Duration,
    /// How often a case is tried again after a crash or a timeout
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub retries: u32,
    /// Longest that the run waits for other processes to leave a CPU, and repeats what they disturbed
    /// [default: 30; 0 with --quick]
    #[arg(long, value_name = "SECONDS", value_parser = wait)]
    pub patience: Option<Duration>,
    /// Allow this relative error on top of the reference's, instead of the family's floor
    #[arg(long, value_parser = positive)]
    pub rtol: Option<f64>,
    /// Allow this absolute error on top of the reference's, instead of the family's floor
    #[arg(long, value_parser = positive)]
    pub atol: Option<f64>,
    /// Compare with this run: a folder, or a name given with --save-baseline
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<String>,
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Script of the null device
    #[arg(long, value_name = "FILE")]
    pub null_script: Option<PathBuf>,
}

#[derive(Args)]
pub struct JudgeArgs {
    /// What makes the exit code other than 0
    #[arg(long, value_delimiter = ',', default_value = "regression,wrong,failed")]
    pub fail_on: Vec<FailOn>,
    /// Cases that cannot be told from their baseline fail too (exit code 13)
    #[arg(long)]
    pub strict: bool,
}

/// What makes a run or a comparison fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A case is slower than the baseline
    Regression,
    /// A wrong answer, or one whose error is more than twice the baseline's
    Wrong,
    /// A crash, a timeout, out of memory, a compile error; unsupported, but right in the baseline
    Failed,
    /// An implementation that does not cover a case on its own device
    Unsupported,
    /// Ours is slower than the best rival
    Rival,
    /// Nothing at all: the exit code of a finished run is 0
    None,
}

#[derive(Args)]
pub struct SelectionArgs {
    /// Devices, such as cpu or cuda:0,cuda:1 [default: all that are found]
    #[arg(short, long, value_delimiter = ',', value_name = "NAMES")]
    pub devices: Vec<String>,
    /// Families
    #[arg(long = "op", short = 'b', value_delimiter = ',', value_name = "FAMILIES")]
    pub families: Vec<String>,
    /// Only implementations that match a glob; with a `/` in it, only cases whose id matches
    #[arg(long, value_delimiter = ',', value_name = "GLOBS")]
    pub only: Vec<String>,
    /// No implementations (or case ids) that match a glob
    #[arg(long, value_delimiter = ',', value_name = "GLOBS")]
    pub skip: Vec<String>,
    /// Values of an axis: m=128, m=[128,256], n=[1:9:2], 'k[pow2]=[10:14]', causal=true
    #[arg(short, long = "axis", value_name = "AXIS", value_parser = AxisValues::parse)]
    pub axes: Vec<AxisValues>,
    /// Value of axis m
    #[arg(short, value_name = "M")]
    pub m: Option<u64>,
    /// Value of axis n
    #[arg(short, value_name = "N")]
    pub n: Option<u64>,
    /// Value of axis k
    #[arg(short, value_name = "K")]
    pub k: Option<u64>,
    /// Element types: f32, bf16, f16, e4m3
    #[arg(long = "dtype", value_delimiter = ',', value_name = "DTYPES")]
    pub dtypes: Vec<Dtype>,
    /// How inputs are drawn: normal, uniform, outliers, large, subnormal, zeros
    #[arg(long = "distribution", value_delimiter = ',', value_name = "NAMES")]
    pub distributions: Vec<Distribution>,
    /// Seed of the inputs [default: the suite's]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Part I of N of the plan
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

#[derive(Args)]
pub struct MethodArgs {
    /// Short rounds, for a first look (a method of its own)
    #[arg(long)]
    pub quick: bool,
    /// Warm the device up until it is steady, or measure a short burst
    #[arg(long, value_parser = regime, value_name = "settled|burst")]
    pub regime: Option<Regime>,
    /// Flush the last-level cache before every sample, or not
    #[arg(long, value_parser = cache, value_name = "cold|hot")]
    pub cache: Option<Cache>,
    /// Replay work on a GPU as a graph that was captured once, instead of launching it
    #[arg(long)]
    pub graph: bool,
    /// Rounds in which implementations take turns
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
}

#[derive(Args)]
pub struct FolderArgs {
    /// Folder in which run folders are made
    #[arg(short, long, default_value = "runs", value_name = "FOLDER")]
    pub output: PathBuf,
    /// Go on with a run that was killed
    #[arg(long, value_name = "RUN", conflicts_with = "dry_run")]
    pub resume: Option<PathBuf>,
    /// Give the run this name, for --baseline
    #[arg(long, value_name = "NAME")]
    pub save_baseline: Option<String>,
    /// Free words that are kept with the run
    #[arg(long = "tag", value_name = "WORD")]
    pub tags: Vec<String>,
}

#[derive(Args)]
pub struct OutputArgs {
    /// Write the page here as well (`-` is stdout)
    #[arg(long, value_name = "PATH")]
    pub html: Option<PathBuf>,
    /// Write JSON (`-` is stdout)
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Write CSV (`-` is stdout)
    #[arg(long, value_name = "PATH")]
    pub csv: Option<PathBuf>,
    /// Write Markdown (`-` is stdout)
    #[arg(long, value_name = "PATH")]
    pub md: Option<PathBuf>,
    /// Write JUnit XML (`-` is stdout)
    #[arg(long, value_name = "PATH")]
    pub junit: Option<PathBuf>,
    /// Write the Parquet tables into this folder as well
    #[arg(long, value_name = "FOLDER")]
    pub parquet: Option<PathBuf>,
}

impl OutputArgs {
    /// Each text that is asked for: the flag, which is the report's name, and the path.
    pub fn forms(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let forms = [
            ("html", &self.html),
            ("json", &self.json),
            ("csv", &self.csv),
            ("md", &self.md),
            ("junit", &self.junit),
        ];
        forms.into_iter().filter_map(|(form, path)| Some((form, path.as_deref()?)))
    }
}

#[derive(Args)]
pub struct CompareArgs {
    /// The run that is judged
    pub candidate: String,
    /// The run it is judged against
    pub baseline: String,
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// One JSON object on stdout instead of a table
    #[arg(long)]
    pub json: bool,
    /// Where names given with --save-baseline are looked up
    #[arg(short, long, default_value = "runs", value_name = "FOLDER")]
    pub output: PathBuf,
}

#[derive(Args)]
pub struct ReportArgs {
    /// The run's folder
    pub run: PathBuf,
    /// Show it against this run
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: OutputArgs,
}

#[derive(Args)]
pub struct BuildArgs {
    /// Architectures, such as sm_90a,gfx942 [default: all that code is written for]
    #[arg(long = "arch", value_delimiter = ',', value_name = "NAMES")]
    pub archs: Vec<String>,
    /// Families [default: all]
    #[arg(long = "op", short = 'b', value_delimiter = ',', value_name = "FAMILIES")]
    pub families: Vec<String>,
    /// What `tune` may try as well
    #[arg(long)]
    pub variants: bool,
    /// One JSON object on stdout instead of tables
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct TuneArgs {
    /// A suite's name, or the path of a TOML file
    #[arg(default_value = "nightly")]
    pub suite: String,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Write the winners into this file of choices, such as kernels/gemm/choices.toml; without it
    /// they are only printed
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub out: Option<PathBuf>,
    /// Write every sample of every variant here, a JSON object a problem on a line of its own
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    pub json: Option<PathBuf>,
    /// Print what would be tried and touch no device; -d also takes an architecture, such as sm_90a
    #[arg(long)]
    pub dry_run: bool,
    /// Longest wait for one step of a variant, in seconds; past it the worker is killed
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = wait_above_0)]
    pub timeout: Duration,
    /// Script of the null device
    #[arg(long, value_name = "FILE")]
    pub null_script: Option<PathBuf>,
}

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Args)]
pub struct WorkerArgs {
    /// The device
    #[arg(long)]
    pub device: String,
    /// The implementation, for process lists
    #[arg(long)]
    pub implementation: String,
    /// Script of the null device
    #[arg(long)]
    pub null_script: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// The longest that anything is waited for: a week.
const LONGEST_WAIT_S: f64 = 604_800.0;

fn wait(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=LONGEST_WAIT_S).contains(&value) => Ok(Duration::from_secs_f64(value)),
        _ => Err(format!("expected seconds from 0 to {LONGEST_WAIT_S}, a week")),
    }
}

fn wait_above_0(text: &str) -> Result<Duration, String> {
    match wait(text) {
        Ok(wait) if !wait.is_zero() => Ok(wait),
        _ => Err(format!("expected seconds above 0, at most {LONGEST_WAIT_S}, a week")),
    }
}

fn regime(text: &str) -> Result<Regime, String> {
    match text {
        "settled" => Ok(Regime::Settled),
        "burst" => Ok(Regime::Burst),
        _ => Err("expected settled or burst".to_owned()),
    }
}

fn cache(text: &str) -> Result<Cache, String> {
    match text {
        "cold" => Ok(Cache::Cold),
        "hot" => Ok(Cache::Hot),
        _ => Err("expected cold or hot".to_owned()),
    }
}
