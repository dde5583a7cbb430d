//! A network of a test's own: a thread with a veth pair, and frames into its near end. Needs CAP_SYS_ADMIN and
//! CAP_NET_ADMIN; tests say where they are not there.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, send, socket},
};

/// Does this in a thread with a network of its own, or says that it was skipped.
pub fn in_network(what: &str, work: impl FnOnce() + Send + 'static) {
    let what = what.to_owned();
    let thread = std::thread::spawn(move || match network() {
        Ok(()) => work(),
        Err(missing) => eprintln!("SKIPPED {what}: {missing}"),
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A thread's own network: two ends of a cable, of which the far one takes no frame longer than 1514 bytes.
fn network() -> Result<(), String> {
    // With a file system of its own: /sys shows the interfaces of whoever mounted it.
    let namespaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    unshare(namespaces).map_err(|error| format!("network and mount namespaces: {error}"))?;
    let none = None::<&str>;
    mount(none, "/sys", none, MsFlags::MS_PRIVATE, none).map_err(|error| format!("/sys for itself: {error}"))?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).map_err(|error| format!("/sys: {error}"))?;
    for words in ["link add near mtu 9000 type veth peer name far mtu 1500", "link set near up", "link set far up"] {
        ip(words)?;
    }
    Ok(())
}

/// Changes the network.
pub fn ip(words: &str) -> Result<(), String> {
    #[expect(clippy::disallowed_methods, reason = "the test makes its network")]
    let status = std::process::Command::new("ip").args(words.split(' ')).status();
    status.ok().filter(|status| status.success()).map(drop).ok_or_else(|| format!("ip {words}"))
}

/// The near end of the cable.
pub struct Cable(OwnedFd);

impl Cable {
    /// Opens it.
    pub fn open(name: &str) -> Self {
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
    pub fn send(&self, [source, destination]: [(u8, u16); 2], tag: &[u8], payload: &[u8]) {
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

    /// A packet of a telephone, of this number, with so much sound.
    pub fn rtp(&self, number: u16, tag: &[u8], length: usize) {
        let header = [[0x80, 0].as_slice(), &number.to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
        let payload = [header, vec![0xff; length]].concat();
        self.send([(1, 4000), (2, 5000)], tag, &payload);
    }
}
