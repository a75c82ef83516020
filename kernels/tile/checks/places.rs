//! Where the elements of y come from: the index in x, if anywhere, as loops and tables say it.
//!
//! What a verb computes by a formula is found here by walking, or written the other way round.

/// As it is.
pub fn same(index: usize) -> Option<usize> {
    Some(index)
}

/// One further.
pub fn next(index: usize) -> Option<usize> {
    Some(index + 1)
}

/// A grid of 7 rows and 37 columns, numbered in bands of 3 rows, down each column of a band.
pub fn in_bands(index: usize) -> Option<usize> {
    let mut walk = (0..7).step_by(3).flat_map(|first| {
        let rows = first..7.min(first + 3);
        (0..37).flat_map(move |column| rows.clone().map(move |row| row * 37 + column))
    });
    walk.position(|place| place == index)
}

/// 300 tiles for 4 dies that take blocks in turn: each gets runs of 8 consecutive tiles, as far as
/// every die gets a whole run.
pub fn by_chiplet(index: usize) -> Option<usize> {
    let mut next_of_die = [0, 8, 16, 24];
    let tile_of_block = |block: usize| {
        if block >= 288 {
            return block;
        }
        let next = &mut next_of_die[block % 4];
        let tile = *next;
        *next += if tile % 8 == 7 { 25 } else { 1 };
        tile
    };
    (0..300).map(tile_of_block).position(|tile| tile == index)
}

/// Every seventh lane of 64, from the third on.
pub fn seventh_lanes(index: usize) -> Option<usize> {
    Some(index / 64 * 64 + (index * 7 + 3) % 64)
}

/// Of four elements the last, then the first.
pub fn outer_halves(index: usize) -> Option<usize> {
    Some(index / 2 * 4 + if index.is_multiple_of(2) { 3 } else { 0 })
}

/// (32, 128) of (24, 72), with zeros outside.
pub fn from_ragged(index: usize) -> Option<usize> {
    let (row, column) = (index / 128, index % 128);
    (row < 24 && column < 72).then_some(row * 72 + column)
}

/// (24, 72) of (32, 128).
pub fn to_ragged(index: usize) -> Option<usize> {
    Some(index / 72 * 128 + index % 72)
}

/// Planes of (16, 128) of planes of (12, 72), with zeros outside.
pub fn from_planes(index: usize) -> Option<usize> {
    let (plane, row, column) = (index / 2048, index / 128 % 16, index % 128);
    (row < 12 && column < 72).then_some((plane * 12 + row) * 72 + column)
}

/// Three planes of (12, 72) of planes of (16, 128).
pub fn to_planes(index: usize) -> Option<usize> {
    let (plane, row, column) = (index / 864, index / 72 % 12, index % 72);
    Some((plane * 16 + row) * 128 + column)
}

/// A (16, 16) matrix as its lanes hold it: four pairs a lane, one of each (8, 8) quarter, down first.
pub fn fragments(index: usize) -> Option<usize> {
    let (lane, quarter, element) = (index / 8, index / 2 % 4, index % 2);
    let (row, column) = (lane / 4, lane % 4 * 2 + element);
    Some((quarter % 2 * 8 + row) * 16 + quarter / 2 * 8 + column)
}

/// The same with every quarter turned.
pub fn turned_fragments(index: usize) -> Option<usize> {
    let (lane, quarter, element) = (index / 8, index / 2 % 4, index % 2);
    let (row, column) = (lane % 4 * 2 + element, lane / 4);
    Some((quarter % 2 * 8 + row) * 16 + quarter / 2 * 8 + column)
}

/// The (16, 16) matrix from what its lanes hold.
pub fn from_fragments(index: usize) -> Option<usize> {
    (0..256).find(|held| fragments(*held) == Some(index))
}

/// The same where every quarter is turned.
pub fn from_turned_fragments(index: usize) -> Option<usize> {
    (0..256).find(|held| turned_fragments(*held) == Some(index))
}

/// What gfx950's transposing read gives 64 lanes of four elements: of every sixteen lanes, lane l
/// gets element l % 4 of lanes l / 4, 4 + l / 4, 8 + l / 4 and 12 + l / 4.
pub fn turned_reads(index: usize) -> Option<usize> {
    let (group, lane, number) = (index / 64, index / 4 % 16, index % 4);
    Some((group * 16 + number * 4 + lane / 4) * 4 + lane % 4)
}
