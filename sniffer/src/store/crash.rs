//! The power is cut at every step of the store's life, and what it said was kept has to be there.

use sniffer_core::{record::CallState, time::Timestamp};

use super::{
    retain::Bounds,
    tests::{at, call, open},
    *,
};
use crate::disk::simulated::Simulated;

/// A short life: calls begin and end, some are deleted, some are archived. Returns what was said to be kept: the calls
/// that ended and those in progress.
fn live(disk: &Arc<dyn Disk>, kept: &mut Vec<u64>, deleted_up_to: &mut u64) -> Result<(), StoreError> {
    let store = open(disk)?;
    for step in 0..6_u64 {
        let ended = [step * 10 + 1, step * 10 + 2];
        let mut calls: Vec<_> = ended.iter().map(|second| call(*second, CallState::Completed)).collect();
        calls.push(call(step * 10 + 3, CallState::InCall));
        store.write(&calls, Some(at(step * 3600)))?;
        kept.extend(ended);
        kept.push(step * 10 + 3);
        if step == 3 {
            // What is being deleted may be gone already, so it is no longer promised.
            *deleted_up_to = 2;
            store.retain(&Bounds { calls: 6, bytes: u64::MAX, since: Timestamp::default() })?;
        }
        if step == 4 {
            let done = store.unarchived(u64::MAX)?.unwrap();
            store.archived(&done)?;
        }
    }
    Ok(())
}

fn shared(disk: &Simulated) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

#[test]
fn after_a_power_cut_at_any_step_the_store_opens_and_what_was_kept_is_there() {
    let whole = Simulated::new();
    let (mut kept, mut deleted) = (Vec::new(), 0);
    live(&shared(&whole), &mut kept, &mut deleted).unwrap();
    let steps = whole.steps();
    assert!(steps > 100, "{steps} steps are too few for a test");
    let (mut cuts, mut lost) = (0, 0);
    for cut in 0..=steps {
        for seed in 0..3 {
            let plain = Simulated::new();
            plain.cut_after(cut);
            let (mut kept, mut deleted) = (Vec::new(), 0);
            let ended = live(&shared(&plain), &mut kept, &mut deleted);
            // The last steps are those of closing, after everything was said to be kept.
            assert!(ended.is_err() || cut + 20 > steps, "cut {cut}");
            let after: Arc<dyn Disk> = Arc::new(plain.after_cut(cut * 31 + seed));
            let store = open(&after).unwrap_or_else(|error| panic!("cut {cut} seed {seed}: {error:?}"));
            let found: Vec<u64> = store
                .page(1000, None)
                .unwrap()
                .calls
                .iter()
                .map(|call| call.start.as_micros() / 1_000_000 - 1_700_000_000)
                .collect();
            for second in kept.iter().filter(|second| **second > deleted) {
                assert!(found.contains(second), "cut {cut} seed {seed}: {second} is gone, {found:?} are there");
            }
            for id in store.page(1000, None).unwrap().calls {
                assert!(id.state.is_final(), "in progress when the power went");
            }
            assert_eq!(store.damaged(), 0, "cut {cut} seed {seed}");
            lost += u32::from(found.len() < kept.len());
            cuts += 1;
        }
    }
    println!("{cuts} power cuts at {steps} steps; {lost} times deleted calls were gone, never kept ones");
}
