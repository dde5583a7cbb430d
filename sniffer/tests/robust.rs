//! Every file beside the captures, captures of anything and files that are none: no panic, a sane exit code, records that fit the schema, totals that
//! balance, and the same bytes twice.

use serde_json::Value;

use crate::{
    captures::{all_files, dropped, folder, of_type},
    command_line::sniffer,
    schema::validator,
};

#[test]
fn every_capture_is_read_to_its_end() {
    let Some(folder) = folder("every_capture_is_read_to_its_end") else { return };
    let files = all_files(&folder);
    assert!(files.len() > 300, "only {} files in {}", files.len(), folder.display());
    let validator = validator();
    for file in files {
        let name = file.display();
        let run = || sniffer(&["read", "--json", "--rtp-without-sip"]).arg(&file).output().unwrap();
        let (output, again) = (run(), run());
        let log = String::from_utf8_lossy(&output.stderr);
        // 1: no capture file at all; 2: cut or damaged.
        assert!(matches!(output.status.code(), Some(0..=2)), "{name}: {:?}: {log}", output.status);
        assert!(!log.contains("panicked"), "{name}: {log}");
        assert_eq!((&output.stdout, output.status.code()), (&again.stdout, again.status.code()), "{name}: two runs");
        if output.status.code() == Some(1) {
            assert!(output.stdout.is_empty() && log.contains("ERROR"), "{name}: {log}");
            continue;
        }
        let text = String::from_utf8(output.stdout).unwrap_or_else(|_| panic!("{name}: not UTF-8"));
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{name}: {line}"))).collect();
        for record in &records {
            let errors: Vec<_> = validator.iter_errors(record).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?} in {record}");
        }
        let summary = records.last().unwrap_or_else(|| panic!("{name}: nothing"));
        let number = |field: &str| summary[field].as_u64().unwrap_or_else(|| panic!("{name}: {field}"));
        assert_eq!(number("packets"), number("delivered") + dropped(summary), "{name}: {summary}");
        for (field, kind) in [("calls", "call"), ("streams", "stream"), ("registrations", "registration")] {
            let count = u64::try_from(of_type(&records, kind).count()).unwrap();
            assert_eq!(number(field), count, "{name}: {field}");
        }
    }
}
