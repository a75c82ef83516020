//! A plan that is put together from launches and from whole plans of other families, whose tensors
//! get new numbers.
//!
//! It must not know what any of them computes.

use tilemark_core::Bytes;
use tilemark_core::launch::{Argument, Launch, Plan, Step};

/// Where a tensor of a part lies in the whole.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number of the tensor that holds it.
    pub tensor: usize,
    /// Offset of its first byte.
    pub offset_bytes: u64,
}

/// All of a tensor.
pub fn whole(tensor: usize) -> Place {
    Place { tensor, offset_bytes: 0 }
}

/// What has been put together so far.
pub struct Assembly {
    plan: Plan,
    first_scratch: usize,
}

impl Assembly {
    /// Nothing, for a family with so many tensors.
    pub fn after(tensors: usize) -> Self {
        Assembly { plan: Plan::default(), first_scratch: tensors }
    }

    /// The number of a new tensor of the implementation's own.
    pub fn scratch(&mut self, bytes: Bytes) -> usize {
        self.plan.scratch.push(bytes);
        self.first_scratch + self.plan.scratch.len() - 1
    }

    /// Starts a kernel.
    pub fn launch(&mut self, launch: Launch) {
        self.plan.steps.push(Step::Launch(launch));
    }

    /// Takes the steps of a plan for a family whose tensors are at these places; what it has of its
    /// own it keeps.
    pub fn part(&mut self, part: Plan, places: &[Place]) {
        let own: Vec<Place> =
            part.scratch.iter().map(|bytes| whole(self.scratch(*bytes))).collect();
        let places = [places, &own].concat();
        self.plan.steps.extend(part.steps.into_iter().map(|step| moved(step, &places)));
    }

    /// The plan.
    pub fn plan(self) -> Plan {
        self.plan
    }
}

fn moved(step: Step, places: &[Place]) -> Step {
    match step {
        Step::Launch(launch) => Step::Launch(moved_launch(launch, places)),
        Step::Early(launch) => Step::Early(moved_launch(launch, places)),
        Step::Fill { tensor, byte } => Step::Fill { tensor: from_the_first(places[tensor]), byte },
    }
}

fn moved_launch(mut launch: Launch, places: &[Place]) -> Launch {
    for argument in &mut launch.arguments {
        match argument {
            Argument::Tensor { tensor, offset_bytes } => {
                *offset_bytes += places[*tensor].offset_bytes;
                *tensor = places[*tensor].tensor;
            }
            Argument::TensorMap(map) => map.tensor = from_the_first(places[map.tensor]),
            _ => {}
        }
    }
    launch
}

/// The tensor of a place where nothing else fits.
fn from_the_first(place: Place) -> usize {
    assert_eq!(place.offset_bytes, 0, "maps and fills begin with a tensor's first byte");
    place.tensor
}
