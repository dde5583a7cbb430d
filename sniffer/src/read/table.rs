//! The table for people: a line for each call, its streams below it, registrations, and the summary at the end. It fits
//! 80 columns and uses more where they are.

use std::io::{self, Write};

use sniffer_core::record::{
    CallRecord, Direction, ExchangeRecord, Record, RegistrationRecord, StreamRecord, SubscriptionRecord, SummaryRecord,
};

/// Columns when nobody says how many there are.
const WIDTH: usize = 80;
/// More columns than this make lines that the eye loses.
const WIDEST: usize = 160;
/// Columns in front of the parties: start, state, code, talk.
const FRONT: usize = 49;

/// Prints records as lines that fit together.
#[derive(Debug)]
pub struct Table {
    width: usize,
    has_heading: bool,
}

impl Table {
    /// A table of so many columns: those of the environment variable COLUMNS, or 80.
    #[must_use]
    pub fn of_environment() -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self::new(columns.unwrap_or(WIDTH))
    }

    /// A table of so many columns.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width: width.clamp(WIDTH, WIDEST), has_heading: false }
    }

    /// Prints one record.
    pub fn print(&mut self, output: &mut impl Write, record: Record) -> io::Result<()> {
        match record {
            Record::Call(call) => self.call(output, &call),
            Record::Stream(stream) => self.stream(output, &stream),
            Record::Registration(registration) => self.registration(output, &registration),
            Record::Subscription(subscription) => self.subscription(output, &subscription),
            Record::Exchange(exchange) => self.exchange(output, &exchange),
            Record::Summary(summary) => Self::summary(output, &summary),
        }
    }

    fn heading(&mut self, output: &mut impl Write) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_heading, true) {
            writeln!(output, "{:19}  {:11} {:>4} {:>9}  from → to", "start (UTC)", "state", "code", "talk")?;
        }
        Ok(())
    }

    /// Prints a call.
    pub fn call(&mut self, output: &mut impl Write, call: &CallRecord) -> io::Result<()> {
        self.heading(output)?;
        let talk = match (call.answered, call.end) {
            (Some(answered), Some(end)) => duration(end.since(answered).as_secs_f64()),
            _ => "-".to_owned(),
        };
        let room = self.width.saturating_sub(FRONT + 3) / 2;
        let (from, to) = (party(&call.from, room), party(&call.to, room));
        self.front(output, &call.start.to_string(), &name(&call.state), call.final_status, &talk)?;
        writeln!(output, "{from} → {to}")?;
        if call.lost_here {
            writeln!(output, "  ! this capture lost packets meanwhile: do not trust loss and MOS")?;
        }
        if let Some(direction) = call.one_way_audio {
            let (from, to) = match direction {
                Direction::CallerToCallee => ("caller", "callee"),
                Direction::CalleeToCaller => ("callee", "caller"),
            };
            let seconds = call.one_way_audio_ms.map(|ms| ms / 1000.0);
            let time = seconds.map(|seconds| format!(" for {}", duration(seconds))).unwrap_or_default();
            writeln!(output, "  ! one-way audio: the {to} heard nothing from the {from}{time}")?;
        }
        Ok(())
    }

    /// Start to the second, state, code, talk: the columns that all rows have.
    fn front(
        &self,
        output: &mut impl Write,
        start: &str,
        state: &str,
        code: Option<u16>,
        talk: &str,
    ) -> io::Result<()> {
        let code = code.map(|code| code.to_string()).unwrap_or_default();
        let start = start.get(..19).unwrap_or(start).replacen('T', " ", 1);
        write!(output, "{start:19}  {state:11} {code:>4} {talk:>9}  ")
    }

    /// Prints a stream.
    pub fn stream(&mut self, output: &mut impl Write, stream: &StreamRecord) -> io::Result<()> {
        self.heading(output)?;
        let arrow = match stream.direction {
            Some(Direction::CallerToCallee) => '→',
            Some(Direction::CalleeToCaller) => '←',
            None => '·',
        };
        let figure = |value: Option<f64>, digits| value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"));
        let codec = printable(stream.codec.as_deref().unwrap_or("?"));
        write!(
            output,
            "  {arrow} {:8} {:>7} pkt {:>5} % lost {:>6} ms MOS {:4} ",
            cut(&codec, 8),
            stream.packets,
            percent(stream.lost, stream.expected),
            figure(stream.jitter_ms_max, 1),
            figure(stream.mos, 2),
        )?;
        // 80 columns have room for where it goes, 100 for where it comes from as well.
        if self.width >= 100 {
            write!(output, "{} ", stream.src)?;
        }
        write!(output, "→ {}", stream.dst)?;
        if stream.duplicates > 0 || stream.reordered > 0 {
            write!(output, "\n      {} duplicates, {} out of order", stream.duplicates, stream.reordered)?;
        }
        writeln!(output)
    }

    fn registration(&mut self, output: &mut impl Write, one: &RegistrationRecord) -> io::Result<()> {
        self.heading(output)?;
        let room = self.width.saturating_sub(FRONT + 4) / 2;
        let contact = one.contact.as_deref().map_or_else(|| "-".into(), |contact| party(contact, room));
        self.front(output, &one.start.to_string(), &name(&one.state), one.final_status, "")?;
        writeln!(output, "{} at {contact}", party(&one.aor, room))
    }

    fn subscription(&mut self, output: &mut impl Write, one: &SubscriptionRecord) -> io::Result<()> {
        self.heading(output)?;
        let room = self.width.saturating_sub(FRONT + 3) / 2;
        let event = printable(one.event.as_deref().unwrap_or("-"));
        self.front(output, &one.start.to_string(), &name(&one.state), one.final_status, "")?;
        writeln!(output, "{} → {}", party(&one.from, room), party(&one.to, room))?;
        writeln!(output, "  {} {}: {} notifications", one.method, cut(&event, 32), one.notifies)
    }

    fn exchange(&mut self, output: &mut impl Write, one: &ExchangeRecord) -> io::Result<()> {
        self.heading(output)?;
        let room = self.width.saturating_sub(FRONT + 3) / 2;
        let results: Vec<_> = one.results.iter().map(|(status, count)| format!("{count} x {status}")).collect();
        let results = if results.is_empty() { "no answer".to_owned() } else { results.join(", ") };
        self.front(output, &one.start.to_string(), &one.method, None, "")?;
        writeln!(output, "{} → {}", party(&one.from, room), party(&one.to, room))?;
        writeln!(output, "  {} requests, {} unanswered, {results}", one.requests, one.unanswered)
    }

    fn summary(output: &mut impl Write, summary: &SummaryRecord) -> io::Result<()> {
        writeln!(
            output,
            "\n{}, {}, {}\n{}: {} SIP, {} RTP, {} RTCP",
            count(summary.calls, "call"),
            count(summary.streams, "stream"),
            count(summary.registrations, "registration"),
            count(summary.packets, "packet"),
            summary.sip_messages,
            summary.rtp_packets,
            summary.rtcp_packets
        )?;
        for (stage, reasons) in &summary.dropped {
            for (reason, packets) in reasons {
                writeln!(output, "  not used: {packets} at {stage}, {reason}")?;
            }
        }
        for (table, entries) in &summary.evicted {
            writeln!(output, "  ! given up before their end, as their table was full: {entries} {table}")?;
        }
        let unannounced = summary.dropped.get("track").and_then(|reasons| reasons.get("no_signalling"));
        if let (Some(packets), 0, 0) = (unannounced, summary.calls, summary.streams) {
            writeln!(output, "{packets} look like media that no call announces; --rtp-without-sip shows them")?;
        }
        Ok(())
    }
}

/// So many of something.
fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The name of a state as the JSON has it.
fn name(state: &impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Seconds as `12.3 s`, `4:05` or `1:02:03`.
fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Tenths of a per cent, cut and not rounded: what shows 0.0 lost less than one packet in a thousand, what shows 100 all.
fn percent(part: u64, whole: u64) -> String {
    let thousandths = part.saturating_mul(1000).checked_div(whole).unwrap_or(0);
    format!("{}.{}", thousandths / 10, thousandths % 10)
}

/// A URI in so many columns: its scheme and parameters go first, then its host, then its end.
fn party(uri: &str, room: usize) -> String {
    let text = printable(uri);
    let text = ["sips:", "sip:", "tel:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(&text);
    let text = text.split([';', '?']).next().unwrap_or(text);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    cut(text.split('@').next().filter(|user| !user.is_empty()).unwrap_or(text), room)
}

/// Foreign text as a terminal may show it: a control character or one that turns the direction of writing could rewrite
/// the screen.
fn printable(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if is_odd(c) { '�' } else { c }).collect()
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_loses_what_matters_least_first() {
        assert_eq!(party("sip:+351215550001@192.0.2.10;user=phone", 40), "+351215550001@192.0.2.10");
        assert_eq!(party("sip:+351215550001@192.0.2.10", 14), "+351215550001");
        assert_eq!(party("sip:a.very.long.name@192.0.2.10", 8), "a.very.…");
        assert_eq!(party("sip:gateway.example.net", 8), "gateway…");
    }

    #[test]
    fn a_caller_cannot_write_to_the_terminal() {
        let text = party("sip:\x1b[2J\u{202e}evil\r@x", 60);
        assert_eq!(text, "�[2J�evil�@x");
    }

    #[test]
    fn loss_is_never_shown_larger_than_it_is() {
        assert_eq!((percent(0, 0).as_str(), percent(1, 1001).as_str()), ("0.0", "0.0"));
        assert_eq!((percent(3, 100).as_str(), percent(5, 5).as_str()), ("3.0", "100.0"));
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!([duration(4.25), duration(245.0), duration(3723.9)], ["4.2 s", "4:05", "1:02:03"]);
    }
}
