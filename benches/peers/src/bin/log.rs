//! Times `headwater-log` beside other logs: `cargo run --release --bin log`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use headwater_peers::log::{self, Run, opening, plot, targets};
use headwater_peers::options::Options;
use headwater_peers::report;
use headwater_peers::timing;
use serde_json::json;

#[derive(Parser)]
struct LogOptions {
    #[command(flatten)]
    shared: Options,
    /// Draws throughput and latency into files in this folder, too: log-throughput.svg and log-latency.svg.
    #[arg(long)]
    svg: Option<PathBuf>,
    #[command(flatten)]
    child: opening::Child,
}

fn main() -> ExitCode {
    match measure(LogOptions::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(LogOptions { shared: options, svg, child }: LogOptions) -> Result<(), Box<dyn std::error::Error>> {
    if opening::child_of(&child, &options.who)? {
        return Ok(());
    }
    // A peer changes the working directory.
    let svg = svg.map(|folder| folder.canonicalize()).transpose()?;
    let run = log::run(&options)?;
    let verdict = targets::judge(&run);
    print(&run);
    report::print_rows("all cases, ns", &verdict.rows);
    report::print_targets(&verdict.targets);
    if let Some(part) = timing::waited() {
        println!("{:.0} % of the time was spent waiting for a processor.", part * 100.0);
    }
    if options.quick {
        println!("A quick run: every answer was compared, the figures say nothing.");
    }
    if let Some(folder) = &svg {
        plot::throughput(&folder.join("log-throughput.svg"), &run)?;
        plot::latency(&folder.join("log-latency.svg"), &run)?;
    }
    if let Some(path) = &options.json {
        let groups = [
            ("append", &run.append),
            ("producer", &run.producer),
            ("durable", &run.durable),
            ("sequential", &run.sequential),
            ("random", &run.random),
            ("tail", &run.tail),
            ("open", &run.open),
        ];
        let settings = json!({ "rounds": options.rounds(), "waited": timing::waited() });
        report::write_json(path, settings, &groups, &verdict.rows, &verdict.targets)?;
    }
    Ok(())
}

fn print(run: &Run) {
    report::print_figures("append, all figures, ns per record", &run.append);
    report::print_figures("producer, all figures, ns per record", &run.producer);
    report::print_figures("durable, all figures, ns per record", &run.durable);
    report::print_figures("sequential read, all figures, ns per record", &run.sequential);
    report::print_figures("random read, all figures, ns", &run.random);
    report::print_figures("one writer, two readers, all figures, ns per record", &run.tail);
    report::print_figures("open, all figures, ns", &run.open);
    println!("\nlatency of one append of 1 KiB, ns\n");
    for latency in &run.latency {
        let all = latency.percentiles.iter().map(|(percent, ns)| format!("p{percent} {ns:.0}"));
        println!("    {:<16} {}", latency.name, all.collect::<Vec<_>>().join("   "));
    }
    if let Some(all) = run.many {
        println!(
            "\n{}: {:.0} ms, {:.1} MiB of memory, {:.0} descriptors, {:.1} MiB on disk",
            opening::MANY,
            all.ns / 1e6,
            all.bytes / f64::from(1 << 20),
            all.descriptors,
            all.disk_bytes / f64::from(1 << 20),
        );
    }
}
