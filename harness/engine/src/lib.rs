//! The verbs of Tilemark. Families and devices are arguments: nothing here knows one by name.
//!
//! `suite → plan → cases →| worker process |→ records → store → compare`
