//! Masks as lists of blocks: which tokens see which, as a user writes it or as it is drawn.
//!
//! A list is `list:queries:keys+keys_queries:keys`: blocks of queries apart by `_`, of each the ranges of
//! keys that it sees, apart by `+`. A range is `first-end` without its end. Blocks may stand in any
//! order, and ranges of keys may overlap; queries that no block has see nothing, like those of a block
//! without keys. `random:BLOCK:PERCENT:SEED` cuts the tokens into blocks of that many, each of which
//! sees itself and so many in a hundred of the others.
//! It must not know scales or how anyone works through the blocks.

use super::schedule::Sight;
use std::ops::Range;
use tilemark_core::{Distribution, generator::Stream};

/// What a list says of so many tokens.
pub fn parse(text: &str, tokens: usize) -> Result<Vec<Sight>, String> {
    let given = match text.split_once(':') {
        Some(("list", blocks)) => written(blocks, tokens)?,
        Some(("random", numbers)) => drawn(numbers, tokens)?,
        _ => return Err("there is no such mask".to_owned()),
    };
    completed(given, tokens)
}

/// A whole number.
pub fn number(text: &str) -> Result<usize, String> {
    // A sign would be a second way to write the same shape.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if digits { text.parse::<u32>().ok() } else { None };
    parsed.map(|number| number as usize).ok_or(format!("`{text}` is no whole number"))
}

fn written(text: &str, tokens: usize) -> Result<Vec<Sight>, String> {
    let block = |text: &str| {
        let (rows, keys) =
            text.split_once(':').ok_or(format!("`{text}` has no `:` between queries and keys"))?;
        let keys = match keys {
            "" => Vec::new(),
            _ => keys.split('+').map(|keys| range(keys, tokens)).collect::<Result<_, _>>()?,
        };
        Ok(Sight { rows: range(rows, tokens)?, keys })
    };
    text.split('_').map(block).collect()
}

fn range(text: &str, tokens: usize) -> Result<Range<usize>, String> {
    let (first, end) = text.split_once('-').ok_or(format!("`{text}` is no range such as 0-64"))?;
    let (first, end) = (number(first)?, number(end)?);
    if first >= end {
        return Err(format!("range {text} is empty, since it does not include its end"));
    }
    if end > tokens {
        return Err(format!("range {text} ends beyond the schedule's {tokens} tokens"));
    }
    Ok(first..end)
}

fn drawn(numbers: &str, tokens: usize) -> Result<Vec<Sight>, String> {
    let numbers = numbers.split(':').map(number).collect::<Result<Vec<_>, _>>()?;
    let [size, percent, seed] = numbers[..] else {
        return Err("it takes three numbers, the tokens of a block, a percentage and a seed".into());
    };
    if size == 0 || percent > 100 {
        return Err("a block has at least one token, and a percentage is at most 100".to_owned());
    }
    let n_blocks = tokens.div_ceil(size);
    let place = |idx: usize| idx * size..((idx + 1) * size).min(tokens);
    let stream = Stream::new(seed as u64, 0, Distribution::Uniform);
    let sees = |i: usize, j: usize| {
        i == j || stream.bits((i * n_blocks + j) as u64) % 100 < percent as u64
    };
    let sight = |i| {
        let keys = (0..n_blocks).filter(|j| sees(i, *j)).map(place).collect();
        Sight { rows: place(i), keys }
    };
    Ok((0..n_blocks).map(sight).collect())
}

/// All queries in order, ranges of keys in order and as few as can be, and neighbours that see the
/// same as one.
fn completed(mut given: Vec<Sight>, tokens: usize) -> Result<Vec<Sight>, String> {
    given.sort_by_key(|sight| sight.rows.start);
    let mut sights: Vec<Sight> = Vec::new();
    let mut end = 0;
    let mut add = |rows: Range<usize>, keys: Vec<Range<usize>>| match sights.last_mut() {
        _ if rows.is_empty() => {}
        Some(last) if last.keys == keys => last.rows.end = rows.end,
        _ => sights.push(Sight { rows, keys }),
    };
    for Sight { rows, keys } in given {
        if rows.start < end {
            let Range { start, end } = rows;
            return Err(format!(
                "queries {start}-{end} overlap those of another block; write all of their keys in one, with `+` between ranges"
            ));
        }
        add(end..rows.start, Vec::new());
        end = rows.end;
        add(rows, joined(keys));
    }
    add(end..tokens, Vec::new());
    Ok(sights)
}

/// The same keys in as few ranges as can be.
pub fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of 30 tokens, and the first and the end of each range of keys.
    fn sights(text: &str) -> Vec<(Range<usize>, Vec<[usize; 2]>)> {
        let ends = |keys: Vec<Range<usize>>| keys.iter().map(|k| [k.start, k.end]).collect();
        parse(text, 30).unwrap().into_iter().map(|s| (s.rows, ends(s.keys))).collect()
    }

    #[test]
    fn a_list_is_completed_and_its_ranges_joined() {
        assert_eq!(
            sights("list:20-30:5-9+0-3+8-12+3-4_2-8:"),
            [(0..20, vec![]), (20..30, vec![[0, 4], [5, 12]])]
        );
        assert_eq!(
            sights("list:0-5:0-30_5-9:0-10+10-30_12-30:7-8"),
            [(0..9, vec![[0, 30]]), (9..12, vec![]), (12..30, vec![[7, 8]])]
        );
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_reason() {
        for (text, reason) in [
            ("diagonal", "no such mask"),
            ("list:0-5", "no `:`"),
            ("list:0-5:0-5_", "no `:`"),
            ("list:0-5:+0-5", "`` is no range"),
            ("list:0-5:7", "`7` is no range"),
            ("list:0-x:0-5", "`x` is no whole number"),
            ("list:0-+5:0-5", "`+5` is no whole number"),
            ("list:5-5:0-5", "5-5 is empty"),
            ("list:0-31:0-5", "0-31 ends beyond the schedule's 30 tokens"),
            ("list:0-5:0-5_4-9:0-5", "queries 4-9 overlap"),
            ("random:4:50", "three numbers"),
            ("random:0:50:1", "at least one token"),
            ("random:4:101:1", "at most 100"),
        ] {
            let why = parse(text, 30).expect_err(text);
            assert!(why.contains(reason), "{text}: {why}");
        }
    }

    #[test]
    fn a_drawn_list_has_about_the_density_that_was_asked_for_and_depends_on_its_seed() {
        let list = |seed: usize| parse(&format!("random:4:25:{seed}"), 1000).unwrap();
        let pairs: usize = list(1).iter().map(|s| s.rows.len() * s.seen()).sum();
        let density = pairs as f64 / 1e6;
        assert!((0.24..0.27).contains(&density), "{density}");
        assert_ne!(list(1), list(2));
        assert_eq!(sights("random:7:0:5").last(), Some(&(28..30, vec![[28, 30]])));
        assert_eq!(sights("random:7:100:5"), [(0..30, vec![[0, 30]])]);
        // What torch's side draws, too.
        let same = "list:0-64:0-64+192-300_64-128:64-256_128-192:128-192_192-256:192-256_256-300:64-128+256-300";
        assert_eq!(parse("random:64:25:1", 300), parse(same, 300));
    }
}
