//! The table for people: a line for each call, its streams below it, registrations, and the summary at the end.

use std::io::{self, Write};

use sniffer_core::record::{CallRecord, Record, RegistrationRecord, StreamRecord, SummaryRecord};

/// Prints records as lines that fit together.
#[derive(Debug, Default)]
pub struct Table {
    has_heading: bool,
}

impl Table {
    /// Prints one record.
    pub fn print(&mut self, output: &mut impl Write, record: Record) -> io::Result<()> {
        match record {
            Record::Call(call) => self.call(output, &call),
            Record::Stream(stream) => self.stream(output, &stream),
            Record::Registration(registration) => self.registration(output, &registration),
            Record::Summary(summary) => Self::summary(output, &summary),
        }
    }

    fn heading(&mut self, output: &mut impl Write) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_heading, true) {
            writeln!(output, "{:27}  {:12} {:>4}  {:>9}  from -> to", "start", "state", "code", "seconds")?;
        }
        Ok(())
    }

    fn call(&mut self, output: &mut impl Write, call: &CallRecord) -> io::Result<()> {
        self.heading(output)?;
        let code = call.final_status.map(|status| status.to_string()).unwrap_or_default();
        let seconds = match (call.answered, call.end) {
            (Some(answered), Some(end)) => format!("{:.3}", end.since(answered).as_secs_f64()),
            _ => "-".to_owned(),
        };
        let state = name(&call.state);
        let note = if call.lost_here { "  (packets lost by this capture)" } else { "" };
        writeln!(output, "{}  {state:12} {code:>4}  {seconds:>9}  {} -> {}{note}", call.start, call.from, call.to)
    }

    fn stream(&mut self, output: &mut impl Write, stream: &StreamRecord) -> io::Result<()> {
        self.heading(output)?;
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        writeln!(
            output,
            "  rtp {} -> {}  {}  packets {}  lost {}  duplicates {}  reordered {}  jitter {}/{} ms  mos {}",
            stream.src,
            stream.dst,
            stream.codec.as_deref().unwrap_or("unknown codec"),
            stream.packets,
            stream.lost,
            stream.duplicates,
            stream.reordered,
            figure(stream.jitter_ms_mean),
            figure(stream.jitter_ms_max),
            figure(stream.mos),
        )
    }

    fn registration(&mut self, output: &mut impl Write, one: &RegistrationRecord) -> io::Result<()> {
        self.heading(output)?;
        let code = one.final_status.map(|status| status.to_string()).unwrap_or_default();
        let contact = one.contact.as_deref().unwrap_or("-");
        writeln!(output, "{}  {:12} {code:>4}  {:>9}  {} at {contact}", one.start, name(&one.state), "", one.aor)
    }

    fn summary(output: &mut impl Write, summary: &SummaryRecord) -> io::Result<()> {
        writeln!(
            output,
            "\n{} calls, {} streams, {} registrations\n{} packets: {} SIP, {} RTP, {} RTCP",
            summary.calls,
            summary.streams,
            summary.registrations,
            summary.packets,
            summary.sip_messages,
            summary.rtp_packets,
            summary.rtcp_packets
        )?;
        for (stage, reasons) in &summary.dropped {
            for (reason, packets) in reasons {
                writeln!(output, "  not used: {packets} at {stage}, {reason}")?;
            }
        }
        Ok(())
    }
}

/// The name of a state as the JSON has it.
fn name(state: &impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
