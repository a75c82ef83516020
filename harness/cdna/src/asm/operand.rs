//! Operands and modifiers of one instruction, as written.
//! Knows the assembler's syntax and register numbers; knows no mnemonic.

/// A register, a constant or a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand<'a> {
    Vector {
        first: u16,
        count: u16,
    },
    Accumulator {
        first: u16,
        count: u16,
    },
    Scalar {
        first: u8,
        count: u8,
    },
    Integer(i64),
    Float(f64),
    /// `off` or `null`: the operand is not there.
    Off,
    /// A label, `hwreg(…)`, `gpr_idx(…)` or a symbol.
    Name(&'a str),
}

/// An operand with its source modifiers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument<'a> {
    pub operand: Operand<'a>,
    pub neg: bool,
    pub abs: bool,
    pub sext: bool,
}

pub const VCC: u8 = 106;
pub const M0: u8 = 124;
pub const EXEC: u8 = 126;
pub const SHARED_BASE: u8 = 235;
pub const PRIVATE_BASE: u8 = 237;
pub const VCCZ: u8 = 251;
pub const EXECZ: u8 = 252;
pub const SCC: u8 = 253;

/// Scalar registers that have names: (name, first, count).
const NAMED: &[(&str, u8, u8)] = &[
    ("vcc", VCC, 2),
    ("vcc_lo", VCC, 1),
    ("vcc_hi", VCC + 1, 1),
    ("exec", EXEC, 2),
    ("exec_lo", EXEC, 1),
    ("exec_hi", EXEC + 1, 1),
    ("m0", M0, 1),
    ("flat_scratch", 102, 2),
    ("flat_scratch_lo", 102, 1),
    ("flat_scratch_hi", 103, 1),
    ("xnack_mask", 104, 2),
    ("src_shared_base", SHARED_BASE, 2),
    ("src_private_base", PRIVATE_BASE, 2),
    ("vccz", VCCZ, 1),
    ("execz", EXECZ, 1),
    ("scc", SCC, 1),
    ("src_vccz", VCCZ, 1),
    ("src_execz", EXECZ, 1),
    ("src_scc", SCC, 1),
];

impl<'a> Argument<'a> {
    pub fn parse(text: &'a str) -> Self {
        let mut text = text.trim();
        let (mut neg, mut abs, mut sext) = (false, false, false);
        if let Some(rest) = text.strip_prefix('-').filter(|_| number(text).is_none()) {
            neg = true;
            text = rest;
        }
        for (prefix, suffix) in [("|", "|"), ("abs(", ")"), ("sext(", ")"), ("neg(", ")")] {
            let inner = text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
            let Some(inner) = inner else { continue };
            match prefix {
                "sext(" => sext = true,
                "neg(" => neg = true,
                _ => abs = true,
            }
            text = inner;
        }
        Self { operand: Operand::parse(text), neg, abs, sext }
    }
}

impl<'a> Operand<'a> {
    fn parse(text: &'a str) -> Self {
        if matches!(text, "off" | "null") {
            return Self::Off;
        }
        if let Some(&(_, first, count)) = NAMED.iter().find(|(name, ..)| *name == text) {
            return Self::Scalar { first, count };
        }
        if let Some((first, count)) = register(text, "v") {
            return Self::Vector { first, count };
        }
        if let Some((first, count)) = register(text, "a") {
            return Self::Accumulator { first, count };
        }
        if let Some((first, count)) = register(text, "s") {
            return Self::Scalar { first: first as u8, count: count as u8 };
        }
        number(text).unwrap_or(Self::Name(text))
    }

    /// Whether this operand is held in vector registers.
    pub fn is_vector(&self) -> bool {
        matches!(self, Self::Vector { .. } | Self::Accumulator { .. })
    }
}

/// `v7`, `v[2:3]`, `v[0x5a:0x5d]` → first register and count.
fn register(text: &str, prefix: &str) -> Option<(u16, u16)> {
    let rest = text.strip_prefix(prefix)?;
    let Some(range) = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')) else {
        return rest.parse().ok().map(|first| (first, 1));
    };
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    let (first, last) = (integer(first)?, integer(last)?);
    let count = u16::try_from(last.checked_sub(first)? + 1).ok()?;
    Some((u16::try_from(first).ok()?, count))
}

fn number<'a>(text: &str) -> Option<Operand<'a>> {
    if let Some(value) = integer(text) {
        return Some(Operand::Integer(value));
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    text.parse().ok().filter(|_| numeric).map(Operand::Float)
}

/// Decimal or hexadecimal, with an optional minus.
pub fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as i64,
        None => digits.parse().ok()?,
    };
    Some(if negative { -value } else { value })
}

/// The modifiers of one instruction. Decoding takes what it understands; what is left is an error.
#[derive(Clone, Debug, Default)]
pub struct Modifiers<'a> {
    items: Vec<(&'a str, &'a str)>,
}

impl<'a> Modifiers<'a> {
    pub fn push(&mut self, token: &'a str) {
        self.items.push(token.split_once(':').unwrap_or((token, "")));
    }

    pub fn take(&mut self, name: &str) -> Option<&'a str> {
        let position = self.items.iter().position(|(key, _)| *key == name)?;
        Some(self.items.remove(position).1)
    }

    pub fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    /// A modifier with an integer value; `Err` carries the modifier as written.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => integer(value).map(Some).ok_or_else(|| format!("{name}:{value}")),
        }
    }

    /// A modifier whose value is a list such as `[0,1,1]`, missing elements being `default`.
    pub fn list(&mut self, name: &str, default: u8) -> Result<Option<[u8; 4]>, String> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let mut list = [default; 4];
        let inner = value.trim_matches(|c| c == '[' || c == ']');
        for (slot, item) in inner.split(',').enumerate() {
            let item = item.trim().parse().ok().filter(|_| slot < 4);
            list[slot.min(3)] = item.ok_or_else(|| format!("{name}:{value}"))?;
        }
        Ok(Some(list))
    }

    /// The first modifier nobody has taken.
    pub fn remaining(&self) -> Option<String> {
        self.items.first().map(|(name, value)| {
            if value.is_empty() { (*name).to_owned() } else { format!("{name}:{value}") }
        })
    }
}

/// Splits at `separator` outside brackets and parentheses.
pub fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        c == separator && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Operand<'_>) {
        assert_eq!(Argument::parse(text).operand, want, "{text}");
    }

    #[test]
    fn operands_are_recognised() {
        check("v[0x5a:0x5d]", Operand::Vector { first: 90, count: 4 });
        check("a7", Operand::Accumulator { first: 7, count: 1 });
        check("vcc", Operand::Scalar { first: 106, count: 2 });
        check("s[2:3]", Operand::Scalar { first: 2, count: 2 });
        check("-16", Operand::Integer(-16));
        check("0xff800000", Operand::Integer(0xff80_0000));
        check("-0.5", Operand::Float(-0.5));
        check(".LBB0_4", Operand::Name(".LBB0_4"));
        check("-|v3|", Operand::Vector { first: 3, count: 1 });
        check("infinity", Operand::Name("infinity"));
    }

    #[test]
    fn source_modifiers_are_separated() {
        let argument = Argument::parse("-|v3|");
        assert!(argument.neg && argument.abs && !argument.sext);
        assert!(Argument::parse("sext(v1)").sext);
        assert!(!Argument::parse("-4.0").neg);
    }

    #[test]
    fn brackets_protect_separators() {
        let parts: Vec<_> = split_outside("v3, v1 quad_perm:[1,0,3,2], s0", ',').collect();
        assert_eq!(parts, ["v3", "v1 quad_perm:[1,0,3,2]", "s0"]);
    }

    #[test]
    fn a_modifier_nobody_took_remains() {
        let mut modifiers = Modifiers::default();
        modifiers.push("offset:16");
        modifiers.push("glc");
        assert_eq!(modifiers.integer("offset"), Ok(Some(16)));
        assert_eq!(modifiers.remaining().as_deref(), Some("glc"));
    }
}
