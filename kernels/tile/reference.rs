//! The truth of a verb, element by element.
//!
//! Written to be read; it must not know how any vendor does it.

use super::checks::{Form, Product, Verb};
use tilemark_core::Problem;
use tilemark_core::family::{Arithmetic, Query};

/// Elements of y, in rows.
pub fn truth(query: &Query<'_>, arithmetic: Arithmetic) -> Vec<f64> {
    let verb = Verb::of(query.problem);
    let columns = verb.y(query.problem).columns as usize;
    let read = |tensor: usize, index: usize| query.operands[tensor].at(index);
    let row = |row: &u64| {
        let first = *row as usize * columns;
        (first..first + columns).map(|i| element(verb, query.problem, &read, i, arithmetic))
    };
    query.rows.iter().flat_map(row).collect()
}

/// Element `index` of y, of inputs that `read` gives by tensor and flat index.
pub fn element(
    verb: &Verb,
    problem: &Problem,
    read: &impl Fn(usize, usize) -> f64,
    index: usize,
    arithmetic: Arithmetic,
) -> f64 {
    match &verb.form {
        Form::Moved { from, .. } => from(index).map_or(0.0, |from| read(0, from)),
        Form::Mapped { function, .. } => arithmetic.accumulated(function(read(0, index))),
        Form::Spread { from, .. } => f64::from(read(0, from(index)) > 0.0),
        Form::Summed { terms, term, .. } => (0..*terms)
            .fold(0.0, |sum, number| arithmetic.accumulated(sum + read(0, term(index, number)))),
        Form::Multiplied(product) => {
            let Product { a, b, .. } = product;
            let [m, n, k] = product.sizes(problem);
            let (row, column) = (index / n, index % n);
            (0..k).fold(0.0, |sum, depth| {
                let left = read(0, a.place(row, depth, m, k));
                let right = read(1, b.place(column, depth, n, k));
                arithmetic.fused(sum, left, right)
            })
        }
    }
}
