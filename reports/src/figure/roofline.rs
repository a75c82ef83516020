//! Each measured case under what its device was seen to reach: a large copy and, for each
//! element type, arithmetic.
//!
//! Both axes count the operations that the formula needs and the bytes that must move, so that a
//! point above the roof is a fault of the measurement and never of a convention.

use super::frame::{self, Axis, Frame};
use super::mark::{self, Mark};
use super::scale::Scale;
use super::{Area, Figure, INK, MUTED, TEXT, WIDTH, text_style};
use crate::Error;
use crate::facts::{self, Facts};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::HashSet;
use tilemark_core::Dtype;
use tilemark_core::record::{Ceilings, Environment};
use tilemark_core::summary::Row;
use tilemark_core::units::{ByteRate, FlopRate};

const HEIGHT: u32 = 640;
/// Room for the name of an element type.
const NAME: i32 = 76;

/// The figure, if the device's ceilings were measured and any case with operations was too.
pub(crate) fn figure(
    facts: &Facts<'_>,
    environment: &Environment,
) -> Result<Option<Figure>, Error> {
    let device = &environment.device.name;
    let rows: Vec<_> = facts.summary.rows.iter().filter(|r| is_point(r, device)).collect();
    let Some(ceilings) = environment.ceilings.as_ref().filter(|_| !rows.is_empty()) else {
        return Ok(None);
    };
    let roofs = roofs(ceilings, &rows);
    let families = families(&rows);
    let (x, y) = axes(&rows, ceilings, &roofs);
    let title = format!("Roofline of {device}");
    let svg = super::draw(&title, (WIDTH, HEIGHT), |area| {
        let frame = frame::draw(area, &x, &y)?;
        draw_roofs(area, &frame, x.scale, ceilings.copy_bytes_per_second, &roofs)?;
        draw_points(area, &frame, &rows, &families)?;
        name_roofs(area, &frame, ceilings.copy_bytes_per_second, &roofs)
    })?;
    let note = "Filled marks are ours, outlines are rivals.".to_owned();
    Ok(Some(Figure { title, svg, legend: legend(&families, ceilings, &roofs)?, note }))
}

fn is_point(row: &Row, device: &str) -> bool {
    row.result.case.device == device
        && row.speed.is_some_and(|speed| speed.executed.0 > 0.0)
        && facts::intensity(&row.result) > 0.0
}

fn point(row: &Row) -> (f64, f64) {
    (facts::intensity(&row.result), row.speed.map_or(0.0, |speed| speed.executed.0))
}

/// The arithmetic ceilings of the element types that occur.
fn roofs(ceilings: &Ceilings, rows: &[&Row]) -> Vec<(Dtype, f64)> {
    let occurs = |dtype: &Dtype| rows.iter().any(|r| r.result.case.problem.dtype == *dtype);
    let ceiling = |d: Dtype| Some((d, facts::flops_ceiling(&ceilings.flops_per_second, d)?));
    Dtype::ALL.into_iter().filter(occurs).filter_map(ceiling).collect()
}

fn families<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
    let mut families: Vec<&str> = Vec::new();
    for row in rows {
        if !families.contains(&facts::family(row)) {
            families.push(facts::family(row));
        }
    }
    families
}

fn axes(
    rows: &[&Row],
    ceilings: &Ceilings,
    roofs: &[(Dtype, f64)],
) -> (Axis<'static>, Axis<'static>) {
    let copy = ceilings.copy_bytes_per_second;
    let ridges = roofs.iter().map(|(_, flops)| flops / copy);
    let intensities = rows.iter().map(|row| point(row).0).chain(ridges);
    let rates = rows.iter().map(|row| point(row).1).chain(roofs.iter().map(|(_, flops)| *flops));
    let label = "operations needed per byte that must move, FLOP/B";
    let x = Axis { scale: Scale::log_around(intensities), label, unit: "" };
    let y = Axis {
        scale: Scale::log_around(rates),
        label: "needed operations per second, FLOP/s",
        unit: "",
    };
    (x, y)
}

fn draw_roofs(
    area: &Area<'_>,
    frame: &Frame,
    x: Scale,
    copy: f64,
    roofs: &[(Dtype, f64)],
) -> Result<(), Error> {
    let (left, right) = (x.value(0.0), x.value(1.0));
    // The slope ends at the highest ridge; without any arithmetic ceiling it crosses the figure.
    let highest = roofs.iter().map(|(_, flops)| *flops).fold(0.0, f64::max);
    let ridge = if highest > 0.0 { (highest / copy).min(right) } else { right };
    let start = left.max(frame.lowest() / copy).min(ridge);
    let slope = vec![frame.at(start, start * copy), frame.at(ridge, ridge * copy)];
    area.draw(&PathElement::new(slope, INK.stroke_width(5)))?;
    for (_, flops) in roofs {
        let roof = vec![frame.at(flops / copy, *flops), frame.at(right, *flops)];
        area.draw(&PathElement::new(roof, INK.stroke_width(3)))?;
    }
    Ok(())
}

/// The lowest roof has its name below its left end, others above their right ends, staggered, so
/// that the names of close roofs stay apart.
fn name_roofs(
    area: &Area<'_>,
    frame: &Frame,
    copy: f64,
    roofs: &[(Dtype, f64)],
) -> Result<(), Error> {
    let lowest = roofs.iter().map(|(_, flops)| *flops).fold(f64::INFINITY, f64::min);
    for (idx, (dtype, flops)) in roofs.iter().enumerate() {
        let (x, y) = frame.at(flops / copy, *flops);
        let (at, side) = if roofs.len() > 1 && *flops == lowest {
            ((x + 12, y + TEXT / 3), Pos::new(HPos::Left, VPos::Top))
        } else {
            let x = frame.horizontal().end - 4 - NAME * idx as i32;
            ((x, y - TEXT / 3), Pos::new(HPos::Right, VPos::Bottom))
        };
        area.draw(&Text::new(dtype.to_string(), at, text_style(MUTED).pos(side)))?;
    }
    Ok(())
}

fn draw_points(
    area: &Area<'_>,
    frame: &Frame,
    rows: &[&Row],
    families: &[&str],
) -> Result<(), Error> {
    // Of points that fall on each other one is drawn, so that a large run makes no large page.
    let mut drawn = HashSet::new();
    for row in rows {
        let (x, y) = point(row);
        let series = families.iter().position(|f| *f == facts::family(row)).unwrap_or_default();
        let mark = Mark { series, filled: super::is_ours(row) };
        let at = frame.at(x, y);
        if drawn.insert((at, series, mark.filled)) {
            mark.draw(area, at)?;
        }
    }
    Ok(())
}

fn legend(
    families: &[&str],
    ceilings: &Ceilings,
    roofs: &[(Dtype, f64)],
) -> Result<Vec<(String, String)>, Error> {
    let mut legend = Vec::new();
    for (series, family) in families.iter().enumerate() {
        legend.push((Mark { series, filled: true }.alone()?, (*family).to_owned()));
    }
    let copy = ByteRate(ceilings.copy_bytes_per_second);
    legend.push((mark::line_alone(INK, 5)?, format!("slope: copy {copy}")));
    for (dtype, flops) in roofs {
        legend.push((mark::line_alone(INK, 3)?, format!("{dtype}: {}", FlopRate(*flops))));
    }
    Ok(legend)
}
