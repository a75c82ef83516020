//! What Tilemark measures. A family is a folder; this list is all that joins them.
//!
//! Nothing here knows a clock, a file or a device: a family says what is computed and how, as data.

use tilemark_core::Family;

/// Every family, in the order in which lists show them.
pub static FAMILIES: &[&dyn Family] = &[];
