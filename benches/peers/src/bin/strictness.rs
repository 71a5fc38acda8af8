//! Counts the malformed packets that each codec lets through: `cargo run --release --bin strictness`.

use std::panic;

use clap::Parser;
use headwater_codec::Version;
use headwater_peers::strictness::judge::{JUDGES, Judge, Verdict, ask};
use headwater_peers::strictness::malformed::{Malformed, malformed, right};

/// Counts the malformed packets that each codec lets through.
#[derive(Clone, Copy, Debug, Parser)]
struct Options {
    /// Names the packets that get past each codec, too.
    #[arg(long)]
    list: bool,
}

fn main() {
    let options = Options::parse();
    // A codec that panics is counted; its message is not the matter.
    panic::set_hook(Box::new(|_| {}));
    for version in [Version::V3_1_1, Version::V5] {
        table(version, options);
    }
}

fn table(version: Version, options: Options) {
    let (malformed, right) = (malformed(version), right(version));
    println!("\n{version}: {} malformed packets, {} right ones\n", malformed.len(), right.len());
    println!(
        "{:<16} {:>9} {:>9} {:>6} {:>7}   right ones read",
        "codec", "rejected", "accepted", "waits", "panics"
    );
    for judge in JUDGES {
        let verdicts: Vec<_> = malformed.iter().filter_map(|one| ask(judge, &one.bytes, version)).collect();
        if verdicts.is_empty() {
            continue;
        }
        let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        println!(
            "{:<16} {:>9} {:>9} {:>6} {:>7}   {} of {}",
            judge.0,
            count(Verdict::Rejected),
            count(Verdict::Accepted),
            count(Verdict::Waits),
            count(Verdict::Panicked),
            right.iter().filter(|one| ask(judge, &one.bytes, version) == Some(Verdict::Accepted)).count(),
            right.len(),
        );
        if options.list {
            list(judge, version, &malformed, Verdict::Rejected);
            list(judge, version, &right, Verdict::Accepted);
        }
    }
}

/// Names those with another verdict than this one.
fn list(judge: Judge, version: Version, packets: &[Malformed], right: Verdict) {
    for one in packets {
        if let Some(verdict) = ask(judge, &one.bytes, version).filter(|verdict| *verdict != right) {
            println!("    {:<9} {}", format!("{verdict:?}").to_lowercase(), one.rule);
        }
    }
}
