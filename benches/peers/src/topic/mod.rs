//! Topic matching beside six other trees.

pub mod matching;
pub mod naive;
pub mod one_off;
pub mod peer;
pub mod plot;
pub mod readers;
pub mod retained;
pub mod rules;
pub mod targets;
pub mod texts;
pub mod workload;

use matching::Outcome;
use readers::Readers;
use rules::Faults;
use workload::Kind;

use crate::options::Options;
use crate::report::Figures;

/// The sizes of the workloads that come in many.
pub const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What `--area` picks from.
pub const AREAS: [&str; 5] = ["publish", "one-off", "retained", "readers", "rules"];

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Run {
    /// Workloads a to g.
    pub outcomes: Vec<Outcome>,
    /// One filter against one name, nanoseconds.
    pub one_off: Figures,
    /// One filter against all names, nanoseconds.
    pub retained: Figures,
    /// Reading while somebody writes.
    pub readers: Option<Readers>,
    /// Who breaks the rules of matching.
    pub rules: Vec<Faults>,
}

/// Compares all answers, and times all cases.
pub fn run(options: &Options) -> Run {
    let sizes = if options.quick { &SIZES[..1] } else { &SIZES[..] };
    let sized = Kind::SIZED.into_iter().flat_map(|kind| sizes.iter().map(move |size| (kind, *size)));
    let all = sized.chain(Kind::FIXED.map(|kind| (kind, 1)));
    let [publish, one_off, retained, readers, rules] = AREAS.map(|area| area.contains(&options.area));
    let wanted = all.filter(|(kind, size)| publish && kind.case(*size).contains(&options.only));
    Run {
        outcomes: wanted.map(|(kind, size)| matching::run(options, kind, size)).collect(),
        one_off: if one_off { one_off::run(options) } else { Figures::new() },
        retained: if retained { retained::run(options) } else { Figures::new() },
        readers: if readers { readers::run(options) } else { None },
        rules: if rules && options.only.is_empty() { rules::judge() } else { Vec::new() },
    }
}
