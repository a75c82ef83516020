//! The CPU with sets of tensors that take turns, as a GPU has them.

use tilemark_core::device::{Batch, Prepared, Program, Sample, Telemetry, Vendor};
use tilemark_core::{Buffer, Bytes, Device, Fault, Info};

/// Everything is the CPU's but what it says it is.
pub struct Rotating {
    cpu: Box<dyn Device>,
    info: Info,
}

impl Rotating {
    /// With so many sets as there are at most.
    pub fn new(cpu: Box<dyn Device>) -> Self {
        let info = Info { vendor: Vendor::Nvidia, ..cpu.info().clone() };
        Rotating { cpu, info }
    }
}

impl Device for Rotating {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allocate(&mut self, bytes: Bytes) -> Result<Buffer, Fault> {
        self.cpu.allocate(bytes)
    }

    fn release(&mut self, buffer: Buffer) {
        self.cpu.release(buffer);
    }

    fn upload(&mut self, buffer: Buffer, offset: Bytes, data: &[u8]) -> Result<(), Fault> {
        self.cpu.upload(buffer, offset, data)
    }

    fn download(&mut self, buffer: Buffer, offset: Bytes, data: &mut [u8]) -> Result<(), Fault> {
        self.cpu.download(buffer, offset, data)
    }

    fn fill(&mut self, buffer: Buffer, byte: u8) -> Result<(), Fault> {
        self.cpu.fill(buffer, byte)
    }

    fn prepare(&mut self, program: &Program<'_>) -> Result<Prepared, Fault> {
        self.cpu.prepare(program)
    }

    fn run(&mut self, work: Prepared) -> Result<(), Fault> {
        self.cpu.run(work)
    }

    fn time(&mut self, batch: &Batch<'_>) -> Result<Vec<Sample>, Fault> {
        self.cpu.time(batch)
    }

    fn telemetry(&mut self) -> Telemetry {
        self.cpu.telemetry()
    }
}
