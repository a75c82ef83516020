	.amdgcn_target "amdgcn-amd-amdhsa--gfx942"
	.amdhsa_code_object_version 6
	.text
	.protected	attention               ; -- Begin function attention
	.globl	attention
	.p2align	8
	.type	attention,@function
attention:                              ; @attention
.Lfunc_begin0:
	.file	0 "." "attention.hip" md5 0x0044baa0376dc4b7c27afeb10bb5b1df
	.loc	0 26 0                          ; attention.hip:26:0
	.cfi_sections .debug_frame
	.cfi_startproc
; %bb.0:
	s_load_dwordx2 s[10:11], s[0:1], 0x18
.Ltmp0:
	.file	1 "." "device.h" md5 0x30ea9d1ed6a2b2bba7eea2139f2240de
	.loc	1 13 35 prologue_end            ; ./device.h:13:35 @[ attention.hip:28:24 ]
	s_load_dword s12, s[0:1], 0x20
.Ltmp1:
	.loc	0 28 41                         ; attention.hip:28:41
	v_readfirstlane_b32 s3, v0
	.loc	0 30 50                         ; attention.hip:30:50
	s_lshr_b32 s3, s3, 2
	.loc	0 30 38 is_stmt 0               ; attention.hip:30:38
	s_lshl_b32 s2, s2, 5
	.loc	0 30 50                         ; attention.hip:30:50
	s_and_b32 s3, s3, 0x3fffff0
	.loc	0 29 31 is_stmt 1               ; attention.hip:29:31
	v_and_b32_e32 v1, 15, v0
	.loc	0 30 43                         ; attention.hip:30:43
	s_add_i32 s3, s3, s2
	.loc	0 29 50                         ; attention.hip:29:50
	v_bfe_u32 v2, v0, 4, 2
	v_or_b32_e32 v3, s3, v1
	v_lshlrev_b32_e32 v18, 6, v3
	v_lshlrev_b32_e32 v26, 2, v2
	.loc	0 37 27                         ; attention.hip:37:27
	s_waitcnt lgkmcnt(0)
	s_cmp_lt_i32 s12, 1
	v_mov_b32_e32 v17, 0
	.loc	0 37 5 is_stmt 0                ; attention.hip:37:5
	s_cbranch_scc1 .LBB0_4
; %bb.1:
	.loc	0 0 5                           ; attention.hip:0:5
	s_load_dwordx4 s[4:7], s[0:1], 0x0
	s_load_dwordx2 s[2:3], s[0:1], 0x10
	v_mov_b32_e32 v19, v17
	.loc	0 32 10 is_stmt 1               ; attention.hip:32:10
	v_lshlrev_b32_e32 v16, 1, v26
	v_lshlrev_b32_e32 v34, 3, v2
	s_waitcnt lgkmcnt(0)
	v_lshl_add_u64 v[4:5], v[18:19], 1, s[4:5]
	v_lshl_add_u64 v[4:5], v[4:5], 0, v[16:17]
	.loc	0 32 51 is_stmt 0               ; attention.hip:32:51
	global_load_dwordx2 v[38:39], v[4:5], off
	global_load_dwordx2 v[40:41], v[4:5], off offset:32
	global_load_dwordx2 v[42:43], v[4:5], off offset:64
	global_load_dwordx2 v[44:45], v[4:5], off offset:96
	v_mbcnt_lo_u32_b32 v2, -1, 0
	v_mbcnt_hi_u32_b32 v2, -1, v2
	v_lshlrev_b32_e32 v3, 3, v0
	v_lshlrev_b32_e32 v2, 2, v2
	v_and_b32_e32 v3, 56, v3
	v_xor_b32_e32 v27, 64, v2
	v_xor_b32_e32 v28, 0x80, v2
	v_lshrrev_b32_e32 v2, 3, v0
	v_or_b32_e32 v0, 0x80, v0
	v_lshlrev_b32_e32 v16, 1, v3
	v_or_b32_e32 v33, 0x1400, v34
	v_lshrrev_b32_e32 v0, 3, v0
	v_mul_u32_u24_e32 v36, 0x90, v1
	v_mul_u32_u24_e32 v46, 0x50, v1
	v_or_b32_e32 v25, 0x1400, v16
	v_mul_u32_u24_e32 v29, 0x90, v2
	v_lshlrev_b32_e32 v30, 1, v2
	v_mul_u32_u24_e32 v32, 0x50, v3
	v_mul_u32_u24_e32 v31, 0x90, v0
	v_lshlrev_b32_e32 v35, 1, v0
	v_add_u32_e32 v33, v33, v36
	v_add_u32_e32 v34, v34, v46
	v_lshl_add_u64 v[20:21], s[6:7], 0, v[16:17]
	v_lshl_add_u64 v[22:23], s[2:3], 0, v[16:17]
	s_mov_b32 s13, 0
	.loc	0 37 5 is_stmt 1                ; attention.hip:37:5
	v_lshlrev_b32_e32 v24, 6, v0
	v_lshlrev_b32_e32 v16, 6, v2
	v_mov_b32_e32 v37, 0xff800000
	v_mov_b32_e32 v19, 0
.Ltmp2:
	.loc	1 18 5                          ; ./device.h:18:5 @[ attention.hip:38:9 ]
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
	v_add_u32_e32 v29, v25, v29
	v_add_u32_e32 v30, v30, v32
	v_add_u32_e32 v31, v25, v31
	v_add_u32_e32 v32, v35, v32
	s_mov_b32 s14, 0x3e38aa3b
	s_movk_i32 s15, 0x7fff
	s_mov_b32 s16, 0x7060302
	v_add_u32_e32 v35, 0x800, v33
	v_add_u32_e32 v36, 0x800, v34
.Ltmp3:
.LBB0_2:                                ; =>This Inner Loop Header: Depth=1
	.loc	0 41 49                         ; attention.hip:41:49
	v_lshlrev_b64 v[46:47], 1, v[16:17]
	v_mov_b32_e32 v25, v17
	v_lshl_add_u64 v[48:49], v[20:21], 0, v[46:47]
	.loc	0 42 35                         ; attention.hip:42:35
	v_lshl_add_u64 v[46:47], v[22:23], 0, v[46:47]
	.loc	0 41 49                         ; attention.hip:41:49
	v_lshlrev_b64 v[50:51], 1, v[24:25]
.Ltmp4:
	.loc	1 19 5                          ; ./device.h:19:5 @[ attention.hip:38:9 ]
	s_barrier
.Ltmp5:
	.loc	0 41 49                         ; attention.hip:41:49
	global_load_dwordx4 v[52:55], v[48:49], off
	.loc	0 43 72                         ; attention.hip:43:72
	global_load_dwordx4 v[56:59], v[46:47], off
	.loc	0 41 49                         ; attention.hip:41:49
	v_lshl_add_u64 v[46:47], v[20:21], 0, v[50:51]
	.loc	0 42 35                         ; attention.hip:42:35
	v_lshl_add_u64 v[48:49], v[22:23], 0, v[50:51]
	.loc	0 41 49                         ; attention.hip:41:49
	global_load_dwordx4 v[60:63], v[46:47], off
	.loc	0 43 72                         ; attention.hip:43:72
	global_load_dwordx4 v[64:67], v[48:49], off
	.loc	0 37 36                         ; attention.hip:37:36
	s_add_i32 s13, s13, 32
	.loc	0 37 27 is_stmt 0               ; attention.hip:37:27
	v_add_u32_e32 v16, 0x800, v16
	v_add_u32_e32 v24, 0x800, v24
	s_cmp_ge_i32 s13, s12
	.loc	0 41 47 is_stmt 1               ; attention.hip:41:47
	s_waitcnt vmcnt(3)
	ds_write_b128 v29, v[52:55]
	.loc	0 43 70                         ; attention.hip:43:70
	s_waitcnt vmcnt(2)
	ds_write_b16 v30, v56
	ds_write_b16_d16_hi v30, v56 offset:80
	ds_write_b16 v30, v57 offset:160
	ds_write_b16_d16_hi v30, v57 offset:240
	ds_write_b16 v30, v58 offset:320
	ds_write_b16_d16_hi v30, v58 offset:400
	ds_write_b16 v30, v59 offset:480
	ds_write_b16_d16_hi v30, v59 offset:560
	.loc	0 41 47                         ; attention.hip:41:47
	s_waitcnt vmcnt(1)
	ds_write_b128 v31, v[60:63]
	.loc	0 43 70                         ; attention.hip:43:70
	s_waitcnt vmcnt(0)
	ds_write_b16 v32, v64
	ds_write_b16_d16_hi v32, v64 offset:80
	ds_write_b16 v32, v65 offset:160
	ds_write_b16_d16_hi v32, v65 offset:240
	ds_write_b16 v32, v66 offset:320
	ds_write_b16_d16_hi v32, v66 offset:400
	ds_write_b16 v32, v67 offset:480
	ds_write_b16_d16_hi v32, v67 offset:560
.Ltmp6:
	.loc	1 18 5                          ; ./device.h:18:5 @[ attention.hip:45:9 ]
	s_waitcnt lgkmcnt(0)
	.loc	1 19 5                          ; ./device.h:19:5 @[ attention.hip:45:9 ]
	s_barrier
.Ltmp7:
	.loc	0 49 29                         ; attention.hip:49:29
	ds_read2_b64 v[46:49], v33 offset1:4
	ds_read2_b64 v[54:57], v35 offset0:32 offset1:36
.Ltmp8:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:49:24 ]
	s_waitcnt lgkmcnt(1)
	v_mfma_f32_16x16x16_bf16 v[50:53], v[46:47], v[38:39], 0
.Ltmp9:
	.loc	0 74 37                         ; attention.hip:74:37
	ds_read2_b64 v[62:65], v34 offset1:4
.Ltmp10:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:49:24 ]
	s_waitcnt lgkmcnt(1)
	v_mfma_f32_16x16x16_bf16 v[58:61], v[54:55], v[38:39], 0
	v_mfma_f32_16x16x16_bf16 v[46:49], v[48:49], v[40:41], v[50:53]
	v_mfma_f32_16x16x16_bf16 v[50:53], v[56:57], v[40:41], v[58:61]
.Ltmp11:
	.loc	0 49 29                         ; attention.hip:49:29
	ds_read2_b64 v[54:57], v33 offset0:8 offset1:12
	s_nop 3
	ds_read2_b64 v[58:61], v35 offset0:40 offset1:44
.Ltmp12:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:49:24 ]
	s_waitcnt lgkmcnt(1)
	v_mfma_f32_16x16x16_bf16 v[46:49], v[54:55], v[42:43], v[46:49]
	s_waitcnt lgkmcnt(0)
	v_mfma_f32_16x16x16_bf16 v[50:53], v[58:59], v[42:43], v[50:53]
	v_mfma_f32_16x16x16_bf16 v[46:49], v[56:57], v[44:45], v[46:49]
.Ltmp13:
	.loc	0 74 37                         ; attention.hip:74:37
	ds_read2_b64 v[54:57], v34 offset0:160 offset1:164
	ds_read2_b64 v[66:69], v36 offset0:64 offset1:68
	ds_read2_b64 v[70:73], v36 offset0:224 offset1:228
.Ltmp14:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:49:24 ]
	v_mfma_f32_16x16x16_bf16 v[50:53], v[60:61], v[44:45], v[50:53]
.Ltmp15:
	.loc	0 52 76                         ; attention.hip:52:76
	s_nop 2
	v_mul_f32_e32 v25, 0x3e38aa3b, v46
	v_mul_f32_e32 v58, 0x3e38aa3b, v47
	v_mul_f32_e32 v59, 0x3e38aa3b, v48
	v_mul_f32_e32 v60, 0x3e38aa3b, v49
	.loc	0 52 47 is_stmt 0               ; attention.hip:52:47
	v_max3_f32 v25, v37, v25, v58
	.loc	0 52 76                         ; attention.hip:52:76
	v_mul_f32_e32 v61, 0x3e38aa3b, v50
	v_mul_f32_e32 v74, 0x3e38aa3b, v51
	.loc	0 52 47                         ; attention.hip:52:47
	v_max3_f32 v25, v25, v59, v60
	.loc	0 52 76                         ; attention.hip:52:76
	v_mul_f32_e32 v75, 0x3e38aa3b, v52
	v_mul_f32_e32 v76, 0x3e38aa3b, v53
	.loc	0 52 47                         ; attention.hip:52:47
	v_max3_f32 v25, v25, v61, v74
	v_max3_f32 v25, v25, v75, v76
.Ltmp16:
	.loc	0 13 38 is_stmt 1               ; attention.hip:13:38 @[ attention.hip:53:36 ]
	ds_bpermute_b32 v58, v27, v25
.Ltmp17:
	.loc	0 53 15                         ; attention.hip:53:15
	s_waitcnt lgkmcnt(0)
	v_max_f32_e32 v58, v58, v58
	v_max_f32_e32 v25, v25, v58
.Ltmp18:
	.loc	0 13 38                         ; attention.hip:13:38 @[ attention.hip:54:36 ]
	ds_bpermute_b32 v58, v28, v25
.Ltmp19:
	.loc	0 54 15                         ; attention.hip:54:15
	s_waitcnt lgkmcnt(0)
	v_max_f32_e32 v58, v58, v58
	v_max_f32_e32 v25, v25, v58
	.loc	0 60 64                         ; attention.hip:60:64
	v_fma_f32 v46, v46, s14, -v25
	v_fma_f32 v47, v47, s14, -v25
	v_fma_f32 v48, v48, s14, -v25
	v_fma_f32 v49, v49, s14, -v25
	.loc	0 55 62                         ; attention.hip:55:62
	v_sub_f32_e32 v37, v37, v25
	.loc	0 60 33                         ; attention.hip:60:33
	v_exp_f32_e32 v58, v46
	v_exp_f32_e32 v47, v47
	v_exp_f32_e32 v48, v48
	v_exp_f32_e32 v59, v49
	.loc	0 60 64 is_stmt 0               ; attention.hip:60:64
	v_fma_f32 v50, v50, s14, -v25
	v_fma_f32 v51, v51, s14, -v25
	v_fma_f32 v52, v52, s14, -v25
	v_fma_f32 v53, v53, s14, -v25
	.loc	0 55 31 is_stmt 1               ; attention.hip:55:31
	v_exp_f32_e32 v46, v37
	.loc	0 60 33                         ; attention.hip:60:33
	v_exp_f32_e32 v60, v50
	v_exp_f32_e32 v61, v51
	v_exp_f32_e32 v52, v52
	v_exp_f32_e32 v53, v53
	.loc	0 62 65                         ; attention.hip:62:65
	v_bfe_u32 v37, v58, 16, 1
	.loc	0 61 21                         ; attention.hip:61:21
	v_add_f32_e32 v50, v58, v47
	.loc	0 62 65                         ; attention.hip:62:65
	v_bfe_u32 v51, v47, 16, 1
	v_bfe_u32 v75, v48, 16, 1
	v_bfe_u32 v77, v59, 16, 1
	v_or_b32_e32 v49, 0x400000, v58
	v_or_b32_e32 v74, 0x400000, v47
	v_or_b32_e32 v76, 0x400000, v48
	v_or_b32_e32 v78, 0x400000, v59
	.loc	0 72 20                         ; attention.hip:72:20
	v_pk_mul_f32 v[14:15], v[46:47], v[14:15] op_sel_hi:[0,1]
	v_pk_mul_f32 v[12:13], v[46:47], v[12:13] op_sel_hi:[0,1]
	v_pk_mul_f32 v[10:11], v[46:47], v[10:11] op_sel_hi:[0,1]
	v_pk_mul_f32 v[8:9], v[46:47], v[8:9] op_sel_hi:[0,1]
	v_pk_mul_f32 v[6:7], v[46:47], v[6:7] op_sel_hi:[0,1]
	v_pk_mul_f32 v[4:5], v[46:47], v[4:5] op_sel_hi:[0,1]
	v_pk_mul_f32 v[2:3], v[46:47], v[2:3] op_sel_hi:[0,1]
	v_pk_mul_f32 v[0:1], v[46:47], v[0:1] op_sel_hi:[0,1]
	.loc	0 62 65                         ; attention.hip:62:65
	v_add3_u32 v37, v37, v58, s15
	v_add3_u32 v51, v51, v47, s15
	v_cmp_u_f32_e32 vcc, v47, v47
	.loc	0 61 21                         ; attention.hip:61:21
	v_add_f32_e32 v47, v50, v48
	.loc	0 62 65                         ; attention.hip:62:65
	v_add3_u32 v50, v75, v48, s15
	v_cmp_u_f32_e64 s[0:1], v48, v48
	v_add3_u32 v48, v77, v59, s15
	v_cmp_u_f32_e64 s[2:3], v59, v59
	v_cmp_u_f32_e64 s[8:9], v58, v58
	v_bfe_u32 v79, v60, 16, 1
	v_bfe_u32 v81, v61, 16, 1
	v_bfe_u32 v83, v52, 16, 1
	v_bfe_u32 v85, v53, 16, 1
	v_cndmask_b32_e64 v37, v37, v49, s[8:9]
	v_cndmask_b32_e32 v49, v51, v74, vcc
	v_cndmask_b32_e64 v50, v50, v76, s[0:1]
	v_cndmask_b32_e64 v51, v48, v78, s[2:3]
	v_or_b32_e32 v80, 0x400000, v60
	v_or_b32_e32 v82, 0x400000, v61
	v_or_b32_e32 v84, 0x400000, v52
	v_or_b32_e32 v86, 0x400000, v53
	v_add3_u32 v75, v79, v60, s15
	v_cmp_u_f32_e64 s[4:5], v60, v60
	v_add3_u32 v77, v81, v61, s15
	v_cmp_u_f32_e64 s[6:7], v61, v61
	v_add3_u32 v79, v83, v52, s15
.Ltmp20:
	.loc	0 21 14                         ; attention.hip:21:14 @[ attention.hip:62:17 ]
	v_perm_b32 v48, v49, v37, s16
	v_perm_b32 v49, v51, v50, s16
.Ltmp21:
	.loc	0 62 65                         ; attention.hip:62:65
	v_cmp_u_f32_e32 vcc, v52, v52
	v_add3_u32 v37, v85, v53, s15
	v_cmp_u_f32_e64 s[0:1], v53, v53
.Ltmp22:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:75:26 ]
	v_mfma_f32_16x16x16_bf16 v[8:11], v[54:55], v[48:49], v[8:11]
.Ltmp23:
	.loc	0 61 21                         ; attention.hip:61:21
	v_add_f32_e32 v47, v47, v59
	.loc	0 62 65                         ; attention.hip:62:65
	v_cndmask_b32_e64 v50, v75, v80, s[4:5]
	v_cndmask_b32_e64 v51, v77, v82, s[6:7]
	v_cndmask_b32_e32 v54, v79, v84, vcc
	v_cndmask_b32_e64 v37, v37, v86, s[0:1]
.Ltmp24:
	.loc	0 21 14                         ; attention.hip:21:14 @[ attention.hip:62:17 ]
	v_perm_b32 v50, v51, v50, s16
	v_perm_b32 v51, v37, v54, s16
.Ltmp25:
	.loc	0 61 21                         ; attention.hip:61:21
	v_add_f32_e32 v37, v47, v60
	v_add_f32_e32 v37, v37, v61
	v_add_f32_e32 v37, v37, v52
	v_add_f32_e32 v37, v37, v53
.Ltmp26:
	.loc	0 13 38                         ; attention.hip:13:38 @[ attention.hip:64:16 ]
	ds_bpermute_b32 v47, v27, v37
.Ltmp27:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:75:26 ]
	v_mfma_f32_16x16x16_bf16 v[12:15], v[62:63], v[48:49], v[12:15]
.Ltmp28:
	.loc	0 64 13                         ; attention.hip:64:13
	s_waitcnt lgkmcnt(0)
	v_add_f32_e32 v47, v37, v47
.Ltmp29:
	.loc	1 32 12                         ; ./device.h:32:12 @[ attention.hip:75:26 ]
	v_mfma_f32_16x16x16_bf16 v[4:7], v[66:67], v[48:49], v[4:7]
	v_mov_b32_e32 v37, v25
	v_mfma_f32_16x16x16_bf16 v[0:3], v[70:71], v[48:49], v[0:3]
.Ltmp30:
	.loc	0 13 38                         ; attention.hip:13:38 @[ attention.hip:65:41 ]
	ds_bpermute_b32 v48, v28, v47
.Ltmp31:
	.loc	0 65 33                         ; attention.hip:65:33
	v_fmac_f32_e32 v47, v19, v46
	.loc	0 65 39 is_stmt 0               ; attention.hip:65:39
	s_waitcnt lgkmcnt(0)
	v_add_f32_e32 v19, v47, v48
.Ltmp32:
	.loc	1 32 12 is_stmt 1               ; ./device.h:32:12 @[ attention.hip:75:26 ]
	v_mfma_f32_16x16x16_bf16 v[12:15], v[64:65], v[50:51], v[12:15]
	v_mfma_f32_16x16x16_bf16 v[8:11], v[56:57], v[50:51], v[8:11]
	v_mfma_f32_16x16x16_bf16 v[4:7], v[68:69], v[50:51], v[4:7]
	v_mfma_f32_16x16x16_bf16 v[0:3], v[72:73], v[50:51], v[0:3]
.Ltmp33:
	.loc	0 37 5                          ; attention.hip:37:5
	s_cbranch_scc0 .LBB0_2
; %bb.3:
	.loc	0 0 5 is_stmt 0                 ; attention.hip:0:5
	v_mov_b32_e32 v17, v19
	s_branch .LBB0_5
.LBB0_4:
	v_mov_b64_e32 v[0:1], 0
	v_mov_b64_e32 v[2:3], 0
	v_mov_b64_e32 v[4:5], 0
	v_mov_b64_e32 v[6:7], 0
	v_mov_b64_e32 v[8:9], 0
	v_mov_b64_e32 v[10:11], 0
	v_mov_b64_e32 v[12:13], 0
	v_mov_b64_e32 v[14:15], 0
.LBB0_5:
	.loc	0 80 97 is_stmt 1               ; attention.hip:80:97
	s_nop 0
	v_div_scale_f32 v16, s[0:1], v17, v17, v13
	v_rcp_f32_e32 v20, v16
	.loc	0 79 5                          ; attention.hip:79:5
	v_or_b32_e32 v18, v18, v26
	.loc	0 80 37                         ; attention.hip:80:37
	v_mov_b32_e32 v19, 0
	v_lshl_add_u64 v[18:19], v[18:19], 2, s[10:11]
	.loc	0 80 97 is_stmt 0               ; attention.hip:80:97
	v_fma_f32 v21, -v16, v20, 1.0
	v_fmac_f32_e32 v20, v21, v20
	v_div_scale_f32 v21, vcc, v13, v17, v13
	v_mul_f32_e32 v22, v21, v20
	v_fma_f32 v23, -v16, v22, v21
	v_fmac_f32_e32 v22, v23, v20
	v_fma_f32 v16, -v16, v22, v21
	v_div_scale_f32 v21, s[0:1], v17, v17, v12
	v_rcp_f32_e32 v23, v21
	v_div_fmas_f32 v16, v16, v20, v22
	v_div_fixup_f32 v13, v16, v17, v13
	v_fma_f32 v16, -v21, v23, 1.0
	v_fmac_f32_e32 v23, v16, v23
	v_div_scale_f32 v16, vcc, v12, v17, v12
	v_mul_f32_e32 v20, v16, v23
	v_fma_f32 v22, -v21, v20, v16
	v_fmac_f32_e32 v20, v22, v23
	v_fma_f32 v16, -v21, v20, v16
	v_div_scale_f32 v21, s[0:1], v17, v17, v15
	v_rcp_f32_e32 v22, v21
	v_div_fmas_f32 v16, v16, v23, v20
	v_div_fixup_f32 v12, v16, v17, v12
	v_fma_f32 v16, -v21, v22, 1.0
	v_fmac_f32_e32 v22, v16, v22
	v_div_scale_f32 v16, vcc, v15, v17, v15
	v_mul_f32_e32 v20, v16, v22
	v_fma_f32 v23, -v21, v20, v16
	v_fmac_f32_e32 v20, v23, v22
	v_fma_f32 v16, -v21, v20, v16
	v_div_scale_f32 v21, s[0:1], v17, v17, v14
	v_rcp_f32_e32 v23, v21
	v_div_fmas_f32 v16, v16, v22, v20
	v_div_fixup_f32 v15, v16, v17, v15
	v_fma_f32 v16, -v21, v23, 1.0
	v_fmac_f32_e32 v23, v16, v23
	v_div_scale_f32 v16, vcc, v14, v17, v14
	v_mul_f32_e32 v20, v16, v23
	v_fma_f32 v22, -v21, v20, v16
	v_fmac_f32_e32 v20, v22, v23
	v_fma_f32 v16, -v21, v20, v16
	v_div_scale_f32 v21, s[0:1], v17, v17, v9
	v_rcp_f32_e32 v22, v21
	v_div_fmas_f32 v16, v16, v23, v20
	v_div_fixup_f32 v14, v16, v17, v14
	.loc	0 80 85                         ; attention.hip:80:85
	global_store_dwordx4 v[18:19], v[12:15], off
	.loc	0 80 97                         ; attention.hip:80:97
	s_nop 1
	v_fma_f32 v12, -v21, v22, 1.0
	v_fmac_f32_e32 v22, v12, v22
	v_div_scale_f32 v12, vcc, v9, v17, v9
	v_mul_f32_e32 v13, v12, v22
	v_fma_f32 v14, -v21, v13, v12
	v_fmac_f32_e32 v13, v14, v22
	v_div_scale_f32 v14, s[0:1], v17, v17, v8
	v_rcp_f32_e32 v15, v14
	v_fma_f32 v12, -v21, v13, v12
	v_div_fmas_f32 v12, v12, v22, v13
	v_div_fixup_f32 v9, v12, v17, v9
	v_fma_f32 v12, -v14, v15, 1.0
	v_fmac_f32_e32 v15, v12, v15
	v_div_scale_f32 v12, vcc, v8, v17, v8
	v_mul_f32_e32 v13, v12, v15
	v_fma_f32 v16, -v14, v13, v12
	v_fmac_f32_e32 v13, v16, v15
	v_fma_f32 v12, -v14, v13, v12
	v_div_scale_f32 v14, s[0:1], v17, v17, v11
	v_rcp_f32_e32 v16, v14
	v_div_fmas_f32 v12, v12, v15, v13
	v_div_fixup_f32 v8, v12, v17, v8
	v_fma_f32 v12, -v14, v16, 1.0
	v_fmac_f32_e32 v16, v12, v16
	v_div_scale_f32 v12, vcc, v11, v17, v11
	v_mul_f32_e32 v13, v12, v16
	v_fma_f32 v15, -v14, v13, v12
	v_fmac_f32_e32 v13, v15, v16
	v_fma_f32 v12, -v14, v13, v12
	v_div_scale_f32 v14, s[0:1], v17, v17, v10
	v_rcp_f32_e32 v15, v14
	v_div_fmas_f32 v12, v12, v16, v13
	v_div_fixup_f32 v11, v12, v17, v11
	v_fma_f32 v12, -v14, v15, 1.0
	v_fmac_f32_e32 v15, v12, v15
	v_div_scale_f32 v12, vcc, v10, v17, v10
	v_mul_f32_e32 v13, v12, v15
	v_fma_f32 v16, -v14, v13, v12
	v_fmac_f32_e32 v13, v16, v15
	v_fma_f32 v12, -v14, v13, v12
	v_div_scale_f32 v14, s[0:1], v17, v17, v5
	v_rcp_f32_e32 v16, v14
	v_div_fmas_f32 v12, v12, v15, v13
	v_div_fixup_f32 v10, v12, v17, v10
	.loc	0 80 85                         ; attention.hip:80:85
	global_store_dwordx4 v[18:19], v[8:11], off offset:64
	.loc	0 80 97                         ; attention.hip:80:97
	s_nop 1
	v_fma_f32 v8, -v14, v16, 1.0
	v_fmac_f32_e32 v16, v8, v16
	v_div_scale_f32 v8, vcc, v5, v17, v5
	v_mul_f32_e32 v9, v8, v16
	v_fma_f32 v10, -v14, v9, v8
	v_fmac_f32_e32 v9, v10, v16
	v_div_scale_f32 v10, s[0:1], v17, v17, v4
	v_rcp_f32_e32 v11, v10
	v_fma_f32 v8, -v14, v9, v8
	v_div_fmas_f32 v8, v8, v16, v9
	v_div_fixup_f32 v5, v8, v17, v5
	v_fma_f32 v8, -v10, v11, 1.0
	v_fmac_f32_e32 v11, v8, v11
	v_div_scale_f32 v8, vcc, v4, v17, v4
	v_mul_f32_e32 v9, v8, v11
	v_fma_f32 v12, -v10, v9, v8
	v_fmac_f32_e32 v9, v12, v11
	v_fma_f32 v8, -v10, v9, v8
	v_div_scale_f32 v10, s[0:1], v17, v17, v7
	v_rcp_f32_e32 v12, v10
	v_div_fmas_f32 v8, v8, v11, v9
	v_div_fixup_f32 v4, v8, v17, v4
	v_fma_f32 v8, -v10, v12, 1.0
	v_fmac_f32_e32 v12, v8, v12
	v_div_scale_f32 v8, vcc, v7, v17, v7
	v_mul_f32_e32 v9, v8, v12
	v_fma_f32 v11, -v10, v9, v8
	v_fmac_f32_e32 v9, v11, v12
	v_fma_f32 v8, -v10, v9, v8
	v_div_scale_f32 v10, s[0:1], v17, v17, v6
	v_rcp_f32_e32 v11, v10
	v_div_fmas_f32 v8, v8, v12, v9
	v_div_fixup_f32 v7, v8, v17, v7
	v_fma_f32 v8, -v10, v11, 1.0
	v_fmac_f32_e32 v11, v8, v11
	v_div_scale_f32 v8, vcc, v6, v17, v6
	v_mul_f32_e32 v9, v8, v11
	v_fma_f32 v12, -v10, v9, v8
	v_fmac_f32_e32 v9, v12, v11
	v_fma_f32 v8, -v10, v9, v8
	v_div_scale_f32 v10, s[0:1], v17, v17, v1
	v_rcp_f32_e32 v12, v10
	v_div_fmas_f32 v8, v8, v11, v9
	v_div_fixup_f32 v6, v8, v17, v6
	.loc	0 80 85                         ; attention.hip:80:85
	global_store_dwordx4 v[18:19], v[4:7], off offset:128
	.loc	0 80 97                         ; attention.hip:80:97
	s_nop 1
	v_fma_f32 v4, -v10, v12, 1.0
	v_fmac_f32_e32 v12, v4, v12
	v_div_scale_f32 v4, vcc, v1, v17, v1
	v_mul_f32_e32 v5, v4, v12
	v_fma_f32 v6, -v10, v5, v4
	v_fmac_f32_e32 v5, v6, v12
	v_div_scale_f32 v6, s[0:1], v17, v17, v0
	v_rcp_f32_e32 v7, v6
	v_fma_f32 v4, -v10, v5, v4
	v_div_fmas_f32 v4, v4, v12, v5
	v_div_fixup_f32 v1, v4, v17, v1
	v_fma_f32 v4, -v6, v7, 1.0
	v_fmac_f32_e32 v7, v4, v7
	v_div_scale_f32 v4, vcc, v0, v17, v0
	v_mul_f32_e32 v5, v4, v7
	v_fma_f32 v8, -v6, v5, v4
	v_fmac_f32_e32 v5, v8, v7
	v_fma_f32 v4, -v6, v5, v4
	v_div_scale_f32 v6, s[0:1], v17, v17, v3
	v_rcp_f32_e32 v8, v6
	v_div_fmas_f32 v4, v4, v7, v5
	v_div_fixup_f32 v0, v4, v17, v0
	v_fma_f32 v4, -v6, v8, 1.0
	v_fmac_f32_e32 v8, v4, v8
	v_div_scale_f32 v4, vcc, v3, v17, v3
	v_mul_f32_e32 v5, v4, v8
	v_fma_f32 v7, -v6, v5, v4
	v_fmac_f32_e32 v5, v7, v8
	v_fma_f32 v4, -v6, v5, v4
	v_div_scale_f32 v6, s[0:1], v17, v17, v2
	v_rcp_f32_e32 v7, v6
	v_div_fmas_f32 v4, v4, v8, v5
	v_div_fixup_f32 v3, v4, v17, v3
	v_fma_f32 v4, -v6, v7, 1.0
	v_fmac_f32_e32 v7, v4, v7
	v_div_scale_f32 v4, vcc, v2, v17, v2
	v_mul_f32_e32 v5, v4, v7
	v_fma_f32 v8, -v6, v5, v4
	v_fmac_f32_e32 v5, v8, v7
	v_fma_f32 v4, -v6, v5, v4
	v_div_fmas_f32 v4, v4, v7, v5
	v_div_fixup_f32 v2, v4, v17, v2
	.loc	0 80 85                         ; attention.hip:80:85
	global_store_dwordx4 v[18:19], v[0:3], off offset:192
	.loc	0 81 1 is_stmt 1                ; attention.hip:81:1
	s_endpgm
.Ltmp34:
	.section	.rodata,"a",@progbits
	.p2align	6, 0x0
	.amdhsa_kernel attention
		.amdhsa_group_segment_fixed_size 9728
		.amdhsa_private_segment_fixed_size 0
		.amdhsa_kernarg_size 36
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
		.amdhsa_next_free_vgpr 129
		.amdhsa_next_free_sgpr 96
		.amdhsa_accum_offset 88
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
	.size	attention, .Lfunc_end0-attention
	.cfi_endproc
                                        ; -- End function
	.set attention.num_vgpr, 87
	.set attention.num_agpr, 0
	.set attention.numbered_sgpr, 17
	.set attention.num_named_barrier, 0
	.set attention.private_seg_size, 0
	.set attention.uses_vcc, 1
	.set attention.uses_flat_scratch, 0
	.set attention.has_dyn_sized_stack, 0
	.set attention.has_recursion, 0
	.set attention.has_indirect_call, 0
	.section	.AMDGPU.csdata,"",@progbits
; Kernel info:
; codeLenInByte = 2916
; TotalNumSgprs: 23
; NumVgprs: 87
; NumAgprs: 0
; TotalNumVgprs: 87
; ScratchSize: 0
; MemoryBound: 0
; FloatMode: 240
; IeeeMode: 1
; LDSByteSize: 9728 bytes/workgroup (compile time only)
; SGPRBlocks: 12
; VGPRBlocks: 16
; NumSGPRsForWavesPerEU: 102
; NumVGPRsForWavesPerEU: 129
; AccumOffset: 88
; Occupancy: 3
; WaveLimiterHint : 0
; COMPUTE_PGM_RSRC2:SCRATCH_EN: 0
; COMPUTE_PGM_RSRC2:USER_SGPR: 2
; COMPUTE_PGM_RSRC2:TRAP_HANDLER: 0
; COMPUTE_PGM_RSRC2:TGID_X_EN: 1
; COMPUTE_PGM_RSRC2:TGID_Y_EN: 0
; COMPUTE_PGM_RSRC2:TGID_Z_EN: 0
; COMPUTE_PGM_RSRC2:TIDIG_COMP_CNT: 0
; COMPUTE_PGM_RSRC3_GFX90A:ACCUM_OFFSET: 21
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
	.byte	0                               ; EOM(3)
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0 ; Length of Unit
.Ldebug_info_start0:
	.short	5                               ; DWARF version number
	.byte	1                               ; DWARF Unit Type
	.byte	8                               ; Address Size (in bytes)
	.long	.debug_abbrev                   ; Offset Into Abbrev. Section
	.byte	1                               ; Abbrev [1] 0xc:0xa0 DW_TAG_compile_unit
	.byte	0                               ; DW_AT_producer
	.short	33                              ; DW_AT_language
	.byte	1                               ; DW_AT_name
	.long	.Lstr_offsets_base0             ; DW_AT_str_offsets_base
	.long	.Lline_table_start0             ; DW_AT_stmt_list
	.byte	2                               ; DW_AT_comp_dir
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       ; DW_AT_high_pc
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
	.byte	3                               ; Abbrev [3] 0x31:0x7a DW_TAG_subprogram
	.byte	0                               ; DW_AT_low_pc
	.long	.Lfunc_end0-.Lfunc_begin0       ; DW_AT_high_pc
                                        ; DW_AT_call_all_calls
	.byte	8                               ; DW_AT_name
	.byte	4                               ; Abbrev [4] 0x38:0xd DW_TAG_inlined_subroutine
	.long	39                              ; DW_AT_abstract_origin
	.byte	1                               ; DW_AT_low_pc
	.long	.Ltmp1-.Ltmp0                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	28                              ; DW_AT_call_line
	.byte	24                              ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x45:0x9 DW_TAG_inlined_subroutine
	.long	41                              ; DW_AT_abstract_origin
	.byte	0                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	38                              ; DW_AT_call_line
	.byte	9                               ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x4e:0xd DW_TAG_inlined_subroutine
	.long	41                              ; DW_AT_abstract_origin
	.byte	2                               ; DW_AT_low_pc
	.long	.Ltmp7-.Ltmp6                   ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	45                              ; DW_AT_call_line
	.byte	9                               ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x5b:0x9 DW_TAG_inlined_subroutine
	.long	43                              ; DW_AT_abstract_origin
	.byte	1                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	49                              ; DW_AT_call_line
	.byte	24                              ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x64:0xd DW_TAG_inlined_subroutine
	.long	45                              ; DW_AT_abstract_origin
	.byte	3                               ; DW_AT_low_pc
	.long	.Ltmp17-.Ltmp16                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	53                              ; DW_AT_call_line
	.byte	36                              ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x71:0xd DW_TAG_inlined_subroutine
	.long	45                              ; DW_AT_abstract_origin
	.byte	4                               ; DW_AT_low_pc
	.long	.Ltmp19-.Ltmp18                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	54                              ; DW_AT_call_line
	.byte	36                              ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x7e:0x9 DW_TAG_inlined_subroutine
	.long	47                              ; DW_AT_abstract_origin
	.byte	2                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	62                              ; DW_AT_call_line
	.byte	17                              ; DW_AT_call_column
	.byte	5                               ; Abbrev [5] 0x87:0x9 DW_TAG_inlined_subroutine
	.long	43                              ; DW_AT_abstract_origin
	.byte	3                               ; DW_AT_ranges
	.byte	0                               ; DW_AT_call_file
	.byte	75                              ; DW_AT_call_line
	.byte	26                              ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x90:0xd DW_TAG_inlined_subroutine
	.long	45                              ; DW_AT_abstract_origin
	.byte	5                               ; DW_AT_low_pc
	.long	.Ltmp27-.Ltmp26                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	64                              ; DW_AT_call_line
	.byte	16                              ; DW_AT_call_column
	.byte	4                               ; Abbrev [4] 0x9d:0xd DW_TAG_inlined_subroutine
	.long	45                              ; DW_AT_abstract_origin
	.byte	6                               ; DW_AT_low_pc
	.long	.Ltmp31-.Ltmp30                 ; DW_AT_high_pc
	.byte	0                               ; DW_AT_call_file
	.byte	65                              ; DW_AT_call_line
	.byte	41                              ; DW_AT_call_column
	.byte	0                               ; End Of Children Mark
	.byte	0                               ; End Of Children Mark
.Ldebug_info_end0:
	.section	.debug_rnglists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0 ; Length
.Ldebug_list_header_start0:
	.short	5                               ; Version
	.byte	8                               ; Address size
	.byte	0                               ; Segment selector size
	.long	4                               ; Offset entry count
.Lrnglists_table_base0:
	.long	.Ldebug_ranges0-.Lrnglists_table_base0
	.long	.Ldebug_ranges1-.Lrnglists_table_base0
	.long	.Ldebug_ranges2-.Lrnglists_table_base0
	.long	.Ldebug_ranges3-.Lrnglists_table_base0
.Ldebug_ranges0:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp2-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp3-.Lfunc_begin0           ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp4-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp5-.Lfunc_begin0           ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_ranges1:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp8-.Lfunc_begin0           ;   starting offset
	.uleb128 .Ltmp9-.Lfunc_begin0           ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp10-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp11-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp12-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp13-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp14-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp15-.Lfunc_begin0          ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_ranges2:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp20-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp21-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp24-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp25-.Lfunc_begin0          ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_ranges3:
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp22-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp23-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp27-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp28-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp29-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp30-.Lfunc_begin0          ;   ending offset
	.byte	4                               ; DW_RLE_offset_pair
	.uleb128 .Ltmp32-.Lfunc_begin0          ;   starting offset
	.uleb128 .Ltmp33-.Lfunc_begin0          ;   ending offset
	.byte	0                               ; DW_RLE_end_of_list
.Ldebug_list_header_end0:
	.section	.debug_str_offsets,"",@progbits
	.long	40                              ; Length of String Offsets Set
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.asciz	"clang version 22.1.8"          ; string offset=0
.Linfo_string1:
	.asciz	"attention.hip"                 ; string offset=21
.Linfo_string2:
	.asciz	"."                             ; string offset=35
.Linfo_string3:
	.asciz	"thread"                        ; string offset=37
.Linfo_string4:
	.asciz	"barrier"                       ; string offset=44
.Linfo_string5:
	.asciz	"mfma"                          ; string offset=52
.Linfo_string6:
	.asciz	"exchanged"                     ; string offset=57
.Linfo_string7:
	.asciz	"keep"                          ; string offset=67
.Linfo_string8:
	.asciz	"attention"                     ; string offset=72
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
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0 ; Length of contribution
.Ldebug_addr_start0:
	.short	5                               ; DWARF version number
	.byte	8                               ; Address size
	.byte	0                               ; Segment selector size
.Laddr_table_base0:
	.quad	.Lfunc_begin0
	.quad	.Ltmp0
	.quad	.Ltmp6
	.quad	.Ltmp16
	.quad	.Ltmp18
	.quad	.Ltmp26
	.quad	.Ltmp30
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
      - .actual_access:  read_only
        .address_space:  global
        .offset:         16
        .size:           8
        .value_kind:     global_buffer
      - .actual_access:  write_only
        .address_space:  global
        .offset:         24
        .size:           8
        .value_kind:     global_buffer
      - .offset:         32
        .size:           4
        .value_kind:     by_value
    .group_segment_fixed_size: 9728
    .kernarg_segment_align: 8
    .kernarg_segment_size: 36
    .max_flat_workgroup_size: 128
    .name:           attention
    .private_segment_fixed_size: 0
    .sgpr_count:     23
    .sgpr_spill_count: 0
    .symbol:         attention.kd
    .uniform_work_group_size: 1
    .uses_dynamic_stack: false
    .vgpr_count:     87
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
