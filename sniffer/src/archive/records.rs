//! The columns of what is neither a call nor of one. Columns may be added; those that are there keep their names and
//! meanings.

use sniffer_core::{
    query::{CallKey, RecordRow},
    record::{ExchangeRecord, OtherRecord, RecordKind, RegistrationRecord, StreamRecord, SubscriptionRecord},
    search,
    time::Timestamp,
};

use super::columns::{Column, Rows, json, key, put, searched, stream_columns, word};

/// What the files of a kind are called.
#[must_use]
pub fn table(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Registration => "registrations",
        RecordKind::Subscription => "subscriptions",
        RecordKind::Exchange => "exchanges",
        // `streams*` reads both tables of streams, which have the same columns.
        RecordKind::Stream => "streams_without_call",
    }
}

/// The table of a kind.
#[must_use]
pub fn columns(kind: RecordKind, rows: &[RecordRow]) -> Vec<Column> {
    match kind {
        RecordKind::Registration => registrations(rows),
        RecordKind::Subscription => subscriptions(rows),
        RecordKind::Exchange => exchanges(rows),
        RecordKind::Stream => streams(rows),
    }
}

/// A record with its row's key.
type Row<'a, T> = (&'a RecordRow, &'a T);

/// Those of one kind.
fn of_kind<T>(rows: &[RecordRow], one: impl Fn(&OtherRecord) -> Option<&T>) -> Vec<Row<'_, T>> {
    rows.iter().filter_map(|row| Some((row, one(&row.record)?))).collect()
}

fn part<T>(row: &Row<'_, T>) -> Option<Timestamp> {
    Some(row.0.id.start())
}

fn number(all: &mut Vec<u8>, uri: &str) -> Option<()> {
    put(all, &search::number(uri))
}

fn registrations(rows: &[RecordRow]) -> Vec<Column> {
    let mine: Vec<Row<'_, RegistrationRecord>> =
        of_kind(rows, |record| if let OtherRecord::Registration(one) = record { Some(&**one) } else { None });
    let rows = Rows(mine.iter().collect());
    vec![
        rows.time("start", |row| Some(row.1.start)),
        rows.time("last", |row| Some(row.1.last)),
        rows.time("row", part),
        rows.text("id", |row, all| key(all, row.0.id)),
        searched(rows.text("call_id", |row, all| put(all, &row.1.call_id))),
        rows.text("aor", |row, all| put(all, &row.1.aor)),
        searched(rows.text("number", |row, all| number(all, &row.1.aor))),
        rows.text("domain", |row, all| put(all, row.1.details.domain.as_deref()?)),
        rows.text("contact", |row, all| put(all, row.1.contact.as_deref()?)),
        rows.text("user_agent", |row, all| put(all, row.1.details.user_agent.as_deref()?)),
        rows.text("src", |row, all| put(all, row.1.details.src.as_deref()?)),
        rows.text("dst", |row, all| put(all, row.1.details.dst.as_deref()?)),
        rows.text("state", |row, all| word(all, row.1.state)),
        rows.whole("final_status", |row| row.1.final_status.map(u64::from)),
        rows.time("expires_at", |row| row.1.details.expires_at),
        rows.whole("requests", |row| Some(row.1.requests.into())),
        rows.whole("challenges", |row| Some(row.1.details.challenges.into())),
        rows.whole("failures", |row| Some(row.1.details.failures.into())),
        rows.whole("refreshes", |row| Some(row.1.details.refreshes.into())),
        rows.whole("moved", |row| Some(row.1.details.moved.into())),
        rows.whole("retransmissions", |row| Some(row.1.details.retransmissions.into())),
        rows.real("response_ms_max", |row| row.1.details.response_ms_max),
        rows.text("record", |row, all| json(all, row.1)),
    ]
}

fn subscriptions(rows: &[RecordRow]) -> Vec<Column> {
    let mine: Vec<Row<'_, SubscriptionRecord>> =
        of_kind(rows, |record| if let OtherRecord::Subscription(one) = record { Some(&**one) } else { None });
    let rows = Rows(mine.iter().collect());
    vec![
        rows.time("start", |row| Some(row.1.start)),
        rows.time("last", |row| Some(row.1.last)),
        rows.time("row", part),
        rows.text("id", |row, all| key(all, row.0.id)),
        searched(rows.text("call_id", |row, all| put(all, &row.1.call_id))),
        rows.text("method", |row, all| put(all, &row.1.method)),
        rows.text("event", |row, all| put(all, row.1.event.as_deref()?)),
        rows.text("from", |row, all| put(all, &row.1.from)),
        rows.text("to", |row, all| put(all, &row.1.to)),
        searched(rows.text("caller", |row, all| number(all, &row.1.from))),
        searched(rows.text("callee", |row, all| number(all, &row.1.to))),
        rows.text("user_agent", |row, all| put(all, row.1.user_agent.as_deref()?)),
        rows.text("src", |row, all| put(all, &row.1.src)),
        rows.text("dst", |row, all| put(all, &row.1.dst)),
        rows.text("state", |row, all| word(all, row.1.state)),
        rows.whole("final_status", |row| row.1.final_status.map(u64::from)),
        rows.whole("outcome", |row| row.1.outcome.map(u64::from)),
        rows.text("reason", |row, all| put(all, row.1.reason.as_deref()?)),
        rows.time("expires_at", |row| row.1.expires_at),
        rows.whole("requests", |row| Some(row.1.requests.into())),
        rows.whole("notifies", |row| Some(row.1.notifies.into())),
        rows.whole("retransmissions", |row| Some(row.1.retransmissions.into())),
        rows.text("record", |row, all| json(all, row.1)),
    ]
}

fn exchanges(rows: &[RecordRow]) -> Vec<Column> {
    let mine: Vec<Row<'_, ExchangeRecord>> =
        of_kind(rows, |record| if let OtherRecord::Exchange(one) = record { Some(&**one) } else { None });
    let rows = Rows(mine.iter().collect());
    vec![
        rows.time("start", |row| Some(row.1.start)),
        rows.time("last", |row| Some(row.1.last)),
        rows.text("id", |row, all| key(all, row.0.id)),
        searched(rows.text("call_id", |row, all| put(all, &row.1.call_id))),
        rows.text("method", |row, all| put(all, &row.1.method)),
        rows.text("event", |row, all| put(all, row.1.event.as_deref()?)),
        rows.text("from", |row, all| put(all, &row.1.from)),
        rows.text("to", |row, all| put(all, &row.1.to)),
        searched(rows.text("caller", |row, all| number(all, &row.1.from))),
        searched(rows.text("callee", |row, all| number(all, &row.1.to))),
        rows.text("user_agent", |row, all| put(all, row.1.user_agent.as_deref()?)),
        rows.text("src", |row, all| put(all, &row.1.src)),
        rows.text("dst", |row, all| put(all, &row.1.dst)),
        rows.whole("requests", |row| Some(row.1.requests.into())),
        rows.whole("unanswered", |row| Some(row.1.unanswered.into())),
        rows.whole("succeeded", |row| Some(answers(row.1, 200, 299))),
        rows.whole("refused", |row| Some(answers(row.1, 300, 699))),
        rows.text("results", |row, all| json(all, &row.1.results)),
        rows.whole("retransmissions", |row| Some(row.1.retransmissions.into())),
        rows.real("response_ms_mean", |row| row.1.response_ms_mean),
        rows.real("response_ms_max", |row| row.1.response_ms_max),
        rows.text("record", |row, all| json(all, row.1)),
    ]
}

/// Final answers with these statuses, both included.
fn answers(one: &ExchangeRecord, from: u16, to: u16) -> u64 {
    let results = one.results.iter().filter_map(|(status, count)| Some((status.parse::<u16>().ok()?, *count)));
    results.filter(|(status, _)| (from..=to).contains(status)).map(|(_, count)| count).fold(0, u64::saturating_add)
}

fn streams(rows: &[RecordRow]) -> Vec<Column> {
    let mine = of_kind(rows, |record| if let OtherRecord::Stream(one) = record { Some(&**one) } else { None });
    let mine: Vec<(CallKey, &StreamRecord)> = mine.into_iter().map(|(row, one)| (row.id, one)).collect();
    stream_columns(&mine)
}
