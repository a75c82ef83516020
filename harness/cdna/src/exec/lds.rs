//! The local data share of one workgroup, with a shadow that knows who touched which byte since the last barrier.
//! Knows waves by number only; what an instruction is, it does not know.

use crate::fault::{Kind, Step};

/// Who may touch a byte how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Atomic,
    /// A load from memory straight to LDS has been issued but not waited for.
    Incoming,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
            Self::Atomic => "updated atomically",
            Self::Incoming => "loaded into",
        }
    }
}

/// Codes of one byte of a shadow word: a wave number (at most 15), perhaps with one of these bits, or nobody.
const NOBODY: u8 = 0xff;
const ATOMIC: u8 = 0x40;
const INCOMING: u8 = 0x20;
const SEVERAL: u8 = 0x80;
const ALL_NOBODY: u32 = u32::MAX;

/// The shadow of one dword: a code a byte, valid in the epoch it was written in.
#[derive(Clone, Copy)]
struct Shadow {
    epoch: u32,
    writers: u32,
    readers: u32,
}

pub struct Lds {
    words: Vec<u32>,
    shadow: Vec<Shadow>,
    /// A bit a byte that has been written.
    written: Vec<u8>,
    size: usize,
    epoch: u32,
}

impl Lds {
    pub fn new(size: usize) -> Self {
        let words = size.div_ceil(4);
        Self {
            words: vec![0; words],
            shadow: vec![Shadow { epoch: 0, writers: ALL_NOBODY, readers: ALL_NOBODY }; words],
            written: vec![0; words],
            size,
            epoch: 1,
        }
    }

    /// Forgets the contents, for the next workgroup.
    pub fn clear(&mut self) {
        self.written.fill(0);
        self.epoch += 1;
    }

    /// Every wave has passed a barrier.
    pub fn barrier(&mut self) {
        self.epoch += 1;
    }

    /// Bounds and natural alignment of an access.
    pub fn check(&self, address: u64, bytes: usize, alignment: usize, lane: usize) -> Step<()> {
        if address + bytes as u64 > self.size as u64 {
            return Kind::LdsOutOfBounds { address, bytes, size: self.size }.at(lane);
        }
        if !address.is_multiple_of(alignment as u64) {
            return Kind::Misaligned { space: "LDS", address, alignment }.at(lane);
        }
        Ok(())
    }

    /// Notes an access of this epoch, and traps if it conflicts with one of another wave.
    pub fn note(
        &mut self,
        access: Access,
        wave: u8,
        address: usize,
        bytes: usize,
        lane: usize,
    ) -> Step<()> {
        let mut at = address;
        let end = address + bytes;
        while at < end {
            let stop = (at / 4 * 4 + 4).min(end);
            let selected = byte_mask(at % 4, stop - at);
            self.note_word(access, wave, at / 4, selected, lane)?;
            at = stop;
        }
        Ok(())
    }

    fn note_word(
        &mut self,
        access: Access,
        wave: u8,
        word: usize,
        bytes: u32,
        lane: usize,
    ) -> Step<()> {
        let shadow = &mut self.shadow[word];
        if shadow.epoch != self.epoch {
            *shadow = Shadow { epoch: self.epoch, writers: ALL_NOBODY, readers: ALL_NOBODY };
        }
        let mine = splat(wave);
        // The usual cases: nobody else has touched these bytes.
        let alone = |codes: u32| (codes == ALL_NOBODY) || (codes & bytes == mine & bytes);
        let writers_clear = alone(shadow.writers);
        if !(writers_clear
            && (access == Access::Read || alone(shadow.readers))
            && access != Access::Atomic)
        {
            conflict(access, wave, word, bytes, shadow, lane)?;
        }
        match access {
            Access::Read => {
                let others = shadow.readers != ALL_NOBODY && shadow.readers & bytes != mine & bytes;
                shadow.readers = if others {
                    merge_readers(shadow.readers, wave, bytes)
                } else {
                    shadow.readers & !bytes | mine & bytes
                };
                let unwritten = nibble(bytes) & !self.written[word];
                if unwritten != 0 {
                    let address = (4 * word) as u64 + u64::from(unwritten.trailing_zeros());
                    return Kind::UninitialisedLds { address }.at(lane);
                }
            }
            Access::Write => shadow.writers = shadow.writers & !bytes | mine & bytes,
            Access::Atomic => shadow.writers = merge_atomics(shadow.writers, wave, bytes),
            Access::Incoming => {
                shadow.writers = shadow.writers & !bytes | splat(wave | INCOMING) & bytes;
                // What this wave read before does not matter; what it reads from now on does.
                shadow.readers |= bytes;
            }
        }
        if access != Access::Read {
            self.written[word] |= nibble(bytes);
        }
        Ok(())
    }

    /// A load straight to LDS has been waited for: its bytes become ordinary writes of this wave.
    pub fn arrived(&mut self, wave: u8, address: usize, bytes: usize, lane: usize) -> Step<()> {
        for at in address..address + bytes {
            let shadow = &mut self.shadow[at / 4];
            if shadow.epoch != self.epoch {
                continue;
            }
            let shift = 8 * (at % 4);
            let (writer, reader) =
                ((shadow.writers >> shift) as u8, (shadow.readers >> shift) as u8);
            if writer != wave | INCOMING {
                continue;
            }
            if reader != NOBODY {
                let (access, other_access) = (Access::Incoming.verb(), Access::Read.verb());
                return Kind::LdsRace {
                    address: at as u64,
                    access,
                    other: u32::from(reader & 15),
                    other_access,
                }
                .at(lane);
            }
            shadow.writers = shadow.writers & !(0xff << shift) | u32::from(wave) << shift;
        }
        Ok(())
    }

    pub fn read(&self, address: usize) -> u32 {
        self.words[address / 4]
    }

    pub fn read_part(&self, address: usize, bytes: usize) -> u32 {
        self.words[address / 4] >> (8 * (address % 4)) & ((1u64 << (8 * bytes)) - 1) as u32
    }

    pub fn write(&mut self, address: usize, value: u32) {
        self.words[address / 4] = value;
    }

    pub fn write_part(&mut self, address: usize, bytes: usize, value: u32) {
        let shift = 8 * (address % 4);
        let mask = ((1u64 << (8 * bytes)) - 1) as u32;
        let word = &mut self.words[address / 4];
        *word = *word & !(mask << shift) | (value & mask) << shift;
    }
}

fn splat(code: u8) -> u32 {
    u32::from(code) * 0x0101_0101
}

/// Ones in `count` bytes from byte `first`.
fn byte_mask(first: usize, count: usize) -> u32 {
    (((1u64 << (8 * count)) - 1) << (8 * first)) as u32
}

/// One bit a selected byte.
fn nibble(bytes: u32) -> u8 {
    let [a, b, c, d] = bytes.to_le_bytes();
    a & 1 | b & 2 | c & 4 | d & 8
}

/// Codes by byte, where the access covers the byte.
fn selected(codes: u32, bytes: u32) -> impl Iterator<Item = (usize, u8)> {
    let covered = bytes.to_le_bytes();
    (0..4).zip(codes.to_le_bytes()).filter(move |&(at, code)| covered[at] != 0 && code != NOBODY)
}

fn conflict(
    access: Access,
    wave: u8,
    word: usize,
    bytes: u32,
    shadow: &Shadow,
    lane: usize,
) -> Step<()> {
    for (at, code) in selected(shadow.writers, bytes) {
        let address = (4 * word + at) as u64;
        let other = code & 15;
        let incoming = code & (SEVERAL | ATOMIC | INCOMING) == INCOMING;
        if incoming && other == wave && access == Access::Read {
            return Kind::LdsBeforeWait { address }.at(lane);
        }
        let both_atomic = access == Access::Atomic && code & ATOMIC != 0;
        if (other != wave || code & SEVERAL != 0) && !both_atomic {
            let other_access = match code & (ATOMIC | INCOMING) {
                ATOMIC => Access::Atomic,
                INCOMING => Access::Incoming,
                _ => Access::Write,
            };
            let (access, other_access) = (access.verb(), other_access.verb());
            return Kind::LdsRace { address, access, other: u32::from(other), other_access }
                .at(lane);
        }
    }
    if access == Access::Read {
        return Ok(());
    }
    for (at, code) in selected(shadow.readers, bytes) {
        if code != wave {
            let address = (4 * word + at) as u64;
            let (access, other_access) = (access.verb(), Access::Read.verb());
            return Kind::LdsRace { address, access, other: u32::from(code & 15), other_access }
                .at(lane);
        }
    }
    Ok(())
}

/// Readers of several waves keep the number of one that is not the newest.
fn merge_readers(readers: u32, wave: u8, bytes: u32) -> u32 {
    let mut merged = readers.to_le_bytes();
    for (at, covered) in bytes.to_le_bytes().into_iter().enumerate() {
        if covered != 0 {
            merged[at] = match merged[at] {
                NOBODY => wave,
                code if code & 15 == wave => code,
                code => code | SEVERAL,
            };
        }
    }
    u32::from_le_bytes(merged)
}

fn merge_atomics(writers: u32, wave: u8, bytes: u32) -> u32 {
    let mut merged = writers.to_le_bytes();
    for (at, covered) in bytes.to_le_bytes().into_iter().enumerate() {
        if covered != 0 {
            merged[at] = match merged[at] {
                NOBODY => wave | ATOMIC,
                code if code & 15 == wave => code,
                code => code | SEVERAL,
            };
        }
    }
    u32::from_le_bytes(merged)
}

#[cfg(test)]
mod tests {
    use super::Access::*;
    use super::*;

    /// Notes accesses (access, wave, address, bytes); whether the last one traps.
    fn check(accesses: &[(Access, u8, usize, usize)], want: Option<&str>) {
        let mut lds = Lds::new(64);
        let (last, before) = accesses.split_last().unwrap();
        for &(access, wave, address, bytes) in before {
            lds.note(access, wave, address, bytes, 0).unwrap();
        }
        let got =
            lds.note(last.0, last.1, last.2, last.3, 0).err().map(|trap| trap.kind.to_string());
        match want {
            Some(part) => {
                assert!(got.as_deref().unwrap_or("").contains(part), "{accesses:?}: {got:?}")
            }
            None => assert_eq!(got, None, "{accesses:?}"),
        }
    }

    #[test]
    fn conflicts_between_waves_are_races() {
        check(&[(Write, 0, 0, 16), (Read, 1, 4, 4)], Some("written by wave 0"));
        check(&[(Write, 0, 0, 4), (Read, 0, 0, 4), (Write, 1, 3, 1)], Some("by wave 0"));
        check(&[(Write, 0, 0, 2), (Write, 1, 2, 2)], None);
        check(&[(Write, 0, 0, 2), (Write, 1, 1, 1)], Some("written by wave 0"));
        check(&[(Atomic, 0, 0, 4), (Atomic, 1, 0, 4)], None);
        check(&[(Atomic, 0, 0, 4), (Atomic, 1, 0, 4), (Read, 0, 0, 4)], Some("atomically"));
        check(&[(Write, 0, 0, 4), (Atomic, 1, 0, 4)], Some("written by wave 0"));
    }

    #[test]
    fn a_load_to_lds_is_not_there_before_its_wait() {
        check(&[(Incoming, 2, 0, 16), (Read, 2, 8, 4)], Some("before the s_waitcnt"));
        check(&[(Incoming, 2, 0, 16), (Read, 1, 8, 4)], Some("loaded into by wave 2"));
        let mut lds = Lds::new(64);
        lds.note(Incoming, 2, 0, 16, 0).unwrap();
        lds.arrived(2, 0, 16, 0).unwrap();
        lds.note(Read, 2, 0, 16, 0).unwrap();
        assert!(lds.note(Read, 1, 0, 16, 0).is_err());
        lds.barrier();
        lds.note(Read, 1, 0, 16, 0).unwrap();
    }

    #[test]
    fn a_barrier_separates_and_reads_need_a_write() {
        let mut lds = Lds::new(64);
        lds.note(Write, 0, 0, 8, 0).unwrap();
        lds.barrier();
        for wave in 0..4 {
            lds.note(Read, wave, 0, 8, 0).unwrap();
        }
        assert!(lds.note(Write, 0, 0, 4, 0).is_err(), "others have read it");
        let trap = lds.note(Read, 0, 4, 8, 9).unwrap_err();
        assert_eq!((trap.kind, trap.lane), (Kind::UninitialisedLds { address: 8 }, Some(9)));
        lds.clear();
        assert!(lds.note(Read, 0, 0, 4, 0).is_err());
    }
}
