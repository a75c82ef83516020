//! Prepared work: what one case puts on the stream, with everything that it needs.

use super::runtime::{Argument, Extent, Kernel as _, Memory as _, Runtime};
use crate::compile::Compiled;
use std::collections::HashMap;
use std::rc::Rc;
use tilemark_core::device::Vendor;
use tilemark_core::family::Candidate;
use tilemark_core::launch::{self, Launch, Plan, Step};
use tilemark_core::record::CodeReport;
use tilemark_core::{Bytes, Fault, Info};

/// Work that is ready to be enqueued any number of times.
pub struct Work<R: Runtime> {
    body: Body<R>,
    graph: Option<R::Graph>,
    /// Numbers of the buffers that it reads or writes.
    pub buffers: Vec<u64>,
    /// What the compiler made of its kernels.
    pub code: Vec<CodeReport>,
    /// Memory of its own.
    _scratch: Rc<Scratch<R>>,
}

enum Body<R: Runtime> {
    Steps(Vec<PreparedStep<R>>),
    Library(Candidate),
}

enum PreparedStep<R: Runtime> {
    Launch { kernel: R::Kernel, extent: Extent, arguments: Vec<Argument> },
    Fill { address: u64, bytes: Bytes, byte: u8 },
}

/// An implementation's own memory. All sets of one case share it, since they run one after the
/// other and its content is undefined between launches.
pub struct Scratch<R: Runtime>(Vec<R::Memory>);

impl<R: Runtime> Default for Scratch<R> {
    fn default() -> Self {
        Scratch(Vec::new())
    }
}

impl<R: Runtime> Scratch<R> {
    /// Memory of these sizes, filled with NaN so that a read of what was not written shows.
    pub fn new(context: &R, sizes: &[Bytes]) -> Result<Self, Fault> {
        let mut memories = Vec::with_capacity(sizes.len());
        for bytes in sizes {
            let memory = context.reserve(*bytes)?;
            memory.fill(0xff)?;
            memories.push(memory);
        }
        Ok(Scratch(memories))
    }

    /// Whether it serves a plan with these sizes.
    pub fn serves(&self, sizes: &[Bytes]) -> bool {
        self.0.iter().map(R::Memory::bytes).eq(sizes.iter().copied())
    }
}

impl<R: Runtime> Work<R> {
    /// Work of ours, from its plan; `tensors` are addresses and sizes in the family's order.
    pub fn from_plan(
        context: &R,
        code: &mut CodeCache<R>,
        info: &Info,
        plan: &Plan,
        tensors: &[(u64, Bytes)],
        scratch: Rc<Scratch<R>>,
    ) -> Result<Self, Fault> {
        let own = scratch.0.iter().map(|memory| (memory.address(), memory.bytes()));
        let memory: Vec<(u64, Bytes)> = tensors.iter().copied().chain(own).collect();
        let mut steps = Vec::with_capacity(plan.steps.len());
        let mut reports = Vec::new();
        for step in &plan.steps {
            steps.push(match step {
                Step::Launch(launch) | Step::Early(launch) => {
                    let (kernel, report) = code.kernel(context, info, launch)?;
                    reports.push(report);
                    let arguments = launch.arguments.iter().map(|a| argument(context, a, &memory));
                    let arguments = arguments.collect::<Result<_, _>>()?;
                    let early = matches!(step, Step::Early(_)) && starts_early(info);
                    let extent = Extent { early, ..launch.into() };
                    PreparedStep::Launch { kernel, extent, arguments }
                }
                Step::Fill { tensor, byte } => {
                    let (address, bytes) = place(&memory, *tensor)?;
                    PreparedStep::Fill { address, bytes, byte: *byte }
                }
            });
        }
        let body = Body::Steps(steps);
        Ok(Work { body, graph: None, buffers: Vec::new(), code: reports, _scratch: scratch })
    }

    /// Work of a library.
    pub fn from_candidate(candidate: Candidate) -> Self {
        Work {
            body: Body::Library(candidate),
            graph: None,
            buffers: Vec::new(),
            code: Vec::new(),
            _scratch: Rc::default(),
        }
    }

    /// The name of the candidate that it is, if it is a library's.
    pub fn choice(&self) -> Option<&str> {
        match &self.body {
            Body::Library(candidate) => Some(&candidate.name),
            Body::Steps(_) => None,
        }
    }

    /// Puts it on the stream once.
    pub fn enqueue(&mut self, context: &R) -> Result<(), Fault> {
        match &mut self.body {
            Body::Library(candidate) => (candidate.enqueue)(),
            Body::Steps(steps) => steps.iter().try_for_each(|step| match step {
                PreparedStep::Launch { kernel, extent, arguments } => {
                    context.launch(kernel, extent, arguments)
                }
                PreparedStep::Fill { address, bytes, byte } => {
                    context.fill(*address, *bytes, *byte)
                }
            }),
        }
    }

    /// Lets a library's result appear in our tensors, where it insists on outputs of its own.
    pub fn publish(&mut self) -> Result<(), Fault> {
        match &mut self.body {
            Body::Library(Candidate { publish: Some(publish), .. }) => publish(),
            _ => Ok(()),
        }
    }

    /// Replays it as a graph, which is captured the first time.
    pub fn replay(&mut self, context: &R) -> Result<(), Fault> {
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => context.capture(|| self.enqueue(context))?,
        };
        context.replay(self.graph.insert(graph))
    }

    /// Launches that one turn of it takes, as far as can be told.
    pub fn launches(&self) -> u32 {
        match &self.body {
            Body::Steps(steps) => steps.len() as u32,
            Body::Library(candidate) => candidate.launches,
        }
    }
}

/// Whether a device lets a kernel start before the one before it has ended: NVIDIA's since sm_90.
fn starts_early(info: &Info) -> bool {
    let digits = info.arch.strip_prefix("sm_").unwrap_or("").trim_end_matches(char::is_alphabetic);
    info.vendor == Vendor::Nvidia && digits.parse().is_ok_and(|capability: u32| capability >= 90)
}

fn place(memory: &[(u64, Bytes)], tensor: usize) -> Result<(u64, Bytes), Fault> {
    memory.get(tensor).copied().ok_or_else(|| Fault::Infra {
        message: format!("a plan names tensor {tensor} of {}", memory.len()),
    })
}

fn argument<R: Runtime>(
    context: &R,
    argument: &launch::Argument,
    memory: &[(u64, Bytes)],
) -> Result<Argument, Fault> {
    Ok(match argument {
        launch::Argument::Tensor { tensor, offset_bytes } => {
            Argument::new(&(place(memory, *tensor)?.0 + offset_bytes).to_le_bytes())
        }
        launch::Argument::I32(value) => Argument::new(&value.to_le_bytes()),
        launch::Argument::U32(value) => Argument::new(&value.to_le_bytes()),
        launch::Argument::I64(value) => Argument::new(&value.to_le_bytes()),
        launch::Argument::F32(value) => Argument::new(&value.to_le_bytes()),
        launch::Argument::Words(words) => Argument::new(bytemuck::cast_slice(words)),
        launch::Argument::TensorMap(map) => {
            context.tensor_map(map, place(memory, map.tensor)?.0)?
        }
    })
}

/// Device code that this process has loaded, by the hash of its compilation.
pub struct CodeCache<R: Runtime>(HashMap<String, (Rc<R::Module>, Rc<Compiled>)>);

impl<R: Runtime> Default for CodeCache<R> {
    fn default() -> Self {
        CodeCache(HashMap::new())
    }
}

impl<R: Runtime> CodeCache<R> {
    fn kernel(
        &mut self,
        context: &R,
        info: &Info,
        launch: &Launch,
    ) -> Result<(R::Kernel, CodeReport), Fault> {
        let key = format!("{}{:?}", launch.source.path, launch.constants);
        if !self.0.contains_key(&key) {
            let compiled = context.compile(launch.source, &launch.constants, info)?;
            let module = context.load(&compiled.image)?;
            self.0.insert(key.clone(), (module, Rc::new(compiled)));
        }
        let (module, compiled) = &self.0[&key];
        let kernel = context.kernel(module, launch.entry)?;
        let extent = Extent::from(launch);
        kernel.allow(&extent)?;
        let made = compiled.kernels.iter().find(|kernel| kernel.name == launch.entry);
        let report = CodeReport {
            kernel: launch.entry.to_owned(),
            hash: compiled.hash.clone(),
            constants: launch::constants_text(&launch.constants),
            registers: kernel.registers(),
            spilled_bytes: made.map_or(kernel.local_bytes(), |kernel| kernel.spilled_bytes),
            shared_bytes: kernel.static_shared_bytes() + launch.dynamic_shared_bytes,
            blocks_per_unit: kernel.blocks_per_unit(&extent),
        };
        Ok((kernel, report))
    }
}
