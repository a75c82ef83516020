//! NVIDIA's GPUs through CUDA's driver, which is loaded when it is there.

use super::{Listing, Opened};
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use driver::{Context, Memory, Ordinal};
use std::collections::HashMap;
use std::rc::Rc;
use telemetry::Monitor;
use tilemark_core::device::{Batch, Prepared, Program, Sample, Telemetry, Vendor};
use tilemark_core::family::{Body, Candidate, Site};
use tilemark_core::record::{Ceilings, CodeReport};
use tilemark_core::{Buffer, Bytes, Device, Fault, Info};
use timing::{Instruments, Request};
use work::{CodeCache, Scratch, Work};

mod ceilings;
mod driver;
mod telemetry;
mod tensor_map;
mod timing;
mod work;

/// Launches of each of a library's candidates, of which the quickest counts.
const TRIALS: usize = 3;

/// One GPU.
pub struct Cuda {
    info: Info,
    monitor: Option<Monitor>,
    instruments: Instruments,
    code: CodeCache,
    /// What the last plan used, for its next set.
    scratch: Rc<Scratch>,
    /// The candidate that won, by case.
    choices: HashMap<String, String>,
    prepared: HashMap<u32, Work>,
    buffers: HashMap<u64, Memory>,
    next: u64,
    /// Last, so that it outlives everything that lives in it.
    context: Context,
}

pub(super) fn list() -> Vec<Listing> {
    let absent = |why: String| {
        let note = "NVIDIA GPUs by CUDA".to_owned();
        vec![Listing { name: "cuda".to_owned(), found: Err(why), default: true, note }]
    };
    match driver::start().and_then(|()| driver::count()) {
        Err(why) => absent(why),
        Ok(0) => absent("the driver is there and knows no device".to_owned()),
        Ok(count) => (0..count).map(listing).collect(),
    }
}

fn listing(number: u32) -> Listing {
    let found = Ordinal::new(number).map(|ordinal| describe(number, ordinal));
    let telemetry = match found.as_ref().ok().and_then(|info| info.uuid.as_deref()) {
        Some(uuid) => Monitor::new(uuid).err(),
        None => Some("without a UUID there is no telemetry".to_owned()),
    };
    let note = telemetry.unwrap_or_else(|| "telemetry by NVML".to_owned());
    Listing { name: format!("cuda:{number}"), found, default: true, note }
}

pub(super) fn open(name: &str, _script: Option<&str>) -> Option<Opened> {
    let number = match name {
        "cuda" => 0,
        _ => name.strip_prefix("cuda:")?.parse().ok()?,
    };
    Some(Cuda::open(number).map(|device| Box::new(device) as Box<dyn Device>))
}

fn describe(number: u32, ordinal: Ordinal) -> Info {
    let ask = |attribute| ordinal.attribute(attribute);
    let major = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    let minor = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    let shared = ask(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    Info {
        name: format!("cuda:{number}"),
        vendor: Vendor::Nvidia,
        model: ordinal.name(),
        arch: arch(major, minor),
        uuid: ordinal.uuid(),
        memory: ordinal.memory(),
        last_level_cache: Bytes(ask(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).into()),
        units: ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        driver: None,
        runtime: driver::version(),
        traits: vec![("shared_memory_per_block".to_owned(), Bytes(shared.into()).to_string())],
    }
}

/// The compiler's target. From Hopper on, the instructions that make a chip fast belong to its own
/// architecture alone, which the letter says.
fn arch(major: u32, minor: u32) -> String {
    let letter = if major >= 9 { "a" } else { "" };
    format!("sm_{major}{minor}{letter}")
}

impl Cuda {
    fn open(number: u32) -> Result<Self, String> {
        driver::start()?;
        let ordinal = Ordinal::new(number)?;
        let mut info = describe(number, ordinal);
        let monitor = info.uuid.as_deref().and_then(|uuid| Monitor::new(uuid).ok());
        if let Some(monitor) = &monitor {
            info.driver = monitor.driver();
            info.traits.extend(monitor.traits());
        }
        let context = Context::new(ordinal).map_err(|fault| fault.to_string())?;
        let instruments = Instruments::new(&context, &info).map_err(|fault| fault.to_string())?;
        Ok(Cuda {
            info,
            monitor,
            instruments,
            code: CodeCache::default(),
            scratch: Rc::default(),
            choices: HashMap::new(),
            prepared: HashMap::new(),
            buffers: HashMap::new(),
            next: 0,
            context,
        })
    }

    fn memory(&self, buffer: Buffer) -> Result<&Memory, Fault> {
        self.buffers.get(&buffer.id).ok_or_else(|| missing("buffer", buffer.id))
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn places(&self, program: &Program<'_>) -> Result<Vec<(u64, Bytes)>, Fault> {
        let place = |slice: &tilemark_core::device::Slice| {
            Ok((self.memory(slice.buffer)?.address() + slice.offset.0, slice.bytes))
        };
        program.tensors.iter().map(place).collect()
    }

    /// Of what a library offers, the candidate that is quickest for this case.
    fn choose(&mut self, case: &str, candidates: Vec<Candidate>) -> Result<Work, Fault> {
        let mut works: Vec<(String, Work)> = candidates
            .into_iter()
            .map(|candidate| (candidate.name.clone(), Work::from_candidate(candidate)))
            .collect();
        if let Some(known) = self.choices.get(case)
            && let Some(at) = works.iter().position(|(name, _)| name == known)
        {
            return Ok(works.swap_remove(at).1);
        }
        let mut best: Option<(f64, String, Work)> = None;
        let mut refused = None;
        for (name, work) in works {
            match self.trial(work) {
                Ok((seconds, work)) if best.as_ref().is_none_or(|(least, ..)| seconds < *least) => {
                    best = Some((seconds, name, work));
                }
                Ok(_) => {}
                Err(fault @ Fault::Crash { .. }) => return Err(fault),
                Err(fault) => refused = Some(fault),
            }
        }
        match (best, refused) {
            (Some((_, name, work)), _) => {
                self.choices.insert(case.to_owned(), name);
                Ok(work)
            }
            (None, Some(fault)) => Err(fault),
            (None, None) => {
                Err(Fault::Unsupported { reason: "the library offers nothing".to_owned() })
            }
        }
    }

    /// The median time of a few cold launches after one that is not counted.
    fn trial(&mut self, work: Work) -> Result<(f64, Work), Fault> {
        let mut works = [work];
        let request = |samples| Request { cold: true, graph: false, samples, launches: 1 };
        self.instruments.time(&self.context, &mut works, &request(1))?;
        let samples = self.instruments.time(&self.context, &mut works, &request(TRIALS))?;
        let mut seconds: Vec<f64> = samples.iter().map(|sample| sample.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let [work] = works;
        Ok((seconds[TRIALS / 2], work))
    }
}

fn missing(what: &str, id: u64) -> Fault {
    Fault::Infra { message: format!("there is no {what} {id} on this device") }
}

impl Device for Cuda {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault> {
        let memory = Memory::new(&self.context, bytes)?;
        let id = self.number();
        self.buffers.insert(id, memory);
        Ok(Buffer { id, bytes })
    }

    fn release(&mut self, buffer: Buffer) {
        self.prepared.retain(|_, work| !work.buffers.contains(&buffer.id));
        self.buffers.remove(&buffer.id);
        if self.prepared.is_empty() {
            self.scratch = Rc::default();
        }
    }

    fn upload(&mut self, buffer: Buffer, offset: Bytes, data: &[u8]) -> Result<(), Fault> {
        self.memory(buffer)?.upload(offset, data)
    }

    fn download(&mut self, buffer: Buffer, offset: Bytes, data: &mut [u8]) -> Result<(), Fault> {
        self.memory(buffer)?.download(offset, data)
    }

    fn fill(&mut self, buffer: Buffer, byte: u8) -> Result<(), Fault> {
        self.memory(buffer)?.fill(byte)
    }

    fn prepare(&mut self, program: &Program<'_>) -> Result<Prepared, Fault> {
        let places = self.places(program)?;
        let mut work = match program.body {
            Body::Host(_) => {
                let reason = "a function of the host does not run on a GPU".to_owned();
                return Err(Fault::Unsupported { reason });
            }
            Body::Plan(plan) => {
                if !self.scratch.serves(&plan.scratch) {
                    self.scratch = Rc::new(Scratch::new(&self.context, &plan.scratch)?);
                }
                let scratch = self.scratch.clone();
                let Cuda { context, code, info, .. } = self;
                Work::from_plan(context, code, info, plan, &places, scratch)?
            }
            Body::Library(candidates) => {
                let addresses: Vec<u64> = places.iter().map(|(address, _)| *address).collect();
                let site = Site {
                    problem: program.problem,
                    info: &self.info,
                    stream: self.context.stream_handle(),
                    addresses: &addresses,
                };
                let candidates = candidates(&site)?;
                let case = format!("{}/{}", program.implementation, program.problem.id());
                self.choose(&case, candidates)?
            }
        };
        work.buffers = program.tensors.iter().map(|slice| slice.buffer.id).collect();
        let id = self.number() as u32;
        self.prepared.insert(id, work);
        Ok(Prepared(id))
    }

    fn code(&self, work: Prepared) -> Vec<CodeReport> {
        self.prepared.get(&work.0).map(|work| work.code.clone()).unwrap_or_default()
    }

    fn run(&mut self, work: Prepared) -> Result<(), Fault> {
        let Cuda { prepared, context, .. } = self;
        let work = prepared.get_mut(&work.0).ok_or_else(|| missing("work", work.0.into()))?;
        work.enqueue(context)?;
        work.publish()?;
        context.synchronize()
    }

    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault> {
        let mut works = Vec::with_capacity(batch.sets.len());
        for set in batch.sets {
            works.push(self.prepared.remove(&set.0).ok_or_else(|| missing("work", set.0.into()))?);
        }
        let request = Request {
            cold: batch.cold,
            graph: batch.graph,
            samples: batch.samples as usize,
            launches: batch.launches,
        };
        let samples = self.instruments.time(&self.context, &mut works, &request);
        self.prepared.extend(batch.sets.iter().map(|set| set.0).zip(works));
        samples
    }

    fn telemetry(&mut self) -> Telemetry {
        self.monitor.as_ref().map(Monitor::read).unwrap_or_default()
    }

    fn ceilings(&mut self) -> Result<Option<Ceilings>, Fault> {
        ceilings::known(&self.context, &self.info).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_named_as_its_compiler_names_it() {
        assert_eq!(arch(8, 9), "sm_89");
        assert_eq!(arch(9, 0), "sm_90a");
        assert_eq!(arch(10, 0), "sm_100a");
    }

    #[test]
    fn other_names_are_not_ours() {
        assert!(open("cpu", None).is_none());
        assert!(open("cuda:x", None).is_none());
    }
}
