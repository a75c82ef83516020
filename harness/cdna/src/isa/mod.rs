//! The decoded form of an instruction: all that execution needs, with nothing left to look up by name.
//! Decoding happens once a kernel; executing reads these types only.

pub mod convert;
pub mod decode;
pub mod float;
pub mod integer;
pub mod lanes;
pub mod matrix;
pub mod memory;
pub mod scalar;
pub mod vector;

/// One 32-bit register of a wave: a value a lane.
pub type Lanes = [u32; 64];
/// A pair of registers of a wave.
pub type Wide = [u64; 64];
/// One flag a lane.
pub type Flags = [u8; 64];

/// Vector registers stand in one file: v0 is 0, a0 is `ACCUMULATORS`.
pub type VectorRegister = u16;
pub const ACCUMULATORS: VectorRegister = 256;

/// What an instruction does.
pub enum Op {
    /// Removed by a mutation: takes no time and does nothing.
    Deleted,
    /// Takes this many wait states and does nothing else.
    Idle(u32),
    End,
    Barrier,
    Wait(Wait),
    Branch(Branch),
    Scalar(Scalar),
    SaveExec(SaveExec),
    ScalarLoad(ScalarLoad),
    /// Hardware register and first bit: only MODE's denormal bits can be written.
    SetMode {
        bit: u32,
        size: u32,
        value: ScalarSource,
    },
    /// A hardware register that reads as this value.
    GetRegister {
        to: u8,
        value: u32,
    },
    /// Selects which operands of the following vector instructions are indexed by a scalar.
    IndexOn {
        index: ScalarSource,
        operands: u8,
    },
    IndexOff,
    Vector(Vector),
    /// Two halves of a packed f32 instruction, which both read before either writes.
    Pair(Box<[Vector; 2]>),
    Compare(Compare),
    Select(Select),
    Carry(Carry),
    DivideScale(Vector, u8),
    ReadLane {
        to: u8,
        from: VectorRegister,
        lane: Option<ScalarSource>,
    },
    WriteLane {
        to: VectorRegister,
        value: ScalarSource,
        lane: ScalarSource,
    },
    /// Swaps the odd blocks of the first register with the even blocks of the second.
    LaneSwap {
        a: VectorRegister,
        b: VectorRegister,
        block: usize,
    },
    Matrix(Box<Matrix>),
    Memory(Box<Memory>),
    Shared(Box<Shared>),
    /// Cache maintenance, which counts as a vector memory instruction.
    Cache,
}

/// What the architecture's rules about wait states need to know of an instruction.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    pub vector_reads: Vec<(VectorRegister, u16)>,
    pub vector_writes: Vec<(VectorRegister, u16)>,
    pub scalar_reads: u128,
    pub scalar_writes: u128,
    pub unit: Unit,
    /// Reads another lane's value through DPP.
    pub dpp: bool,
    /// Writes part of a register (SDWA or op_sel).
    pub partial_write: bool,
    /// The scalar register that selects a lane.
    pub lane_select: u128,
    /// Number of four-cycle passes of a matrix instruction.
    pub passes: u32,
    /// Registers of the third matrix operand.
    pub addend: Option<(VectorRegister, u16)>,
}

/// The unit an instruction is issued to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    #[default]
    Scalar,
    Vector,
    /// exp, log, rcp and their kin.
    Transcendental,
    /// bf16, f16, 8-bit and narrower matrix products.
    Matrix,
    /// f32 and f64 matrix products.
    SlowMatrix,
    VectorMemory,
    /// Memory to LDS without registers, which reads M0.
    DirectToLds,
    Lds,
}

/// One instruction, decoded.
pub struct Instruction {
    pub op: Op,
    pub traits: Traits,
}

#[derive(Clone, Copy)]
pub struct Wait {
    pub vector: Option<u32>,
    pub scalar_and_lds: Option<u32>,
}

#[derive(Clone, Copy)]
pub struct Branch {
    pub when: Condition,
    pub target: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    Scc(bool),
    VccZero(bool),
    ExecZero(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalarSource {
    Register { first: u8, count: u8 },
    Constant(u64),
}

/// Operands and SCC in; result and SCC out.
pub type ScalarFn = fn(u64, u64, bool) -> (u64, bool);

pub struct Scalar {
    pub compute: ScalarFn,
    /// First register and count of the result; a comparison has none.
    pub to: Option<(u8, u8)>,
    pub a: ScalarSource,
    pub b: ScalarSource,
    pub reads_scc: bool,
    pub keep_scc: bool,
}

pub struct SaveExec {
    /// (operand, EXEC) → new EXEC.
    pub compute: fn(u64, u64) -> u64,
    pub to: u8,
    pub from: ScalarSource,
}

pub struct ScalarLoad {
    pub to: u8,
    pub dwords: u8,
    pub base: u8,
    pub offset: ScalarSource,
    pub extra: i64,
    /// An `s_buffer_load`: the base is a buffer resource.
    pub buffer: bool,
}

/// A vector source.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub place: Place,
    /// Dwords that the operand names: 1 or 2.
    pub width: u8,
    /// Sign handling of the top dword: `(value & keep) ^ flip`.
    pub keep: u32,
    pub flip: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Vector(VectorRegister),
    Scalar(u8),
    Constant(u64),
}

/// A function of up to three 64-bit sources.
pub type WideFn = fn(&mut Wide, &Wide, &Wide, &Wide);

/// How a vector instruction computes, all lanes at once.
#[derive(Clone, Copy)]
pub enum Compute {
    One(fn(&mut Lanes, &Lanes)),
    Two(fn(&mut Lanes, &Lanes, &Lanes)),
    Three(fn(&mut Lanes, &Lanes, &Lanes, &Lanes)),
    /// 64 bits; the last number is the dwords of the result.
    Wide(WideFn, usize, u16),
    Compare(fn(&mut Flags, &Lanes, &Lanes)),
    CompareWide(fn(&mut Flags, &Wide, &Wide)),
}

impl Compute {
    pub fn sources(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(_) | Self::Compare(_) | Self::CompareWide(_) => 2,
            Self::Three(_) => 3,
            Self::Wide(_, sources, _) => sources,
        }
    }

    pub fn result_dwords(self) -> u16 {
        match self {
            Self::Wide(_, _, dwords) => dwords,
            _ => 1,
        }
    }
}

/// How constants are read and where signs and denormals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    U32,
    U64,
    F16,
    F32,
    F64,
    /// Two f16 in one register.
    F16x2,
}

pub struct Vector {
    pub compute: Compute,
    pub to: VectorRegister,
    pub sources: [Source; 3],
    pub kind: Kind,
    pub result: Kind,
    /// The low dword of a 64-bit result does not depend on the high dwords of the sources, which may then be undefined.
    pub upward: bool,
    pub extras: Option<Box<Extras>>,
}

/// The rarer modifiers of a vector instruction.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    pub dpp: Option<Dpp>,
    pub transforms: [Transform; 3],
    pub insert: Insert,
    pub clamp: bool,
    /// Power of two that the result is multiplied with.
    pub scale: i32,
}

/// What happens to a source between the register and the sign.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Transform {
    #[default]
    None,
    /// A byte or a word, zero- or sign-extended.
    Part { shift: u32, bits: u32, signed: bool },
    /// An f16 in the low or high word, widened to f32.
    Widen { shift: u32 },
    /// Two halves chosen and negated one by one.
    Halves { low: u32, high: u32, negate: u32 },
}

/// Where the result goes inside the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Insert {
    #[default]
    Whole,
    Part {
        shift: u32,
        bits: u32,
        rest: Rest,
    },
}

/// What the untouched part of a destination becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Zero,
    Sign,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dpp {
    pub control: DppControl,
    pub row_mask: u8,
    pub bank_mask: u8,
    /// Lanes without a source read zero instead of keeping the old destination.
    pub bound_control: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DppControl {
    QuadPermute([u8; 4]),
    RowShiftLeft(u8),
    RowShiftRight(u8),
    RowRotate(u8),
    RowMirror,
    RowHalfMirror,
    RowBroadcast15,
    RowBroadcast31,
    RowNewBroadcast(u8),
    WaveShift { by: i8, rotate: bool },
}

pub struct Compare {
    pub compute: Compute,
    pub to: u8,
    pub writes_exec: bool,
    pub sources: [Source; 2],
    pub kind: Kind,
    pub transforms: [Transform; 2],
}

/// `v_cndmask_b32`.
pub struct Select {
    pub vector: Vector,
    pub mask: u8,
}

pub struct Carry {
    /// (a, b, carry in) → (result, carry out).
    pub compute: fn(u32, u32, bool) -> (u32, bool),
    pub to: VectorRegister,
    pub carry_out: u8,
    pub carry_in: Option<u8>,
    pub sources: [Source; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F64,
    F32,
    Xf32,
    F16,
    Bf16,
    I8,
    /// An 8-bit or narrower float, by code.
    Mini(crate::number::Minifloat, u32),
}

impl Element {
    pub fn bits(self) -> u32 {
        match self {
            Self::F64 => 64,
            Self::F32 | Self::Xf32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::I8 => 8,
            Self::Mini(_, bits) => bits,
        }
    }
}

/// D (rows × columns) = A (rows × depth) · B (depth × columns) + C, for `blocks` independent products.
pub struct Matrix {
    pub size: usize,
    pub depth: usize,
    pub blocks: usize,
    pub a_element: Element,
    pub b_element: Element,
    pub to: VectorRegister,
    pub a: VectorRegister,
    pub b: VectorRegister,
    pub c: Place,
    /// Scale registers and the byte used of each.
    pub scales: Option<[(Source, u32); 2]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Global,
    Flat,
    Scratch,
    Buffer,
}

/// Where a memory instruction's addresses come from.
pub enum Address {
    /// A 64-bit address a lane.
    Lane(VectorRegister),
    /// A scalar base and a 32-bit offset a lane.
    Base {
        base: u8,
        offset: Option<VectorRegister>,
    },
    Scratch {
        lane: Option<VectorRegister>,
        base: Option<ScalarSource>,
    },
    Buffer {
        resource: u8,
        lane: Option<VectorRegister>,
        base: ScalarSource,
    },
}

/// What is moved for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub dwords: u16,
    /// 1, 2 or 4: below 4 there is one element.
    pub element_bytes: u8,
    pub signed: bool,
    pub half: Half,
}

impl Shape {
    pub fn bytes(self) -> usize {
        usize::from(self.element_bytes) * usize::from(self.dwords)
    }
}

/// Which half of the register a 16-bit element stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    Whole,
    Low,
    High,
}

pub enum Action {
    Load,
    Store,
    /// To LDS at M0 + the instruction's offset + lane · size.
    LoadToLds,
    Atomic {
        update: Atomic,
        returns: bool,
    },
}

/// (memory, data, comparand) → memory; four or eight bytes.
#[derive(Clone, Copy)]
pub struct Atomic {
    pub compute: fn(u64, u64, u64) -> u64,
    pub bytes: u8,
    pub compares: bool,
}

pub struct Memory {
    pub space: Space,
    pub action: Action,
    pub address: Address,
    pub offset: i64,
    pub data: VectorRegister,
    pub to: VectorRegister,
    pub shape: Shape,
}

pub enum SharedAction {
    Read {
        both: bool,
    },
    Write {
        both: bool,
    },
    /// 16 lanes read a tile and each receives a column; elements have this many bits.
    ReadTransposed {
        bits: u32,
    },
    Atomic {
        update: Atomic,
        returns: bool,
    },
    Permute,
    BackPermute,
    Swizzle(u32),
}

pub struct Shared {
    pub action: SharedAction,
    pub address: VectorRegister,
    pub data: [VectorRegister; 2],
    pub to: VectorRegister,
    pub offsets: [u32; 2],
    pub shape: Shape,
}
