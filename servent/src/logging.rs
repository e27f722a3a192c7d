//! The log of a program: what `env_logger` filters and formats, `log_limit` keeps from being said too often, and
//! `log_sink` writes to stderr without making anybody wait.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::log_limit::{Limit, More};
use crate::log_sink::LogSink;
use crate::signals;

/// Where a line that changes is shown: as the log itself, it is one of the program.
static LIVE: OnceLock<LogSink> = OnceLock::new();

/// Whether a line that changes is shown, because the log goes to a terminal.
#[must_use]
pub fn is_live() -> bool {
    LIVE.get().is_some_and(LogSink::is_terminal)
}

/// Shows this as the line that changes, below all that is logged, or none. It waits for nobody.
pub fn show(line: Option<&str>) {
    if let Some(sink) = LIVE.get() {
        sink.show(line);
    }
}

/// The log of this program, once it is started.
#[derive(Clone, Debug)]
pub struct Logging(Arc<Limited>);

/// What is logged at the default level is limited; whoever asks for more gets all of it.
#[derive(Debug)]
struct Limited {
    lines: env_logger::Logger,
    sink: LogSink,
    counted: Mutex<CountedLines>,
    /// Something is counted, and nothing was before.
    counts: Condvar,
}

#[derive(Debug, Default)]
struct CountedLines {
    limit: Limit,
    /// The thread that says numbers in time is started with the first.
    has_thread: bool,
}

/// Starts it: `level` and up go to stderr, or what `RUST_LOG` says. `adjust` may change it further. What a panic says
/// goes there too.
pub fn start(level: LevelFilter, adjust: impl FnOnce(&mut env_logger::Builder)) -> Logging {
    let sink = LogSink::of_stderr();
    let _ = LIVE.set(sink.clone());
    let mut builder = env_logger::Builder::new();
    // Looked at here: the builder says what it does not understand on stderr by itself, and panics where it cannot.
    let chosen = std::env::var(env_logger::DEFAULT_FILTER_ENV).unwrap_or_default();
    let misunderstood = env_filter::Builder::new().try_parse(&chosen).err();
    let is_chosen = !chosen.trim().is_empty() && misunderstood.is_none();
    // With a level for everything else beside it, what it chooses would not be chosen.
    if !is_chosen {
        builder.filter_level(level);
    }
    adjust(&mut builder);
    if is_chosen {
        builder.parse_filters(&chosen);
    }
    if let Ok(style) = std::env::var(env_logger::DEFAULT_WRITE_STYLE_ENV) {
        builder.parse_write_style(&style);
    }
    builder.format_timestamp_millis().target(env_logger::Target::Pipe(Box::new(sink.clone())));
    if !matches!(std::env::var(env_logger::DEFAULT_WRITE_STYLE_ENV).as_deref(), Ok("always" | "never")) {
        // The builder sees a pipe, and cannot know where it leads.
        builder.write_style(anstream::AutoStream::choice(&io::stderr()).into());
    }
    let lines = builder.build();
    let logging = Logging(Arc::new(Limited { lines, sink, counted: Mutex::default(), counts: Condvar::new() }));
    let filter = logging.0.lines.filter();
    if log::set_boxed_logger(Box::new(logging.clone())).is_ok() {
        log::set_max_level(filter);
    }
    if let Err(error) = signals::outlive_full_files() {
        log::debug!("a file that may not grow further ends this program: {error}");
    }
    if let Some(error) = misunderstood {
        log::warn!("{} is not followed: {error}", env_logger::DEFAULT_FILTER_ENV);
    }
    let of_panics = logging.clone();
    std::panic::set_hook(Box::new(move |panic| {
        of_panics.say(&format!("{panic}\n{}", std::backtrace::Backtrace::capture()));
        of_panics.0.sink.finish();
    }));
    logging
}

impl Logging {
    /// Says a line that is not to be dropped: there are few of them.
    pub fn say(&self, line: &str) {
        self.0.sink.say(line);
    }

    /// Says what was counted, and waits until everything was written, but not for long.
    pub fn finish(&self) {
        self.0.say_more(None);
        self.0.sink.finish();
    }
}

impl Log for Logging {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.0.lines.matches(record) {
            return;
        }
        let debug = Metadata::builder().level(Level::Debug).target(record.target()).build();
        if self.0.lines.enabled(&debug) || self.0.let_through(record) {
            self.0.lines.log(record);
        }
    }

    /// Says what was counted.
    fn flush(&self) {
        self.0.say_more(None);
    }
}

impl Limited {
    /// Lets a line be said, or counts it: false then, and somebody waits for the moment to say the number.
    fn let_through(self: &Arc<Limited>, record: &Record<'_>) -> bool {
        let mut counted = self.lock();
        let had_due = counted.limit.due().is_some();
        let is_allowed = counted.limit.let_through(Instant::now(), record);
        if !had_due && counted.limit.due().is_some() {
            if !counted.has_thread {
                let limited = Arc::clone(self);
                let count = move || limited.say_more_in_time();
                // Without a thread the number is said at the end.
                counted.has_thread = thread::Builder::new().name("log counts".to_owned()).spawn(count).is_ok();
            }
            self.counts.notify_one();
        }
        is_allowed
    }

    fn say_more_in_time(&self) {
        let mut counted = self.lock();
        loop {
            counted = match counted.limit.due() {
                None => self.counts.wait(counted).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    self.counts.wait_timeout(counted, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            drop(counted);
            self.say_more(Some(Instant::now()));
            counted = self.lock();
        }
    }

    fn say_more(&self, by: Option<Instant>) {
        let due = self.lock().limit.take_due(by);
        for More { target, level, text } in due {
            let mut record = Record::builder();
            self.lines.log(&record.level(level).target(&target).args(format_args!("{text}")).build());
        }
    }

    fn lock(&self) -> MutexGuard<'_, CountedLines> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
