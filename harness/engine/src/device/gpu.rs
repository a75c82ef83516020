//! What the GPUs of all vendors share: buffers, prepared work, the choice among a library's
//! candidates, and the order of things. What differs stands behind [`Runtime`].

pub mod processes;
pub mod runtime;

mod timing;
mod work;

use runtime::{Memory as _, Runtime};
use std::collections::HashMap;
use std::rc::Rc;
use tilemark_core::device::{Batch, Prepared, Program, Sample, Telemetry};
use tilemark_core::family::{Body, Candidate, Site};
use tilemark_core::record::{Ceilings, CodeReport};
use tilemark_core::{Buffer, Bytes, Device, Fault, Info};
use timing::{Instruments, Request};
use work::{CodeCache, Scratch, Work};

/// Launches of each of a library's candidates, of which the quickest counts.
const TRIALS: usize = 3;

/// One GPU.
pub struct Gpu<R: Runtime> {
    info: Info,
    telemetry: Box<dyn Fn() -> Telemetry>,
    /// None where times would mean nothing.
    instruments: Option<Instruments<R>>,
    code: CodeCache<R>,
    /// What the last plan used, for its next set.
    scratch: Rc<Scratch<R>>,
    /// The candidate that won, by case.
    choices: HashMap<String, String>,
    prepared: HashMap<u32, Work<R>>,
    buffers: HashMap<u64, R::Memory>,
    next: u64,
    /// Last, so that it outlives everything that lives in it.
    context: R,
}

impl<R: Runtime> Gpu<R> {
    /// A device that is open.
    pub fn new(
        context: R,
        info: Info,
        telemetry: Box<dyn Fn() -> Telemetry>,
    ) -> Result<Self, Fault> {
        let timed = info.keeps_time().then(|| Instruments::new(&context, &info));
        Ok(Gpu {
            info,
            telemetry,
            instruments: timed.transpose()?,
            code: CodeCache::default(),
            scratch: Rc::default(),
            choices: HashMap::new(),
            prepared: HashMap::new(),
            buffers: HashMap::new(),
            next: 0,
            context,
        })
    }

    fn sample(&mut self, works: &mut [Work<R>], request: &Request) -> Result<Vec<Sample>, Fault> {
        match &mut self.instruments {
            Some(instruments) => instruments.time(&self.context, works, request),
            None => {
                let reason = format!("{} is interpreted and keeps no time", self.info.name);
                Err(Fault::Unsupported { reason })
            }
        }
    }

    fn memory(&self, buffer: Buffer) -> Result<&R::Memory, Fault> {
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
    fn choose(&mut self, case: &str, candidates: Vec<Candidate>) -> Result<Work<R>, Fault> {
        let mut works: Vec<(String, Work<R>)> = candidates
            .into_iter()
            .map(|candidate| (candidate.name.clone(), Work::from_candidate(candidate)))
            .collect();
        if let Some(known) = self.choices.get(case)
            && let Some(at) = works.iter().position(|(name, _)| name == known)
        {
            return Ok(works.swap_remove(at).1);
        }
        let mut best: Option<(f64, String, Work<R>)> = None;
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
    fn trial(&mut self, work: Work<R>) -> Result<(f64, Work<R>), Fault> {
        let mut works = [work];
        let request = |samples| Request { cold: true, graph: false, samples, launches: 1 };
        self.sample(&mut works, &request(1))?;
        let samples = self.sample(&mut works, &request(TRIALS))?;
        let mut seconds: Vec<f64> = samples.iter().map(|sample| sample.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let [work] = works;
        Ok((seconds[TRIALS / 2], work))
    }
}

fn missing(what: &str, id: u64) -> Fault {
    Fault::Infra { message: format!("there is no {what} {id} on this device") }
}

impl<R: Runtime> Device for Gpu<R> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault> {
        let memory = self.context.reserve(bytes)?;
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
                let Gpu { context, code, info, .. } = self;
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

    fn choice(&self, work: Prepared) -> Option<String> {
        self.prepared.get(&work.0)?.choice().map(str::to_owned)
    }

    fn run(&mut self, work: Prepared) -> Result<(), Fault> {
        let Gpu { prepared, context, .. } = self;
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
        let samples = self.sample(&mut works, &request);
        self.prepared.extend(batch.sets.iter().map(|set| set.0).zip(works));
        samples
    }

    fn telemetry(&mut self) -> Telemetry {
        (self.telemetry)()
    }

    fn ceilings(&mut self) -> Result<Option<Ceilings>, Fault> {
        self.context.ceilings(&self.info)
    }
}
