//! The verbs of Tilemark. Families and devices are arguments: nothing here knows one by name.
//!
//! `suite → plan → cases →| worker process |→ records → store → compare`

pub mod axis;
pub mod catalog;
pub mod plan;
pub mod programs;
pub mod suite;

pub mod compile;
pub mod device;
pub mod measure;
pub mod tensors;
pub mod validate;

pub mod run;
pub mod tune;
pub mod worker;

pub mod compare;
pub mod host;
pub mod store;
pub mod summarise;

use tilemark_core::method::Method;

/// The method's id: a hash of all its settings.
pub fn method_id(method: &Method) -> String {
    let text = serde_json::to_string(method).expect("a method is plain data");
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}
