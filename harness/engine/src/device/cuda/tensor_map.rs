//! Encodes a tensor map of a launch for the copy engine.
#![allow(unsafe_code, reason = "a call of the driver on local arrays")]

use super::driver::describe;
use crate::device::gpu::runtime::Argument;
use cudarc::driver::sys;
use cudarc::driver::sys::{
    CUtensorMapDataType, CUtensorMapFloatOOBfill, CUtensorMapInterleave, CUtensorMapL2promotion,
    CUtensorMapSwizzle,
};
use tilemark_core::launch::{L2Promotion, Swizzle, TensorMap};
use tilemark_core::{Dtype, Fault};

/// The map over the tensor at `address`, as a kernel takes it by value.
pub fn encode(map: &TensorMap, address: u64) -> Result<Argument, Fault> {
    let rank = map.dims.len();
    if map.strides_bytes.len() + 1 != rank || map.box_dims.len() != rank {
        let message = format!("a tensor map's extents do not fit together: {map:?}");
        return Err(Fault::Infra { message });
    }
    let element_strides = vec![1u32; rank];
    let mut encoded = sys::CUtensorMap { opaque: [0; 16] };
    // SAFETY: every array has `rank` elements (the strides one less), as checked above, and the
    // driver copies all of them.
    let status = unsafe {
        sys::cuTensorMapEncodeTiled(
            &mut encoded,
            data_type(map.dtype),
            rank as u32,
            address as *mut std::ffi::c_void,
            map.dims.as_ptr(),
            map.strides_bytes.as_ptr(),
            map.box_dims.as_ptr(),
            element_strides.as_ptr(),
            CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
            swizzle(map.swizzle),
            promotion(map.l2_promotion),
            CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
    };
    status.result().map_err(|error| Fault::Crash {
        message: format!("the driver refuses the tensor map {map:?}: {}", describe(error)),
    })?;
    Ok(Argument::new(bytemuck::cast_slice(&encoded.opaque)))
}

fn data_type(dtype: Dtype) -> CUtensorMapDataType {
    match dtype {
        Dtype::F32 => CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
        Dtype::Bf16 => CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
        Dtype::F16 => CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
        Dtype::E4m3 => CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_UINT8,
    }
}

fn swizzle(swizzle: Swizzle) -> CUtensorMapSwizzle {
    match swizzle {
        Swizzle::None => CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_NONE,
        Swizzle::B32 => CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_32B,
        Swizzle::B64 => CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_64B,
        Swizzle::B128 => CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B,
    }
}

fn promotion(promotion: L2Promotion) -> CUtensorMapL2promotion {
    match promotion {
        L2Promotion::None => CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_NONE,
        L2Promotion::B64 => CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_64B,
        L2Promotion::B128 => CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        L2Promotion::B256 => CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
    }
}
