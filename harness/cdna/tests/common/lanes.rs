//! Runs a few instructions on registers given lane by lane.

use tilemark_cdna::launch::Options;
use tilemark_cdna::session::{Argument, run};

use super::{from_text, grid};

pub type Lanes = [u32; 64];

/// Inputs stand in v64 and up, results are taken from v10 and up; s[20:21] holds a mask with every third lane.
pub fn execute(arch: &str, body: &str, inputs: &[Lanes], results: usize) -> Vec<Lanes> {
    let loads: String = (0..inputs.len())
        .map(|r| {
            format!("global_load_dword v{}, v1, s[4:5] offset:{}\n", 64 + r, 256 * (r % 8))
                + &step(r)
        })
        .collect();
    let stores: String = (0..results)
        .map(|r| {
            format!("global_store_dword v2, v{}, s[6:7] offset:{}\n", 10 + r, 256 * (r % 8))
                + &next(r)
        })
        .collect();
    let text = format!(
        ".amdgcn_target \"amdgcn-amd-amdhsa--{arch}\"
k:
s_load_dwordx4 s[4:7], s[0:1], 0x0
v_lshlrev_b32_e32 v1, 2, v0
v_lshlrev_b32_e32 v2, 2, v0
s_mov_b32 s20, 0x49249249
s_mov_b32 s21, 0x92492492
s_waitcnt lgkmcnt(0)
{loads}s_waitcnt vmcnt(0)
{body}
s_nop 15
s_nop 15
{stores}s_endpgm
.Lfunc_end0:
.amdhsa_kernel k
.amdhsa_group_segment_fixed_size 4096
.amdhsa_user_sgpr_kernarg_segment_ptr 1
.end_amdhsa_kernel
.amdgpu_metadata
amdhsa.kernels:
  - .args:
      - .offset: 0
        .size: 8
        .value_kind: global_buffer
      - .offset: 8
        .size: 8
        .value_kind: global_buffer
    .name: k
.end_amdgpu_metadata
"
    );
    let data = inputs.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let arguments = [Argument::Buffer(data), Argument::Buffer(vec![0; 256 * results])];
    let outcome = run(&from_text(&text, "k"), grid([1, 1, 1], 64), &arguments, &Options::default());
    let outcome = outcome.unwrap_or_else(|error| panic!("{body}: {error}"));
    let words: Vec<u32> = outcome.buffers[1]
        .chunks_exact(4)
        .map(|c| u32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    words.chunks_exact(64).map(|c| c.try_into().unwrap()).collect()
}

/// Eight registers fit the offset field; then the address moves on.
fn step(r: usize) -> String {
    if r % 8 == 7 { "v_add_u32_e32 v1, 0x800, v1\n".into() } else { String::new() }
}

fn next(r: usize) -> String {
    if r % 8 == 7 { "v_add_u32_e32 v2, 0x800, v2\n".into() } else { String::new() }
}
