//! What the runtimes of all vendors have in common: a context with one stream, on which kernels,
//! fills and events are put. Each vendor's driver module implements it over its own library.

use crate::compile::Compiled;
use std::rc::Rc;
use tilemark_core::launch::{Constant, Launch, Source, TensorMap};
use tilemark_core::record::Ceilings;
use tilemark_core::{Bytes, Fault, Info};

/// An open device with its stream.
pub trait Runtime: Sized {
    /// Memory of the device, freed when dropped.
    type Memory: Memory;
    /// Loaded code.
    type Module;
    /// A kernel of loaded code, which it keeps loaded.
    type Kernel: Kernel;
    /// A moment on the stream.
    type Event: Event;
    /// Work that was captured once.
    type Graph;
    /// What holds the stream back.
    type Gate: Gate;

    /// The harness's own device code: kernels `stamp` and `sweep`.
    const INSTRUMENTS: &'static Source;

    /// Compiles for this device.
    fn compile(
        &self,
        source: &'static Source,
        constants: &[(&'static str, Constant)],
        info: &Info,
    ) -> Result<Compiled, Fault>;

    /// The stream's handle as a number, for libraries that enqueue on it.
    fn stream_handle(&self) -> u64;
    /// Waits until the stream is done; a fault of a kernel shows here.
    fn synchronize(&self) -> Result<(), Fault>;
    /// Reserves memory.
    fn reserve(&self, bytes: Bytes) -> Result<Self::Memory, Fault>;
    /// Loads an image that a compiler made for this device.
    fn load(&self, image: &[u8]) -> Result<Rc<Self::Module>, Fault>;
    /// The kernel of that name.
    fn kernel(&self, module: &Rc<Self::Module>, name: &str) -> Result<Self::Kernel, Fault>;
    /// An event that records the time.
    fn event(&self) -> Result<Self::Event, Fault>;
    /// A gate that holds nothing yet.
    fn gate(&self) -> Result<Self::Gate, Fault>;
    /// Encodes a tensor map over the tensor at `address`, as a kernel takes it.
    fn tensor_map(&self, map: &TensorMap, address: u64) -> Result<Argument, Fault>;

    /// Enqueues a kernel.
    fn launch(
        &self,
        kernel: &Self::Kernel,
        extent: &Extent,
        arguments: &[Argument],
    ) -> Result<(), Fault>;
    /// Enqueues that every byte of a range is set.
    fn fill(&self, address: u64, bytes: Bytes, byte: u8) -> Result<(), Fault>;
    /// Marks a moment on the stream.
    fn record(&self, event: &Self::Event) -> Result<(), Fault>;
    /// The stream waits from here on until the gate is opened.
    fn hold(&self, gate: &mut Self::Gate) -> Result<(), Fault>;
    /// Records what `enqueue` puts on the stream, instead of doing it.
    fn capture(&self, enqueue: impl FnOnce() -> Result<(), Fault>) -> Result<Self::Graph, Fault>;
    /// Enqueues captured work.
    fn replay(&self, graph: &Self::Graph) -> Result<(), Fault>;
    /// Undoes what earlier work may have asked of the caches, before times are taken.
    fn reset_caches(&self) -> Result<(), Fault>;

    /// The best rates of this device, where they can be measured.
    fn ceilings(&self, info: &Info) -> Result<Option<Ceilings>, Fault>;
}

/// A region of a device's memory.
pub trait Memory {
    /// Its first byte's address on the device.
    fn address(&self) -> u64;
    /// Its size.
    fn bytes(&self) -> Bytes;
    /// Copies from the host.
    fn upload(&self, offset: Bytes, data: &[u8]) -> Result<(), Fault>;
    /// Copies to the host.
    fn download(&self, offset: Bytes, data: &mut [u8]) -> Result<(), Fault>;
    /// Sets every byte, before anything that is enqueued later.
    fn fill(&self, byte: u8) -> Result<(), Fault>;
}

/// A kernel, as its driver sees it.
pub trait Kernel {
    /// Asks the driver for what launches of this shape need beyond the default.
    fn allow(&self, extent: &Extent) -> Result<(), Fault>;
    /// Registers of a thread.
    fn registers(&self) -> u32;
    /// Bytes of a thread in local memory, where registers are spilled to.
    fn local_bytes(&self) -> u32;
    /// Shared memory of a block that the code itself declares.
    fn static_shared_bytes(&self) -> u32;
    /// Blocks of this shape that a multiprocessor holds at once.
    fn blocks_per_unit(&self, extent: &Extent) -> Option<u32>;
}

/// A moment on a stream.
pub trait Event {
    /// Seconds from `self` to `end`, both of which the stream has passed.
    fn seconds_to(&self, end: &Self) -> Result<f64, Fault>;
}

/// Something that holds a stream back until the host has enqueued behind it, so that what launches
/// cost the host is over before the first one runs.
pub trait Gate {
    /// Lets the stream go on.
    fn open(&self);
}

/// The shape of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Blocks of a cluster along x, y, z.
    pub cluster: [u32; 3],
    /// Dynamic shared memory of a block.
    pub dynamic_shared_bytes: u32,
    /// Whether it may start before the kernel before it has ended.
    pub early: bool,
}

impl Extent {
    /// Blocks of threads along x alone.
    pub fn flat(blocks: u32, threads: u32) -> Self {
        let (grid, block) = ([blocks, 1, 1], [threads, 1, 1]);
        Extent { grid, block, cluster: [1; 3], dynamic_shared_bytes: 0, early: false }
    }
}

impl From<&Launch> for Extent {
    fn from(launch: &Launch) -> Self {
        Extent {
            grid: launch.grid,
            block: launch.block,
            cluster: launch.cluster,
            dynamic_shared_bytes: launch.dynamic_shared_bytes,
            early: false,
        }
    }
}

/// The bytes of one argument, aligned as strictly as any parameter of a kernel is.
#[derive(Clone)]
pub struct Argument(Vec<Chunk>);

#[derive(Clone, Copy)]
#[repr(C, align(128))]
struct Chunk([u8; 128]);

impl Argument {
    /// An argument of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let chunk = |bytes: &[u8]| {
            let mut chunk = Chunk([0; 128]);
            chunk.0[..bytes.len()].copy_from_slice(bytes);
            chunk
        };
        Argument(bytes.chunks(128).map(chunk).collect())
    }

    /// Where the bytes stand.
    pub fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

/// What a driver says of a copy that leaves its memory.
pub fn checked(address: u64, size: Bytes, offset: Bytes, length: usize) -> Result<u64, Fault> {
    if offset.0.saturating_add(length as u64) > size.0 {
        let message = format!("{length} bytes at {} leave a buffer of {size}", offset.0);
        return Err(Fault::Infra { message });
    }
    Ok(address + offset.0)
}
