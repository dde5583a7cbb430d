//! Times that the packets around contradict. One damaged record header that names a year far away would end every call,
//! as an engine believes each time; here a packet whose time is far ahead waits for the next one to agree.

use sniffer_core::{decode::LinkType, time::Timestamp};

use crate::{file::Packet, limits};

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// The time of the last packet that was given on.
    last: Option<Timestamp>,
    doubted: Option<Doubted>,
    contradicted: u64,
}

/// A copy of a packet that waits.
#[derive(Debug)]
struct Doubted {
    link: LinkType,
    time: Timestamp,
    frame: Vec<u8>,
}

impl Times {
    /// Gives a packet to `take`, after the one that waited for it, each with the time that is believed of it: its own, or
    /// where the next packet is from long before it that of the packet before. One whose time is far ahead waits.
    ///
    /// # Errors
    /// Those of `take`.
    #[inline]
    pub fn packet<E>(
        &mut self,
        packet: Packet<'_>,
        take: &mut impl FnMut(Packet<'_>, Timestamp) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.doubted.is_some() || self.is_far_ahead(packet.time) {
            return self.odd_packet(packet, take);
        }
        self.last = Some(packet.time);
        take(packet, packet.time)
    }

    #[inline]
    fn is_far_ahead(&self, time: Timestamp) -> bool {
        self.last.is_none_or(|last| time > last.after(limits::TIME_LEAP))
    }

    #[cold]
    fn odd_packet<E>(
        &mut self,
        packet: Packet<'_>,
        take: &mut impl FnMut(Packet<'_>, Timestamp) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(Doubted { link, time, frame }) = self.doubted.take() {
            let is_contradicted = packet.time.after(limits::TIME_LEAP) < time;
            self.contradicted = self.contradicted.saturating_add(u64::from(is_contradicted));
            let believed = if is_contradicted { self.last.unwrap_or(packet.time) } else { time };
            self.last = Some(believed);
            take(Packet { link, time, frame: &frame }, believed)?;
        }
        if self.is_far_ahead(packet.time) {
            let Packet { link, time, frame } = packet;
            self.doubted = Some(Doubted { link, time, frame: frame.to_vec() });
            return Ok(());
        }
        self.last = Some(packet.time);
        take(packet, packet.time)
    }

    /// Gives on what waits: there are no more packets, and none contradicts it.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn finish<E>(&mut self, take: &mut impl FnMut(Packet<'_>, Timestamp) -> Result<(), E>) -> Result<(), E> {
        let Some(Doubted { link, time, frame }) = self.doubted.take() else { return Ok(()) };
        self.last = Some(time);
        take(Packet { link, time, frame: &frame }, time)
    }

    /// Packets whose time was contradicted.
    pub fn contradicted(&self) -> u64 {
        self.contradicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The believed times in seconds of packets with these times, and how many were contradicted.
    fn believed(seconds: &[i64]) -> (Vec<i64>, u64) {
        let (mut times, mut given) = (Times::default(), Vec::new());
        let mut take = |packet: Packet<'_>, believed: Timestamp| -> Result<(), ()> {
            let number = usize::from(packet.frame[0]);
            assert_eq!(number, given.len(), "in their order");
            assert_eq!(packet.time.as_nanos(), seconds[number] * 1_000_000_000, "as it is in the file");
            given.push(believed.as_nanos() / 1_000_000_000);
            Ok(())
        };
        for (number, second) in seconds.iter().enumerate() {
            let frame = [u8::try_from(number).unwrap()];
            let time = Timestamp::from_nanos(second * 1_000_000_000);
            times.packet(Packet { link: LinkType::RawIp, time, frame: &frame }, &mut take).unwrap();
        }
        times.finish(&mut take).unwrap();
        assert_eq!(given.len(), seconds.len(), "none is lost");
        (given, times.contradicted())
    }

    #[test]
    fn a_time_far_ahead_counts_only_where_the_next_packet_agrees() {
        let year_2093 = 3_881_000_000;
        assert_eq!(believed(&[100, 101, year_2093, 102, 103]), (vec![100, 101, 101, 102, 103], 1));
        assert_eq!(believed(&[year_2093, 102, 103]), (vec![102, 102, 103], 1), "the first of all");
        let (twice, count) = believed(&[100, year_2093, year_2093 - 9_000, 101, year_2093, 102]);
        assert_eq!((twice, count), (vec![100, 100, 100, 101, 101, 102], 3));
        // A night without calls, an hour that is not too long, the last packet of all, an older file behind.
        for true_times in
            [&[100, 101, 40_000, 40_001][..], &[100, 3700, 7300], &[100, 101, 40_000], &[40_000, 40_001, 100]]
        {
            assert_eq!(believed(true_times), (true_times.to_vec(), 0));
        }
    }
}
