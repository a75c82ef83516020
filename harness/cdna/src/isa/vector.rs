//! Decodes vector arithmetic with its modifiers: DPP, SDWA, op_sel, clamp, omod.

use super::decode::{Decoder, scalar_mask, vcc_mask};
use super::*;
use crate::asm::Encoding;
use crate::asm::operand::EXEC;

/// What a mnemonic's table says: kinds of sources and result, and how to compute.
struct Entry {
    kind: Kind,
    result: Kind,
    compute: Compute,
}

impl Decoder<'_, '_> {
    pub fn vector(&mut self) -> Result<Option<Op>, String> {
        let mnemonic = self.statement.mnemonic;
        self.traits.unit = unit(mnemonic);
        if let Some(op) = self.lane_access()? {
            return Ok(Some(op));
        }
        if let Some(compute) = float::packed_single(mnemonic) {
            return self.pair(compute).map(Some);
        }
        if let Some(op) = self.carry()? {
            return Ok(Some(op));
        }
        let op = match mnemonic {
            "v_nop" => Op::Idle(1),
            "v_cndmask_b32" => self.select()?,
            "v_div_scale_f32" => self.divide_scale(Kind::F32)?,
            "v_div_scale_f64" => self.divide_scale(Kind::F64)?,
            "v_fma_mix_f32" | "v_fma_mixlo_f16" | "v_fma_mixhi_f16" => self.mix()?,
            "v_bitop3_b32" => self.bitop3()?,
            "v_pk_mov_b32" => self.move_pair()?,
            _ => {
                let writes_exec = mnemonic.starts_with("v_cmpx_");
                let Some(entry) = self.lookup(&mnemonic.replacen("v_cmpx_", "v_cmp_", 1)) else {
                    return Ok(None);
                };
                match entry.compute {
                    Compute::Compare(_) | Compute::CompareWide(_) => {
                        self.compare(entry, writes_exec)?
                    }
                    _ => Op::Vector(self.plain(entry)?),
                }
            }
        };
        Ok(Some(op))
    }

    fn lookup(&self, mnemonic: &str) -> Option<Entry> {
        if let Some((kind, compute)) = float::lookup(mnemonic).or_else(|| integer::lookup(mnemonic))
        {
            return Some(Entry { kind, result: kind, compute });
        }
        let (kind, result, compute) = convert::lookup(mnemonic, self.arch)?;
        Some(Entry { kind, result, compute })
    }

    /// Destination, sources, modifiers: the form of most instructions.
    fn plain(&mut self, entry: Entry) -> Result<Vector, String> {
        let mnemonic = self.statement.mnemonic;
        // The 64-bit multiply-adds name a carry that nobody reads.
        let skip =
            usize::from(mnemonic.starts_with("v_mad_u64") || mnemonic.starts_with("v_mad_i64"));
        if skip == 1 {
            self.scalar_to(1, 2)?;
        }
        let to = self.write(0, entry.compute.result_dwords())?;
        let mut sources = [NO_SOURCE; 3];
        let accumulates = ["v_fmac_", "v_mac_"].iter().any(|prefix| mnemonic.starts_with(prefix));
        let wanted = entry.compute.sources();
        let given = wanted - usize::from(accumulates);
        for (index, source) in sources.iter_mut().take(given).enumerate() {
            *source = self.source(index + 1 + skip, entry.kind)?;
        }
        if accumulates {
            sources[given] = self.source(0, entry.kind)?;
        }
        if mnemonic.starts_with("v_div_fmas") {
            self.traits.scalar_reads |= vcc_mask();
        }
        let extras = self.extras(&entry, given)?;
        if let Some(Dpp { .. }) = extras.as_ref().and_then(|extras| extras.dpp) {
            self.traits.vector_reads.push((to, 1));
        }
        Ok(Vector {
            compute: entry.compute,
            to,
            sources,
            kind: entry.kind,
            result: entry.result,
            upward: entry.kind == Kind::U64 && !mnemonic.contains("shrrev"),
            extras,
        })
    }

    fn extras(&mut self, entry: &Entry, sources: usize) -> Result<Option<Box<Extras>>, String> {
        let mut extras = Extras { dpp: self.dpp()?, ..Extras::default() };
        if entry.kind == Kind::F16x2 || self.statement.mnemonic.starts_with("v_pk_") {
            self.packed_halves(&mut extras, sources)?;
        } else if self.statement.encoding == Encoding::Sdwa {
            self.sdwa(&mut extras)?;
        } else {
            self.op_sel(&mut extras, sources)?;
        }
        let modifiers = &mut self.statement.modifiers;
        extras.clamp = modifiers.flag("clamp");
        if extras.clamp && !matches!(entry.result, Kind::F16 | Kind::F32 | Kind::F64) {
            return Err("clamp of an integer is not known".into());
        }
        extras.scale = match (modifiers.take("mul"), modifiers.take("div")) {
            (None, None) => 0,
            (Some("2"), None) => 1,
            (Some("4"), None) => 2,
            (None, Some("2")) => -1,
            _ => return Err("output modifier is not mul:2, mul:4 or div:2".into()),
        };
        self.traits.dpp = extras.dpp.is_some();
        self.traits.partial_write = matches!(extras.insert, Insert::Part { .. });
        let plain = extras.dpp.is_none()
            && extras.transforms == [Transform::None; 3]
            && extras.insert == Insert::Whole
            && !extras.clamp
            && extras.scale == 0;
        Ok((!plain).then(|| Box::new(extras)))
    }

    fn packed_halves(&mut self, extras: &mut Extras, sources: usize) -> Result<(), String> {
        let modifiers = &mut self.statement.modifiers;
        let low = modifiers.list("op_sel", 0)?.unwrap_or([0; 4]);
        let high = modifiers.list("op_sel_hi", 1)?.unwrap_or([1; 4]);
        let neg_low = modifiers.list("neg_lo", 0)?.unwrap_or([0; 4]);
        let neg_high = modifiers.list("neg_hi", 0)?.unwrap_or([0; 4]);
        for index in 0..sources {
            let negate = u32::from(neg_low[index]) << 15 | u32::from(neg_high[index]) << 31;
            if (low[index], high[index], negate) != (0, 1, 0) {
                extras.transforms[index] = Transform::Halves {
                    low: 16 * u32::from(low[index]),
                    high: 16 * u32::from(high[index]),
                    negate,
                };
            }
        }
        Ok(())
    }

    /// op_sel of a 16-bit instruction: a half a source, then the half of the destination.
    fn op_sel(&mut self, extras: &mut Extras, sources: usize) -> Result<(), String> {
        let mnemonic = self.statement.mnemonic;
        let list = self.statement.modifiers.list("op_sel", 0)?;
        let select = list.unwrap_or([0; 4]);
        if mnemonic.starts_with("v_cvt_pk_") && mnemonic.ends_with("8_f32") {
            let shift = 16 * u32::from(select[2] | select[3]);
            extras.insert = Insert::Part { shift, bits: 16, rest: Rest::Keep };
        } else if mnemonic.starts_with("v_cvt_sr_") {
            let shift = 8 * u32::from(select[2] + 2 * select[3]);
            extras.insert = Insert::Part { shift, bits: 8, rest: Rest::Keep };
        } else if list.is_some() {
            for (transform, _) in
                extras.transforms[..sources].iter_mut().zip(select).filter(|(_, half)| *half == 1)
            {
                *transform = Transform::Part { shift: 16, bits: 16, signed: false };
            }
            if select[sources.min(3)] == 1 {
                extras.insert = Insert::Part { shift: 16, bits: 16, rest: Rest::Keep };
            }
        }
        Ok(())
    }

    fn sdwa(&mut self, extras: &mut Extras) -> Result<(), String> {
        for (index, name) in ["src0_sel", "src1_sel"].into_iter().enumerate() {
            let position = index + 1 + usize::from(self.is_carry());
            let signed = self.statement.arguments.get(position).is_some_and(|a| a.sext);
            if let Some((shift, bits)) = self.part(name)? {
                extras.transforms[index] = Transform::Part { shift, bits, signed };
            }
        }
        let rest = match self.statement.modifiers.take("dst_unused") {
            None | Some("UNUSED_PAD") => Rest::Zero,
            Some("UNUSED_SEXT") => Rest::Sign,
            Some("UNUSED_PRESERVE") => Rest::Keep,
            Some(other) => return Err(format!("dst_unused:{other}")),
        };
        if let Some((shift, bits)) = self.part("dst_sel")? {
            extras.insert = Insert::Part { shift, bits, rest };
        }
        Ok(())
    }

    fn is_carry(&self) -> bool {
        self.statement.mnemonic.contains("_co_")
    }

    fn part(&mut self, name: &str) -> Result<Option<(u32, u32)>, String> {
        Ok(match self.statement.modifiers.take(name) {
            None | Some("DWORD") => None,
            Some("BYTE_0") => Some((0, 8)),
            Some("BYTE_1") => Some((8, 8)),
            Some("BYTE_2") => Some((16, 8)),
            Some("BYTE_3") => Some((24, 8)),
            Some("WORD_0") => Some((0, 16)),
            Some("WORD_1") => Some((16, 16)),
            Some(other) => return Err(format!("{name}:{other}")),
        })
    }

    fn dpp(&mut self) -> Result<Option<Dpp>, String> {
        if self.statement.encoding != Encoding::Dpp {
            return Ok(None);
        }
        let modifiers = &mut self.statement.modifiers;
        let mut control = None;
        if let Some(lanes) = modifiers.list("quad_perm", 0)? {
            control = Some(DppControl::QuadPermute(lanes.map(|lane| lane & 3)));
        }
        let shifts: [(&str, RowControl); 4] = [
            ("row_shl", DppControl::RowShiftLeft),
            ("row_shr", DppControl::RowShiftRight),
            ("row_ror", DppControl::RowRotate),
            ("row_newbcast", DppControl::RowNewBroadcast),
        ];
        for (name, make) in shifts {
            if let Some(by) = modifiers.integer(name)? {
                control = Some(make(by as u8 & 15));
            }
        }
        for (name, by, rotate) in [
            ("wave_shl", 1, false),
            ("wave_rol", 1, true),
            ("wave_shr", -1, false),
            ("wave_ror", -1, true),
        ] {
            if modifiers.flag(name) {
                control = Some(DppControl::WaveShift { by, rotate });
            }
        }
        match modifiers.integer("row_bcast")? {
            Some(15) => control = Some(DppControl::RowBroadcast15),
            Some(31) => control = Some(DppControl::RowBroadcast31),
            Some(other) => return Err(format!("row_bcast:{other}")),
            None => {}
        }
        if modifiers.flag("row_mirror") {
            control = Some(DppControl::RowMirror);
        }
        if modifiers.flag("row_half_mirror") {
            control = Some(DppControl::RowHalfMirror);
        }
        let row_mask = modifiers.integer("row_mask")?.unwrap_or(15) as u8;
        let bank_mask = modifiers.integer("bank_mask")?.unwrap_or(15) as u8;
        let bound_control = modifiers.flag("bound_ctrl");
        let control = control.ok_or("the DPP control is unknown")?;
        Ok(Some(Dpp { control, row_mask, bank_mask, bound_control }))
    }

    fn compare(&mut self, entry: Entry, writes_exec: bool) -> Result<Op, String> {
        let to = self.scalar_to(0, 2)?;
        if writes_exec {
            self.traits.scalar_writes |= scalar_mask(EXEC, 2);
        }
        // The class mask of v_cmp_class_f64 is an integer.
        let second =
            if self.statement.mnemonic.contains("_class_") { Kind::U32 } else { entry.kind };
        let sources = [self.source(1, entry.kind)?, self.source(2, second)?];
        let mut extras = Extras::default();
        if self.statement.encoding == Encoding::Sdwa {
            self.sdwa(&mut extras)?;
        }
        Ok(Op::Compare(Compare {
            compute: entry.compute,
            to,
            writes_exec,
            sources,
            kind: entry.kind,
            transforms: [extras.transforms[0], extras.transforms[1]],
        }))
    }

    fn select(&mut self) -> Result<Op, String> {
        let entry = Entry {
            kind: Kind::U32,
            result: Kind::U32,
            compute: Compute::Two(|out, _, b| *out = *b),
        };
        let mask = self.scalar_registers(3, 2)?;
        Ok(Op::Select(Select { vector: self.plain(entry)?, mask }))
    }

    fn carry(&mut self) -> Result<Option<Op>, String> {
        let compute: fn(u32, u32, bool) -> (u32, bool) = match self.statement.mnemonic {
            "v_add_co_u32" | "v_addc_co_u32" => |a, b, c| {
                let sum = u64::from(a) + u64::from(b) + u64::from(c);
                (sum as u32, sum >> 32 != 0)
            },
            "v_sub_co_u32" | "v_subb_co_u32" => |a, b, c| borrow(a, b, c),
            "v_subrev_co_u32" | "v_subbrev_co_u32" => |a, b, c| borrow(b, a, c),
            _ => return Ok(None),
        };
        let takes = matches!(
            self.statement.mnemonic,
            "v_addc_co_u32" | "v_subb_co_u32" | "v_subbrev_co_u32"
        );
        Ok(Some(Op::Carry(Carry {
            compute,
            to: self.write(0, 1)?,
            carry_out: self.scalar_to(1, 2)?,
            sources: [self.source(2, Kind::U32)?, self.source(3, Kind::U32)?],
            carry_in: takes.then(|| self.scalar_registers(4, 2)).transpose()?,
        })))
    }

    fn divide_scale(&mut self, kind: Kind) -> Result<Op, String> {
        let compute = match kind {
            Kind::F64 => Compute::Wide(|out, a, _, _| *out = *a, 1, 2),
            _ => Compute::One(|out, a| *out = *a),
        };
        let flags = self.scalar_to(1, 2)?;
        let source = self.source(2, kind)?;
        self.source(3, kind)?;
        self.source(4, kind)?;
        let vector = Vector {
            compute,
            to: self.write(0, compute.result_dwords())?,
            sources: [source, NO_SOURCE, NO_SOURCE],
            kind,
            result: kind,
            upward: false,
            extras: None,
        };
        Ok(Op::DivideScale(vector, flags))
    }

    /// f32 fused multiply-add whose sources and result may be f16.
    fn mix(&mut self) -> Result<Op, String> {
        let mnemonic = self.statement.mnemonic;
        let halves = self.statement.modifiers.list("op_sel", 0)?.unwrap_or([0; 4]);
        let narrow = self.statement.modifiers.list("op_sel_hi", 0)?.unwrap_or([0; 4]);
        let to = self.write(0, 1)?;
        let mut extras = Extras::default();
        let mut sources = [NO_SOURCE; 3];
        for (index, source) in sources.iter_mut().enumerate() {
            *source = self.source(index + 1, Kind::F32)?;
            if narrow[index] == 1 {
                extras.transforms[index] =
                    Transform::Widen { shift: 16 * u32::from(halves[index]) };
            }
        }
        let compute = if mnemonic == "v_fma_mix_f32" {
            float::lookup("v_fma_f32").map(|(_, compute)| compute)
        } else {
            let shift = if mnemonic == "v_fma_mixhi_f16" { 16 } else { 0 };
            extras.insert = Insert::Part { shift, bits: 16, rest: Rest::Keep };
            self.traits.partial_write = true;
            Some(Compute::Three(|out, a, b, c| {
                lanes::three(out, a, b, c, |a, b, c| {
                    let [a, b, c] = [a, b, c].map(f32::from_bits);
                    crate::number::to_f16(crate::number::fma(a, b, c))
                });
            }))
        };
        extras.clamp = self.statement.modifiers.flag("clamp") && mnemonic == "v_fma_mix_f32";
        Ok(Op::Vector(Vector {
            compute: compute.ok_or("v_fma_f32 is not in the table")?,
            to,
            sources,
            kind: Kind::F32,
            result: Kind::F32,
            upward: false,
            extras: Some(Box::new(extras)),
        }))
    }

    /// Each truth table has its own function, so that execution looks at none.
    fn bitop3(&mut self) -> Result<Op, String> {
        let table = self.statement.modifiers.integer("bitop3")?.unwrap_or(0);
        let compute = BITOP3.get(table as usize).copied();
        let entry = Entry {
            kind: Kind::U32,
            result: Kind::U32,
            compute: Compute::Three(compute.ok_or_else(|| format!("bitop3:{table:#x}"))?),
        };
        Ok(Op::Vector(self.plain(entry)?))
    }

    /// A packed f32 instruction is two f32 instructions that choose their source registers one by one.
    fn pair(&mut self, compute: Compute) -> Result<Op, String> {
        let modifiers = &mut self.statement.modifiers;
        let select = [
            modifiers.list("op_sel", 0)?.unwrap_or([0; 4]),
            modifiers.list("op_sel_hi", 1)?.unwrap_or([1; 4]),
        ];
        let negate = [
            modifiers.list("neg_lo", 0)?.unwrap_or([0; 4]),
            modifiers.list("neg_hi", 0)?.unwrap_or([0; 4]),
        ];
        let to = self.write(0, 2)?;
        let mut named = [NO_SOURCE; 3];
        for (index, source) in named.iter_mut().take(compute.sources()).enumerate() {
            *source = self.source(index + 1, Kind::F32)?;
        }
        let half = |half: usize| Vector {
            compute,
            to: to + half as u16,
            sources: std::array::from_fn(|index| {
                let high = select[half][index] == 1;
                named[index].half(high, negate[half][index] == 1)
            }),
            kind: Kind::F32,
            result: Kind::F32,
            upward: false,
            extras: None,
        };
        Ok(Op::Pair(Box::new([half(0), half(1)])))
    }

    /// Of each source one register.
    fn move_pair(&mut self) -> Result<Op, String> {
        let Some(Entry { kind, result, compute }) = self.lookup("v_mov_b32") else {
            return Err("v_mov_b32 is unknown".to_owned());
        };
        let select = self.statement.modifiers.list("op_sel", 0)?.unwrap_or([0; 4]);
        // It says nothing: each source gives one register.
        self.statement.modifiers.list("op_sel_hi", 1)?;
        let to = self.write(0, 2)?;
        let named = [self.source(1, Kind::F32)?, self.source(2, Kind::F32)?];
        let half = |half: usize| Vector {
            compute,
            to: to + half as u16,
            sources: [named[half].half(select[half] == 1, false), NO_SOURCE, NO_SOURCE],
            kind,
            result,
            upward: false,
            extras: None,
        };
        Ok(Op::Pair(Box::new([half(0), half(1)])))
    }

    fn lane_access(&mut self) -> Result<Option<Op>, String> {
        let op = match self.statement.mnemonic {
            "v_readfirstlane_b32" => {
                Op::ReadLane { to: self.scalar_to(0, 1)?, from: self.read(1, 1)?, lane: None }
            }
            "v_readlane_b32" => {
                let lane = self.lane_select(2)?;
                Op::ReadLane { to: self.scalar_to(0, 1)?, from: self.read(1, 1)?, lane: Some(lane) }
            }
            "v_writelane_b32" => {
                let lane = self.lane_select(2)?;
                let value = self.scalar_from(1, Kind::U32)?;
                Op::WriteLane { to: self.write(0, 1)?, value, lane }
            }
            "v_permlane16_swap_b32" => self.lane_swap(16)?,
            "v_permlane32_swap_b32" => self.lane_swap(32)?,
            "v_swap_b32" => self.lane_swap(64)?,
            _ => return Ok(None),
        };
        Ok(Some(op))
    }

    fn lane_select(&mut self, index: usize) -> Result<ScalarSource, String> {
        let lane = self.scalar_from(index, Kind::U32)?;
        if let ScalarSource::Register { first, count } = lane {
            self.traits.lane_select = scalar_mask(first, count);
        }
        Ok(lane)
    }

    fn lane_swap(&mut self, block: usize) -> Result<Op, String> {
        self.write(0, 1)?;
        self.write(1, 1)?;
        Ok(Op::LaneSwap { a: self.read(0, 1)?, b: self.read(1, 1)?, block })
    }
}

pub const NO_SOURCE: Source =
    Source { place: Place::Constant(0), width: 1, keep: u32::MAX, flip: 0 };

impl Source {
    /// One half of a 64-bit operand; a 32-bit operand and a constant have only one.
    fn half(self, high: bool, negate: bool) -> Self {
        let place = match self.place {
            Place::Vector(first) if high && self.width > 1 => Place::Vector(first + 1),
            Place::Scalar(first) if high && self.width > 1 => Place::Scalar(first + 1),
            place => place,
        };
        let flip = if negate { 0x8000_0000 } else { 0 };
        Self { place, width: 1, flip: self.flip ^ flip, ..self }
    }
}

fn borrow(a: u32, b: u32, carry: bool) -> (u32, bool) {
    let subtrahend = u64::from(b) + u64::from(carry);
    (u64::from(a).wrapping_sub(subtrahend) as u32, subtrahend > u64::from(a))
}

fn unit(mnemonic: &str) -> Unit {
    let transcendental = ["exp", "log", "rcp", "rsq", "sqrt", "sin", "cos"];
    let name = mnemonic.split('_').nth(1).unwrap_or("");
    if transcendental.contains(&name) { Unit::Transcendental } else { Unit::Vector }
}

/// A DPP control that takes a number of lanes.
type RowControl = fn(u8) -> DppControl;

type Ternary = fn(&mut Lanes, &Lanes, &Lanes, &Lanes);

/// A function for each of the 256 truth tables.
const BITOP3: [Ternary; 256] = {
    macro_rules! rows {
        ($($high:literal)*) => { [$(row::<$high>()),*] };
    }
    const fn row<const HIGH: u32>() -> [Ternary; 16] {
        macro_rules! entries {
            ($($low:literal)*) => {
                [$(|out, a, b, c| lanes::three(out, a, b, c, |a, b, c| integer::bitop3(16 * HIGH + $low, a, b, c))),*]
            };
        }
        entries!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }
    let rows = rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    let mut table = [rows[0][0]; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = rows[code / 16][code % 16];
        code += 1;
    }
    table
};
