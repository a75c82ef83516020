//! The nouns of Tilemark: everything that a crate hands to another, as plain data.
//!
//! No I/O, no clock, no `unsafe`, and no knowledge of any kernel, vendor or file format.

pub mod dtype;
pub mod shape;

pub mod case;
pub mod family;
pub mod launch;

pub mod device;

pub mod method;
pub mod record;
pub mod summary;

pub mod generator;
pub mod units;

pub use case::{Case, Distribution, Problem};
pub use device::{Buffer, Device, Fault, Info};
pub use dtype::Dtype;
pub use family::{Family, Implementation, Tensor};
pub use shape::{Axis, Shape, Value};
pub use units::{Bytes, Flops, Seconds};
