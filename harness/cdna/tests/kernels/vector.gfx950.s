	.amdgcn_target "amdgcn-amd-amdhsa--gfx950"
	.amdhsa_code_object_version 6
	.text
	.protected	rmsnorm                 ; -- Begin function rmsnorm
	.globl	rmsnorm
	.p2align	8
	.type	rmsnorm,@function
rmsnorm:                                ; @rmsnorm
.Lfunc_begin0:
	.file	0 "." "vector.hip" md5 0x4d53ec6d4566875b7a8fa2c5a73fa381
	.loc	0 19 0                          ; vector.hip:19:0
	.cfi_sections .debug_frame
	.cfi_startproc
; %bb.0:
	s_load_dwordx4 s[4:7], s[0:1], 0x0
	s_load_dwordx2 s[8:9], s[0:1], 0x10
.Ltmp0:
	.loc	0 21 55 prologue_end            ; vector.hip:21:55
	v_lshl_or_b32 v2, s2, 8, v0
	.loc	0 22 25                         ; vector.hip:22:25
	v_mov_b32_e32 v3, 0
	.loc	0 24 11                         ; vector.hip:24:11
	v_and_b32_e32 v6, 63, v0
	.loc	0 22 25                         ; vector.hip:22:25
	s_waitcnt lgkmcnt(0)
	v_lshl_add_u64 v[4:5], v[2:3], 1, s[4:5]
	global_load_ushort v1, v[4:5], off
.Ltmp1:
	.loc	0 6 38                          ; vector.hip:6:38 @[ vector.hip:14:10 @[ vector.hip:23:23 ] ]
	v_mov_b32_e32 v4, v3
.Ltmp2:
	.loc	0 6 38 is_stmt 0                ; vector.hip:6:38 @[ vector.hip:15:10 @[ vector.hip:23:23 ] ]
	v_mov_b32_e32 v5, v3
.Ltmp3:
	.loc	0 24 16 is_stmt 1               ; vector.hip:24:16
	v_cmp_eq_u32_e32 vcc, 0, v6
	.loc	0 22 25                         ; vector.hip:22:25
	s_waitcnt vmcnt(0)
	v_lshlrev_b32_e32 v1, 16, v1
	.loc	0 23 38                         ; vector.hip:23:38
	v_mul_f32_e32 v7, v1, v1
.Ltmp4:
	.loc	0 6 38                          ; vector.hip:6:38 @[ vector.hip:10:10 @[ vector.hip:23:23 ] ]
	s_nop 1
	v_mov_b32_dpp v7, v7 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1
.Ltmp5:
	.loc	0 10 7                          ; vector.hip:10:7 @[ vector.hip:23:23 ]
	v_fmac_f32_e32 v7, v1, v1
	.loc	0 11 7                          ; vector.hip:11:7 @[ vector.hip:23:23 ]
	s_nop 1
	v_add_f32_dpp v7, v7, v7 row_shr:2 row_mask:0xf bank_mask:0xf bound_ctrl:1
	.loc	0 12 7                          ; vector.hip:12:7 @[ vector.hip:23:23 ]
	s_nop 1
	v_add_f32_dpp v7, v7, v7 row_shr:4 row_mask:0xf bank_mask:0xf bound_ctrl:1
	.loc	0 13 7                          ; vector.hip:13:7 @[ vector.hip:23:23 ]
	s_nop 1
	v_add_f32_dpp v7, v7, v7 row_shr:8 row_mask:0xf bank_mask:0xf bound_ctrl:1
.Ltmp6:
	.loc	0 6 38                          ; vector.hip:6:38 @[ vector.hip:14:10 @[ vector.hip:23:23 ] ]
	s_nop 1
	v_mov_b32_dpp v4, v7 row_bcast:15 row_mask:0xa bank_mask:0xf bound_ctrl:1
.Ltmp7:
	.loc	0 14 7                          ; vector.hip:14:7 @[ vector.hip:23:23 ]
	v_add_f32_e32 v4, v7, v4
.Ltmp8:
	.loc	0 6 38                          ; vector.hip:6:38 @[ vector.hip:15:10 @[ vector.hip:23:23 ] ]
	s_nop 1
	v_mov_b32_dpp v5, v4 row_bcast:31 row_mask:0xc bank_mask:0xf bound_ctrl:1
.Ltmp9:
	.loc	0 15 7                          ; vector.hip:15:7 @[ vector.hip:23:23 ]
	v_add_f32_e32 v4, v4, v5
	.loc	0 16 38                         ; vector.hip:16:38 @[ vector.hip:23:23 ]
	s_nop 0
	v_readlane_b32 s4, v4, 63
.Ltmp10:
	.loc	0 24 16                         ; vector.hip:24:16
	s_and_saveexec_b64 s[2:3], vcc
; %bb.1:
	.loc	0 0 16 is_stmt 0                ; vector.hip:0:16
	v_lshrrev_b32_e32 v4, 4, v0
	.loc	0 24 38                         ; vector.hip:24:38
	v_mov_b32_e32 v5, s4
	ds_write_b32 v4, v5
; %bb.2:
	.loc	0 0 38                          ; vector.hip:0:38
	s_or_b64 exec, exec, s[2:3]
	.loc	0 27 64 is_stmt 1               ; vector.hip:27:64
	v_lshlrev_b32_e32 v0, 1, v0
.Ltmp11:
	.file	1 "." "device.h" md5 0x30ea9d1ed6a2b2bba7eea2139f2240de
	.loc	1 18 5                          ; ./device.h:18:5 @[ vector.hip:25:5 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ vector.hip:25:5 ]
	s_barrier
.Ltmp12:
	.loc	0 27 64                         ; vector.hip:27:64
	global_load_ushort v0, v0, s[6:7]
	.loc	0 26 25                         ; vector.hip:26:25
	ds_read_b128 v[4:7], v3
.Ltmp13:
	.loc	1 13 35                         ; ./device.h:13:35 @[ vector.hip:21:24 ]
	s_load_dword s0, s[0:1], 0x18
.Ltmp14:
	.loc	0 26 36                         ; vector.hip:26:36
	s_waitcnt lgkmcnt(0)
	v_add_f32_e32 v4, v4, v5
	.loc	0 26 49 is_stmt 0               ; vector.hip:26:49
	v_add_f32_e32 v4, v4, v6
	.loc	0 27 48 is_stmt 1               ; vector.hip:27:48
	v_mov_b32_e32 v5, s0
	.loc	0 26 62                         ; vector.hip:26:62
	v_add_f32_e32 v4, v4, v7
	.loc	0 27 48                         ; vector.hip:27:48
	v_fmamk_f32 v4, v4, 0x3b800000, v5
	.loc	0 27 21 is_stmt 0               ; vector.hip:27:21
	v_rsq_f32_e32 v4, v4
	.loc	0 27 64                         ; vector.hip:27:64
	s_waitcnt vmcnt(0)
	v_lshlrev_b32_e32 v0, 16, v0
	.loc	0 27 19                         ; vector.hip:27:19
	v_mul_f32_e32 v1, v4, v1
	.loc	0 27 55                         ; vector.hip:27:55
	v_mul_f32_e32 v4, v1, v0
	.loc	0 27 5                          ; vector.hip:27:5
	v_lshl_add_u64 v[0:1], v[2:3], 2, s[8:9]
	.loc	0 27 11                         ; vector.hip:27:11
	global_store_dword v[0:1], v4, off
	.loc	0 28 1 is_stmt 1                ; vector.hip:28:1
	s_endpgm
.Ltmp15:
	.section	.rodata,"a",@progbits
	.p2align	6, 0x0
	.amdhsa_kernel rmsnorm
		.amdhsa_group_segment_fixed_size 16
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
		.amdhsa_next_free_vgpr 8
		.amdhsa_next_free_sgpr 10
		.amdhsa_accum_offset 8
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
	.size	rmsnorm, .Lfunc_end0-rmsnorm
	.cfi_endproc
                                        ; -- End function
	.set rmsnorm.num_vgpr, 8
	.set rmsnorm.num_agpr, 0
	.set rmsnorm.numbered_sgpr, 10
	.set rmsnorm.num_named_barrier, 0
	.set rmsnorm.private_seg_size, 0
	.set rmsnorm.uses_vcc, 1
	.set rmsnorm.uses_flat_scratch, 0
	.set rmsnorm.has_dyn_sized_stack, 0
	.set rmsnorm.has_recursion, 0
	.set rmsnorm.has_indirect_call, 0
	.section	.AMDGPU.csdata,"",@progbits
; Kernel info:
; codeLenInByte = 300
; TotalNumSgprs: 16
; NumVgprs: 8
; NumAgprs: 0
; TotalNumVgprs: 8
; ScratchSize: 0
; MemoryBound: 0
; FloatMode: 240
; IeeeMode: 1
; LDSByteSize: 16 bytes/workgroup (compile time only)
; SGPRBlocks: 1
; VGPRBlocks: 0
; NumSGPRsForWavesPerEU: 16
; NumVGPRsForWavesPerEU: 8
; AccumOffset: 8
; Occupancy: 8
; WaveLimiterHint : 0
; COMPUTE_PGM_RSRC2:SCRATCH_EN: 0
; COMPUTE_PGM_RSRC2:USER_SGPR: 2
; COMPUTE_PGM_RSRC2:TRAP_HANDLER: 0
; COMPUTE_PGM_RSRC2:TGID_X_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Y_EN: 0
; COMPUTE_PGM_RSRC2:TGID_Z_EN: 0
; COMPUTE_PGM_RSRC2:TIDIG_COMP_CNT: 0
; COMPUTE_PGM_RSRC3_GFX90A:ACCUM_OFFSET: 1
; COMPUTE_PGM_RSRC3_GFX90A:TG_SPLIT: 0
	.text
	.protected	histogram               ; -- Begin function histogram
	.globl	histogram
	.p2align	8
	.type	histogram,@function
histogram:                              ; @histogram
.Lfunc_begin1:
	.cfi_startproc
; %bb.0:
	.loc	0 33 11 prologue_end            ; vector.hip:33:11
	v_cmp_gt_u32_e32 vcc, 64, v0
	v_lshlrev_b32_e32 v2, 2, v0
	s_and_saveexec_b64 s[4:5], vcc
; %bb.1:
	.loc	0 0 11 is_stmt 0                ; vector.hip:0:11
	v_mov_b32_e32 v1, 0
	.loc	0 33 25                         ; vector.hip:33:25
	ds_write_b32 v2, v1
; %bb.2:
	.loc	0 0 25                          ; vector.hip:0:25
	s_or_b64 exec, exec, s[4:5]
	s_load_dwordx2 s[4:5], s[0:1], 0x8
.Ltmp16:
	.loc	1 13 35 is_stmt 1               ; ./device.h:13:35 @[ vector.hip:32:24 ]
	s_load_dword s10, s[0:1], 0x10
.Ltmp17:
	.loc	0 35 39                         ; vector.hip:35:39
	v_lshl_or_b32 v0, s2, 8, v0
.Ltmp18:
	.loc	1 18 5                          ; ./device.h:18:5 @[ vector.hip:34:5 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ vector.hip:34:5 ]
	s_barrier
.Ltmp19:
	.loc	0 35 46                         ; vector.hip:35:46
	v_cmp_gt_u32_e64 s[2:3], s10, v0
	.loc	0 35 5 is_stmt 0                ; vector.hip:35:5
	s_and_saveexec_b64 s[6:7], s[2:3]
	s_cbranch_execz .LBB1_5
; %bb.3:
	.loc	0 0 5                           ; vector.hip:0:5
	s_load_dwordx2 s[2:3], s[0:1], 0x0
	s_mov_b64 s[8:9], 0
	v_mov_b32_e32 v1, 0
	v_mov_b32_e32 v3, 1
.LBB1_4:                                ; =>This Inner Loop Header: Depth=1
	.loc	0 36 38 is_stmt 1               ; vector.hip:36:38
	s_waitcnt lgkmcnt(0)
	v_lshl_add_u64 v[4:5], v[0:1], 2, s[2:3]
	global_load_dword v4, v[4:5], off
	.loc	0 35 63                         ; vector.hip:35:63
	v_add_u32_e32 v0, 0x200, v0
	.loc	0 35 46 is_stmt 0               ; vector.hip:35:46
	v_cmp_le_u32_e64 s[0:1], s10, v0
	.loc	0 35 5                          ; vector.hip:35:5
	s_or_b64 s[8:9], s[0:1], s[8:9]
	.loc	0 36 46 is_stmt 1               ; vector.hip:36:46
	s_waitcnt vmcnt(0)
	v_and_b32_e32 v4, 63, v4
	.loc	0 36 33 is_stmt 0               ; vector.hip:36:33
	v_lshlrev_b32_e32 v4, 2, v4
	.loc	0 36 9                          ; vector.hip:36:9
	ds_add_u32 v4, v3
	.loc	0 35 5 is_stmt 1                ; vector.hip:35:5
	s_andn2_b64 exec, exec, s[8:9]
	s_cbranch_execnz .LBB1_4
.LBB1_5:
	.loc	0 0 5 is_stmt 0                 ; vector.hip:0:5
	s_or_b64 exec, exec, s[6:7]
.Ltmp20:
	.loc	1 18 5 is_stmt 1                ; ./device.h:18:5 @[ vector.hip:37:5 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ vector.hip:37:5 ]
	s_barrier
.Ltmp21:
	.loc	0 38 11                         ; vector.hip:38:11
	s_and_saveexec_b64 s[0:1], vcc
	s_cbranch_execz .LBB1_7
; %bb.6:
	.loc	0 38 52 is_stmt 0               ; vector.hip:38:52
	ds_read_b32 v0, v2
	.loc	0 38 17                         ; vector.hip:38:17
	s_waitcnt lgkmcnt(0)
	global_atomic_add v2, v0, s[4:5]
.LBB1_7:
	.loc	0 39 1 is_stmt 1                ; vector.hip:39:1
	s_endpgm
.Ltmp22:
	.section	.rodata,"a",@progbits
	.p2align	6, 0x0
	.amdhsa_kernel histogram
		.amdhsa_group_segment_fixed_size 256
		.amdhsa_private_segment_fixed_size 0
		.amdhsa_kernarg_size 20
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
		.amdhsa_next_free_vgpr 6
		.amdhsa_next_free_sgpr 11
		.amdhsa_accum_offset 8
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
.Lfunc_end1:
	.size	histogram, .Lfunc_end1-histogram
	.cfi_endproc
                                        ; -- End function
	.set histogram.num_vgpr, 6
	.set histogram.num_agpr, 0
	.set histogram.numbered_sgpr, 11
	.set histogram.num_named_barrier, 0
	.set histogram.private_seg_size, 0
	.set histogram.uses_vcc, 1
	.set histogram.uses_flat_scratch, 0
	.set histogram.has_dyn_sized_stack, 0
	.set histogram.has_recursion, 0
	.set histogram.has_indirect_call, 0
	.section	.AMDGPU.csdata,"",@progbits
; Kernel info:
; codeLenInByte = 208
; TotalNumSgprs: 17
; NumVgprs: 6
; NumAgprs: 0
; TotalNumVgprs: 6
; ScratchSize: 0
; MemoryBound: 0
; FloatMode: 240
; IeeeMode: 1
; LDSByteSize: 256 bytes/workgroup (compile time only)
; SGPRBlocks: 2
; VGPRBlocks: 0
; NumSGPRsForWavesPerEU: 17
; NumVGPRsForWavesPerEU: 6
; AccumOffset: 8
; Occupancy: 8
; WaveLimiterHint : 0
; COMPUTE_PGM_RSRC2:SCRATCH_EN: 0
; COMPUTE_PGM_RSRC2:USER_SGPR: 2
; COMPUTE_PGM_RSRC2:TRAP_HANDLER: 0
; COMPUTE_PGM_RSRC2:TGID_X_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Y_EN: 0
; COMPUTE_PGM_RSRC2:TGID_Z_EN: 0
; COMPUTE_PGM_RSRC2:TIDIG_COMP_CNT: 0
; COMPUTE_PGM_RSRC3_GFX90A:ACCUM_OFFSET: 1
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
	.byte	116                             ; DW_AT_rnglists_base
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
	.byte	1                               ; DW_CHILDREN_yes
	.byte	49                              ; DW_AT_abstract_origin
	.byte	19                              ; DW_FORM_ref4
	.byte	85                              ; DW_AT_ranges
	.byte	35                              ; DW_FORM_rnglistx
	.byte	88                              ; DW_AT_call_file
	.byte	11                              ; DW_FORM_data1
	.byte	89                              ; DW_AT_call_line
	.byte	11                              ; DW_FORM_data1
	.byte	87                              ; DW_AT_call_column
	.byte	11                              ; DW_FORM_data1
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	5                               ; Abbreviation Code
	.byte	29                              ; DW_TAG_inlined_subroutine
	.byte	0                               ; DW_CHILDREN_no
	.byte	49                              ; DW_AT_abstract_origin
	.byte	19                              ; DW_FORM_ref4
	.byte	85                              ; DW_AT_ranges
	.byte	35                              ; DW_FORM_rnglistx
	.byte	88                              ; DW_AT_call_file
	.byte	11                              ; DW_FORM_data1
	.byte	89                              ; DW_AT_call_line
	.byte	11                              ; DW_FORM_data1
	.byte	87                              ; DW_AT_call_column
	.byte	11                              ; DW_FORM_data1
	.byte	0                               ; EOM(1)
	.byte	0                               ; EOM(2)
	.byte	6                               ; Abbreviation Code
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
	.byte	1                               ; Abbrev [1] 0xc:0xa2 DW_TAG_compile_unit
	.byte	0                               ; DW_AT_producer
	.short	33                              ; DW_AT_language
	.byte	1                               ; DW_AT_name
	.long	.Lstr_offsets_base0             ; DW_AT_str_offsets_base
	.long	.Lline_table_start0             ; DW_AT_stmt_list
	.byte	2                               ; DW_AT_comp_dir
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end1-.Lfunc_begin0       ; DW_AT_high_pc
	.long	.Laddr_table_base0              ; DW_AT_addr_base
	.long	.Lrnglists_table_base0          ; DW_AT_rnglists_base
	.byte	2                               ; Abbrev [2] 0x27:0x2 DW_TAG_subprogram
	.byte	3                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x29:0x2 DW_TAG_subprogram
	.byte	4                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x2b:0x2 DW_TAG_subprogram
	.byte	5                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x2d:0x2 DW_TAG_subprogram
	.byte	6                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x2f:0x2 DW_TAG_subprogram
	.byte	7                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	2                               ; Abbrev [2] 0x31:0x2 DW_TAG_subprogram
	.byte	8                               ; DW_AT_name
                                        ; DW_AT_inline
	.byte	3                               ; Abbrev [3] 0x33:0x4b DW_TAG_subprogram
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       ; DW_AT_high_pc
                                        ; DW_AT_call_all_calls
	.byte	9                               ; DW_AT_name
	.byte	4                               ; Abbrev [4] 0x3a:0x29 DW_TAG_inlined_subroutine
	.long	41                              ; DW_AT_abstract_origin
	.byte	0                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	23                              ; DW_AT_call_line
	.byte	23                              ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x43:0x9 DW_TAG_inlined_subroutine
	.long	39                              ; DW_AT_abstract_origin
	.byte	1                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	14                              ; DW_AT_call_line
	.byte	10                              ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x4c:0x9 DW_TAG_inlined_subroutine
	.long	43                              ; DW_AT_abstract_origin
	.byte	2                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	15                              ; DW_AT_call_line
	.byte	10                              ; DW_AT_call_column
	.byte	6                               ; Abbrev [6] 0x55:0xd DW_TAG_inlined_subroutine
	.long	45                              ; DW_AT_abstract_origin
	.byte	1                               ; DW_AT_low_pc
	.long	.Ltmp5-.Ltmp4                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	10                              ; DW_AT_call_line
	.byte	10                              ; DW_AT_call_column
	.byte	0                               ; End Of Children Mark
	.byte	6                               ; Abbrev [6] 0x63:0xd DW_TAG_inlined_subroutine
	.long	47                              ; DW_AT_abstract_origin
	.byte	2                               ; DW_AT_low_pc
	.long	.Ltmp12-.Ltmp11                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	25                              ; DW_AT_call_line
	.byte	5                               ; DW_AT_call_column
	.byte	6                               ; Abbrev [6] 0x70:0xd DW_TAG_inlined_subroutine
	.long	49                              ; DW_AT_abstract_origin
	.byte	3                               ; DW_AT_low_pc
	.long	.Ltmp14-.Ltmp13                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	21                              ; DW_AT_call_line
	.byte	24                              ; DW_AT_call_column
	.byte	0                               ; End Of Children Mark
	.byte	3                               ; Abbrev [3] 0x7e:0x2f DW_TAG_subprogram
	.byte	4                               ; DW_AT_low_pc
	.long	.Lfunc_end1-.Lfunc_begin1       ; DW_AT_high_pc
                                        ; DW_AT_call_all_calls
	.byte	10                              ; DW_AT_name
	.byte	6                               ; Abbrev [6] 0x85:0xd DW_TAG_inlined_subroutine
	.long	49                              ; DW_AT_abstract_origin
	.byte	5                               ; DW_AT_low_pc
	.long	.Ltmp17-.Ltmp16                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	32                              ; DW_AT_call_line
	.byte	24                              ; DW_AT_call_column
	.byte	6                               ; Abbrev [6] 0x92:0xd DW_TAG_inlined_subroutine
	.long	47                              ; DW_AT_abstract_origin
	.byte	6                               ; DW_AT_low_pc
	.long	.Ltmp19-.Ltmp18                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	34                              ; DW_AT_call_line
	.byte	5                               ; DW_AT_call_column
	.byte	6                               ; Abbrev [6] 0x9f:0xd DW_TAG_inlined_subroutine
	.long	47                              ; DW_AT_abstract_origin
	.byte	7                               ; DW_AT_low_pc
	.long	.Ltmp21-.Ltmp20                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	37                              ; DW_AT_call_line
	.byte	5                               ; DW_AT_call_column
	.byte	0                               ; End Of Children Mark
	.byte	0                               ; End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_rnglists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0 ; Length
.Ldebug_list_header_start0:
	.short	5                               ; Version
	.byte	8                               ; Address size
	.byte	0                               ; Segment selector size
	.long	3                               ; Offset entry count
.Lrnglists_table_base0:
	.long	.Ldebug_ranges0-.Lrnglists_table_base0
	.long	.Ldebug_ranges1-.Lrnglists_table_base0
	.long	.Ldebug_ranges2-.Lrnglists_table_base0
.Ldebug_ranges0:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp1-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp3-.Lfunc_begin0           ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp4-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp10-.Lfunc_begin0          ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_ranges1:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp1-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp2-.Lfunc_begin0           ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp6-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp7-.Lfunc_begin0           ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_ranges2:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp2-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp3-.Lfunc_begin0           ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp8-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp9-.Lfunc_begin0           ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_list_header_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	48                              ; Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"clang version 22.1.8"          ; string offset=0
.Linfo_string1:
	.asciz	"vector.hip"                    ; string offset=21
.Linfo_string2:
	.asciz	"."                             ; string offset=32
.Linfo_string3:
	.asciz	"shifted<322, 10>"              ; string offset=34
.Linfo_string4:
	.asciz	"wave_sum"                      ; string offset=51
.Linfo_string5:
	.asciz	"shifted<323, 12>"              ; string offset=60
.Linfo_string6:
	.asciz	"shifted<273, 15>"              ; string offset=77
.Linfo_string7:
	.asciz	"barrier"                       ; string offset=94
.Linfo_string8:
	.asciz	"thread"                        ; string offset=102
.Linfo_string9:
	.asciz	"rmsnorm"                       ; string offset=109
.Linfo_string10:
	.asciz	"histogram"                     ; string offset=117
	.section	.debug_str_offsets,"",@progbits
	.long	.Linfo_string0
	.long	.Linfo_string1
	.long	.Linfo_string2
	.long	.Linfo_string3
	.long	.Linfo_string4
	.long	.Linfo_string5
	.long	.Linfo_string6
	.long	.Linfo_string7
	.long	.Linfo_string8
	.long	.Linfo_string9
	.long	.Linfo_string10
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 ; Length of contribution
.Ldebug_addr_start0:
	.short	5                               ; DWARF version number
	.byte	8                               ; Address size
	.byte	0                               ; Segment selector size
.Laddr_table_base0:
	.quad	.Lfunc_begin0
	.quad	.Ltmp4
	.quad	.Ltmp11
	.quad	.Ltmp13
	.quad	.Lfunc_begin1
	.quad	.Ltmp16
	.quad	.Ltmp18
	.quad	.Ltmp20
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
    .group_segment_fixed_size: 16
    .kernarg_segment_align: 8
    .kernarg_segment_size: 28
    .max_flat_workgroup_size: 256
    .name:           rmsnorm
    .private_segment_fixed_size: 0
    .sgpr_count:     16
    .sgpr_spill_count: 0
    .symbol:         rmsnorm.kd
    .uniform_work_group_size: 1
    .uses_dynamic_stack: false
    .vgpr_count:     8
    .vgpr_spill_count: 0
    .wavefront_size: 64
  - .agpr_count:     0
    .args:
      - .actual_access:  read_only
        .address_space:  global
        .offset:         0
        .size:           8
        .value_kind:     global_buffer
      - .address_space:  global
        .offset:         8
        .size:           8
        .value_kind:     global_buffer
      - .offset:         16
        .size:           4
        .value_kind:     by_value
    .group_segment_fixed_size: 256
    .kernarg_segment_align: 8
    .kernarg_segment_size: 20
    .max_flat_workgroup_size: 256
    .name:           histogram
    .private_segment_fixed_size: 0
    .sgpr_count:     17
    .sgpr_spill_count: 0
    .symbol:         histogram.kd
    .uniform_work_group_size: 1
    .uses_dynamic_stack: false
    .vgpr_count:     6
    .vgpr_spill_count: 0
    .wavefront_size: 64
amdhsa.target:   amdgcn-amd-amdhsa--gfx950
amdhsa.version:
  - 1
  - 2
...

	.end_amdgpu_metadata
	.section	.debug_line,"",@progbits
.Lline_table_start0:
