//! The folder of captures beside the repository, and the engine's records for a file in it.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder `shared/captures`: CALLWARD_SHARED names `shared`, else it is beside the repository. None, loudly, where
/// it is not: the repository alone suffices for every other test.
pub fn folder(test: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("CALLWARD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let captures = shared.join("captures");
    if captures.is_dir() {
        return Some(captures);
    }
    eprintln!(
        "SKIPPED {test}: there is no folder of captures at {} (CALLWARD_SHARED names another)",
        captures.display()
    );
    None
}

/// All capture files below a folder, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let is_capture = |path: &PathBuf| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng");
    all_files(folder).into_iter().filter(is_capture).collect()
}

/// All files below a folder, in the order of their names.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What `sniffer read --json` prints.
pub fn output(file: &Path, rtp_without_sip: bool) -> Vec<u8> {
    let mut output = Vec::new();
    let options =
        sniffer::read::Options { json: true, rtp_without_sip, files: vec![file.to_owned()], ..Default::default() };
    sniffer::read::run(&options, &mut output).unwrap();
    output
}

/// The records of a file.
pub fn records(file: &Path, rtp_without_sip: bool) -> Vec<Value> {
    let output = String::from_utf8(output(file, rtp_without_sip)).unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of one type.
pub fn of_type<'a>(records: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["type"] == kind)
}

/// The sum of everything that was dropped.
pub fn dropped(summary: &Value) -> u64 {
    let stages = summary["dropped"].as_object().unwrap().values();
    stages.flat_map(|reasons| reasons.as_object().unwrap().values()).map(|count| count.as_u64().unwrap()).sum()
}
