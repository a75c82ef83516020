//! A sample of deletions from GEMM and attention is noticed; `tilemark-cdna mutate` tries them all.
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use common::*;
use tilemark_cdna::mutate::{Verdict, mutate, tally};

fn check(file: &str, case: &Case, stride: usize) {
    for arch in ARCHS {
        let mut kernel = kernel(file, arch, file);
        let mutants = mutate(&mut kernel, case.grid, &case.arguments, stride).unwrap();
        for mutant in mutants.iter().filter(|mutant| mutant.verdict == Verdict::Unnoticed) {
            let location = &kernel.locations[mutant.index];
            eprintln!("{arch} unnoticed: line {}: {}", location.line, location.text);
        }
        let (all, noticed) = tally(&mutants);
        assert!(all >= 20, "{file} {arch}: a sample of {all} says little");
        assert!(100 * noticed >= 99 * all, "{file} {arch}: {noticed} of {all}");
    }
}

#[test]
fn deletions_from_gemm_are_noticed() {
    check("gemm", &gemm(64, 64, 160), 1);
}

#[test]
fn deletions_from_attention_are_noticed() {
    check("attention", &attention(96), 3);
}
