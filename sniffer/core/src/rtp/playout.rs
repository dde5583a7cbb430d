//! What three jitter buffers would have made of a stream: a packet that arrives after its time of playing is late, and
//! counts as lost for that buffer.
//!
//! A buffer's playout point lies its depth after the fastest packet of the last 10 to 20 seconds (RFC 5481, section 8:
//! packets whose delay variation exceeds the depth are discarded). It moves when 25 packets in a row were late, and it
//! is set anew by a packet after silence: a marker bit, a second without packets, or a jump of the timestamps. The
//! adaptive buffer begins at 60 ms, grows at once to the delay of a late packet, up to 500 ms, and sinks every ten
//! seconds to the largest delay in them, not below 40 ms.

use crate::{bytes::float, limits::PLAYOUT_RESYNC};

const MILLISECOND: i64 = 1_000_000;
/// Depths of the adaptive buffer in nanoseconds.
const ADAPTIVE_START: u32 = 60_000_000;
const ADAPTIVE_LOWEST: u32 = 40_000_000;
const ADAPTIVE_HIGHEST: u32 = 500_000_000;

/// The buffers that are simulated, in the order of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 50 ms always.
    Fixed50,
    /// 200 ms always.
    Fixed200,
    /// As deep as the last packets need, 40 to 500 ms.
    Adaptive,
}

/// What became of the packets in one buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    packets: u32,
    /// Runs of late packets that do not follow a lost one.
    runs: u32,
    /// Number of the last one.
    last: u16,
    /// How many in a row, up to a move of the playout point.
    in_a_row: u8,
}

impl Late {
    /// Counts a packet. True when so many came in a row that the playout point is to move.
    fn count(&mut self, number: u16, predecessor_came: bool) -> bool {
        let goes_on = self.packets > 0 && self.last == number.wrapping_sub(1);
        self.packets = self.packets.saturating_add(1);
        self.runs = self.runs.saturating_add(u32::from(predecessor_came && !goes_on));
        self.last = number;
        self.in_a_row = self.in_a_row.saturating_add(1);
        let moves = self.in_a_row >= PLAYOUT_RESYNC;
        if moves {
            self.in_a_row = 0;
        }
        moves
    }
}

/// The three buffers.
#[derive(Clone, Debug)]
pub struct Playout {
    /// Transit times of the packets that set the playout points, in nanoseconds.
    anchors: [i64; 3],
    /// Depth of the adaptive buffer in nanoseconds, and the largest delay of this slot of the time line.
    depth: u32,
    peak: u32,
    packets: u32,
    changed_at: u32,
    /// For the mean depth: microseconds times packets up to the last change, which was at `changed_at`.
    depth_sum: u64,
    /// Kept from the first late packet on.
    late: Option<Box<[Late; 3]>>,
}

impl Default for Playout {
    fn default() -> Self {
        Self {
            anchors: [i64::MAX; 3],
            depth: ADAPTIVE_START,
            peak: 0,
            packets: 0,
            depth_sum: 0,
            changed_at: 0,
            late: None,
        }
    }
}

/// A packet as the buffers see it.
#[derive(Clone, Copy, Debug)]
pub struct Arriving {
    /// Its sequence number.
    pub number: u16,
    /// Its transit time in nanoseconds.
    pub transit: i64,
    /// It is the first after silence.
    pub is_fresh: bool,
}

impl Playout {
    /// Takes a packet; says whether the adaptive buffer had to do without it. `predecessor_came` is asked for late
    /// packets only.
    #[inline]
    pub fn on(&mut self, packet: Arriving, predecessor_came: impl Fn() -> bool) -> bool {
        let Arriving { number, transit, is_fresh } = packet;
        self.packets = self.packets.saturating_add(1);
        if is_fresh {
            self.anchors = [transit; 3];
        }
        let depths = [50 * MILLISECOND, 200 * MILLISECOND, i64::from(self.depth)];
        let delays = self.anchors.map(|anchor| transit.saturating_sub(anchor));
        let [_, _, needed] = delays;
        self.peak = self.peak.max(u32::try_from(needed.max(0)).unwrap_or(u32::MAX));
        if delays.iter().zip(depths).all(|(delay, depth)| *delay <= depth) {
            self.anchors = self.anchors.map(|anchor| transit.min(anchor));
            for late in self.late.iter_mut().flat_map(|late| late.iter_mut()) {
                late.in_a_row = 0;
            }
            return false;
        }
        self.judge(number, transit, depths, predecessor_came())
    }

    /// What each buffer makes of a packet that is late for one of them.
    #[inline(never)]
    fn judge(&mut self, number: u16, transit: i64, depths: [i64; 3], predecessor_came: bool) -> bool {
        let [_, _, adaptive] = self.anchors;
        let needed = u32::try_from(transit.saturating_sub(adaptive).max(0)).unwrap_or(u32::MAX);
        let mut is_late = false;
        for (buffer, (anchor, depth)) in self.anchors.iter_mut().zip(depths).enumerate() {
            is_late = transit.saturating_sub(*anchor) > depth;
            if is_late {
                let late = self.late.get_or_insert_default();
                if let Some(late) = late.get_mut(buffer)
                    && late.count(number, predecessor_came)
                {
                    *anchor = transit;
                }
            } else {
                *anchor = transit.min(*anchor);
                if let Some(late) = self.late.as_mut().and_then(|late| late.get_mut(buffer)) {
                    late.in_a_row = 0;
                }
            }
        }
        if is_late {
            self.change_depth(needed.clamp(self.depth, ADAPTIVE_HIGHEST));
        }
        is_late
    }

    fn change_depth(&mut self, depth: u32) {
        self.depth_sum = self.depth_sum_until_now();
        self.changed_at = self.packets;
        self.depth = depth;
    }

    fn depth_sum_until_now(&self) -> u64 {
        let packets = u64::from(self.packets.saturating_sub(self.changed_at));
        self.depth_sum.saturating_add(packets.saturating_mul(u64::from(self.depth / 1000)))
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.late.as_ref().map_or(0, |late| size_of_val(late.as_ref()))
    }

    /// Begins a slot of the time line: the playout points follow the smallest transit time around, so that clocks that
    /// drift apart make nothing late.
    pub fn begin_slot(&mut self, smallest: i64) {
        if smallest == i64::MAX {
            return;
        }
        for anchor in &mut self.anchors {
            *anchor = smallest.max(*anchor);
        }
        self.change_depth(self.peak.clamp(ADAPTIVE_LOWEST, self.depth));
        self.peak = 0;
    }

    /// Transit times have a new offset from the next packet on.
    pub fn restart(&mut self) {
        self.anchors = [i64::MAX; 3];
    }

    /// Packets that were given to the buffers.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// Packets that were late for a buffer, and their runs.
    #[must_use]
    pub fn late(&self, kind: Kind) -> (u32, u32) {
        let Some([fixed_50, fixed_200, adaptive]) = self.late.as_deref() else { return (0, 0) };
        let late = match kind {
            Kind::Fixed50 => fixed_50,
            Kind::Fixed200 => fixed_200,
            Kind::Adaptive => adaptive,
        };
        (late.packets, late.runs)
    }

    /// The depth of a buffer in milliseconds; for the adaptive one its mean.
    #[must_use]
    pub fn depth_ms(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Fixed50 => 50.0,
            Kind::Fixed200 => 200.0,
            Kind::Adaptive => float(self.depth_sum_until_now()) / float(u64::from(self.packets.max(1))) / 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(playout: &mut Playout, delays_ms: impl IntoIterator<Item = i64>) {
        for (number, delay) in delays_ms.into_iter().enumerate() {
            let number = u16::try_from(number & 0xffff).unwrap();
            playout.on(Arriving { number, transit: delay * MILLISECOND, is_fresh: false }, || true);
        }
    }

    fn late(playout: &Playout) -> [u32; 3] {
        [Kind::Fixed50, Kind::Fixed200, Kind::Adaptive].map(|kind| playout.late(kind).0)
    }

    #[test]
    fn delay_up_to_the_depth_is_bridged_and_beyond_it_a_packet_is_late() {
        let mut playout = Playout::default();
        feed(&mut playout, [0, 50, 51, 0, 200, 201, 0, 0]);
        // The adaptive one stood at 60 ms, then at about 200: it missed 200 and 201.
        assert_eq!(late(&playout), [3, 1, 2]);
        assert_eq!(playout.late(Kind::Fixed50), (3, 2), "201 follows 200");
    }

    #[test]
    fn random_delay_of_0_to_60_ms_is_no_perfect_score_for_the_short_buffer() {
        let mut playout = Playout::default();
        let mut state = 7_u32;
        feed(
            &mut playout,
            (0..10_000).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                i64::from((state >> 8) % 61)
            }),
        );
        // One in six is later than 50 ms.
        let share = f64::from(late(&playout)[0]) / 10_000.0;
        assert!((0.14..0.18).contains(&share), "{share}");
        assert_eq!(late(&playout)[1], 0);
        assert!(late(&playout)[2] < late(&playout)[0], "the adaptive one follows");
    }

    #[test]
    fn a_new_route_costs_half_a_second_and_not_the_call() {
        let mut playout = Playout::default();
        feed(&mut playout, std::iter::repeat_n(0, 500).chain(std::iter::repeat_n(120, 400)));
        assert_eq!(late(&playout), [25, 0, 1]);
    }

    #[test]
    fn a_packet_after_silence_sets_the_playout_point() {
        let mut playout = Playout::default();
        feed(&mut playout, [0; 10]);
        playout.on(Arriving { number: 10, transit: 900 * MILLISECOND, is_fresh: true }, || true);
        playout.on(Arriving { number: 11, transit: 910 * MILLISECOND, is_fresh: false }, || true);
        assert_eq!(late(&playout), [0, 0, 0]);
    }

    #[test]
    fn the_adaptive_buffer_sinks_when_the_delay_has_gone() {
        let mut playout = Playout::default();
        feed(&mut playout, [0, 300, 0, 250]);
        playout.begin_slot(0);
        assert_eq!(playout.depth, 300_000_000);
        feed(&mut playout, [0, 10, 0]);
        playout.begin_slot(0);
        assert_eq!(playout.depth, ADAPTIVE_LOWEST);
    }

    #[test]
    fn nothing_is_deeper_than_half_a_second() {
        let mut playout = Playout::default();
        feed(&mut playout, [0, 600, 0, 600, 0, 499, 0]);
        assert_eq!(late(&playout), [3, 3, 2]);
        assert!(playout.depth_ms(Kind::Adaptive) <= 500.0);
    }
}
