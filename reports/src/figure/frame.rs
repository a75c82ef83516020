//! The frame of a figure: two axes with their grid, names and units.
//!
//! Knows nothing of what is drawn inside; it says where a value lies.

use super::scale::Scale;
use super::{Area, GRID, INK, MUTED, TEXT, text_style};
use crate::Error;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;
use tilemark_core::units;

/// What an axis shows.
pub(super) struct Axis<'a> {
    pub(super) scale: Scale,
    /// Name and unit.
    pub(super) label: &'a str,
    /// The unit that follows each number, if the label does not say it.
    pub(super) unit: &'a str,
}

/// A drawn frame.
pub(super) struct Frame {
    x: (Scale, Range<i32>),
    y: Option<(Scale, Range<i32>)>,
}

/// Draws both axes.
pub(super) fn draw(area: &Area<'_>, x: &Axis<'_>, y: &Axis<'_>) -> Result<Frame, Error> {
    let pixels = mesh(area, x, Some(y))?;
    let anchor = text_style(INK).pos(Pos::new(HPos::Left, VPos::Top));
    area.draw(&Text::new(y.label.to_owned(), (4, 2), anchor))?;
    Ok(Frame { x: (x.scale, pixels.0), y: Some((y.scale, pixels.1)) })
}

/// Draws only the horizontal axis, for rows that name themselves.
pub(super) fn draw_horizontal(area: &Area<'_>, x: &Axis<'_>) -> Result<Frame, Error> {
    let pixels = mesh(area, x, None)?;
    Ok(Frame { x: (x.scale, pixels.0), y: None })
}

fn mesh(
    area: &Area<'_>,
    x: &Axis<'_>,
    y: Option<&Axis<'_>>,
) -> Result<(Range<i32>, Range<i32>), Error> {
    let vertical = y.map_or(Scale::Linear { low: 0.0, high: 1.0 }, |y| y.scale);
    let mut chart = ChartBuilder::on(area)
        .margin_right(52)
        .margin_left(if y.is_some() { 4 } else { 8 })
        .margin_top(if y.is_some() { TEXT + 22 } else { 0 })
        .margin_bottom(8)
        .x_label_area_size(2 * TEXT + 24)
        .y_label_area_size(if y.is_some() { 96 } else { 0 })
        .build_cartesian_2d(x.scale, vertical)?;
    let horizontal_label = |value: &f64| units::tick(*value, x.unit);
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(MUTED.stroke_width(2))
        .label_style(text_style(MUTED))
        .axis_desc_style(text_style(INK))
        .x_desc(x.label)
        .x_label_formatter(&horizontal_label);
    if let Some(y) = y {
        mesh.y_label_formatter(&|value| units::tick(*value, y.unit)).draw()?;
    } else {
        mesh.disable_y_axis().disable_y_mesh().draw()?;
    }
    Ok(chart.plotting_area().get_pixel_range())
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        start + (self.place(*value) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight().allow_light_points() {
            true => Vec::new(),
            false => self.ticks(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.value(0.0)..self.value(1.0)
    }
}

impl Frame {
    /// Where a point lies.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let vertical =
            self.y.as_ref().map_or(0, |(scale, pixels)| scale.map(&y, (pixels.end, pixels.start)));
        (self.x(x), vertical)
    }

    /// Where a value lies on the horizontal axis.
    pub(super) fn x(&self, value: f64) -> i32 {
        let (scale, pixels) = &self.x;
        scale.map(&value, (pixels.start, pixels.end))
    }

    /// The lowest value that the vertical axis shows.
    pub(super) fn lowest(&self) -> f64 {
        self.y.as_ref().map_or(0.0, |(scale, _)| scale.value(0.0))
    }

    /// The left and right ends.
    pub(super) fn horizontal(&self) -> Range<i32> {
        self.x.1.clone()
    }

    /// Whether a bar from the left end shows a proportion.
    pub(super) fn starts_at_zero(&self) -> bool {
        matches!(self.x.0, Scale::Linear { low: 0.0, .. })
    }
}
