//! Products in groups of rows, each with a B of its own: what families have as steps whose matrices
//! are block-diagonal.
//!
//! It must not know which problem gets which constants: that is the table of choices.

use super::choices::nearest;
use super::operands::{Matrix, Operands};
use super::sm90::Tile;
use tilemark_core::launch::{Plan, Step};
use tilemark_core::{Info, Problem};

/// Rows of a group are multiples of this.
pub const GROUP_ROWS: u64 = 256;

/// What becomes of the rows of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Equal groups, each with a B (N, K) of its own; these lie one below the other.
    pub count: u64,
    /// Whether each group has a second B below its first, and C is gelu(A·B₁)·(A·B₂).
    pub gated: bool,
}

impl Groups {
    /// All rows have one B.
    pub const ONE: Groups = Groups { count: 1, gated: false };

    /// How many B (N, K) there are.
    fn matrices(self) -> u64 {
        if self.gated { 2 * self.count } else { self.count }
    }
}

/// The persistent kernel of `sm90_wgmma.cu` in groups, for operands whose rows begin at multiples of
/// 16 bytes, B as (N, K).
///
/// # Panics
/// If groups are not whole multiples of [`GROUP_ROWS`], or operands are others.
pub fn grouped(problem: &Problem, info: &Info, groups: Groups) -> Plan {
    let operands = Operands::of(problem);
    let (a, b) = (operands.a(), operands.b());
    assert!(a.rows.is_multiple_of(groups.count * GROUP_ROWS) && operands.sizes.transposed);
    assert!(a.is_aligned() && operands.c().is_aligned(), "rows begin at multiples of 16 bytes");
    let admits = if groups.gated { takes_gates } else { takes_groups };
    let Tile::Persistent(tile) = nearest(&operands, info, admits) else {
        unreachable!("only the persistent kernel takes groups");
    };
    let b = Matrix { rows: groups.matrices() * b.rows, ..b };
    let launch = tile.launch(&operands, info, a, b, groups);
    Plan { scratch: Vec::new(), steps: vec![Step::Launch(launch)] }
}

fn takes_groups(tile: &Tile) -> bool {
    matches!(tile, Tile::Persistent(tile) if GROUP_ROWS.is_multiple_of(tile.rows().into()))
}

fn takes_gates(tile: &Tile) -> bool {
    takes_groups(tile) && matches!(tile, Tile::Persistent(tile) if tile.takes_gates())
}
