//! Decodes matrix instructions: shape, element formats, scales, and how many passes they take.

use super::decode::Decoder;
use super::*;
use crate::arch::Arch;
use crate::number::{E2M1, E2M3, E3M2, E4M3, E5M2};

impl Decoder<'_, '_> {
    pub fn matrix(&mut self) -> Result<Option<Op>, String> {
        let name = self.statement.mnemonic.trim_start_matches("v_mfma_");
        let (name, scaled) = match name.strip_prefix("scale_") {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let Some((size, depth, blocks, elements)) = shape(name) else {
            return Ok(None);
        };
        let Some([a_element, b_element]) = self.elements(elements)? else {
            return Ok(None);
        };
        for modifier in ["cbsz", "abid", "blgp"] {
            if self.statement.modifiers.integer(modifier)?.unwrap_or(0) != 0 {
                return Err(format!("{modifier} of {name} is not known"));
            }
        }
        let output = if a_element == Element::F64 { 2 } else { 1 };
        let results = (size * size * blocks / 64) as u16 * output;
        let operand = |element: Element| operand_dwords(element, size, depth, blocks);
        let slow = matches!(a_element, Element::F32 | Element::F64);
        self.traits.unit = if slow { Unit::SlowMatrix } else { Unit::Matrix };
        self.traits.passes = passes(size, depth, blocks, a_element, b_element, self.arch);
        let (a, b) = (self.read(1, operand(a_element))?, self.read(2, operand(b_element))?);
        let c = self.addend(results)?;
        let scales = scaled.then(|| self.scales()).transpose()?;
        Ok(Some(Op::Matrix(Box::new(Matrix {
            size,
            depth,
            blocks,
            a_element,
            b_element,
            to: self.write(0, results)?,
            a,
            b,
            c,
            scales,
        }))))
    }

    fn addend(&mut self, results: u16) -> Result<Place, String> {
        if self.argument(3)?.operand.is_vector() {
            let first = self.read(3, results)?;
            self.traits.addend = Some((first, results));
            return Ok(Place::Vector(first));
        }
        let kind = if self.statement.mnemonic.contains("_f64_") { Kind::F64 } else { Kind::F32 };
        Ok(self.source(3, kind)?.place)
    }

    fn scales(&mut self) -> Result<[(Source, u32); 2], String> {
        let low = self.statement.modifiers.list("op_sel", 0)?.unwrap_or([0; 4]);
        let high = self.statement.modifiers.list("op_sel_hi", 1)?.unwrap_or([1; 4]);
        let byte = |index: usize| u32::from(low[index]) + 2 * u32::from(high[index]);
        Ok([(self.source(4, Kind::U32)?, byte(0)), (self.source(5, Kind::U32)?, byte(1))])
    }

    /// The formats of A and B; those of the f8f6f4 instructions stand in cbsz and blgp.
    fn elements(&mut self, name: &str) -> Result<Option<[Element; 2]>, String> {
        let (fp8, bf8) = (Element::Mini(self.arch.fp8(), 8), Element::Mini(self.arch.bf8(), 8));
        Ok(Some(match name {
            "f64" => [Element::F64; 2],
            "f32" => [Element::F32; 2],
            "xf32" => [Element::Xf32; 2],
            "f16" => [Element::F16; 2],
            "bf16" | "bf16_1k" => [Element::Bf16; 2],
            "i8" => [Element::I8; 2],
            "fp8_fp8" => [fp8, fp8],
            "fp8_bf8" => [fp8, bf8],
            "bf8_fp8" => [bf8, fp8],
            "bf8_bf8" => [bf8, bf8],
            "f8f6f4" => {
                let a = self.statement.modifiers.integer("cbsz")?.unwrap_or(0);
                let b = self.statement.modifiers.integer("blgp")?.unwrap_or(0);
                [narrow(a)?, narrow(b)?]
            }
            _ => return Ok(None),
        }))
    }
}

fn narrow(code: i64) -> Result<Element, String> {
    Ok(match code {
        0 => Element::Mini(E4M3, 8),
        1 => Element::Mini(E5M2, 8),
        2 => Element::Mini(E2M3, 6),
        3 => Element::Mini(E3M2, 6),
        4 => Element::Mini(E2M1, 4),
        _ => return Err(format!("element format {code} is not known")),
    })
}

/// `f32_32x32x4_2b_f16` → size, depth, blocks, element name.
fn shape(name: &str) -> Option<(usize, usize, usize, &str)> {
    let (_result, rest) = name.split_once('_')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != 'x')?;
    let (shape, mut elements) = rest.split_at(digits);
    // The older spelling has no underscore before the format, whose x then belongs to it: 16x16x8xf32.
    let shape =
        shape.strip_suffix('x').inspect(|_| elements = &rest[digits - 1..]).unwrap_or(shape);
    elements = elements.trim_start_matches('_');
    let mut numbers = shape.split('x').map(|n| n.parse::<usize>().ok());
    let (size, columns, depth) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let blocks = match elements.split_once("b_") {
        Some((count, rest)) if count.bytes().all(|c| c.is_ascii_digit()) => {
            elements = rest;
            count.parse().ok()?
        }
        _ if size == 4 => 16,
        _ => 1,
    };
    let known = size == columns && matches!(size, 4 | 16 | 32) && depth > 0;
    known.then_some((size, depth, blocks, elements))
}

fn operand_dwords(element: Element, size: usize, depth: usize, blocks: usize) -> u16 {
    let elements = size * depth * blocks / 64;
    (elements * element.bits() as usize).div_ceil(32) as u16
}

/// Four-cycle passes, after LLVM's scheduling models of the two architectures.
fn passes(size: usize, depth: usize, blocks: usize, a: Element, b: Element, arch: Arch) -> u32 {
    let products = size * size * depth * blocks;
    let eight_bits = a.bits().max(b.bits()) == 8;
    match (a, size) {
        (Element::F64, 4) => 4,
        (Element::F64, _) if arch == Arch::Gfx950 => 16,
        (Element::F64, _) => 8,
        (_, 4) => 2,
        (Element::F32, 16) => 8,
        (Element::F32, _) => 16,
        (_, 16) if blocks > 1 => 8,
        (_, 32) if blocks > 1 => 16,
        (_, 16) if products >= 32768 && eight_bits => 8,
        (_, 32) if products >= 65536 && eight_bits => 16,
        (_, 16) => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_from_names() {
        assert_eq!(shape("f32_16x16x16_bf16"), Some((16, 16, 1, "bf16")));
        assert_eq!(shape("f32_32x32x8bf16_1k"), Some((32, 8, 1, "bf16_1k")));
        assert_eq!(shape("f32_32x32x4_2b_f16"), Some((32, 4, 2, "f16")));
        assert_eq!(shape("f32_16x16x128_f8f6f4"), Some((16, 128, 1, "f8f6f4")));
        assert_eq!(shape("f32_16x16x8_xf32"), Some((16, 8, 1, "xf32")));
        assert_eq!(shape("f32_16x16x8xf32"), Some((16, 8, 1, "xf32")));
        assert_eq!(shape("f32_4x4x4_16b_f16"), Some((4, 4, 16, "f16")));
        assert_eq!(shape("f64_4x4x4_4b_f64"), Some((4, 4, 4, "f64")));
        assert_eq!(shape("f32_16x16x32_fp8_fp8"), Some((16, 32, 1, "fp8_fp8")));
    }
}
