//! Checking a log: a bar that moves, a line for each finding, a summary.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use headwater::log::{CheckEvent, CheckReport, Finding, Log, ReadOnlyOptions};
use headwater_examples::output::is_broken_pipe;
use headwater_examples::show;
use indicatif::{ProgressBar, ProgressStyle};

use crate::FOUND;
use crate::options::Check;

/// Checks the log in a directory and prints what is found.
pub(crate) fn run(options: &Check, out: &mut impl Write) -> Result<ExitCode> {
    let mut printed = Ok(());
    let report = check(&options.dir, |finding| {
        let line = format!("{}: {finding}; {}", finding.severity(), finding.problem.mend());
        // Each as soon as it is found: the check may take long.
        let outcome = writeln!(out, "{line}").and_then(|()| out.flush());
        if printed.is_ok() {
            printed = outcome;
        }
    })?;
    match printed.map_err(anyhow::Error::from).and_then(|()| summary(&report, out)) {
        // The exit status is for who asked, whether or not somebody reads all lines.
        Err(error) if !is_broken_pipe(&error) => Err(error),
        _ if report.is_clean() => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(FOUND)),
    }
}

/// Checks a log while a bar on standard error moves; there is none where that is no terminal.
pub(crate) fn check(dir: &Path, mut found: impl FnMut(&Finding)) -> Result<CheckReport> {
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template(
        "{msg} [{wide_bar}] {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left",
    )?);
    let report = Log::check(dir, &ReadOnlyOptions::default(), |event| match event {
        CheckEvent::Finding(finding) => bar.suspend(|| found(finding)),
        CheckEvent::Progress(progress) => {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
            bar.set_message(format!("{}-{}", progress.topic, progress.partition));
        }
        _ => {}
    });
    bar.finish_and_clear();
    report.context("it cannot be checked")
}

fn summary(report: &CheckReport, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{} partitions, {} segments, {} batches, {} records, {}: {} errors, {} notes",
        show::count(report.partitions.len() as u64),
        show::count(report.segments),
        show::count(report.batches),
        show::count(report.records),
        show::bytes(report.bytes),
        show::count(report.errors),
        show::count(report.notes),
    )?;
    if report.open_segments > 0 {
        let (segments, ahead) = (show::count(report.open_segments), show::bytes(report.zero_bytes));
        writeln!(out, "{segments} segments were not closed, {ahead} are allocated ahead")?;
    }
    if report.unread_batches > 0 {
        let batches = show::count(report.unread_batches);
        writeln!(
            out,
            "the records of {batches} batches were not looked at: this program was built without their codec"
        )?;
    }
    Ok(())
}
