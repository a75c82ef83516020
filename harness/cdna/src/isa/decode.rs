//! From a statement to an instruction: which decoder knows the mnemonic, and the operands they all share.
//! Whatever no decoder understands, mnemonic, operand or modifier, is an error that names it.

use std::collections::HashMap;

use half::f16;

use super::scalar::{self, SccUse};
use super::*;
use crate::arch::Arch;
use crate::asm::Statement;
use crate::asm::operand::{Argument, EXEC, M0, Operand, VCC, integer, split_outside};

pub struct Decoder<'s, 'a> {
    pub statement: &'s mut Statement<'a>,
    pub arch: Arch,
    labels: &'s HashMap<&'a str, usize>,
    pub traits: Traits,
    understood: usize,
}

/// Decodes one statement; the error is what was not understood.
pub fn decode<'a>(
    mut statement: Statement<'a>,
    arch: Arch,
    labels: &HashMap<&'a str, usize>,
) -> Result<Instruction, String> {
    let waits = statement.mnemonic.starts_with("s_waitcnt");
    let mut decoder = Decoder {
        statement: &mut statement,
        arch,
        labels,
        traits: Traits::default(),
        understood: 0,
    };
    let op = decoder.op()?;
    let (understood, traits) = (decoder.understood, decoder.traits);
    if !waits && understood < statement.arguments.len() {
        return Err(format!("operand {} is not understood", understood + 1));
    }
    match statement.modifiers.remaining() {
        Some(modifier) if !waits => Err(format!("unknown modifier {modifier}")),
        _ => Ok(Instruction { op, traits }),
    }
}

impl<'a> Decoder<'_, 'a> {
    fn op(&mut self) -> Result<Op, String> {
        let mnemonic = self.statement.mnemonic;
        let family = mnemonic.split('_').next().unwrap_or("");
        let op = match family {
            "s" => match self.control()? {
                Some(op) => Some(op),
                None => self.scalar()?,
            },
            "v" if mnemonic.starts_with("v_mfma_") => self.matrix()?,
            "v" => self.vector()?,
            "ds" => self.shared()?,
            "global" | "flat" | "scratch" | "buffer" => self.memory()?,
            _ => None,
        };
        op.ok_or_else(|| format!("unknown instruction {mnemonic}"))
    }

    pub fn argument(&mut self, index: usize) -> Result<Argument<'a>, String> {
        self.understood = self.understood.max(index + 1);
        let argument = self.statement.arguments.get(index).copied();
        argument.ok_or_else(|| format!("operand {} is missing", index + 1))
    }

    pub fn count(&self) -> usize {
        self.statement.arguments.len()
    }

    fn unexpected<T>(&self, index: usize, what: &str) -> Result<T, String> {
        Err(format!("operand {} is not {what}", index + 1))
    }

    /// The first of at least `dwords` vector registers.
    pub fn registers(&mut self, index: usize, dwords: u16) -> Result<VectorRegister, String> {
        let (first, count) = match self.argument(index)?.operand {
            Operand::Vector { first, count } if first + count <= 256 => (first, count),
            Operand::Accumulator { first, count } if first + count <= 256 => {
                (ACCUMULATORS + first, count)
            }
            _ => return self.unexpected(index, "a vector register"),
        };
        if count < dwords {
            return self.unexpected(index, &format!("{dwords} registers"));
        }
        Ok(first)
    }

    pub fn read(&mut self, index: usize, dwords: u16) -> Result<VectorRegister, String> {
        let first = self.registers(index, dwords)?;
        self.traits.vector_reads.push((first, dwords));
        Ok(first)
    }

    pub fn write(&mut self, index: usize, dwords: u16) -> Result<VectorRegister, String> {
        let first = self.registers(index, dwords)?;
        self.traits.vector_writes.push((first, dwords));
        Ok(first)
    }

    /// A scalar destination: first register and count.
    pub fn scalar_to(&mut self, index: usize, dwords: u8) -> Result<u8, String> {
        match self.argument(index)?.operand {
            Operand::Scalar { first, count } if count >= dwords && first < 128 => {
                self.traits.scalar_writes |= scalar_mask(first, dwords);
                Ok(first)
            }
            _ => self.unexpected(index, &format!("a scalar destination of {dwords} dwords")),
        }
    }

    /// A scalar register range that is read.
    pub fn scalar_registers(&mut self, index: usize, dwords: u8) -> Result<u8, String> {
        match self.argument(index)?.operand {
            Operand::Scalar { first, count } if count >= dwords => {
                self.traits.scalar_reads |= scalar_mask(first, dwords);
                Ok(first)
            }
            _ => self.unexpected(index, &format!("{dwords} scalar registers")),
        }
    }

    pub fn scalar_from(&mut self, index: usize, kind: Kind) -> Result<ScalarSource, String> {
        let argument = self.argument(index)?;
        if let Operand::Scalar { first, count } = argument.operand {
            self.traits.scalar_reads |= scalar_mask(first, count);
            return Ok(ScalarSource::Register { first, count });
        }
        match constant(argument.operand, kind) {
            Some(value) => Ok(ScalarSource::Constant(value)),
            None => self.unexpected(index, "a scalar register or constant"),
        }
    }

    pub fn source(&mut self, index: usize, kind: Kind) -> Result<Source, String> {
        let argument = self.argument(index)?;
        let (place, width) = match argument.operand {
            Operand::Vector { count, .. } | Operand::Accumulator { count, .. } => {
                (Place::Vector(self.read(index, count)?), count)
            }
            Operand::Scalar { first, count } => {
                self.traits.scalar_reads |= scalar_mask(first, count);
                (Place::Scalar(first), u16::from(count))
            }
            operand => match constant(operand, kind) {
                Some(value) => (Place::Constant(value), 2),
                None => return self.unexpected(index, "a register or constant"),
            },
        };
        let sign = if kind == Kind::F16 { 0x8000 } else { 0x8000_0000 };
        Ok(Source {
            place,
            width: width as u8,
            keep: if argument.abs { !sign } else { u32::MAX },
            flip: if argument.neg { sign } else { 0 },
        })
    }

    fn control(&mut self) -> Result<Option<Op>, String> {
        let branch = |when| Branch { when, target: 0 };
        let op = match self.statement.mnemonic {
            "s_endpgm" => Op::End,
            "s_barrier" => Op::Barrier,
            "s_nop" => Op::Idle(self.immediate(0)? as u32 + 1),
            "s_setprio" | "s_sleep" | "s_sethalt" | "s_trap" if self.count() == 1 => {
                self.immediate(0)?;
                Op::Idle(1)
            }
            "s_icache_inv" | "s_dcache_inv" | "s_dcache_wb" => Op::Idle(1),
            "s_waitcnt" => Op::Wait(wait(self.statement.rest)?),
            "s_waitcnt_depctr" => return Ok(None),
            "s_branch" => Op::Branch(branch(Condition::Always)),
            "s_cbranch_scc0" => Op::Branch(branch(Condition::Scc(false))),
            "s_cbranch_scc1" => Op::Branch(branch(Condition::Scc(true))),
            "s_cbranch_vccz" => Op::Branch(branch(Condition::VccZero(true))),
            "s_cbranch_vccnz" => Op::Branch(branch(Condition::VccZero(false))),
            "s_cbranch_execz" => Op::Branch(branch(Condition::ExecZero(true))),
            "s_cbranch_execnz" => Op::Branch(branch(Condition::ExecZero(false))),
            "s_set_gpr_idx_on" => Op::IndexOn {
                index: self.scalar_from(0, Kind::U32)?,
                operands: self.indexed_operands(1)?,
            },
            "s_set_gpr_idx_off" => Op::IndexOff,
            "s_getreg_b32" => self.get_register()?,
            "s_setreg_b32" | "s_setreg_imm32_b32" => self.set_register()?,
            _ => return Ok(None),
        };
        Ok(Some(match op {
            Op::Branch(Branch { when, .. }) => Op::Branch(Branch { when, target: self.label(0)? }),
            op => op,
        }))
    }

    fn label(&mut self, index: usize) -> Result<usize, String> {
        match self.argument(index)?.operand {
            Operand::Name(name) => {
                let target = self.labels.get(name).copied();
                target.ok_or_else(|| format!("label {name} is not in this kernel"))
            }
            _ => self.unexpected(index, "a label"),
        }
    }

    fn immediate(&mut self, index: usize) -> Result<i64, String> {
        match self.argument(index)?.operand {
            Operand::Integer(value) => Ok(value),
            _ => self.unexpected(index, "an integer"),
        }
    }

    /// The inside of `name(…)`.
    fn call(&mut self, index: usize, name: &str) -> Result<&'a str, String> {
        match self.argument(index)?.operand {
            Operand::Name(text) => text
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('('))
                .and_then(|rest| rest.strip_suffix(')'))
                .ok_or_else(|| format!("{text} is not {name}(…)")),
            _ => self.unexpected(index, name),
        }
    }

    /// `gpr_idx(SRC0,DST)` as bits: sources 0 to 2, then the destination.
    fn indexed_operands(&mut self, index: usize) -> Result<u8, String> {
        let mut operands = 0;
        for name in self.call(index, "gpr_idx")?.split(',') {
            operands |= match name.trim() {
                "SRC0" => 1,
                "SRC1" => 2,
                "SRC2" => 4,
                "DST" => 8,
                name => return Err(format!("gpr_idx({name}) is unknown")),
            };
        }
        self.traits.scalar_writes |= scalar_mask(M0, 1);
        Ok(operands)
    }

    /// The interpreter is one XCD with one shader engine: the registers that say where a wave runs read zero.
    fn get_register(&mut self) -> Result<Op, String> {
        let to = self.scalar_to(0, 1)?;
        let register = self.call(1, "hwreg")?.split(',').next().unwrap_or("").trim();
        match register {
            "HW_REG_XCC_ID" | "HW_REG_HW_ID" | "20" => Ok(Op::GetRegister { to, value: 0 }),
            name => Err(format!("hwreg({name}) is unknown")),
        }
    }

    /// Only the denormal bits of MODE change what is computed here, and only they may be written.
    fn set_register(&mut self) -> Result<Op, String> {
        let parts: Vec<_> = self.call(0, "hwreg")?.split(',').map(str::trim).collect();
        let number = |index: usize| parts.get(index).copied().and_then(integer);
        let value = self.scalar_from(1, Kind::U32)?;
        match (parts[0], number(1), number(2)) {
            ("HW_REG_MODE", Some(bit @ 4..8), Some(size)) if bit + size <= 8 => {
                Ok(Op::SetMode { bit: bit as u32, size: size as u32, value })
            }
            _ => Err(format!("hwreg({}) cannot be written", parts.join(", "))),
        }
    }

    fn scalar(&mut self) -> Result<Option<Op>, String> {
        let mnemonic = self.statement.mnemonic;
        if let Some(compute) = scalar::save_exec(mnemonic) {
            self.traits.scalar_reads |= scalar_mask(EXEC, 2);
            let op = SaveExec {
                compute,
                to: self.scalar_to(0, 2)?,
                from: self.scalar_from(1, Kind::U64)?,
            };
            self.traits.scalar_writes |= scalar_mask(EXEC, 2);
            return Ok(Some(Op::SaveExec(op)));
        }
        if mnemonic.starts_with("s_load_") || mnemonic.starts_with("s_buffer_load_") {
            return self.scalar_load();
        }
        if let Some(compute) = scalar::bit_compare(mnemonic) {
            let kind = self.scalar_kind();
            return Ok(Some(Op::Scalar(Scalar {
                compute,
                to: None,
                a: self.scalar_from(0, kind)?,
                b: self.scalar_from(1, Kind::U32)?,
                reads_scc: false,
                keep_scc: false,
            })));
        }
        let Some(entry) = scalar::lookup(mnemonic) else {
            return Ok(None);
        };
        self.scalar_arithmetic(entry).map(|op| Some(Op::Scalar(op)))
    }

    fn scalar_kind(&self) -> Kind {
        if self.statement.mnemonic.ends_with("64") { Kind::U64 } else { Kind::U32 }
    }

    fn scalar_arithmetic(&mut self, entry: scalar::Entry) -> Result<Scalar, String> {
        let mnemonic = self.statement.mnemonic;
        let kind = self.scalar_kind();
        let to = (entry.result > 0).then(|| self.scalar_to(0, entry.result)).transpose()?;
        let first = usize::from(entry.result > 0);
        let short = mnemonic.contains("k_") && !mnemonic.starts_with("s_pack_");
        let mut a = self.scalar_from(first, kind)?;
        let mut b = ScalarSource::Constant(0);
        let keeps_destination = short && mnemonic != "s_movk_i32" && first == 1
            || mnemonic.starts_with("s_bitset")
            || mnemonic.starts_with("s_cmov_");
        if keeps_destination {
            b = self.scalar_from(0, kind)?;
        } else if self.count() > first + 1 {
            b = self.scalar_from(first + 1, kind)?;
        }
        if short {
            let immediate = if first == 0 { &mut b } else { &mut a };
            if let ScalarSource::Constant(value) = immediate {
                let unsigned = mnemonic.ends_with("_u32");
                *value = if unsigned { *value & 0xffff } else { u64::from(*value as i16 as u32) };
            }
        }
        Ok(Scalar {
            compute: entry.compute,
            to: to.map(|first| (first, entry.result)),
            a,
            b,
            reads_scc: entry.scc == SccUse::Reads,
            keep_scc: entry.scc == SccUse::Keeps,
        })
    }

    fn scalar_load(&mut self) -> Result<Option<Op>, String> {
        let mnemonic = self.statement.mnemonic;
        let buffer = mnemonic.starts_with("s_buffer_");
        let dwords = match mnemonic.rsplit('_').next().unwrap_or("") {
            "dword" => 1,
            "dwordx2" => 2,
            "dwordx4" => 4,
            "dwordx8" => 8,
            "dwordx16" => 16,
            _ => return Ok(None),
        };
        self.statement.modifiers.flag("glc");
        Ok(Some(Op::ScalarLoad(ScalarLoad {
            to: self.scalar_to(0, dwords)?,
            dwords,
            base: self.scalar_registers(1, if buffer { 4 } else { 2 })?,
            offset: self.scalar_from(2, Kind::U32)?,
            extra: self.statement.modifiers.integer("offset")?.unwrap_or(0),
            buffer,
        })))
    }
}

/// Bits of the scalar registers `first..first + count`; those above 127 read hardware state and cannot be written.
pub fn scalar_mask(first: u8, count: u8) -> u128 {
    if first >= 128 {
        return 0;
    }
    ((1u128 << count) - 1) << first
}

/// A constant as the register contents it stands for.
fn constant(operand: Operand<'_>, kind: Kind) -> Option<u64> {
    let value = match (operand, kind) {
        (Operand::Integer(value @ -16..=64), Kind::F64) => value as u64,
        (Operand::Integer(value), Kind::F64) => u64::from(value as u32) << 32,
        (Operand::Integer(value), Kind::U64) => value as u64,
        (Operand::Integer(value), _) => u64::from(value as u32),
        (Operand::Float(value), Kind::F64 | Kind::U64) => value.to_bits(),
        (Operand::Float(value), Kind::F16 | Kind::F16x2) => {
            u64::from(f16::from_f64(value).to_bits())
        }
        (Operand::Float(value), _) => u64::from((value as f32).to_bits()),
        _ => return None,
    };
    Some(value)
}

/// `vmcnt(0) lgkmcnt(1)`, or the number that encodes them.
fn wait(text: &str) -> Result<Wait, String> {
    if let Some(code) = integer(text) {
        let vector = (code & 15 | (code >> 14 & 3) << 4) as u32;
        let scalar_and_lds = (code >> 8 & 15) as u32;
        return Ok(Wait {
            vector: (vector < 63).then_some(vector),
            scalar_and_lds: (scalar_and_lds < 15).then_some(scalar_and_lds),
        });
    }
    let mut wait = Wait { vector: None, scalar_and_lds: None };
    for part in split_outside(&text.replace(['&', ','], " "), ' ') {
        let (counter, value) = part.trim_end_matches(')').split_once('(').unwrap_or((part, ""));
        let value = integer(value).ok_or_else(|| format!("counter {part} has no value"))? as u32;
        let most = match counter {
            "vmcnt" => 63,
            "lgkmcnt" => 15,
            "expcnt" => 7,
            _ => return Err(format!("unknown counter {counter}")),
        };
        if value > most {
            // The assembler refuses it too, but only what runs on hardware is assembled.
            return Err(format!("counter {counter} holds at most {most}, not {value}"));
        }
        match counter {
            "vmcnt" => wait.vector = Some(value),
            "lgkmcnt" => wait.scalar_and_lds = Some(value),
            // Nothing here counts exports.
            _ => {}
        }
    }
    Ok(wait)
}

/// The registers of VCC.
pub fn vcc_mask() -> u128 {
    scalar_mask(VCC, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(line: &str, want: &str) {
        let error = decode(Statement::parse(line), Arch::Gfx942, &HashMap::new());
        assert_eq!(error.err().as_deref(), Some(want), "{line}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        check_error("v_frobnicate_b32 v0, v1", "unknown instruction v_frobnicate_b32");
        check_error("global_load_dword v0, v[2:3], off glc", "unknown modifier glc");
        check_error("v_mov_b32_e32 v0, foo", "operand 2 is not a register or constant");
        check_error("v_add_f32_e32 v0, v1", "operand 3 is missing");
        check_error("s_branch .Lnowhere", "label .Lnowhere is not in this kernel");
        check_error("v_add_f32_e32 v0, v1, v2, v3", "operand 4 is not understood");
        check_error("s_swappc_b64 s[0:1], s[2:3]", "unknown instruction s_swappc_b64");
        check_error("s_waitcnt loadcnt(0)", "unknown counter loadcnt");
        check_error("s_waitcnt lgkmcnt(16)", "counter lgkmcnt holds at most 15, not 16");
    }

    #[test]
    fn encoded_waits_are_read() {
        let encoded = wait("0xf70").unwrap();
        assert_eq!((encoded.vector, encoded.scalar_and_lds), (Some(0), None));
        let written = wait("vmcnt(3) & lgkmcnt(0)").unwrap();
        assert_eq!((written.vector, written.scalar_and_lds), (Some(3), Some(0)));
    }

    #[test]
    fn constants_follow_the_kind() {
        assert_eq!(constant(Operand::Float(1.0), Kind::F64), Some(1f64.to_bits()));
        assert_eq!(constant(Operand::Integer(-1), Kind::U32), Some(0xffff_ffff));
        assert_eq!(constant(Operand::Integer(0x4010_0000), Kind::F64), Some(0x4010_0000 << 32));
        assert_eq!(constant(Operand::Float(1.0), Kind::F16), Some(0x3c00));
    }
}
