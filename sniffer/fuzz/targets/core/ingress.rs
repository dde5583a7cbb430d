//! The way in alone: fragments, TCP segments and SCTP chunks to whole datagrams, without the engine behind it, which
//! would take most of the time.

use sniffer_core::{
    decode::LinkType,
    drops::{Dropped, Taken},
    engine::FrameMeta,
    ingress::{Ingress, Settings},
    limits,
    time::Timestamp,
};

use super::{
    input::Input,
    packets::{any_chunks, any_fragment, any_segment},
    run::BEGIN,
};

/// Bytes that may wait: few, so that the bound is met.
const MEMORY: usize = 24 * 1024;

/// The first byte says what comes: segments, fragments, chunks, or all of them mixed, perhaps in one another.
pub fn ingress(data: &[u8]) {
    let mut input = Input::new(data);
    let kinds = input.byte() % 4;
    let mut ingress = Ingress::new(Settings {
        memory_bytes: MEMORY,
        hash_seed: 3,
        tcp_flows: 20,
        sctp_flows: 4,
        holds_frames: false,
    });
    let (mut now, mut frames, mut delivered, mut dropped) = (BEGIN, 0_u64, 0_u64, Dropped::default());
    while !input.is_empty() && frames < 2000 {
        now = now.saturating_add(input.step());
        let kind = if kinds == 3 { input.byte() % 3 } else { kinds };
        let frame = match kind {
            0 => any_segment(&mut input),
            1 => any_fragment(&mut input),
            _ => any_chunks(&mut input),
        };
        frames += 1;
        let meta = FrameMeta { time: Timestamp::from_nanos(now), vlan: None };
        // What comes out of it is half taken and half refused.
        let mut count = 0_u32;
        let taken = ingress.frame(LinkType::RawIp, meta, &frame, &mut |datagram| {
            assert!(datagram.payload.len() <= 65_535.max(limits::SIP_STREAM_BYTES), "a datagram of any length");
            count += 1;
            if count.is_multiple_of(2) { Err(sniffer_core::drops::Reason::NotVoip) } else { Ok(Taken::Delivered) }
        });
        match taken {
            Ok(Taken::Delivered) => delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => dropped.add(reason, 1),
        }
        // The buffers of streams that are being framed count with their capacity, which may be double.
        assert!(ingress.bytes() <= 2 * MEMORY + 4 * limits::SIP_STREAM_BYTES, "{} bytes wait", ingress.bytes());
        balance(&ingress, frames, delivered, &dropped);
    }
    ingress.finish(&mut |_| Ok(Taken::Delivered));
    balance(&ingress, frames, delivered, &dropped);
    assert_eq!(ingress.tally().waiting, 0, "something waits although there will be no more frames");
    assert_eq!(ingress.due(), Timestamp::NEVER, "there is nothing to wait for");
}

fn balance(ingress: &Ingress, frames: u64, delivered: u64, dropped: &Dropped) {
    let tally = ingress.tally();
    let told = delivered + dropped.total() + tally.waiting + tally.delivered + tally.dropped.total();
    assert_eq!(told, frames, "each frame is counted once: {delivered} {dropped:?} {tally:?}");
}
