//! A kernel ready to run: decoded code with the facts of its descriptor, and the module it comes from.

use thiserror::Error;

use crate::arch::Arch;
use crate::asm::metadata::{Descriptor, Metadata, Slot, descriptors, metadata};
use crate::asm::{Location, body, target};
use crate::exec::wait_states;
use crate::isa::decode::decode;
use crate::isa::{Instruction, Op, Traits};

#[derive(Debug, Error)]
pub enum LoadError {
    #[error(
        "the assembly names no target\n  hint: clang writes .amdgcn_target; only gfx942 and gfx950 are known"
    )]
    NoTarget,
    #[error("the assembly's target is not interpreted: {0}")]
    UnknownTarget(String),
    #[error("kernel {0} has a descriptor and no code")]
    NoBody(String),
    #[error("kernel {kernel}, line {line}: {message}: {text}")]
    Instruction { kernel: String, line: u32, text: String, message: String },
}

/// All kernels of one assembly file.
pub struct Module {
    pub arch: Arch,
    pub kernels: Vec<Kernel>,
}

pub struct Kernel {
    pub name: String,
    pub arch: Arch,
    pub code: Vec<Instruction>,
    pub locations: Vec<Location>,
    pub descriptor: Descriptor,
    /// Arguments in order, hidden ones last.
    pub slots: Vec<Slot>,
    pub max_threads: usize,
    pub vgprs: usize,
    /// Vector registers to allocate for a wave.
    pub registers: usize,
    /// For each instruction, whether no path to it can lack wait states.
    pub settled: Vec<bool>,
}

impl Module {
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let name = target(text).ok_or(LoadError::NoTarget)?;
        let arch: Arch = name.parse().map_err(LoadError::UnknownTarget)?;
        let mut described = metadata(text);
        let mut kernels = Vec::new();
        for (name, descriptor) in descriptors(text) {
            let described = described.remove(name).unwrap_or_default();
            kernels.push(Kernel::parse(text, name, arch, descriptor, described)?);
        }
        kernels.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { arch, kernels })
    }

    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }
}

impl Kernel {
    fn parse(
        text: &str,
        name: &str,
        arch: Arch,
        descriptor: Descriptor,
        described: Metadata,
    ) -> Result<Self, LoadError> {
        let body = body(text, name).ok_or_else(|| LoadError::NoBody(name.to_owned()))?;
        let mut code = Vec::with_capacity(body.statements.len());
        let mut locations = Vec::with_capacity(body.statements.len());
        for (statement, location) in body.statements {
            let decoded = decode(statement, arch, &body.labels);
            code.push(decoded.map_err(|message| LoadError::Instruction {
                kernel: name.to_owned(),
                line: location.line,
                text: location.text.clone(),
                message,
            })?);
            locations.push(location);
        }
        let ends = code.iter().flat_map(|instruction| {
            let traits = &instruction.traits;
            traits
                .vector_reads
                .iter()
                .chain(&traits.vector_writes)
                .map(|(first, count)| first + count)
        });
        // v0 holds the work item even where no instruction names it.
        let registers = ends.max().unwrap_or(0).max(1);
        let mut kernel = Self {
            name: name.to_owned(),
            arch,
            locations,
            max_threads: described.number(".max_flat_workgroup_size").unwrap_or(1024),
            vgprs: described.number(".vgpr_count").unwrap_or(usize::from(registers)),
            slots: described.slots,
            descriptor,
            registers: usize::from(registers),
            settled: Vec::new(),
            code,
        };
        kernel.settle();
        Ok(kernel)
    }

    fn settle(&mut self) {
        self.settled = wait_states::settle(&self.code, self.arch);
    }

    /// Takes one instruction out and returns it.
    pub fn delete(&mut self, index: usize) -> Instruction {
        self.replace(index, Instruction { op: Op::Deleted, traits: Traits::default() })
    }

    /// Puts another instruction in the place of one, which it returns.
    pub fn replace(&mut self, index: usize, instruction: Instruction) -> Instruction {
        let removed = std::mem::replace(&mut self.code[index], instruction);
        self.settle();
        removed
    }

    /// Bytes of the kernel argument segment, hidden arguments included.
    pub fn kernarg_bytes(&self) -> usize {
        let ends = self.slots.iter().map(|slot| slot.offset + slot.size);
        ends.max().unwrap_or(0).max(self.descriptor.kernarg_bytes)
    }
}
