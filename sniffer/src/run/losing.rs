//! When to say that a port loses packets: once when it begins, once a minute while it goes on, and once when it has ended.
//! A line for each look would be several hundred a second, just when there is no time for them.

use std::time::Duration;

use sniffer_core::time::Timestamp;

use crate::limits;

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Packets are lost from here on.
    Begins,
    /// It goes on: packets so far, and for how long.
    GoesOn(u64, Duration),
    /// It has ended: packets, and how long it took.
    Ended(u64, Duration),
}

/// A time in which packets are lost.
#[derive(Clone, Copy, Debug)]
struct Spell {
    begin: Timestamp,
    packets: u64,
    /// When packets were lost last.
    last: Timestamp,
    said: Timestamp,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Losing(Option<Spell>);

impl Losing {
    /// Takes note of how many packets were lost since the last look; says what is to be told.
    pub fn look(&mut self, now: Timestamp, lost: u64) -> Option<Said> {
        let Some(spell) = &mut self.0 else {
            if lost > 0 {
                self.0 = Some(Spell { begin: now, packets: lost, last: now, said: now });
                return Some(Said::Begins);
            }
            return None;
        };
        if lost > 0 {
            spell.packets = spell.packets.saturating_add(lost);
            spell.last = now;
            if now.since(spell.said) < limits::LOSING_AGAIN {
                return None;
            }
            spell.said = now;
            return Some(Said::GoesOn(spell.packets, now.since(spell.begin)));
        }
        if now.since(spell.last) < limits::LOSING_OVER {
            return None;
        }
        let said = Said::Ended(spell.packets, spell.last.since(spell.begin));
        self.0 = None;
        Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000)
    }

    #[test]
    fn ten_minutes_of_losses_at_each_look_are_a_dozen_lines_and_every_packet_is_in_them() {
        let mut losing = Losing::default();
        let said: Vec<_> = (0..60_000).filter_map(|n| losing.look(at(n * 10), 3)).collect();
        assert_eq!(said.len(), 10, "{said:?}");
        assert_eq!(said[0], Said::Begins);
        assert_eq!(said[1], Said::GoesOn(3 * 6001, Duration::from_secs(60)));
        let quiet: Vec<_> = (60_000..70_000).filter_map(|n| losing.look(at(n * 10), 0)).collect();
        assert_eq!(quiet, [Said::Ended(180_000, Duration::from_millis(599_990))]);
    }

    #[test]
    fn losses_that_come_and_go_are_one_spell_and_a_port_that_loses_nothing_says_nothing() {
        let mut losing = Losing::default();
        assert!((0..100).all(|n| losing.look(at(n * 1000), 0).is_none()));
        // Every third second, and then no more.
        let said: Vec<_> =
            (100..140).filter_map(|n| losing.look(at(n * 1000), u64::from(n % 3 == 0 && n < 130))).collect();
        assert_eq!(said, [Said::Begins, Said::Ended(10, Duration::from_secs(27))]);
    }
}
