//! `cargo x kill-broker [KILLS]`: the test `broker_kill` of the examples with the optimised broker, and more kills than in CI.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::{self, cargo};

/// One kill comes at the end, when nothing is under way.
const KILLS_MIN: u64 = 1;

pub(crate) fn run(root: &Path, kills: u64) -> Result<()> {
    if kills < KILLS_MIN {
        bail!("{kills} kills: at least {KILLS_MIN}");
    }
    let package = ["--release", "--locked", "--package", "headwater-examples"];
    command::run(cargo(root, &["build", "--example", "broker", "--example", "replay"]).args(package))?;
    let mut test = cargo(root, &["test", "--test", "it"]);
    test.args(package).args(["broker_kill", "--", "--nocapture"]);
    command::run(test.env("KILLS", kills.to_string()))
}
