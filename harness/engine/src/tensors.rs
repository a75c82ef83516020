//! Puts a problem's tensors on a device: inputs drawn and hashed, outputs poisoned, a guard zone
//! on either side of each.
//!
//! Every rotation set holds the same values in memory of its own, so that a timed launch does not
//! find its operands in a cache where the launch before left them.

use rayon::prelude::*;
use tilemark_core::device::Slice;
use tilemark_core::family::{Operand, Role};
use tilemark_core::method::Cache;
use tilemark_core::{Buffer, Bytes, Device, Fault, Info, Problem, Tensor};

/// Bytes before and after each tensor; also the alignment of a tensor's first byte.
const GUARD: u64 = 256;

/// What the guard zones hold.
const GUARD_BYTE: u8 = 0xa5;

/// All ones is NaN in every element type, so an output that was never written shows.
const POISON: u8 = 0xff;

/// How much is drawn and uploaded at once: a huge tensor is never held twice.
const CHUNK_BYTES: u64 = 4 << 20;

/// Elements that one thread draws at a time.
const CHUNK_ELEMENTS: usize = 4096;

/// Most rotation sets: more would cost time to fill and change nothing once caches are flushed.
const MOST_SETS: u64 = 8;

/// The tensors of a problem on a device.
#[derive(Debug)]
pub struct Placed {
    tensors: Vec<Tensor>,
    sets: Vec<Vec<Slice>>,
    hashes: Vec<Option<blake3::Hash>>,
}

/// How many sets of tensors the timed launches take in turn: enough to reach three times the
/// last-level cache where a set is smaller than that, within an eighth of the memory. A host evicts
/// exactly these tensors before a cold launch, so one set is enough there.
pub fn rotation_sets(tensors: &[Tensor], info: &Info, cache: Cache) -> u32 {
    if cache == Cache::Hot || info.vendor.runs_host_code() {
        return 1;
    }
    let one = footprint(tensors).0.max(1);
    let wanted = (3 * info.last_level_cache.0).div_ceil(one);
    let room = info.memory.0 / 8 / one;
    wanted.min(room).clamp(1, MOST_SETS) as u32
}

/// Memory that one set of tensors takes.
pub fn footprint(tensors: &[Tensor]) -> Bytes {
    let sizes = tensors.iter().map(|t| t.bytes().0.saturating_add(2 * GUARD));
    Bytes(sizes.fold(0, u64::saturating_add))
}

impl Placed {
    /// Allocates and fills `sets` sets of tensors; outputs and scratch are poisoned.
    pub fn new(
        device: &mut dyn Device,
        problem: &Problem,
        tensors: Vec<Tensor>,
        sets: u32,
    ) -> Result<Self, Fault> {
        let mut placed = Placed { hashes: vec![None; tensors.len()], tensors, sets: Vec::new() };
        if let Err(fault) = placed.fill(device, problem, sets) {
            placed.release(device);
            return Err(fault);
        }
        Ok(placed)
    }

    fn fill(&mut self, device: &mut dyn Device, problem: &Problem, sets: u32) -> Result<(), Fault> {
        for _ in 0..sets {
            self.sets.push(Vec::new());
            for tensor in &self.tensors {
                let buffer = device.allocate(Bytes(tensor.bytes().0.saturating_add(2 * GUARD)))?;
                let slice = slice(buffer, tensor);
                self.sets.last_mut().expect("one was just pushed").push(slice);
                guard(device, slice)?;
            }
        }
        for (idx, tensor) in self.tensors.iter().enumerate() {
            if matches!(tensor.role, Role::Input { .. }) {
                let operand = Operand::new(problem, idx, tensor, false);
                let places: Vec<Slice> = self.sets.iter().map(|set| set[idx]).collect();
                self.hashes[idx] = Some(upload(device, &operand, tensor, &places)?);
            }
        }
        self.poison_outputs(device)
    }

    /// The tensors, in the family's order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// How many sets there are.
    pub fn sets(&self) -> usize {
        self.sets.len()
    }

    /// The places of one set's tensors, in the family's order.
    pub fn slices(&self, set: usize) -> &[Slice] {
        &self.sets[set]
    }

    /// Fills everything that an implementation may write with NaN.
    pub fn poison_outputs(&self, device: &mut dyn Device) -> Result<(), Fault> {
        for slice in self.sets.iter().flatten().filter(|slice| slice.writable) {
            device.fill(slice.buffer, POISON)?;
            guard(device, *slice)?;
        }
        Ok(())
    }

    /// Whether every input of a set still has the bytes it was given.
    pub fn inputs_intact(&self, device: &mut dyn Device, set: usize) -> Result<bool, Fault> {
        for (slice, hash) in self.sets[set].iter().zip(&self.hashes) {
            let Some(hash) = hash else { continue };
            let mut hasher = blake3::Hasher::new();
            for_chunks(slice.bytes.0, |offset, bytes| {
                device.download(slice.buffer, Bytes(slice.offset.0 + offset), bytes)?;
                hasher.update_rayon(bytes);
                Ok(())
            })?;
            if hasher.finalize() != *hash {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nothing was written before or after any tensor.
    pub fn guards_intact(&self, device: &mut dyn Device) -> Result<bool, Fault> {
        let mut zone = [0; GUARD as usize];
        for slice in self.sets.iter().flatten() {
            for offset in [Bytes(0), Bytes(slice.offset.0 + slice.bytes.0)] {
                device.download(slice.buffer, offset, &mut zone)?;
                if zone.iter().any(|byte| *byte != GUARD_BYTE) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// All bytes of one tensor of one set.
    pub fn read(
        &self,
        device: &mut dyn Device,
        set: usize,
        tensor: usize,
    ) -> Result<Vec<u8>, Fault> {
        let slice = self.sets[set][tensor];
        let mut bytes = vec![0; slice.bytes.0 as usize];
        device.download(slice.buffer, slice.offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Gives all memory back.
    pub fn release(self, device: &mut dyn Device) {
        for slice in self.sets.iter().flatten() {
            device.release(slice.buffer);
        }
    }
}

fn slice(buffer: Buffer, tensor: &Tensor) -> Slice {
    let writable = !matches!(tensor.role, Role::Input { .. });
    Slice { buffer, offset: Bytes(GUARD), bytes: tensor.bytes(), writable }
}

fn guard(device: &mut dyn Device, slice: Slice) -> Result<(), Fault> {
    let zone = [GUARD_BYTE; GUARD as usize];
    device.upload(slice.buffer, Bytes(0), &zone)?;
    device.upload(slice.buffer, Bytes(slice.offset.0 + slice.bytes.0), &zone)
}

/// Draws a tensor once, uploads it to every place, and gives the hash of its bytes.
fn upload(
    device: &mut dyn Device,
    operand: &Operand,
    tensor: &Tensor,
    places: &[Slice],
) -> Result<blake3::Hash, Fault> {
    let size = tensor.dtype.size();
    let mut hasher = blake3::Hasher::new();
    for_chunks(tensor.bytes().0, |offset, bytes| {
        let first = offset / size;
        bytes.par_chunks_mut(CHUNK_ELEMENTS * size as usize).enumerate().for_each(|(i, part)| {
            let start = first + (i * CHUNK_ELEMENTS) as u64;
            let count = part.len() as u64 / size;
            let values: Vec<f32> = (start..start + count).map(|at| operand.draw(at)).collect();
            tensor.dtype.encode(&values, part);
        });
        hasher.update_rayon(bytes);
        for place in places {
            device.upload(place.buffer, Bytes(place.offset.0 + offset), bytes)?;
        }
        Ok(())
    })?;
    Ok(hasher.finalize())
}

/// Calls `visit` for every chunk of `total` bytes with its offset and a buffer of its length.
fn for_chunks(
    total: u64,
    mut visit: impl FnMut(u64, &mut [u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut buffer = vec![0; CHUNK_BYTES.min(total) as usize];
    for offset in (0..total).step_by(CHUNK_BYTES as usize) {
        let len = CHUNK_BYTES.min(total - offset);
        visit(offset, &mut buffer[..len as usize])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilemark_core::Dtype;
    use tilemark_core::device::Vendor;

    /// Sets of one tensor of `bytes` beside a cache and a memory of so many.
    fn sets(bytes: u64, cache_bytes: u64, memory_bytes: u64, vendor: Vendor, cache: Cache) -> u32 {
        let mut info = crate::device::info("null").expect("there is always a null device");
        info.vendor = vendor;
        info.last_level_cache = Bytes(cache_bytes);
        info.memory = Bytes(memory_bytes);
        let elements = (bytes - 2 * GUARD) / 4;
        rotation_sets(&[Tensor::output("y", &[elements], Dtype::F32, 1)], &info, cache)
    }

    #[test]
    fn sets_reach_three_times_the_cache_within_an_eighth_of_the_memory() {
        let (kib, mib, gib) = (1 << 10, 1 << 20, 1 << 30);
        let gpu = |bytes, memory| sets(bytes, 50 * mib, memory, Vendor::Nvidia, Cache::Cold);
        assert_eq!(gpu(50 * mib, 80 * gib), 3);
        assert_eq!(gpu(40 * mib, 80 * gib), 4, "150 MiB are three and three quarters of them");
        assert_eq!(gpu(200 * mib, 80 * gib), 1);
        assert_eq!(gpu(kib, 80 * gib), MOST_SETS as u32);
        assert_eq!(gpu(50 * mib, 800 * mib), 2, "an eighth is 100 MiB");
        assert_eq!(gpu(50 * mib, 100 * mib), 1);
        assert_eq!(sets(mib, 50 * mib, gib, Vendor::Nvidia, Cache::Hot), 1);
        assert_eq!(sets(mib, 50 * mib, gib, Vendor::Cpu, Cache::Cold), 1);
    }
}
