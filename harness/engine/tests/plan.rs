//! From a suite and flags to a plan, and every mistake on that way.

mod common;

use common::CATALOG;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Code, Standing};
use tilemark_core::{Bytes, Dtype, Implementation, Info, Problem};
use tilemark_engine::axis::AxisValues;
use tilemark_engine::catalog::Catalog;
use tilemark_engine::device;
use tilemark_engine::plan::{Plan, PlanError, Selection, Shard, Status};
use tilemark_engine::suite::Suite;

const SUITE: &str = r#"
about = "a test"
[[entry]]
family = "sum_of_squares"
shapes = "smoke"
"#;

fn cpu() -> Info {
    device::info("cpu").expect("there is always a CPU")
}

fn plan_on(suite: &str, device: Info, selection: &Selection) -> Result<Plan, PlanError> {
    let suite = Suite::parse("test.toml", suite).expect("the suite can be read");
    Plan::make(&suite, &CATALOG, &[device], selection)
}

fn plan(selection: &Selection) -> Result<Plan, PlanError> {
    plan_on(SUITE, cpu(), selection)
}

fn error(selection: &Selection) -> String {
    plan(selection).expect_err("it is a mistake").to_string()
}

fn honest() -> Selection {
    Selection { only: vec!["honest".into(), "rival".into()], ..Selection::default() }
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.cases().map(|planned| planned.case.id()).collect()
}

#[test]
fn a_plan_has_every_implementation_of_every_problem() {
    let plan = plan(&honest()).expect("there is a plan");
    let expected = [
        "sum_of_squares/f32/rows=1,columns=64/normal/42/honest@cpu",
        "sum_of_squares/f32/rows=1,columns=64/normal/42/rival@cpu",
        "sum_of_squares/f32/rows=131,columns=64/normal/42/honest@cpu",
        "sum_of_squares/f32/rows=131,columns=64/normal/42/rival@cpu",
    ];
    assert_eq!(ids(&plan), expected);
}

#[test]
fn an_axis_flag_replaces_the_suites_values_and_says_nothing_twice() {
    let axes = vec![AxisValues::parse("rows=[5,6]").expect("it is an axis")];
    let plan = plan(&Selection { axes, ..honest() }).expect("there is a plan");
    assert_eq!(plan.groups.len(), 2);
    assert!(ids(&plan)[0].contains("rows=5"));
}

#[test]
fn what_is_skipped_is_left_out_of_what_is_selected() {
    let plan = plan(&Selection { skip: vec!["riv*".into()], ..honest() }).expect("there is a plan");
    assert!(ids(&plan).len() == 2 && ids(&plan).iter().all(|id| id.contains("/honest@")));
}

#[test]
fn an_entry_says_who_sits_it_out() {
    let suite = format!("{SUITE}skip = [\"hon*\"]\n");
    let names = vec!["honest".into(), "rival".into()];
    let plan = plan_on(&suite, cpu(), &Selection { only: names, ..Selection::default() })
        .expect("there is a plan");
    assert!(ids(&plan).len() == 2 && ids(&plan).iter().all(|id| id.contains("/rival@")));
}

#[test]
fn a_problem_that_two_entries_name_is_planned_once() {
    let twice = format!("{SUITE}[[entry]]\nfamily = \"sum_of_squares\"\nshapes = \"smoke\"\n");
    let plan = plan_on(&twice, cpu(), &honest()).expect("there is a plan");
    assert_eq!(plan.groups.len(), 2);
}

#[test]
fn a_glob_with_a_slash_selects_case_ids() {
    let only = vec!["*/rows=131,*/honest@*".into()];
    let plan = plan(&Selection { only, ..Selection::default() }).expect("there is a plan");
    assert_eq!(ids(&plan), ["sum_of_squares/f32/rows=131,columns=64/normal/42/honest@cpu"]);
}

#[test]
fn shards_share_the_plan_without_overlap() {
    let whole = ids(&plan(&honest()).expect("there is a plan"));
    let mut parts = Vec::new();
    for index in 1..=2 {
        let shard = Some(Shard { index, count: 2 });
        parts.extend(ids(&plan(&Selection { shard, ..honest() }).expect("there is a plan")));
    }
    parts.sort();
    let mut sorted = whole;
    sorted.sort();
    assert_eq!(parts, sorted);
    assert!("0/2".parse::<Shard>().is_err() && "3/2".parse::<Shard>().is_err());
}

#[test]
fn the_plans_id_follows_its_cases() {
    let id = |seed| plan(&Selection { seed, ..honest() }).expect("there is a plan").id();
    assert_eq!(id(None), id(Some(42)));
    assert_ne!(id(None), id(Some(43)));
}

#[test]
fn a_mistake_in_a_flag_is_named_with_what_there_is() {
    let families = vec!["gem".to_owned()];
    assert_eq!(
        error(&Selection { families, ..Selection::default() }),
        "unknown family `gem`; known: sum_of_squares"
    );
    let axes = vec![AxisValues::parse("m=5").expect("it is an axis")];
    assert_eq!(
        error(&Selection { axes, ..Selection::default() }),
        "--axis m=5: family `sum_of_squares` has no axis `m`; its axes: rows, columns (select \
         families with --op)"
    );
    let dtypes = vec![Dtype::Bf16];
    assert_eq!(
        error(&Selection { dtypes, ..Selection::default() }),
        "--dtype bf16: no selected family is defined for it; `tilemark list` shows which are"
    );
}

#[test]
fn a_value_of_a_flag_that_no_shape_takes_is_the_flags_mistake() {
    let check = |axes: Vec<AxisValues>, expected: &str| {
        assert_eq!(error(&Selection { axes, ..Selection::default() }), expected);
    };
    let wrong = "family `sum_of_squares`: axis `rows` takes a whole number of at least 1, not";
    let shape = "(of a shape of test.toml:4)";
    let axis = |text: &str| AxisValues::parse(text).expect("it is an axis");
    check(vec![axis("rows=0")], &format!("--axis rows=0: {wrong} `0` {shape}"));
    check(
        vec![axis("columns=5"), axis("rows=zz")],
        &format!("--axis rows=zz: {wrong} `zz` {shape}"),
    );
    check(vec![AxisValues::single("rows", 0)], &format!("-rows 0: {wrong} `0` {shape}"));
}

#[test]
fn a_glob_that_matches_nothing_anywhere_is_named() {
    let unmatched = |only: &[&str], skip: &[&str]| {
        let globs = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        let selection = Selection { only: globs(only), skip: globs(skip), ..Selection::default() };
        plan(&selection).expect("there is a plan").unmatched
    };
    assert_eq!(unmatched(&["honest", "typo"], &["ty*"]), ["--only 'typo'", "--skip 'ty*'"]);
    assert_eq!(unmatched(&["*/rows=7,*", "rival"], &[]), ["--only '*/rows=7,*'"]);
    let none: [&str; 0] = [];
    assert_eq!(unmatched(&["hon*"], &["riv*"]), none);
}

#[test]
fn an_empty_selection_is_an_error() {
    let only = vec!["cuda*".to_owned()];
    let message = error(&Selection { only, ..Selection::default() });
    assert_eq!(
        message,
        "the selection is empty: suite `test` has 32 cases, none of which matches --only 'cuda*' \
         -d cpu"
    );
}

#[test]
fn a_mistake_in_a_suite_is_named_with_its_line() {
    let check = |entry: &str, expected: &str| {
        let suite = format!("about = \"x\"\n[[entry]]\n{entry}\n");
        let error = plan_on(&suite, cpu(), &Selection::default()).expect_err("it is a mistake");
        assert_eq!(error.to_string(), expected);
    };
    check(
        "family = \"gem\"\nshapes = \"smoke\"",
        "test.toml:3: unknown family `gem`; known: sum_of_squares",
    );
    check(
        "family = \"sum_of_squares\"\nshapes = \"huge\"",
        "test.toml:4: shapes: sum_of_squares/shapes.toml has no list `huge`; its lists: smoke",
    );
    check(
        "family = \"sum_of_squares\"\nshapes = [{ rows = 0 }]",
        "test.toml:3: family `sum_of_squares`: axis `rows` takes a whole number of at least 1, \
         not `0`",
    );
    check(
        "family = \"sum_of_squares\"\nshapes = [{ rows = 1, m = 2 }]",
        "test.toml:3: family `sum_of_squares`: no axis `m`; axes: rows, columns",
    );
    check(
        "family = \"sum_of_squares\"\nshapes = [{ rows = 1 }]\ndtype = \"bf16\"",
        "test.toml:3: family `sum_of_squares` has no dtype `bf16`; its dtypes: f32",
    );
}

#[test]
fn what_does_not_fit_is_planned_as_too_large() {
    let small = Info { memory: Bytes(10_000), ..cpu() };
    let plan = plan_on(SUITE, small, &honest()).expect("there is a plan");
    let status: Vec<_> = plan.cases().map(|planned| planned.status.clone()).collect();
    assert_eq!(status[0], Status::Ready);
    assert!(matches!(status[2], Status::TooLarge { available: Bytes(10_000), .. }));
    let axes = vec![AxisValues::parse("rows=18446744073709551615").expect("it is an axis")];
    let plan = plan_on(SUITE, cpu(), &Selection { axes, ..honest() }).expect("there is a plan");
    assert!(plan.cases().all(|planned| matches!(planned.status, Status::TooLarge { .. })));
}

/// Device code for this architecture and an odd number of rows.
const fn for_arch(
    name: &'static str,
    supports: fn(&Problem, &Info) -> Result<(), String>,
) -> Implementation {
    let code = Code::Steps(|_, _| unreachable!("a plan asks for no steps"));
    Implementation { name, idea: "a test", standing: Standing::Candidate, supports, code }
}

fn needs(vendor: Vendor, arch: &str, problem: &Problem, info: &Info) -> Result<(), String> {
    if info.vendor != vendor || info.arch != arch {
        return Err(format!("needs {arch}, and {} is {}", info.name, info.arch));
    }
    let odd = problem.shape.integer("rows") % 2 == 1;
    if odd { Ok(()) } else { Err("takes an odd number of rows".to_owned()) }
}

static GFX942: Implementation = for_arch("gfx942", |p, i| needs(Vendor::Amd, "gfx942", p, i));
static GFX950: Implementation = for_arch("gfx950", |p, i| needs(Vendor::Amd, "gfx950", p, i));
static SM90: Implementation = for_arch("sm90", |p, i| needs(Vendor::Nvidia, "sm_90a", p, i));
static FOR_GPUS: [(&str, &Implementation); 3] =
    [("sum_of_squares", &GFX942), ("sum_of_squares", &GFX950), ("sum_of_squares", &SM90)];

#[test]
fn code_for_other_gpus_is_no_case_and_is_named_once() {
    let catalog = Catalog { rivals: &FOR_GPUS, ..CATALOG };
    let suite = Suite::parse("test.toml", SUITE).expect("the suite can be read");
    let device = Info { name: "hip:0".into(), vendor: Vendor::Amd, arch: "gfx942".into(), ..cpu() };
    let make = |only: &[&str]| {
        let axes = vec![AxisValues::parse("rows=[5,6]").expect("it is an axis")];
        let only = only.iter().map(|glob| (*glob).to_owned()).collect();
        let selection = Selection { axes, only, ..Selection::default() };
        Plan::make(&suite, &catalog, std::slice::from_ref(&device), &selection)
    };
    let plan = make(&[]).expect("there is a plan");
    let found: Vec<_> =
        plan.cases().map(|p| (p.case.implementation.as_str(), p.status.clone())).collect();
    let refused = Status::Unsupported("takes an odd number of rows".to_owned());
    assert_eq!(found, [("gfx942", Status::Ready), ("gfx942", refused)]);
    let left_out: Vec<&str> = plan.left_out["hip:0"].iter().map(String::as_str).collect();
    assert_eq!((plan.left_out.len(), left_out), (1, vec!["gfx950", "sm90"]));
    assert_eq!(make(&["gfx942", "sm*"]).expect("there is a plan").left_out["hip:0"].len(), 1);
    assert!(make(&["sm*"]).is_err_and(|error| error.to_string().contains("is empty")));
}
