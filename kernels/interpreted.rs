//! AMD's kernels on the interpreter: each implementation that is device code for gfx942 or gfx950
//! compiles without a spill, and passes the gate on its family's small shapes.
//!
//! Where no clang with AMD's backend is found, and `TILEMARK_HIP_CLANG` names none, there is nothing
//! to run and these tests pass; `scripts/test` installs one. It must not know any family.

use crate::FAMILIES;
use crate::testing::{Trial, device};
use crate::tests::shapes;
use tilemark_cdna::exec::group::Order;
use tilemark_cdna::kernel::Module;
use tilemark_cdna::launch::{Grid, Options, launch, pack};
use tilemark_cdna::memory::Memory;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Code, Role};
use tilemark_core::launch::{Argument, Launch, Plan, Step};
use tilemark_core::{Dtype, Family, Flops, Info, Tensor};
use tilemark_engine::compile::{Compilers, Target, compile_for};

/// The architectures that are interpreted.
const ARCHS: [&str; 2] = ["gfx942", "gfx950"];

/// Problems beyond this take the interpreter too long: with matrix instructions, and without.
const MOST_WORK: [Flops; 2] = [Flops(80_000_000), Flops(6_000_000)];

#[test]
fn every_kernel_for_gfx942_agrees_with_the_truth() {
    check_agrees_on("gfx942");
}

#[test]
fn every_kernel_for_gfx950_agrees_with_the_truth() {
    check_agrees_on("gfx950");
}

fn check_agrees_on(arch: &str) {
    let mut checked = 0;
    for_each_small_plan(|trial, name, of, plan| {
        if of != arch {
            return;
        }
        for order in [Order::InTurn, Order::Seeded(1)] {
            assert_eq!(verdict(trial, plan, arch, order), Ok(()), "`{name}` on {arch}");
        }
        checked += 1;
    });
    assert!(checked > 50, "only {checked} plans");
}

/// Calls for every small shape of every family, in every dtype, with the plans of each device.
fn for_each_small_plan(mut check: impl FnMut(&Trial, &str, &str, &Plan)) {
    for family in FAMILIES {
        for (shape, dtypes) in shapes(*family, "smoke") {
            for dtype in dtypes {
                for_each_plan(*family, &shape.to_string(), dtype, |trial, name, arch, plan| {
                    let multiplies = name.starts_with("gfx") || name.starts_with("mfma");
                    let most = MOST_WORK[usize::from(!multiplies)];
                    if family.work(&trial.problem).executed <= most {
                        check(trial, name, arch, plan);
                    }
                });
            }
        }
    }
}

/// Calls with the implementation, architecture and plan of every way to solve a problem on AMD:
/// some plans are for devices so small that they get the largest tiles.
pub fn for_each_plan(
    family: &'static dyn Family,
    shape: &str,
    dtype: Dtype,
    mut check: impl FnMut(&Trial, &str, &str, &Plan),
) {
    let trial = Trial::new(family, shape, dtype);
    for implementation in family.implementations() {
        let Code::Steps(steps) = implementation.code else { continue };
        for arch in ARCHS {
            let [tiny, whole] = [1, 256].map(|units| Info { units, ..device(Vendor::Amd, arch) });
            if (implementation.supports)(&trial.problem, &whole).is_err() {
                continue;
            }
            let plans = [steps(&trial.problem, &tiny), steps(&trial.problem, &whole)];
            let distinct = if plans[0] == plans[1] { 1 } else { 2 };
            for plan in &plans[..distinct] {
                check(&trial, implementation.name, arch, plan);
            }
        }
    }
}

/// Whether the plan passes the gate on the trial's inputs, where it can be compiled.
pub fn verdict(trial: &Trial, plan: &Plan, arch: &str, order: Order) -> Result<(), String> {
    match outputs(trial, &trial.inputs(), plan, arch, order)? {
        Some(found) => trial.judge(&found),
        None => Ok(()),
    }
}

/// What the plan makes of the inputs, unless there is no compiler; or why it fails. Outputs
/// and scratch memory start as NaN.
pub fn outputs(
    trial: &Trial,
    inputs: &[Vec<f32>],
    plan: &Plan,
    arch: &str,
    order: Order,
) -> Result<Option<Vec<Vec<f32>>>, String> {
    let mut tensors = Tensors::upload(trial, inputs, plan);
    for launch in launches(plan) {
        let Some(module) = module(launch, arch)? else { return Ok(None) };
        tensors.start(launch, &module, order)?;
    }
    let values = |(index, tensor): (usize, &Tensor)| {
        let bytes = tensors.bytes(index);
        (0..tensor.elements() as usize).map(|index| tensor.dtype.decode(&bytes, index)).collect()
    };
    let found = trial.tensors.iter().enumerate();
    Ok(Some(found.filter(|(_, t)| matches!(t.role, Role::Output { .. })).map(values).collect()))
}

/// The plan's launches, in order.
pub fn launches(plan: &Plan) -> impl Iterator<Item = &Launch> {
    plan.steps.iter().map(|step| match step {
        Step::Launch(launch) => launch,
        _ => panic!("no plan for AMD fills memory or starts early"),
    })
}

/// A problem's tensors and a plan's scratch memory, where the interpreter finds them.
pub struct Tensors {
    memory: Memory,
    addresses: Vec<u64>,
}

impl Tensors {
    /// The inputs, and NaN in all else.
    pub fn upload(trial: &Trial, inputs: &[Vec<f32>], plan: &Plan) -> Self {
        let mut memory = Memory::default();
        let mut inputs = inputs.iter();
        let mut addresses: Vec<u64> = Vec::new();
        for tensor in &trial.tensors {
            let mut bytes = vec![0xff; tensor.bytes().0 as usize];
            if matches!(tensor.role, Role::Input { .. }) {
                tensor.dtype.encode(inputs.next().expect("one for each input"), &mut bytes);
            }
            addresses.push(memory.upload(&bytes));
        }
        let scratch = plan.scratch.iter().map(|bytes| vec![0xff; bytes.0 as usize]);
        addresses.extend(scratch.map(|bytes| memory.upload(&bytes)));
        Tensors { memory, addresses }
    }

    /// What a tensor holds now.
    pub fn bytes(&self, tensor: usize) -> Vec<u8> {
        self.memory.download(self.addresses[tensor]).expect("it has not been freed")
    }

    /// Runs one launch.
    pub fn start(&mut self, step: &Launch, module: &Module, order: Order) -> Result<(), String> {
        let kernel = module.kernel(step.entry).ok_or(format!("no kernel {}", step.entry))?;
        let bytes = |argument: &Argument| match argument {
            Argument::Tensor { tensor, offset_bytes } => {
                (self.addresses[*tensor] + offset_bytes).to_le_bytes().to_vec()
            }
            value => value_bytes(value),
        };
        let arguments: Vec<Vec<u8>> = step.arguments.iter().map(bytes).collect();
        let options = Options { order, ..Options::default() };
        let packed = pack(kernel, &arguments).map_err(|error| error.to_string())?;
        launch(kernel, &mut self.memory, grid(step), &packed, &options)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// An argument that is passed by value.
pub fn value_bytes(argument: &Argument) -> Vec<u8> {
    match argument {
        Argument::I32(value) => value.to_le_bytes().to_vec(),
        Argument::U32(value) => value.to_le_bytes().to_vec(),
        Argument::I64(value) => value.to_le_bytes().to_vec(),
        Argument::F32(value) => value.to_le_bytes().to_vec(),
        Argument::Words(words) => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        Argument::Tensor { .. } | Argument::TensorMap(_) => {
            panic!("a tensor is no value, and AMD has no tensor maps")
        }
    }
}

/// A launch's grid.
pub fn grid(step: &Launch) -> Grid {
    Grid {
        groups: step.grid,
        block: step.block,
        dynamic_lds_bytes: step.dynamic_shared_bytes as usize,
    }
}

/// Whether AMD's code can be compiled here; if the environment names a compiler, it must be.
pub fn compiler() -> bool {
    let found = Compilers::here().clang.is_ok();
    let named = std::env::var_os("TILEMARK_HIP_CLANG").is_some();
    assert!(found || !named, "TILEMARK_HIP_CLANG names no clang");
    found
}

/// The launch's code, which must not spill.
pub fn module(launch: &Launch, arch: &str) -> Result<Option<Module>, String> {
    if !compiler() {
        return Ok(None);
    }
    let compiled = compile_for(launch.source, &launch.constants, &Target::assembly(arch))
        .map_err(|fault| fault.to_string())?;
    for kernel in &compiled.kernels {
        if kernel.spilled_bytes > 0 || kernel.stack_bytes > 0 {
            return Err(format!("{} spills: {kernel:?}", launch.entry));
        }
    }
    let text = String::from_utf8(compiled.image).expect("assembly is text");
    Module::parse(&text).map(Some).map_err(|error| error.to_string())
}
