//! What Tilemark compares with: other people's code, as implementations of our families.

use tilemark_core::Implementation;

/// Every rival, by the name of the family it implements.
pub static RIVALS: &[(&str, &Implementation)] = &[];
