//! Loaded code, and what is put on a stream.

use super::{Context, OrFault, c_string, describe};
use crate::device::gpu::runtime::{self, Argument, Extent};
use rocmrc::hip::result;
use rocmrc::hip::sys::{self, hipFunction_attribute as Attribute};
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use tilemark_core::Fault;

/// A compiled image in a device's memory.
pub struct Module(sys::hipModule_t);

impl Module {
    /// Loads an image that a compiler made for this device.
    pub fn load(_context: &Context, image: &[u8]) -> Result<Rc<Self>, Fault> {
        // The interpreter reads text, up to the zero that ends it; a code object knows its length.
        let image = [image, &[0]].concat();
        // SAFETY: the image is a whole one, from the compiler or from the cache that checks it.
        let module = unsafe { result::module::load_data(&image) };
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
    function: sys::hipFunction_t,
    /// Keeps the code loaded.
    _module: Rc<Module>,
}

impl Kernel {
    /// The kernel of that name.
    pub fn new(module: &Rc<Module>, name: &str) -> Result<Self, Fault> {
        let function = result::module::get_function(module.0, &c_string(name)?)
            .or_fault(&format!("find the kernel `{name}`"))?;
        Ok(Kernel { function, _module: module.clone() })
    }

    fn get(&self, what: Attribute) -> u32 {
        let value = result::function::get_function_attribute(self.function, what);
        value.map_or(0, c_int::unsigned_abs)
    }
}

impl runtime::Kernel for Kernel {
    /// LDS needs no leave: a block may have all of it.
    fn allow(&self, _extent: &Extent) -> Result<(), Fault> {
        Ok(())
    }

    fn registers(&self) -> u32 {
        self.get(Attribute::HIP_FUNC_ATTRIBUTE_NUM_REGS)
    }

    fn local_bytes(&self) -> u32 {
        self.get(Attribute::HIP_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
    }

    fn static_shared_bytes(&self) -> u32 {
        self.get(Attribute::HIP_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
    }

    fn blocks_per_unit(&self, extent: &Extent) -> Option<u32> {
        let threads = extent.block.iter().product::<u32>() as c_int;
        let shared = extent.dynamic_shared_bytes as usize;
        let blocks =
            result::occupancy::max_active_blocks_per_multiprocessor(self.function, threads, shared);
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
        let refused = |why: &str| Fault::Crash {
            message: format!(
                "could not launch a grid of {:?} blocks of {:?} with {} bytes of dynamic LDS in \
                 clusters of {:?}: {why}",
                extent.grid, extent.block, extent.dynamic_shared_bytes, extent.cluster
            ),
        };
        if extent.cluster != [1; 3] {
            return Err(refused("AMD has no clusters"));
        }
        let mut pointers: Vec<*mut c_void> =
            arguments.iter().map(|argument| argument.as_ptr() as *mut c_void).collect();
        let (grid, block) = (extent.grid.into(), extent.block.into());
        let shared = extent.dynamic_shared_bytes;
        // SAFETY: the runtime copies the arguments before it returns; their number and sizes are
        // the kernel's, as the family that wrote both says, and its tests check.
        let launched = unsafe {
            let function = kernel.function;
            result::launch_kernel(function, grid, block, shared, self.stream, &mut pointers)
        };
        // Whatever the runtime dislikes of a launch, the implementation asked for it.
        launched.map_err(|error| refused(&describe(&error)))
    }

    /// Records what `enqueue` puts on the stream, instead of doing it.
    pub fn capture(&self, enqueue: impl FnOnce() -> Result<(), Fault>) -> Result<Graph, Fault> {
        let mode = sys::hipStreamCaptureMode::hipStreamCaptureModeRelaxed;
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::begin_capture(self.stream, mode) }.or_fault("start a capture")?;
        let enqueued = enqueue();
        // SAFETY: the capture was started above, and ends whatever happened in between.
        let graph = unsafe { result::stream::end_capture(self.stream) }.or_fault("end a capture");
        enqueued?;
        let graph = graph?;
        let mut executable = std::ptr::null_mut();
        // SAFETY: the graph is whole, and no longer needed once there is an executable of it.
        let made = unsafe {
            let made = sys::hipGraphInstantiateWithFlags(&mut executable, graph, 0).result();
            let _ = result::graph::destroy(graph);
            made
        };
        made.map(|()| Graph(executable)).or_fault("make a graph executable")
    }

    /// Enqueues a captured graph.
    pub fn replay(&self, graph: &Graph) -> Result<(), Fault> {
        // SAFETY: both handles are alive.
        unsafe { result::graph::launch(graph.0, self.stream) }.or_fault("launch a graph")
    }
}

/// Work that was captured once and can be launched as a whole.
pub struct Graph(sys::hipGraphExec_t);

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: destroyed once.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}
