//! Entries of a block in the order of their owners.

use super::block::Entry;

/// Sorts entries by their owners; those of one stay in their order. Owners come again and again in turn, so what is
/// sorted are the owners, and each entry is put to its place: a third of what sorting all entries costs.
pub fn by_owner(entries: &mut [Entry]) {
    let slots = entries.len().next_power_of_two().max(16);
    let shift = 64_u32.saturating_sub(slots.trailing_zeros());
    // The owner and where its first entry goes; a slot without any has none.
    let mut table: Vec<Option<(u64, usize)>> = vec![None; slots];
    let find = |table: &[Option<(u64, usize)>], owner: u64| {
        let hash = owner.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift;
        let begin = usize::try_from(hash).unwrap_or_default();
        // There are as many slots as entries at least, so one is free or the owner's.
        (begin..slots)
            .chain(0..begin)
            .find(|slot| table.get(*slot).is_some_and(|found| found.is_none_or(|found| found.0 == owner)))
    };
    for entry in entries.iter() {
        let Some(slot) = find(&table, entry.owner).and_then(|slot| table.get_mut(slot)) else { continue };
        let count = slot.map_or(0, |(_, count)| count);
        *slot = Some((entry.owner, count.saturating_add(1)));
    }
    let mut owners: Vec<&mut (u64, usize)> = table.iter_mut().flatten().collect();
    owners.sort_unstable_by_key(|owner| owner.0);
    let mut place = 0_usize;
    for (_, count) in owners {
        let own = *count;
        *count = place;
        place = place.saturating_add(own);
    }
    let before = entries.to_vec();
    for entry in before {
        let Some(Some((_, place))) = find(&table, entry.owner).and_then(|slot| table.get_mut(slot)) else { continue };
        if let Some(to) = entries.get_mut(*place) {
            *to = entry;
        }
        *place = place.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::block::Owner, *};

    #[test]
    fn entries_are_sorted_by_owner_and_stay_in_their_order() {
        let mut state = 1_u64;
        for count in [0, 1, 2, 15, 16, 17, 1000, 50_000_u32] {
            let mut entries: Vec<_> = (0..count)
                .map(|at| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let owner =
                        if state >> 63 == 0 { Owner::Call((state >> 40) % 999) } else { Owner::Stream(state % 7) };
                    Entry { owner: owner.number(), at, length: at }
                })
                .collect();
            let mut truth: Vec<_> = entries.iter().map(|entry| (entry.owner, entry.at)).collect();
            truth.sort_unstable();
            by_owner(&mut entries);
            assert_eq!(entries.iter().map(|entry| (entry.owner, entry.at)).collect::<Vec<_>>(), truth, "{count}");
        }
    }
}
