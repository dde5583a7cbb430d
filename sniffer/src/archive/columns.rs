//! The columns of the archive's tables. Columns may be added; those that are there keep their names and meanings.

use parquet::{
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::writer::SerializedColumnWriter,
};
use serde::Serialize;
use sniffer_core::{
    query::{CallDetail, DirectionQuality},
    record::StreamRecord,
    search,
    time::Timestamp,
};

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

/// A table's columns from its rows.
struct Rows<'a, T>(Vec<&'a T>);

impl<T> Rows<'_, T> {
    fn column(&self, name: &'static str, values: Values) -> Column {
        Column { name, values, is_searched: false }
    }

    fn text(&self, name: &'static str, of: impl Fn(&T) -> Option<String>) -> Column {
        let mut levels = Vec::with_capacity(self.0.len());
        let mut texts = Vec::with_capacity(self.0.len());
        for text in self.0.iter().map(|row| of(row)) {
            levels.push(i16::from(text.is_some()));
            texts.extend(text.map(|text| ByteArray::from(text.into_bytes())));
        }
        self.column(name, Values::Text(levels, texts))
    }

    fn time(&self, name: &'static str, of: impl Fn(&T) -> Option<Timestamp>) -> Column {
        let micros = |time: Timestamp| i64::try_from(time.as_micros()).ok();
        self.column(name, Values::Time(self.0.iter().map(|row| of(row).and_then(micros)).collect()))
    }

    fn whole(&self, name: &'static str, of: impl Fn(&T) -> Option<u64>) -> Column {
        let number = |number: u64| i64::try_from(number).ok();
        self.column(name, Values::Whole(self.0.iter().map(|row| of(row).and_then(number)).collect()))
    }

    fn real(&self, name: &'static str, of: impl Fn(&T) -> Option<f64>) -> Column {
        self.column(name, Values::Real(self.0.iter().map(|row| of(row)).collect()))
    }

    fn truth(&self, name: &'static str, of: impl Fn(&T) -> bool) -> Column {
        self.column(name, Values::Truth(self.0.iter().map(|row| Some(of(row))).collect()))
    }
}

fn searched(column: Column) -> Column {
    Column { is_searched: true, ..column }
}

/// A state or a direction as the records write it.
fn word(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A whole record as JSON: what has no column of its own.
fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

/// The table of calls.
#[must_use]
pub fn calls(rows: &[CallDetail]) -> Vec<Column> {
    type Way = fn(&CallDetail) -> Option<&DirectionQuality>;
    let rows = Rows(rows.iter().collect());
    let caller: Way = |row| row.summary.caller_to_callee.as_ref();
    let callee: Way = |row| row.summary.callee_to_caller.as_ref();
    let mos = |way: Way| move |row: &CallDetail| way(row).and_then(|way| way.mos).map(f64::from);
    let lost = |way: Way| move |row: &CallDetail| way(row).map(|way| way.lost);
    let expected = |way: Way| move |row: &CallDetail| way(row).map(|way| way.expected);
    vec![
        rows.time("start", |row| Some(row.summary.start)),
        rows.time("answered", |row| row.summary.answered),
        rows.time("end", |row| row.summary.end),
        rows.text("id", |row| Some(row.summary.id.to_string())),
        searched(rows.text("call_id", |row| Some(row.summary.call_id.clone()))),
        rows.text("from", |row| Some(row.summary.from.clone())),
        rows.text("to", |row| Some(row.summary.to.clone())),
        searched(rows.text("caller", |row| Some(search::number(&row.summary.from)))),
        searched(rows.text("callee", |row| Some(search::number(&row.summary.to)))),
        rows.text("state", |row| word(row.summary.state)),
        rows.whole("final_status", |row| row.summary.final_status.map(u64::from)),
        rows.truth("lost_here", |row| row.summary.lost_here),
        rows.real("mos_from_caller", mos(caller)),
        rows.real("mos_from_callee", mos(callee)),
        rows.whole("lost_from_caller", lost(caller)),
        rows.whole("lost_from_callee", lost(callee)),
        rows.whole("expected_from_caller", expected(caller)),
        rows.whole("expected_from_callee", expected(callee)),
        rows.text("record", |row| row.record.as_ref().and_then(json)),
    ]
}

/// The table of streams; `id` is that of the call.
#[must_use]
pub fn streams(rows: &[CallDetail]) -> Vec<Column> {
    let both: Vec<(String, &StreamRecord)> =
        rows.iter().flat_map(|call| call.streams.iter().map(|stream| (call.summary.id.to_string(), stream))).collect();
    let rows = Rows(both.iter().collect());
    vec![
        rows.time("start", |row| Some(row.1.start)),
        rows.time("end", |row| Some(row.1.end)),
        rows.text("id", |row| Some(row.0.clone())),
        searched(rows.text("call_id", |row| row.1.call_id.clone())),
        rows.whole("ssrc", |row| Some(row.1.ssrc.into())),
        rows.text("src", |row| Some(row.1.src.clone())),
        rows.text("dst", |row| Some(row.1.dst.clone())),
        rows.whole("payload_type", |row| Some(row.1.payload_type.into())),
        rows.text("codec", |row| row.1.codec.clone()),
        rows.text("direction", |row| row.1.direction.and_then(word)),
        rows.whole("packets", |row| Some(row.1.packets)),
        rows.whole("expected", |row| Some(row.1.expected)),
        rows.whole("lost", |row| Some(row.1.lost)),
        rows.whole("duplicates", |row| Some(row.1.duplicates)),
        rows.whole("reordered", |row| Some(row.1.reordered)),
        rows.real("jitter_ms_max", |row| row.1.jitter_ms_max),
        rows.real("jitter_ms_mean", |row| row.1.jitter_ms_mean),
        rows.real("mos", |row| row.1.mos),
        rows.text("record", |row| json(row.1)),
    ]
}
