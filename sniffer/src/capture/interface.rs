//! What the kernel says of an interface.
#![expect(unsafe_code, reason = "if_nametoindex and ioctl have no safe interface; conventions.md, 22")]

use std::{
    ffi::CString,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use super::Link;

/// Says whether an interface can receive.
#[must_use]
pub fn link(name: &str) -> Link {
    if index(name).is_none() {
        return Link::Missing;
    }
    // SAFETY: a system call without pointers; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Link::Down;
    }
    // SAFETY: the descriptor was made above and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: ifreq is plain numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *place = byte.cast_signed();
    }
    // SAFETY: the request is a local ifreq whose name ends with a zero; the kernel writes its flags into it.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    if result != 0 {
        return Link::Missing;
    }
    // SAFETY: SIOCGIFFLAGS has filled this member of the union.
    let flags = libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    if flags & libc::IFF_UP != 0 && flags & libc::IFF_RUNNING != 0 { Link::Up } else { Link::Down }
}

/// The kernel's number of an interface; none when there is no such interface.
pub fn index(name: &str) -> Option<libc::c_int> {
    let name = CString::new(name).ok()?;
    // SAFETY: the pointer is to a string that ends with a zero and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    libc::c_int::try_from(index).ok().filter(|&index| index != 0)
}
