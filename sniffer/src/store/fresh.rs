//! Entries of ended calls that are in no run yet, in memory: sorted lists, each twice as long as the next.
//!
//! A commit adds a list of its own, which is joined with those before it once they are not much longer. A tree of single
//! entries cost 12 µs a call, as much as writing the call.

use super::{index::Entry, value::Head};

/// Sorted lists of entries; the last is the newest.
#[derive(Debug, Default)]
pub struct Ended(Vec<Vec<(Entry, Head)>>);

/// Sorts entries and leaves the last of equal ones.
pub fn sorted(mut entries: Vec<(Entry, Head)>) -> Vec<(Entry, Head)> {
    // Stable, and quick where parts are in order already.
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|later, before| {
        let is_same = later.0 == before.0;
        if is_same {
            before.1 = later.1;
        }
        is_same
    });
    entries
}

impl Ended {
    /// Adds entries as [`sorted`] gives them.
    pub fn add(&mut self, mut entries: Vec<(Entry, Head)>) {
        while let Some(before) = self.0.pop_if(|before| before.len() < entries.len().saturating_mul(2)) {
            entries = sorted(before.into_iter().chain(entries).collect());
        }
        if !entries.is_empty() {
            self.0.push(entries);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Says whether there is this entry.
    #[must_use]
    pub fn contains(&self, entry: &[u8]) -> bool {
        self.0.iter().any(|list| list.binary_search_by(|(found, _)| found.as_slice().cmp(entry)).is_ok())
    }

    /// Entries that begin so, from one on; each list's in order. An entry may come twice.
    pub fn beginning<'a>(&'a self, prefix: &'a [u8], from: &'a [u8]) -> impl Iterator<Item = (&'a Entry, Head)> {
        self.0.iter().flat_map(move |list| {
            let begin = list.partition_point(|(entry, _)| entry.as_slice() < from);
            let rest = list.get(begin..).unwrap_or_default().iter();
            rest.take_while(move |(entry, _)| entry.starts_with(prefix)).map(|(entry, head)| (entry, *head))
        })
    }

    /// All entries with others that are newer, in order, each once.
    #[must_use]
    pub fn with<'a>(&'a self, newer: &'a [(Entry, Head)]) -> Vec<(&'a Entry, Head)> {
        let lists = self.0.iter().map(Vec::as_slice).chain([newer]);
        let mut all: Vec<_> = lists.flatten().map(|(entry, head)| (entry, *head)).collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        all.dedup_by(|later, before| {
            let is_same = later.0 == before.0;
            if is_same {
                before.1 = later.1;
            }
            is_same
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(code: u8) -> Head {
        Head::from_bytes([4, 0, code, 0, 0, 0, 0])
    }

    #[test]
    fn lists_stay_few_and_hold_the_last_of_each_entry() {
        let mut ended = Ended::default();
        let mut truth = std::collections::BTreeMap::new();
        for step in 0..2000_u32 {
            let batch: Vec<_> = (0..step % 7)
                .map(|place| {
                    (
                        format!("k{:04}", step.wrapping_mul(2_654_435_761) % 3000 + place).into_bytes(),
                        head(u8::try_from(step % 200).unwrap()),
                    )
                })
                .collect();
            truth.extend(batch.iter().cloned());
            ended.add(sorted(batch));
        }
        assert!(ended.0.len() < 20, "{} lists", ended.0.len());
        let newer = sorted(vec![(b"k0005".to_vec(), head(201)), (b"a".to_vec(), head(202))]);
        truth.extend(newer.iter().cloned());
        let all = ended.with(&newer);
        assert_eq!(all, truth.iter().map(|(entry, head)| (entry, *head)).collect::<Vec<_>>());
        assert!(ended.contains(all[9].0) && !ended.contains(b"k9999") && !ended.contains(b"k"));
        let mut found: Vec<_> = ended.beginning(b"k01", b"k0150").map(|(entry, _)| entry.clone()).collect();
        found.sort();
        found.dedup();
        assert_eq!(
            found,
            truth.range(b"k0150".to_vec()..b"k02".to_vec()).map(|(entry, _)| entry.clone()).collect::<Vec<_>>()
        );
        assert!(!found.is_empty());
    }
}
