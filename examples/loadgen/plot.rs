//! How long messages took, as a picture.

use std::fmt::Write;

use crate::latency::{Latency, shown};

const WIDTH: f64 = 780.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
/// Points of a curve for each tenfold rarer message.
const STEPS: u32 = 40;

/// Draws durations over how rare a message is that takes longer: both axes have the logarithm, so that the rare ones are seen.
pub(crate) fn svg(title: &str, curves: &[(&str, &str, &Latency)]) -> String {
    let curves: Vec<_> = curves.iter().filter(|(_, _, latency)| latency.len() > 0).collect();
    // One in 10, 100, .. : as far as there are messages, and one decade at least.
    let count = curves.iter().map(|(_, _, latency)| latency.len()).max().unwrap_or(0);
    let decades = count.checked_ilog10().unwrap_or(0).clamp(1, 7);
    let bound = |percent: f64, pick: fn(f64, f64) -> f64, start: f64| {
        curves.iter().map(|(_, _, latency)| latency.micros(percent).max(1.0).log10()).fold(start, pick)
    };
    let (low, high) = (bound(0.0, f64::min, 7.0).floor(), bound(100.0, f64::max, 0.0).ceil());
    let (low, high) = (low.min(high - 1.0), high);
    let x = |nines: f64| LEFT + (WIDTH - LEFT - RIGHT) * nines / f64::from(decades);
    let y = |micros: f64| {
        let share = (micros.max(1.0).log10() - low) / (high - low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
        escaped(title)
    );
    for decade in 0..=decades {
        let (at, rare) = (x(f64::from(decade)), percent(f64::from(decade)));
        line(&mut svg, (at, TOP), (at, HEIGHT - BOTTOM));
        text(&mut svg, (at, HEIGHT - BOTTOM + 20.0), "middle", &format!("{rare} %"));
    }
    let mut power = low;
    while power <= high {
        let micros = 10f64.powf(power);
        line(&mut svg, (LEFT, y(micros)), (WIDTH - RIGHT, y(micros)));
        text(&mut svg, (LEFT - 8.0, y(micros) + 4.0), "end", &shown(micros));
        power += 1.0;
    }
    text(&mut svg, (WIDTH / 2.0, HEIGHT - 14.0), "middle", "so many messages took at most so long");
    for (place, (name, colour, latency)) in (0..).zip(&curves) {
        let points = (0..=decades * STEPS).map(|step| {
            let nines = f64::from(step) / f64::from(STEPS);
            format!("{:.1},{:.1}", x(nines), y(latency.micros(percent(nines))))
        });
        let points: Vec<String> = points.collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        let at = LEFT + f64::from(place) * 150.0;
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"42\" fill=\"{colour}\">{}</text>", escaped(name));
    }
    svg.push_str("</svg>\n");
    svg
}

/// The percentile with so many nines: 0 is 0 %, 1 is 90 %, 2 is 99 %.
fn percent(nines: f64) -> f64 {
    // Without the noise of the last digits.
    ((1.0 - 10f64.powf(-nines)) * 1e9).round() / 1e7
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#d8d8d8\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_have_as_many_nines_as_they_should() {
        assert_eq!([0.0, 1.0, 2.0, 3.0, 4.0].map(percent), [0.0, 90.0, 99.0, 99.9, 99.99]);
    }

    #[test]
    fn every_point_is_inside_whatever_was_measured() {
        for values in
            [vec![], vec![0], vec![1_000], vec![50_000; 9], (1..100_000).map(|ns| ns * 7_000).collect()]
        {
            let mut latency = Latency::new();
            values.iter().for_each(|ns| latency.record(*ns));
            let svg = svg("a < b", &[("one", "#000", &latency)]);
            assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"), "{svg}");
            let points = svg.split("points=\"").nth(1).map_or("", |rest| rest.split('"').next().unwrap());
            assert_eq!(points.is_empty(), values.is_empty());
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!(
                    (LEFT..=WIDTH - RIGHT).contains(&x) && (TOP - 0.1..=HEIGHT - BOTTOM + 0.1).contains(&y),
                    "{point}"
                );
            }
        }
    }
}
