//! The verbs of Tilemark. Families and devices are arguments: nothing here knows one by name.
//!
//! `suite → plan → cases →| worker process |→ records → store → compare`

pub mod axis;
pub mod catalog;
pub mod plan;
pub mod programs;
pub mod suite;

pub mod compile;
pub mod device;
pub mod measure;
pub mod tensors;
pub mod validate;

pub mod run;
pub mod tune;
pub mod worker;

pub mod compare;
pub mod host;
pub mod store;
pub mod summarise;

use tilemark_core::method::Method;

/// The method's id: a hash of all its settings.
pub fn method_id(method: &Method) -> String {
    let text = serde_json::to_string(method).expect("a method is plain data");
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tilemark_core::method::{Cache, Launching, Regime};

    #[test]
    fn every_setting_of_a_method_changes_its_id() {
        let standard = Method::standard;
        let methods = [
            standard(),
            Method { regime: Regime::Burst, ..standard() },
            Method { cache: Cache::Hot, ..standard() },
            Method { launching: Launching::Graph, ..standard() },
            Method { rounds: 8, ..standard() },
            Method { blocks: 2, ..standard() },
            Method { fresh_workers_s: 0.0, ..standard() },
            Method { min_samples: 21, ..standard() },
            Method { max_samples: 9_999, ..standard() },
            Method { min_time_s: 0.4, ..standard() },
            Method { max_time_s: 14.0, ..standard() },
            Method { precision: 0.004, ..standard() },
            Method { settle_window_s: 0.2, ..standard() },
            Method { settle_max_s: 2.0, ..standard() },
            Method { min_sample_s: 100e-6, ..standard() },
        ];
        let ids: HashSet<String> = methods.iter().map(method_id).collect();
        assert_eq!(ids.len(), methods.len());
        assert_eq!(method_id(&standard()), method_id(&standard()));
    }
}
