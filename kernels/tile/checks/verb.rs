//! What a verb is: what it makes of its input, which element types it is checked with, and where it
//! stands in device code.

use super::list::VERBS;
use super::programs::Program;
use tilemark_core::{Dtype, Problem};

/// One verb.
pub struct Verb {
    /// The word on the axis.
    pub name: &'static str,
    /// The kernel's name.
    pub entry: &'static str,
    /// The element types it is checked with.
    pub dtypes: &'static [Dtype],
    /// What y is.
    pub form: Form,
    /// Where NVIDIA's devices have it.
    pub nvidia: Option<&'static Program>,
    /// Where AMD's have it.
    pub amd: Option<&'static Program>,
    /// AMD's architectures that have it.
    pub amd_archs: &'static [&'static str],
    /// Blocks along x and y.
    pub grid: [u32; 2],
    /// Threads of a block.
    pub block: u32,
    /// Blocks of a cluster.
    pub cluster: u32,
    /// Whether the kernel adds to y, which is 0 before.
    pub adds: bool,
    /// The tensor that the kernel gets as a map, if any.
    pub map: Option<Map>,
}

/// What y is, element by element.
pub enum Form {
    /// y[i] = x[from(i)], or 0 where that is nowhere.
    Moved { x: Matrix, y: Matrix, from: Place },
    /// y[i] = function(x[i]) in f32, within these errors beyond f32's own.
    Mapped { function: fn(f64) -> f64, draw: Draw, errors: Errors },
    /// y[i] = 1 if x[from(i)] is positive, otherwise 0.
    Spread { x: Matrix, from: fn(usize) -> usize },
    /// y[i] = Σ x[term(i, number)] over so many terms, in f32.
    Summed { x: Matrix, y: Matrix, terms: usize, term: fn(usize, usize) -> usize },
    /// y = a·b in f32.
    Multiplied(Product),
}

/// The index in x of an element of y, if it is anywhere.
pub type Place = fn(usize) -> Option<usize>;

/// Extents, and what the elements are.
#[derive(Clone, Copy)]
pub struct Matrix {
    /// Rows.
    pub rows: u64,
    /// Elements of a row.
    pub columns: u64,
    /// Whether they are f32 whatever the problem's dtype is.
    pub is_single: bool,
}

/// How an input is drawn.
#[derive(Clone, Copy)]
pub struct Draw {
    /// Centre.
    pub mean: f32,
    /// Deviation.
    pub deviation: f32,
}

/// The documented errors of an approximation, as exponents of two.
#[derive(Clone, Copy)]
pub struct Errors {
    /// Relative to y on the whole.
    pub relative_log2: f64,
    /// Of one element.
    pub absolute_log2: f64,
}

/// A product y (m, n) of a (m, k) and b (k, n).
#[derive(Clone, Copy)]
pub struct Product {
    /// Rows of y.
    pub m: u64,
    /// Columns of y; none: the problem's `n`.
    pub n: Option<u64>,
    /// What is summed over.
    pub depth: Depth,
    /// How a lies in memory.
    pub a: Side,
    /// How b does.
    pub b: Side,
}

/// The extent k.
#[derive(Clone, Copy)]
pub enum Depth {
    /// So many elements.
    Elements(u64),
    /// As many elements as fill these bytes.
    Bytes(u64),
}

/// Which side of an operand is contiguous.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// k.
    K,
    /// m, or n.
    Other,
}

/// A tensor map of 16-bit elements.
#[derive(Clone, Copy)]
pub struct Map {
    /// The tensor's number.
    pub tensor: usize,
    /// Extents, innermost first.
    pub dims: &'static [u64],
    /// The box.
    pub box_dims: &'static [u32],
}

impl Verb {
    /// The verb that a problem asks for.
    ///
    /// # Panics
    /// If there is none of that name, which the axis must have refused.
    pub fn of(problem: &Problem) -> &'static Verb {
        let name = problem.shape.word("verb");
        VERBS.iter().find(|verb| verb.name == name).expect("the axis takes these words alone")
    }

    /// The extents of y.
    pub fn y(&self, problem: &Problem) -> Matrix {
        match &self.form {
            Form::Moved { y, .. } | Form::Summed { y, .. } => *y,
            Form::Mapped { .. } => Matrix::GRID,
            Form::Spread { x, .. } => *x,
            Form::Multiplied(product) => {
                let [m, n, _] = product.sizes(problem);
                Matrix { rows: m as u64, columns: n as u64, is_single: true }
            }
        }
    }

    /// The element type of an input.
    pub fn input_dtype(&self, problem: &Problem) -> Dtype {
        match &self.form {
            Form::Moved { x, .. } | Form::Spread { x, .. } | Form::Summed { x, .. } => {
                x.dtype(problem.dtype)
            }
            Form::Mapped { .. } => Dtype::F32,
            Form::Multiplied(_) => problem.dtype,
        }
    }

    /// Whether the axis `n` means something to it.
    pub fn has_width(&self) -> bool {
        matches!(self.form, Form::Multiplied(Product { n: None, .. }))
    }
}

impl Matrix {
    /// The extents of verbs that work element by element: enough of them to meet many exponents.
    pub const GRID: Matrix = Matrix { rows: 64, columns: 64, is_single: true };

    /// What its elements are in a problem of this dtype.
    pub fn dtype(self, dtype: Dtype) -> Dtype {
        if self.is_single { Dtype::F32 } else { dtype }
    }
}

impl Product {
    /// m, n and k.
    pub fn sizes(&self, problem: &Problem) -> [usize; 3] {
        let n = self.n.unwrap_or_else(|| problem.shape.integer("n"));
        let k = match self.depth {
            Depth::Elements(elements) => elements,
            Depth::Bytes(bytes) => bytes / problem.dtype.size(),
        };
        [self.m as usize, n as usize, k as usize]
    }
}

impl Side {
    /// The extents of an operand of so many rows (or columns) by k.
    pub fn extents(self, rows: u64, k: u64) -> [u64; 2] {
        if self == Side::K { [rows, k] } else { [k, rows] }
    }

    /// The flat index of its element at `depth` of row (or column) `row`.
    pub fn place(self, row: usize, depth: usize, rows: usize, k: usize) -> usize {
        if self == Side::K { row * k + depth } else { depth * rows + row }
    }
}
