//! Loaded code, and what is put on a stream.

use super::{Context, OrFault, c_string, describe};
use crate::device::gpu::runtime::{self, Argument, Extent};
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUfunction_attribute};
use std::ffi::{c_int, c_uint, c_void};
use std::rc::Rc;
use tilemark_core::Fault;

/// A compiled image in a device's memory.
pub struct Module(sys::CUmodule);

impl Module {
    /// Loads an image that a compiler made for this device.
    pub fn load(_context: &Context, image: &[u8]) -> Result<Rc<Self>, Fault> {
        // SAFETY: the image is a whole one, from the compiler or from the cache that checks it.
        let module = unsafe { result::module::load_data(image.as_ptr().cast()) };
        module.map(|handle| Rc::new(Module(handle))).or_fault("load device code")
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: unloaded once, after every kernel of it is gone.
        let _ = unsafe { result::module::unload(self.0) };
    }
}

/// A kernel of a loaded image.
#[derive(Clone)]
pub struct Kernel {
    function: sys::CUfunction,
    /// Keeps the code loaded.
    _module: Rc<Module>,
}

/// Shared memory, static and dynamic, that a block may have without asking for it first.
const UNASKED_SHARED_BYTES: u32 = 48 << 10;

/// Blocks of a cluster that every device with clusters takes.
const PORTABLE_CLUSTER: u32 = 8;

impl Kernel {
    /// The kernel of that name.
    pub fn new(module: &Rc<Module>, name: &str) -> Result<Self, Fault> {
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(module.0, c_string(name)?) };
        let function = function.or_fault(&format!("find the kernel `{name}`"))?;
        Ok(Kernel { function, _module: module.clone() })
    }

    fn set(&self, what: CUfunction_attribute, value: u32, operation: &str) -> Result<(), Fault> {
        // SAFETY: the function belongs to a loaded module.
        unsafe { result::function::set_function_attribute(self.function, what, value as c_int) }
            .or_fault(&format!("{operation} ({value})"))
    }

    fn get(&self, what: CUfunction_attribute) -> u32 {
        // SAFETY: the function belongs to a loaded module.
        let value = unsafe { result::function::get_function_attribute(self.function, what) };
        value.map_or(0, c_int::unsigned_abs)
    }
}

impl runtime::Kernel for Kernel {
    fn allow(&self, extent: &Extent) -> Result<(), Fault> {
        let shared_bytes = self.static_shared_bytes().saturating_add(extent.dynamic_shared_bytes);
        if shared_bytes > UNASKED_SHARED_BYTES {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            self.set(attribute, extent.dynamic_shared_bytes, "allow so much shared memory")?;
        }
        if extent.cluster.iter().product::<u32>() > PORTABLE_CLUSTER {
            let attribute =
                CUfunction_attribute::CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED;
            self.set(attribute, 1, "allow so large a cluster")?;
        }
        Ok(())
    }

    fn registers(&self) -> u32 {
        self.get(CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)
    }

    fn local_bytes(&self) -> u32 {
        self.get(CUfunction_attribute::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
    }

    fn static_shared_bytes(&self) -> u32 {
        self.get(CUfunction_attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
    }

    fn blocks_per_unit(&self, extent: &Extent) -> Option<u32> {
        let threads = extent.block.iter().product::<u32>() as c_int;
        let shared = extent.dynamic_shared_bytes as usize;
        // SAFETY: the function belongs to a loaded module.
        let blocks = unsafe {
            result::occupancy::max_active_block_per_multiprocessor(self.function, threads, shared)
        };
        blocks.ok().map(c_int::unsigned_abs)
    }
}

impl Context {
    /// Enqueues a kernel.
    pub fn launch(
        &self,
        kernel: &Kernel,
        extent: &Extent,
        arguments: &[Argument],
    ) -> Result<(), Fault> {
        let mut pointers: Vec<*mut c_void> =
            arguments.iter().map(|argument| argument.as_ptr() as *mut c_void).collect();
        let mut attributes = attributes(extent);
        let [grid_x, grid_y, grid_z] = extent.grid;
        let [block_x, block_y, block_z] = extent.block;
        let config = sys::CUlaunchConfig {
            gridDimX: grid_x,
            gridDimY: grid_y,
            gridDimZ: grid_z,
            blockDimX: block_x,
            blockDimY: block_y,
            blockDimZ: block_z,
            sharedMemBytes: extent.dynamic_shared_bytes,
            hStream: self.stream,
            attrs: attributes.as_mut_ptr(),
            numAttrs: attributes.len() as c_uint,
        };
        let none = std::ptr::null_mut();
        // SAFETY: the driver copies the arguments before it returns; their number and sizes are the
        // kernel's, as the family that wrote both says, and its tests check.
        unsafe { sys::cuLaunchKernelEx(&config, kernel.function, pointers.as_mut_ptr(), none) }
            .result()
            // Whatever the driver dislikes of a launch, the implementation asked for it.
            .map_err(|error| Fault::Crash {
                message: format!(
                    "could not launch a grid of {:?} blocks of {:?} with {} bytes of dynamic \
                     shared memory in clusters of {:?}: {}",
                    extent.grid,
                    extent.block,
                    extent.dynamic_shared_bytes,
                    extent.cluster,
                    describe(error)
                ),
            })
    }

    /// Records what `enqueue` puts on the stream, instead of doing it.
    pub fn capture(&self, enqueue: impl FnOnce() -> Result<(), Fault>) -> Result<Graph, Fault> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::begin_capture(self.stream, mode) }.or_fault("start a capture")?;
        let enqueued = enqueue();
        // SAFETY: the capture was started above, and ends whatever happened in between.
        let graph = unsafe { result::stream::end_capture(self.stream) }.or_fault("end a capture");
        enqueued?;
        let graph = graph?;
        // SAFETY: the graph is whole, and no longer needed once there is an executable of it.
        let executable = unsafe {
            let made = result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0));
            let _ = result::graph::destroy(graph);
            made
        };
        executable.map(Graph).or_fault("make a graph executable")
    }

    /// Enqueues a captured graph.
    pub fn replay(&self, graph: &Graph) -> Result<(), Fault> {
        // SAFETY: both handles are alive.
        unsafe { result::graph::launch(graph.0, self.stream) }.or_fault("launch a graph")
    }
}

/// Work that was captured once and can be launched as a whole.
pub struct Graph(sys::CUgraphExec);

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: destroyed once.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}

fn attributes(extent: &Extent) -> Vec<sys::CUlaunchAttribute> {
    // SAFETY: all zeros is a valid value of this plain C union and of its padding.
    let zeros = || unsafe { std::mem::zeroed::<sys::CUlaunchAttribute>() };
    let mut attributes = Vec::new();
    if extent.cluster != [1; 3] {
        let mut attribute = zeros();
        attribute.id = sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
        [
            attribute.value.clusterDim.x,
            attribute.value.clusterDim.y,
            attribute.value.clusterDim.z,
        ] = extent.cluster;
        attributes.push(attribute);
    }
    if extent.early {
        let mut attribute = zeros();
        attribute.id =
            sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        attribute.value.programmaticStreamSerializationAllowed = 1;
        attributes.push(attribute);
    }
    attributes
}
