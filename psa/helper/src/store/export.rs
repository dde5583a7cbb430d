//! The store's export: one plain JSON file with every value, checksummed as a whole. A start-up reads it when sled
//! cannot open its own files.

use super::StoreError;
use crate::disk::Disk;
use crate::world::hex;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The format of the file.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Export {
    format: u32,
    /// SHA-256 of `values` as compact JSON with sorted keys.
    checksum: String,
    values: BTreeMap<String, Value>,
}

fn checksum(values: &BTreeMap<String, Value>) -> Result<String, StoreError> {
    let text = serde_json::to_vec(values).map_err(|error| StoreError::NotStorable("export".into(), error))?;
    Ok(hex(&sha256(&text)))
}

/// Writes the export (0600).
pub fn write(disk: &Disk, path: &Path, values: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
    let parse = |(key, json): (String, Vec<u8>)| {
        serde_json::from_slice(&json).map(|value| (key.clone(), value)).map_err(|_| StoreError::Damaged(key))
    };
    let values = values.into_iter().map(parse).collect::<Result<BTreeMap<String, Value>, _>>()?;
    let export = Export { format: FORMAT, checksum: checksum(&values)?, values };
    let text = serde_json::to_vec_pretty(&export).map_err(|error| StoreError::NotStorable("export".into(), error))?;
    Ok(disk.replace(path, &text, 0o600)?)
}

/// Reads an export into changes for an empty store.
pub fn read(path: &Path) -> Result<BTreeMap<String, Option<Vec<u8>>>, StoreError> {
    let damaged = || StoreError::Damaged("export".into());
    let export: Export = serde_json::from_slice(&fs::read(path)?).map_err(|_| damaged())?;
    if export.format != FORMAT {
        return Err(StoreError::OtherFormat(export.format));
    }
    if export.checksum != checksum(&export.values)? {
        return Err(damaged());
    }
    let to_json = |(key, value): (String, Value)| {
        serde_json::to_vec(&value)
            .map(|json| (key.clone(), Some(json)))
            .map_err(|error| StoreError::NotStorable(key, error))
    };
    export.values.into_iter().map(to_json).collect()
}
