//! Who can run the CUDA kernels, and their launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data.

use super::{POST, PRE, SPECTRUM, Sizes, U, y_index};
use crate::tile::{self, NULL, count, element, needs_31_bits, needs_sm, tensor};
use tilemark_core::launch::{Constant, Header, Launch, Plan, Source, Step};
use tilemark_core::{Bytes, Dtype, Info, Problem};

const MONARCH_HEADER: Header =
    Header { name: "fftconv/monarch.h", text: include_str!("monarch.h") };
const STAGES: Header = Header { name: "fftconv/stages.h", text: include_str!("stages.h") };

static ARRANGE: Source = Source {
    path: "fftconv/arrange.cu",
    text: include_str!("arrange.cu"),
    headers: &[MONARCH_HEADER, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};
static MONARCH: Source = Source {
    path: "fftconv/sm80_monarch.cu",
    text: include_str!("sm80_monarch.cu"),
    headers: &[MONARCH_HEADER, STAGES, tile::TILE, tile::CUDA, tile::CUDA_WGMMA],
};

/// The longest transform that one block does.
const LONGEST: u64 = 32768;

/// Architectures whose blocks have less than the 128 KB of shared memory that it takes.
const NARROW: [&str; 4] = ["sm_86", "sm_89", "sm_120", "sm_121"];

/// Blocks of `arrange.cu` that compute tables.
const TABLE_BLOCKS: u64 = 32;

/// `supports` of the kernel that does whole transforms in a block.
pub fn any_since_sm80(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm(info, 80)?;
    let [b, h, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("multiplies bf16 and f16, not {}", problem.dtype));
    }
    if n > LONGEST {
        return Err(format!("holds transforms of at most {LONGEST} points in a block, not {n}"));
    }
    if n == LONGEST && NARROW.contains(&info.arch.as_str()) {
        return Err(format!("{n} points take 128 KB of shared memory, more than {}", info.arch));
    }
    needs_31_bits(&[b * h, l])
}

/// Brings spectra and tables into the kernel's order, then convolves.
pub fn monarch(problem: &Problem, _info: &Info) -> Plan {
    let sizes = Sizes::of(problem);
    let cut = Cut::of(sizes.n as u64);
    let scratch = Scratch::after(y_index(sizes.gated));
    let heads = sizes.h as u64;
    Plan {
        scratch: vec![
            Bytes(16 * cut.table_vectors()),
            Bytes(16 * heads * cut.spectrum_vectors()),
            Bytes(4 * heads),
        ],
        steps: vec![
            Step::Launch(arrange(problem, cut, scratch)),
            Step::Launch(convolve(problem, cut, scratch)),
        ],
    }
}

/// Tensors of the implementation's own.
#[derive(Clone, Copy)]
struct Scratch {
    tables: usize,
    spectra: usize,
    scales: usize,
}

impl Scratch {
    fn after(last: usize) -> Self {
        Scratch { tables: last + 1, spectra: last + 2, scales: last + 3 }
    }
}

/// How a transform is cut up: what `monarch.h` derives from its length.
#[derive(Clone, Copy)]
struct Cut {
    n: u64,
    halves: u64,
    pairs: u64,
    radix: u64,
    /// Complex numbers of a half of all pairs.
    points: u64,
}

impl Cut {
    fn of(n: u64) -> Self {
        let halves = if n > 16384 { 2 } else { 1 };
        let third = n / halves / 256;
        let slots = third.max(16);
        Cut { n, halves, pairs: slots / third, radix: slots / 16, points: 256 * slots }
    }

    fn threads(self) -> u64 {
        32 * if self.radix == 1 { 2 } else { 4 * self.halves }
    }

    fn table_vectors(self) -> u64 {
        320 + self.points / 2 + (self.halves - 1) * self.n / self.halves / 4
    }

    fn spectrum_vectors(self) -> u64 {
        self.halves * self.points / 4
    }
}

fn arrange(problem: &Problem, cut: Cut, scratch: Scratch) -> Launch {
    let Cut { n, .. } = cut;
    let threads = match n {
        ..2048 => 128,
        2048..16384 => n / 16,
        _ => 1024,
    };
    let heads = problem.shape.integer("h");
    Launch {
        source: &ARRANGE,
        entry: "fftconv_arrange",
        constants: constants(problem),
        grid: [(TABLE_BLOCKS + heads) as u32, 1, 1],
        block: [threads as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: 4 * (n / 2 + n / 32 + n / 512 + 1) as u32,
        arguments: [SPECTRUM, scratch.tables, scratch.spectra, scratch.scales].map(tensor).to_vec(),
    }
}

fn convolve(problem: &Problem, cut: Cut, scratch: Scratch) -> Launch {
    let Sizes { b, h, l, gated, .. } = Sizes::of(problem);
    let gates = if gated { [PRE, POST].map(tensor) } else { [NULL, NULL] };
    let mut arguments = vec![tensor(U)];
    arguments.extend(gates);
    arguments.extend([scratch.tables, scratch.spectra, scratch.scales].map(tensor));
    arguments.push(tensor(y_index(gated)));
    arguments.extend([b, h, l].map(|size| count(size as u64)));
    let mut constants = constants(problem);
    constants.push(("GATED", i64::from(gated).into()));
    constants.push(("ALIGNED", i64::from(l.is_multiple_of(8)).into()));
    Launch {
        source: &MONARCH,
        entry: "fftconv_monarch",
        constants,
        grid: [(h as u64 * (b as u64).div_ceil(2 * cut.pairs)) as u32, 1, 1],
        block: [cut.threads() as u32, 1, 1],
        cluster: [1, 1, 1],
        dynamic_shared_bytes: (cut.halves * 4 * cut.points) as u32,
        arguments,
    }
}

fn constants(problem: &Problem) -> Vec<(&'static str, Constant)> {
    let n = problem.shape.integer("n") as i64;
    vec![("TRANSFORM", n.into()), ("ELEMENT", element(problem.dtype).into())]
}
