//! Entries of ended calls that are in no run yet, in memory: sorted lists, each twice as long as the next.
//!
//! A commit adds a list of its own, which is joined with those before it once they are not much longer. A tree of single
//! entries cost 12 µs a call, as much as writing the call.

use super::{
    entries::{self, Entries},
    value::Head,
};

/// Sorted lists of entries; the last is the newest.
#[derive(Debug, Default)]
pub struct Ended(Vec<Entries>);

impl Ended {
    /// Adds sorted entries.
    pub fn add(&mut self, mut entries: Entries) {
        while let Some(before) = self.0.pop_if(|before| before.len() < entries.len().saturating_mul(2)) {
            entries = before.merged(entries);
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
        self.0.iter().any(|list| list.from(entry).next().is_some_and(|(found, _)| found == entry))
    }

    /// Entries that begin so, from one on; each list's in order. An entry may come twice.
    pub fn beginning<'a>(&'a self, prefix: &'a [u8], from: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Head)> {
        self.0.iter().flat_map(move |list| list.from(from).take_while(move |(entry, _)| entry.starts_with(prefix)))
    }

    /// All entries with others that are newer and sorted, in order, each once.
    #[must_use]
    pub fn with<'a>(&'a self, newer: &'a Entries) -> Vec<(&'a [u8], Head)> {
        entries::all_of(self.0.iter().chain([newer]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(code: u8) -> Head {
        Head::from_bytes([4, 0, code, 0, 0, 0, 0])
    }

    fn sorted(list: &[(Vec<u8>, Head)]) -> Entries {
        let mut entries = Entries::default();
        list.iter().for_each(|(entry, head)| entries.add(&[entry], *head));
        entries.sort();
        entries
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
            ended.add(sorted(&batch));
        }
        assert!(ended.0.len() < 20, "{} lists", ended.0.len());
        let newer = [(b"k0005".to_vec(), head(201)), (b"a".to_vec(), head(202))];
        truth.extend(newer.iter().cloned());
        let newer = sorted(&newer);
        let all = ended.with(&newer);
        assert_eq!(all, truth.iter().map(|(entry, head)| (entry.as_slice(), *head)).collect::<Vec<_>>());
        assert!(ended.contains(all[9].0) && !ended.contains(b"k9999") && !ended.contains(b"k"));
        let mut found: Vec<_> = ended.beginning(b"k01", b"k0150").map(|(entry, _)| entry.to_vec()).collect();
        found.sort();
        found.dedup();
        assert_eq!(
            found,
            truth.range(b"k0150".to_vec()..b"k02".to_vec()).map(|(entry, _)| entry.clone()).collect::<Vec<_>>()
        );
        assert!(!found.is_empty());
    }
}
