use super::*;

fn stream(numbers: impl IntoIterator<Item = u16>) -> Sequence {
    let mut sequence = Sequence::default();
    for number in numbers {
        sequence.on(number, None);
    }
    sequence
}

fn figures(sequence: &Sequence) -> (u64, u64, u64, u64, u64) {
    (sequence.packets(), sequence.expected(), sequence.lost(), sequence.duplicates(), sequence.reordered())
}

#[test]
fn reordering_at_the_wrap_loses_nothing() {
    // tshark counts 65,536 lost of 500 here.
    let mut numbers: Vec<u16> = (0..500).map(|n| 65_300_u16.wrapping_add(n)).collect();
    let wrap = numbers.iter().position(|&n| n == 0).unwrap();
    numbers.swap(wrap - 1, wrap);
    numbers.swap(wrap + 3, wrap - 5);
    let (packets, expected, lost, duplicates, reordered) = figures(&stream(numbers));
    assert_eq!((packets, expected, lost, duplicates), (500, 500, 0, 0));
    assert!(reordered > 0);
}

#[test]
fn a_first_packet_that_overtook_others_loses_nothing() {
    assert_eq!(figures(&stream([1, 0, 65535, 2, 3])), (5, 5, 0, 0, 2));
}

#[test]
fn duplicates_do_not_hide_loss() {
    // 3 and 4 are lost; 1 and 5 come twice.
    assert_eq!(figures(&stream([1, 1, 2, 5, 5, 6])), (6, 6, 2, 2, 0));
}

#[test]
fn a_late_packet_is_reordered_and_its_copy_a_duplicate() {
    assert_eq!(figures(&stream([10, 12, 11, 11, 13])), (5, 4, 0, 1, 1));
}

#[test]
fn a_duplicate_with_its_original_s_identification_is_a_copy() {
    let mut sequence = Sequence::default();
    for (number, id) in [(1, 700), (1, 700), (2, 701), (3, 702), (2, 701), (3, 9), (4, 0), (4, 0)] {
        sequence.on(number, Some(id));
    }
    sequence.on(4, None);
    assert_eq!((sequence.duplicates(), sequence.copies()), (5, 4), "3 was sent again, 4 has none");
    sequence.on(4, Some(8));
    assert_eq!((sequence.duplicates(), sequence.copies()), (6, 4), "another packet than the first");
    (5..30).for_each(|number| _ = sequence.on(number, None));
    sequence.on(21, None);
    assert_eq!((sequence.duplicates(), sequence.copies()), (7, 4), "too late for a copy");
}

#[test]
fn many_wraps_are_counted() {
    let sequence = stream((0..200_000_u32).map(|n| u16::try_from(n & 0xffff).unwrap()));
    assert_eq!(figures(&sequence), (200_000, 200_000, 0, 0, 0));
}

#[test]
fn a_restart_begins_anew_and_a_single_far_packet_changes_nothing() {
    let sequence = stream([1, 2, 3, 30_000, 30_001, 30_002]);
    assert_eq!((figures(&sequence), sequence.restarts()), ((6, 6, 0, 0, 0), 1));
    assert_eq!(figures(&stream([1, 2, 30_000, 3, 5])), (5, 6, 1, 0, 0));
    assert_eq!(figures(&stream([1, 2, 30_000, 30_000, 30_001])), (5, 4, 0, 1, 0));
}

#[test]
fn losses_before_a_restart_stay_in_the_pattern() {
    let sequence = stream([1, 2, 5, 6, 30_000, 30_001, 30_003]);
    let pattern = sequence.pattern();
    assert_eq!((sequence.lost(), pattern.total(), pattern.runs()), (3, 3, 2));
}

#[test]
fn runs_of_loss_are_told_apart_from_single_losses() {
    // 100 packets; lost: 10 alone, and 20 to 29. Then the same further back than the window.
    for end in [100, 2000_u16] {
        let sequence = stream((0..end).filter(|n| *n != 10 && !(20..30).contains(n)));
        let pattern = sequence.pattern();
        assert_eq!((sequence.lost(), pattern.total(), pattern.runs(), sequence.holes()), (11, 11, 2, 2));
        assert_eq!((pattern.bursts(), pattern.burst_packets()), (1, 20), "10 to 29: nine came between");
    }
    // A hole longer than the window is one run.
    let sequence = stream((0..2000_u16).filter(|n| !(200..1400).contains(n)));
    assert_eq!((sequence.pattern().runs(), sequence.pattern().longest_run(), sequence.holes()), (1, 1200, 1));
}

/// A generator of numbers for the properties below.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % bound
    }
}

fn wide(count: usize) -> u64 {
    count.try_into().unwrap()
}

fn place(number: u32) -> usize {
    number.try_into().unwrap()
}

#[test]
fn any_loss_order_and_duplication_within_the_window_gives_the_truth() {
    let mut random = Random(12345);
    for _ in 0..300 {
        let (start, count) = (random.below(65_536), 200 + random.below(3000));
        let (loss, spread) = (random.below(30), 1 + random.below(100));
        let mut sent: Vec<(u32, u32)> = Vec::new();
        let mut came = vec![false; place(count)];
        for n in 0..count {
            // The ends always come: what is before the first and after the last cannot be known.
            if n != 0 && n != count - 1 && random.below(100) < loss {
                continue;
            }
            came[place(n)] = true;
            sent.push((n + random.below(spread), n));
            if random.below(10) == 0 {
                sent.push((n + random.below(spread), n));
            }
        }
        sent.sort_unstable();
        let sequence = stream(sent.iter().map(|&(_, n)| u16::try_from((start + n) & 0xffff).unwrap()));
        let lost = wide(came.iter().filter(|came| !**came).count());
        let unique = u64::from(count) - lost;
        assert_eq!((sequence.lost(), sequence.unique(), sequence.expected()), (lost, unique, u64::from(count)));
        assert_eq!(sequence.lost() + sequence.unique(), sequence.expected());
        assert_eq!(sequence.duplicates(), wide(sent.len()) - unique);
        let runs = wide(came.windows(2).filter(|pair| pair[0] && !pair[1]).count());
        let pattern = sequence.pattern();
        assert_eq!((u64::from(pattern.total()), u64::from(pattern.runs())), (lost, runs));
        assert_eq!(u64::from(sequence.holes()), runs, "the runs as they look are those there are in the end");
        assert_eq!(pattern.run_bins().iter().map(|&count| u32::from(count)).sum::<u32>(), pattern.runs());
    }
}

#[test]
fn loss_is_never_negative_whatever_comes() {
    let mut random = Random(777);
    for _ in 0..200 {
        let spread = 1 << random.below(17);
        let start = random.below(65_536);
        let numbers = (0..3000).map(|n| ((start + n / 2 + random.below(spread)) & 0xffff).try_into().unwrap());
        let sequence = stream(numbers.collect::<Vec<u16>>());
        assert!(sequence.unique() <= sequence.expected());
        assert_eq!(u64::from(sequence.pattern().total()), sequence.lost());
    }
}

#[test]
fn copies_that_took_a_long_way_do_not_restart_a_stream() {
    let mut sequence = Sequence::default();
    for number in 1..=1000 {
        sequence.on(number, None);
    }
    for number in [500, 501, 502] {
        assert_eq!(sequence.on(number, None), Arrival::Jump);
    }
    // A second path that is always so far behind.
    for number in 1001..1100 {
        assert_eq!(sequence.on(number, None), Arrival::InOrder { skipped: 0 });
        assert_eq!(sequence.on(number - 498, None), Arrival::Jump);
    }
    assert_eq!((sequence.lost(), sequence.restarts()), (0, 0));
    // A sender that begins anew there is believed after some packets, and none of them is lost.
    for number in 300..400 {
        sequence.on(number, None);
    }
    assert_eq!((sequence.lost(), sequence.restarts(), sequence.highest() & 0xffff), (0, 1, 399));
    assert_eq!(sequence.expected(), sequence.packets());
}

#[test]
fn two_senders_with_the_same_source_are_no_restarts_and_no_losses() {
    let mut sequence = Sequence::default();
    for number in 0..500_u16 {
        sequence.on(number, None);
        sequence.on(number + 30_000, None);
    }
    assert_eq!((sequence.lost(), sequence.restarts(), sequence.packets()), (0, 0, 1000));
}
