//! One call as a line of the table.

use crate::view::state::{State, Tone};
use crate::view::text::foreign;
use crate::view::time::{Clock, length};
use jiff::Timestamp;
use sniffer_core::query::{CallSummary, DirectionQuality};
use sniffer_core::record::CallState;

/// What stands where nothing is known. A figure is never made up.
const UNKNOWN: &str = "–";

/// Below this MOS many users are dissatisfied (ITU-T G.107, table B.1: R 70).
const LOW_MOS: f32 = 3.6;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Start in the machine's zone: the time of day.
    pub start: String,
    /// Its date.
    pub date: String,
    /// Start in UTC, for machines.
    pub start_utc: String,
    /// The caller.
    pub from: Party,
    /// The callee.
    pub to: Party,
    /// How it stands or ended.
    pub outcome: State,
    /// From answer to end; of a call in progress until the page was made.
    pub length: Length,
    /// Quality of each way that was seen: first what the caller sent.
    pub ways: Vec<Way>,
    /// Packets were lost by this machine itself.
    pub lost_here: bool,
}

/// How long a call was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Length {
    /// The length, or a dash.
    pub text: String,
    /// What there is to say about it; empty for most calls.
    pub note: &'static str,
}

/// Who called or was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The number or name.
    pub user: String,
    /// Where, with the `@` before it; empty where the URI has no host.
    pub host: String,
}

/// Quality of one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The arrow.
    pub arrow: &'static str,
    /// The arrow in words.
    pub words: &'static str,
    /// Encoding name.
    pub codec: String,
    /// Per cent of the expected packets that did not come.
    pub lost: String,
    /// Mean jitter.
    pub jitter: String,
    /// Mean opinion score.
    pub mos: String,
    /// Whether many users would be dissatisfied.
    pub is_low: bool,
}

impl CallRow {
    /// The line of a call.
    #[must_use]
    pub fn of(call: &CallSummary, clock: &Clock) -> Self {
        let start = time(call.start);
        Self {
            start: clock.time_of_day(start),
            date: clock.date(start),
            start_utc: call.start.to_string(),
            from: party(&call.from),
            to: party(&call.to),
            outcome: outcome(call.state, call.final_status),
            length: Length::of(call, clock.now()),
            ways: [
                Way::of("→", "from the caller", call.caller_to_callee.as_ref()),
                Way::of("←", "from the callee", call.callee_to_caller.as_ref()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            lost_here: call.lost_here,
        }
    }
}

impl Length {
    /// A call that is over stands still: where its end was not seen, the clock does not stand in for it.
    fn of(call: &CallSummary, now: Timestamp) -> Self {
        let unknown = |note| Self { text: UNKNOWN.into(), note };
        let Some(answered) = call.answered else { return unknown("") };
        let until = |end: Timestamp, note| {
            let seconds = end.as_second().saturating_sub(time(answered).as_second());
            Self { text: length(u64::try_from(seconds).unwrap_or(0)), note }
        };
        match (call.end, call.state) {
            (Some(end), CallState::Interrupted) => until(time(end), "or longer"),
            (Some(end), _) => until(time(end), ""),
            (None, state) if state.is_final() => unknown("end not seen"),
            (None, _) => until(now, ""),
        }
    }
}

impl Way {
    fn of(arrow: &'static str, words: &'static str, quality: Option<&DirectionQuality>) -> Option<Self> {
        let quality = quality?;
        let figure = |value: Option<f32>| value.filter(|value| value.is_finite());
        let mos = figure(quality.mos);
        Some(Self {
            arrow,
            words,
            codec: quality.codec.as_deref().map_or_else(|| UNKNOWN.into(), foreign),
            lost: lost(quality.lost, quality.expected),
            jitter: figure(quality.jitter_ms_mean).map_or_else(|| UNKNOWN.into(), |ms| format!("{ms:.1} ms")),
            mos: mos.map_or_else(|| UNKNOWN.into(), |mos| format!("{mos:.2}")),
            is_low: mos.is_some_and(|mos| mos < LOW_MOS),
        })
    }
}

/// Loss in tenths of a per cent. A loss that rounds to nothing is shown as less than the smallest step, not as none.
fn lost(lost: u64, expected: u64) -> String {
    let tenths = u128::from(lost).saturating_mul(1000).checked_div(u128::from(expected));
    match tenths {
        None => UNKNOWN.into(),
        Some(0) if lost > 0 => "< 0.1 %".into(),
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

fn time(time: sniffer_core::time::Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time.as_nanos())).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A URI without its scheme and parameters: `+351215550134` and `@192.0.2.1`.
fn party(uri: &str) -> Party {
    let rest = ["sip:", "sips:", "tel:"]
        .into_iter()
        .find_map(|scheme| {
            uri.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).and(uri.get(scheme.len()..))
        })
        .unwrap_or(uri);
    // Parameters of the address come behind the host; a user part may hold semicolons of its own (RFC 3261, 25.1).
    let host = rest.find('@').map_or(0, |at| at.saturating_add(1));
    let end = rest
        .get(host..)
        .and_then(|host_part| host_part.find([';', '?']))
        .map_or(rest.len(), |at| host.saturating_add(at));
    let shown = rest.get(..end).unwrap_or(rest);
    let (user, host) =
        shown.split_at_checked(host.saturating_sub(1)).filter(|(user, _)| !user.is_empty()).unwrap_or((shown, ""));
    Party { user: if user.is_empty() { UNKNOWN.into() } else { foreign(user) }, host: foreign(host) }
}

fn outcome(state: CallState, status: Option<u16>) -> State {
    let with = |word: &str| match status {
        Some(status) => format!("{word}, {status}"),
        None => word.to_owned(),
    };
    match state {
        CallState::Trying => State::new(Tone::Plain, "Trying"),
        CallState::Ringing => State::new(Tone::Plain, "Ringing"),
        CallState::InCall => State::new(Tone::Plain, "In progress"),
        CallState::Completed => State::new(Tone::Good, "Answered"),
        CallState::Cancelled => State::new(Tone::Plain, with("Cancelled")),
        CallState::Busy => State::new(Tone::Plain, with("Busy")),
        CallState::NoAnswer => State::new(Tone::Plain, with("No answer")),
        CallState::Declined => State::new(Tone::Plain, with("Declined")),
        CallState::Redirected => State::new(Tone::Plain, with("Redirected")),
        CallState::Failed => State::new(Tone::Bad, with("Failed")),
        CallState::Interrupted => State::new(Tone::Warn, "Not watched to its end"),
        CallState::TimedOut => State::new(Tone::Warn, "No end seen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sniffer_core::query::CallKey;

    #[test]
    fn what_is_unknown_is_a_dash_and_never_a_figure() {
        let quality = DirectionQuality {
            codec: None,
            packets: 0,
            lost: 0,
            expected: 0,
            jitter_ms_mean: None,
            jitter_ms_max: None,
            mos: Some(f32::NAN),
        };
        let way = Way::of("→", "", Some(&quality)).unwrap();
        assert_eq!([&way.codec, &way.lost, &way.jitter, &way.mos].map(String::as_str), [UNKNOWN; 4]);
        assert!(!way.is_low);
        assert_eq!(Way::of("→", "", None), None);
    }

    #[test]
    fn the_length_of_a_call_that_is_over_does_not_grow_with_the_clock() {
        let at = |seconds: u64| sniffer_core::time::Timestamp::from_parts(seconds, 0);
        let call = |state, end: Option<u64>| CallSummary {
            id: CallKey::new(at(100), "x"),
            call_id: "x".into(),
            from: "sip:100@192.0.2.1".into(),
            to: "sip:200@192.0.2.1".into(),
            start: at(100),
            answered: Some(at(110)),
            end: end.map(at),
            state,
            final_status: Some(200),
            lost_here: false,
            caller_to_callee: None,
            callee_to_caller: None,
        };
        let shown = |call: &CallSummary, now: i64| {
            let Length { text, note } = Length::of(call, Timestamp::from_second(now).unwrap());
            format!("{text} {note}")
        };
        for (state, end, early, late) in [
            (CallState::Interrupted, None, "– end not seen", "– end not seen"),
            (CallState::Interrupted, Some(129), "0:19 or longer", "0:19 or longer"),
            (CallState::TimedOut, Some(129), "0:19 ", "0:19 "),
            (CallState::Completed, Some(129), "0:19 ", "0:19 "),
            (CallState::InCall, None, "0:30 ", "2:00:00 "),
        ] {
            let call = call(state, end);
            assert_eq!((shown(&call, 140).as_str(), shown(&call, 7310).as_str()), (early, late), "{state:?} {end:?}");
        }
        let unanswered = CallSummary { answered: None, ..call(CallState::Interrupted, None) };
        assert_eq!(shown(&unanswered, 140), "– ");
    }

    #[test]
    fn a_small_loss_is_not_none() {
        assert_eq!(
            [lost(0, 10), lost(1, 100_000), lost(31, 1000), lost(7, 7)],
            ["0.0 %", "< 0.1 %", "3.1 %", "100.0 %"]
        );
        assert_eq!(lost(u64::MAX, u64::MAX), "100.0 %");
    }

    #[test]
    fn a_party_is_shown_without_scheme_and_parameters() {
        for (uri, user, host) in [
            ("sip:+351215550134@192.0.2.1:5060;transport=udp?x=y", "+351215550134", "@192.0.2.1:5060"),
            ("SIPS:anna;ext=1@example.net;user=phone", "anna;ext=1", "@example.net"),
            ("tel:+44;phone-context=x", "+44", ""),
            ("sip:é@x", "é", "@x"),
            ("sip:192.0.2.1;lr", "192.0.2.1", ""),
            ("sip:@x", "@x", ""),
            ("urn:service:sos", "urn:service:sos", ""),
            ("sip:", UNKNOWN, ""),
        ] {
            assert_eq!(party(uri), Party { user: user.into(), host: host.into() }, "{uri}");
        }
    }
}
