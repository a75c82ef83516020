//! That every verb is checked, and that its check fails for a wrong verb.

use super::list::VERBS;
use super::{Tile, Verb, places};
use crate::interpreted::{compiler, for_each_plan, verdict};
use crate::tests::shapes;
use std::collections::BTreeSet;
use tilemark_cdna::exec::group::Order;
use tilemark_core::launch::{Header, Plan, Source, Step};
use tilemark_core::{Dtype, Value};

#[test]
fn the_smoke_shapes_have_every_verb_in_every_dtype() {
    let mut listed = BTreeSet::new();
    for (shape, dtypes) in shapes(&Tile, "smoke") {
        let Some(Value::Word(word)) = shape.get("verb") else { panic!("{shape} has no verb") };
        listed.extend(dtypes.into_iter().map(|dtype| (word.clone(), dtype)));
    }
    let of = |verb: &Verb| verb.dtypes.iter().map(|dtype| (verb.name.to_owned(), *dtype)).collect();
    let known = VERBS.iter().flat_map::<Vec<_>, _>(of).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_shape_names_its_dtypes() {
    let mut tables = include_str!("../shapes.toml").lines().filter(|line| line.contains("{ verb"));
    assert_eq!(tables.find(|table| !table.contains("dtype = [")), None, "a suite's may be others");
}

#[test]
fn every_kernel_is_the_check_of_a_verb() {
    let sources = [
        include_str!("portable.cu"),
        include_str!("sm90_threads.cu"),
        include_str!("sm90_copies.cu"),
        include_str!("sm90_matrices.cu"),
        include_str!("amd.hip"),
    ];
    let name = |line: &'static str| line.strip_prefix("void ")?.split('(').next();
    let kernels: BTreeSet<_> = sources.into_iter().flat_map(str::lines).filter_map(name).collect();
    assert_eq!(kernels, VERBS.iter().map(|verb| verb.entry).collect());
    assert!(VERBS.iter().all(|verb| verb.nvidia.is_some() || verb.amd.is_some()));
}

#[test]
fn the_orders_of_tiles_reach_each_tile_once() {
    for (order, count) in [(places::in_bands as fn(usize) -> _, 259), (places::by_chiplet, 300)] {
        let reached: BTreeSet<usize> = (0..count).filter_map(order).collect();
        assert_eq!(reached, (0..count).collect());
        assert_ne!(order(4), Some(4), "this order would be no order");
    }
}

/// A verb, and what is edited in the headers.
struct Breakage(&'static str, Dtype, [&'static str; 2]);

static BREAKAGES: &[Breakage] = &[
    Breakage("cvt_f32", Dtype::E4m3, ["return E4M3_SCALE * __builtin", "return __builtin"]),
    Breakage("cvt_rn", Dtype::Bf16, ["u16, __bf16(x))", "u16, __bf16(x)) & ~1"]),
    Breakage(
        "cvt_rn_x2",
        Dtype::F16,
        ["{low, high}), Vector<_Float16", "{high, low}), Vector<_Float16"],
    ),
    Breakage("pack", Dtype::Bf16, ["<T>(x[2 * i], x[2 * i + 1])", "<T>(x[2 * i], x[2 * i])"]),
    Breakage("unpack", Dtype::Bf16, ["u16(v.word[i] >> 16)", "u16(v.word[i ^ 1] >> 16)"]),
    Breakage("rsqrt", Dtype::F32, ["__builtin_amdgcn_rsqf(x)", "__builtin_amdgcn_rsqf(x + 2e-6f)"]),
    Breakage("ex2", Dtype::F32, ["__builtin_amdgcn_exp2f(x)", "__builtin_amdgcn_exp2f(x + 2e-6f)"]),
    Breakage("lg2", Dtype::F32, ["__builtin_amdgcn_logf(x)", "__builtin_amdgcn_logf(x + 2e-6f)"]),
    Breakage("rcp", Dtype::F32, ["__builtin_amdgcn_rcpf(x)", "__builtin_amdgcn_rcpf(x + 2e-6f)"]),
    Breakage("sum_across", Dtype::F32, ["offset = LANES / 2", "offset = LANES / 4"]),
    Breakage("warp_sum", Dtype::F32, ["sum_across<WARP_THREADS>", "sum_across<32>"]),
    Breakage("any_sync", Dtype::F32, ["ballot_w64(x) != 0", "ballot_w64(x) == ~0ull"]),
    Breakage("tile_in_bands", Dtype::F32, ["within % height, within", "within % band, within"]),
    Breakage("tile_by_chiplet", Dtype::F32, ["+ die * run + place", "+ die + place"]),
    Breakage("ring_places", Dtype::F32, ["phase ^= stage / N & 1;", "phase ^= 1;"]),
    Breakage("load_floats", Dtype::F32, [".word[i % 4]);", ".word[i % 2]);"]),
    Breakage("global_vectors", Dtype::Bf16, ["*>(address));", "*>(address) + 1);"]),
    Breakage(
        "funnelshift_r",
        Dtype::Bf16,
        ["alignbit(high, low, bits)", "alignbit(low, high, bits)"],
    ),
    Breakage("ds_bpermute", Dtype::F32, ["ds_bpermute(lane * 4", "ds_bpermute(lane * 4 ^ 4"]),
    Breakage("v_perm", Dtype::Bf16, ["perm(high, low, selector)", "perm(low, high, selector)"]),
    Breakage("buffer_load", Dtype::F32, ["0, reachable, 0x", "0, 0x7FFFFFF0, 0x"]),
    Breakage("short_buffer", Dtype::F32, ["0, bytes < 0 ? 0 : bytes,", "0, 0x7FFFFFF0,"]),
    Breakage(
        "buffer_load_dword_lds",
        Dtype::F32,
        ["(LdsPointer)u64(lds), 4, offset,", "(LdsPointer)u64(lds), 4, offset ^ 4,"],
    ),
    Breakage("cvt_x2", Dtype::Bf16, ["low) + 0x8000, 0x07060302", "low) + 0x8000, 0x03020706"]),
    Breakage(
        "mfma_16x16x16",
        Dtype::Bf16,
        [
            "16x16x16bf16_1k(__builtin_bit_cast(Vector<short, 4>, a)",
            "16x16x16bf16_1k(__builtin_bit_cast(Vector<short, 4>, b)",
        ],
    ),
    Breakage(
        "mfma_16x16x32",
        Dtype::Bf16,
        [
            "16x16x32_bf16(__builtin_bit_cast(Vector<__bf16, 8>, a)",
            "16x16x32_bf16(__builtin_bit_cast(Vector<__bf16, 8>, b)",
        ],
    ),
    Breakage(
        "mfma_32x32x16",
        Dtype::F16,
        [
            "32x32x16_f16(__builtin_bit_cast(Vector<_Float16, 8>, a)",
            "32x32x16_f16(__builtin_bit_cast(Vector<_Float16, 8>, b)",
        ],
    ),
    Breakage(
        "mfma_32x32x8",
        Dtype::F16,
        [
            "32x32x8f16(__builtin_bit_cast(Vector<_Float16, 4>, a)",
            "32x32x8f16(__builtin_bit_cast(Vector<_Float16, 4>, b)",
        ],
    ),
    Breakage("mfma_16x16x32_e4m3", Dtype::E4m3, ["(long, b), d", "(long, a), d"]),
    Breakage("mfma_16x16x128", Dtype::E4m3, ["Pair{a0, a1}", "Pair{a1, a0}"]),
    Breakage(
        "buffer_load_lds",
        Dtype::F32,
        ["(LdsPointer)u64(lds), 16, offset,", "(LdsPointer)u64(lds), 16, offset ^ 16,"],
    ),
    Breakage("ds_read_tr", Dtype::Bf16, ["\"ds_read_b64_tr_b16 %0", "\"ds_read_b64 %0"]),
];

/// What is edited there is nothing on gfx950: e4m3's other form, and a shorter conversion.
const GFX942_ALONE: [&str; 2] = ["cvt_f32", "cvt_x2"];

#[test]
fn a_wrong_verb_fails_its_check() {
    for Breakage(verb, dtype, edit) in BREAKAGES {
        let mut tried = 0;
        for_each_plan(&Tile, &format!("verb={verb}"), *dtype, |trial, _, arch, plan| {
            let wrong = verdict(trial, &edited(plan, *edit), arch, Order::InTurn);
            tried += 1;
            let same = GFX942_ALONE.contains(verb) && arch == "gfx950";
            assert!(wrong.is_err() != same || !compiler(), "{verb} on {arch} with {edit:?}");
            let is_compiled = wrong.map_or_else(|why| !why.starts_with("compile error"), |()| true);
            assert!(is_compiled, "{verb} on {arch} with {edit:?}");
        });
        assert!(tried > 0, "{verb} is tried nowhere");
    }
}

/// The plan with one place of its headers changed.
fn edited(plan: &Plan, [from, to]: [&str; 2]) -> Plan {
    let mut plan = plan.clone();
    for step in &mut plan.steps {
        let Step::Launch(launch) = step else { continue };
        let Source { path, text, headers } = *launch.source;
        let places: usize = headers.iter().map(|header| header.text.matches(from).count()).sum();
        assert_eq!(places, 1, "places with {from:?}");
        let edit =
            |header: &Header| Header { text: header.text.replace(from, to).leak(), ..*header };
        let headers: Vec<Header> = headers.iter().map(edit).collect();
        launch.source = Box::leak(Box::new(Source { path, text, headers: headers.leak() }));
    }
    plan
}
