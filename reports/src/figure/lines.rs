//! Throughput over the size of the problem, one line an implementation.
//!
//! Size is the work that a problem needs, so that shapes of any number of axes fit one figure.

use super::frame::{self, Axis, Frame};
use super::mark::Mark;
use super::scale::Scale;
use super::{Area, Figure, Group, WIDTH, color};
use crate::Error;
use crate::facts::{Facts, Rate};
use plotters::prelude::*;
use tilemark_core::summary::Row;

const HEIGHT: u32 = 560;
/// Rates that differ by more than this share no linear axis.
const LINEAR_RANGE: f64 = 20.0;

/// One implementation's points, smallest problem first.
struct Line {
    mark: Mark,
    name: String,
    points: Vec<(f64, f64)>,
}

/// The figure, if the group has at least two sizes to draw a line between.
pub(crate) fn figure(
    facts: &Facts<'_>,
    group: &Group<'_>,
    series: &[&str],
) -> Result<Option<Figure>, Error> {
    let lines = lines(facts, group, series);
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let mut sizes: Vec<_> = points().map(|(x, _)| x).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    if sizes.len() < 2 {
        return Ok(None);
    }
    let in_bytes = facts.is_in_bytes(group.family);
    let x = Axis {
        scale: Scale::log_around(points().map(|(x, _)| x)),
        label: if in_bytes {
            "least traffic of the problem, B"
        } else {
            "work of the problem, FLOP"
        },
        unit: "",
    };
    let y = Axis {
        scale: y_scale(points().map(|(_, y)| y)),
        label: if in_bytes { "throughput, B/s" } else { "throughput, FLOP/s" },
        unit: "",
    };
    let Group { family, dtype, device, .. } = group;
    let title = format!("{family} {dtype} on {device}: throughput over size");
    let svg = super::draw(&title, (WIDTH, HEIGHT), |area| {
        let frame = frame::draw(area, &x, &y)?;
        lines.iter().try_for_each(|line| line.draw(area, &frame))
    })?;
    let legend = lines.iter().map(|line| Ok((line.mark.alone()?, line.name.clone())));
    let legend = legend.collect::<Result<_, Error>>()?;
    let note = "Filled marks are ours, outlines are rivals.".to_owned();
    Ok(Some(Figure { title, svg, legend, note }))
}

fn lines(facts: &Facts<'_>, group: &Group<'_>, series: &[&str]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (idx, name) in series.iter().enumerate() {
        let rows = || group.rows.iter().filter(|row| row.result.case.implementation == *name);
        let mut points: Vec<_> = rows().filter_map(|row| point(facts, row)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let (Some(row), false) = (rows().next(), points.is_empty()) {
            let mark = Mark { series: idx, filled: super::is_ours(row) };
            lines.push(Line { mark, name: (*name).to_owned(), points });
        }
    }
    lines
}

fn point(facts: &Facts<'_>, row: &Row) -> Option<(f64, f64)> {
    let work = &row.result.work;
    let (size, rate) = match facts.rate(row)? {
        Rate::Flops(rate) => (work.executed.0, rate.0),
        Rate::Bytes(rate) => (work.least_bytes.0, rate.0),
    };
    (size > 0 && rate > 0.0).then_some((size as f64, rate))
}

fn y_scale(rates: impl Iterator<Item = f64> + Clone) -> Scale {
    let least = rates.clone().fold(f64::INFINITY, f64::min);
    let most = rates.clone().fold(0.0, f64::max);
    match most / least > LINEAR_RANGE {
        true => Scale::log_around(rates),
        false => Scale::from_zero(rates),
    }
}

impl Line {
    fn draw(&self, area: &Area<'_>, frame: &Frame) -> Result<(), Error> {
        let mut points: Vec<_> = self.points.iter().map(|(x, y)| frame.at(*x, *y)).collect();
        points.dedup();
        let stroke = color(self.mark.series).stroke_width(4);
        area.draw(&PathElement::new(points.clone(), stroke))?;
        points.into_iter().try_for_each(|point| self.mark.draw(area, point))
    }
}
