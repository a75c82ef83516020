//! How a transform is cut up, on either vendor: what `monarch.h` derives from its length, and the sizes
//! that follow.

use tilemark_core::Bytes;
use tilemark_core::launch::Constant;

/// The longest transform that one block does.
pub const LONGEST: u64 = 32768;

/// Spectra that should stay in L2 while a band of heads goes through its batch.
const BAND: Bytes = Bytes(12 << 20);

/// How a transform is cut up: what `monarch.h` derives from its length.
#[derive(Clone, Copy)]
pub struct Cut {
    pub(super) n: u64,
    /// Parts of a sequence that are added up first.
    pub(super) fold: u64,
    /// Points that a block transforms at once at most.
    pub(super) held: u64,
    pub(super) residues: u64,
    /// Whether each residue has tables of its own.
    pub(super) shifted: bool,
    pairs: u64,
    pub(super) radix: u64,
    /// Of four lanes of a row those that see different numbers of a table.
    quarters: u64,
    /// Complex numbers of a residue of all pairs.
    pub(super) points: u64,
}

impl Cut {
    /// Of n points, at most [`LONGEST`].
    pub fn of(n: u64) -> Self {
        Cut::holding(n, LONGEST / 2)
    }

    /// The same, where transforms of more than so many points are cut into residues.
    pub fn holding(n: u64, held: u64) -> Self {
        let residues = n.div_ceil(held);
        let third = n / residues / 256;
        let slots = third.max(16);
        let quarters = match third {
            ..8 => 1,
            8 => 2,
            _ => 4,
        };
        let (pairs, radix) = (slots / third, slots / 16);
        Cut {
            n,
            fold: 1,
            held,
            residues,
            shifted: false,
            pairs,
            radix,
            quarters,
            points: 256 * slots,
        }
    }

    /// The same, where the blocks of a cluster have a residue each, with tables of its own.
    pub fn clustered(self) -> Self {
        Cut { shifted: self.residues > 1, ..self }
    }

    /// The same, of sequences that are folded first.
    pub fn folded(self, fold: u64) -> Self {
        Cut { fold, ..self }
    }

    /// Sizes of [`Scratch`] for so many spectra, and scales of each.
    pub fn scratch(self, heads: u64, scales: u64) -> Vec<Bytes> {
        let spectra = heads * 16 * self.residues * self.row_vectors();
        vec![Bytes(16 * self.table_vectors()), Bytes(16 * spectra), Bytes(4 * heads * scales)]
    }

    /// Heads of a band, groups, bands.
    pub fn grid(self, batch: u64, heads: u64) -> [u64; 3] {
        let band = (BAND.0 / (256 * self.residues * self.row_vectors())).max(1);
        let bands = heads.div_ceil(band);
        [heads.div_ceil(bands), self.groups(batch), bands]
    }

    /// Threads of a block that convolves.
    pub fn threads(self) -> u64 {
        32 * match (self.radix, self.residues) {
            (1, _) => 2,
            (_, 1) => 4,
            _ => 16,
        }
    }

    /// Tiles of the third stage's operand.
    pub fn radix(self) -> u64 {
        self.radix
    }

    /// Transforms that a sequence is.
    pub fn residues(self) -> u64 {
        self.residues
    }

    /// Groups of pairs that a block has at a time.
    pub fn groups(self, batch: u64) -> u64 {
        batch.div_ceil(2 * self.pairs)
    }

    /// Shared memory of both planes of a residue.
    pub fn plane_bytes(self) -> u64 {
        4 * self.points
    }

    /// Threads of a block that differentiates, and its shared memory: both signals of a residue.
    pub fn differentiating_block(self) -> (u64, u64) {
        (64 * self.radix, 8 * self.points)
    }

    /// Floats that a head's split of the batch sums, of all residues.
    pub fn sums(self) -> u64 {
        self.residues * 16 * self.radix * self.quarters * 128
    }

    /// The macros of `signals.h`, for sequences of these extents that begin `pitch` elements apart.
    pub fn of_signals(
        self,
        extents: [u64; 3],
        pitch: u64,
        gated: bool,
    ) -> [(&'static str, Constant); 3] {
        let [batch, _, length] = extents;
        let full = length == self.n * self.fold && batch.is_multiple_of(2 * self.pairs);
        let aligned = length.is_multiple_of(8) && pitch.is_multiple_of(8);
        [("GATED", gated), ("ALIGNED", aligned), ("FULL", full)]
            .map(|(name, value)| (name, i64::from(value).into()))
    }

    fn row_vectors(self) -> u64 {
        16 * self.radix * self.quarters
    }

    /// As many as either vendor's tables are at most.
    fn table_vectors(self) -> u64 {
        let points = self.n / self.residues;
        let slots =
            if self.radix == 1 { points / 2 + 2048 } else { points / 4 + 16 * self.row_vectors() };
        let of_residue = 320 + 128 * self.radix + slots;
        if self.shifted {
            self.residues * of_residue
        } else {
            (of_residue + (self.residues - 1) * points / 4).max(self.resident_vectors())
        }
    }

    /// What `short.h` counts where tables are resident.
    fn resident_vectors(self) -> u64 {
        let row_tiles = (self.n / 256).div_ceil(16);
        192 * row_tiles * row_tiles + 128 + self.n / 2
    }
}
