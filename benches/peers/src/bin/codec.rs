//! Times `headwater-codec` beside other codecs: `cargo run --release --bin codec`.

use std::process::ExitCode;

use clap::Parser;
use headwater_peers::codec;
use headwater_peers::options::Options;
use headwater_peers::report;
use serde_json::json;

fn main() -> ExitCode {
    let options = Options::parse();
    let mut cases = codec::case::all();
    cases.retain(|case| case.name.contains(&options.only));
    let run = codec::run(&options, &cases);
    let ([decode, encode, vectored, fan_out], targets) = codec::targets::judge(&cases, &run);

    let [decodes, encodes, vectors, fans_out] = codec::AREAS;
    let groups =
        [(decodes, &run.decode), (encodes, &run.encode), (vectors, &run.vectored), (fans_out, &run.fan_out)];
    for (name, figures) in groups {
        report::print_figures(&format!("{name}, all figures, ns per packet"), figures);
    }
    report::print_rows("decode, ns per packet", &decode);
    report::print_rows("encode, ns per packet", &encode);
    report::print_rows("encode, the payload stays where it is, ns per packet", &vectored);
    report::print_rows(
        "one message for 1,000 receivers, the payload stays where it is, ns per receiver",
        &fan_out,
    );
    report::print_targets(&targets);
    if options.quick {
        println!("A quick run: every answer was compared, the figures say nothing.");
    }

    let Some(path) = &options.json else { return ExitCode::SUCCESS };
    let settings = json!({ "rounds": options.rounds(), "slice_ns": options.slice().as_nanos() as u64 });
    let rows = [decode, encode, vectored, fan_out].concat();
    match report::write_json(path, settings, &groups, &rows, &targets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} cannot be written: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
