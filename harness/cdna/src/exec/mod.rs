//! Executes decoded instructions: one workgroup at a time, its waves in a seeded order.

pub mod group;
pub mod lds;
pub mod matrix;
pub mod memory;
pub mod pending;
pub mod scalar;
pub mod shared;
pub mod vector;
pub mod wait_states;
pub mod wave;
