//! Both brokers under each load, as a picture.

use std::fmt::Write;

use super::table::Throughput;

const ROW: f64 = 26.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = 30.0;
const NAMES: f64 = 130.0;
const PANEL: f64 = 300.0;
const GAP: f64 = 40.0;
const WIDTH: f64 = NAMES + 2.0 * PANEL + GAP + 60.0;
const OURS: &str = "#c8102e";
const THEIRS: &str = "#8a8a8a";

/// Two bars for each load, once for messages a second and once for processor time; both axes have the logarithm.
pub(crate) fn svg(all: &[Throughput]) -> String {
    let height = TOP + ROW * all.len() as f64 + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{NAMES}\" y=\"22\" font-size=\"15\">Our broker beside mosquitto, on one machine with the load</text>\n\
         <text x=\"{NAMES}\" y=\"42\" fill=\"{OURS}\">ours, every message durable in its log</text>\n\
         <text x=\"{}\" y=\"42\" fill=\"{THEIRS}\">mosquitto, none</text>\n",
        NAMES + PANEL + GAP
    );
    panel(&mut svg, all, NAMES, "messages a second: more is better", Throughput::rates);
    panel(
        &mut svg,
        all,
        NAMES + PANEL + GAP,
        "us of processor time a message: less is better",
        Throughput::processor_us,
    );
    for (place, one) in all.iter().enumerate() {
        let y = TOP + ROW * (place as f64 + 0.62);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 8.0,
            one.name()
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, all: &[Throughput], left: f64, title: &str, figures: fn(&Throughput) -> [f64; 2]) {
    let shown = || all.iter().flat_map(figures).filter(|figure| *figure > 0.0).map(f64::log10);
    let low = shown().fold(f64::MAX, f64::min).floor();
    let high = shown().fold(low + 1.0, f64::max).ceil();
    let x = |figure: f64| left + PANEL * ((figure.log10() - low) / (high - low)).clamp(0.0, 1.0);
    let bottom = TOP + ROW * all.len() as f64;
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">{title}</text>", TOP - 12.0);
    let mut power = low;
    while power <= high {
        let at = x(10f64.powf(power));
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#d8d8d8\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            10f64.powf(power)
        );
        power += 1.0;
    }
    for (place, one) in all.iter().enumerate() {
        let begin = TOP + ROW * place as f64 + 4.0;
        for ((figure, colour), y) in figures(one).into_iter().zip([THEIRS, OURS]).zip([begin, begin + 9.0]) {
            if figure > 0.0 {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"8\" fill=\"{colour}\"/>",
                    x(figure) - left
                );
            }
        }
    }
}
