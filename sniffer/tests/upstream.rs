//! What is lost before the ring, on a veth pair in a network namespace of this test's own. Needs CAP_SYS_ADMIN and
//! CAP_NET_ADMIN, and says so where they are not there.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, send, socket},
};
use sniffer_core::query::{PortState, Request};

use crate::daemon::{Daemon, calls, counters};

/// A thread's own network: two ends of a cable, of which the far one takes no frame longer than 1514 bytes.
fn network() -> Result<(), String> {
    // With a file system of its own: /sys shows the interfaces of whoever mounted it.
    let namespaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    unshare(namespaces).map_err(|error| format!("network and mount namespaces: {error}"))?;
    let none = None::<&str>;
    mount(none, "/sys", none, MsFlags::MS_PRIVATE, none).map_err(|error| format!("/sys for itself: {error}"))?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).map_err(|error| format!("/sys: {error}"))?;
    for words in ["link add near mtu 9000 type veth peer name far mtu 1500", "link set near up", "link set far up"] {
        #[expect(clippy::disallowed_methods, reason = "the test makes its network")]
        let status = std::process::Command::new("ip").args(words.split(' ')).status();
        status.ok().filter(|status| status.success()).ok_or_else(|| format!("ip {words}"))?;
    }
    Ok(())
}

struct Cable(OwnedFd);

impl Cable {
    fn open(name: &str) -> Self {
        let link: LinkAddr = nix::ifaddrs::getifaddrs()
            .unwrap()
            .filter(|one| one.interface_name == name)
            .find_map(|one| one.address.as_ref().and_then(SockaddrStorage::as_link_addr).copied())
            .unwrap();
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).unwrap();
        bind(socket.as_raw_fd(), &link).unwrap();
        Self(socket)
    }

    /// Sends a UDP datagram between two ports of two hosts.
    fn send(&self, [source, destination]: [(u8, u16); 2], tag: &[u8], payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap();
        let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8];
        frame.extend(tag);
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((length + 28).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source.0, 192, 0, 2, destination.0]);
        frame.extend([source.1.to_be_bytes(), destination.1.to_be_bytes(), (length + 8).to_be_bytes()].concat());
        frame.extend([0, 0]);
        frame.extend(payload);
        // The near end hears of what the far end has dropped.
        let sent = send(self.0.as_raw_fd(), &frame, MsgFlags::empty());
        assert!(sent == Ok(frame.len()) || sent == Err(nix::errno::Errno::ENOBUFS), "{sent:?}");
    }

    fn rtp(&self, number: u16, tag: &[u8], length: usize) {
        let header = [[0x80, 0].as_slice(), &number.to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
        let payload = [header, vec![0xff; length]].concat();
        self.send([(1, 4000), (2, 5000)], tag, &payload);
    }
}

fn message(start: &str, cseq: &str) -> String {
    format!(
        "{start}\r\nCall-ID: c1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\n\
         Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n"
    )
}

#[test]
fn packets_that_the_kernel_drops_before_the_ring_are_lost_here_and_not_the_networks_loss() {
    std::thread::spawn(|| {
        if let Err(missing) = network() {
            eprintln!("SKIPPED what is lost before the ring: {missing}");
            return;
        }
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
    })
    .join()
    .unwrap();
}
