//! What is lost before the ring, on a veth pair in a network namespace of this test's own. Needs CAP_SYS_ADMIN and
//! CAP_NET_ADMIN, and says so where they are not there.

use sniffer_core::query::{PortState, Request};

use crate::{
    daemon::{Daemon, calls, counters},
    wire::{Cable, in_network},
};

fn message(start: &str, cseq: &str) -> String {
    format!(
        "{start}\r\nCall-ID: c1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\n\
         Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n"
    )
}

#[test]
fn packets_that_the_kernel_drops_before_the_ring_are_lost_here_and_not_the_networks_loss() {
    in_network("what is lost before the ring", || {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_on(folder.path(), &["far"], false);
        daemon.ask_until(&Request::Counters, |response| {
            counters(response).filter(|counters| counters.ports[0].state == PortState::Up)
        });
        // Two looks at the counters must lie before what is lost.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        let cable = Cable::open("near");
        cable.send([(1, 5060), (2, 5060)], &[], message("INVITE sip:b@x SIP/2.0", "1 INVITE").as_bytes());
        cable.send([(2, 5060), (1, 5060)], &[], message("SIP/2.0 200 OK", "1 INVITE").as_bytes());
        for number in 0..100 {
            // Every fifth is too long for the other end, which counts it as dropped.
            cable.rtp(number, &[], if number % 5 == 3 { 2000 } else { 160 });
            // Two tags, as of a trunk in a trunk: captured, and counted as dropped by the kernel all the same.
            cable.rtp(number, &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], 160);
        }
        let counted = daemon.ask_until(&Request::Counters, |response| {
            counters(response).filter(|counters| counters.ports[0].interface_dropped > 0)
        });
        let port = &counted.ports[0];
        assert_eq!((port.interface_dropped, port.kernel_dropped), (20, 0), "{port:?}");
        // Besides, the ends greet each other in IPv6.
        assert!(port.received >= 182 && port.received == port.delivered, "{port:?}");
        assert_eq!(counted.lost_here, 20);
        let row = daemon.ask_until(&Request::Calls { limit: 5, before: None }, |response| {
            calls(response)?.first().filter(|call| call.lost_here).cloned()
        });
        assert_eq!(row.call_id, "c1");
    });
}
