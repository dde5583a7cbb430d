//! The JSON contract: what is printed fits the schema, and the schema refuses what is not the contract.

use serde_json::{Value, json};

use crate::captures::{files, folder, records};

pub fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../record.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// A call that the test makes itself, with one stream and one registration, so that the schema is checked where no
/// captures are.
fn own_capture() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pcap");
    std::fs::write(&file, crate::daemon::sample_call()).unwrap();
    records(&file, false)
}

#[test]
fn every_record_fits_the_schema() {
    let validator = validator();
    let mut all = own_capture();
    assert_eq!(all.len(), 4, "a call, a stream, a registration, the summary: {all:?}");
    if let Some(folder) = folder("the captures in every_record_fits_the_schema") {
        all.extend(files(&folder).iter().flat_map(|file| records(file, true)));
    }
    for record in all {
        let errors: Vec<_> = validator.iter_errors(&record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {record}");
    }
}

#[test]
fn the_schema_refuses_what_is_not_the_contract() {
    let validator = validator();
    for record in own_capture() {
        for name in record.as_object().unwrap().keys() {
            let mut damaged = record.clone();
            damaged.as_object_mut().unwrap().remove(name);
            assert!(!validator.is_valid(&damaged), "without {name}: {damaged}");
            let mut damaged = record.clone();
            damaged[name] = json!([[]]);
            assert!(!validator.is_valid(&damaged), "{name} of another type: {damaged}");
        }
    }
    let call = own_capture().swap_remove(0);
    for (name, value) in
        [("start", json!("2026-01-01 10:00:00")), ("state", json!("Completed")), ("streams", json!(-1))]
    {
        let mut damaged = call.clone();
        damaged[name] = value;
        assert!(!validator.is_valid(&damaged), "{damaged}");
    }
}
