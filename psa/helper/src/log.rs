//! Log lines for the journal: one line an event, to the standard error, with the priority that journald reads.

use std::fmt;
use std::io::stderr;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, fmt};
use tracing_subscriber::registry::LookupSpan;

/// Begins to log; lines begin with `<priority>` (sd-daemon(3)) when the journal reads them.
pub fn start(for_journal: bool) {
    let format = Lines { for_journal };
    fmt().event_format(format).with_max_level(LevelFilter::INFO).with_writer(stderr).init();
}

struct Lines {
    for_journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        if self.for_journal {
            write!(out, "<{}>", priority(level))?;
        } else {
            write!(out, "{level:5} ")?;
        }
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// syslog(3)'s number of a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
