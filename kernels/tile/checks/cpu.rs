//! The host loop of the truth, in the precision of a kernel.

use super::Verb;
use crate::host::{Elements, narrow};
use crate::tile::reference;
use tilemark_core::Problem;
use tilemark_core::family::Arithmetic;

/// One element of y after the other.
pub fn host_loop(problem: &Problem, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let verb = Verb::of(problem);
    let dtype = verb.input_dtype(problem);
    let widened: Vec<Vec<f32>> =
        inputs.iter().map(|bytes| Elements::new(dtype, bytes).to_vec()).collect();
    let read = |tensor: usize, index: usize| f64::from(widened[tensor][index]);
    let y = verb.y(problem);
    let element =
        |index| reference::element(verb, problem, &read, index, Arithmetic::Working) as f32;
    let values: Vec<f32> = (0..(y.rows * y.columns) as usize).map(element).collect();
    narrow(y.dtype(problem.dtype), &values, outputs[0]);
}
