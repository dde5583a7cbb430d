//! What was lost on the way to the ring: by the network card, its driver and the kernel's queues. The ring's own drops
//! say nothing of it, and under load most is lost here. Reads what the kernel counts of an interface
//! (`struct rtnl_link_stats64` of linux/if_link.h) from sysfs: without a privilege, and without the lock that rtnetlink
//! takes, behind which another program may keep a reader waiting.

use std::{
    fs, io, mem,
    path::{Path, PathBuf},
};

use sniffer_core::time::Timestamp;

use super::Frame;

/// Where the kernel shows its interfaces.
const INTERFACES: &str = "/sys/class/net";
/// What the queues between cards and sockets dropped, a line for each processor. The process's own folder: where a unit
/// hides the rest of /proc (`ProcSubset=pid`) it is there all the same.
const SOFTNET: &str = "/proc/self/net/softnet_stat";

/// Packets that were lost between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// After this.
    pub from: Timestamp,
    /// Before this.
    pub to: Timestamp,
    /// How many.
    pub packets: u64,
}

/// What the kernel counts of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// The card had no room (`rx_missed_errors`).
    missed: u64,
    /// The card's queue ran over. Drivers use one name or the other or both for the same packet, as the kernel's
    /// documentation says (`rx_fifo_errors`, `rx_over_errors`): the larger one counts.
    fifo: u64,
    over: u64,
    /// The driver or the kernel dropped it (`rx_dropped`); also what [`is_unhandled`] is about.
    dropped: u64,
    /// What the queues of all interfaces dropped. It is in `dropped` of the interface concerned too.
    softnet: u64,
}

/// The time between two looks.
#[derive(Clone, Copy, Debug)]
struct Interval {
    from: Timestamp,
    to: Timestamp,
    change: Counts,
}

/// The counters of one interface, from look to look.
#[derive(Debug)]
pub struct Upstream {
    folder: PathBuf,
    softnet: PathBuf,
    last: Option<(Timestamp, Counts)>,
    /// What is judged at the next look: frames that came in it may still lie in the ring, and none was taken before.
    waiting: Option<Interval>,
    /// Unhandled frames: all of them at the last look, and how many of them came in the interval that waits.
    unhandled: u64,
    unhandled_waiting: u64,
}

impl Upstream {
    /// The counters of an interface of this machine.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::at(&Path::new(INTERFACES).join(name).join("statistics"), Path::new(SOFTNET))
    }

    fn at(folder: &Path, softnet: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            softnet: softnet.to_owned(),
            last: None,
            waiting: None,
            unhandled: 0,
            unhandled_waiting: 0,
        }
    }

    /// Looks at the counters, about once a second, and says what was lost from the look before the last one to the last
    /// one; of the first looks nothing. `unhandled` is how many frames of which [`is_unhandled`] says so were ever taken
    /// from the interface's rings.
    pub fn look(&mut self, now: Timestamp, unhandled: u64) -> Option<Lost> {
        let Ok(counts) = self.read() else {
            // The interface is not there.
            self.forget();
            return None;
        };
        let came = unhandled.saturating_sub(mem::replace(&mut self.unhandled, unhandled));
        let within = mem::replace(&mut self.unhandled_waiting, came);
        let judged = self.waiting.take().map(|interval| Lost {
            from: interval.from,
            to: interval.to,
            packets: interval.change.lost(within.saturating_add(came)),
        });
        // A counter that went back is another interface's of the same name, or its driver began anew.
        if let Some((from, last)) = self.last.replace((now, counts))
            && let Some(change) = counts.since(last)
        {
            self.waiting = Some(Interval { from, to: now, change });
        }
        judged.filter(|lost| lost.packets > 0)
    }

    /// Begins anew with the next look: nobody listened meanwhile.
    pub fn forget(&mut self) {
        self.last = None;
        self.waiting = None;
    }

    fn read(&self) -> io::Result<Counts> {
        let number = |name: &str| -> io::Result<u64> {
            fs::read_to_string(self.folder.join(name))?.trim().parse().map_err(io::Error::other)
        };
        Ok(Counts {
            missed: number("rx_missed_errors")?,
            fifo: number("rx_fifo_errors")?,
            over: number("rx_over_errors")?,
            dropped: number("rx_dropped")?,
            // Without it the interface's own counters are as good, unless frames were unhandled.
            softnet: softnet(&self.softnet).unwrap_or(0),
        })
    }
}

impl Counts {
    /// What came since then; none when something went back.
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            missed: self.missed.checked_sub(before.missed)?,
            fifo: self.fifo.checked_sub(before.fifo)?,
            over: self.over.checked_sub(before.over)?,
            dropped: self.dropped.checked_sub(before.dropped)?,
            softnet: self.softnet.saturating_sub(before.softnet),
        })
    }

    /// Packets that never reached a ring, when so many unhandled frames did reach it and may be among the dropped ones.
    fn lost(self, unhandled: u64) -> u64 {
        let dropped = self.dropped.saturating_sub(unhandled).max(self.dropped.min(self.softnet));
        self.missed.saturating_add(self.fifo.max(self.over)).saturating_add(dropped)
    }
}

/// What the kernel's queues between cards and sockets dropped on all processors, whatever the interface: a network card
/// hands over to them where it has one queue for several processors (RPS), virtual interfaces always do.
///
/// # Errors
/// When the kernel does not show it.
pub fn softnet_dropped() -> io::Result<u64> {
    softnet(Path::new(SOFTNET))
}

/// The sum of the second column.
fn softnet(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let dropped = text.lines().filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok());
    Ok(dropped.fold(0, u64::saturating_add))
}

/// Says whether the kernel may count a frame in `rx_dropped` although the ring has it: it had a VLAN tag, and nobody else
/// wants its protocol. (`__netif_receive_skb_core` hands a tagged packet to packet sockets before it looks for others, and
/// when there are none, calls it dropped. Without a tag the packet socket is among the takers.)
#[must_use]
pub fn is_unhandled(frame: &Frame<'_>) -> bool {
    // IPv4, ARP, IPv6: the kernel takes them whoever they are for.
    const HANDLED: [&[u8]; 3] = [&[0x08, 0x00], &[0x08, 0x06], &[0x86, 0xdd]];
    frame.meta.vlan.is_some() && frame.bytes.get(12..14).is_none_or(|kind| !HANDLED.contains(&kind))
}

#[cfg(test)]
mod tests {
    use sniffer_core::engine::FrameMeta;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn set(&self, [missed, fifo, over, dropped]: [u64; 4], softnet: [u64; 2]) {
            let numbers = [missed, fifo, over, dropped];
            for (name, number) in
                ["rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "rx_dropped"].iter().zip(numbers)
            {
                fs::write(self.0.path().join(name), format!("{number}\n")).unwrap();
            }
            let lines = softnet.map(|dropped| format!("003259ba {dropped:08x} 00000001 00000000 00000000 0 0 0\n"));
            fs::write(self.0.path().join("softnet"), lines.concat()).unwrap();
        }

        fn watch(&self) -> Upstream {
            Upstream::at(self.0.path(), &self.0.path().join("softnet"))
        }
    }

    fn lost(from: i64, packets: u64) -> Option<Lost> {
        Some(Lost { from: at(from), to: at(from + 1), packets })
    }

    #[test]
    fn what_card_and_kernel_drop_after_the_first_look_is_lost_in_the_second_in_which_it_was_dropped() {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut watch = machine.watch();
        machine.set([7, 7, 7, 7], [7, 0]);
        assert_eq!((watch.look(at(0), 0), watch.look(at(1), 0)), (None, None));
        machine.set([10, 9, 8, 11], [7, 4]);
        assert_eq!(watch.look(at(2), 0), None, "what came may still be in the ring");
        // Missed 3, the card's queue 2 (both names are for the same packets), dropped 4, which the queues did.
        assert_eq!(watch.look(at(3), 0), lost(1, 9));
        assert_eq!(watch.look(at(4), 0), None, "it is told once");
    }

    #[test]
    fn tagged_frames_that_the_kernel_calls_dropped_are_in_the_ring_and_not_lost() {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut watch = machine.watch();
        machine.set([0, 0, 0, 0], [0, 0]);
        assert_eq!(watch.look(at(0), 0), None);
        machine.set([0, 0, 0, 100], [0, 0]);
        // The last ten were still in the ring.
        assert_eq!((watch.look(at(1), 90), watch.look(at(2), 100)), (None, None));
        machine.set([0, 0, 0, 250], [0, 30]);
        assert_eq!((watch.look(at(3), 200), watch.look(at(4), 200)), (None, lost(2, 50)), "more than there were");
        machine.set([0, 0, 0, 350], [0, 60]);
        assert_eq!((watch.look(at(5), 300), watch.look(at(6), 300)), (None, lost(4, 30)), "the queues' are certain");
    }

    #[test]
    fn another_interface_of_the_same_name_and_a_time_without_a_listener_begin_anew() {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut watch = machine.watch();
        machine.set([100, 0, 0, 0], [0, 0]);
        assert_eq!(watch.look(at(0), 0), None);
        machine.set([5, 0, 0, 0], [0, 0]);
        assert_eq!((watch.look(at(1), 0), watch.look(at(2), 0), watch.look(at(3), 0)), (None, None, None));
        watch.forget();
        machine.set([50, 0, 0, 0], [0, 0]);
        assert_eq!((watch.look(at(4), 0), watch.look(at(5), 0), watch.look(at(6), 0)), (None, None, None));
        fs::remove_file(machine.0.path().join("rx_dropped")).unwrap();
        assert_eq!(watch.look(at(7), 0), None);
        machine.set([60, 0, 0, 0], [0, 0]);
        assert_eq!((watch.look(at(8), 0), watch.look(at(9), 0), watch.look(at(10), 0)), (None, None, None));
    }

    #[test]
    fn only_tagged_frames_of_protocols_that_nobody_takes_may_be_counted_though_they_came() {
        let frame = |kind: [u8; 2], vlan| {
            let bytes = [[0; 12].as_slice(), &kind, &[0; 40]].concat();
            is_unhandled(&Frame { meta: FrameMeta { time: at(0), vlan }, bytes: &bytes })
        };
        // Two tags, of which the card took the outer one; MPLS.
        assert!(frame([0x81, 0x00], Some(7)) && frame([0x88, 0x47], Some(7)));
        assert!(!frame([0x88, 0x47], None) && !frame([0x08, 0x00], Some(7)) && !frame([0x86, 0xdd], Some(7)));
    }
}
