//! Interprets the assembly that clang emits for gfx942 and gfx950, and reports the faults that hardware hides.
//! Depends on nothing else of Tilemark: text and buffers in, buffers and a report out.
#![allow(
    missing_docs,
    reason = "most public names are the architecture's own, and its manuals say what they are"
)]

pub mod kernel;
pub mod launch;
pub mod memory;
pub mod mutate;
pub mod session;

pub mod hip;

pub mod arch;
pub mod fault;
pub mod number;

pub mod asm;
pub mod exec;
pub mod isa;
