	.amdgcn_target "amdgcn-amd-amdhsa--gfx950"
	.amdhsa_code_object_version 6
	.text
	.protected	staggered               ; -- Begin function staggered
	.globl	staggered
	.p2align	8
	.type	staggered,@function
staggered:                              ; @staggered
; %bb.0:
	s_load_dword s14, s[0:1], 0x18
	s_load_dwordx4 s[16:19], s[0:1], 0x0
	s_load_dwordx2 s[12:13], s[0:1], 0x10
	s_lshl_b32 s2, s2, 7
	v_readfirstlane_b32 s15, v0
	s_waitcnt lgkmcnt(0)
	s_mul_i32 s0, s14, s2
	s_mov_b32 s1, 0
	v_lshrrev_b32_e32 v1, 1, v0
	s_lshr_b32 s3, s15, 6
	s_lshl_b64 s[4:5], s[0:1], 1
	v_and_b32_e32 v3, 0xfe, v1
	v_lshlrev_b32_e32 v1, 4, v0
	s_add_u32 s4, s16, s4
	v_and_b32_e32 v2, 48, v1
	s_addc_u32 s5, s17, s5
	s_lshl_b32 s6, s14, 8
	s_mov_b32 s7, 0x27000
	v_mad_u64_u32 v[2:3], s[16:17], v3, s14, v[2:3]
	s_mov_b64 s[10:11], s[6:7]
	s_lshl_b32 s16, s3, 10
	s_mov_b64 s[8:9], s[4:5]
	s_cmp_gt_i32 s14, 0
	s_mov_b32 s8, s18
	v_bfrev_b32_e32 v3, 1
	s_cselect_b64 vcc, -1, 0
	s_add_i32 s0, s16, 0x2000
	s_add_i32 s18, s16, 0x4000
	v_cndmask_b32_e32 v4, v3, v2, vcc
	;;#ASMSTART
	s_mov_b32 m0, s16
	s_nop 0
	buffer_load_dwordx4 v4, s[4:7], s1 offen lds
	;;#ASMEND
	s_cmp_gt_i32 s14, 32
	s_mov_b32 s9, s19
	s_mov_b32 s10, s6
	v_cndmask_b32_e32 v4, v3, v1, vcc
	;;#ASMSTART
	s_mov_b32 m0, s0
	s_nop 0
	buffer_load_dwordx4 v4, s[8:11], s1 offen lds
	;;#ASMEND
	s_cselect_b64 s[0:1], -1, 0
	v_cndmask_b32_e64 v4, v3, v2, s[0:1]
	s_mov_b32 s19, 64
	;;#ASMSTART
	s_mov_b32 m0, s18
	s_nop 0
	buffer_load_dwordx4 v4, s[4:7], s19 offen lds
	;;#ASMEND
	s_movk_i32 s17, 0x2000
	v_cndmask_b32_e64 v3, v3, v1, s[0:1]
	s_add_i32 s0, s16, 0x6000
	;;#ASMSTART
	s_mov_b32 m0, s0
	s_nop 0
	buffer_load_dwordx4 v3, s[8:11], s17 offen lds
	;;#ASMEND
	;;#ASMSTART
	v_accvgpr_write_b32 a[0], 0
	v_accvgpr_write_b32 a[1], 0
	v_accvgpr_write_b32 a[2], 0
	v_accvgpr_write_b32 a[3], 0
	;;#ASMEND
	s_cmpk_lt_u32 s15, 0x100
	;;#ASMSTART
	v_accvgpr_write_b32 a[4], 0
	v_accvgpr_write_b32 a[5], 0
	v_accvgpr_write_b32 a[6], 0
	v_accvgpr_write_b32 a[7], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[8], 0
	v_accvgpr_write_b32 a[9], 0
	v_accvgpr_write_b32 a[10], 0
	v_accvgpr_write_b32 a[11], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[12], 0
	v_accvgpr_write_b32 a[13], 0
	v_accvgpr_write_b32 a[14], 0
	v_accvgpr_write_b32 a[15], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[16], 0
	v_accvgpr_write_b32 a[17], 0
	v_accvgpr_write_b32 a[18], 0
	v_accvgpr_write_b32 a[19], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[20], 0
	v_accvgpr_write_b32 a[21], 0
	v_accvgpr_write_b32 a[22], 0
	v_accvgpr_write_b32 a[23], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[24], 0
	v_accvgpr_write_b32 a[25], 0
	v_accvgpr_write_b32 a[26], 0
	v_accvgpr_write_b32 a[27], 0
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_accvgpr_write_b32 a[28], 0
	v_accvgpr_write_b32 a[29], 0
	v_accvgpr_write_b32 a[30], 0
	v_accvgpr_write_b32 a[31], 0
	;;#ASMEND
	;;#ASMSTART
	s_waitcnt vmcnt(2)
	s_barrier
	;;#ASMEND
	s_cbranch_scc1 .LBB0_2
; %bb.1:
	;;#ASMSTART
	s_barrier
	;;#ASMEND
.LBB0_2:
	s_lshl_b32 s19, s3, 5
	v_and_b32_e32 v3, 15, v0
	v_bfe_u32 v4, v0, 4, 2
	s_andn2_b64 vcc, exec, vcc
	s_and_b32 s0, s19, 0x60
	s_cbranch_vccnz .LBB0_5
; %bb.3:
	v_lshlrev_b32_e32 v8, 6, v0
	v_lshlrev_b32_e32 v0, 3, v0
	v_or_b32_e32 v6, s0, v3
	s_and_b32 s1, s3, 0x3fffffc
	v_and_b32_e32 v0, 24, v0
	s_movk_i32 s17, 0x300
	v_lshlrev_b32_e32 v7, 11, v4
	v_and_or_b32 v0, v8, s17, v0
	s_movk_i32 s17, 0x2000
	v_lshlrev_b32_e32 v6, 6, v6
	s_lshl_b32 s1, s1, 5
	v_lshlrev_b32_e32 v5, 4, v4
	v_or3_b32 v0, v0, v7, s17
	v_or_b32_e32 v7, 0x400, v6
	s_or_b32 s17, s1, 32
	s_or_b32 s18, s1, 64
	s_or_b32 s19, s19, 0x60
	s_mov_b32 s22, 0
	s_movk_i32 s20, 0x4000
	s_movk_i32 s21, 0x80
	v_bfrev_b32_e32 v8, 1
	s_mov_b32 s23, 0
.LBB0_4:                                ; =>This Inner Loop Header: Depth=1
	s_lshl_b32 s24, s22, 14
	v_or_b32_e32 v9, s24, v5
	v_or_b32_e32 v10, s24, v0
	v_add_u32_e32 v11, v9, v6
	v_add_u32_e32 v20, s1, v10
	v_add_u32_e32 v24, s17, v10
	v_add_u32_e32 v28, s18, v10
	v_add_u32_e32 v32, s19, v10
	;;#ASMSTART
	ds_read_b128 v[10:13], v11
	;;#ASMEND
	v_add_u32_e32 v9, v9, v7
	;;#ASMSTART
	ds_read_b128 v[14:17], v9
	;;#ASMEND
	;;#ASMSTART
	ds_read_b64_tr_b16 v[18:19], v20 offset:0
	;;#ASMEND
	;;#ASMSTART
	ds_read_b64_tr_b16 v[20:21], v20 offset:0x400
	;;#ASMEND
	s_add_i32 s25, s23, 64
	s_addk_i32 s24, 0xc000
	;;#ASMSTART
	ds_read_b64_tr_b16 v[22:23], v24 offset:0
	;;#ASMEND
	s_cmp_lg_u32 s22, 0
	;;#ASMSTART
	ds_read_b64_tr_b16 v[24:25], v24 offset:0x400
	;;#ASMEND
	s_cselect_b32 s24, s24, 0x8000
	;;#ASMSTART
	ds_read_b64_tr_b16 v[26:27], v28 offset:0
	;;#ASMEND
	s_add_i32 s24, s16, s24
	;;#ASMSTART
	ds_read_b64_tr_b16 v[28:29], v28 offset:0x400
	;;#ASMEND
	s_cmp_lt_i32 s25, s14
	;;#ASMSTART
	ds_read_b64_tr_b16 v[30:31], v32 offset:0
	;;#ASMEND
	s_cselect_b64 vcc, -1, 0
	;;#ASMSTART
	ds_read_b64_tr_b16 v[32:33], v32 offset:0x400
	;;#ASMEND
	v_cndmask_b32_e32 v9, v8, v2, vcc
	;;#ASMSTART
	s_mov_b32 m0, s24
	s_nop 0
	buffer_load_dwordx4 v9, s[4:7], s21 offen lds
	;;#ASMEND
	s_add_i32 s25, s24, 0x2000
	v_cndmask_b32_e32 v34, v8, v1, vcc
	;;#ASMSTART
	s_mov_b32 m0, s25
	s_nop 0
	buffer_load_dwordx4 v34, s[8:11], s20 offen lds
	;;#ASMEND
	s_add_i32 s26, s22, 1
	;;#ASMSTART
	s_waitcnt lgkmcnt(0)
	;;#ASMEND
	;;#ASMSTART
	;;#ASMEND
	;;#ASMSTART
	;;#ASMEND
	;;#ASMSTART
	;;#ASMEND
	;;#ASMSTART
	;;#ASMEND
	;;#ASMSTART
	s_waitcnt vmcnt(2)
	s_barrier
	s_setprio 1
	;;#ASMEND
	s_cmp_lg_u32 s22, 2
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[0:3], v[10:13], v[18:21], a[0:3]
	;;#ASMEND
	s_cselect_b32 s22, s26, 0
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[4:7], v[10:13], v[22:25], a[4:7]
	;;#ASMEND
	s_add_i32 s23, s23, 32
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[8:11], v[10:13], v[26:29], a[8:11]
	;;#ASMEND
	s_add_i32 s21, s21, 64
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[12:15], v[10:13], v[30:33], a[12:15]
	;;#ASMEND
	s_addk_i32 s20, 0x2000
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[16:19], v[14:17], v[18:21], a[16:19]
	;;#ASMEND
	s_cmp_ge_i32 s23, s14
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[20:23], v[14:17], v[22:25], a[20:23]
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[24:27], v[14:17], v[26:29], a[24:27]
	;;#ASMEND
	s_nop 0
	;;#ASMSTART
	v_mfma_f32_16x16x32_bf16 a[28:31], v[14:17], v[30:33], a[28:31]
	;;#ASMEND
	;;#ASMSTART
	s_setprio 0
	s_barrier
	;;#ASMEND
	s_cbranch_scc0 .LBB0_4
.LBB0_5:
	s_cmpk_lt_u32 s15, 0x100
	s_cbranch_scc0 .LBB0_7
; %bb.6:
	;;#ASMSTART
	s_barrier
	;;#ASMEND
.LBB0_7:
	s_lshl_b32 s1, s3, 4
	s_and_b32 s1, s1, 0x3fffffc0
	v_lshl_or_b32 v0, v4, 2, s0
	v_or_b32_e32 v0, s2, v0
	v_or_b32_e32 v1, s1, v3
	v_lshl_add_u32 v0, v0, 7, v1
	v_mov_b32_e32 v1, 0
	v_lshl_add_u64 v[2:3], v[0:1], 2, s[12:13]
	;;#ASMSTART
	s_nop 7
	s_nop 7
	;;#ASMEND
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[0]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x80, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[1]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x100, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[2]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x180, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[3]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_or_b32_e32 v2, 16, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[4]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x90, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[5]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x110, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[6]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x190, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[7]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_or_b32_e32 v2, 32, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[8]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0xa0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[9]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x120, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[10]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x1a0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[11]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_or_b32_e32 v2, 48, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[12]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0xb0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[13]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x130, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[14]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x1b0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[15]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x800, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[16]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x880, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[17]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x900, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[18]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x980, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[19]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x810, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[20]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x890, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[21]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x910, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[22]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x990, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[23]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x820, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[24]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x8a0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[25]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x920, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[26]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x9a0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[27]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x830, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[28]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x8b0, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[29]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_add_u32_e32 v2, 0x930, v0
	v_mov_b32_e32 v3, v1
	v_lshl_add_u64 v[2:3], v[2:3], 2, s[12:13]
	v_add_u32_e32 v0, 0x9b0, v0
	;;#ASMSTART
	v_accvgpr_read_b32 v4, a[30]
	;;#ASMEND
	global_store_dword v[2:3], v4, off
	v_lshl_add_u64 v[0:1], v[0:1], 2, s[12:13]
	;;#ASMSTART
	v_accvgpr_read_b32 v2, a[31]
	;;#ASMEND
	global_store_dword v[0:1], v2, off
	s_endpgm
	.section	.rodata,"a",@progbits
	.p2align	6, 0x0
	.amdhsa_kernel staggered
		.amdhsa_group_segment_fixed_size 49152
		.amdhsa_private_segment_fixed_size 0
		.amdhsa_kernarg_size 28
		.amdhsa_user_sgpr_count 2
		.amdhsa_user_sgpr_dispatch_ptr 0
		.amdhsa_user_sgpr_queue_ptr 0
		.amdhsa_user_sgpr_kernarg_segment_ptr 1
		.amdhsa_user_sgpr_dispatch_id 0
		.amdhsa_user_sgpr_kernarg_preload_length 0
		.amdhsa_user_sgpr_kernarg_preload_offset 0
		.amdhsa_user_sgpr_private_segment_size 0
		.amdhsa_uses_dynamic_stack 0
		.amdhsa_enable_private_segment 0
		.amdhsa_system_sgpr_workgroup_id_x 1
		.amdhsa_system_sgpr_workgroup_id_y 0
		.amdhsa_system_sgpr_workgroup_id_z 0
		.amdhsa_system_sgpr_workgroup_info 0
		.amdhsa_system_vgpr_workitem_id 0
		.amdhsa_next_free_vgpr 73
		.amdhsa_next_free_sgpr 91
		.amdhsa_accum_offset 36
		.amdhsa_reserve_vcc 1
		.amdhsa_float_round_mode_32 0
		.amdhsa_float_round_mode_16_64 0
		.amdhsa_float_denorm_mode_32 3
		.amdhsa_float_denorm_mode_16_64 3
		.amdhsa_dx10_clamp 1
		.amdhsa_ieee_mode 1
		.amdhsa_fp16_overflow 0
		.amdhsa_tg_split 0
		.amdhsa_exception_fp_ieee_invalid_op 0
		.amdhsa_exception_fp_denorm_src 0
		.amdhsa_exception_fp_ieee_div_zero 0
		.amdhsa_exception_fp_ieee_overflow 0
		.amdhsa_exception_fp_ieee_underflow 0
		.amdhsa_exception_fp_ieee_inexact 0
		.amdhsa_exception_int_div_zero 0
	.end_amdhsa_kernel
	.text
.Lfunc_end0:
	.size	staggered, .Lfunc_end0-staggered
                                        ; -- End function
	.set staggered.num_vgpr, 35
	.set staggered.num_agpr, 32
	.set staggered.numbered_sgpr, 27
	.set staggered.num_named_barrier, 0
	.set staggered.private_seg_size, 0
	.set staggered.uses_vcc, 1
	.set staggered.uses_flat_scratch, 0
	.set staggered.has_dyn_sized_stack, 0
	.set staggered.has_recursion, 0
	.set staggered.has_indirect_call, 0
	.section	.AMDGPU.csdata,"",@progbits
; Kernel info:
; codeLenInByte = 3208
; TotalNumSgprs: 33
; NumVgprs: 35
; NumAgprs: 32
; TotalNumVgprs: 68
; ScratchSize: 0
; MemoryBound: 0
; FloatMode: 240
; IeeeMode: 1
; LDSByteSize: 49152 bytes/workgroup (compile time only)
; SGPRBlocks: 12
; VGPRBlocks: 9
; NumSGPRsForWavesPerEU: 97
; NumVGPRsForWavesPerEU: 73
; AccumOffset: 36
; Occupancy: 6
; WaveLimiterHint : 0
; COMPUTE_PGM_RSRC2:SCRATCH_EN: 0
; COMPUTE_PGM_RSRC2:USER_SGPR: 2
; COMPUTE_PGM_RSRC2:TRAP_HANDLER: 0
; COMPUTE_PGM_RSRC2:TGID_X_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Y_EN: 0
; COMPUTE_PGM_RSRC2:TGID_Z_EN: 0
; COMPUTE_PGM_RSRC2:TIDIG_COMP_CNT: 0
; COMPUTE_PGM_RSRC3_GFX90A:ACCUM_OFFSET: 8
; COMPUTE_PGM_RSRC3_GFX90A:TG_SPLIT: 0
	.text
	.p2alignl 6, 3212836864
	.fill 256, 4, 3212836864
	.section	.AMDGPU.gpr_maximums,"",@progbits
	.set amdgpu.max_num_vgpr, 0
	.set amdgpu.max_num_agpr, 0
	.set amdgpu.max_num_sgpr, 0
	.set amdgpu.max_num_named_barrier, 0
	.text
	.type	__hip_cuid_,@object             ; @__hip_cuid_
	.section	.bss,"aw",@nobits
	.globl	__hip_cuid_
__hip_cuid_:
	.byte	0                               ; 0x0
	.size	__hip_cuid_, 1

	.ident	"clang version 22.1.8"
	.section	".note.GNU-stack","",@progbits
	.addrsig
	.addrsig_sym __hip_cuid_
	.amdgpu_metadata
---
amdhsa.kernels:
  - .agpr_count:     32
    .args:
      - .address_space:  global
        .offset:         0
        .size:           8
        .value_kind:     global_buffer
      - .address_space:  global
        .offset:         8
        .size:           8
        .value_kind:     global_buffer
      - .address_space:  global
        .offset:         16
        .size:           8
        .value_kind:     global_buffer
      - .offset:         24
        .size:           4
        .value_kind:     by_value
    .group_segment_fixed_size: 49152
    .kernarg_segment_align: 8
    .kernarg_segment_size: 28
    .max_flat_workgroup_size: 512
    .name:           staggered
    .private_segment_fixed_size: 0
    .sgpr_count:     33
    .sgpr_spill_count: 0
    .symbol:         staggered.kd
    .uniform_work_group_size: 1
    .uses_dynamic_stack: false
    .vgpr_count:     68
    .vgpr_spill_count: 0
    .wavefront_size: 64
amdhsa.target:   amdgcn-amd-amdhsa--gfx950
amdhsa.version:
  - 1
  - 2
...

	.end_amdgpu_metadata
