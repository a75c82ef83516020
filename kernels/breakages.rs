//! Deliberate breakages of AMD's kernels: one swizzle, wait or barrier is edited out of a source, and
//! the interpreter or the gate must notice.

use crate::interpreted::{compiler, for_each_plan, verdict};
use crate::testing::Trial;
use crate::{
    attention, block_sparse_attention, fftconv, gemm, monarch_mixer, rmsnorm,
    shared_prefix_attention,
};
use tilemark_cdna::exec::group::Order;
use tilemark_core::launch::{Header, Plan, Source, Step};
use tilemark_core::{Dtype, Family};

/// A kernel's implementation, a problem, and what is edited out of its source.
struct Breakage(&'static str, &'static dyn Family, &'static str, [&'static str; 2]);

static BREAKAGES: &[Breakage] = &[
    Breakage(
        "gfx942_mfma",
        &gemm::Gemm,
        GEMM,
        ["at / CHUNKS, at % CHUNKS)] = v", "at / CHUNKS ^ 1, at % CHUNKS)] = v"],
    ),
    Breakage(
        "gfx942_mfma",
        &gemm::Gemm,
        GEMM,
        ["__syncthreads();\n        a_next.store", "a_next.store"],
    ),
    Breakage(
        "gfx942_mfma",
        &gemm::Gemm,
        GEMM,
        ["__syncthreads();\n        a_next.load", "a_next.load"],
    ),
    Breakage("gfx950_mfma", &gemm::Gemm, GEMM, ["^ permutation(row))", "^ permutation(row + 2))"]),
    Breakage(
        "gfx950_mfma",
        &gemm::Gemm,
        GEMM,
        [
            "s_waitcnt_vmcnt<12>();\n    s_barrier();\n    sched_barrier();",
            "s_barrier();\n    sched_barrier();",
        ],
    ),
    Breakage(
        "gfx950_mfma",
        &gemm::Gemm,
        GEMM,
        ["s_setprio<0>();\n    s_barrier();", "s_setprio<0>();"],
    ),
    Breakage(
        "gfx942_flash",
        &attention::Attention,
        FLASH,
        ["at / K_CHUNKS, at % K_CHUNKS)]", "at / K_CHUNKS, at % K_CHUNKS ^ 1)]"],
    ),
    Breakage(
        "gfx942_flash",
        &attention::Attention,
        FLASH,
        ["tile[stage ^ 1]);\n        __syncthreads();", "tile[stage ^ 1]);"],
    ),
    Breakage(
        "gfx950_flash",
        &attention::Attention,
        FLASH,
        [": k_permutation(row))", ": k_permutation(row + 2))"],
    ),
    Breakage(
        "gfx950_flash",
        &attention::Attention,
        FLASH,
        ["s_waitcnt_vmcnt<(STAGES - 2) * 2 * COPIES>();", ""],
    ),
    Breakage(
        "gfx950_flash",
        &attention::Attention,
        FLASH,
        ["s_barrier();\n        copy(", "copy("],
    ),
    Breakage(
        "gfx942_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["four / 4 * 2 + four % 2, half", "four / 4 * 2 + (four + 1) % 2, half"],
    ),
    Breakage(
        "gfx942_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["__syncthreads();\n        next.store(lds.tile, WANT_K", "next.store(lds.tile, WANT_K"],
    ),
    Breakage(
        "gfx942_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["__syncthreads();\n        ahead.advance", "ahead.advance"],
    ),
    Breakage(
        "gfx950_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["^ permutation(lane_id() % 32)", "^ permutation(lane_id() % 16 / 2)"],
    ),
    Breakage(
        "gfx950_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["s_waitcnt_vmcnt<(STAGES - 2) * (2 + STATISTICS_COPIES)>();", ""],
    ),
    Breakage(
        "gfx950_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["s_barrier();\n        copy_queries", "copy_queries"],
    ),
    Breakage(
        "gfx950_flash",
        &attention::AttentionBackward,
        BACKWARD,
        ["s_waitcnt_lgkmcnt<4 * Fragments::COLUMN_TILES>()", "(void)0"],
    ),
    Breakage(
        "mfma_blocks",
        &block_sparse_attention::BlockSparseAttention,
        BLOCKS,
        ["row >= blocks.at[i].row", "row > blocks.at[i].row"],
    ),
    Breakage(
        "mfma_blocks",
        &block_sparse_attention::BlockSparseAttention,
        BLOCKS,
        ["seen.end - key); }", "seen.end - key + 1); }"],
    ),
    Breakage(
        "mfma_blocks",
        &block_sparse_attention::BlockSparseAttention,
        BLOCKS,
        ["first > from || end < to", "end < to"],
    ),
    Breakage(
        "mfma_blocks",
        &block_sparse_attention::BlockSparseAttention,
        BLOCKS,
        ["first < to && end > from", "first < to && end >= to"],
    ),
    Breakage(
        "mfma_blocks_backward",
        &block_sparse_attention::BlockSparseAttentionBackward,
        BLOCKS,
        ["range.first - row, range.end - row", "range.first - row, range.end - row + 1"],
    ),
    Breakage(
        "mfma_blocks_backward",
        &block_sparse_attention::BlockSparseAttentionBackward,
        BLOCKS,
        ["first > from || end < to", "end < to"],
    ),
    Breakage(
        "mfma_blocks_backward",
        &block_sparse_attention::BlockSparseAttentionBackward,
        BLOCKS,
        ["first < to && end > from", "first < to && end >= to"],
    ),
    Breakage(
        "mfma_blocks_backward",
        &block_sparse_attention::BlockSparseAttentionBackward,
        BLOCKS,
        ["statistics + passing", "statistics"],
    ),
    Breakage(
        "mfma_hydragen",
        &shared_prefix_attention::SharedPrefixAttention,
        PREFIX,
        ["left(key) < KEYS", "left(key) < 0"],
    ),
    Breakage(
        "mfma_hydragen",
        &shared_prefix_attention::SharedPrefixAttention,
        PREFIX,
        ["(tile.head * runs + tile.run)", "(tile.head * runs)"],
    ),
    Breakage(
        "mfma_flat",
        &shared_prefix_attention::SharedPrefixAttention,
        PREFIX,
        ["RangeKeys{rows}", "RangeKeys{rows + 1}"],
    ),
    Breakage(
        "mfma_flat",
        &shared_prefix_attention::SharedPrefixAttention,
        PREFIX,
        ["i / 4 * 8 + lane / 32 * 4", "i / 4 * 8 + lane / 32 * 3"],
    ),
    Breakage(
        "mfma_flat",
        &shared_prefix_attention::SharedPrefixAttention,
        PREFIX,
        ["fmaxf(max, of[i].max)", "max"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConv,
        FFTCONV,
        ["signals(), tables);\n    __syncthreads();", "signals(), tables);"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConv,
        FFTCONV,
        ["tables, 0);\n    __syncthreads();", "tables, 0);"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConv,
        FFTCONV,
        ["spectrum + row(0) * ROW_VECTORS", "spectrum"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConv,
        OUTER,
        ["e == 0 && k0 == 0) {", "e == 1 && k0 == 0) {"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConvBackward,
        FFTCONV,
        ["load_back(tables, k1);\n        __syncthreads();", "load_back(tables, k1);"],
    ),
    Breakage(
        "gfx942_monarch",
        &fftconv::FftConvBackward,
        FFTCONV,
        ["N3 <= lanes / 4", "N3 < lanes / 4"],
    ),
    Breakage("hip_registers", &rmsnorm::RmsNorm, ROWS, ["    row.trim(hidden, shift);\n", ""]),
    Breakage("hip_registers", &rmsnorm::RmsNorm, ROWS, ["!ALIGNED && at_end)", "false)"]),
    Breakage("hip_registers", &rmsnorm::RmsNormBackward, ROWS, ["h_row.trim(hidden, shift);", ""]),
    Breakage(
        "gfx942_steps",
        &monarch_mixer::MonarchMixer,
        MIXER,
        ["__syncthreads();\n#pragma unroll\n    for (int step", "for (int step"],
    ),
    Breakage(
        "gfx942_steps",
        &monarch_mixer::MonarchMixer,
        MIXER,
        ["__syncthreads();\n    if (there)", "if (there)"],
    ),
    Breakage(
        "gfx950_steps",
        &monarch_mixer::MonarchMixer,
        MIXER,
        ["tap = s - p + TAPS - 1", "tap = s + p + TAPS - 2"],
    ),
    Breakage(
        "gfx942_steps",
        &monarch_mixer::MonarchMixer,
        MIXER,
        ["(channel / narrow) * pitch", "(channel / narrow) * channels"],
    ),
    Breakage(
        "gfx942_steps",
        &monarch_mixer::MonarchMixer,
        MIXER,
        ["x < 0 ? half : 1 - half", "1 - half"],
    ),
];

const FFTCONV: &str = "b=9,h=2,n=1024,l=777,gated=true";
const OUTER: &str = "b=1,h=1,n=65536,l=777";
const ROWS: &str = "rows=19,hidden=257,residual=true";
const MIXER: &str = "b=3,l=66,d=32";
const GEMM: &str = "m=256,n=256,k=200,layout=nt";
const FLASH: &str = "b=1,h=1,n=96,nk=300,d=128";
const BLOCKS: &str = "b=1,h=1,schedule=image256,mask=block_diagonal";
const PREFIX: &str = "b=6,h=8,hk=2,p=275,u=45,d=64,groups=3,m=35,ragged=true";
const BACKWARD: &str = "b=1,h=2,hk=1,n=200,nk=260,d=128,causal=true";

#[test]
fn deliberate_breakages_are_noticed() {
    for Breakage(broken, family, shape, edit) in BREAKAGES {
        let mut tried = 0;
        for_each_plan(*family, shape, Dtype::Bf16, |trial, name, arch, plan| {
            if name != *broken {
                return;
            }
            let orders = [Order::InTurn, Order::Seeded(1), Order::Seeded(2)];
            let whole = plan;
            let Some(plan) = edited(whole, *edit) else { return };
            tried += 1;
            assert_eq!(verdict(trial, whole, arch, Order::InTurn), Ok(()), "`{name}` on {arch}");
            let noticed = orders.iter().any(|order| fails(trial, &plan, arch, *order));
            assert!(noticed || !compiler(), "`{name}` on {arch} without {:?}", edit[0]);
        });
        assert!(tried > 0, "no source of `{broken}` has {:?}", edit[0]);
    }
}

/// Whether the plan compiles, and then faults or gives a wrong answer.
fn fails(trial: &Trial, plan: &Plan, arch: &str, order: Order) -> bool {
    let verdict = verdict(trial, plan, arch, order);
    verdict.is_err_and(|why| {
        assert!(!why.starts_with("compile error"), "{why}");
        true
    })
}

/// The plan with one place of a source or of its headers changed, in every launch of it; none if it is made of others.
fn edited(plan: &Plan, [from, to]: [&str; 2]) -> Option<Plan> {
    let mut plan = plan.clone();
    let mut found = false;
    for step in &mut plan.steps {
        let (Step::Launch(launch) | Step::Early(launch)) = step else { continue };
        let Source { path, text, headers } = *launch.source;
        let texts = headers.iter().map(|header| header.text).chain([text]);
        let places: usize = texts.map(|text| text.matches(from).count()).sum();
        assert!(places < 2, "{places} places of {path} with {from:?}");
        found |= places == 1;
        let replaced = |text: &str| text.replace(from, to).leak();
        let header = |Header { name, text }: &Header| Header { name, text: replaced(text) };
        let headers = Vec::leak(headers.iter().map(header).collect());
        launch.source = Box::leak(Box::new(Source { path, text: replaced(text), headers }));
    }
    found.then_some(plan)
}
