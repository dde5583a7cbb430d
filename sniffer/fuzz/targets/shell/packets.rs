//! The packet store on a disk that damages what was written: no panic, and no packet comes out that was not put in for
//! this call.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sniffer::{
    disk::Disk,
    packets::{Kind, MediaKept, Owner, Packet, PacketStore, Settings, Shape, Wanted},
};
use sniffer_core::time::Timestamp;

use super::{
    super::core::{BEGIN, Input},
    memory::Memory,
};

const CALLS: u8 = 4;
const FOLDER: &str = "/p";

/// What was put in for a call: times in nanoseconds and octets.
type Kept = Vec<(u8, i64, Vec<u8>)>;

/// Packets of some calls and streams; then octets of the files are changed, or their ends cut, as the input says.
pub fn packets(data: &[u8]) {
    let mut input = Input::new(data);
    let (damages, media) = (input.byte() % 8, [MediaKept::Full, MediaKept::Headers][usize::from(input.byte() & 1)]);
    let damages: Vec<_> = (0..damages).map(|_| (input.byte(), input.word(), input.byte())).collect();
    let memory = Arc::new(Memory::default());
    let disk: Arc<dyn Disk> = Arc::<Memory>::clone(&memory);
    let settings = Settings { run: 7, media, floor: 0, waits: false };
    let kept = write(&mut input, settings, &disk);
    for &(how, place, change) in &damages {
        damage(&memory, how, place, change);
    }
    let (store, _queue) = PacketStore::new(settings);
    store.open(&disk, Path::new(FOLDER)).expect("damage is no error of the disk");
    for call in 0..CALLS {
        let (start, end) = (Timestamp::from_nanos(BEGIN), Timestamp::from_nanos(i64::MAX));
        let wanted = Wanted { run: 7, owner: Owner::Call(u64::from(call)), start, end };
        let mut mine: Vec<_> = kept.iter().filter(|(of, ..)| *of == call).collect();
        let (put_in, mut given, mut last) = (mine.len(), 0, i64::MIN);
        let cut = store.cut(&wanted, |packet| {
            let time = packet.time.as_nanos();
            let place = mine.iter().position(|(_, at, bytes)| *at == time && bytes == packet.bytes);
            assert!(place.is_some(), "a packet that was not put in for call {call}: {packet:?}");
            mine.swap_remove(place.unwrap_or(0));
            assert!(time >= last || !damages.is_empty(), "packets out of their order");
            (last, given) = (time, given + 1);
            Ok(())
        });
        assert!(cut.is_ok(), "{cut:?}");
        assert!(!damages.is_empty() || given == put_in, "{given} of {put_in} packets of call {call}");
    }
}

/// Keeps packets as the input says, and writes them.
fn write(input: &mut Input<'_>, settings: Settings, disk: &Arc<dyn Disk>) -> Kept {
    let (store, queue) = PacketStore::new(settings);
    let mut gatherer = store.gatherer();
    let (mut kept, mut now, mut flushes) = (Kept::new(), BEGIN, 0);
    while !input.is_empty() && kept.len() < 300 {
        let what = input.byte();
        let (call, length) = (what % CALLS, usize::from(input.byte()));
        now = now.saturating_add(i64::from(what >> 2 & 3) * 1_000_000);
        // Streams have the numbers of calls, and are the call's once it has adopted them.
        let is_stream = what & 0x20 != 0;
        let bytes: Vec<u8> = input.bytes(length).to_vec();
        let packet = Packet { time: Timestamp::from_nanos(now), link: 1, original: 2000, bytes: &bytes };
        let (kind, owner) = match is_stream {
            true => (Kind::Media, Owner::Stream(u64::from(call) + 100)),
            false => (Kind::Signalling, Owner::Call(u64::from(call))),
        };
        // What is said of RTP in it is a guess for packing, and may be wrong.
        let rtp = (what & 0x10 != 0).then(|| u8::try_from(length / 4).unwrap_or(0));
        let stream = is_stream.then_some((u64::from(call) + 100, u32::from(what >> 7)));
        gatherer.keep(kind, owner, &packet, &Shape { head: length / 2, rtp, vlan: None, stream });
        let head = if is_stream && settings.media == MediaKept::Headers { length / 2 } else { length };
        kept.push((call, now, bytes.get(..head).unwrap_or(&bytes).to_vec()));
        // The queue of blocks is bounded, and nobody empties it here.
        if what & 0xc0 == 0xc0 && flushes < 4 {
            flushes += 1;
            gatherer.flush();
        }
    }
    for call in 0..CALLS {
        gatherer.adopted(u64::from(call) + 100, u64::from(call), Timestamp::from_nanos(now));
    }
    drop(gatherer);
    store.stop();
    store.run(disk, Path::new(FOLDER), &queue);
    kept
}

/// Changes an octet of a segment, cuts its end off, or puts octets of it elsewhere in it.
fn damage(memory: &Memory, how: u8, place: u16, change: u8) {
    let kind = if how & 1 == 0 { "signalling" } else { "media" };
    let path: PathBuf = Path::new(FOLDER).join(kind).join("0000000000000000.packets");
    memory.change(&path, |bytes| {
        let at = usize::from(place) % bytes.len().max(1);
        match how >> 1 & 3 {
            0 | 1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change),
            2 => bytes.truncate(at),
            _ => bytes.rotate_left(at),
        }
    });
}
