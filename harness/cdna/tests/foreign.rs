//! Assembly of another hand: copies to LDS, transposing reads, products in named registers and two
//! groups of waves a barrier apart, all by inline assembly, through the program as its users call it.
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use common::*;
use std::path::PathBuf;
use std::process::{Command, Output};
use tilemark_cdna::session::Argument;

const M: usize = 256;
const N: usize = 128;
const K: usize = 224;

/// A folder of this test's own, with the assembly and the inputs in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, assembly: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("kernel.s"), assembly).unwrap();
        for (file, values) in [("a", inputs(M * K, 21)), ("b", inputs(K * N, 22))] {
            let Argument::Buffer(bytes) = bf16_buffer(&values) else { unreachable!() };
            std::fs::write(folder.join(file), bytes).unwrap();
        }
        Folder(folder)
    }

    fn run(&self, seed: Option<u32>) -> Output {
        let path = |file: &str| self.0.join(file).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilemark-cdna"));
        command.args(["run", &path("kernel.s"), "--kernel", "staggered"]);
        command.args(["--grid", "2", "--block", "512"]);
        let buffers = [format!("in:{}", path("a")), format!("in:{}", path("b"))];
        let result = format!("out:{}:{}", path("d"), 4 * M * N);
        for argument in [&buffers[0], &buffers[1], &result, &format!("i32:{K}")] {
            command.args(["--arg", argument]);
        }
        command.args(seed.map(|seed| format!("--seed={seed}")));
        command.output().unwrap()
    }

    fn result(&self) -> Vec<f32> {
        floats(&std::fs::read(self.0.join("d")).unwrap())
    }
}

fn assembly() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels/staggered.gfx950.s");
    std::fs::read_to_string(path).unwrap()
}

fn product() -> Vec<f32> {
    let (a, b) = (inputs(M * K, 21), inputs(K * N, 22));
    let element = |i: usize| (0..K).map(|x| a[i / N * K + x] * b[x * N + i % N]).sum();
    (0..M * N).map(element).collect()
}

#[test]
fn staggered_waves_of_another_hand_give_the_plain_product() {
    let folder = Folder::new("staggered", &assembly());
    for seed in [None, Some(1), Some(2), Some(3)] {
        let output = folder.run(seed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counts = String::from_utf8(output.stdout).unwrap();
        // Two groups of eight waves, seven slices, eight products.
        assert!(counts.contains("matrix instructions 896\n"), "{counts}");
        assert_eq!(folder.result(), product(), "{seed:?}");
    }
}

#[test]
fn without_one_of_its_waits_or_barriers_it_is_told_where_it_fails() {
    let text = assembly();
    let cut = |name: &str, what: &str, place: usize| {
        let at = text.match_indices(what).nth(place).unwrap().0;
        let folder = Folder::new(name, &format!("{}{}", &text[..at], &text[at + what.len()..]));
        let output = folder.run(Some(1));
        assert!(!output.status.success(), "{name}");
        String::from_utf8(output.stderr).unwrap()
    };
    let copies = cut("without-copies", "s_waitcnt vmcnt(2)\n", 1);
    assert!(copies.contains("loaded into by wave"), "{copies}");
    let reads = cut("without-reads", "s_waitcnt lgkmcnt(0)\n", 1);
    assert!(reads.contains("used before the s_waitcnt that covers its load"), "{reads}");
    let barrier = cut("without-barrier", "s_barrier\n", 2);
    assert!(barrier.contains("with no barrier between"), "{barrier}");
    for told in [copies, reads, barrier] {
        assert!(told.contains("in staggered, assembly line"), "{told}");
    }
}
