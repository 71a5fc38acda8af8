//! The figures as pictures: bytes a second over the size of records, and how long single calls take.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Run;
use super::append::single;
use super::bed::{SIZES, size_name};
use super::peer::{limit, ours};
use super::reading::sequential;

/// Everybody with a colour that stands on white; ours is drawn last and thick.
const LINES: [(&str, RGBColor); 7] = [
    ("commitlog", RGBColor(0xB0, 0x7A, 0xA1)),
    ("walrus-rust", RGBColor(0xE0, 0x8A, 0x1E)),
    ("wal-db", RGBColor(0x3F, 0x92, 0x50)),
    ("raft-engine", RGBColor(0x2A, 0x9D, 0xB5)),
    (limit::WRITE, RGBColor(0xB0, 0xB0, 0xB0)),
    (limit::MAP, RGBColor(0x70, 0x70, 0x70)),
    (ours::NAME, RGBColor(0xC8, 0x10, 0x2E)),
];

type Points = Vec<(f64, f64)>;

/// Draws appends and sequential reads: MB a second over the size of a record.
///
/// # Errors
///
/// The file cannot be written.
pub fn throughput(path: &Path, run: &Run) -> Result<(), Box<dyn Error>> {
    let canvas = SVGBackend::new(path, (980, 470)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (panels, legend) = canvas.split_vertically(410);
    let figures = [
        ("append, one record a call", SIZES.map(single), &run.append),
        ("read all in order, checked", SIZES.map(sequential), &run.sequential),
    ];
    for (area, (title, cases, figures)) in panels.split_evenly((1, 2)).iter().zip(figures) {
        let points = |who: &str| -> Points {
            let all = SIZES.iter().zip(&cases).filter_map(|(bytes, case)| {
                let (_, all) = figures.iter().find(|(other, _)| other == case)?;
                let (_, ns) = all.iter().find(|(name, _)| *name == who)?;
                Some((*bytes as f64, *bytes as f64 * 1e3 / ns))
            });
            all.collect()
        };
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d((80.0..20e3).log_scale(), (20.0..40e3).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("bytes of a record")
            .y_desc("MB a second")
            .x_label_formatter(&|bytes: &f64| size_name(bytes.round() as usize))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (who, colour) in LINES {
            let points = points(who);
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
            chart.draw_series(LineSeries::new(points, colour.stroke_width(width(who))))?;
        }
    }
    key(&legend)?;
    canvas.present()?;
    Ok(())
}

/// Draws how long single appends of 1 KiB take.
///
/// # Errors
///
/// The file cannot be written.
pub fn latency(path: &Path, run: &Run) -> Result<(), Box<dyn Error>> {
    let canvas = SVGBackend::new(path, (780, 470)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (area, legend) = canvas.split_vertically(410);
    // How rare a call is that takes longer: one in 2, 10, 100 ..
    let mut chart = ChartBuilder::on(&area)
        .caption("append, one record of 1 KiB a call", ("sans-serif", 18))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d((1.0..10_000.0).log_scale(), (50.0..1e6).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("one call in so many takes longer")
        .y_desc("nanoseconds")
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (who, colour) in LINES {
        let Some(latency) = run.latency.iter().find(|latency| latency.name == who) else { continue };
        let points: Points =
            latency.percentiles.iter().map(|(percent, ns)| (100.0 / (100.0 - percent), *ns)).collect();
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        chart.draw_series(LineSeries::new(points, colour.stroke_width(width(who))))?;
    }
    key(&legend)?;
    canvas.present()?;
    Ok(())
}

fn width(who: &str) -> u32 {
    if who == ours::NAME { 3 } else { 1 }
}

/// The legend: four columns.
fn key(area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
    for (place, (who, colour)) in (0..).zip(LINES) {
        let (x, y) = (40 + place % 4 * 180, 10 + place / 4 * 24);
        area.draw(&PathElement::new([(x, y), (x + 30, y)], colour.stroke_width(width(who))))?;
        area.draw(&Text::new(who, (x + 38, y - 7), ("sans-serif", 14)))?;
    }
    Ok(())
}
