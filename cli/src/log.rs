//! What `-v` shows: the events of `tracing`, one line each, on standard error.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::escape::escape;
use crate::redact;

/// Starts to show events: with `-v` what is done, with `-vv` what is asked of hosts.
pub(crate) fn start(verbose: u8) {
    let most = match verbose {
        0 => return,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let log = Log { most, spans: AtomicU64::new(1) };
    // Only a second start in the same process can fail, and then the first one goes on.
    let _ = tracing::subscriber::set_global_default(log);
}

struct Log {
    most: Level,
    spans: AtomicU64,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && metadata.target().starts_with("tcloud")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { text: String::new() };
        let _ = write!(line.text, "{:>5} {}:", event.metadata().level(), event.metadata().target());
        event.record(&mut line);
        let _ = writeln!(std::io::stderr(), "{}", escape(&redact::process().scrub(&line.text)));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line {
    text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.text, " {value:?}"),
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}
