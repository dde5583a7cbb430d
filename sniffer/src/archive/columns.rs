//! The columns of the archive's tables. Columns may be added; those that are there keep their names and meanings.

use std::ops::Range;

use bytes::Bytes;
use parquet::{
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::writer::SerializedColumnWriter,
};
use serde::Serialize;
use sniffer_core::{
    query::{CallKey, CallSummary, DirectionQuality},
    record::StreamRecord,
    search,
    time::Timestamp,
};

use crate::store::value;

/// A column and its values.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its values, one for each row; none is null.
    pub values: Values,
    /// It gets a Bloom filter.
    pub is_searched: bool,
}

/// Values of a column.
#[derive(Debug)]
pub enum Values {
    /// Text: whether each row has one, and those that there are.
    Text(Vec<i16>, Vec<ByteArray>),
    /// Microseconds since the epoch, in UTC.
    Time(Vec<Option<i64>>),
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Numbers.
    Real(Vec<Option<f64>>),
    /// Yes or no.
    Truth(Vec<Option<bool>>),
}

impl Values {
    /// Says whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(levels, _) => levels.is_empty(),
            Self::Time(values) | Self::Whole(values) => values.is_empty(),
            Self::Real(values) => values.is_empty(),
            Self::Truth(values) => values.is_empty(),
        }
    }
}

impl Column {
    /// Writes all values.
    ///
    /// # Errors
    /// When the file cannot be written, or its schema is not that of the columns.
    pub fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
        fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
            values.iter().map(|value| i16::from(value.is_some())).collect()
        }
        let mismatch = || ParquetError::General(format!("the column {} has another type", self.name));
        match (writer.untyped(), &self.values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(levels, texts)) => {
                writer.write_batch(texts, Some(levels), None)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Time(values) | Values::Whole(values)) => {
                let numbers: Vec<_> = values.iter().flatten().copied().collect();
                writer.write_batch(&numbers, Some(&levels(values)), None)
            }
            (ColumnWriter::DoubleColumnWriter(writer), Values::Real(values)) => {
                let numbers: Vec<_> = values.iter().flatten().copied().collect();
                writer.write_batch(&numbers, Some(&levels(values)), None)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Truth(values)) => {
                let truths: Vec<_> = values.iter().flatten().copied().collect();
                writer.write_batch(&truths, Some(&levels(values)), None)
            }
            _ => Err(mismatch()),
        }?;
        Ok(())
    }
}

/// The schema as Parquet's text form has it.
#[must_use]
pub fn schema(columns: &[Column]) -> String {
    let mut text = String::from("message schema {\n");
    for Column { name, values, .. } in columns {
        let (kind, annotation) = match values {
            Values::Text(..) => ("BYTE_ARRAY", " (UTF8)"),
            Values::Time(_) => ("INT64", " (TIMESTAMP(MICROS,true))"),
            Values::Whole(_) => ("INT64", ""),
            Values::Real(_) => ("DOUBLE", ""),
            Values::Truth(_) => ("BOOLEAN", ""),
        };
        text.push_str(&format!("  OPTIONAL {kind} {name}{annotation};\n"));
    }
    text.push('}');
    text
}

/// Calls that are to be written.
#[derive(Debug, Default)]
pub struct Calls {
    rows: Vec<Row>,
    /// Their records as JSON, one behind the other.
    records: Vec<u8>,
    streams: Vec<(CallKey, StreamRecord)>,
}

#[derive(Debug)]
struct Row {
    summary: CallSummary,
    /// Where its record is.
    record: Option<Range<usize>>,
}

impl Calls {
    /// Adds a call as the store has it. False when the value is damaged.
    pub fn add(&mut self, value: &[u8]) -> bool {
        let begin = self.records.len();
        let Some(written) = value::written(value, &mut self.records) else { return false };
        let record = written.has_record.then_some(begin..self.records.len());
        let key = written.summary.id;
        self.streams.extend(written.streams.into_iter().map(|stream| (key, stream)));
        self.rows.push(Row { summary: written.summary, record });
        true
    }
}

/// Texts of a column: one piece of memory for all.
fn texts(all: Vec<u8>, ranges: impl Iterator<Item = Option<Range<usize>>>) -> Values {
    let all = Bytes::from(all);
    let mut levels = Vec::new();
    let mut texts = Vec::new();
    for range in ranges {
        levels.push(i16::from(range.is_some()));
        texts.extend(range.map(|range| ByteArray::from(all.slice(range))));
    }
    Values::Text(levels, texts)
}

/// A table's columns from its rows.
pub(super) struct Rows<'a, T>(pub Vec<&'a T>);

impl<T> Rows<'_, T> {
    fn column(&self, name: &'static str, values: Values) -> Column {
        Column { name, values, is_searched: false }
    }

    /// A text of each row, which is added to what there is; none where it says so.
    pub(super) fn text(&self, name: &'static str, add: impl Fn(&T, &mut Vec<u8>) -> Option<()>) -> Column {
        let mut all = Vec::new();
        let ranges: Vec<_> = self
            .0
            .iter()
            .map(|row| {
                let begin = all.len();
                add(row, &mut all).map(|()| begin..all.len())
            })
            .collect();
        self.column(name, texts(all, ranges.into_iter()))
    }

    pub(super) fn time(&self, name: &'static str, of: impl Fn(&T) -> Option<Timestamp>) -> Column {
        let micros = |time: Timestamp| i64::try_from(time.as_micros()).ok();
        self.column(name, Values::Time(self.0.iter().map(|row| of(row).and_then(micros)).collect()))
    }

    pub(super) fn whole(&self, name: &'static str, of: impl Fn(&T) -> Option<u64>) -> Column {
        let number = |number: u64| i64::try_from(number).ok();
        self.column(name, Values::Whole(self.0.iter().map(|row| of(row).and_then(number)).collect()))
    }

    pub(super) fn real(&self, name: &'static str, of: impl Fn(&T) -> Option<f64>) -> Column {
        self.column(name, Values::Real(self.0.iter().map(|row| of(row)).collect()))
    }

    fn truth(&self, name: &'static str, of: impl Fn(&T) -> bool) -> Column {
        self.column(name, Values::Truth(self.0.iter().map(|row| Some(of(row))).collect()))
    }
}

/// With a Bloom filter.
pub(super) fn searched(column: Column) -> Column {
    Column { is_searched: true, ..column }
}

/// Adds a text.
pub(super) fn put(all: &mut Vec<u8>, text: &str) -> Option<()> {
    all.extend_from_slice(text.as_bytes());
    Some(())
}

/// Adds the key of a row.
pub(super) fn key(all: &mut Vec<u8>, key: CallKey) -> Option<()> {
    key.write(all);
    Some(())
}

/// Adds a record, or a part of one, as JSON.
pub(super) fn json(all: &mut Vec<u8>, value: &impl Serialize) -> Option<()> {
    serde_json::to_writer(all, value).ok()
}

/// Adds a state or a direction as the records write it.
pub(super) fn word(all: &mut Vec<u8>, value: impl Serialize) -> Option<()> {
    put(all, serde_json::to_value(value).ok()?.as_str()?)
}

/// The table of calls.
#[must_use]
pub fn calls(calls: Calls) -> Vec<Column> {
    type Way = fn(&Row) -> Option<&DirectionQuality>;
    let Calls { rows, records, .. } = calls;
    let record = texts(records, rows.iter().map(|row| row.record.clone()));
    let rows = Rows(rows.iter().collect());
    let caller: Way = |row| row.summary.caller_to_callee.as_ref();
    let callee: Way = |row| row.summary.callee_to_caller.as_ref();
    let mos = |way: Way| move |row: &Row| way(row).and_then(|way| way.mos).map(f64::from);
    let lost = |way: Way| move |row: &Row| way(row).map(|way| way.lost);
    let expected = |way: Way| move |row: &Row| way(row).map(|way| way.expected);
    vec![
        rows.time("start", |row| Some(row.summary.start)),
        rows.time("answered", |row| row.summary.answered),
        rows.time("end", |row| row.summary.end),
        rows.text("id", |row, all| key(all, row.summary.id)),
        searched(rows.text("call_id", |row, all| put(all, &row.summary.call_id))),
        rows.text("from", |row, all| put(all, &row.summary.from)),
        rows.text("to", |row, all| put(all, &row.summary.to)),
        searched(rows.text("caller", |row, all| put(all, &search::number(&row.summary.from)))),
        searched(rows.text("callee", |row, all| put(all, &search::number(&row.summary.to)))),
        rows.text("state", |row, all| word(all, row.summary.state)),
        rows.whole("final_status", |row| row.summary.final_status.map(u64::from)),
        rows.truth("lost_here", |row| row.summary.lost_here),
        rows.real("mos_from_caller", mos(caller)),
        rows.real("mos_from_callee", mos(callee)),
        rows.whole("lost_from_caller", lost(caller)),
        rows.whole("lost_from_callee", lost(callee)),
        rows.whole("expected_from_caller", expected(caller)),
        rows.whole("expected_from_callee", expected(callee)),
        rows.column("record", record),
    ]
}

/// The table of streams; `id` is that of the call.
#[must_use]
pub fn streams(calls: &Calls) -> Vec<Column> {
    stream_columns(&calls.streams.iter().map(|(key, stream)| (*key, stream)).collect::<Vec<_>>())
}

/// The columns of streams, each with the key of what it is found by.
pub(super) fn stream_columns(both: &[(CallKey, &StreamRecord)]) -> Vec<Column> {
    let rows = Rows(both.iter().collect());
    vec![
        rows.time("start", |row| Some(row.1.start)),
        rows.time("end", |row| Some(row.1.end)),
        rows.text("id", |row, all| key(all, row.0)),
        searched(rows.text("call_id", |row, all| put(all, row.1.call_id.as_deref()?))),
        rows.whole("ssrc", |row| Some(row.1.ssrc.into())),
        rows.text("src", |row, all| put(all, &row.1.src)),
        rows.text("dst", |row, all| put(all, &row.1.dst)),
        rows.whole("payload_type", |row| Some(row.1.payload_type.into())),
        rows.text("codec", |row, all| put(all, row.1.codec.as_deref()?)),
        rows.text("direction", |row, all| word(all, row.1.direction?)),
        rows.whole("packets", |row| Some(row.1.packets)),
        rows.whole("expected", |row| Some(row.1.expected)),
        rows.whole("lost", |row| Some(row.1.lost)),
        rows.whole("duplicates", |row| Some(row.1.duplicates)),
        rows.whole("reordered", |row| Some(row.1.reordered)),
        rows.real("jitter_ms_max", |row| row.1.jitter_ms_max),
        rows.real("jitter_ms_mean", |row| row.1.jitter_ms_mean),
        rows.real("mos", |row| row.1.mos),
        rows.text("record", |row, all| json(all, row.1)),
    ]
}
