//! Throughput of each implementation, problem by problem.
//!
//! A bar starts at 0. Where rates differ too much for that, a point on a logarithmic axis takes
//! its place, since a bar without 0 lies about proportions. A case without a time says why.

use super::frame::{self, Axis, Frame};
use super::mark::Mark;
use super::scale::Scale;
use super::{Area, Figure, Group, INK, LINE_CHARACTERS, MUTED, TEXT, WIDTH, color, text_style};
use crate::Error;
use crate::facts::{self, Facts, Rate};
use crate::overview::spoken;
use plotters::prelude::*;
use tilemark_core::summary::Row;

/// Most problems that one figure shows.
const N_PROBLEMS: usize = 3;
/// Rates that differ by more than this share no linear axis.
const LINEAR_RANGE: f64 = 40.0;

const HEADING: i32 = 52;
const ENTRY: i32 = 58;
const BAR: i32 = 16;
const AXIS: i32 = 2 * TEXT + 32;

/// The figure, if anything in the group was measured.
pub(crate) fn figure(
    facts: &Facts<'_>,
    group: &Group<'_>,
    series: &[&str],
) -> Result<Option<Figure>, Error> {
    let problems = super::problems(group);
    let n_all = problems.len();
    let shown = spread(problems, N_PROBLEMS);
    let rates: Vec<_> =
        shown.iter().flatten().filter_map(|row| facts.rate(row)).map(Rate::value).collect();
    if rates.is_empty() {
        return Ok(None);
    }
    let scale = scale(&rates);
    let Group { family, dtype, device, .. } = group;
    let title = format!("{family} {dtype} on {device}: throughput by implementation");
    let height = shown.iter().map(|rows| HEADING + ENTRY * rows.len() as i32).sum::<i32>() + AXIS;
    let svg = super::draw(&title, (WIDTH, height as u32), |area| {
        paint(area, facts, &shown, series, scale)
    })?;
    let mut note = "The thin line is the 95 % interval.".to_owned();
    if shown.len() < n_all {
        note = format!(
            "{} of {n_all} problems, from least work to most; the table has all. {note}",
            shown.len()
        );
    }
    Ok(Some(Figure { title, svg, legend: legend(&shown, series)?, note }))
}

fn paint(
    area: &Area<'_>,
    facts: &Facts<'_>,
    problems: &[Vec<&Row>],
    series: &[&str],
    scale: Scale,
) -> Result<(), Error> {
    let in_bytes = problems.iter().flatten().any(|row| facts.is_in_bytes(facts::family(row)));
    let label = if in_bytes { "throughput, B/s" } else { "throughput, FLOP/s" };
    let frame = frame::draw_horizontal(area, &Axis { scale, label, unit: "" })?;
    let mut y = 0;
    for rows in problems {
        let shape = facts::shortened(&facts::shape_text(rows[0]), LINE_CHARACTERS);
        area.draw(&Text::new(shape, (8, y + HEADING - TEXT - 4), text_style(MUTED)))?;
        y += HEADING;
        for row in rows {
            let name = &row.result.case.implementation;
            let idx = series.iter().position(|s| s == name).unwrap_or_default();
            entry(area, &frame, facts, row, (idx, y))?;
            y += ENTRY;
        }
    }
    Ok(())
}

fn entry(
    area: &Area<'_>,
    frame: &Frame,
    facts: &Facts<'_>,
    row: &Row,
    (series, y): (usize, i32),
) -> Result<(), Error> {
    let name = facts::shortened(&row.result.case.implementation, LINE_CHARACTERS / 2);
    let words = match facts.rate(row) {
        Some(rate) => format!("{name}  {rate}"),
        None => format!("{name}  ({})", spoken(row.result.outcome.name())),
    };
    area.draw(&Text::new(words, (8, y), text_style(INK)))?;
    let (Some(rate), Some(speed)) = (facts.rate(row), row.speed) else { return Ok(()) };
    let middle = y + TEXT + BAR / 2;
    let (start, end) = (frame.horizontal().start, frame.x(rate.value()));
    let mark = Mark { series, filled: super::is_ours(row) };
    if frame.starts_at_zero() {
        mark.bar(area, [(start, middle - BAR / 2), (end, middle + BAR / 2)])?;
    } else {
        let guide = vec![(start, middle), (end, middle)];
        area.draw(&PathElement::new(guide, color(series).stroke_width(2)))?;
        mark.draw(area, (end, middle))?;
    }
    let of = |seconds| frame.x(Rate::of(facts, row, &speed, seconds));
    let whisker = vec![(of(speed.high.0), middle), (of(speed.low.0), middle)];
    area.draw(&PathElement::new(whisker, INK.stroke_width(3)))?;
    Ok(())
}

fn scale(rates: &[f64]) -> Scale {
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    match most / least > LINEAR_RANGE {
        true => Scale::log_around(rates.iter().copied()),
        false => Scale::from_zero(rates.iter().copied()),
    }
}

fn legend(shown: &[Vec<&Row>], series: &[&str]) -> Result<Vec<(String, String)>, Error> {
    let mut legend = Vec::new();
    for (idx, name) in series.iter().enumerate() {
        let row = shown.iter().flatten().find(|row| row.result.case.implementation == *name);
        if let Some(row) = row {
            let mark = Mark { series: idx, filled: super::is_ours(row) }.alone()?;
            legend.push((mark, (*name).to_owned()));
        }
    }
    Ok(legend)
}

/// At most `limit` of the items, the first and the last among them, at even distances.
fn spread<T>(items: Vec<T>, limit: usize) -> Vec<T> {
    let n = items.len();
    if n <= limit {
        return items;
    }
    let kept: Vec<_> = (0..limit).map(|i| i * (n - 1) / (limit - 1)).collect();
    let numbered = items.into_iter().enumerate();
    numbered.filter(|(idx, _)| kept.contains(idx)).map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_keeps_both_ends() {
        assert_eq!(spread((0..20).collect(), 6), [0, 3, 7, 11, 15, 19]);
        assert_eq!(spread((0..6).collect(), 6), [0, 1, 2, 3, 4, 5]);
    }
}
