//! The marks of series: a colour and a shape, so that colour never carries meaning alone.
//!
//! A legend's mark is drawn by the same code as the mark in the figure.

use super::{Area, SURFACE, color};
use crate::Error;
use plotters::prelude::*;

/// How a series' points look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the series: it gives shape and colour.
    pub(super) series: usize,
    /// Filled or only an outline.
    pub(super) filled: bool,
}

const N_SHAPES: usize = 5;
const RADIUS: i32 = 11;

impl Mark {
    /// Draws the mark at a place.
    pub(super) fn draw(self, area: &Area<'_>, at: (i32, i32)) -> Result<(), Error> {
        // Shapes advance with every series and once more with every turn of the colours, so that
        // no two of the first 40 series look alike.
        let shape = self.series % N_SHAPES;
        let outline = color(self.series).stroke_width(4);
        if shape == 0 {
            let fill = if self.filled { color(self.series) } else { SURFACE };
            area.draw(&Circle::new(at, RADIUS - 1, fill.filled()))?;
            if !self.filled {
                area.draw(&Circle::new(at, RADIUS - 1, outline))?;
            }
            return Ok(());
        }
        let mut corners: Vec<_> =
            corners(shape).iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
        let fill = if self.filled { color(self.series) } else { SURFACE };
        area.draw(&Polygon::new(corners.clone(), fill.filled()))?;
        if !self.filled {
            corners.push(corners[0]);
            area.draw(&PathElement::new(corners, outline))?;
        }
        Ok(())
    }

    /// Draws a bar in the mark's colour.
    pub(super) fn bar(self, area: &Area<'_>, corners: [(i32, i32); 2]) -> Result<(), Error> {
        let fill = if self.filled { color(self.series) } else { SURFACE };
        area.draw(&Rectangle::new(corners, fill.filled()))?;
        let [(left, top), (right, bottom)] = corners;
        // Outlined as a path, because plotters leaves the width of a rectangle's stroke out.
        let outline = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        area.draw(&PathElement::new(outline, color(self.series).stroke_width(4)))?;
        Ok(())
    }

    /// The mark alone, as an `<svg>` element for a legend.
    pub(super) fn alone(self) -> Result<String, Error> {
        legend_entry(|area| self.draw(area, (16, 16)))
    }
}

/// A line alone, as an `<svg>` element for a legend.
pub(super) fn line_alone(line: RGBColor, width: u32) -> Result<String, Error> {
    legend_entry(|area| {
        area.draw(&PathElement::new(vec![(0, 16), (32, 16)], line.stroke_width(width)))?;
        Ok(())
    })
}

fn legend_entry(paint: impl FnOnce(&Area<'_>) -> Result<(), Error>) -> Result<String, Error> {
    let svg = super::draw("", (32, 32), paint)?;
    let hidden = "class=\"mark\" aria-hidden=\"true\"";
    Ok(svg.replace("role=\"img\" aria-label=\"\"", hidden))
}

fn corners(shape: usize) -> &'static [(i32, i32)] {
    match shape {
        1 => &[(-10, -10), (10, -10), (10, 10), (-10, 10)],
        2 => &[(0, -13), (13, 10), (-13, 10)],
        3 => &[(0, -14), (14, 0), (0, 14), (-14, 0)],
        _ => &[(0, 13), (13, -10), (-13, -10)],
    }
}
