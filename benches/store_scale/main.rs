//! The store at scale: sessions that are away, narrow filters over a long log, wildcards by the hundred thousand, and opening.
//!
//! ```text
//! cargo bench --bench store_scale -- [away] [narrow] [wildcards] [opening]
//! ```
//!
//! Each case asserts its answer and prints its figures once: they are seconds of the processor, which other work on the machine does not lengthen, and bytes. The files are in the system's
//! temporary directory (`TMPDIR`), up to 1.5 GiB of them, and go with the case.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that is set up wrongly should stop, and prints"
)]

mod away;
mod bed;
mod narrow;
mod opening;
mod wildcards;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cases: [(&str, fn()); 4] = [
        ("away", away::run),
        ("narrow", narrow::run),
        ("wildcards", wildcards::run),
        ("opening", opening::run),
    ];
    for (name, run) in cases {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            println!("{name}");
            run();
        }
    }
}
