//! The samples of one case, round by round, as histograms one below the other.
//!
//! Binned, so that a page of a hundred cases stays small; every sample is in the record.

use super::frame::{self, Axis};
use super::scale::Scale;
use super::{Area, BAND, Figure, INK, MUTED, TEXT, WIDTH, color, text_style};
use crate::Error;
use crate::overview::{counted, spoken};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tilemark_core::device::Discard;
use tilemark_core::record::{Round, Stop, Timing};
use tilemark_core::summary::{Row, Speed};

const N_BINS: usize = 48;
/// Most rounds that one figure shows.
const N_ROUNDS: usize = 21;
/// Samples outside these ranks are counted at the edge: a few late ones would flatten the rest.
const SHOWN_RANKS: (f64, f64) = (0.05, 0.95);

const ROUND: i32 = 46;
const AXIS: i32 = 2 * TEXT + 32;
const NAMES: i32 = 60;

/// The figure, if the case was measured.
pub(crate) fn figure(row: &Row) -> Result<Option<Figure>, Error> {
    let (Some(timing), Some(speed)) = (row.result.outcome.timing(), row.speed) else {
        return Ok(None);
    };
    let mut all: Vec<f64> = timing.rounds.iter().flat_map(|r| r.samples.counted()).collect();
    if all.is_empty() {
        return Ok(None);
    }
    all.sort_by(f64::total_cmp);
    let (low, high) = limits(&all, &speed);
    let rounds = &timing.rounds[..timing.rounds.len().min(N_ROUNDS)];
    let height = ROUND * rounds.len() as i32 + AXIS;
    let label = format!("Samples of {} by round", row.result.case.id());
    let svg = super::draw(&label, (WIDTH, height as u32), |area| {
        paint(area, rounds, &speed, Scale::Linear { low, high })
    })?;
    let beyond = all.iter().filter(|t| !(low..=high).contains(*t)).count();
    let note = note(timing, &speed, beyond, rounds.len());
    Ok(Some(Figure { title: String::new(), svg, legend: Vec::new(), note }))
}

fn limits(sorted: &[f64], speed: &Speed) -> (f64, f64) {
    let at = |rank: f64| sorted[(rank * (sorted.len() - 1) as f64).round() as usize];
    let low = at(SHOWN_RANKS.0).min(speed.low.0);
    let high = at(SHOWN_RANKS.1).max(speed.high.0);
    let room = ((high - low) * 0.2).max(speed.median.0 * 1e-3);
    (low - room, high + room)
}

fn paint(area: &Area<'_>, rounds: &[Round], speed: &Speed, x: Scale) -> Result<(), Error> {
    let names_end = NAMES;
    let plot = area.margin(0, 0, names_end, 0);
    let axis = Axis { scale: x, label: "time of one launch", unit: "s" };
    let frame = frame::draw_horizontal(&plot, &axis)?;
    let bottom = ROUND * rounds.len() as i32;
    // Places are those of the whole drawing, since the frame counts from it.
    let band = [(frame.x(speed.low.0), 0), (frame.x(speed.high.0), bottom)];
    area.draw(&Rectangle::new(band, BAND.filled()))?;
    for (idx, round) in rounds.iter().enumerate() {
        let base = ROUND * (idx as i32 + 1);
        let histogram = histogram(round, x);
        let left = frame.horizontal().start;
        area.draw(&Polygon::new(outline(&histogram, &frame, x, base), color(0).filled()))?;
        area.draw(&PathElement::new(
            vec![(left, base), (frame.horizontal().end, base)],
            MUTED.stroke_width(1),
        ))?;
        let anchor = text_style(MUTED).pos(Pos::new(HPos::Right, VPos::Bottom));
        area.draw(&Text::new(round.index.to_string(), (left - 10, base), anchor))?;
    }
    let median = frame.x(speed.median.0);
    area.draw(&PathElement::new(vec![(median, 0), (median, bottom)], INK.stroke_width(3)))?;
    Ok(())
}

fn histogram(round: &Round, x: Scale) -> [u32; N_BINS] {
    let mut bins = [0; N_BINS];
    for seconds in round.samples.counted() {
        let bin = (x.place(seconds) * N_BINS as f64).floor().max(0.0) as usize;
        bins[bin.min(N_BINS - 1)] += 1;
    }
    bins
}

/// The steps of a histogram above `base`, as tall as a row whatever the round's number of samples.
fn outline(bins: &[u32; N_BINS], frame: &frame::Frame, x: Scale, base: i32) -> Vec<(i32, i32)> {
    let most = bins.iter().copied().max().unwrap_or(0).max(1);
    let edge = |bin: usize| frame.x(x.value(bin as f64 / N_BINS as f64));
    let mut corners = Vec::new();
    for (bin, n) in bins.iter().enumerate() {
        let top = base - ((ROUND - 8) as f64 * f64::from(*n) / f64::from(most)).round() as i32;
        corners.push((edge(bin), top));
        corners.push((edge(bin + 1), top));
    }
    corners.push((edge(N_BINS), base));
    corners.push((edge(0), base));
    // Corners on a straight line say nothing.
    corners.dedup();
    let straight = |a: (i32, i32), b: (i32, i32), c: (i32, i32)| a.1 == b.1 && b.1 == c.1;
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for corner in corners {
        if let [.., a, b] = kept[..]
            && straight(a, b, corner)
        {
            kept.pop();
        }
        kept.push(corner);
    }
    kept
}

fn note(timing: &Timing, speed: &Speed, beyond: usize, n_shown: usize) -> String {
    let n_rounds = timing.rounds.len();
    let mut note = format!(
        "{} in {}; numbers on the left are rounds, the line is the median, the band its interval.",
        counted(speed.samples as usize, "sample"),
        counted(n_rounds, "round"),
    );
    if n_shown < n_rounds {
        note.push_str(&format!(" The first {n_shown} rounds are drawn."));
    }
    if beyond > 0 {
        let lie = if beyond == 1 { "lies" } else { "lie" };
        note.push_str(&format!(
            " {} {lie} beyond the axis, counted at its ends.",
            counted(beyond, "sample")
        ));
    }
    for (discard, words) in
        [(Discard::LowClock, "at a low clock"), (Discard::Throttled, "while throttled")]
    {
        let of = |round: &Round| round.samples.discarded.iter().filter(|d| d.1 == discard).count();
        let n: usize = timing.rounds.iter().map(of).sum();
        if n > 0 {
            note.push_str(&format!(" Taken {words} and not counted: {n}."));
        }
    }
    note.push_str(&format!(" Rounds stopped: {}.", stops(timing)));
    note
}

fn stops(timing: &Timing) -> String {
    let all = [
        (Stop::Precise, "precise"),
        (Stop::StableNoisy, "stable_noisy"),
        (Stop::TimeLimit, "time_limit"),
        (Stop::SampleLimit, "sample_limit"),
    ];
    let count = |stop| timing.rounds.iter().filter(|round| round.stop == stop).count();
    let words = all.iter().map(|(stop, word)| (count(*stop), word)).filter(|(n, _)| *n > 0);
    words.map(|(n, word)| format!("{n} {}", spoken(word))).collect::<Vec<_>>().join(", ")
}
