//! What a run ran on and how its numbers were made, in words.
//!
//! Knows no format. Every setting of the method is said, since each changes what a time means.

use tilemark_core::method::{Cache, Method, Regime};
use tilemark_core::record::{Ceilings, Environment};
use tilemark_core::units::{ByteRate, FlopRate, percent};
use tilemark_core::{Info, Seconds};

/// Names and values that tell a reader what a device and its host are.
pub(crate) fn environment(environment: &Environment) -> Vec<(String, String)> {
    let mut facts = device(&environment.device);
    let host = &environment.host;
    facts.push(named("host", format!("{}, {}, kernel {}", host.name, host.os, host.kernel)));
    let cores = host.cores;
    facts.push(named("host processor", format!("{}, {cores} cores, {}", host.cpu, host.memory)));
    if !environment.libraries.is_empty() {
        let libraries: Vec<_> = environment
            .libraries
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        facts.push(named("libraries", libraries.join(", ")));
    }
    let ceilings = environment.ceilings.as_ref().map_or("not measured".to_owned(), ceilings_text);
    facts.push(named("measured ceilings", ceilings));
    facts
}

/// How numbers are made, one sentence a step.
pub(crate) fn method(method: &Method) -> Vec<String> {
    vec![
        settling(method),
        caching(method),
        turns(method),
        format!(
            "A turn ends once it has {} samples, {} of kernel time and a median known to ±{} \
             (95 % interval), or once more samples no longer change the noise; at the latest after \
             {} or {} samples.",
            method.min_samples,
            Seconds(method.min_time_s),
            percent(method.precision),
            Seconds(method.max_time_s),
            method.max_samples
        ),
        "A time is the median over rounds of each round's median, with its 95 % interval from the \
         rounds' order statistics."
            .to_owned(),
        "A ratio is the median over rounds of the ratio within a round; outputs are checked \
         against a reference in f64 before and after the timing."
            .to_owned(),
    ]
}

fn turns(method: &Method) -> String {
    let mut text = format!(
        "{} rounds: in each, all implementations of a problem take one turn, in random order.",
        method.rounds
    );
    if method.blocks > 1 {
        let most = method.rounds * method.blocks;
        text.push_str(&format!(
            " Where they leave open how ours stands to the quickest rival, candidates and rivals \
             take as many again, up to {most} in all."
        ));
    }
    if method.fresh_workers_s > 0.0 {
        text.push_str(&format!(
            " On a host a case goes on in a new process before each of its later rounds, as long as \
             the harness takes less than {} for it.",
            Seconds(method.fresh_workers_s)
        ));
    }
    text
}

fn settling(method: &Method) -> String {
    match method.regime {
        Regime::Settled => format!(
            "Settled: each implementation runs until clock and time are flat over windows of {}, \
             for at most {}, before its samples count.",
            Seconds(method.settle_window_s),
            Seconds(method.settle_max_s)
        ),
        Regime::Burst => "Burst: samples start on a cool device, as a short burst of work would \
                          (no settling phase)."
            .to_owned(),
    }
}

fn caching(method: &Method) -> String {
    match method.cache {
        Cache::Cold => "Cold: the last-level cache is flushed before every launch, and a sample \
                        is one launch."
            .to_owned(),
        Cache::Hot => format!(
            "Hot: caches stay as the launch before left them; launches are batched until a sample \
             lasts {} or more.",
            Seconds(method.min_sample_s)
        ),
    }
}

fn device(info: &Info) -> Vec<(String, String)> {
    let mut facts = vec![
        named("model", format!("{} ({})", info.model, info.arch)),
        named("memory", format!("{}, last-level cache {}", info.memory, info.last_level_cache)),
        named("units", info.units.to_string()),
    ];
    let optional = [("uuid", &info.uuid), ("driver", &info.driver), ("runtime", &info.runtime)];
    for (name, value) in optional {
        if let Some(value) = value {
            facts.push(named(name, value.clone()));
        }
    }
    facts.extend(info.traits.iter().cloned());
    facts
}

fn ceilings_text(ceilings: &Ceilings) -> String {
    let mut text = format!("copy {}", ByteRate(ceilings.copy_bytes_per_second));
    for (dtype, rate) in &ceilings.flops_per_second {
        text.push_str(&format!(", {dtype} {}", FlopRate(*rate)));
    }
    format!("{text} ({})", ceilings.how)
}

fn named(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}
