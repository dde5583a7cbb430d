//! The benchmark of the sniffer: traffic with its truth, programs measured side by side, goals judged. It judges what
//! the sniffer prints, never what it holds inside.
#![forbid(unsafe_code)]

pub mod check;
pub mod clock;
pub mod contest;
pub mod goals;
pub mod live;
pub mod measure;
pub mod report;
pub mod workload;
