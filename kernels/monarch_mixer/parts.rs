//! Steps of the layer that are problems of other families: what those are, and who solves them.
//!
//! It must not know what a layer does with the results.

use crate::fftconv::FftConv;
use crate::gemm::Gemm;
use tilemark_core::family::{Code, HostFunction};
use tilemark_core::{Dtype, Family, Implementation, Problem, Shape, Value};

/// A (M, K) times the transpose of B (N, K).
pub fn product(whole: &Problem, dtype: Dtype, [m, n, k]: [usize; 3]) -> Problem {
    let layout = ("layout".to_owned(), Value::Word("nt".to_owned()));
    problem(whole, &Gemm, dtype, &[("m", m), ("n", n), ("k", k)], Some(layout))
}

/// Of a batch of so many heads over so many points.
pub fn convolution(whole: &Problem, dtype: Dtype, [b, h, n, l]: [usize; 4]) -> Problem {
    problem(whole, &FftConv, dtype, &[("b", b), ("h", h), ("n", n), ("l", l)], None)
}

fn problem(
    whole: &Problem,
    family: &dyn Family,
    dtype: Dtype,
    sizes: &[(&str, usize)],
    word: Option<(String, Value)>,
) -> Problem {
    let size = |(axis, size): &(&str, usize)| ((*axis).to_owned(), Value::Integer(*size as u64));
    let given: Vec<_> = sizes.iter().map(size).chain(word).collect();
    let about = family.about();
    let shape = Shape::complete(&given, about.axes).expect("every axis has a value");
    Problem { family: about.name.to_owned(), shape, dtype, ..whole.clone() }
}

/// An implementation of a family.
///
/// # Panics
/// If there is none of this name.
pub fn named(family: &dyn Family, name: &str) -> &'static Implementation {
    let found = family.implementations().iter().find(|implementation| implementation.name == name);
    found.expect("an implementation that the family lists")
}

/// The same, as a function on a host.
///
/// # Panics
/// If it is none.
pub fn on_host(family: &dyn Family, name: &str) -> HostFunction {
    match named(family, name).code {
        Code::Host(function) => function,
        _ => panic!("`{name}` is no function on a host"),
    }
}
