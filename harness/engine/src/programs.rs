//! Every piece of device code that any implementation would launch, found and compiled without a GPU.
//!
//! An implementation is asked for its plan at each of its family's shapes, on a made-up device of
//! each architecture; what it would launch is collected, and compiled in parallel.

use crate::catalog::Catalog;
use crate::compile::{Cache, Compiled, Compilers, Job, Target};
use crate::plan::PlanError;
use crate::suite::{ShapeTable, SuiteError, Text, all_shapes};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use tilemark_core::device::Vendor;
use tilemark_core::family::{Body, Code};
use tilemark_core::launch::{Constant, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Distribution, Family, Fault, Info, Problem, Shape};

/// An architecture, with a device of it as the data sheet has it: what a plan may ask of a device.
#[derive(Debug)]
pub struct Architecture {
    /// The compiler's name.
    pub name: &'static str,
    vendor: Vendor,
    model: &'static str,
    units: u32,
    memory: Bytes,
    last_level_cache: Bytes,
    /// Shared memory (LDS) that a block may use.
    shared: Bytes,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The architectures that device code is written for.
pub static ARCHITECTURES: [Architecture; 6] = [
    nvidia("sm_80", "NVIDIA A100-SXM4-80GB", 108, 80, 40, 163),
    nvidia("sm_89", "NVIDIA L40S", 142, 48, 96, 99),
    nvidia("sm_90a", "NVIDIA H200", 132, 141, 50, 227),
    nvidia("sm_100a", "NVIDIA B200", 148, 180, 126, 227),
    amd("gfx942", "AMD Instinct MI300X", 304, 192, 64),
    amd("gfx950", "AMD Instinct MI355X", 256, 288, 160),
];

const fn nvidia(
    name: &'static str,
    model: &'static str,
    units: u32,
    memory_gib: u64,
    cache_mib: u64,
    shared_kib: u64,
) -> Architecture {
    Architecture {
        name,
        vendor: Vendor::Nvidia,
        model,
        units,
        memory: Bytes(memory_gib * GIB),
        last_level_cache: Bytes(cache_mib * MIB),
        shared: Bytes(shared_kib * KIB),
    }
}

const fn amd(
    name: &'static str,
    model: &'static str,
    units: u32,
    memory_gib: u64,
    lds_kib: u64,
) -> Architecture {
    Architecture {
        name,
        vendor: Vendor::Amd,
        model,
        units,
        memory: Bytes(memory_gib * GIB),
        last_level_cache: Bytes(256 * MIB),
        shared: Bytes(lds_kib * KIB),
    }
}

impl Architecture {
    /// A device of it that is nowhere.
    pub fn info(&self) -> Info {
        Info {
            name: self.name.to_owned(),
            vendor: self.vendor,
            model: self.model.to_owned(),
            arch: self.name.to_owned(),
            uuid: None,
            memory: self.memory,
            last_level_cache: self.last_level_cache,
            units: self.units,
            driver: None,
            runtime: None,
            traits: vec![("shared_memory_per_block".to_owned(), self.shared.to_string())],
        }
    }
}

/// Compile-time constants, in order.
pub type Constants = Vec<(&'static str, Constant)>;

/// A source with its constants, as some implementation launches it.
#[derive(Clone, Debug)]
pub struct DeviceProgram {
    /// The code.
    pub source: &'static Source,
    /// Its compile-time constants.
    pub constants: Constants,
    /// The kernels that are launched.
    pub entries: BTreeSet<&'static str>,
    /// Who launches them: `family/implementation`.
    pub users: BTreeSet<String>,
}

/// What became of a program.
#[derive(Debug)]
pub struct Built {
    /// The program.
    pub program: DeviceProgram,
    /// The compiler's answer.
    pub compiled: Result<Compiled, Fault>,
}

/// The distinct programs that these families launch on this architecture, with `variants` those
/// that a search may try as well; all families if none is named.
pub fn programs(
    catalog: &Catalog,
    families: &[String],
    architecture: &Architecture,
    variants: bool,
) -> Result<Vec<DeviceProgram>, PlanError> {
    for name in families {
        catalog.family(name)?;
    }
    let info = architecture.info();
    let mut found = Found::default();
    for family in catalog.families {
        let name = family.about().name;
        if families.is_empty() || families.iter().any(|wanted| wanted == name) {
            collect(catalog, *family, &info, variants, &mut found)?;
        }
    }
    Ok(found.programs)
}

/// Compiles them all for an architecture, as many at once as there are cores.
pub fn build(
    programs: Vec<DeviceProgram>,
    architecture: &Architecture,
    compilers: &Compilers,
    cache: &Cache,
) -> Vec<Built> {
    let build = |program: DeviceProgram| {
        let compiled = Target::code(architecture.name).and_then(|target| {
            let (source, constants) = (program.source, &program.constants);
            Job { source, constants, target: &target }.run(compilers, cache)
        });
        Built { program, compiled }
    };
    programs.into_par_iter().map(build).collect()
}

impl Built {
    /// What makes this program unfit to be timed, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let compiled = match &self.compiled {
            Ok(compiled) => compiled,
            Err(fault) => return vec![fault.to_string()],
        };
        let mut faults = Vec::new();
        let admitted = admitted_spill_bytes(self.program.source);
        for entry in &self.program.entries {
            match compiled.kernels.iter().find(|kernel| kernel.name == *entry) {
                None => faults.push(format!("launches `{entry}`, which is not in the source")),
                Some(kernel) if kernel.spilled_bytes > admitted => {
                    faults.push(format!("`{entry}` spills {} bytes", kernel.spilled_bytes));
                }
                Some(kernel) if kernel.stack_bytes > admitted => {
                    let bytes = kernel.stack_bytes;
                    faults.push(format!("`{entry}` keeps {bytes} bytes on the stack"));
                }
                Some(_) => {}
            }
        }
        faults.extend(compiled.warnings.iter().cloned());
        faults
    }
}

/// How an admission of spills starts in a source; the number of bytes and the reason follow.
const ADMISSION: &str = "// Spills: at most ";

/// What a source admits that a thread of it spills, for a reason that the same line gives.
fn admitted_spill_bytes(source: &Source) -> u32 {
    let admission = source.text.lines().find_map(|line| line.strip_prefix(ADMISSION));
    admission.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Programs in the order in which they were met, and where each stands.
#[derive(Default)]
struct Found {
    programs: Vec<DeviceProgram>,
    places: HashMap<(&'static str, Constants), usize>,
}

impl Found {
    fn add_plan(&mut self, plan: Plan, user: &str) {
        for step in plan.steps {
            if let Step::Launch(launch) | Step::Early(launch) = step {
                self.add(launch, user);
            }
        }
    }

    fn add(&mut self, launch: Launch, user: &str) {
        let key = (launch.source.path, launch.constants.clone());
        let place = *self.places.entry(key).or_insert_with(|| {
            self.programs.push(DeviceProgram {
                source: launch.source,
                constants: launch.constants,
                entries: BTreeSet::new(),
                users: BTreeSet::new(),
            });
            self.programs.len() - 1
        });
        let program = &mut self.programs[place];
        program.entries.insert(launch.entry);
        program.users.insert(user.to_owned());
    }
}

fn collect(
    catalog: &Catalog,
    family: &'static dyn Family,
    info: &Info,
    variants: bool,
    found: &mut Found,
) -> Result<(), PlanError> {
    let about = family.about();
    let problems = problems(family)?;
    for implementation in catalog.implementations(family) {
        let Code::Steps(steps) = implementation.code else { continue };
        let user = format!("{}/{}", about.name, implementation.name);
        for problem in &problems {
            if (implementation.supports)(problem, info).is_err() {
                continue;
            }
            found.add_plan(steps(problem, info), &user);
            let tuning =
                if variants { family.tuning(implementation.name, problem, info) } else { None };
            for variant in tuning.into_iter().flat_map(|tuning| tuning.variants) {
                if let Body::Plan(plan) = variant.body {
                    found.add_plan(plan, &user);
                }
            }
        }
    }
    Ok(())
}

/// Every shape of the family's lists, in every dtype that the shape or else the family allows.
fn problems(family: &'static dyn Family) -> Result<Vec<Problem>, PlanError> {
    let about = family.about();
    let place = format!("{}/shapes.toml", about.name);
    let mut problems = Vec::new();
    for table in all_shapes(Text { file: &place, text: about.shapes })? {
        let dtypes = if table.dtypes.is_empty() { about.dtypes } else { &table.dtypes[..] };
        for shape in shapes(family, &table, &place)? {
            problems.extend(dtypes.iter().map(|dtype| Problem {
                family: about.name.to_owned(),
                shape: shape.clone(),
                dtype: *dtype,
                distribution: Distribution::Normal,
                seed: 0,
            }));
        }
    }
    Ok(problems)
}

fn shapes(
    family: &'static dyn Family,
    table: &ShapeTable,
    place: &str,
) -> Result<Vec<Shape>, PlanError> {
    let wrong = |problem: String| SuiteError { place: place.to_owned(), problem };
    let mut shapes = Vec::new();
    for given in table.combinations() {
        let shape =
            Shape::complete(&given, family.about().axes).map_err(|e| wrong(e.to_string()))?;
        family.check(&shape).map_err(|problem| wrong(format!("{shape}: {problem}")))?;
        shapes.push(shape);
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_admit_spills_with_a_reason() {
        let admitted = |text| admitted_spill_bytes(&Source { path: "x.cu", text, headers: &[] });
        assert_eq!(admitted("// A kernel.\n// Spills: at most 108 bytes, because.\n"), 108);
        assert_eq!(admitted("// A kernel that spills at most 108 bytes.\n"), 0);
    }
}
