//! Nanoseconds per publish over the number of filters, everybody, as an SVG.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::matching::Outcome;
use super::peer::{limit, ours};
use super::workload::Kind;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Everybody with a colour that stands on white; ours is drawn last and thick.
const LINES: [(&str, RGBColor); 9] = [
    ("mqtt_topic_tree", RGBColor(0xB0, 0x7A, 0xA1)),
    ("quill-pubsub", RGBColor(0xE0, 0x8A, 0x1E)),
    ("topic-engine, trie", RGBColor(0x3F, 0x92, 0x50)),
    ("topic-engine, router", RGBColor(0x8C, 0xB3, 0x69)),
    ("submap", RGBColor(0x9C, 0x6B, 0x4E)),
    ("paho-mqtt", RGBColor(0x2A, 0x9D, 0xB5)),
    (limit::NAME, RGBColor(0x80, 0x80, 0x80)),
    (ours::BATCHED, RGBColor(0xE8, 0x7A, 0x8C)),
    (ours::NAME, RGBColor(0xC8, 0x10, 0x2E)),
];

/// Writes one panel per workload that comes in many sizes.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let canvas = SVGBackend::new(path, (980, 800)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (panels, legend) = canvas.split_vertically(720);
    for (area, kind) in panels.split_evenly((2, 2)).iter().zip(Kind::SIZED) {
        panel(area, kind, outcomes)?;
    }
    key(&legend)?;
    canvas.present()?;
    Ok(())
}

fn panel(area: &Canvas<'_>, kind: Kind, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let points = |who: &str| -> Vec<(f64, f64)> {
        let all = outcomes.iter().filter(|outcome| outcome.kind == kind);
        let ns = |outcome: &Outcome| {
            let its = outcome.publish.iter().find(|(name, _)| *name == who);
            its.map(|(_, ns)| (outcome.size as f64, *ns))
        };
        all.filter_map(ns).collect()
    };
    let mut chart = ChartBuilder::on(area)
        .caption(kind.name(), ("sans-serif", 18))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d((800.0..1.25e6).log_scale(), (5.0..1e5).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("filters")
        .y_desc("ns per publish")
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .bold_line_style(RGBColor(0xDD, 0xDD, 0xDD))
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|filters: &f64| super::workload::size_name(filters.round() as usize))
        .y_label_formatter(&|ns: &f64| super::workload::size_name(ns.round() as usize))
        .draw()?;
    for (who, colour) in LINES {
        let points = points(who);
        let dots = points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(dots)?;
        let line = colour.stroke_width(if who.starts_with(ours::NAME) { 3 } else { 1 });
        if who == limit::NAME {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, line))?;
        } else {
            chart.draw_series(LineSeries::new(points, line))?;
        }
    }
    Ok(())
}

/// The legend: four columns.
fn key(area: &Canvas<'_>) -> Result<(), Box<dyn Error>> {
    for (place, (who, colour)) in (0..).zip(LINES) {
        let (x, y) = (60 + place % 4 * 225, 12 + place / 4 * 24);
        let line = colour.stroke_width(if who.starts_with(ours::NAME) { 3 } else { 1 });
        area.draw(&PathElement::new([(x, y), (x + 30, y)], line))?;
        area.draw(&Circle::new((x + 15, y), 3, colour.filled()))?;
        let what = if who == limit::NAME { "LIMIT: one hash lookup" } else { who };
        area.draw(&Text::new(what, (x + 38, y - 7), ("sans-serif", 14)))?;
    }
    Ok(())
}
