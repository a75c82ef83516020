//! Host memory for the devices that compute on the host: aligned buffers by number.
//!
//! Tensors of one case are views into these buffers; which ranges may overlap is checked here,
//! so that the functions that compute see ordinary slices.
#![allow(unsafe_code, reason = "aligned allocation, and disjoint views of several buffers at once")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ptr::NonNull;
use tilemark_core::device::Slice;
use tilemark_core::{Buffer, Bytes, Fault};

/// Start of every buffer: a page, so that a tensor's place does not depend on the allocator.
const ALIGNMENT: usize = 4096;

/// Buffers of a host device.
#[derive(Default)]
pub struct Memory {
    blocks: HashMap<u64, Block>,
    next: u64,
}

struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a block owns its bytes and gives them out only through borrows of itself.
unsafe impl Send for Block {}

impl Memory {
    /// A buffer of zeros, if that much is available.
    pub fn allocate(&mut self, bytes: Bytes, available: Bytes) -> Result<Buffer, Fault> {
        let refused = || Fault::OutOfMemory { requested: bytes, available };
        if bytes > available {
            return Err(refused());
        }
        let size = usize::try_from(bytes.0.max(1)).map_err(|_| refused())?;
        let layout = Layout::from_size_align(size, ALIGNMENT).map_err(|_| refused())?;
        // SAFETY: the layout's size is at least one byte.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(refused)?;
        let id = self.next;
        self.next += 1;
        self.blocks.insert(id, Block { start, layout });
        Ok(Buffer { id, bytes })
    }

    /// Gives a buffer back.
    pub fn release(&mut self, buffer: Buffer) {
        self.blocks.remove(&buffer.id);
    }

    /// All bytes of a buffer.
    pub fn bytes_mut(&mut self, buffer: Buffer) -> Result<&mut [u8], Fault> {
        match self.blocks.get_mut(&buffer.id) {
            Some(block) => Ok(block.bytes_mut()),
            None => Err(gone(buffer)),
        }
    }

    /// Evicts every cache line of these tensors from every cache; false where this processor has
    /// no instruction for that.
    pub fn evict(&self, tensors: &[Slice]) -> bool {
        for slice in tensors {
            let Some(block) = self.blocks.get(&slice.buffer.id) else { continue };
            let end = (slice.offset.0 + slice.bytes.0).min(block.layout.size() as u64);
            // SAFETY: the range lies inside the block, which lives as long as `self`.
            let line = |at: u64| unsafe { block.start.as_ptr().add(at as usize) };
            for at in (slice.offset.0..end).step_by(CACHE_LINE) {
                if !evict_line(line(at)) {
                    return false;
                }
            }
        }
        finish_evictions();
        true
    }

    /// Lets `work` see the inputs and outputs of a case, each in the family's order.
    ///
    /// Refuses views that leave their buffer, or of which a writable one overlaps another.
    pub fn with_views(
        &mut self,
        tensors: &[Slice],
        work: impl FnOnce(&[&[u8]], &mut [&mut [u8]]),
    ) -> Result<(), Fault> {
        check_disjoint(tensors)?;
        let mut inputs: Vec<&[u8]> = Vec::new();
        let mut outputs: Vec<&mut [u8]> = Vec::new();
        for slice in tensors {
            let block = self.blocks.get(&slice.buffer.id).ok_or_else(|| gone(slice.buffer))?;
            if slice.offset.0 + slice.bytes.0 > block.layout.size() as u64 {
                return Err(Fault::Infra { message: "a tensor leaves its buffer".to_owned() });
            }
            // SAFETY: the range lies inside the block, as checked above.
            let start = unsafe { block.start.as_ptr().add(slice.offset.0 as usize) };
            let len = slice.bytes.0 as usize;
            // SAFETY: the blocks live as long as `self` is borrowed, their bytes are initialised,
            // and `check_disjoint` made sure that no writable range overlaps any other.
            unsafe {
                if slice.writable {
                    outputs.push(std::slice::from_raw_parts_mut(start, len));
                } else {
                    inputs.push(std::slice::from_raw_parts(start, len));
                }
            }
        }
        work(&inputs, &mut outputs);
        Ok(())
    }
}

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

#[cfg(target_arch = "x86_64")]
fn evict_line(address: *const u8) -> bool {
    // SAFETY: the instruction is part of x86-64, and the address is inside a live allocation.
    unsafe { std::arch::x86_64::_mm_clflush(address) };
    true
}

#[cfg(target_arch = "x86_64")]
fn finish_evictions() {
    // SAFETY: the instruction is part of x86-64.
    unsafe { std::arch::x86_64::_mm_mfence() };
}

#[cfg(not(target_arch = "x86_64"))]
fn evict_line(_address: *const u8) -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn finish_evictions() {}

fn gone(buffer: Buffer) -> Fault {
    Fault::Infra { message: format!("buffer {} was released", buffer.id) }
}

fn check_disjoint(tensors: &[Slice]) -> Result<(), Fault> {
    for (idx, one) in tensors.iter().enumerate() {
        for other in &tensors[idx + 1..] {
            let apart = one.buffer.id != other.buffer.id
                || one.offset.0 + one.bytes.0 <= other.offset.0
                || other.offset.0 + other.bytes.0 <= one.offset.0;
            if !apart && (one.writable || other.writable) {
                return Err(Fault::Infra { message: "an output overlaps a tensor".to_owned() });
            }
        }
    }
    Ok(())
}

impl Block {
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block owns this many initialised bytes, and is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and nothing outlives the block.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Bytes = Bytes(1 << 20);

    fn slice(buffer: Buffer, offset: u64, bytes: u64, writable: bool) -> Slice {
        Slice { buffer, offset: Bytes(offset), bytes: Bytes(bytes), writable }
    }

    #[test]
    fn more_than_there_is_is_refused_not_aborted() {
        let mut memory = Memory::default();
        let fault = memory.allocate(Bytes(2 << 20), PLENTY).unwrap_err();
        assert_eq!(fault, Fault::OutOfMemory { requested: Bytes(2 << 20), available: PLENTY });
    }

    #[test]
    fn views_are_aligned_and_in_order() {
        let mut memory = Memory::default();
        let one = memory.allocate(Bytes(512), PLENTY).unwrap();
        let two = memory.allocate(Bytes(512), PLENTY).unwrap();
        memory.bytes_mut(one).unwrap()[256] = 7;
        let tensors = [slice(one, 256, 4, false), slice(two, 0, 4, true)];
        memory
            .with_views(&tensors, |inputs, outputs| {
                assert_eq!(inputs[0].as_ptr() as usize % 64, 0);
                outputs[0].copy_from_slice(inputs[0]);
            })
            .unwrap();
        assert_eq!(memory.bytes_mut(two).unwrap()[..4], [7, 0, 0, 0]);
    }

    #[test]
    fn an_output_may_not_overlap_anything() {
        let mut memory = Memory::default();
        let one = memory.allocate(Bytes(64), PLENTY).unwrap();
        let overlapping = [slice(one, 0, 8, false), slice(one, 4, 8, true)];
        assert!(memory.with_views(&overlapping, |_, _| ()).is_err());
        let outside = [slice(one, 60, 8, true)];
        assert!(memory.with_views(&outside, |_, _| ()).is_err());
    }
}
