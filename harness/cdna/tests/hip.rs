//! A kernel through the C face alone, as a backend would call it.
#![allow(unsafe_code, reason = "the C functions are called as C would call them")]
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

use tilemark_cdna::hip::exports::*;
use tilemark_cdna::session::Argument;

fn bytes(argument: &Argument) -> &[u8] {
    match argument {
        Argument::Buffer(bytes) | Argument::Value(bytes) => bytes,
    }
}

#[test]
fn a_gemm_runs_through_the_c_functions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels/gemm.gfx942.s");
    let text = CString::new(std::fs::read_to_string(path).unwrap()).unwrap();
    let case = common::gemm(64, 64, 64);
    let (mut module, mut function, mut count) = (0, 0, 0);
    let mut result = vec![0u8; 4 * 64 * 64];
    // SAFETY: every pointer is to a live local of the type that HIP names.
    unsafe {
        assert_eq!(hipGetDeviceCount(&mut count), 0);
        assert_eq!(count, 1);
        let mut properties = vec![0u8; 1472];
        assert_eq!(hipGetDevicePropertiesR0600(properties.as_mut_ptr(), 0), 0);
        assert!(properties[1160..].starts_with(b"gfx942:sramecc+:xnack-\0"));
        assert_eq!(hipGetDevicePropertiesR0600(properties.as_mut_ptr(), 1), 101);
        assert_eq!(hipModuleLoadData(&mut module, text.as_ptr()), 0);
        assert_eq!(hipModuleGetFunction(&mut function, module, c"gemm".as_ptr()), 0);
        assert_eq!(hipModuleGetFunction(&mut function.clone(), module, c"missing".as_ptr()), 500);
        let mut addresses = [0u64; 3];
        for (address, argument) in addresses.iter_mut().zip(&case.arguments) {
            let data = bytes(argument);
            assert_eq!(hipMalloc(address, data.len()), 0);
            assert_eq!(hipMemcpy(*address, data.as_ptr() as u64, data.len(), 4), 0);
        }
        let (n, k) = (64i32, 64i32);
        let parameters: Vec<*const u8> = addresses
            .iter()
            .map(|address| std::ptr::from_ref(address).cast())
            .chain([std::ptr::from_ref(&n).cast(), std::ptr::from_ref(&k).cast()])
            .collect();
        let launch = |function: usize| {
            hipModuleLaunchKernel(
                function,
                1,
                1,
                1,
                256,
                1,
                1,
                0,
                null_mut(),
                parameters.as_ptr(),
                null::<*const c_void>(),
            )
        };
        assert_eq!(launch(function), 0);
        assert_eq!(launch(12345), 400);
        assert_eq!(hipMemcpy(result.as_mut_ptr() as u64, addresses[2], result.len(), 2), 0);
        let mut milliseconds = 1.0;
        assert_eq!(hipEventElapsedTime(&mut milliseconds, null_mut(), null_mut()), 0);
        assert_eq!(milliseconds, 0.0);
        // A freed buffer is outside every buffer.
        assert_eq!(hipFree(addresses[0]), 0);
        assert_eq!(launch(function), 700);
        assert_eq!(hipGetLastError(), 700);
        let fault = CStr::from_ptr(hipGetErrorString(700)).to_string_lossy();
        assert!(fault.contains("gemm") && fault.contains("wave"), "{fault}");
        assert_eq!(hipModuleUnload(module), 0);
    }
    let got: Vec<f64> = common::floats(&result).into_iter().map(f64::from).collect();
    assert_eq!(got, case.want);
}
