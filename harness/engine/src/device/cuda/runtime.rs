//! CUDA's driver as a [`Runtime`].

use super::driver::{Context, Event, Flag, Graph, Kernel, Memory, Module};
use super::{ceilings, tensor_map};
use crate::compile::{Compiled, compile};
use crate::device::gpu::runtime::{Argument, Extent, Runtime};
use std::rc::Rc;
use tilemark_core::launch::{Constant, Source, TensorMap};
use tilemark_core::record::Ceilings;
use tilemark_core::{Bytes, Fault, Info};

/// The harness's own device code.
pub static INSTRUMENTS: Source = Source {
    path: "harness/engine/src/device/cuda/instruments.cu",
    text: include_str!("instruments.cu"),
    headers: &[],
};

impl Runtime for Context {
    type Memory = Memory;
    type Module = Module;
    type Kernel = Kernel;
    type Event = Event;
    type Graph = Graph;
    type Gate = Flag;

    const INSTRUMENTS: &'static Source = &INSTRUMENTS;

    fn compile(
        &self,
        source: &'static Source,
        constants: &[(&'static str, Constant)],
        info: &Info,
    ) -> Result<Compiled, Fault> {
        compile(source, constants, &info.arch)
    }

    fn stream_handle(&self) -> u64 {
        self.stream_handle()
    }

    fn synchronize(&self) -> Result<(), Fault> {
        self.synchronize()
    }

    fn reserve(&self, bytes: Bytes) -> Result<Memory, Fault> {
        Memory::new(self, bytes)
    }

    fn load(&self, image: &[u8]) -> Result<Rc<Module>, Fault> {
        Module::load(self, image)
    }

    fn kernel(&self, module: &Rc<Module>, name: &str) -> Result<Kernel, Fault> {
        Kernel::new(module, name)
    }

    fn event(&self) -> Result<Event, Fault> {
        Event::new()
    }

    fn gate(&self) -> Result<Flag, Fault> {
        Flag::new(self)
    }

    fn tensor_map(&self, map: &TensorMap, address: u64) -> Result<Argument, Fault> {
        tensor_map::encode(map, address)
    }

    fn launch(
        &self,
        kernel: &Kernel,
        extent: &Extent,
        arguments: &[Argument],
    ) -> Result<(), Fault> {
        self.launch(kernel, extent, arguments)
    }

    fn fill(&self, address: u64, bytes: Bytes, byte: u8) -> Result<(), Fault> {
        self.fill(address, bytes, byte)
    }

    fn record(&self, event: &Event) -> Result<(), Fault> {
        self.record(event)
    }

    fn hold(&self, gate: &mut Flag) -> Result<(), Fault> {
        gate.hold(self)
    }

    fn capture(&self, enqueue: impl FnOnce() -> Result<(), Fault>) -> Result<Graph, Fault> {
        self.capture(enqueue)
    }

    fn replay(&self, graph: &Graph) -> Result<(), Fault> {
        self.replay(graph)
    }

    fn reset_caches(&self) -> Result<(), Fault> {
        self.reset_persisting_lines()
    }

    fn ceilings(&self, info: &Info) -> Result<Option<Ceilings>, Fault> {
        ceilings::known(self, info).map(Some)
    }
}
