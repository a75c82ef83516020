//! What holds for every plan of every implementation that is device code, on its family's standard
//! shapes: a device would accept each launch, and each source would accept its arguments.
//!
//! It knows the limits of devices and how a kernel's signature is written, and no family.

use crate::FAMILIES;
use crate::testing::{device, problem};
use crate::tests::shapes;
use crate::tile::SM90_SHARED_BYTES;
use std::collections::HashSet;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Body, Code};
use tilemark_core::launch::{
    ARGUMENT_BYTES, Argument, L2Promotion, Launch, Plan, Source, Step, Swizzle, TensorMap,
};
use tilemark_core::{Dtype, Info, Problem, Tensor};

#[test]
fn every_launch_is_one_that_a_device_accepts() {
    let mut checked = 0;
    for_each_plan(|problem, tensors, name, plan| {
        let sizes: Vec<u64> =
            tensors.iter().map(|t| t.bytes().0).chain(plan.scratch.iter().map(|b| b.0)).collect();
        for launch in launches(plan) {
            let found = check_launch(launch, &sizes);
            assert_eq!(found, Ok(()), "{} `{name}` {}", problem.id(), launch.entry);
            checked += 1;
        }
    });
    assert!(checked > 500, "only {checked} launches");
}

#[test]
fn every_kernel_gets_the_arguments_of_its_signature() {
    let mut seen = HashSet::new();
    for_each_plan(|problem, _, name, plan| {
        for launch in launches(plan) {
            seen.insert(launch.entry);
            let wanted = parameters(launch.source, launch.entry);
            let given: Vec<Kind> = launch.arguments.iter().map(Kind::of).collect();
            assert!(
                wanted.len() == given.len()
                    && wanted.iter().zip(&given).all(|(wanted, given)| wanted.takes(*given)),
                "{} `{name}` {}: {given:?} for {wanted:?}",
                problem.id(),
                launch.entry
            );
        }
    });
    assert!(seen.len() > 4, "only {seen:?}");
}

#[test]
fn every_constant_is_a_macro_of_its_source() {
    for_each_plan(|problem, _, name, plan| {
        for Launch { source, constants, .. } in launches(plan) {
            for (constant, _) in constants {
                let guard = format!("#ifndef {constant}\n");
                let texts = source.headers.iter().map(|h| h.text).chain([source.text]);
                let found = texts.into_iter().any(|text| text.contains(&guard));
                assert!(found, "{} `{name}`: {} has no {constant}", problem.id(), source.path);
            }
        }
    });
}

#[test]
fn every_include_is_among_the_headers() {
    for_each_plan(|_, _, _, plan| {
        for Launch { source, .. } in launches(plan) {
            let texts = source.headers.iter().map(|h| h.text).chain([source.text]);
            // The other vendor's header need not be there.
            let includes = texts.flat_map(str::lines).filter_map(|line| {
                line.strip_prefix("#include \"")?.strip_suffix('"').filter(|n| !n.contains("hip"))
            });
            for name in includes {
                let known = source.headers.iter().any(|header| header.name == name);
                assert!(known, "{} includes {name}", source.path);
            }
        }
    });
}

#[test]
fn a_device_that_lacks_what_a_kernel_needs_is_told_so() {
    for family in FAMILIES {
        for implementation in family.implementations() {
            let Code::Steps(_) = implementation.code else { continue };
            let (shape, dtypes) = shapes(*family, "smoke").swap_remove(0);
            for dtype in dtypes {
                let problem = problem(*family, &shape.to_string(), dtype);
                let reason = (implementation.supports)(&problem, &device(Vendor::Cpu, "x86_64"));
                assert!(reason.is_err(), "`{}` on a CPU", implementation.name);
                if implementation.name.starts_with("sm90") {
                    let older =
                        (implementation.supports)(&problem, &device(Vendor::Nvidia, "sm_89"));
                    let name = implementation.name;
                    assert!(older.is_err_and(|why| why.contains("sm_90")), "`{name}` on sm_89");
                }
            }
        }
    }
}

#[test]
fn the_checks_find_what_is_wrong() {
    let map = TensorMap {
        tensor: 0,
        dtype: Dtype::Bf16,
        dims: vec![64, 8],
        strides_bytes: vec![128],
        box_dims: vec![64, 8],
        swizzle: Swizzle::B128,
        l2_promotion: L2Promotion::B256,
    };
    assert_eq!(check_map(&map, 1024), Ok(()));
    let broken = |change: fn(&mut TensorMap)| {
        let mut map = map.clone();
        change(&mut map);
        check_map(&map, 1024)
    };
    assert!(broken(|map| map.strides_bytes[0] = 136).is_err());
    assert!(broken(|map| map.strides_bytes[0] = 112).is_err());
    assert!(broken(|map| map.box_dims[0] = 72).is_err());
    assert!(broken(|map| map.box_dims[1] = 257).is_err());
    assert!(broken(|map| map.dims[1] = 9).is_err());
    assert!(broken(|map| map.dims[1] = 0).is_err());
    let wanted = parameters(&SAMPLE, "sample");
    assert_eq!(wanted, [Kind::Map, Kind::Pointer, Kind::I64, Kind::I32, Kind::F32]);
    assert!(Kind::Pointer.takes(Kind::of(&crate::tile::NULL)));
    assert!(!Kind::I32.takes(Kind::of(&crate::tile::NULL)));
}

static SAMPLE: Source = Source {
    path: "sample.cu",
    text: "extern \"C\" __global__ __launch_bounds__(32)\n\
           void sample(const __grid_constant__ TensorMap map, const float* x,\n\
                       long long pitch, int n, float epsilon) {}",
    headers: &[],
};

/// What a kernel's parameter is, as far as its size and meaning go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Pointer,
    I32,
    I64,
    F32,
    Words,
    Map,
}

impl Kind {
    fn of(argument: &Argument) -> Self {
        match argument {
            Argument::Tensor { .. } => Kind::Pointer,
            Argument::I32(_) | Argument::U32(_) => Kind::I32,
            Argument::I64(_) => Kind::I64,
            Argument::F32(_) => Kind::F32,
            Argument::Words(_) => Kind::Words,
            Argument::TensorMap(_) => Kind::Map,
        }
    }

    fn named(parameter: &str) -> Self {
        match parameter {
            p if p.contains("TensorMap") => Kind::Map,
            p if p.contains("__grid_constant__") => Kind::Words,
            p if p.contains('*') => Kind::Pointer,
            p if p.contains("long long") => Kind::I64,
            p if p.contains("int ") => Kind::I32,
            p if p.contains("float ") => Kind::F32,
            p => panic!("a parameter of unknown type: {p}"),
        }
    }

    /// A null pointer is written as a 64-bit integer.
    fn takes(self, given: Kind) -> bool {
        self == given || (self == Kind::Pointer && given == Kind::I64)
    }
}

/// The parameters of a kernel, from its source.
fn parameters(source: &Source, entry: &str) -> Vec<Kind> {
    let start = source.text.find(&format!("void {entry}("));
    let start = start.unwrap_or_else(|| panic!("{} has no kernel {entry}", source.path));
    let list = &source.text[start..];
    let list = &list[list.find('(').unwrap() + 1..list.find(')').unwrap()];
    list.split(',').map(Kind::named).collect()
}

fn check_launch(launch: &Launch, sizes: &[u64]) -> Result<(), String> {
    let Launch { grid, block, cluster, dynamic_shared_bytes, arguments, .. } = launch;
    let threads: u32 = block.iter().product();
    require((1..=1024).contains(&threads) && block[2] <= 64, &format!("block {block:?}"))?;
    let within = grid[0] >= 1 && (1..=65_535).contains(&grid[1]) && (1..=65_535).contains(&grid[2]);
    require(within && grid[0] <= i32::MAX as u32, &format!("grid {grid:?}"))?;
    let blocks: u32 = cluster.iter().product();
    require((1..=8).contains(&blocks), &format!("cluster {cluster:?}"))?;
    let whole = grid.iter().zip(cluster).all(|(grid, cluster)| grid.is_multiple_of(*cluster));
    require(whole, &format!("grid {grid:?} of clusters {cluster:?}"))?;
    let shared = *dynamic_shared_bytes;
    require(shared <= SM90_SHARED_BYTES, &format!("{shared} bytes of shared memory"))?;
    for argument in arguments {
        match argument {
            Argument::Tensor { tensor, offset_bytes } => {
                let size = sizes.get(*tensor).ok_or(format!("no tensor {tensor}"))?;
                require(offset_bytes < size, &format!("offset {offset_bytes} of {size}"))?;
            }
            Argument::TensorMap(map) => {
                let size = sizes.get(map.tensor).ok_or(format!("no tensor {}", map.tensor))?;
                check_map(map, *size)?;
            }
            Argument::Words(words) => require(!words.is_empty(), "no words")?,
            _ => {}
        }
    }
    let bytes = arguments.iter().map(|argument| match argument {
        Argument::Words(words) => 4 * words.len(),
        Argument::TensorMap(_) => 128,
        _ => 8,
    });
    let bytes = bytes.sum::<usize>();
    require(bytes <= ARGUMENT_BYTES, &format!("{bytes} bytes of arguments"))
}

/// The rules of cuTensorMapEncodeTiled, and that the map ends where the tensor does.
fn check_map(map: &TensorMap, size: u64) -> Result<(), String> {
    let TensorMap { dtype, dims, strides_bytes, box_dims, swizzle, .. } = map;
    let describe = |what: &str| format!("{what} of {map:?}");
    let ranks = (2..=5).contains(&dims.len())
        && dims.len() == strides_bytes.len() + 1
        && dims.len() == box_dims.len();
    require(ranks, &describe("rank"))?;
    require(dims.iter().all(|d| (1..=1 << 32).contains(d)), &describe("extents"))?;
    require(box_dims.iter().all(|d| (1..=256).contains(d)), &describe("box"))?;
    let inner = u64::from(box_dims[0]) * dtype.size();
    let widest = match swizzle {
        Swizzle::None => u64::MAX,
        Swizzle::B32 => 32,
        Swizzle::B64 => 64,
        Swizzle::B128 => 128,
    };
    require(inner.is_multiple_of(16) && inner <= widest, &describe("inner box"))?;
    let mut below = dims[0] * dtype.size();
    for (stride, extent) in strides_bytes.iter().zip(&dims[1..]) {
        require(stride.is_multiple_of(16) && *stride < 1 << 40, &describe("stride"))?;
        require(*stride >= below, &describe("rows that overlap"))?;
        below += stride * (extent - 1);
    }
    require(below <= size, &describe(&format!("reaches {below} of {size} bytes")))
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn launches(plan: &Plan) -> impl Iterator<Item = &Launch> {
    plan.steps.iter().filter_map(Step::launch)
}

fn for_each_plan(mut check: impl FnMut(&Problem, &[Tensor], &str, &Plan)) {
    let devices = [(Vendor::Nvidia, "sm_90a"), (Vendor::Amd, "gfx942"), (Vendor::Amd, "gfx950")];
    for (vendor, arch) in devices {
        for_each_plan_on(&device(vendor, arch), &mut check);
    }
}

fn for_each_plan_on(info: &Info, check: &mut impl FnMut(&Problem, &[Tensor], &str, &Plan)) {
    for family in FAMILIES {
        for list in ["smoke", "nightly", "paper"] {
            for (shape, dtypes) in shapes(*family, list) {
                for dtype in dtypes {
                    let problem = problem(*family, &shape.to_string(), dtype);
                    let tensors = family.tensors(&problem);
                    for implementation in family.implementations() {
                        let Code::Steps(steps) = implementation.code else { continue };
                        if (implementation.supports)(&problem, info).is_ok() {
                            let plan = steps(&problem, info);
                            check(&problem, &tensors, implementation.name, &plan);
                        }
                        let tuning = family.tuning(implementation.name, &problem, info);
                        for variant in tuning.into_iter().flat_map(|tuning| tuning.variants) {
                            if let Body::Plan(plan) = variant.body {
                                check(&problem, &tensors, &variant.choice, &plan);
                            }
                        }
                    }
                }
            }
        }
    }
}
