//! Every rival passes the same gate as our implementations.

use crate::RIVALS;
use crate::testing::check_agrees;
use tilemark_kernels::FAMILIES;

fn check(family: &str, shapes: &[&str]) {
    let truth = FAMILIES.iter().find(|f| f.about().name == family).unwrap();
    let rivals: Vec<_> = RIVALS.iter().filter(|(name, _)| *name == family).collect();
    assert!(!rivals.is_empty(), "no rival of {family}");
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
fn every_rival_is_of_a_family() {
    for (family, rival) in RIVALS {
        assert!(FAMILIES.iter().any(|f| f.about().name == *family), "{family}: {}", rival.name);
    }
}
