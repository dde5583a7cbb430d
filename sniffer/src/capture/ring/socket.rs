//! What a packet socket is told and asked. Each unsafe block is one system call.
#![expect(unsafe_code, reason = "packet sockets have no safe interface; conventions.md, 22")]

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd, OwnedFd},
};

use super::super::CaptureError;

/// Lets the socket have the packets of an interface from here on.
pub fn bind(socket: &OwnedFd, interface: libc::c_int) -> Result<(), CaptureError> {
    // SAFETY: sockaddr_ll is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(0);
    // ETH_P_ALL, in network byte order.
    address.sll_protocol = 3_u16.to_be();
    address.sll_ifindex = interface;
    // SAFETY: the pointer is to a local address of the length that is given.
    let result = unsafe {
        libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), length_of::<libc::sockaddr_ll>())
    };
    check(result, "bind the packet socket to the port")
}

/// The interface's hardware type (linux/if_arp.h).
pub fn hardware_type(socket: &OwnedFd) -> Result<u16, CaptureError> {
    // SAFETY: sockaddr_ll is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = length_of::<libc::sockaddr_ll>();
    // SAFETY: the pointers are to a local address and its size.
    let result =
        unsafe { libc::getsockname(socket.as_raw_fd(), std::ptr::from_mut(&mut address).cast(), &raw mut length) };
    check(result, "ask for the port's hardware type")?;
    Ok(address.sll_hatype)
}

/// Sets an option of packet sockets.
pub fn set_option<T>(socket: &OwnedFd, name: libc::c_int, value: &T, step: &'static str) -> Result<(), CaptureError> {
    // SAFETY: the pointer is to a value of the length that is given; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, name, std::ptr::from_ref(value).cast(), length_of::<T>())
    };
    check(result, step)
}

/// Lets nothing in: a filter of one instruction, "return 0".
pub fn filter_all(socket: &OwnedFd) -> Result<(), CaptureError> {
    let mut nothing = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    // SAFETY: the pointers are to a local program and its one instruction; the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&program).cast(),
            length_of::<libc::sock_fprog>(),
        )
    };
    check(result, "hold packets back until the group is joined")
}

/// Lets everything in again.
pub fn detach_filter(socket: &OwnedFd) -> Result<(), CaptureError> {
    let none: libc::c_int = 0;
    // SAFETY: the pointer is to a local number, which the kernel does not look at.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_DETACH_FILTER,
            std::ptr::from_ref(&none).cast(),
            length_of::<libc::c_int>(),
        )
    };
    check(result, "let packets in")
}

/// The error of a system call that gave a negative number.
pub fn check(result: libc::c_int, step: &'static str) -> Result<(), CaptureError> {
    if result < 0 { Err(CaptureError::System { step, error: io::Error::last_os_error() }) } else { Ok(()) }
}

/// The length of a value as system calls want it.
pub fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}
