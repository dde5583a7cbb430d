//! What a hostile caller sends as a number is shown as it is, and does nothing.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::headless::wait_for_call;
use qemu_tests::scratch::Settings;
use qemu_tests::traffic::{CallPlan, Plan, write_pcap};
use std::fs::File;
use std::time::Duration;

/// Passes through a tolerant parser, which ends at `>` and `@`, and is trouble for a page that prints it as it is.
const HOSTILE: [&str; 3] =
    ["<img/src=x/onerror=window.hit=1/", "\"'autofocus/onfocus=window.hit=1/x='", "{{7*7}}${7*7}&lt;b&gt;"];

#[test]
fn hostile_numbers_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hostile.pcap");
    let calls = HOSTILE.iter().map(|number| CallPlan::plain(number, "200", Duration::from_secs(1))).collect();
    let traffic = Plan { seed: 9, calls, registrations: 0 }.make().unwrap();
    write_pcap(File::create(&file).unwrap(), Duration::from_secs(1_795_000_000), &traffic.frames).unwrap();
    let stage = Stage::with(&Settings { capture: Some(file), ..Settings::default() });
    let admin = stage.admin();
    admin.set_up(&stage.code(), NAME, PASSWORD).unwrap();
    for number in HOSTILE {
        let seen = wait_for_call(&admin, Duration::from_secs(60), |call| call.from.contains(number));
        assert!(seen.is_ok(), "{number} is not shown as it is: {seen:?}");
    }
    let hit = stage.browser.script("return window.hit ?? 0", &[]).unwrap();
    assert_eq!(hit.as_i64(), Some(0));
    let images = stage.browser.find_all("main img, main script").unwrap();
    assert!(images.is_empty());
    assert_eq!(stage.browser.complaints().unwrap(), Vec::<String>::new());
}
