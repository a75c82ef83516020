//! Who can run the layer on a GPU, and its launches.
//!
//! The contracts stand at the sources' heads; this file states them once more as data. Products and
//! convolutions are plans of their families.

use super::assembly::{Assembly, Place, whole};
use super::parts::{convolution, named, product};
use super::{
    BETA, BIAS, BLOCKS, EPSILON, GAMMA, IN, NARROW, OUT, SHORT, SPECTRA, Sizes, U, WIDEN, Y,
};
use crate::fftconv::FftConv;
use crate::gemm::{self, Gemm, Groups};
use crate::tile::{self, AMD, count, element, needs_31_bits, needs_amd, needs_sm_90a, tensor};
use tilemark_core::device::Vendor;
use tilemark_core::family::Code;
use tilemark_core::launch::{Argument, Constant, Header, Launch, Plan, Source};
use tilemark_core::{Bytes, Dtype, Family, Info, Problem};

const ROWS: Header = Header { name: "monarch_mixer/rows.h", text: include_str!("rows.h") };

static ROW_HEADERS: &[Header] = &[ROWS, tile::TILE, tile::CUDA, tile::CUDA_WGMMA, tile::HIP];

static GATE_IN: Source = Source {
    path: "monarch_mixer/gate_in.cu",
    text: include_str!("gate_in.cu"),
    headers: ROW_HEADERS,
};
static GATE_OUT: Source = Source {
    path: "monarch_mixer/gate_out.cu",
    text: include_str!("gate_out.cu"),
    headers: ROW_HEADERS,
};
static LAYER_NORM: Source = Source {
    path: "monarch_mixer/layer_norm.cu",
    text: include_str!("layer_norm.cu"),
    headers: tile::HEADERS,
};
static GLU: Source =
    Source { path: "monarch_mixer/glu.cu", text: include_str!("glu.cu"), headers: tile::HEADERS };

/// Threads of every block.
const THREADS: usize = 256;

/// Positions and channels of a tile that is turned.
const TILE: usize = 64;

/// Elements of a vector of 16 bytes.
const VECTOR: usize = 8;

/// Vectors of a row that a lane holds at most.
const MOST_VECTORS: usize = 8;

/// By whom products and convolutions are done.
struct Kernels {
    multiply: &'static str,
    convolve: &'static str,
}

const SM90: Kernels = Kernels { multiply: "sm90_wgmma", convolve: "sm80_monarch" };
const GFX942: Kernels = Kernels { multiply: "gfx942_mfma", convolve: "gfx942_monarch" };
const GFX950: Kernels = Kernels { multiply: "gfx950_mfma", convolve: "gfx942_monarch" };

/// `supports` on Hopper.
pub fn sm90(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_sm_90a(info)?;
    supports(problem, info, &SM90)
}

/// `supports` on gfx942.
pub fn gfx942(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &AMD[..1])?;
    supports(problem, info, &GFX942)
}

/// `supports` on gfx950.
pub fn gfx950(problem: &Problem, info: &Info) -> Result<(), String> {
    needs_amd(info, &AMD[1..])?;
    supports(problem, info, &GFX950)
}

/// On Hopper.
pub fn sm90_plan(problem: &Problem, info: &Info) -> Plan {
    Layer::of(problem, info, &SM90).plan()
}

/// On gfx942.
pub fn gfx942_plan(problem: &Problem, info: &Info) -> Plan {
    Layer::of(problem, info, &GFX942).plan()
}

/// On gfx950.
pub fn gfx950_plan(problem: &Problem, info: &Info) -> Plan {
    Layer::of(problem, info, &GFX950).plan()
}

fn supports(problem: &Problem, info: &Info, kernels: &Kernels) -> Result<(), String> {
    if problem.dtype == Dtype::F32 {
        return Err("multiplies bf16 and f16, not f32".to_owned());
    }
    let layer = Layer::of(problem, info, kernels);
    let Sizes { b, l, d, .. } = layer.sizes;
    if !d.is_multiple_of(BLOCKS * VECTOR) {
        return Err(format!("takes multiples of 32 channels, whose blocks are vectors, not {d}"));
    }
    let widest = MOST_VECTORS * VECTOR * 32;
    if d > widest {
        return Err(format!("a warp holds rows of {widest} channels, not {d}"));
    }
    let vectors = layer.rows * BLOCKS * layer.sizes.wide() / VECTOR;
    needs_31_bits(&[vectors, b * l.div_ceil(TILE)].map(|extent| extent as u64))?;
    for part in layer.products() {
        (named(&Gemm, kernels.multiply).supports)(&part, info)?;
    }
    (named(&FftConv, kernels.convolve).supports)(&layer.convolution(), info)
}

/// A layer on a device.
struct Layer<'a> {
    problem: &'a Problem,
    info: &'a Info,
    kernels: &'a Kernels,
    sizes: Sizes,
    /// Of a block of channels: those of all sequences, and on Hopper more, up to whole tiles.
    rows: usize,
}

impl<'a> Layer<'a> {
    fn of(problem: &'a Problem, info: &'a Info, kernels: &'a Kernels) -> Self {
        let sizes = Sizes::of(problem);
        let multiple = if info.vendor == Vendor::Amd { 1 } else { gemm::GROUP_ROWS as usize };
        let rows = sizes.tokens().next_multiple_of(multiple);
        Layer { problem, info, kernels, sizes, rows }
    }

    /// Into the sequence mixer, out of it, and of all blocks into and out of the dimension mixer.
    fn products(&self) -> [Problem; 4] {
        let Sizes { d, .. } = self.sizes;
        let (narrow, wide) = (self.sizes.narrow(), self.sizes.wide());
        let (tokens, all) = (self.sizes.tokens(), BLOCKS * self.rows);
        [[tokens, 3 * d, d], [tokens, d, d], [all, wide, narrow], [all, narrow, wide]]
            .map(|sizes| product(self.problem, self.problem.dtype, sizes))
    }

    /// Of z and of u, which are heads of one convolution.
    fn convolution(&self) -> Problem {
        let Sizes { b, l, d, n } = self.sizes;
        convolution(self.problem, self.problem.dtype, [b, 2 * d, n, l])
    }

    fn plan(&self) -> Plan {
        let Sizes { d, .. } = self.sizes;
        let (tokens, wide) = (self.sizes.tokens(), self.sizes.wide());
        let [into, out, widen, narrow] = self.products();
        let mut assembly = Assembly::after(Y + 1);
        let size = self.problem.dtype.size();
        let mut scratch = |elements: usize| assembly.scratch(Bytes(elements as u64 * size));
        let projected = scratch(tokens * 3 * d);
        let [signals, convolved] = [(); 2].map(|()| scratch(tokens * 2 * d));
        let [mixed, left] = [(); 2].map(|()| scratch(tokens * d));
        let [x, changed] = [(); 2].map(|()| scratch(self.rows * d));
        let gated = scratch(self.rows * BLOCKS * wide);

        self.multiply(&mut assembly, &into, [U, IN, projected]);
        assembly.launch(self.gate_in(projected, signals));
        let places = [signals, SPECTRA, convolved].map(whole);
        assembly.part(self.steps_of(&FftConv, self.kernels.convolve, &self.convolution()), &places);
        assembly.launch(self.gate_out(projected, signals, convolved, mixed));
        self.multiply(&mut assembly, &out, [mixed, OUT, left]);
        assembly.launch(self.layer_norm(0, [U, left, x]));
        self.gate_blocks(&mut assembly, &widen, [x, WIDEN, gated]);
        self.multiply_blocks(&mut assembly, &narrow, [gated, NARROW, changed]);
        assembly.launch(self.layer_norm(1, [x, changed, Y]));
        assembly.plan()
    }

    fn steps_of(&self, family: &dyn Family, name: &str, part: &Problem) -> Plan {
        match named(family, name).code {
            Code::Steps(steps) => steps(part, self.info),
            _ => panic!("`{name}` is no device code"),
        }
    }

    fn multiply(&self, assembly: &mut Assembly, part: &Problem, tensors: [usize; 3]) {
        assembly.part(self.steps_of(&Gemm, self.kernels.multiply, part), &tensors.map(whole));
    }

    /// Of all blocks, in groups.
    fn multiply_blocks(&self, assembly: &mut Assembly, part: &Problem, tensors: [usize; 3]) {
        if self.info.vendor == Vendor::Amd {
            return self.multiply_in_turn(assembly, part, tensors);
        }
        let groups = Groups { count: BLOCKS as u64, gated: false };
        assembly.part(gemm::grouped(part, self.info, groups), &tensors.map(whole));
    }

    /// gelu(W1·x)·(W2·x) of all blocks: as the end of a product, or after one that is twice as wide.
    fn gate_blocks(&self, assembly: &mut Assembly, part: &Problem, [x, w, gated]: [usize; 3]) {
        if self.info.vendor != Vendor::Amd {
            let groups = Groups { count: BLOCKS as u64, gated: true };
            let places = [x, w, gated].map(whole);
            return assembly.part(gemm::grouped(part, self.info, groups), &places);
        }
        let [m, n, k] = ["m", "n", "k"].map(|axis| part.shape.index(axis));
        let widened = assembly.scratch(Bytes((2 * m * n) as u64 * part.dtype.size()));
        let twice = product(self.problem, part.dtype, [m, 2 * n, k]);
        self.multiply_in_turn(assembly, &twice, [x, w, widened]);
        assembly.launch(self.glu(widened, gated));
    }

    /// Of all blocks, one after the other.
    fn multiply_in_turn(&self, assembly: &mut Assembly, part: &Problem, tensors: [usize; 3]) {
        let [n, k] = ["n", "k"].map(|axis| part.shape.index(axis));
        let block = product(self.problem, part.dtype, [self.rows, n, k]);
        for number in 0..BLOCKS {
            let elements = [self.rows * k, n * k, self.rows * n];
            let places = [0, 1, 2].map(|at| Place {
                tensor: tensors[at],
                offset_bytes: (number * elements[at]) as u64 * part.dtype.size(),
            });
            assembly.part(self.steps_of(&Gemm, self.kernels.multiply, &block), &places);
        }
    }

    fn gate_in(&self, projected: usize, signals: usize) -> Launch {
        let pointers = [projected, SHORT, U, signals];
        self.turn(&GATE_IN, "mixer_gate_in", &pointers)
    }

    fn gate_out(&self, projected: usize, signals: usize, convolved: usize, mixed: usize) -> Launch {
        let pointers = [projected, SHORT, U, signals, convolved, BIAS, mixed];
        self.turn(&GATE_OUT, "mixer_gate_out", &pointers)
    }

    /// A kernel that turns tiles.
    fn turn(&self, source: &'static Source, entry: &'static str, pointers: &[usize]) -> Launch {
        let Sizes { b, l, d, .. } = self.sizes;
        let paired = i64::from(l.is_multiple_of(2)).into();
        Launch {
            grid: [(b * l.div_ceil(TILE)) as u32, d.div_ceil(TILE) as u32, 1],
            ..self.kernel(source, entry, pointers, [l, d], vec![("PAIRED", paired)])
        }
    }

    fn layer_norm(&self, which: usize, [a, b, y]: [usize; 3]) -> Launch {
        let d = self.sizes.d;
        let lanes = if self.info.vendor == Vendor::Amd { 64 } else { 32 };
        let constants = vec![
            ("VECTORS", (d.div_ceil(VECTOR * lanes) as i64).into()),
            ("BLOCKED_INPUTS", (which as i64).into()),
        ];
        let vector = |tensor| Argument::Tensor { tensor, offset_bytes: (4 * which * d) as u64 };
        let mut arguments = vec![tensor(a), tensor(b), vector(GAMMA), vector(BETA), tensor(y)];
        arguments.extend([self.sizes.tokens(), d, self.rows].map(|extent| count(extent as u64)));
        arguments.push(Argument::F32(EPSILON as f32));
        Launch {
            grid: [(self.sizes.tokens() * lanes).div_ceil(THREADS) as u32, 1, 1],
            arguments,
            ..self.kernel(&LAYER_NORM, "mixer_layer_norm", &[], [0, 0], constants)
        }
    }

    fn glu(&self, widened: usize, gated: usize) -> Launch {
        let (rows, wide) = (BLOCKS * self.rows, self.sizes.wide());
        Launch {
            grid: [(rows * wide).div_ceil(VECTOR * THREADS) as u32, 1, 1],
            ..self.kernel(&GLU, "mixer_glu", &[widened, gated], [rows, wide], Vec::new())
        }
    }

    /// What all kernels have in common: pointers, then extents.
    fn kernel(
        &self,
        source: &'static Source,
        entry: &'static str,
        pointers: &[usize],
        extents: [usize; 2],
        mut constants: Vec<(&'static str, Constant)>,
    ) -> Launch {
        constants.push(("ELEMENT", element(self.problem.dtype).into()));
        let pointers = pointers.iter().map(|number| tensor(*number));
        let extents = extents.map(|extent| count(extent as u64));
        Launch {
            source,
            entry,
            constants,
            grid: [1, 1, 1],
            block: [THREADS as u32, 1, 1],
            cluster: [1, 1, 1],
            dynamic_shared_bytes: 0,
            arguments: pointers.chain(extents).collect(),
        }
    }
}
