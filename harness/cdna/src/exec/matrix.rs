//! Executes matrix instructions. Products of narrow floats are exact in f32; sums are f32, in order of depth.
//! Which order and width the hardware sums in is not published, so results agree to a few ulps and not in bits.

use pulp::{Simd, WithSimd};

use super::wave::Wave;
use crate::fault::Step;
use crate::isa::{Element, Lanes, Matrix, Place, Source, VectorRegister};
use crate::number::{exp2d, fma, from_bf16, from_f16};

/// Depth × size elements of one operand, by depth: `[k * size + row]`.
type Operand = [f32];

pub fn matrix(wave: &mut Wave, op: &Matrix) -> Step<()> {
    match (op.a_element, op.size, op.blocks) {
        (Element::F64, _, _) => double(wave, op),
        (Element::I8, _, 1) => integer(wave, op),
        (_, 16, 1) => single::<16>(wave, op),
        (_, 32, 1) => single::<32>(wave, op),
        _ => batched(wave, op),
    }
}

/// The row of D that register `r` of lane group `group` holds.
#[inline(always)]
fn row(size: usize, group: usize, r: usize) -> usize {
    if size == 32 { 8 * (r / 4) + 4 * group + r % 4 } else { 4 * group + r }
}

fn single<const SIZE: usize>(wave: &mut Wave, op: &Matrix) -> Step<()> {
    let (mut a, mut b) = ([0.0; 2048], [0.0; 2048]);
    unpack::<SIZE>(wave, op.a, op.a_element, op.depth, &mut a)?;
    unpack::<SIZE>(wave, op.b, op.b_element, op.depth, &mut b)?;
    let scales = op.scales.as_ref().map(|scales| factors(wave, scales)).transpose()?;
    let mut sums = [[0; 64]; 16];
    let sums = &mut sums[..SIZE * SIZE / 64];
    for (r, sums) in sums.iter_mut().enumerate() {
        *sums = addend(wave, op.c, r)?;
    }
    match &scales {
        Some(scales) => each_row::<SIZE>(sums, |sum, row| {
            scaled_row::<SIZE>(sum, &a, &b, op.depth, row, scales);
        }),
        None if op.a_element == Element::F32 => {
            let (a, b) = (&a[..SIZE * op.depth], &b[..SIZE * op.depth]);
            pulp::Arch::new().dispatch(Fused::<SIZE> { sums, a, b });
        }
        // In vectors as wide as the host has, which changes no bit.
        None => pulp::Arch::new().dispatch(|| {
            each_row::<SIZE>(sums, |sum, row| plain_row::<SIZE>(sum, &a, &b, op.depth, row));
        }),
    }
    for (register, sums) in (op.to..).zip(sums) {
        wave.set_vector(register, u64::MAX, sums)?;
    }
    Ok(())
}

/// Adds to every row of D what `add` does, where the row lies in one register of a group of lanes.
#[inline(always)]
fn each_row<const SIZE: usize>(sums: &mut [Lanes], add: impl Fn(&mut [f32; SIZE], usize)) {
    for (r, sums) in sums.iter_mut().enumerate() {
        for (group, lanes) in sums.chunks_exact_mut(SIZE).enumerate() {
            let mut sum: [f32; SIZE] = std::array::from_fn(|column| f32::from_bits(lanes[column]));
            add(&mut sum, row(SIZE, group, r));
            for (lane, value) in lanes.iter_mut().zip(sum) {
                *lane = value.to_bits();
            }
        }
    }
}

#[inline(always)]
fn plain_row<const SIZE: usize>(
    sum: &mut [f32; SIZE],
    a: &Operand,
    b: &Operand,
    depth: usize,
    row: usize,
) {
    let columns = a.chunks_exact(SIZE).zip(b.chunks_exact(SIZE));
    for (a, b) in columns.take(depth) {
        let factor = a[row];
        for column in 0..SIZE {
            sum[column] += factor * b[column];
        }
    }
}

/// Products of f32, added with one rounding, by the host's own fused instruction where it has one.
struct Fused<'a, const SIZE: usize> {
    sums: &'a mut [Lanes],
    a: &'a Operand,
    b: &'a Operand,
}

impl<const SIZE: usize> WithSimd for Fused<'_, SIZE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Fused { sums, a, b } = self;
        let depths = || a.chunks_exact(SIZE).zip(b.chunks_exact(SIZE));
        each_row::<SIZE>(sums, |sum, row| {
            for (a, b) in depths() {
                if S::F32_LANES == 1 {
                    sum.iter_mut().zip(b).for_each(|(sum, &b)| *sum = fma(a[row], b, *sum));
                    continue;
                }
                let factor = simd.splat_f32s(a[row]);
                let (sums, columns) = (S::as_mut_simd_f32s(sum).0, S::as_simd_f32s(b).0);
                for (sum, &column) in sums.iter_mut().zip(columns) {
                    *sum = simd.mul_add_f32s(factor, column, *sum);
                }
            }
        });
    }
}

/// Each 32 of depth have a scale a row and a scale a column.
fn scaled_row<const SIZE: usize>(
    sum: &mut [f32; SIZE],
    a: &Operand,
    b: &Operand,
    depth: usize,
    row: usize,
    scales: &[[f32; 64]; 2],
) {
    for block in 0..depth / 32 {
        let mut partial = [0.0; SIZE];
        for k in 32 * block..32 * (block + 1) {
            for column in 0..SIZE {
                partial[column] += a[k * SIZE + row] * b[k * SIZE + column];
            }
        }
        for column in 0..SIZE {
            sum[column] +=
                partial[column] * scales[0][block * SIZE + row] * scales[1][block * SIZE + column];
        }
    }
}

/// Powers of two, 2^(byte − 127) of each lane; 255 is NaN.
fn factors(wave: &Wave, scales: &[(Source, u32); 2]) -> Step<[[f32; 64]; 2]> {
    let mut factors = [[0.0; 64]; 2];
    for (factor, (source, byte)) in factors.iter_mut().zip(scales) {
        let mut buffer = [0; 64];
        let lanes = wave.source(source, 0, u64::MAX, &mut buffer)?;
        *factor = lanes.map(|lane| match lane >> (8 * byte) & 255 {
            255 => f32::NAN,
            exponent => exp2d(exponent as i32 - 127) as f32,
        });
    }
    Ok(factors)
}

fn addend(wave: &Wave, place: Place, r: usize) -> Step<Lanes> {
    match place {
        Place::Vector(first) => wave.vector(first + r as u16, u64::MAX).copied(),
        Place::Constant(value) => Ok([value as u32; 64]),
        Place::Scalar(first) => Ok([wave.scalar(first, 1)? as u32; 64]),
    }
}

/// The depth of element `e` of lane group `group`: runs of E elements, or of 16 where a lane holds more than 16 of at least a byte.
fn depth_of(element: Element, groups: usize, each: usize, group: usize, e: usize) -> usize {
    if each > 16 && element.bits() >= 8 {
        e / 16 * 16 * groups + 16 * group + e % 16
    } else {
        group * each + e
    }
}

fn unpack<const SIZE: usize>(
    wave: &Wave,
    first: VectorRegister,
    element: Element,
    depth: usize,
    out: &mut Operand,
) -> Step<()> {
    let groups = 64 / SIZE;
    let each = depth / groups;
    let bits = element.bits() as usize;
    if bits == 6 {
        return unpack_six::<SIZE>(wave, first, element, each, out);
    }
    let in_register = 32 / bits;
    for r in 0..each.div_ceil(in_register) {
        let lanes = wave.vector(first + r as u16, u64::MAX)?;
        for part in 0..in_register {
            for group in 0..groups {
                let k = depth_of(element, groups, each, group, r * in_register + part);
                let from = &lanes[group * SIZE..(group + 1) * SIZE];
                widen(element, part, from, &mut out[k * SIZE..(k + 1) * SIZE]);
            }
        }
    }
    Ok(())
}

/// One element a lane, as f32.
#[inline(always)]
fn widen(element: Element, part: usize, from: &[u32], to: &mut [f32]) {
    let pairs = to.iter_mut().zip(from);
    match element {
        Element::Bf16 if part == 0 => pairs.for_each(|(to, &bits)| *to = from_bf16(bits)),
        Element::Bf16 => pairs.for_each(|(to, &bits)| *to = f32::from_bits(bits & 0xffff_0000)),
        Element::F16 => pairs.for_each(|(to, &bits)| *to = from_f16(bits >> (16 * part))),
        Element::Mini(format, bits) => {
            let table = format.table();
            let mask = (1 << bits) - 1;
            let shift = bits as usize * part;
            pairs.for_each(|(to, &code)| *to = table[(code >> shift & mask) as usize]);
        }
        // xf32 keeps ten bits of the mantissa.
        Element::Xf32 => pairs.for_each(|(to, &bits)| *to = f32::from_bits(bits & 0xffff_e000)),
        Element::F32 | Element::F64 | Element::I8 => {
            pairs.for_each(|(to, &bits)| *to = f32::from_bits(bits))
        }
    }
}

/// 32 elements of six bits in six registers.
fn unpack_six<const SIZE: usize>(
    wave: &Wave,
    first: VectorRegister,
    element: Element,
    each: usize,
    out: &mut Operand,
) -> Step<()> {
    let Element::Mini(format, _) = element else {
        return Ok(());
    };
    let table = format.table();
    let mut registers = [[0; 64]; 7];
    for (r, lanes) in registers.iter_mut().enumerate().take(each * 6 / 32) {
        *lanes = *wave.vector(first + r as u16, u64::MAX)?;
    }
    for lane in 0..64 {
        for e in 0..each {
            let (r, shift) = (e * 6 / 32, e * 6 % 32);
            let pair = u64::from(registers[r][lane]) | u64::from(registers[r + 1][lane]) << 32;
            let k = lane / SIZE * each + e;
            out[k * SIZE + lane % SIZE] = table[(pair >> shift & 63) as usize];
        }
    }
    Ok(())
}

/// One lane's element of an operand of a batched instruction, where lanes run over rows of all blocks.
fn batched(wave: &mut Wave, op: &Matrix) -> Step<()> {
    let registers = op.size * op.size * op.blocks / 64;
    let mut out = vec![[0; 64]; registers];
    let a = batched_operand(wave, op, op.a, op.a_element)?;
    let b = batched_operand(wave, op, op.b, op.b_element)?;
    for (r, out) in out.iter_mut().enumerate() {
        let addend = addend(wave, op.c, r)?;
        for (lane, out) in out.iter_mut().enumerate() {
            let (block, row, column) = batched_place(op, r, lane);
            let mut sum = f32::from_bits(addend[lane]);
            for k in 0..op.depth {
                let at = |index: usize| (block * op.size + index) * op.depth + k;
                sum = fma(a[at(row)], b[at(column)], sum);
            }
            *out = sum.to_bits();
        }
    }
    for (register, out) in (op.to..).zip(&out) {
        wave.set_vector(register, u64::MAX, out)?;
    }
    Ok(())
}

/// Block, row and column of register r of a lane. Blocks of 4 × 4 stand side by side in lanes; larger ones take turns by registers.
fn batched_place(op: &Matrix, r: usize, lane: usize) -> (usize, usize, usize) {
    if op.size == 4 {
        return (lane / 4, r, lane % 4);
    }
    let in_block = op.size * op.size / 64;
    (r / in_block, row(op.size, lane / op.size, r % in_block), lane % op.size)
}

/// `[(block * size + row) * depth + k]`. All depth of a row stands in one lane.
fn batched_operand(
    wave: &Wave,
    op: &Matrix,
    first: VectorRegister,
    element: Element,
) -> Step<Vec<f32>> {
    let mut operand = vec![0.0; 64 * op.depth];
    let in_register = 32 / element.bits() as usize;
    for k in 0..op.depth {
        let lanes = wave.vector(first + (k / in_register) as u16, u64::MAX)?;
        let mut values = [0.0; 64];
        widen(element, k % in_register, lanes, &mut values);
        for (lane, value) in values.into_iter().enumerate() {
            operand[lane * op.depth + k] = value;
        }
    }
    Ok(operand)
}

fn integer(wave: &mut Wave, op: &Matrix) -> Step<()> {
    let groups = 64 / op.size;
    let each = op.depth / groups;
    let operand = |first: VectorRegister| -> Step<Vec<i32>> {
        let mut out = vec![0; op.size * op.depth];
        for e in 0..each {
            let lanes = wave.vector(first + (e / 4) as u16, u64::MAX)?;
            for (lane, &value) in lanes.iter().enumerate() {
                let k = depth_of(Element::I8, groups, each, lane / op.size, e);
                out[lane % op.size * op.depth + k] = i32::from((value >> (8 * (e % 4))) as i8);
            }
        }
        Ok(out)
    };
    let (a, b) = (operand(op.a)?, operand(op.b)?);
    let mut out = vec![[0; 64]; op.size * op.size / 64];
    for (r, out) in out.iter_mut().enumerate() {
        let addend = addend(wave, op.c, r)?;
        for (lane, out) in out.iter_mut().enumerate() {
            let (row, column) = (row(op.size, lane / op.size, r), lane % op.size);
            let products = (0..op.depth).map(|k| a[row * op.depth + k] * b[column * op.depth + k]);
            *out = products.fold(addend[lane], |sum, product| sum.wrapping_add(product as u32));
        }
    }
    for (register, out) in (op.to..).zip(&out) {
        wave.set_vector(register, u64::MAX, out)?;
    }
    Ok(())
}

/// f64: 16 × 16 × 4, whose rows run over lane groups, and four blocks of 4 × 4 × 4.
fn double(wave: &mut Wave, op: &Matrix) -> Step<()> {
    let value = |first: VectorRegister, r: usize| -> Step<[f64; 64]> {
        let first = first + 2 * r as u16;
        let (low, high) = (wave.vector(first, u64::MAX)?, wave.vector(first + 1, u64::MAX)?);
        Ok(std::array::from_fn(|l| f64::from_bits(u64::from(low[l]) | u64::from(high[l]) << 32)))
    };
    let (a, b) = (value(op.a, 0)?, value(op.b, 0)?);
    let mut results = Vec::new();
    for r in 0..op.size * op.size * op.blocks / 64 {
        let addend = match op.c {
            Place::Vector(first) => value(first, r)?,
            Place::Constant(bits) => [f64::from_bits(bits); 64],
            Place::Scalar(first) => [f64::from_bits(wave.scalar(first, 2)?); 64],
        };
        results.push(std::array::from_fn::<u64, 64, _>(|lane| {
            let (a_lane, b_lane) = double_operands(op.size, r, lane);
            // In both shapes the next depth is 16 lanes on.
            let products = (0..4).map(|k| (a[a_lane + 16 * k], b[b_lane + 16 * k]));
            products.fold(addend[lane], |sum, (a, b)| a.mul_add(b, sum)).to_bits()
        }));
    }
    for (r, result) in results.iter().enumerate() {
        wave.set_pair(op.to + 2 * r as u16, u64::MAX, result)?;
    }
    Ok(())
}

/// The lanes that hold depth 0 of the row and of the column of a result.
fn double_operands(size: usize, r: usize, lane: usize) -> (usize, usize) {
    if size == 16 {
        return (4 * r + lane / 16, lane % 16);
    }
    let block = lane / 4 % 4;
    (4 * block + lane / 16, 4 * block + lane % 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of twenty bits by twenty, which show whether they are rounded before they are added.
    #[test]
    fn products_of_f32_are_rounded_once_on_any_host() {
        let numbers = |seed: u32, scale: f32| -> Vec<f32> {
            (0..64u32)
                .map(|i| (i.wrapping_add(seed).wrapping_mul(0x9e37_79b9) >> 12) as f32 * scale)
                .collect()
        };
        let (a, b) = (numbers(1, 1e-3), numbers(2, 3e-4));
        let start: Lanes = std::array::from_fn(|lane| (0.7 * lane as f32).to_bits());
        let mut sums = [start; 4];
        pulp::Arch::new().dispatch(Fused::<16> { sums: &mut sums, a: &a, b: &b });
        let mut unfused = 0;
        for (r, sums) in sums.iter().enumerate() {
            for (lane, sum) in sums.iter().enumerate() {
                let (row, column) = (row(16, lane / 16, r), lane % 16);
                let pairs = (0..4).map(|k| (a[16 * k + row], b[16 * k + column]));
                let first = f32::from_bits(start[lane]);
                let want = pairs.clone().fold(first, |sum, (a, b)| fma(a, b, sum));
                assert_eq!(*sum, want.to_bits(), "register {r}, lane {lane}");
                unfused += u32::from(pairs.fold(first, |sum, (a, b)| sum + a * b) != want);
            }
        }
        assert!(unfused > 50, "rounding twice shows in {unfused} of 256 sums only");
    }
}
