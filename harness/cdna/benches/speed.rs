//! Wave-instructions a second on vector code, and the time of a matrix instruction; one wave on one core.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use tilemark_cdna::kernel::Module;
use tilemark_cdna::launch::{Grid, Options};
use tilemark_cdna::session::run;

const ROUNDS: u64 = 2000;

/// A loop over a body, on registers that have been set.
fn kernel(body: &str) -> String {
    let set: String = (10..74).map(|r| format!("v_mov_b32_e32 v{r}, 1.0\n")).collect();
    format!(
        ".amdgcn_target \"amdgcn-amd-amdhsa--gfx950\"
k:
{set}s_movk_i32 s4, {ROUNDS}
.Lagain:
{body}
s_sub_u32 s4, s4, 1
s_cmp_lg_u32 s4, 0
s_cbranch_scc1 .Lagain
s_endpgm
.Lfunc_end0:
.amdhsa_kernel k
.end_amdhsa_kernel
"
    )
}

fn measure(criterion: &mut Criterion, name: &str, body: &str, counted: u64) {
    let module = Module::parse(&kernel(body)).expect("the benchmark's assembly is understood");
    let kernel = &module.kernels[0];
    let grid = Grid { groups: [1; 3], block: [64, 1, 1], dynamic_lds_bytes: 0 };
    let mut group = criterion.benchmark_group("speed");
    group.throughput(Throughput::Elements(ROUNDS * counted)).sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            black_box(
                run(kernel, grid, &[], &Options::default())
                    .map(|outcome| outcome.report.instructions),
            )
        });
    });
    group.finish();
}

fn speed(criterion: &mut Criterion) {
    let vector = "v_add_f32_e32 v10, v11, v12\nv_fma_f32 v13, v14, v15, v16\nv_mul_f32_e32 v17, s4, v18
v_lshl_add_u32 v19, v20, 2, v21\nv_and_b32_e32 v22, 0xff, v23\nv_cmp_gt_u32_e32 vcc, v24, v25\ns_nop 1
v_max_f32_e32 v26, v27, v28\nv_add_u32_e32 v29, v30, v31\nv_cndmask_b32_e32 v32, v33, v34, vcc
v_sub_f32_e32 v35, v36, v37\nv_mov_b32_e32 v38, v39\nv_xor_b32_e32 v40, v41, v42";
    measure(criterion, "vector mix", vector, 12 + 3);
    let fma: Vec<_> = (0..8).map(|i| format!("v_fma_f32 v{}, v20, v21, v22", 10 + i)).collect();
    measure(criterion, "fma", &fma.join("\n"), 8 + 3);
    for (name, registers, operand) in [
        ("16x16x16_bf16", 4, 2),
        ("32x32x8_bf16", 16, 2),
        ("16x16x32_bf16", 4, 4),
        ("32x32x16_bf16", 16, 4),
        ("16x16x32_fp8_fp8", 4, 2),
        ("32x32x2_f32", 16, 1),
    ] {
        let body = format!(
            "v_mfma_f32_{name} v[10:{d}], v[40:{a}], v[50:{b}], v[10:{d}]",
            d = 9 + registers,
            a = 39 + operand,
            b = 49 + operand
        );
        measure(criterion, name, &body, 1);
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    speed(&mut criterion);
    criterion.final_summary();
}
