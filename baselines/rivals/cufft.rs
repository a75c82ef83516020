//! cuFFT: batched real transforms in f32 around a product with the spectrum, as a program in C++ has
//! them; elements of 16 bits, gates and padding are in the passes before and after.
#![allow(unsafe_code, reason = "cuFFT is a C interface")]

use super::cuda::{self, Argument, Memory, Program, only_nvidia};
use cudarc::cufft::sys;
use std::rc::Rc;
use tilemark_core::family::{Candidate, Code, Site, Standing};
use tilemark_core::{Bytes, Dtype, Fault, Implementation, Info, Problem};

/// The rival.
pub static FFTCONV: Implementation = Implementation {
    name: "cufft",
    idea: "cuFFT's real transforms in f32, and three passes of ours for elements, gates and the product: all rows at once, or as many as L2 holds",
    standing: Standing::Rival,
    supports,
    code: Code::Library(plan),
};

/// What an intermediate may take that is to stay in L2 until the next pass reads it.
const HELD: Bytes = Bytes(32 << 20);

/// Kernels of a transform, at most: more passes over memory than that none of our lengths takes.
const KERNELS: u64 = 4;

/// Threads of a block of our passes.
const THREADS: u64 = 256;

/// Places in the family's list of tensors; y is the last.
const U: usize = 0;
const SPECTRUM: usize = 1;
const PRE: usize = 2;
const POST: usize = 3;

/// The library's version, where there is one.
pub fn version() -> Option<String> {
    is_present().then_some(())?;
    let mut version = 0;
    // SAFETY: the library is there.
    let status = unsafe { sys::cufftGetVersion(&mut version) };
    let [major, minor, patch] = [version / 1000, version / 100 % 10, version % 100];
    status.result().is_ok().then(|| format!("{major}.{minor}.{patch}"))
}

fn supports(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    if ["kept", "taps"].iter().any(|axis| problem.shape.get(axis).is_some()) {
        return Err("our passes around cuFFT multiply by a whole spectrum that is at hand".into());
    }
    Ok(())
}

fn is_present() -> bool {
    // SAFETY: cuFFT has no initialiser that does more than prepare itself.
    unsafe { sys::is_culib_present() }
}

fn plan(site: &Site<'_>) -> Result<Vec<Candidate>, Fault> {
    if !is_present() {
        return Err(cuda::missing("libcufft.so"));
    }
    let extents = Extents::of(site.problem);
    let passes = Rc::new(passes(site)?);
    let mut candidates = Vec::new();
    for at_once in extents.rows_at_once() {
        let call = Call::new(site, extents, at_once, Rc::clone(&passes))?;
        // Once here, so that nothing is loaded for the first time while the device holds its stream.
        call.enqueue()?;
        candidates.push(Candidate {
            name: format!("{at_once} of {} rows at once", extents.rows),
            enqueue: Box::new(move || call.enqueue()),
            launches: extents.launches(at_once),
            publish: None,
        });
    }
    cuda::wait(site.stream)?;
    Ok(candidates)
}

/// The passes around the transforms, for the problem's element type.
fn passes(site: &Site<'_>) -> Result<Program, Fault> {
    let problem = site.problem;
    let [l, gated] = [
        u64::from(problem.shape.integer("l").is_multiple_of(4)),
        u64::from(problem.shape.flag("gated")),
    ];
    let definitions = [
        ("ELEMENT_BYTES", problem.dtype.size()),
        ("FP16", u64::from(problem.dtype == Dtype::F16)),
        ("GATED", gated),
        ("WHOLE_FOURS", l),
    ];
    Program::compile(include_str!("cufft/around.cu"), &site.info.arch, &definitions)
}

/// The sizes of a problem; a row is the sequence of one head of one item.
#[derive(Clone, Copy)]
struct Extents {
    rows: u64,
    heads: u64,
    n: u64,
    l: u64,
}

impl Extents {
    fn of(problem: &Problem) -> Self {
        let [b, heads, n, l] = ["b", "h", "n", "l"].map(|axis| problem.shape.integer(axis));
        Extents { rows: b * heads, heads, n, l }
    }

    fn bins(self) -> u64 {
        self.n / 2 + 1
    }

    /// Of our three passes and of two transforms for each of so many rows at once.
    fn launches(self, at_once: u64) -> u32 {
        let each = 3 + 2 * KERNELS;
        u32::try_from(self.rows / at_once * each).unwrap_or(u32::MAX)
    }

    /// All rows, and the most that divide them and fit L2, if they are fewer.
    fn rows_at_once(self) -> Vec<u64> {
        let row_bytes = 4 * self.n + 8 * self.bins();
        let fit = (HELD.0 / row_bytes).min(self.rows - 1);
        let few = (1..=fit).rev().find(|rows| self.rows.is_multiple_of(*rows));
        [self.rows].into_iter().chain(few).collect()
    }
}

/// All that a convolution takes.
struct Call {
    extents: Extents,
    at_once: u64,
    forward: Plan,
    inverse: Plan,
    passes: Rc<Program>,
    /// Rows of f32, and of their spectra.
    x: Memory,
    z: Memory,
    tensors: Vec<u64>,
    gates: [u64; 2],
    stream: u64,
}

impl Call {
    fn new(
        site: &Site<'_>,
        extents: Extents,
        at_once: u64,
        passes: Rc<Program>,
    ) -> Result<Self, Fault> {
        let gated = site.problem.shape.flag("gated");
        Ok(Call {
            extents,
            at_once,
            forward: Plan::new(sys::cufftType::CUFFT_R2C, extents, at_once, site.stream)?,
            inverse: Plan::new(sys::cufftType::CUFFT_C2R, extents, at_once, site.stream)?,
            passes,
            x: Memory::new(Bytes(4 * extents.n * at_once))?,
            z: Memory::new(Bytes(8 * extents.bins() * at_once))?,
            tensors: site.addresses.to_vec(),
            gates: [PRE, POST].map(|place| if gated { site.addresses[place] } else { 0 }),
            stream: site.stream,
        })
    }

    fn enqueue(&self) -> Result<(), Fault> {
        (0..self.extents.rows).step_by(self.at_once as usize).try_for_each(|first| self.rows(first))
    }

    /// Convolves as many rows as go at once, from `first` on.
    fn rows(&self, first: u64) -> Result<(), Fault> {
        let Extents { heads, n, l, .. } = self.extents;
        let (x, z) = (self.x.address(), self.z.address());
        let y = *self.tensors.last().expect("a convolution has tensors");
        let [pre, post] = self.gates;
        let [heads, n32, l32] = [heads, n, l].map(|size| Argument::Int(size as i32));
        let at = Argument::Wide;
        let (first, rows) = (at(first), at(self.at_once));
        self.pass(
            c"widen",
            self.at_once * n / 4,
            &[at(self.tensors[U]), at(pre), at(x), first, rows, n32, l32],
        )?;
        // SAFETY: the plan is alive, and both buffers hold the rows that it was made for.
        let status = unsafe { sys::cufftExecR2C(self.forward.0, x as *mut _, z as *mut _) };
        check("cufftExecR2C", status)?;
        self.pass(
            c"multiply",
            self.at_once * self.extents.bins(),
            &[at(z), at(self.tensors[SPECTRUM]), first, rows, heads, n32],
        )?;
        // SAFETY: as above.
        let status = unsafe { sys::cufftExecC2R(self.inverse.0, z as *mut _, x as *mut _) };
        check("cufftExecC2R", status)?;
        self.pass(
            c"narrow",
            self.at_once * l.div_ceil(4),
            &[at(x), at(post), at(y), first, rows, n32, l32],
        )
    }

    fn pass(
        &self,
        entry: &std::ffi::CStr,
        items: u64,
        arguments: &[Argument],
    ) -> Result<(), Fault> {
        let blocks = items.div_ceil(THREADS) as u32;
        // SAFETY: the arguments are those that the entry declares, of the problem's tensors, which
        // outlive the call as the site promises, and of buffers of its own.
        unsafe { self.passes.launch(entry, blocks, THREADS as u32, self.stream, arguments) }
    }
}

/// A batch of transforms, destroyed once.
struct Plan(sys::cufftHandle);

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: it was created by `Plan::new` and is destroyed once.
        let _ = unsafe { sys::cufftDestroy(self.0) };
    }
}

impl Plan {
    /// Of so many rows that follow each other, on the stream.
    fn new(kind: sys::cufftType, extents: Extents, rows: u64, stream: u64) -> Result<Self, Fault> {
        let plan = Plan(cudarc::cufft::result::create().map_err(|error| fault("create", error.0))?);
        let (mut n, mut workspace) = (extents.n as i64, 0);
        let nowhere = std::ptr::null_mut();
        // SAFETY: the plan is alive; without embeddings rows follow each other, and distances and
        // strides are not read; both numbers outlive the calls.
        unsafe {
            let made = sys::cufftMakePlanMany64(
                plan.0,
                1,
                &mut n,
                nowhere,
                1,
                0,
                nowhere,
                1,
                0,
                kind,
                rows as i64,
                &mut workspace,
            );
            check("plan", made)?;
            check("set stream", sys::cufftSetStream(plan.0, stream as sys::cudaStream_t))?;
        }
        Ok(plan)
    }
}

fn check(operation: &str, status: sys::cufftResult) -> Result<(), Fault> {
    status.result().map_err(|error| fault(operation, error.0))
}

fn fault(operation: &str, status: sys::cufftResult) -> Fault {
    let message = format!("cuFFT: {operation}: {status:?}");
    match status {
        sys::cufftResult::CUFFT_ALLOC_FAILED => {
            Fault::OutOfMemory { requested: Bytes(0), available: Bytes(0) }
        }
        sys::cufftResult::CUFFT_NOT_SUPPORTED => Fault::Unsupported { reason: message },
        _ => Fault::Crash { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_at_once_or_as_many_as_l2_holds() {
        let at_once = |rows, n| Extents { rows, heads: 1, n, l: n }.rows_at_once();
        assert_eq!(at_once(64 * 768, 4096), [49152, 768]);
        assert_eq!(at_once(3, 256), [3, 1]);
        assert_eq!(at_once(1, 256), [1]);
        assert_eq!(at_once(2, 1 << 22), [2]);
    }

    #[test]
    fn launches_are_told_of_all_rows() {
        let extents = Extents { rows: 64 * 768, heads: 768, n: 8192, l: 8192 };
        assert_eq!(extents.rows_at_once(), [49152, 384]);
        assert_eq!([49152, 384].map(|rows| extents.launches(rows)), [11, 128 * 11]);
    }
}
