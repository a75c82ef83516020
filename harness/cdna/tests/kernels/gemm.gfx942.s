	.amdgcn_target "amdgcn-amd-amdhsa--gfx942"
	.amdhsa_code_object_version 6
	.text
	.protected	gemm                    ; -- Begin function gemm
	.globl	gemm
	.p2align	8
	.type	gemm,@function
gemm:                                   ; @gemm
.Lfunc_begin0:
	.file	0 "." "gemm.hip" md5 0x11c46fbd6dae68f1d8760e7f2c7f5516
	.loc	0 10 0                          ; gemm.hip:10:0
	.cfi_sections .debug_frame
	.cfi_startproc
; %bb.0:
	s_load_dwordx4 s[12:15], s[0:1], 0x0
.Ltmp0:
	.file	1 "." "device.h" md5 0x30ea9d1ed6a2b2bba7eea2139f2240de
	.loc	1 13 35 prologue_end            ; ./device.h:13:35 @[ gemm.hip:12:24 ]
	s_load_dwordx2 s[4:5], s[0:1], 0x18
.Ltmp1:
	.loc	0 15 33                         ; gemm.hip:15:33
	v_lshrrev_b32_e32 v7, 2, v0
	.loc	0 15 58 is_stmt 0               ; gemm.hip:15:58
	v_lshlrev_b32_e32 v1, 3, v0
	.loc	0 16 21 is_stmt 1               ; gemm.hip:16:21
	s_lshl_b32 s8, s2, 6
	.loc	0 15 58                         ; gemm.hip:15:58
	v_and_b32_e32 v6, 24, v1
	.loc	0 16 28                         ; gemm.hip:16:28
	v_or_b32_e32 v1, s8, v7
	.loc	0 17 21                         ; gemm.hip:17:21
	s_lshl_b32 s9, s3, 6
	.loc	0 16 44                         ; gemm.hip:16:44
	s_waitcnt lgkmcnt(0)
	v_mad_u64_u32 v[4:5], s[6:7], s5, v1, v[6:7]
	.loc	0 17 28                         ; gemm.hip:17:28
	v_or_b32_e32 v1, s9, v7
	.loc	0 16 7                          ; gemm.hip:16:7
	v_mov_b32_e32 v5, 0
	.loc	0 17 44                         ; gemm.hip:17:44
	v_mad_u64_u32 v[8:9], s[2:3], s5, v1, v[6:7]
	.loc	0 16 7                          ; gemm.hip:16:7
	v_lshl_add_u64 v[2:3], v[4:5], 1, s[12:13]
	.loc	0 17 7                          ; gemm.hip:17:7
	v_mov_b32_e32 v9, v5
	v_lshl_add_u64 v[4:5], v[8:9], 1, s[14:15]
	.loc	0 20 34                         ; gemm.hip:20:34
	global_load_dwordx4 v[8:11], v[2:3], off
	.loc	0 21 34                         ; gemm.hip:21:34
	global_load_dwordx4 v[12:15], v[4:5], off
	.loc	0 12 41                         ; gemm.hip:12:41
	v_readfirstlane_b32 s2, v0
	.loc	0 13 50                         ; gemm.hip:13:50
	v_bfe_u32 v1, v0, 4, 2
	.loc	0 14 38                         ; gemm.hip:14:38
	s_lshr_b32 s10, s2, 2
	.loc	0 14 62 is_stmt 0               ; gemm.hip:14:62
	s_lshr_b32 s11, s2, 1
	.loc	0 18 37 is_stmt 1               ; gemm.hip:18:37
	v_mul_u32_u24_e32 v7, 40, v7
	.loc	0 20 16                         ; gemm.hip:20:16
	v_add_lshl_u32 v6, v7, v6, 1
	.loc	0 24 25                         ; gemm.hip:24:25
	s_cmp_gt_i32 s5, 0
	v_lshlrev_b32_e32 v20, 2, v1
	.loc	0 20 32                         ; gemm.hip:20:32
	s_waitcnt vmcnt(1)
	ds_write_b128 v6, v[8:11]
	.loc	0 21 32                         ; gemm.hip:21:32
	s_waitcnt vmcnt(0)
	ds_write_b128 v6, v[12:15] offset:10240
.Ltmp2:
	.loc	1 18 5                          ; ./device.h:18:5 @[ gemm.hip:22:5 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ gemm.hip:22:5 ]
	s_barrier
.Ltmp3:
	.loc	0 24 5                          ; gemm.hip:24:5
	s_cbranch_scc1 .LBB0_2
; %bb.1:
	.loc	0 0 5 is_stmt 0                 ; gemm.hip:0:5
	s_mov_b64 s[6:7], 0
	s_branch .LBB0_3
.LBB0_2:
	s_mov_b64 s[6:7], -1
.LBB0_3:
	s_load_dwordx2 s[2:3], s[0:1], 0x10
	v_and_b32_e32 v21, 15, v0
	s_and_b32 s10, s10, 0x3fffffe0
	s_andn2_b64 vcc, exec, s[6:7]
	s_and_b32 s11, s11, 32
	s_cbranch_vccnz .LBB0_11
; %bb.4:
	v_or_b32_e32 v0, s10, v21
	.loc	0 24 5 is_stmt 1                ; gemm.hip:24:5
	v_lshlrev_b32_e32 v23, 3, v1
	v_or_b32_e32 v1, s11, v21
	s_movk_i32 s0, 0x50
	v_add_u32_e32 v22, 0x2800, v6
	v_mul_u32_u24_e32 v24, 0x50, v1
	v_mul_lo_u32 v25, v0, s0
	v_lshl_add_u64 v[16:17], v[2:3], 0, 64
	v_lshl_add_u64 v[18:19], v[4:5], 0, 64
	s_mov_b32 s12, 32
	s_mov_b32 s13, 0
	.loc	0 25 30                         ; gemm.hip:25:30
	v_mov_b32_e32 v12, 0
	v_mov_b32_e32 v13, 0
	v_mov_b32_e32 v14, 0
	v_mov_b32_e32 v15, 0
	v_mov_b32_e32 v8, 0
	v_mov_b32_e32 v9, 0
	v_mov_b32_e32 v10, 0
	v_mov_b32_e32 v11, 0
	v_mov_b32_e32 v4, 0
	v_mov_b32_e32 v5, 0
	v_mov_b32_e32 v6, 0
	v_mov_b32_e32 v7, 0
	v_mov_b32_e32 v0, 0
	v_mov_b32_e32 v1, 0
	v_mov_b32_e32 v2, 0
	v_mov_b32_e32 v3, 0
	s_branch .LBB0_6
.LBB0_5:                                ;   in Loop: Header=BB0_6 Depth=1
	.loc	0 27 37                         ; gemm.hip:27:37
	s_add_i32 s12, s12, 32
	s_add_i32 s13, s13, 1
	v_lshl_add_u64 v[16:17], v[16:17], 0, 64
	v_lshl_add_u64 v[18:19], v[18:19], 0, 64
	.loc	0 24 5                          ; gemm.hip:24:5
	s_mov_b64 vcc, s[0:1]
.Ltmp4:
	.loc	1 18 5                          ; ./device.h:18:5 @[ gemm.hip:43:9 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ gemm.hip:43:9 ]
	s_barrier
.Ltmp5:
	.loc	0 24 5                          ; gemm.hip:24:5
	s_cbranch_vccnz .LBB0_12
.LBB0_6:                                ; =>This Inner Loop Header: Depth=1
	.loc	0 27 37                         ; gemm.hip:27:37
	s_cmp_lt_i32 s12, s5
	s_cselect_b64 s[6:7], -1, 0
	s_cmp_ge_i32 s12, s5
	s_cselect_b64 s[0:1], -1, 0
	.loc	0 28 13                         ; gemm.hip:28:13
	s_and_b64 s[0:1], exec, s[0:1]
	s_mov_b64 vcc, s[0:1]
	s_cbranch_vccnz .LBB0_8
; %bb.7:                                ;   in Loop: Header=BB0_6 Depth=1
	.loc	0 29 22                         ; gemm.hip:29:22
	global_load_dwordx4 v[30:33], v[16:17], off
	.loc	0 30 22                         ; gemm.hip:30:22
	global_load_dwordx4 v[26:29], v[18:19], off
	s_branch .LBB0_9
.LBB0_8:                                ;   in Loop: Header=BB0_6 Depth=1
	.loc	0 0 0 is_stmt 0                 ; gemm.hip:0
	s_waitcnt vmcnt(0)
	v_mov_b32_e32 v26, 0
	v_mov_b32_e32 v27, 0
	v_mov_b32_e32 v28, 0
	v_mov_b32_e32 v29, 0
	v_mov_b32_e32 v30, 0
	v_mov_b32_e32 v31, 0
	v_mov_b32_e32 v32, 0
	v_mov_b32_e32 v33, 0
.LBB0_9:                                ;   in Loop: Header=BB0_6 Depth=1
	.loc	0 25 37 is_stmt 1               ; gemm.hip:25:37
	s_and_b32 s14, s13, 1
	.loc	0 32 14                         ; gemm.hip:32:14
	s_mul_i32 s15, s14, 0x1400
	v_or_b32_e32 v38, s15, v23
	v_add_u32_e32 v46, v38, v25
	ds_read2_b64 v[34:37], v46 offset1:4
	ds_read2_b64 v[46:49], v46 offset0:160 offset1:164
	v_add_u32_e32 v38, v38, v24
	.loc	0 36 35                         ; gemm.hip:36:35
	v_add_u32_e32 v42, 0x2800, v38
	ds_read2_b64 v[38:41], v42 offset1:4
	ds_read2_b64 v[42:45], v42 offset0:160 offset1:164
	.loc	0 39 13                         ; gemm.hip:39:13
	s_andn2_b64 vcc, exec, s[6:7]
.Ltmp6:
	.loc	1 32 12                         ; ./device.h:32:12 @[ gemm.hip:37:33 ]
	s_waitcnt lgkmcnt(0)
	v_mfma_f32_16x16x16_bf16 v[12:15], v[34:35], v[38:39], v[12:15]
	v_mfma_f32_16x16x16_bf16 v[8:11], v[34:35], v[42:43], v[8:11]
	v_mfma_f32_16x16x16_bf16 v[4:7], v[46:47], v[38:39], v[4:7]
	v_mfma_f32_16x16x16_bf16 v[0:3], v[46:47], v[42:43], v[0:3]
	v_mfma_f32_16x16x16_bf16 v[12:15], v[36:37], v[40:41], v[12:15]
	v_mfma_f32_16x16x16_bf16 v[8:11], v[36:37], v[44:45], v[8:11]
	v_mfma_f32_16x16x16_bf16 v[4:7], v[48:49], v[40:41], v[4:7]
	v_mfma_f32_16x16x16_bf16 v[0:3], v[48:49], v[44:45], v[0:3]
.Ltmp7:
	.loc	0 39 13                         ; gemm.hip:39:13
	s_cbranch_vccnz .LBB0_5
; %bb.10:                               ;   in Loop: Header=BB0_6 Depth=1
	.loc	0 0 13 is_stmt 0                ; gemm.hip:0:13
	s_xor_b32 s6, s14, 1
	s_mulk_i32 s6, 0x1400
	v_add_u32_e32 v34, s6, v22
	v_add_u32_e32 v35, 0xffffd800, v34
	.loc	0 40 48 is_stmt 1               ; gemm.hip:40:48
	s_waitcnt vmcnt(1)
	ds_write_b128 v35, v[30:33]
	.loc	0 41 48                         ; gemm.hip:41:48
	s_waitcnt vmcnt(0)
	ds_write_b128 v34, v[26:29]
	s_branch .LBB0_5
.LBB0_11:
	.loc	0 0 48 is_stmt 0                ; gemm.hip:0:48
	v_mov_b32_e32 v3, 0
	v_mov_b32_e32 v2, 0
	v_mov_b32_e32 v1, 0
	v_mov_b32_e32 v0, 0
	v_mov_b32_e32 v7, 0
	v_mov_b32_e32 v6, 0
	v_mov_b32_e32 v5, 0
	v_mov_b32_e32 v4, 0
	v_mov_b32_e32 v11, 0
	v_mov_b32_e32 v10, 0
	v_mov_b32_e32 v9, 0
	v_mov_b32_e32 v8, 0
	v_mov_b32_e32 v15, 0
	v_mov_b32_e32 v14, 0
	v_mov_b32_e32 v13, 0
	v_mov_b32_e32 v12, 0
.LBB0_12:
	s_add_i32 s10, s10, s8
	v_or_b32_e32 v16, s9, v21
	.loc	0 45 5 is_stmt 1                ; gemm.hip:45:5
	v_or_b32_e32 v17, s10, v20
	v_or_b32_e32 v16, s11, v16
	.loc	0 49 62                         ; gemm.hip:49:62
	v_mad_u64_u32 v[16:17], s[0:1], v17, s4, v[16:17]
	.loc	0 49 17 is_stmt 0               ; gemm.hip:49:17
	v_mov_b32_e32 v17, 0
	s_waitcnt lgkmcnt(0)
	v_lshl_add_u64 v[18:19], v[16:17], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[18:19], v12, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v18, s4, v16
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v19, v17
	v_lshl_add_u64 v[20:21], v[18:19], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[20:21], v13, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v12, s4, v18
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v13, v17
	v_lshl_add_u64 v[20:21], v[12:13], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[20:21], v14, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v20, s4, v12
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v21, v17
	v_lshl_add_u64 v[22:23], v[20:21], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v16
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[22:23], v15, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[14:15], v[16:17], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v18
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[14:15], v8, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[14:15], v[16:17], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v12
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[14:15], v9, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[8:9], v[16:17], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v20
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[8:9], v10, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[8:9], v[16:17], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[8:9], v11, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_mad_u64_u32 v[8:9], s[0:1], s4, 13, v[20:21]
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v9, v17
	v_lshl_add_u64 v[10:11], v[8:9], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, s4, v8
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[10:11], v4, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[10:11], v[16:17], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[10:11], v5, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v4, s4, v16
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v5, v17
	v_lshl_add_u64 v[10:11], v[4:5], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[10:11], v6, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v10, s4, v4
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v11, v17
	v_lshl_add_u64 v[12:13], v[10:11], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[12:13], v7, off
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v6, 16, v8
	.loc	0 49 17                         ; gemm.hip:49:17
	v_mov_b32_e32 v7, v17
	v_lshl_add_u64 v[6:7], v[6:7], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v16
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[6:7], v0, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[6:7], v[16:17], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v4
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[6:7], v1, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[0:1], v[16:17], 2, s[2:3]
	.loc	0 49 62                         ; gemm.hip:49:62
	v_add_u32_e32 v16, 16, v10
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[0:1], v2, off
	.loc	0 49 17                         ; gemm.hip:49:17
	v_lshl_add_u64 v[0:1], v[16:17], 2, s[2:3]
	.loc	0 49 69                         ; gemm.hip:49:69
	global_store_dword v[0:1], v3, off
	.loc	0 51 1 is_stmt 1                ; gemm.hip:51:1
	s_endpgm
.Ltmp8:
	.section	.rodata,"a",@progbits
	.p2align	6, 0x0
	.amdhsa_kernel gemm
		.amdhsa_group_segment_fixed_size 20480
		.amdhsa_private_segment_fixed_size 0
		.amdhsa_kernarg_size 32
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
		.amdhsa_system_sgpr_workgroup_id_y 1
		.amdhsa_system_sgpr_workgroup_id_z 0
		.amdhsa_system_sgpr_workgroup_info 0
		.amdhsa_system_vgpr_workitem_id 0
		.amdhsa_next_free_vgpr 129
		.amdhsa_next_free_sgpr 96
		.amdhsa_accum_offset 52
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
	.size	gemm, .Lfunc_end0-gemm
	.cfi_endproc
                                        ; -- End function
	.set gemm.num_vgpr, 50
	.set gemm.num_agpr, 0
	.set gemm.numbered_sgpr, 16
	.set gemm.num_named_barrier, 0
	.set gemm.private_seg_size, 0
	.set gemm.uses_vcc, 1
	.set gemm.uses_flat_scratch, 0
	.set gemm.has_dyn_sized_stack, 0
	.set gemm.has_recursion, 0
	.set gemm.has_indirect_call, 0
	.section	.AMDGPU.csdata,"",@progbits
; Kernel info:
; codeLenInByte = 1116
; TotalNumSgprs: 22
; NumVgprs: 50
; NumAgprs: 0
; TotalNumVgprs: 50
; ScratchSize: 0
; MemoryBound: 1
; FloatMode: 240
; IeeeMode: 1
; LDSByteSize: 20480 bytes/workgroup (compile time only)
; SGPRBlocks: 12
; VGPRBlocks: 16
; NumSGPRsForWavesPerEU: 102
; NumVGPRsForWavesPerEU: 129
; AccumOffset: 52
; Occupancy: 3
; WaveLimiterHint : 0
; COMPUTE_PGM_RSRC2:SCRATCH_EN: 0
; COMPUTE_PGM_RSRC2:USER_SGPR: 2
; COMPUTE_PGM_RSRC2:TRAP_HANDLER: 0
; COMPUTE_PGM_RSRC2:TGID_X_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Y_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Z_EN: 0
; COMPUTE_PGM_RSRC2:TIDIG_COMP_CNT: 0
; COMPUTE_PGM_RSRC3_GFX90A:ACCUM_OFFSET: 12
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

	.section	.debug_abbrev,"",@progbits
	.byte	1                               ; Abbreviation Code
	.byte	17                              ; DW_TAG_compile_unit
	.byte	1                               ; DW_CHILDREN_yes
	.byte	37                              ; DW_AT_producer
	.byte	37                              ; DW_FORM_strx1
	.byte	19                              ; DW_AT_language
	.byte	5                               ; DW_FORM_data2
	.byte	3                               ; DW_AT_name
	.byte	37                              ; DW_FORM_strx1
	.byte	114                             ; DW_AT_str_offsets_base
	.byte	23                              ; DW_FORM_sec_offset
	.byte	16                              ; DW_AT_stmt_list
	.byte	23                              ; DW_FORM_sec_offset
	.byte	27                              ; DW_AT_comp_dir
	.byte	37                              ; DW_FORM_strx1
	.byte	17                              ; DW_AT_low_pc
	.byte	27                              ; DW_FORM_addrx
	.byte	18                              ; DW_AT_high_pc
	.byte	6                               ; DW_FORM_data4
	.byte	115                             ; DW_AT_addr_base
	.byte	23                              ; DW_FORM_sec_offset
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	2                               ; Abbreviation Code
	.byte	46                              ; DW_TAG_subprogram
	.byte	0                               ; DW_CHILDREN_no
	.byte	3                               ; DW_AT_name
	.byte	37                              ; DW_FORM_strx1
	.byte	32                              ; DW_AT_inline
	.byte	33                              ; DW_FORM_implicit_const
	.byte	1
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	3                               ; Abbreviation Code
	.byte	46                              ; DW_TAG_subprogram
	.byte	1                               ; DW_CHILDREN_yes
	.byte	17                              ; DW_AT_low_pc
	.byte	27                              ; DW_FORM_addrx
	.byte	18                              ; DW_AT_high_pc
	.byte	6                               ; DW_FORM_data4
	.byte	122                             ; DW_AT_call_all_calls
	.byte	25                              ; DW_FORM_flag_present
	.byte	3                               ; DW_AT_name
	.byte	37                              ; DW_FORM_strx1
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	4                               ; Abbreviation Code
	.byte	29                              ; DW_TAG_inlined_subroutine
	.byte	0                               ; DW_CHILDREN_no
	.byte	49                              ; DW_AT_abstract_origin
	.byte	19                              ; DW_FORM_ref4
	.byte	17                              ; DW_AT_low_pc
	.byte	27                              ; DW_FORM_addrx
	.byte	18                              ; DW_AT_high_pc
	.byte	6                               ; DW_FORM_data4
	.byte	88                              ; DW_AT_call_file
	.byte	11                              ; DW_FORM_data1
	.byte	89                              ; DW_AT_call_line
	.byte	11                              ; DW_FORM_data1
	.byte	87                              ; DW_AT_call_column
	.byte	11                              ; DW_FORM_data1
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	0                               ; EOM(3)
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0 ; Length of Unit
.Ldebug_info_start0:
	.short	5                               ; DWARF version number
	.byte	1                               ; DWARF Unit Type
	.byte	8                               ; Address Size (in bytes)
	.long	.debug_abbrev                   ; Offset Into Abbrev. Section
	.byte	1                               ; Abbrev [1] 0xc:0x5a DW_TAG_compile_unit
	.byte	0                               ; DW_AT_producer
	.short	33                              ; DW_AT_language
	.byte	1                               ; DW_AT_name
	.long	.Lstr_offsets_base0             ; DW_AT_str_offsets_base
	.long	.Lline_table_start0             ; DW_AT_stmt_list
	.byte	2                               ; DW_AT_comp_dir
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       ; DW_AT_high_pc
	.long	.Laddr_table_base0              ; DW_AT_addr_base
	.byte	2                               ; Abbrev [2] 0x23:0x2 DW_TAG_subprogram
	.byte	3                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x25:0x2 DW_TAG_subprogram
	.byte	4                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x27:0x2 DW_TAG_subprogram
	.byte	5                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	3                               ; Abbrev [3] 0x29:0x3c DW_TAG_subprogram
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       ; DW_AT_high_pc
                                        ; DW_AT_call_all_calls
	.byte	6                               ; DW_AT_name
	.byte	4                               ; Abbrev [4] 0x30:0xd DW_TAG_inlined_subroutine
	.long	35                              ; DW_AT_abstract_origin
	.byte	1                               ; DW_AT_low_pc
	.long	.Ltmp1-.Ltmp0                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	12                              ; DW_AT_call_line
	.byte	24                              ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x3d:0xd DW_TAG_inlined_subroutine
	.long	37                              ; DW_AT_abstract_origin
	.byte	2                               ; DW_AT_low_pc
	.long	.Ltmp3-.Ltmp2                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	22                              ; DW_AT_call_line
	.byte	5                               ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x4a:0xd DW_TAG_inlined_subroutine
	.long	37                              ; DW_AT_abstract_origin
	.byte	3                               ; DW_AT_low_pc
	.long	.Ltmp5-.Ltmp4                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	43                              ; DW_AT_call_line
	.byte	9                               ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x57:0xd DW_TAG_inlined_subroutine
	.long	39                              ; DW_AT_abstract_origin
	.byte	4                               ; DW_AT_low_pc
	.long	.Ltmp7-.Ltmp6                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	37                              ; DW_AT_call_line
	.byte	33                              ; DW_AT_call_column
	.byte	0                               ; End Of Children Mark
	.byte	0                               ; End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	32                              ; Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"clang version 22.1.8"          ; string offset=0
.Linfo_string1:
	.asciz	"gemm.hip"                      ; string offset=21
.Linfo_string2:
	.asciz	"."                             ; string offset=30
.Linfo_string3:
	.asciz	"thread"                        ; string offset=32
.Linfo_string4:
	.asciz	"barrier"                       ; string offset=39
.Linfo_string5:
	.asciz	"mfma"                          ; string offset=47
.Linfo_string6:
	.asciz	"gemm"                          ; string offset=52
	.section	.debug_str_offsets,"",@progbits
	.long	.Linfo_string0
	.long	.Linfo_string1
	.long	.Linfo_string2
	.long	.Linfo_string3
	.long	.Linfo_string4
	.long	.Linfo_string5
	.long	.Linfo_string6
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 ; Length of contribution
.Ldebug_addr_start0:
	.short	5                               ; DWARF version number
	.byte	8                               ; Address size
	.byte	0                               ; Segment selector size
.Laddr_table_base0:
	.quad	.Lfunc_begin0
	.quad	.Ltmp0
	.quad	.Ltmp2
	.quad	.Ltmp4
	.quad	.Ltmp6
.Ldebug_addr_end0:
	.ident	"clang version 22.1.8"
	.section	".note.GNU-stack","",@progbits
	.addrsig
	.addrsig_sym __hip_cuid_
	.amdgpu_metadata
---
amdhsa.kernels:
  - .agpr_count:     0
    .args:
      - .actual_access:  read_only
        .address_space:  global
        .offset:         0
        .size:           8
        .value_kind:     global_buffer
      - .actual_access:  read_only
        .address_space:  global
        .offset:         8
        .size:           8
        .value_kind:     global_buffer
      - .actual_access:  write_only
        .address_space:  global
        .offset:         16
        .size:           8
        .value_kind:     global_buffer
      - .offset:         24
        .size:           4
        .value_kind:     by_value
      - .offset:         28
        .size:           4
        .value_kind:     by_value
    .group_segment_fixed_size: 20480
    .kernarg_segment_align: 8
    .kernarg_segment_size: 32
    .max_flat_workgroup_size: 256
    .name:           gemm
    .private_segment_fixed_size: 0
    .sgpr_count:     22
    .sgpr_spill_count: 0
    .symbol:         gemm.kd
    .uniform_work_group_size: 1
    .uses_dynamic_stack: false
    .vgpr_count:     50
    .vgpr_spill_count: 0
    .wavefront_size: 64
amdhsa.target:   amdgcn-amd-amdhsa--gfx942
amdhsa.version:
  - 1
  - 2
...

	.end_amdgpu_metadata
	.section	.debug_line,"",@progbits
.Lline_table_start0:
