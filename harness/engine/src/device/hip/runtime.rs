//! HIP as a [`Runtime`].

use super::driver::{Context, Event, Graph, HostGate, Kernel, Memory, Module};
use crate::compile::{Compiled, Target, compile_for};
use crate::device::gpu::runtime::{Argument, Extent, Runtime};
use std::rc::Rc;
use tilemark_core::launch::{Constant, Source, TensorMap};
use tilemark_core::record::Ceilings;
use tilemark_core::{Bytes, Fault, Info};

/// The harness's own device code.
static INSTRUMENTS: Source = Source {
    path: "harness/engine/src/device/hip/instruments.hip",
    text: include_str!("instruments.hip"),
    headers: &[],
};

impl Runtime for Context {
    type Memory = Memory;
    type Module = Module;
    type Kernel = Kernel;
    type Event = Event;
    type Graph = Graph;
    type Gate = HostGate;

    const INSTRUMENTS: &'static Source = &INSTRUMENTS;

    fn compile(
        &self,
        source: &'static Source,
        constants: &[(&'static str, Constant)],
        info: &Info,
    ) -> Result<Compiled, Fault> {
        let target = match self.interpreted {
            true => Target::assembly(&info.arch),
            false => Target::code(&info.arch)?,
        };
        compile_for(source, constants, &target)
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

    fn gate(&self) -> Result<HostGate, Fault> {
        Ok(HostGate::new())
    }

    fn tensor_map(&self, _map: &TensorMap, _address: u64) -> Result<Argument, Fault> {
        Err(Fault::Unsupported { reason: "AMD has no tensor maps".to_owned() })
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

    fn hold(&self, gate: &mut HostGate) -> Result<(), Fault> {
        gate.hold(self)
    }

    fn capture(&self, enqueue: impl FnOnce() -> Result<(), Fault>) -> Result<Graph, Fault> {
        self.capture(enqueue)
    }

    fn replay(&self, graph: &Graph) -> Result<(), Fault> {
        self.replay(graph)
    }

    /// AMD keeps no lines on request.
    fn reset_caches(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// None are measured: no board was at hand to write and check the loops on.
    fn ceilings(&self, _info: &Info) -> Result<Option<Ceilings>, Fault> {
        Ok(None)
    }
}
