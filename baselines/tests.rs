//! Every rival on a host passes the same gate as our implementations; those on a GPU are checked
//! where one is, by `tilemark verify`.

use crate::RIVALS;
use crate::testing::{Trial, check_agrees};
use tilemark_core::device::Vendor;
use tilemark_core::family::{Code, Site};
use tilemark_core::{Bytes, Dtype, Fault, Implementation, Info};
use tilemark_kernels::FAMILIES;

fn check(family: &str, shapes: &[&str]) {
    let truth = FAMILIES.iter().find(|f| f.about().name == family).expect("rivals name a family");
    let on_host = |rival: &Implementation| matches!(rival.code, Code::Host(_));
    let rivals: Vec<_> =
        RIVALS.iter().filter(|(name, rival)| *name == family && on_host(rival)).collect();
    assert!(!rivals.is_empty(), "no rival of {family} on a host");
    for (_, rival) in rivals {
        check_agrees(*truth, rival, shapes);
    }
}

#[test]
fn gemm_agrees_with_the_truth() {
    check(
        "gemm",
        &[
            "m=1,n=1,k=1",
            "m=17,n=65,k=127",
            "m=17,n=65,k=127,layout=nt",
            "m=49,n=1,k=257",
            "m=5,n=7,k=3000",
        ],
    );
}

#[test]
fn attention_agrees_with_the_truth() {
    check(
        "attention",
        &[
            "b=1,h=1,n=1,d=1",
            "b=1,h=4,hk=2,n=33,nk=65,d=72",
            "b=2,h=2,hk=1,n=19,nk=67,d=40,causal=true",
            "b=1,h=1,n=67,nk=19,d=16,causal=true",
        ],
    );
}

#[test]
fn fftconv_agrees_with_the_truth() {
    check(
        "fftconv",
        &[
            "b=1,h=1,n=256,l=1",
            "b=3,h=2,n=512,l=257,gated=true",
            "b=2,h=3,n=1024,l=512",
            "b=2,h=1,n=2048",
            "b=2,h=2,n=512,kept=4",
            "b=3,h=2,n=512,l=300,taps=100,gated=true",
        ],
    );
}

#[test]
fn every_rival_is_of_a_family() {
    for (family, rival) in RIVALS {
        assert!(FAMILIES.iter().any(|f| f.about().name == *family), "{family}: {}", rival.name);
    }
}

#[test]
fn a_library_that_is_not_here_is_said_and_never_a_panic() {
    for (vendor, device, arch) in
        [(Vendor::Nvidia, "cuda:0", "sm_90a"), (Vendor::Amd, "hip:0", "gfx942")]
    {
        let present = crate::libraries(vendor);
        if !present.is_empty() {
            eprintln!("skipped: there are {present:?}");
            continue;
        }
        let info = Info {
            name: device.to_owned(),
            vendor,
            model: String::new(),
            arch: arch.to_owned(),
            uuid: None,
            memory: Bytes(0),
            last_level_cache: Bytes(0),
            units: 132,
            driver: None,
            runtime: None,
            traits: Vec::new(),
        };
        let asked =
            RIVALS.iter().filter(|(family, rival)| is_said_to_be_missing(family, rival, &info));
        assert!(asked.count() >= 5, "too few rivals of {device} were asked");
    }
}

/// Plans a problem that the rival supports on the device, without its library; false if the rival
/// is none for the device.
fn is_said_to_be_missing(family: &str, rival: &Implementation, info: &Info) -> bool {
    let Code::Library(plan) = rival.code else { return false };
    let truth = FAMILIES.iter().find(|f| f.about().name == family).expect("rivals name a family");
    let shape = match family {
        "gemm" => "m=8,n=8,k=8",
        "block_sparse_attention" | "block_sparse_attention_bwd" => "b=1,h=1,schedule=to4",
        "fftconv" | "fftconv_bwd" => "b=1,h=1,n=256",
        "monarch_mixer" => "b=1,l=8,d=8",
        "rmsnorm" | "rmsnorm_bwd" => "rows=8,hidden=8",
        "shared_prefix_attention" => "b=1,h=1,p=8,u=8,d=8",
        _ => "b=1,h=1,n=8,d=8",
    };
    let problem = Trial::new(*truth, shape, Dtype::Bf16).problem;
    if let Err(reason) = (rival.supports)(&problem, info) {
        assert!(reason.contains(&info.name), "{}: {reason}", rival.name);
        return false;
    }
    let site = Site { problem: &problem, info, stream: 0, addresses: &[0; 9] };
    match plan(&site).err() {
        Some(Fault::Unsupported { reason }) => {
            assert!(reason.contains("hint: "), "{}: {reason}", rival.name);
        }
        other => panic!("{}: {other:?}", rival.name),
    }
    true
}
