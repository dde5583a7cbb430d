//! How long somebody who failed must wait before the next attempt. Pure; slows guessing and locks nobody out.
//!
//! A source (an address) waits longer with each failure. An account also counts failures from everywhere, but sources
//! from which its owner has logged in do not wait for that.

use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Longest part of a typed name that is told apart.
const NAME: usize = 64;

/// Failures, by who caused them.
#[derive(Debug, Default)]
pub struct Throttle {
    sources: Table<Source>,
    names: Table<String>,
    /// Pairs of source and name that logged in since the helper started.
    known: BTreeSet<(Source, String)>,
}

/// An address as far as one person has it: in IPv6 a host chooses the last 64 bits at will (RFC 4291 section 2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl Throttle {
    /// Counts an attempt, or says how long to wait when it comes too early. An attempt counts as a failure until
    /// [`Self::succeeded`] says otherwise, so that many at once are not all free.
    ///
    /// # Errors
    /// The time to wait. The attempt is then not counted.
    pub fn attempt(&mut self, from: IpAddr, name: Option<&str>, up: Duration) -> Result<(), Duration> {
        let (source, name) = (Source::of(from), name.map(key));
        let of_source = self.sources.wait(&source, up, limits::FREE_FAILURES, limits::MAX_SOURCE_DELAY);
        let of_name = name
            .as_ref()
            .filter(|name| !self.known.contains(&(source, (*name).clone())))
            .map(|name| self.names.wait(name, up, limits::FREE_ACCOUNT_FAILURES, limits::MAX_ACCOUNT_DELAY));
        let wait = of_source.max(of_name.unwrap_or_default());
        if !wait.is_zero() {
            return Err(wait);
        }
        self.sources.count(source, up);
        if let Some(name) = name {
            self.names.count(name, up);
        }
        Ok(())
    }

    /// Forgets the failures of a source and a name that proved themselves.
    pub fn succeeded(&mut self, from: IpAddr, name: Option<&str>) {
        let source = Source::of(from);
        self.sources.0.remove(&source);
        if let Some(name) = name.map(key) {
            self.names.0.remove(&name);
            if self.known.len() >= limits::MAX_THROTTLED {
                self.known.clear();
            }
            self.known.insert((source, name));
        }
    }
}

fn key(name: &str) -> String {
    name.trim().to_lowercase().chars().take(NAME).collect()
}

#[derive(Debug)]
struct Table<K>(BTreeMap<K, Failures>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone + Hash> Table<K> {
    fn wait(&self, key: &K, up: Duration, free: u32, longest: Duration) -> Duration {
        let Some(failures) = self.0.get(key).filter(|failures| failures.is_remembered(up)) else {
            return Duration::ZERO;
        };
        let end = failures.last.saturating_add(delay(failures.count, free, longest));
        end.saturating_sub(up)
    }

    fn count(&mut self, key: K, up: Duration) {
        let before =
            self.0.get(&key).filter(|failures| failures.is_remembered(up)).map_or(0, |failures| failures.count);
        if self.0.len() >= limits::MAX_THROTTLED && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(key, Failures { count: before.saturating_add(1), last: up });
    }
}

impl Failures {
    fn is_remembered(&self, up: Duration) -> bool {
        up.saturating_sub(self.last) < limits::FAILURES_FORGOTTEN
    }
}

/// The delay after so many failures: none while they are free, then 1 s, doubling up to the longest.
fn delay(failures: u32, free: u32, longest: Duration) -> Duration {
    let Some(beyond) = failures.checked_sub(free) else { return Duration::ZERO };
    Duration::from_secs(1_u64.checked_shl(beyond).unwrap_or(u64::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ip(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn the_delay_of_a_source_grows_and_ends() {
        let mut throttle = Throttle::default();
        let mut now = s(100);
        let mut waited = Vec::new();
        for _ in 0..14 {
            if let Err(wait) = throttle.attempt(ip(1), None, now) {
                waited.push(wait.as_secs());
                now += wait;
                assert_eq!(throttle.attempt(ip(1), None, now), Ok(()));
            }
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(throttle.attempt(ip(2), None, now), Ok(()), "others do not wait");
        assert_eq!(throttle.attempt(ip(1), None, now + limits::FAILURES_FORGOTTEN), Ok(()));
    }

    #[test]
    fn success_forgets_the_failures() {
        let mut throttle = Throttle::default();
        for _ in 0..limits::FREE_FAILURES {
            throttle.attempt(ip(1), Some("anna"), s(1)).unwrap();
        }
        assert!(throttle.attempt(ip(1), Some("anna"), s(1)).is_err());
        throttle.succeeded(ip(1), Some("anna"));
        assert_eq!(throttle.attempt(ip(1), Some("anna"), s(1)), Ok(()));
    }

    #[test]
    fn an_account_under_attack_from_everywhere_stays_open_to_its_owner() {
        let mut throttle = Throttle::default();
        throttle.succeeded(ip(200), Some("anna"));
        let refused = (0..100).filter(|n| throttle.attempt(ip(*n), Some("Anna "), s(10)).is_err()).count();
        assert_eq!(refused, 90);
        assert_eq!(throttle.attempt(ip(201), Some("anna"), s(10)), Err(s(1)));
        assert_eq!(throttle.attempt(ip(200), Some("anna"), s(10)), Ok(()));
        assert!((0..1000).all(|_| throttle.attempt(ip(201), Some("anna"), s(10)).is_err()));
        assert_eq!(throttle.attempt(ip(201), Some("anna"), s(10) + limits::MAX_ACCOUNT_DELAY), Ok(()));
    }

    #[test]
    fn a_host_with_many_addresses_is_one_source_and_the_table_is_bounded() {
        let mut throttle = Throttle::default();
        let host = |n: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
        let refused = (0..20).filter(|n| throttle.attempt(host(*n), None, s(1)).is_err()).count();
        assert_eq!(refused, 16);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Source::of(mapped), Source::of(ip(1)));
        for n in 0..5000_u16 {
            let net = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, n, 0, 0, 0, 0, 1));
            throttle.attempt(net, Some(&n.to_string()), s(2)).unwrap();
        }
        assert_eq!((throttle.sources.0.len(), throttle.names.0.len()), (limits::MAX_THROTTLED, limits::MAX_THROTTLED));
    }
}
