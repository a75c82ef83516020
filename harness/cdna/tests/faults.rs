//! Each fault has a kernel that commits it and a check that it is named; each has a control that is right and passes.
#![allow(clippy::unwrap_used, reason = "clippy sees only the tests themselves, not their helpers")]

mod common;

use common::*;
use tilemark_cdna::exec::group::Order;
use tilemark_cdna::launch::{Error, Options};
use tilemark_cdna::session::{Argument, run};

/// The buffer's address in s[4:5], the lane's byte offset in v1.
const ENTRY: &str = "s_load_dwordx2 s[4:5], s[0:1], 0x0
s_waitcnt lgkmcnt(0)
v_lshlrev_b32_e32 v1, 2, v0
";

fn assembly(arch: &str, body: &str) -> String {
    format!(
        ".amdgcn_target \"amdgcn-amd-amdhsa--{arch}\"
.file 1 \"/src\" \"fault.hip\"
k:
.loc 1 7 3
{ENTRY}{body}
s_endpgm
.Lfunc_end0:
.amdhsa_kernel k
.amdhsa_group_segment_fixed_size 1024
.amdhsa_private_segment_fixed_size 16
.amdhsa_user_sgpr_kernarg_segment_ptr 1
.amdhsa_system_sgpr_workgroup_id_x 1
.end_amdhsa_kernel
.amdgpu_metadata
amdhsa.kernels:
  - .args:
      - .offset: 0
        .size: 8
        .value_kind: global_buffer
    .name: k
.end_amdgpu_metadata
"
    )
}

/// Runs a body on two waves and 512 bytes; the fault as text, if there is one, must be the same in every order.
fn fault(arch: &str, body: &str) -> Option<String> {
    let kernel = from_text(&assembly(arch, body), "k");
    let found: Vec<_> = [Order::InTurn, Order::Seeded(1), Order::Seeded(2)]
        .into_iter()
        .map(|order| {
            let options = Options { order, limit: 10_000, coverage: false };
            let argument = Argument::Buffer(vec![1; 512]);
            match run(&kernel, grid([1, 1, 1], 128), &[argument], &options) {
                Ok(_) => None,
                Err(Error::Fault(fault)) => Some(fault.to_string()),
                Err(error) => panic!("{error}"),
            }
        })
        .collect();
    let same = found.iter().all(|f| f.is_some() == found[0].is_some());
    assert!(same, "orders disagree on\n{body}\n{found:?}");
    found.into_iter().next().flatten()
}

/// The wrong body has a fault with this text; the right one has none.
fn check(wrong: &str, text: &str, right: &str) {
    let found = fault("gfx942", wrong).unwrap_or_else(|| panic!("no fault in\n{wrong}"));
    assert!(found.contains(text), "{found}\nis not: {text}");
    assert_eq!(fault("gfx942", right), None, "the control has a fault");
}

#[test]
fn a_fault_names_its_place() {
    let found = fault("gfx942", "v_add_u32_e32 v3, v9, v1").unwrap();
    let want = "v_add_u32_e32 v3, v9, v1: v9 is read but was never written\n  in k, assembly line 8, source fault.hip:7, workgroup (0, 0, 0), wave 0, lane 0";
    assert_eq!(found, want);
}

#[test]
fn a_register_used_before_its_wait() {
    let load = "global_load_dword v2, v1, s[4:5]";
    check(
        &format!("{load}\nv_add_u32_e32 v3, v2, v2"),
        "v2 is used before the s_waitcnt",
        &format!("{load}\ns_waitcnt vmcnt(0)\nv_add_u32_e32 v3, v2, v2"),
    );
    check(
        "s_load_dword s6, s[4:5], 0x0\ns_add_u32 s7, s6, s6",
        "s6 is used before the s_waitcnt",
        "s_load_dword s6, s[4:5], 0x0\ns_waitcnt lgkmcnt(0)\ns_add_u32 s7, s6, s6",
    );
    let read = "ds_write_b32 v1, v0\nds_read_b32 v2, v1";
    check(
        &format!("{read}\nv_add_u32_e32 v3, v2, v2"),
        "v2 is used before the s_waitcnt",
        &format!("{read}\ns_waitcnt lgkmcnt(0)\nv_add_u32_e32 v3, v2, v2"),
    );
}

#[test]
fn a_wait_that_counts_wrong() {
    let loads = "global_load_dword v2, v1, s[4:5]\nglobal_load_dword v3, v1, s[4:5]";
    check(
        &format!("{loads}\ns_waitcnt vmcnt(1)\nv_add_u32_e32 v4, v3, v3"),
        "v3 is used before",
        &format!("{loads}\ns_waitcnt vmcnt(1)\nv_add_u32_e32 v4, v2, v2"),
    );
    // Scalar loads complete out of order, so a count above zero says nothing while one is outstanding.
    let mixed = "ds_write_b32 v1, v0\nds_read_b32 v2, v1\ns_load_dword s6, s[4:5], 0x0";
    check(
        &format!("{mixed}\ns_waitcnt lgkmcnt(1)\nv_add_u32_e32 v4, v2, v2"),
        "v2 is used before",
        &format!("{mixed}\ns_waitcnt lgkmcnt(0)\nv_add_u32_e32 v4, v2, v2"),
    );
}

#[test]
fn a_register_written_while_a_load_is_on_its_way() {
    check(
        "global_load_dword v2, v1, s[4:5]\nv_mov_b32_e32 v2, 0",
        "v2 is written while a load into it is outstanding",
        "global_load_dword v2, v1, s[4:5]\ns_waitcnt vmcnt(0)\nv_mov_b32_e32 v2, 0",
    );
}

#[test]
fn an_uninitialised_register() {
    check(
        "v_add_u32_e32 v3, v9, v9",
        "v9 is read but was never written",
        "v_mov_b32_e32 v9, 1\ns_nop 1\nv_add_u32_e32 v3, v9, v9",
    );
    check(
        "s_add_u32 s9, s8, s8",
        "s8 is read but was never written",
        "s_mov_b32 s8, 1\ns_add_u32 s9, s8, s8",
    );
}

#[test]
fn uninitialised_lds() {
    check(
        "ds_read_b32 v2, v1",
        "LDS byte 0x0 is read but was never written",
        "ds_write_b32 v1, v0\nds_read_b32 v2, v1",
    );
}

#[test]
fn lds_out_of_bounds() {
    check(
        "ds_write_b32 v1, v0 offset:768",
        "outside its 1024 bytes",
        "ds_write_b32 v1, v0 offset:512",
    );
}

#[test]
fn global_out_of_bounds() {
    check(
        "global_load_dword v2, v1, s[4:5] offset:4",
        "4 bytes at 0x400000200 are outside every buffer; the nearest begins at 0x400000000 and has 512 bytes\n  in k, assembly line 8, source fault.hip:7, workgroup (0, 0, 0), wave 1, lane 63",
        "global_load_dword v2, v1, s[4:5]",
    );
}

#[test]
fn misaligned_access() {
    check(
        "global_load_dword v2, v0, s[4:5]",
        "global address 0x400000001 is not a multiple of 4",
        "global_load_ubyte v2, v0, s[4:5]",
    );
    check(
        "ds_write_b64 v1, v[0:1]",
        "LDS address 0x4 is not a multiple of 8",
        "ds_write_b32 v1, v0",
    );
}

#[test]
fn an_lds_race() {
    // Each lane writes its own word and reads the one that stands 256 bytes away: the other wave's.
    let (write, read) = (
        "ds_write_b32 v1, v0\ns_waitcnt lgkmcnt(0)",
        "v_xor_b32_e32 v2, 0x100, v1\nds_read_b32 v3, v2",
    );
    let found = fault("gfx942", &format!("{write}\ns_barrier\n{read}"));
    assert_eq!(found, None);
    let found = fault("gfx942", &format!("{write}\n{read}")).unwrap();
    assert!(found.contains("no barrier between") || found.contains("never written"), "{found}");
    // Both waves write the same words.
    check(
        "v_and_b32_e32 v2, 0xfc, v1\nds_write_b32 v2, v0",
        "written here and written by wave 0 with no barrier between",
        "v_and_b32_e32 v2, 0xfc, v1\nds_add_u32 v2, v0",
    );
}

#[test]
fn a_write_that_nobody_waited_for_crosses_the_barrier() {
    let read = "v_xor_b32_e32 v2, 0x100, v1\nds_read_b32 v3, v2";
    check(
        &format!("ds_write_b32 v1, v0\ns_barrier\n{read}"),
        "no barrier between",
        &format!("ds_write_b32 v1, v0\ns_waitcnt lgkmcnt(0)\ns_barrier\n{read}"),
    );
}

#[test]
fn a_load_to_lds_read_before_its_wait() {
    // Wave w loads its 256 bytes to LDS at 256 w.
    let load = "s_nop 0\nv_readfirstlane_b32 s6, v1\ns_mov_b32 m0, s6\ns_nop 0\nglobal_load_lds_dword v1, s[4:5]";
    check(
        &format!("{load}\nds_read_b32 v2, v1"),
        "is read before the s_waitcnt that covers the load into it",
        &format!("{load}\ns_waitcnt vmcnt(0)\nds_read_b32 v2, v1"),
    );
}

#[test]
fn a_barrier_that_not_all_waves_reach() {
    let branch = "v_readfirstlane_b32 s6, v0\ns_cmp_lg_u32 s6, 0";
    check(
        &format!("{branch}\ns_cbranch_scc1 .Lend\ns_barrier\n.Lend:"),
        "waves [0] wait at a barrier that waves [1] ended without reaching",
        &format!("{branch}\ns_cbranch_scc1 .Lend\n.Lend:\ns_barrier"),
    );
}

#[test]
fn scratch_faults() {
    check(
        "scratch_load_dword v2, off, off offset:4",
        "scratch byte 0x4 is read but was never written",
        "scratch_store_dword off, v0, off offset:4\nscratch_load_dword v2, off, off offset:4",
    );
    check(
        "scratch_store_dword off, v0, off offset:16",
        "outside its 16 bytes",
        "scratch_store_dword off, v0, off offset:12",
    );
}

#[test]
fn a_kernel_that_hangs() {
    check(
        ".Lagain:\ns_branch .Lagain",
        "still running after 10000 instructions",
        "s_branch .Lon\n.Lon:",
    );
}

#[test]
fn missing_wait_states() {
    let zero = "v_mov_b32_e32 v2, 0\nv_mov_b32_e32 v3, 0\nv_mov_b32_e32 v4, 0\nv_mov_b32_e32 v5, 0\ns_nop 1";
    let product = "v_mfma_f32_16x16x16_f16 v[2:5], v[2:3], v[2:3], v[2:5]";
    check(
        &format!("{zero}\n{product}\ns_nop 5\nv_add_f32_e32 v6, v2, v2"),
        "a matrix result needs 7 wait states after line 13, found 6",
        &format!("{zero}\n{product}\ns_nop 6\nv_add_f32_e32 v6, v2, v2"),
    );
    // What a product between the two has made anew does not wait for the first.
    let zeros: String = (2..8).map(|i| format!("v_mov_b32_e32 v{i}, 0\n")).collect();
    let [first, part] =
        [2, 4].map(|d| format!("v_mfma_f32_16x16x16_f16 v[{d}:{}], v[0:1], v[0:1]", d + 3));
    check(
        &format!("{zeros}s_nop 1\n{first}, 0\n{part}, v[4:7]"),
        "a matrix result as part of an addend needs 5 wait states",
        &format!("{zeros}s_nop 1\n{first}, 0\n{part}, 0\n{part}, v[4:7]"),
    );
    check(
        "v_exp_f32_e32 v2, v1\nv_add_f32_e32 v3, v2, v2",
        "a transcendental instruction needs 1 wait states",
        "v_exp_f32_e32 v2, v1\ns_nop 0\nv_add_f32_e32 v3, v2, v2",
    );
    check(
        "v_mov_b32_e32 v2, 1\ns_nop 0\nv_mov_b32_dpp v3, v2 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1",
        "DPP after a write of its source needs 2 wait states",
        "v_mov_b32_e32 v2, 1\ns_nop 1\nv_mov_b32_dpp v3, v2 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1",
    );
    check(
        "v_cmp_eq_u32_e64 s[6:7], v0, v0\ns_nop 0\nv_cndmask_b32_e64 v2, v0, v1, s[6:7]",
        "a scalar that a vector instruction wrote needs 2 wait states",
        "v_cmp_eq_u32_e64 s[6:7], v0, v0\ns_nop 1\nv_cndmask_b32_e64 v2, v0, v1, s[6:7]",
    );
    check(
        "s_nop 0\nv_readfirstlane_b32 s6, v1\nv_readfirstlane_b32 s7, v1\ns_nop 0\nglobal_load_dword v2, v1, s[6:7]",
        "vector memory after a vector write of its scalar operand needs 5 wait states",
        "s_nop 0",
    );
    // The way into a loop counts too, which is only known while it runs.
    check(
        "s_mov_b32 s6, 2\nv_mov_b32_e32 v2, 0\n.Lagain:\nv_add_f32_e32 v3, v2, v2\ns_sub_u32 s6, s6, 1\nv_exp_f32_e32 v2, v1\ns_cmp_lg_u32 s6, 0\ns_cbranch_scc1 .Lagain\nv_exp_f32_e32 v2, v1\ns_branch .Lon\n.Lon:\nv_mov_b32_e32 v4, v2\nv_exp_f32_e32 v2, v1\nv_mov_b32_e32 v4, v2",
        "a transcendental instruction needs 1 wait states",
        "s_mov_b32 s6, 2\nv_mov_b32_e32 v2, 0\n.Lagain:\nv_add_f32_e32 v3, v2, v2\ns_sub_u32 s6, s6, 1\nv_exp_f32_e32 v2, v1\ns_cmp_lg_u32 s6, 0\ns_cbranch_scc1 .Lagain",
    );
}
