//! Many runs at once, over the cores of the machine, told in the order in which they were asked for.
//!
//! A run stays on one thread; nothing of it depends on how many there are. What is told of a run is `report`'s.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use super::report::ShownRun;
use sim::Engine;
use sim::bare;
use sim::outcome::RunOutcome;
use sim::plan::Plan;
use sim::scene::{Asking, Scene};

/// How many runs per thread are started before the oldest is told: a long one must not fill the memory with others.
const AHEAD_MAX: usize = 16;

/// So many bare floods are timed for one, and the time in the middle counts: it is short, and other work on the machine
/// makes more of it than of a real flood.
const BARE_FLOODS: usize = 3;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does something without a word on stderr for each panic in it: whoever makes a run small meets the same one a hundred
/// times.
pub fn quietly<T>(what: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                before(panic);
            }
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let done = what();
    IS_QUIET.set(was_quiet);
    done
}

/// Draws a plan, runs it, and reports. A panic of what is run is an invariant that broke. Where it is asked for, a bare
/// model of the same floods is timed, too.
pub fn run(plan: &Plan, bare: bool, engine: Engine) -> anyhow::Result<ShownRun> {
    let scene = Scene::draw(plan)?;
    let flood = |asking: &Asking| {
        let contact = asking.contact as usize;
        let mut times = [(); BARE_FLOODS].map(|()| bare::flood(&scene.graph, contact, scene.ttls[contact]).seconds);
        times.sort_unstable_by(f64::total_cmp);
        times[BARE_FLOODS / 2]
    };
    // First, while the memory is as fresh as it will be for the run.
    let bare_seconds = bare.then(|| scene.queries.iter().map(flood).sum());
    let mut outcome = catch_unwind(|| engine(&scene)).unwrap_or_else(|panic| RunOutcome {
        links: scene.graph.links_count(),
        queries: scene.queries.len(),
        broken: vec![format!("panicked: {}", in_one_line(words_of(&*panic)))],
        ..RunOutcome::default()
    });
    outcome.bare_seconds = bare_seconds;
    Ok(ShownRun::new(plan, &scene, outcome))
}

/// What whoever panicked said.
pub fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("for no reason it gave")
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the threads share.
struct SharedWork<I, T> {
    items: I,
    /// How many were taken, and how many told.
    taken: usize,
    told: usize,
    done: BTreeMap<usize, T>,
    /// No more are to be taken: there are none, or nobody wants to know.
    over: bool,
}

/// Works on items on some threads, or on the caller's where one is enough, and hands each result on, in the order of the
/// items, until there are no more or `each` cannot go on.
pub fn in_order<I, T, E>(
    items: I,
    threads: usize,
    work: impl Fn(I::Item) -> T + Sync,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    I: Iterator + Send,
    T: Send,
{
    let threads = threads.min(items.size_hint().1.unwrap_or(usize::MAX));
    if threads <= 1 {
        // Not on a thread of its own: that would get its memory from a slower corner of glibc's allocator.
        return items.into_iter().map(work).try_for_each(each);
    }
    let ahead_max = threads * AHEAD_MAX;
    let shared = Mutex::new(SharedWork { items, taken: 0, told: 0, done: BTreeMap::new(), over: false });
    let changed = Condvar::new();
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = |guard| changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    let take = || {
        let mut shared: MutexGuard<'_, SharedWork<I, T>> = lock();
        while !shared.over && shared.taken - shared.told >= ahead_max {
            shared = wait(shared);
        }
        let item = if shared.over { None } else { shared.items.next() };
        if item.is_none() {
            shared.over = true;
            changed.notify_all();
        }
        let place = shared.taken;
        shared.taken += usize::from(item.is_some());
        Some((place, item?))
    };
    let worker = || {
        while let Some((place, item)) = take() {
            let result = catch_unwind(AssertUnwindSafe(|| work(item)));
            let mut shared = lock();
            match result {
                Ok(result) => shared.done.insert(place, result),
                Err(panic) => {
                    // Whoever waits for this result must not wait for ever.
                    shared.over = true;
                    shared.taken = shared.taken.min(place);
                    changed.notify_all();
                    drop(shared);
                    resume_unwind(panic);
                }
            };
            changed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
        let mut shared = lock();
        loop {
            let next = shared.told;
            if let Some(result) = shared.done.remove(&next) {
                drop(shared);
                let told = catch_unwind(AssertUnwindSafe(|| each(result)));
                shared = lock();
                shared.told += 1;
                // Whoever cannot go on must not leave the others waiting.
                shared.over |= !matches!(told, Ok(Ok(())));
                changed.notify_all();
                match told {
                    Ok(Ok(())) => {}
                    Ok(error) => return error,
                    Err(panic) => {
                        drop(shared);
                        resume_unwind(panic);
                    }
                }
            } else if shared.over && next >= shared.taken {
                return Ok(());
            } else {
                shared = wait(shared);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for threads in [0, 1, 2, 7] {
            let mut seen = Vec::new();
            let work = |item: u64| {
                // Some take long, so that later ones are done before them.
                (0..(item % 7) * 2000).fold(0_u64, |sum, n| sum.wrapping_add(std::hint::black_box(n)));
                item
            };
            let told = in_order(0..500, threads, work, |item| {
                seen.push(item);
                Ok::<(), ()>(())
            });
            assert_eq!(told, Ok(()));
            assert!(seen.into_iter().eq(0..500));
        }
    }

    #[test]
    fn nothing_is_nothing() {
        let told = in_order(std::iter::empty::<u8>(), 3, |item| item, |_| Err("there was something"));
        assert_eq!(told, Ok(()));
    }

    #[test]
    fn whoever_has_enough_gets_no_more_and_little_is_done_for_nothing() {
        let started = AtomicUsize::new(0);
        let mut told = 0;
        let work = |_| started.fetch_add(1, Ordering::SeqCst);
        let ended = in_order(0..u64::MAX, 2, work, |_| {
            told += 1;
            if told == 10 { Err("enough") } else { Ok(()) }
        });
        assert_eq!((ended, told), (Err("enough"), 10));
        assert!(started.load(Ordering::SeqCst) <= 10 + 2 * AHEAD_MAX);
    }

    #[test]
    fn a_panic_is_passed_on_and_nobody_waits() {
        let result = catch_unwind(|| {
            let work = |item| if item == 30 { resume_unwind(Box::new("enough")) } else { item };
            in_order(0..1000, 3, work, |_| Ok::<(), ()>(()))
        });
        assert!(result.is_err());
        let told = catch_unwind(|| {
            let each = |item| if item == 30 { resume_unwind(Box::new("enough")) } else { Ok::<(), ()>(()) };
            in_order(0..1000, 3, |item| item, each)
        });
        assert!(told.is_err());
        assert_eq!(words_of(&"so"), "so");
        assert_eq!(words_of(&"so".to_owned()), "so");
        assert_eq!(words_of(&1), "for no reason it gave");
        assert_eq!(in_one_line("not equal\n  left: 1\n right: 2"), "not equal left: 1 right: 2");
    }
}
