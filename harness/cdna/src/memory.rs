//! Global memory: buffers at addresses of their own, so that an access outside one is never inside another.
//! Workgroups run on several threads, so every word is atomic; plain loads and stores are relaxed and cost nothing.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::fault::{Kind, Step};
use crate::isa::Atomic;

/// Buffer n begins at n · 2^34: below the 48 bits of a buffer resource, and below the addresses of the host's own heap.
const SHIFT: u32 = 34;
/// The most buffers whose addresses cannot be mistaken for the host's.
const MOST: usize = 4096;
/// Freed numbers rest this long, so that a stale address is noticed.
const RESTING: usize = 1024;

#[derive(Default)]
pub struct Memory {
    buffers: Vec<Option<Buffer>>,
    freed: VecDeque<usize>,
    wide_atomics: Mutex<()>,
}

struct Buffer {
    words: Box<[AtomicU32]>,
    bytes: usize,
}

impl Memory {
    /// A buffer of zeros; its address.
    pub fn allocate(&mut self, bytes: usize) -> u64 {
        let words = (0..bytes.div_ceil(4)).map(|_| AtomicU32::new(0)).collect();
        let buffer = Some(Buffer { words, bytes });
        let resting = if self.buffers.len() < MOST { RESTING } else { 0 };
        if self.freed.len() > resting
            && let Some(index) = self.freed.pop_front()
        {
            self.buffers[index] = buffer;
            return (index as u64 + 1) << SHIFT;
        }
        self.buffers.push(buffer);
        (self.buffers.len() as u64) << SHIFT
    }

    /// Whether another buffer would have an address that may also be the host's.
    pub fn is_full(&self) -> bool {
        self.buffers.len() >= MOST && self.freed.is_empty()
    }

    /// A buffer that holds these bytes; its address.
    pub fn upload(&mut self, bytes: &[u8]) -> u64 {
        let address = self.allocate(bytes.len());
        let written = self.write_bytes(address, bytes);
        debug_assert!(written, "a buffer holds what it was made for");
        address
    }

    /// Whether the address was that of a buffer.
    pub fn free(&mut self, address: u64) -> bool {
        let starts = address & ((1 << SHIFT) - 1) == 0;
        let index = ((address >> SHIFT) as usize).checked_sub(1).filter(|_| starts);
        let Some(index) = index else { return false };
        let freed = self.buffers.get_mut(index).is_some_and(|slot| slot.take().is_some());
        if freed {
            self.freed.push_back(index);
        }
        freed
    }

    /// The bytes of the buffer that begins here.
    pub fn download(&self, address: u64) -> Option<Vec<u8>> {
        let (buffer, _) = self.find(address)?;
        self.read_bytes(address, buffer.bytes)
    }

    pub fn read_bytes(&self, address: u64, count: usize) -> Option<Vec<u8>> {
        let (buffer, offset) = self.inside(address, count)?;
        Some(
            (offset..offset + count)
                .map(|at| (buffer.words[at / 4].load(Relaxed) >> (8 * (at % 4))) as u8)
                .collect(),
        )
    }

    pub fn write_bytes(&self, address: u64, bytes: &[u8]) -> bool {
        let Some((buffer, offset)) = self.inside(address, bytes.len()) else {
            return false;
        };
        for (at, &byte) in (offset..).zip(bytes) {
            buffer.store_part(at, u32::from(byte), 8);
        }
        true
    }

    /// Whether these bytes lie inside one buffer.
    pub fn holds(&self, address: u64, count: usize) -> bool {
        self.inside(address, count).is_some()
    }

    pub fn bytes_in_use(&self) -> usize {
        self.buffers.iter().flatten().map(|buffer| buffer.bytes).sum()
    }

    fn find(&self, address: u64) -> Option<(&Buffer, usize)> {
        let index = ((address >> SHIFT) as usize).checked_sub(1)?;
        let buffer = self.buffers.get(index)?.as_ref()?;
        Some((buffer, (address & ((1 << SHIFT) - 1)) as usize))
    }

    fn inside(&self, address: u64, count: usize) -> Option<(&Buffer, usize)> {
        self.find(address).filter(|(buffer, offset)| offset + count <= buffer.bytes)
    }

    fn checked(
        &self,
        address: u64,
        bytes: usize,
        alignment: usize,
        lane: usize,
    ) -> Step<(&Buffer, usize)> {
        if !address.is_multiple_of(alignment as u64) {
            return Kind::Misaligned { space: "global", address, alignment }.at(lane);
        }
        match self.inside(address, bytes) {
            Some(found) => Ok(found),
            None => {
                let nearest = self
                    .find(address)
                    .map(|(buffer, offset)| (address - offset as u64, buffer.bytes));
                Kind::GlobalOutOfBounds { address, bytes, nearest }.at(lane)
            }
        }
    }

    /// Reads whole dwords, which must be aligned to four bytes.
    pub fn load(&self, address: u64, dwords: usize, lane: usize) -> Step<[u32; 4]> {
        let (buffer, offset) = self.checked(address, 4 * dwords, 4, lane)?;
        let mut values = [0; 4];
        for (value, word) in values.iter_mut().zip(&buffer.words[offset / 4..offset / 4 + dwords]) {
            *value = word.load(Relaxed);
        }
        Ok(values)
    }

    pub fn store(&self, address: u64, values: &[u32], lane: usize) -> Step<()> {
        let (buffer, offset) = self.checked(address, 4 * values.len(), 4, lane)?;
        for (word, &value) in buffer.words[offset / 4..].iter().zip(values) {
            word.store(value, Relaxed);
        }
        Ok(())
    }

    /// Reads one or two bytes.
    pub fn load_part(&self, address: u64, bytes: usize, lane: usize) -> Step<u32> {
        let (buffer, offset) = self.checked(address, bytes, bytes, lane)?;
        let word = buffer.words[offset / 4].load(Relaxed);
        Ok(word >> (8 * (offset % 4)) & ((1 << (8 * bytes)) - 1))
    }

    pub fn store_part(&self, address: u64, bytes: usize, value: u32, lane: usize) -> Step<()> {
        let (buffer, offset) = self.checked(address, bytes, bytes, lane)?;
        buffer.store_part(offset, value, 8 * bytes as u32);
        Ok(())
    }

    /// Applies an atomic and returns the old value.
    pub fn update(
        &self,
        address: u64,
        atomic: Atomic,
        data: u64,
        comparand: u64,
        lane: usize,
    ) -> Step<u64> {
        let bytes = usize::from(atomic.bytes);
        let (buffer, offset) = self.checked(address, bytes, bytes, lane)?;
        let word = &buffer.words[offset / 4];
        if bytes == 4 {
            let change = |old| Some((atomic.compute)(u64::from(old), data, comparand) as u32);
            let old = word.fetch_update(Relaxed, Relaxed, change);
            return Ok(u64::from(old.unwrap_or_else(|unchanged| unchanged)));
        }
        // Eight bytes are two words here, so such atomics exclude one another by a lock.
        let guard = self.wide_atomics.lock();
        let high = &buffer.words[offset / 4 + 1];
        let old = u64::from(word.load(Relaxed)) | u64::from(high.load(Relaxed)) << 32;
        let new = (atomic.compute)(old, data, comparand);
        word.store(new as u32, Relaxed);
        high.store((new >> 32) as u32, Relaxed);
        drop(guard);
        Ok(old)
    }
}

impl Buffer {
    /// Replaces `bits` bits at a byte offset without disturbing what another thread writes beside them.
    fn store_part(&self, offset: usize, value: u32, bits: u32) {
        let shift = 8 * (offset % 4) as u32;
        let mask = ((1 << bits) - 1) << shift;
        let change = |old| Some(old & !mask | value << shift & mask);
        let word = &self.words[offset / 4];
        // The closure always returns a value, so the update cannot fail.
        let _ = word.fetch_update(Relaxed, Relaxed, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_reach_into_one_another() {
        let mut memory = Memory::default();
        let first = memory.upload(&[1, 2, 3, 4, 5]);
        let second = memory.allocate(8);
        assert_eq!(memory.download(first), Some(vec![1, 2, 3, 4, 5]));
        assert!(memory.load(first + 4, 1, 0).is_err(), "three of four bytes are outside");
        assert_eq!(memory.load_part(first + 4, 1, 0), Ok(5));
        assert!(memory.load(second - 4, 1, 3).is_err());
        assert!(memory.free(first));
        assert!(!memory.free(first), "a buffer is freed once");
        assert!(memory.load(first, 1, 0).is_err());
    }

    #[test]
    fn misaligned_access_is_a_fault() {
        let mut memory = Memory::default();
        let address = memory.allocate(16);
        let trap = memory.load(address + 2, 1, 7).unwrap_err();
        assert_eq!(trap.lane, Some(7));
        assert!(matches!(trap.kind, Kind::Misaligned { alignment: 4, .. }));
    }

    #[test]
    fn parts_leave_their_neighbours() {
        let mut memory = Memory::default();
        let address = memory.upload(&[0xff; 4]);
        memory.store_part(address + 2, 2, 0x1234, 0).unwrap();
        assert_eq!(memory.load(address, 1, 0).unwrap()[0], 0x1234_ffff);
    }
}
