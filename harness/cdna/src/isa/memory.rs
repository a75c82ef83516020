//! Decodes memory instructions: global, flat, scratch, buffer and LDS.

use super::decode::{Decoder, scalar_mask};
use super::*;
use crate::asm::operand::{M0, Operand};
use crate::number::{from_bf16, from_f16, to_bf16, to_f16};

impl Decoder<'_, '_> {
    pub fn memory(&mut self) -> Result<Option<Op>, String> {
        let mnemonic = self.statement.mnemonic;
        self.traits.unit = Unit::VectorMemory;
        let Some((family, name)) = mnemonic.split_once('_') else {
            return Ok(None);
        };
        let space = match family {
            "global" => Space::Global,
            "flat" => Space::Flat,
            "scratch" => Space::Scratch,
            _ => Space::Buffer,
        };
        for hint in ["sc1", "nt"] {
            self.statement.modifiers.flag(hint);
        }
        let returns = self.statement.modifiers.flag("sc0");
        if matches!(mnemonic, "buffer_inv" | "buffer_wbl2") {
            return Ok(Some(Op::Cache));
        }
        let to_lds = self.statement.modifiers.flag("lds") || name.starts_with("load_lds_");
        let plain = name.strip_prefix("load_lds_").or(name.strip_prefix("load_"));
        let (shape, action) = if let Some(kind) = plain {
            let Some(shape) = load_shape(kind) else {
                return Ok(None);
            };
            (shape, if to_lds { Action::LoadToLds } else { Action::Load })
        } else if let Some(kind) = name.strip_prefix("store_") {
            let Some(shape) = store_shape(kind) else {
                return Ok(None);
            };
            (shape, Action::Store)
        } else {
            let Some(update) = name.strip_prefix("atomic_").and_then(global_atomic) else {
                return Ok(None);
            };
            let shape = dwords(u16::from(update.bytes) / 4);
            (shape, Action::Atomic { update, returns })
        };
        self.memory_operands(space, shape, action).map(|op| Some(Op::Memory(Box::new(op))))
    }

    /// Operand order differs by space: buffers name their data first, the others the destination, the address and the data.
    fn memory_operands(
        &mut self,
        space: Space,
        shape: Shape,
        action: Action,
    ) -> Result<Memory, String> {
        let offset = self.statement.modifiers.integer("offset")?.unwrap_or(0);
        let (mut data, mut to, mut next) = (0, 0, 0);
        let (loads, stores) = match &action {
            Action::Load => (true, 0),
            Action::LoadToLds => (false, 0),
            Action::Store => (false, shape.dwords),
            Action::Atomic { update, returns } => {
                (*returns, shape.dwords * if update.compares { 2 } else { 1 })
            }
        };
        if loads {
            to = self.write(0, shape.dwords)?;
            // A buffer atomic returns into its data.
            next = usize::from(space != Space::Buffer || stores == 0);
        }
        if space == Space::Buffer && (stores > 0 || loads) {
            if stores > 0 {
                data = self.read(next, stores)?;
            }
            next = 1;
        }
        let address = next;
        next += 1;
        if space != Space::Buffer && stores > 0 {
            data = self.read(next, stores)?;
            next += 1;
        }
        if matches!(action, Action::LoadToLds) {
            self.traits.unit = Unit::DirectToLds;
            self.traits.scalar_reads |= scalar_mask(M0, 1);
        }
        let address = self.address(space, address, next)?;
        Ok(Memory { space, action, address, offset, data, to, shape })
    }

    fn address(&mut self, space: Space, lane: usize, base: usize) -> Result<Address, String> {
        let off = |operand| operand == Operand::Off;
        Ok(match space {
            Space::Flat => Address::Lane(self.read(lane, 2)?),
            Space::Global if off(self.argument(base)?.operand) => {
                Address::Lane(self.read(lane, 2)?)
            }
            Space::Global => Address::Base {
                base: self.scalar_registers(base, 2)?,
                offset: self.optional_lane(lane, true)?,
            },
            Space::Scratch => Address::Scratch {
                lane: self.optional_lane(lane, true)?,
                base: match self.argument(base)?.operand {
                    Operand::Off => None,
                    _ => Some(self.scalar_from(base, Kind::U32)?),
                },
            },
            Space::Buffer => {
                let offset_enabled = self.statement.modifiers.flag("offen");
                Address::Buffer {
                    lane: self.optional_lane(lane, offset_enabled)?,
                    resource: self.scalar_registers(base, 4)?,
                    base: self.scalar_from(base + 1, Kind::U32)?,
                }
            }
        })
    }

    fn optional_lane(
        &mut self,
        index: usize,
        enabled: bool,
    ) -> Result<Option<VectorRegister>, String> {
        if self.argument(index)?.operand == Operand::Off || !enabled {
            return Ok(None);
        }
        self.read(index, 1).map(Some)
    }

    pub fn shared(&mut self) -> Result<Option<Op>, String> {
        self.traits.unit = Unit::Lds;
        let name = self.statement.mnemonic.trim_start_matches("ds_");
        let op = if let Some(kind) = name.strip_prefix("read") {
            self.shared_read(kind)?
        } else if let Some(kind) = name.strip_prefix("write") {
            self.shared_write(kind)?
        } else if matches!(name, "permute_b32" | "bpermute_b32" | "swizzle_b32") {
            Some(self.exchange(name)?)
        } else {
            self.shared_atomic(name)?
        };
        Ok(op.map(|op| Op::Shared(Box::new(op))))
    }

    /// One offset in bytes, or two in elements, of which the `st64` forms count 64.
    fn shared_offsets(&mut self, two: bool, unit: u32) -> Result<[u32; 2], String> {
        let modifiers = &mut self.statement.modifiers;
        if !two {
            return Ok([modifiers.integer("offset")?.unwrap_or(0) as u32, 0]);
        }
        let offset = |value: Option<i64>| value.unwrap_or(0) as u32 * unit;
        Ok([offset(modifiers.integer("offset0")?), offset(modifiers.integer("offset1")?)])
    }

    fn shared_read(&mut self, kind: &str) -> Result<Option<Shared>, String> {
        let (both, stride, kind) = paired(kind);
        let (shape, action) = match kind {
            "b64_tr_b16" => (dwords(2), SharedAction::ReadTransposed { bits: 16 }),
            "b64_tr_b8" => (dwords(2), SharedAction::ReadTransposed { bits: 8 }),
            "b64_tr_b4" => (dwords(2), SharedAction::ReadTransposed { bits: 4 }),
            "b96_tr_b6" => (dwords(3), SharedAction::ReadTransposed { bits: 6 }),
            _ => match shared_shape(kind) {
                Some(shape) => (shape, SharedAction::Read { both }),
                None => return Ok(None),
            },
        };
        let results = shape.dwords * if both { 2 } else { 1 };
        Ok(Some(Shared {
            action,
            to: self.write(0, results)?,
            address: self.read(1, 1)?,
            data: [0; 2],
            offsets: self.shared_offsets(both, stride * 4 * u32::from(shape.dwords))?,
            shape,
        }))
    }

    fn shared_write(&mut self, kind: &str) -> Result<Option<Shared>, String> {
        let (both, stride, kind) = paired(kind);
        let Some(shape) = shared_shape(kind) else {
            return Ok(None);
        };
        let address = self.read(0, 1)?;
        let first = self.read(1, shape.dwords)?;
        let second = if both { self.read(2, shape.dwords)? } else { first };
        Ok(Some(Shared {
            action: SharedAction::Write { both },
            to: 0,
            address,
            data: [first, second],
            offsets: self.shared_offsets(both, stride * 4 * u32::from(shape.dwords))?,
            shape,
        }))
    }

    fn exchange(&mut self, name: &str) -> Result<Shared, String> {
        let to = self.write(0, 1)?;
        let (action, offsets, data) = if name == "swizzle_b32" {
            let text = self.statement.modifiers.take("offset").unwrap_or("0");
            let pattern = swizzle(text).ok_or_else(|| format!("offset:{text}"))?;
            (SharedAction::Swizzle(pattern), [0; 2], 1)
        } else {
            let back = name == "bpermute_b32";
            let action = if back { SharedAction::BackPermute } else { SharedAction::Permute };
            (action, self.shared_offsets(false, 1)?, 2)
        };
        let address = self.read(1, 1)?;
        let data = self.read(data, 1)?;
        Ok(Shared { action, to, address, data: [data; 2], offsets, shape: dwords(1) })
    }

    fn shared_atomic(&mut self, name: &str) -> Result<Option<Shared>, String> {
        let (name, returns) = match name.split_once("_rtn_") {
            Some((operation, kind)) => (format!("{operation}_{kind}"), true),
            None => (name.to_owned(), false),
        };
        let Some(update) = shared_atomic(&name) else {
            return Ok(None);
        };
        let size = u16::from(update.bytes) / 4;
        let to = if returns { self.write(0, size)? } else { 0 };
        let next = usize::from(returns);
        let address = self.read(next, 1)?;
        let first = self.read(next + 1, size)?;
        let second = if update.compares { self.read(next + 2, size)? } else { first };
        Ok(Some(Shared {
            action: SharedAction::Atomic { update, returns },
            to,
            address,
            // ds_cmpst names the comparand first, unlike the global form.
            data: if update.compares { [second, first] } else { [first; 2] },
            offsets: self.shared_offsets(false, 1)?,
            shape: dwords(size),
        }))
    }
}

/// A shape of whole dwords.
const fn dwords(dwords: u16) -> Shape {
    Shape { dwords, element_bytes: 4, signed: false, half: Half::Whole }
}

const fn part(element_bytes: u8, signed: bool, half: Half) -> Shape {
    Shape { dwords: 1, element_bytes, signed, half }
}

fn load_shape(kind: &str) -> Option<Shape> {
    Some(match kind {
        "dword" => dwords(1),
        "dwordx2" => dwords(2),
        "dwordx3" => dwords(3),
        "dwordx4" => dwords(4),
        "ubyte" => part(1, false, Half::Whole),
        "sbyte" => part(1, true, Half::Whole),
        "ushort" => part(2, false, Half::Whole),
        "sshort" => part(2, true, Half::Whole),
        "short_d16" => part(2, false, Half::Low),
        "short_d16_hi" => part(2, false, Half::High),
        "ubyte_d16" => part(1, false, Half::Low),
        "ubyte_d16_hi" => part(1, false, Half::High),
        "sbyte_d16" => part(1, true, Half::Low),
        "sbyte_d16_hi" => part(1, true, Half::High),
        _ => return None,
    })
}

fn store_shape(kind: &str) -> Option<Shape> {
    Some(match kind {
        "byte" => part(1, false, Half::Whole),
        "byte_d16_hi" => part(1, false, Half::High),
        "short" => part(2, false, Half::Whole),
        "short_d16_hi" => part(2, false, Half::High),
        _ => return load_shape(kind).filter(|shape| shape.element_bytes == 4),
    })
}

/// `2st64_b32` → two addresses, in units of 64 elements, of this kind.
fn paired(kind: &str) -> (bool, u32, &str) {
    if let Some(kind) = kind.strip_prefix("2st64_") {
        (true, 64, kind)
    } else if let Some(kind) = kind.strip_prefix("2_") {
        (true, 1, kind)
    } else {
        (false, 1, kind.trim_start_matches('_'))
    }
}

fn shared_shape(kind: &str) -> Option<Shape> {
    Some(match kind {
        "b32" => dwords(1),
        "b64" => dwords(2),
        "b96" => dwords(3),
        "b128" => dwords(4),
        "b8" | "u8" => part(1, false, Half::Whole),
        "i8" => part(1, true, Half::Whole),
        "b16" | "u16" => part(2, false, Half::Whole),
        "i16" => part(2, true, Half::Whole),
        "b8_d16_hi" | "u8_d16_hi" => part(1, false, Half::High),
        "b16_d16_hi" | "u16_d16_hi" => part(2, false, Half::High),
        "u8_d16" => part(1, false, Half::Low),
        "i8_d16" => part(1, true, Half::Low),
        "i8_d16_hi" => part(1, true, Half::High),
        "u16_d16" => part(2, false, Half::Low),
        _ => return None,
    })
}

/// The pattern of a `ds_swizzle_b32`: bit 15 set permutes quads, else and, or and xor masks of five bits each.
fn swizzle(text: &str) -> Option<u32> {
    if let Some(number) = crate::asm::operand::integer(text) {
        return u32::try_from(number).ok();
    }
    let inner = text.strip_prefix("swizzle(")?.strip_suffix(')')?;
    let mut parts = inner.split(',').map(str::trim);
    let mode = parts.next()?;
    let numbers: Vec<u32> = parts.clone().filter_map(|part| part.parse().ok()).collect();
    let masks = |and: u32, or: u32, xor: u32| and & 31 | or << 5 | xor << 10;
    Some(match (mode, numbers.as_slice()) {
        ("SWAP", [size]) => masks(31, 0, *size),
        ("REVERSE", [size]) => masks(31, 0, size - 1),
        ("BROADCAST", [size, lane]) => masks(!(size - 1), *lane, 0),
        ("QUAD_PERM", [a, b, c, d]) => 0x8000 | a | b << 2 | c << 4 | d << 6,
        ("BITMASK_PERM", []) => {
            let pattern = parts.next()?.trim_matches('"');
            pattern.chars().try_fold(0, |all, bit| {
                let step = match bit {
                    '0' => masks(0, 0, 0),
                    '1' => masks(0, 1, 0),
                    'p' => masks(1, 0, 0),
                    'i' => masks(1, 0, 1),
                    _ => return None,
                };
                Some(all << 1 | step)
            })?
        }
        _ => return None,
    })
}

fn shared_atomic(name: &str) -> Option<Atomic> {
    let (operation, kind) = name.rsplit_once('_')?;
    let operation = match (operation, kind) {
        ("cmpst", _) => "cmpswap",
        ("wrxchg", _) => "swap",
        ("max", "i32" | "i64") => "smax",
        ("min", "i32" | "i64") => "smin",
        ("max", "u32" | "u64") => "umax",
        ("min", "u32" | "u64") => "umin",
        ("pk_add", "f16") => "pk_add_f16",
        ("pk_add", "bf16") => "pk_add_bf16",
        ("add", "f32") => "add_f32",
        ("add", "f64") => "add_f64",
        ("max", "f64") => "max_f64",
        ("min", "f64") => "min_f64",
        ("add" | "sub" | "inc" | "dec" | "and" | "or" | "xor", _) => operation,
        _ => return None,
    };
    let suffix = if matches!(kind, "u64" | "i64" | "b64") { "_x2" } else { "" };
    global_atomic(&format!("{operation}{suffix}"))
}

fn global_atomic(name: &str) -> Option<Atomic> {
    let (operation, bytes) = match name.strip_suffix("_x2") {
        Some(operation) => (operation, 8),
        None if name.ends_with("_f64") => (name, 8),
        None => (name, 4),
    };
    let compares = operation == "cmpswap";
    let compute: fn(u64, u64, u64) -> u64 = match (operation, bytes) {
        ("swap", _) => |_, data, _| data,
        ("cmpswap", _) => |old, data, comparand| if old == comparand { data } else { old },
        ("add", _) => |old, data, _| old.wrapping_add(data),
        ("sub", _) => |old, data, _| old.wrapping_sub(data),
        ("smin", 4) => |old, data, _| {
            if (old as i32) < data as i32 { old } else { data }
        },
        ("smax", 4) => |old, data, _| {
            if (old as i32) > data as i32 { old } else { data }
        },
        ("smin", _) => |old, data, _| (old as i64).min(data as i64) as u64,
        ("smax", _) => |old, data, _| (old as i64).max(data as i64) as u64,
        ("umin", _) => |old, data, _| old.min(data),
        ("umax", _) => |old, data, _| old.max(data),
        ("and", _) => |old, data, _| old & data,
        ("or", _) => |old, data, _| old | data,
        ("xor", _) => |old, data, _| old ^ data,
        ("inc", _) => |old, data, _| if old >= data { 0 } else { old + 1 },
        ("dec", _) => |old, data, _| {
            if old == 0 || old > data { data } else { old - 1 }
        },
        ("add_f32", _) => |old, data, _| {
            let sum = f32::from_bits(old as u32) + f32::from_bits(data as u32);
            u64::from(sum.to_bits())
        },
        ("pk_add_f16", _) => |old, data, _| {
            let sum = |s: u32| {
                let [a, b] = [old, data].map(|bits| from_f16((bits >> s) as u32));
                u64::from(to_f16(a + b)) << s
            };
            sum(0) | sum(16)
        },
        ("pk_add_bf16", _) => |old, data, _| {
            let sum = |s: u32| {
                let [a, b] = [old, data].map(|bits| from_bf16((bits >> s) as u32));
                u64::from(to_bf16(a + b)) << s
            };
            sum(0) | sum(16)
        },
        ("add_f64", _) => |old, data, _| (f64::from_bits(old) + f64::from_bits(data)).to_bits(),
        ("min_f64", _) => |old, data, _| f64::from_bits(old).min(f64::from_bits(data)).to_bits(),
        ("max_f64", _) => |old, data, _| f64::from_bits(old).max(f64::from_bits(data)).to_bits(),
        _ => return None,
    };
    Some(Atomic { compute, bytes, compares })
}
