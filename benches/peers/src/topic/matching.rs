//! The workloads: each tree is built, judged, changed and timed.
//!
//! ```text
//!   ours     build, judge, change -------------------------.
//!   LIMIT    build, judge ------ timed in turn with ours --+
//!   a peer   build, judge, change, timed in turn with ours +-- drop
//!   the next peer ...                                      '--
//! ```
//!
//! One peer at a time, since six trees of a million filters do not fit beside each other. So ours is timed with each, its
//! figure is the median of all, and what stood beside it is scaled by how much slower or faster than that ours was then:
//! a busy machine slows both.

use std::any::Any;
use std::collections::HashSet;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mqtt_topic_engine::TopicRouter;
use mqtt_topic_engine::topic_matcher::TopicMatcherNode;
use mqtt_topic_tree::TopicTree;
use paho_mqtt::topic_matcher::TopicMatcher;
use quill::Registry;
use submap::SubMap;

use super::naive;
use super::peer::{Tree, limit, ours, paho};
use super::workload::{Kind, Workload};
use crate::memory::live_bytes;
use crate::options::Options;
use crate::timing::{Contestant, median, medians};

/// A tree that takes longer to build is left out.
const BUILD_MAX: Duration = Duration::from_secs(60);
/// A tree that takes more memory is left out.
const BYTES_MAX: usize = 6 << 30;
/// How many pairs of filter and name the judge looks at, at most.
const JUDGED: usize = 1 << 25;
/// From this size on subscribing and unsubscribing are timed, with filters that are all exact and with many wildcards.
const CHANGED_FROM: usize = 1_000_000;

/// What everybody came to in one workload.
#[derive(Debug)]
pub struct Outcome {
    /// Which of the seven.
    pub kind: Kind,
    /// Its size, and its name in the tables.
    pub size: usize,
    pub case: String,
    /// Nanoseconds per publish.
    pub publish: Vec<(&'static str, f64)>,
    /// Nanoseconds per subscription entered, and per subscription taken out.
    pub subscribe: Vec<(&'static str, f64)>,
    pub unsubscribe: Vec<(&'static str, f64)>,
    /// Bytes per subscription.
    pub bytes: Vec<(&'static str, f64)>,
    /// Who gave wrong sets or none, and how.
    pub faults: Vec<(&'static str, String)>,
}

/// Runs one workload.
pub fn run(options: &Options, kind: Kind, size: usize) -> Outcome {
    let workload = Workload::new(kind, size);
    let sample = (JUDGED / workload.filters.len()).clamp(1, 256).min(workload.names.len());
    let names = workload.names.iter().take(sample);
    let expected = names.map(|name| naive::all_matching(&workload.filters, name)).collect();
    let outcome = Outcome {
        kind,
        size: workload.filters.len(),
        case: workload.case.clone(),
        publish: Vec::new(),
        subscribe: Vec::new(),
        unsubscribe: Vec::new(),
        bytes: Vec::new(),
        faults: Vec::new(),
    };
    let workload = Rc::new(workload);
    let mut stage =
        Stage { options, workload, expected, ours: None, heats: Vec::new(), batched: Vec::new(), outcome };
    stage.ours = stage.ready::<ours::Subscriptions>().map(Rc::new);
    match kind {
        Kind::Exact => {
            stage.enter::<limit::Hashed<foldhash::fast::RandomState>>();
            stage.enter::<limit::Hashed<std::hash::RandomState>>();
        }
        Kind::Crowd => stage.enter::<limit::Copied>(),
        _ => {}
    }
    stage.enter::<TopicTree>();
    stage.enter::<Registry<u32>>();
    stage.enter::<TopicMatcherNode<HashSet<u32>>>();
    stage.enter::<TopicRouter<u32>>();
    stage.enter::<SubMap<u32>>();
    // It keeps one value per filter: the list of subscribers is its user's.
    if kind != Kind::Crowd {
        stage.enter::<TopicMatcher<paho::Ids>>();
    }
    stage.done()
}

/// One of the others, its nanoseconds, and ours measured in turn with it.
struct Heat {
    name: &'static str,
    ns: f64,
    ours_ns: Option<f64>,
}

struct Stage<'a> {
    options: &'a Options,
    workload: Rc<Workload>,
    /// The right sets of the first names.
    expected: Vec<Vec<u32>>,
    ours: Option<Rc<ours::Subscriptions>>,
    /// Everybody's nanoseconds, and ours in turn with them.
    heats: Vec<Heat>,
    /// Ours in batches, each time.
    batched: Vec<Heat>,
    outcome: Outcome,
}

impl Stage<'_> {
    /// Builds, judges, changes, judges again. `None` if there is nothing to time.
    fn ready<T: Tree>(&mut self) -> Option<T> {
        if !T::NAME.contains(&self.options.who) {
            return None;
        }
        eprintln!("{}: {}", self.workload.case, T::NAME);
        let (mut tree, mut tickets) = self.build::<T>()?;
        self.judge(&tree, "")?;
        if self.outcome.size >= CHANGED_FROM && matches!(self.outcome.kind, Kind::Exact | Kind::Deep) {
            self.change(&mut tree, &mut tickets);
            self.judge(&tree, ", after removals")?;
        }
        Some(tree)
    }

    fn enter<T: Tree>(&mut self) {
        let Some(tree) = self.ready::<T>() else { return };
        let mut both = vec![publisher(Rc::new(tree), &self.workload)];
        both.extend(self.ours.as_ref().map(|ours| publisher(Rc::clone(ours), &self.workload)));
        both.extend(self.ours.as_ref().map(|ours| batcher(Rc::clone(ours), &self.workload)));
        let each = medians(&mut both, self.options.rounds(), self.options.slice());
        if let [ns, rest @ ..] = each.as_slice() {
            self.heats.push(Heat { name: T::NAME, ns: *ns, ours_ns: rest.first().copied() });
            // In turn with ours, one by one, too: scaled as others are.
            let ours_ns = rest.first().copied();
            let batched = rest.get(1).map(|ns| Heat { name: ours::BATCHED, ns: *ns, ours_ns });
            self.batched.extend(batched);
        }
    }

    /// Without anybody else, ours is timed alone.
    fn done(mut self) -> Outcome {
        let mut ours_ns: Vec<_> = self.heats.iter().filter_map(|heat| heat.ours_ns).collect();
        if let Some(ours) = &self.ours {
            if ours_ns.is_empty() {
                let mut alone =
                    [publisher(Rc::clone(ours), &self.workload), batcher(Rc::clone(ours), &self.workload)];
                let each = medians(&mut alone, self.options.rounds(), self.options.slice());
                ours_ns = each.iter().take(1).copied().collect();
                let batched = each.get(1).map(|ns| Heat { name: ours::BATCHED, ns: *ns, ours_ns: None });
                self.batched.extend(batched);
            }
            self.outcome.publish.push((ours::NAME, median(ours_ns.clone())));
        }
        let all = median(ours_ns);
        let scaled = |heat: &Heat| heat.ours_ns.map_or(heat.ns, |ours_ns| heat.ns * all / ours_ns);
        if !self.batched.is_empty() {
            let batched = median(self.batched.iter().map(scaled).collect());
            self.outcome.publish.push((ours::BATCHED, batched));
        }
        self.outcome.publish.extend(self.heats.iter().map(|heat| (heat.name, scaled(heat))));
        self.outcome
    }

    fn build<T: Tree>(&mut self) -> Option<(T, Vec<Option<T::Ticket>>)> {
        let filters = &self.workload.filters;
        let mut tickets = Vec::with_capacity(filters.len());
        let (start, before) = (Instant::now(), live_bytes());
        let bytes = || live_bytes().saturating_sub(before).unsigned_abs();
        let mut tree = T::new(filters.len() as u32);
        for (id, filter) in (0_u32..).zip(filters.iter()) {
            tickets.push(tree.subscribe(filter, id));
            if id % 4096 == 0 && (start.elapsed() > BUILD_MAX || bytes() > BYTES_MAX) {
                let fault = format!(
                    "left out: with {id} filters after {:.0} s and {:.1} GiB",
                    start.elapsed().as_secs_f64(),
                    bytes() as f64 / (1 << 30) as f64
                );
                self.outcome.faults.push((T::NAME, fault));
                return None;
            }
        }
        let bytes = bytes() as f64 / filters.len() as f64;
        self.outcome.bytes.push((T::NAME, bytes));
        Some((tree, tickets))
    }

    /// Compares the first names' sets. `None` if there is a panic: then there is nothing to time.
    fn judge<T: Tree>(&mut self, tree: &T, when: &str) -> Option<()> {
        let sets: Vec<_> = self.workload.names.iter().take(self.expected.len()).collect();
        let sets: Vec<_> = sets.into_iter().map(|name| matched(tree, name)).collect();
        let all = sets.len();
        let panics = sets.iter().filter(|set| set.is_none()).count();
        let wrong =
            sets.iter().zip(&self.expected).filter(|(set, right)| set.as_ref() != Some(*right)).count();
        let fault = match (panics, wrong) {
            (0, 0) => return Some(()),
            (0, _) => format!("{wrong} of {all} sets wrong{when}: timed, not counted"),
            _ => format!("{panics} of {all} names panic{when}: not timed"),
        };
        if T::NAME == ours::NAME {
            panic!("{}: {fault}", self.workload.case);
        }
        self.outcome.faults.push((T::NAME, fault));
        (panics == 0).then_some(())
    }

    /// Takes a random part of the subscriptions out and puts it back, three times.
    fn change<T: Tree>(&mut self, tree: &mut T, tickets: &mut [Option<T::Ticket>]) {
        let filters = &self.workload.filters;
        let mut random = Rng::with_seed(7);
        let mut some = random.choose_multiple(0..filters.len(), filters.len() / 20);
        let (mut subscribe, mut unsubscribe) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            random.shuffle(&mut some);
            let start = Instant::now();
            for &which in &some {
                if let Some(ticket) = tickets.get_mut(which).and_then(Option::take) {
                    tree.unsubscribe(filters.at(which), which as u32, ticket);
                }
            }
            unsubscribe.push(start.elapsed().as_nanos() as f64 / some.len() as f64);
            random.shuffle(&mut some);
            let start = Instant::now();
            for &which in &some {
                if let Some(ticket) = tickets.get_mut(which) {
                    *ticket = tree.subscribe(filters.at(which), which as u32);
                }
            }
            subscribe.push(start.elapsed().as_nanos() as f64 / some.len() as f64);
        }
        self.outcome.subscribe.push((T::NAME, median(subscribe)));
        self.outcome.unsubscribe.push((T::NAME, median(unsubscribe)));
    }
}

/// One that goes round the names for ever.
fn publisher<T: Tree>(tree: Rc<T>, workload: &Rc<Workload>) -> Contestant {
    let workload = Rc::clone(workload);
    // Room for all: it does not move, and is no neighbour of anybody's list.
    let (mut ids, mut next) = (Vec::with_capacity(1 << 16), 0);
    Contestant::repeated(T::NAME, move || {
        let name = workload.names.at(next);
        next = if next + 1 < workload.names.len() { next + 1 } else { 0 };
        ids.clear();
        tree.matches(black_box(name), &mut ids);
        black_box(&ids);
    })
}

/// The same with many names in one call.
fn batcher(tree: Rc<ours::Subscriptions>, workload: &Rc<Workload>) -> Contestant {
    let workload = Rc::clone(workload);
    let mut next = 0;
    let mut ids: [Vec<u32>; ours::BATCH] = std::array::from_fn(|_| Vec::with_capacity(1 << 10));
    Contestant::many(ours::BATCHED, ours::BATCH as u64, move || {
        let names = (0..ours::BATCH).map(|_| {
            let name = workload.names.at(next);
            next = if next + 1 < workload.names.len() { next + 1 } else { 0 };
            black_box(name)
        });
        ids.iter_mut().for_each(Vec::clear);
        tree.matches_batch(names, &mut ids);
        black_box(&ids);
    })
}

/// The set of a name in order, or `None` for a panic.
pub fn matched<T: Tree>(tree: &T, name: &str) -> Option<Vec<u32>> {
    caught(|| {
        let mut ids = Vec::new();
        tree.matches(name, &mut ids);
        ids.sort_unstable();
        ids
    })
}

/// What a call gives, or `None` for a panic, of which nothing is printed.
pub fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send>;
    let hook: Hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    panic::set_hook(hook);
    result.map_err(|panic: Box<dyn Any + Send>| drop(panic)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forgets every third subscription, and panics at one name.
    struct Forgetful(Vec<(String, u32)>);

    impl Tree for Forgetful {
        const NAME: &'static str = "forgetful";
        type Ticket = ();

        fn new(_: u32) -> Self {
            Self(Vec::new())
        }

        fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
            if !id.is_multiple_of(3) {
                self.0.push((filter.to_owned(), id));
            }
            Some(())
        }

        fn unsubscribe(&mut self, _: &str, _: u32, (): ()) {}

        fn matches(&self, name: &str, ids: &mut Vec<u32>) {
            assert_ne!(name, "panic");
            ids.extend(self.0.iter().filter(|(filter, _)| naive::matches(filter, name)).map(|(_, id)| id));
        }
    }

    fn stage<'a>(options: &'a Options, names: &[&str]) -> Stage<'a> {
        let mut workload = Workload::new(Kind::Exact, 27);
        workload.names = names.iter().collect();
        let expected = names.iter().map(|name| naive::all_matching(&workload.filters, name)).collect();
        let outcome = Outcome {
            kind: Kind::Exact,
            size: 27,
            case: String::new(),
            publish: Vec::new(),
            subscribe: Vec::new(),
            unsubscribe: Vec::new(),
            bytes: Vec::new(),
            faults: Vec::new(),
        };
        Stage {
            options,
            workload: Rc::new(workload),
            expected,
            ours: None,
            heats: Vec::new(),
            batched: Vec::new(),
            outcome,
        }
    }

    fn quick() -> Options {
        <Options as clap::Parser>::parse_from(["topic", "--quick"])
    }

    #[test]
    fn wrong_sets_are_counted_and_timed() {
        let workload = Workload::new(Kind::Exact, 27);
        let names: Vec<&str> = workload.filters.iter().collect();
        let options = quick();
        let mut stage = stage(&options, &names);
        stage.enter::<Forgetful>();
        let outcome = stage.done();
        let fault = "9 of 27 sets wrong: timed, not counted".to_owned();
        assert_eq!(outcome.faults, [("forgetful", fault)]);
        assert_eq!(outcome.publish.len(), 1);
    }

    #[test]
    fn who_panics_is_not_timed() {
        let options = quick();
        let mut stage = stage(&options, &["panic", "a"]);
        stage.enter::<Forgetful>();
        let outcome = stage.done();
        assert_eq!(outcome.faults, [("forgetful", "1 of 2 names panic: not timed".to_owned())]);
        assert!(outcome.publish.is_empty());
    }

    #[test]
    fn batches_find_what_single_names_find() {
        let workload = Workload::new(Kind::Deep, 1_000);
        let mut tree = ours::Subscriptions::new(0);
        for (id, filter) in (0..).zip(workload.filters.iter()) {
            tree.subscribe(filter, id);
        }
        let mut ids = std::array::from_fn(|_| Vec::new());
        tree.matches_batch(workload.names.iter().take(ours::BATCH), &mut ids);
        for (name, mut ids) in workload.names.iter().zip(ids) {
            ids.sort_unstable();
            assert_eq!(matched(&tree, name), Some(ids), "{name}");
        }
    }

    #[test]
    fn figures_are_scaled_to_the_median_of_ours() {
        let options = quick();
        let mut stage = stage(&options, &["a"]);
        stage.ours = Some(Rc::new(ours::Subscriptions::new(0)));
        stage.heats = [("x", 30.0, 10.0), ("y", 60.0, 20.0), ("z", 90.0, 40.0)]
            .map(|(name, ns, ours_ns)| Heat { name, ns, ours_ns: Some(ours_ns) })
            .into();
        let expected = [(ours::NAME, 20.0), ("x", 60.0), ("y", 60.0), ("z", 45.0)];
        assert_eq!(stage.done().publish, expected);
    }
}
