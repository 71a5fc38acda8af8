//! Times `headwater-topic` beside other trees: `cargo run --release --bin topic`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use headwater_peers::memory::Counted;
use headwater_peers::options::Options;
use headwater_peers::report::{self, Figures};
use headwater_peers::timing;
use headwater_peers::topic::targets::Verdict;
use headwater_peers::topic::{self, Run, rules};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

#[derive(Parser)]
struct TopicOptions {
    #[command(flatten)]
    shared: Options,
    /// Draws nanoseconds over the number of filters into this file, too.
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let TopicOptions { shared: options, svg } = TopicOptions::parse();
    let run = topic::run(&options);
    let verdict = topic::targets::judge(&run);
    print(&run, &verdict);
    report::print_targets(&verdict.targets);
    if let Some(part) = timing::waited() {
        println!("{:.0} % of the time was spent waiting for a processor.", part * 100.0);
    }
    if options.quick {
        println!("A quick run: every answer was compared, the figures say nothing.");
    }

    if let Some(path) = &svg
        && let Err(error) = topic::plot::write(path, &run.outcomes)
    {
        eprintln!("{} cannot be drawn: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let Some(path) = &options.json else { return ExitCode::SUCCESS };
    let all = figures(&options, &run, &verdict);
    match std::fs::write(path, format!("{all:#}\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} cannot be written: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// The figures of all workloads that have some of this kind.
fn of(run: &Run, which: impl Fn(&topic::matching::Outcome) -> &Vec<(&'static str, f64)>) -> Figures {
    let all = run.outcomes.iter().map(|outcome| (outcome.case.clone(), which(outcome).clone()));
    all.filter(|(_, figures)| !figures.is_empty()).collect()
}

fn print(run: &Run, verdict: &Verdict) {
    report::print_figures("publish, all figures, ns", &of(run, |outcome| &outcome.publish));
    report::print_figures("subscribe, all figures, ns", &of(run, |outcome| &outcome.subscribe));
    report::print_figures("unsubscribe, all figures, ns", &of(run, |outcome| &outcome.unsubscribe));
    report::print_figures("memory, all figures, bytes per subscription", &of(run, |outcome| &outcome.bytes));
    report::print_figures("one-off match, all figures, ns", &run.one_off);
    report::print_figures("retained, all figures, ns", &run.retained);

    println!("\nwrong, or left out\n");
    for outcome in &run.outcomes {
        for (name, fault) in &outcome.faults {
            println!("{}: {name}: {fault}", outcome.case);
        }
    }
    for faults in &run.rules {
        let rules::Faults { name, wrong, panics } = faults;
        println!(
            "small random trees: {name}: {wrong} of {} sets wrong, {panics} of them panics",
            rules::SETS
        );
    }
    if let Some(all) = &run.readers {
        println!(
            "\none reader {:.1} ns per match, two {:.1} ns each, {:.0} % of that speed while {:.0} are subscribed a second",
            all.one_ns,
            all.two_ns,
            all.kept * 100.0,
            all.written
        );
    }
    report::print_rows("publish: parse, match, copy all subscribers; ns", &verdict.publish);
    report::print_rows("subscribe and unsubscribe; ns", &verdict.change);
    report::print_rows_in("B", "memory; bytes per subscription", &verdict.bytes);
    report::print_rows("one-off match, retained names; ns", &verdict.single);
}

fn figures(options: &Options, run: &Run, verdict: &Verdict) -> Value {
    let groups = [
        ("publish", of(run, |outcome| &outcome.publish)),
        ("subscribe", of(run, |outcome| &outcome.subscribe)),
        ("unsubscribe", of(run, |outcome| &outcome.unsubscribe)),
        ("one-off", run.one_off.clone()),
        ("retained", run.retained.clone()),
    ];
    let groups: Vec<_> = groups.iter().map(|(name, figures)| (*name, figures)).collect();
    let settings = json!({ "rounds": options.rounds(), "slice_ns": options.slice().as_nanos() as u64, "waited": timing::waited() });
    let rows = [&verdict.publish[..], &verdict.change, &verdict.single].concat();
    let mut all = report::to_json(settings, &groups, &rows, &verdict.targets);
    let bytes = of(run, |outcome| &outcome.bytes);
    let faults = run.outcomes.iter().flat_map(|outcome| {
        outcome
            .faults
            .iter()
            .map(|(name, fault)| json!({ "case": outcome.case, "who": name, "fault": fault }))
    });
    let rules =
        run.rules.iter().map(|one| json!({ "who": one.name, "wrong": one.wrong, "panics": one.panics }));
    let readers = run.readers.map(
        |all| json!({ "one_ns": all.one_ns, "two_ns": all.two_ns, "kept": all.kept, "written": all.written }),
    );
    all["bytes_per_subscription"] =
        bytes.into_iter().map(|(case, all)| (case, Value::from_iter(all))).collect();
    all["faults"] = faults.collect();
    all["rules"] = json!({ "sets": rules::SETS, "trees": rules.collect::<Value>() });
    all["readers"] = json!(readers);
    all
}
