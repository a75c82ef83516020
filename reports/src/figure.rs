//! Figures: what they share — scales, frames, marks, colours — and how an SVG joins the page.
//!
//! Plotters draws with stand-in colours, which become CSS variables, so that one figure holds in
//! light and in dark. Titles and legends are the page's text, which wraps; only axes and labels
//! stand in the drawing.

pub(crate) mod bars;
pub(crate) mod lines;
pub(crate) mod roofline;
pub(crate) mod samples;

mod frame;
mod mark;
mod scale;

use crate::Error;
use crate::facts::{self, Facts};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::HashMap;
use tilemark_core::family::Standing;
use tilemark_core::summary::Row;
use tilemark_core::{Dtype, Problem};

/// A drawing with the words around it.
pub(crate) struct Figure {
    /// What it shows.
    pub(crate) title: String,
    /// The drawing: an `<svg>` element.
    pub(crate) svg: String,
    /// Marks, as `<svg>` elements, with what they stand for.
    pub(crate) legend: Vec<(String, String)>,
    /// What a reader must know besides.
    pub(crate) note: String,
}

/// Cases that belong into one figure: same family, element type and device.
pub(crate) struct Group<'a> {
    pub(crate) family: &'a str,
    pub(crate) dtype: Dtype,
    pub(crate) device: &'a str,
    pub(crate) rows: Vec<&'a Row>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width of every drawing in its own units; the page scales it.
const WIDTH: u32 = 880;
/// Height of a line of text.
const TEXT: i32 = 29;
/// Characters of ordinary text that surely fit into [`WIDTH`].
const LINE_CHARACTERS: usize = 52;

const INK: RGBColor = RGBColor(0xf1, 0, 0);
const MUTED: RGBColor = RGBColor(0xf2, 0, 0);
const GRID: RGBColor = RGBColor(0xf3, 0, 0);
const BAND: RGBColor = RGBColor(0xf4, 0, 0);
const SURFACE: RGBColor = RGBColor(0xf5, 0, 0);
/// How many colours there are; further series share them and differ by their mark.
const N_COLORS: usize = 8;

/// The groups of a run, in the order in which they first occur.
pub(crate) fn groups<'a>(facts: &Facts<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for row in &facts.summary.rows {
        let case = &row.result.case;
        let (family, dtype, device) = (facts::family(row), case.problem.dtype, &case.device);
        let known = groups
            .iter_mut()
            .find(|g| g.family == family && g.dtype == dtype && g.device == device);
        match known {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { family, dtype, device, rows: vec![row] }),
        }
    }
    groups
}

/// The implementations of a family, in the order in which they first occur in the run: a series
/// has the same colour and mark in every figure of its family.
pub(crate) fn series<'a>(facts: &Facts<'a>, family: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for row in facts.summary.rows.iter().filter(|row| facts::family(row) == family) {
        let name = row.result.case.implementation.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The problems of a group, from least work to most, each with its cases.
fn problems<'a>(group: &Group<'a>) -> Vec<Vec<&'a Row>> {
    let mut problems: Vec<Vec<&Row>> = Vec::new();
    let mut places: HashMap<&Problem, usize> = HashMap::new();
    for row in &group.rows {
        let place = *places.entry(&row.result.case.problem).or_insert(problems.len());
        match problems.get_mut(place) {
            Some(rows) => rows.push(row),
            None => problems.push(vec![row]),
        }
    }
    let work = |rows: &Vec<&Row>| (rows[0].result.work.executed, rows[0].result.work.least_bytes);
    problems.sort_by_key(work);
    problems
}

/// Ours are drawn filled, others' as outlines.
fn is_ours(row: &Row) -> bool {
    row.result.standing != Standing::Rival
}

fn draw(
    label: &str,
    size: (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    paint(&area)?;
    area.present()?;
    drop(area);
    Ok(inline(&svg, label, size))
}

/// Makes plotters' document an element of the page: its colours, its font, no fixed size.
fn inline(svg: &str, label: &str, (width, height): (u32, u32)) -> String {
    let body = svg.split_once(">\n").map_or(svg, |(_, body)| body);
    let mut text = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n{}",
        crate::page::escape(label),
        body.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "")
    );
    let named =
        [("ink", INK), ("muted", MUTED), ("grid", GRID), ("band", BAND), ("surface", SURFACE)];
    for (name, color) in named {
        text = text.replace(&hex(color), &format!("\"var(--{name})\""));
    }
    for idx in 0..N_COLORS {
        text = text.replace(&hex(color(idx)), &format!("\"var(--series-{})\"", idx + 1));
    }
    text
}

fn color(series: usize) -> RGBColor {
    RGBColor(0xf0, 0, (series % N_COLORS) as u8)
}

fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("\"#{r:02X}{g:02X}{b:02X}\"")
}

fn text_style(color: RGBColor) -> TextStyle<'static> {
    // Plotters divides by 1.24 on the way into SVG.
    ("sans-serif", f64::from(TEXT)).into_font().color(&color)
}

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for Error {
    fn from(cause: DrawingAreaErrorKind<E>) -> Self {
        Error::Figure(cause.to_string())
    }
}
