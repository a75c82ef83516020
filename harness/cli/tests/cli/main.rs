//! The program as a person uses it: every verb, every mistake, every exit code, on the CPU and on
//! the null device.

mod desk;

mod comparing;
mod mistakes;
mod outcomes;
mod outputs;
mod plans;
mod resuming;
