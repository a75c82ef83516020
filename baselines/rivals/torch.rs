//! PyTorch, in a Python that is embedded in the worker: it shares our device context, gets our tensors
//! without a copy and launches on our stream, so that the very same events time it.
//!
//! What is asked of torch stands in the Python files of the folder `torch`. Finding and starting
//! Python waits until a problem is planned: to say what is supported must cost nothing.

use super::blas::scales_only_8_bits;
use super::cuda::only_nvidia;
use super::python::{Installation, Interpreter, Object, interpreter};
use serde_json::{Map, Value as Json, json};
use std::ffi::CStr;
use std::sync::OnceLock;
use tilemark_core::device::Vendor;
use tilemark_core::family::{Candidate, Code, Enqueue, Site, Standing};
use tilemark_core::{Bytes, Dtype, Fault, Implementation, Info, Problem, Value};

/// torch.mm and torch._scaled_mm.
pub static GEMM: Implementation = Implementation {
    name: "torch",
    idea: "torch.mm into our C, sums in f32; e4m3 by torch._scaled_mm with fast sums",
    standing: Standing::Rival,
    supports: supports_gemm,
    code: Code::Library(|site| plan(site, c"tilemark_gemm", c"plan")),
};

/// Real transforms in f32.
pub static FFTCONV: Implementation = Implementation {
    name: "torch",
    idea: "torch.fft.rfft, a product with the spectrum and irfft in f32, conversions included",
    standing: Standing::Rival,
    supports: supports_fftconv,
    code: Code::Library(|site| plan(site, c"tilemark_fftconv", c"plan")),
};

/// The same differentiated.
pub static FFTCONV_BACKWARD: Implementation = Implementation {
    name: "torch",
    idea: "torch.autograd.grad of rfft, a product with the spectrum and irfft in f32, given what the forward pass kept",
    standing: Standing::Rival,
    supports: |_, info| only_gpu(info),
    code: Code::Library(|site| plan(site, c"tilemark_fftconv_backward", c"plan")),
};

/// The layer in the library's functions, and the same compiled.
pub static MONARCH_MIXER: Implementation = Implementation {
    name: "torch",
    idea: "the quicker of the layer in torch's functions, transforms in f32, and the same under torch.compile",
    standing: Standing::Rival,
    supports: |_, info| only_gpu(info),
    code: Code::Library(|site| plan(site, c"tilemark_monarch_mixer", c"plan")),
};

/// The library's function, and the same compiled.
pub static RMSNORM: Implementation = Implementation {
    name: "torch",
    idea: "the quicker of torch.nn.functional.rms_norm and the same under torch.compile",
    standing: Standing::Rival,
    supports: |_, info| only_gpu(info),
    code: Code::Library(|site| plan(site, c"tilemark_rmsnorm", c"plan")),
};

/// The operator behind the library's function, and the formula compiled.
pub static RMSNORM_BACKWARD: Implementation = Implementation {
    name: "torch",
    idea: "the quicker of torch's fused backward operator, given the rows' scales, and the formula under torch.compile",
    standing: Standing::Rival,
    supports: |_, info| only_gpu(info),
    code: Code::Library(|site| plan(site, c"tilemark_rmsnorm_backward", c"plan")),
};

/// The cuDNN back end of torch's attention.
pub static CUDNN: Implementation = Implementation {
    name: "torch_cudnn",
    idea: "torch's cuDNN back end by its own operator, log-sum-exp included; its copy to our tensors is not timed",
    standing: Standing::Rival,
    supports: supports_cudnn,
    code: Code::Library(|site| plan(site, c"tilemark_attention", c"plan_cudnn")),
};

/// The FlashAttention back end of torch's attention.
pub static FLASH: Implementation = Implementation {
    name: "torch_flash",
    idea: "torch's FlashAttention-2 back end by its own operator, log-sum-exp included; its copy to our tensors is not timed",
    standing: Standing::Rival,
    supports: supports_flash,
    code: Code::Library(|site| plan(site, c"tilemark_attention", c"plan_flash")),
};

/// The gradients by the cuDNN back end.
pub static CUDNN_BACKWARD: Implementation = Implementation {
    name: "torch_cudnn",
    idea: "torch's cuDNN back end by its own operator; the copy of the gradients to our tensors is not timed",
    standing: Standing::Rival,
    supports: supports_cudnn,
    code: Code::Library(|site| plan(site, c"tilemark_attention_backward", c"plan_cudnn")),
};

/// The gradients by the FlashAttention back end.
pub static FLASH_BACKWARD: Implementation = Implementation {
    name: "torch_flash",
    idea: "torch's FlashAttention-2 back end by its own operator; the copy of the gradients to our tensors is not timed",
    standing: Standing::Rival,
    supports: supports_flash_backward,
    code: Code::Library(|site| plan(site, c"tilemark_attention_backward", c"plan_flash")),
};

/// A dense kernel with a mask that is added to its scores.
pub static MASKED: Implementation = Implementation {
    name: "torch_masked",
    idea: "the quicker of torch's memory-efficient and cuDNN back ends with the mask added to the scores, made beforehand",
    standing: Standing::Rival,
    supports: supports_blocks,
    code: Code::Library(|site| plan(site, c"tilemark_block_sparse_attention", c"plan_masked")),
};

/// torch's own block-sparse attention.
pub static FLEX: Implementation = Implementation {
    name: "torch_flex",
    idea: "FlexAttention under torch.compile with its block mask, made beforehand",
    standing: Standing::Rival,
    supports: supports_blocks,
    code: Code::Library(|site| plan(site, c"tilemark_block_sparse_attention", c"plan_flex")),
};

/// The gradients by a dense kernel with a mask that is added to its scores.
pub static MASKED_BACKWARD: Implementation = Implementation {
    name: "torch_masked",
    idea: "the quicker of torch's memory-efficient and cuDNN back ends, backward, with the mask added to the scores, made beforehand",
    standing: Standing::Rival,
    supports: supports_blocks,
    code: Code::Library(|site| {
        plan(site, c"tilemark_block_sparse_attention_backward", c"plan_masked")
    }),
};

/// The gradients by torch's own block-sparse attention.
pub static FLEX_BACKWARD: Implementation = Implementation {
    name: "torch_flex",
    idea: "the backward pass of FlexAttention under torch.compile with its block mask, made beforehand",
    standing: Standing::Rival,
    supports: supports_blocks,
    code: Code::Library(|site| {
        plan(site, c"tilemark_block_sparse_attention_backward", c"plan_flex")
    }),
};

/// A fused kernel over keys that are repeated for each sequence.
pub static REPEATED: Implementation = Implementation {
    name: "torch_repeated",
    idea: "the quicker of torch's cuDNN and FlashAttention-2 back ends over the cache with the prefix repeated beforehand",
    standing: Standing::Rival,
    supports: supports_prefix,
    code: Code::Library(|site| plan(site, c"tilemark_shared_prefix_attention", c"plan_repeated")),
};

/// Hydragen's recipe in torch's operators.
pub static TWO_CALLS: Implementation = Implementation {
    name: "torch_hydragen",
    idea: "torch's FlashAttention-2 back end over the prefix and over own keys, merged by LSE in f32",
    standing: Standing::Rival,
    supports: supports_two_calls,
    code: Code::Library(|site| plan(site, c"tilemark_shared_prefix_attention", c"plan_two_calls")),
};

/// The files, each after those that it imports.
const MODULES: [(&CStr, &CStr, &str); 12] = [
    (c"tilemark_site", c"rivals/torch/site.py", include_str!("torch/site.py")),
    (c"tilemark_gemm", c"rivals/torch/gemm.py", include_str!("torch/gemm.py")),
    (c"tilemark_attention", c"rivals/torch/attention.py", include_str!("torch/attention.py")),
    (
        c"tilemark_attention_backward",
        c"rivals/torch/attention_backward.py",
        include_str!("torch/attention_backward.py"),
    ),
    (
        c"tilemark_block_sparse_attention",
        c"rivals/torch/block_sparse_attention.py",
        include_str!("torch/block_sparse_attention.py"),
    ),
    (
        c"tilemark_block_sparse_attention_backward",
        c"rivals/torch/block_sparse_attention_backward.py",
        include_str!("torch/block_sparse_attention_backward.py"),
    ),
    (
        c"tilemark_shared_prefix_attention",
        c"rivals/torch/shared_prefix_attention.py",
        include_str!("torch/shared_prefix_attention.py"),
    ),
    (c"tilemark_fftconv", c"rivals/torch/fftconv.py", include_str!("torch/fftconv.py")),
    (
        c"tilemark_fftconv_backward",
        c"rivals/torch/fftconv_backward.py",
        include_str!("torch/fftconv_backward.py"),
    ),
    (
        c"tilemark_monarch_mixer",
        c"rivals/torch/monarch_mixer.py",
        include_str!("torch/monarch_mixer.py"),
    ),
    (c"tilemark_rmsnorm", c"rivals/torch/rmsnorm.py", include_str!("torch/rmsnorm.py")),
    (
        c"tilemark_rmsnorm_backward",
        c"rivals/torch/rmsnorm_backward.py",
        include_str!("torch/rmsnorm_backward.py"),
    ),
];

/// Versions of torch and of the libraries in its company, where there are any.
pub fn versions() -> Vec<(String, String)> {
    Installation::find().map(|found| found.packages).unwrap_or_default()
}

/// torch calls every vendor's GPU `cuda`, and takes its kernels from CK and AOTriton on AMD's.
fn only_gpu(info: &Info) -> Result<(), String> {
    if matches!(info.vendor, Vendor::Nvidia | Vendor::Amd) {
        return Ok(());
    }
    Err(format!("torch is met on GPUs, and {} is none", info.name))
}

/// A filter in time has its transform inside the call, as torch's users write it.
fn supports_fftconv(problem: &Problem, info: &Info) -> Result<(), String> {
    only_gpu(info)?;
    if problem.shape.get("kept").is_some() {
        return Err("torch.fft has no transform that leaves frequencies out".to_owned());
    }
    Ok(())
}

fn supports_gemm(problem: &Problem, info: &Info) -> Result<(), String> {
    only_gpu(info)?;
    scales_only_8_bits(problem)?;
    if problem.dtype != Dtype::E4m3 {
        return Ok(());
    }
    if problem.shape.word("layout") != "nt" {
        return Err("torch._scaled_mm takes B in layout nt only".to_owned());
    }
    match ["n", "k"].into_iter().find(|axis| !problem.shape.integer(axis).is_multiple_of(16)) {
        Some(axis) => Err(format!("torch._scaled_mm takes multiples of 16 as {axis}")),
        None => Ok(()),
    }
}

fn supports_cudnn(problem: &Problem, info: &Info) -> Result<(), String> {
    only_nvidia(info)?;
    supports_attention(problem)?;
    let [n, nk] = ["n", "nk"].map(|axis| problem.shape.integer(axis));
    if problem.shape.flag("causal") && n != nk {
        return Err(
            "torch aligns cuDNN's causal mask at the first key, ours at the last".to_owned()
        );
    }
    Ok(())
}

fn supports_flash_backward(problem: &Problem, info: &Info) -> Result<(), String> {
    only_gpu(info)?;
    supports_attention(problem)
}

fn supports_flash(problem: &Problem, info: &Info) -> Result<(), String> {
    supports_flash_backward(problem, info)?;
    let [n, nk] = ["n", "nk"].map(|axis| problem.shape.integer(axis));
    if problem.shape.flag("causal") && nk < n {
        return Err("the log-sum-exp of a query without keys is +∞ there, −∞ here".to_owned());
    }
    Ok(())
}

fn supports_blocks(problem: &Problem, info: &Info) -> Result<(), String> {
    only_gpu(info)?;
    supports_attention(problem)?;
    if problem.shape.word("mask") == "block_previous" {
        return Err("torch gives NaN to a query that sees no key".to_owned());
    }
    Ok(())
}

fn supports_prefix(problem: &Problem, info: &Info) -> Result<(), String> {
    only_gpu(info)?;
    supports_attention(problem)?;
    if problem.shape.flag("ragged") {
        return Err("torch's dense attention has one number of keys for all sequences".to_owned());
    }
    Ok(())
}

fn supports_two_calls(problem: &Problem, info: &Info) -> Result<(), String> {
    supports_prefix(problem, info)?;
    if problem.shape.integer("m") > 0 {
        return Err("two calls share one level, and there is a second".to_owned());
    }
    Ok(())
}

/// What both back ends of torch's attention leave to the one that stores its scores.
pub(super) fn supports_attention(problem: &Problem) -> Result<(), String> {
    if !matches!(problem.dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(format!("torch's fused attention takes bf16 and f16, not {}", problem.dtype));
    }
    let d = problem.shape.integer("d");
    if !d.is_multiple_of(8) || d > 256 {
        return Err(format!("the operator takes heads of a multiple of 8 up to 256, not {d}"));
    }
    Ok(())
}

/// The candidates that a function of a Python file lists for a problem.
fn plan(site: &Site<'_>, module: &CStr, function: &CStr) -> Result<Vec<Candidate>, Fault> {
    candidates(ready()?, site, module, function)
}

/// The interpreter, with torch and the files.
pub(super) fn ready() -> Result<&'static Interpreter, Fault> {
    let interpreter = interpreter()?;
    if !interpreter.installation.has_torch {
        let reason = format!(
            "{} has no torch\nhint: name an interpreter that has in TILEMARK_PYTHON",
            interpreter.installation.executable
        );
        return Err(Fault::Unsupported { reason });
    }
    load(interpreter)?;
    Ok(interpreter)
}

pub(super) fn candidates(
    interpreter: &'static Interpreter,
    site: &Site<'_>,
    module: &CStr,
    function: &CStr,
) -> Result<Vec<Candidate>, Fault> {
    let planner = interpreter.import(module)?.attribute(function)?;
    let listed = planner.call(&[&describe(site)]).map_err(recognised)?;
    listed.items()?.iter().map(candidate).collect()
}

/// Runs the files; once, whatever comes of it.
fn load(interpreter: &Interpreter) -> Result<(), Fault> {
    static LOADED: OnceLock<Result<(), Fault>> = OnceLock::new();
    let load = || {
        MODULES
            .iter()
            .try_for_each(|(name, file, text)| interpreter.module(name, file, text).map(drop))
    };
    LOADED.get_or_init(load).clone()
}

/// The candidate of one (name, enqueue, publish).
fn candidate(listed: &Object<'static>) -> Result<Candidate, Fault> {
    let mut parts = listed.items()?.into_iter();
    let mut next = || parts.next().ok_or(Fault::Infra { message: "no triple".to_owned() });
    let (name, enqueue, publish) = (next()?.text()?, next()?, next()?);
    let calling =
        |function: Object<'static>| -> Enqueue { Box::new(move || function.call(&[]).map(drop)) };
    let publish = publish.is_true().then(|| calling(publish));
    Ok(Candidate { name, enqueue: calling(enqueue), launches: Candidate::A_HANDFUL, publish })
}

/// What torch says when memory runs out is a fault of its own kind, with figures.
fn recognised(fault: Fault) -> Fault {
    let message = match &fault {
        Fault::Crash { message } if message.starts_with("OutOfMemoryError: ") => message,
        _ => return fault,
    };
    let after = |words| amount(message.split_once(words)?.1);
    match (after("Tried to allocate "), after("of which ")) {
        (Some(requested), Some(available)) => Fault::OutOfMemory { requested, available },
        _ => fault,
    }
}

/// The amount at the start of a text, as `20.00 GiB`.
fn amount(text: &str) -> Option<Bytes> {
    let mut words = text.split([' ', ',']);
    let number: f64 = words.next()?.parse().ok()?;
    let unit = match words.next()?.trim_end_matches('.') {
        "bytes" => 1u64,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some(Bytes((number * unit as f64) as u64))
}

/// torch's own name of a device.
fn torch_device(info: &Info) -> String {
    match info.name.split_once(':') {
        Some((_, number)) if !info.vendor.runs_host_code() => format!("cuda:{number}"),
        _ => "cpu".to_owned(),
    }
}

/// The site in words that Python reads.
fn describe(site: &Site<'_>) -> String {
    let value = |value: &Value| match value {
        Value::Integer(number) => json!(number),
        Value::Flag(flag) => json!(flag),
        Value::Word(word) => json!(word),
    };
    let shape: Map<String, Json> =
        site.problem.shape.iter().map(|(axis, at)| (axis.to_owned(), value(at))).collect();
    json!({
        "problem": site.problem,
        "shape": shape,
        "device": torch_device(site.info),
        "stream": site.stream,
        "addresses": site.addresses,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Fault) {
        assert_eq!(recognised(Fault::Crash { message: message.to_owned() }), expected);
    }

    #[test]
    fn memory_that_runs_out_in_torch_is_told_from_a_crash() {
        check(
            "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.50 GiB. GPU 0 has a total \
             capacity of 139.81 GiB of which 512.00 MiB is free.",
            Fault::OutOfMemory { requested: Bytes(41 << 29), available: Bytes(512 << 20) },
        );
        for message in
            ["RuntimeError: Tried to allocate 1 GiB of which 2 GiB", "OutOfMemoryError: ?"]
        {
            check(message, Fault::Crash { message: message.to_owned() });
        }
    }

    #[test]
    fn torch_calls_every_gpu_cuda() {
        let mut info = Info {
            name: "hip:1".to_owned(),
            vendor: Vendor::Amd,
            model: String::new(),
            arch: "gfx942".to_owned(),
            uuid: None,
            memory: Bytes(0),
            last_level_cache: Bytes(0),
            units: 304,
            driver: None,
            runtime: None,
            traits: Vec::new(),
        };
        assert_eq!(torch_device(&info), "cuda:1");
        (info.name, info.vendor) = ("cpu:0".to_owned(), Vendor::Cpu);
        assert_eq!(torch_device(&info), "cpu");
    }
}
