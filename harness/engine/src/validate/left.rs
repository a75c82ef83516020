//! The truth of a problem as a file, so that only the first of its workers computes it.
//!
//! Words of 64 bits in the machine's own order, for each output: how many elements are known, the
//! reference's relative error, its largest, and those elements. It does not know what computed them.

use super::truth::{OutputTruth, Reference, Sample};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// What the file says of these outputs; none if there is no file, or not one of theirs.
pub fn read(file: &Path, samples: impl Iterator<Item = Sample>) -> Option<Vec<OutputTruth>> {
    let mut file = File::open(file).ok()?;
    let outputs: Option<Vec<OutputTruth>> = samples.map(|s| output(s, &mut file)).collect();
    let at_end = file.read(&mut [0]).ok()? == 0;
    outputs.filter(|_| at_end)
}

/// Writes the file aside and renames it, so that no worker reads a half of it.
pub fn write(file: &Path, outputs: &[OutputTruth]) -> io::Result<()> {
    let aside = file.with_extension("part");
    let mut part = BufWriter::new(File::create(&aside)?);
    for known in outputs {
        let Reference { relative, max } = known.reference;
        part.write_all(bytemuck::bytes_of(&(known.exact.len() as u64)))?;
        part.write_all(bytemuck::cast_slice(&[relative, max]))?;
        part.write_all(bytemuck::cast_slice(&known.exact))?;
    }
    part.into_inner()?;
    fs::rename(&aside, file)
}

fn output(sample: Sample, file: &mut File) -> Option<OutputTruth> {
    let Sample { tensor, row, rows, .. } = sample;
    let expected = row * rows.len() as u64;
    let (mut count, mut errors) = (0, [0.0; 2]);
    file.read_exact(bytemuck::bytes_of_mut(&mut count)).ok()?;
    file.read_exact(bytemuck::cast_slice_mut(&mut errors)).ok()?;
    if count != expected {
        return None;
    }
    let mut exact = vec![0.0; expected as usize];
    file.read_exact(bytemuck::cast_slice_mut(&mut exact)).ok()?;
    let [relative, max] = errors;
    Some(OutputTruth { tensor, row, rows, exact, reference: Reference { relative, max } })
}
