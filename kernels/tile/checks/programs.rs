//! The sources that hold the verbs' kernels, who can run them, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::verb::{Form, Map, Verb};
use crate::tile::{self, HEADERS, element, needs_amd, needs_sm_90a, tensor};
use tilemark_core::device::Vendor;
use tilemark_core::launch::{
    Argument, Constant, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Dtype, Info, Problem};

/// A source, and the constants it takes.
pub struct Program {
    source: Source,
    has_element: bool,
    has_width: bool,
}

/// Verbs of both vendors.
pub static PORTABLE: Program = Program {
    source: source("tile/checks/portable.cu", include_str!("portable.cu")),
    has_element: true,
    has_width: false,
};

/// Threads, warps and clusters.
pub static SM90_THREADS: Program = Program {
    source: source("tile/checks/sm90_threads.cu", include_str!("sm90_threads.cu")),
    has_element: false,
    has_width: false,
};

/// The copy engine.
pub static SM90_COPIES: Program = Program {
    source: source("tile/checks/sm90_copies.cu", include_str!("sm90_copies.cu")),
    has_element: false,
    has_width: false,
};

/// Matrices.
pub static SM90_MATRICES: Program = Program {
    source: source("tile/checks/sm90_matrices.cu", include_str!("sm90_matrices.cu")),
    has_element: true,
    has_width: true,
};

/// AMD's own.
pub static AMD: Program = Program {
    source: source("tile/checks/amd.hip", include_str!("amd.hip")),
    has_element: true,
    has_width: false,
};

const fn source(path: &'static str, text: &'static str) -> Source {
    Source { path, text, headers: HEADERS }
}

/// Widths that `cuda_wgmma.h` lists for 16 bits alone.
const NO_WIDTHS_OF_BYTES: [u64; 3] = [80, 160, 176];

/// `supports` on NVIDIA.
pub fn on_nvidia(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    let verb = Verb::of(problem);
    verb.nvidia.ok_or(format!("{} is AMD's alone", verb.name))?;
    let n = problem.shape.integer("n");
    if problem.dtype == Dtype::E4m3 && NO_WIDTHS_OF_BYTES.contains(&n) {
        return Err(format!("{} of 8 bits has no form {n} wide", verb.name));
    }
    takes(verb, problem)
}

/// `supports` on AMD.
pub fn on_amd(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, tile::AMD)?;
    let verb = Verb::of(problem);
    verb.amd.ok_or(format!("{} is NVIDIA's alone", verb.name))?;
    if !verb.amd_archs.contains(&info.arch.as_str()) {
        return Err(format!("{} is for {} alone", verb.name, verb.amd_archs.join(" and ")));
    }
    takes(verb, problem)
}

fn takes(verb: &Verb, problem: &Problem) -> Result<(), String> {
    if verb.dtypes.contains(&problem.dtype) {
        return Ok(());
    }
    Err(format!("{} is not for {}", verb.name, problem.dtype))
}

/// One launch, before which y starts at 0 if the verb adds to it.
pub fn plan(problem: &Problem, info: &Info) -> Plan {
    let verb = Verb::of(problem);
    let program = if info.vendor == Vendor::Amd { verb.amd } else { verb.nvidia };
    let program = program.expect("`supports` admits no other vendor");
    let [across, down] = verb.grid;
    let launch = Launch {
        source: &program.source,
        entry: verb.entry,
        constants: program.constants(problem),
        grid: [across, down, 1],
        block: [verb.block, 1, 1],
        cluster: [verb.cluster, 1, 1],
        dynamic_shared_bytes: 0,
        arguments: arguments(verb, problem.dtype),
    };
    let cleared = verb.adds.then_some(Step::Fill { tensor: 1, byte: 0 });
    Plan { scratch: Vec::new(), steps: cleared.into_iter().chain([Step::Launch(launch)]).collect() }
}

impl Program {
    fn constants(&self, problem: &Problem) -> Vec<(&'static str, Constant)> {
        let element = self.has_element.then(|| ("ELEMENT", element(problem.dtype).into()));
        let width = self.has_width.then(|| ("TILE_N", (problem.shape.integer("n") as i64).into()));
        element.into_iter().chain(width).collect()
    }
}

/// Every tensor in order, one perhaps as a map.
fn arguments(verb: &Verb, dtype: Dtype) -> Vec<Argument> {
    let tensors = if matches!(verb.form, Form::Multiplied(_)) { 3 } else { 2 };
    let argument = |number| match verb.map {
        Some(map) if map.tensor == number => Argument::TensorMap(tensor_map(map, dtype)),
        _ => tensor(number),
    };
    (0..tensors).map(argument).collect()
}

fn tensor_map(map: Map, dtype: Dtype) -> TensorMap {
    let inner = map.dims[0] * dtype.size();
    let further = &map.dims[1..map.dims.len() - 1];
    let strides = further.iter().scan(inner, |stride, extent| {
        *stride *= extent;
        Some(*stride)
    });
    TensorMap {
        tensor: map.tensor,
        dtype,
        dims: map.dims.to_vec(),
        strides_bytes: [inner].into_iter().chain(strides).collect(),
        box_dims: map.box_dims.to_vec(),
        swizzle: Swizzle::B128,
        l2_promotion: L2Promotion::B256,
    }
}
