//! The helper's socket: one thread a connection, bounded in number, length and time.

use crate::frame::{self, FrameError};
use crate::helper::Helper;
use crate::limits;
use crate::peers::{Caller, Users};
use anyhow::{Context, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use psa_model::limits::{MAX_REQUEST, MAX_RESPONSE};
use psa_model::protocol::{Request, Response};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Connections at the moment, by user id.
type Open = Arc<Mutex<BTreeMap<u32, usize>>>;

/// Serves requests until `stop` becomes readable, then waits for a change of settings under way. Looks after the
/// certificate in between.
///
/// # Errors
/// When the socket fails.
pub fn serve(helper: &Arc<Helper>, users: Users, listener: &UnixListener, stop: BorrowedFd<'_>) -> anyhow::Result<()> {
    listener.set_nonblocking(true).context("make the socket non-blocking")?;
    let open = Open::default();
    let pause = PollTimeout::try_from(limits::ADDRESSES_EVERY).context("a pause that poll takes")?;
    let mut looked_at = helper.up();
    loop {
        let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(stop, PollFlags::POLLIN)];
        let is_idle = match poll(&mut waiting, pause) {
            Ok(ready) => ready == 0,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error).context("wait for connections"),
        };
        // The console asks more often than the pause is long, so waiting for silence alone would be waiting for ever.
        let up = helper.up();
        if is_idle || up.saturating_sub(looked_at) >= limits::ADDRESSES_EVERY {
            looked_at = up;
            if let Err(error) = helper.refresh_certificate() {
                tracing::error!(error = format!("{error:#}"), "The certificate could not be looked after");
            }
        }
        let [_, stop] = &waiting;
        if stop.revents().is_some_and(|events| !events.is_empty()) {
            drop(helper.hold_changes());
            return Ok(());
        }
        accept_all(helper, users, listener, &open);
    }
}

fn accept_all(helper: &Arc<Helper>, users: Users, listener: &UnixListener, open: &Open) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(error) = take(helper, users, stream, open) {
                    tracing::warn!(error = format!("{error:#}"), "Refused a connection");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => {
                // Such as too many open files: the others go on, and poll calls again.
                tracing::warn!(%error, "Could not take a connection");
                return;
            }
        }
    }
}

/// Takes a connection into a thread of its own, unless its user has too many.
fn take(helper: &Arc<Helper>, users: Users, stream: UnixStream, open: &Open) -> anyhow::Result<()> {
    let uid = getsockopt(&stream, PeerCredentials).context("ask who connects")?.uid();
    let place = Place::take(open, uid).ok_or_else(|| anyhow!("user {uid} has too many connections"))?;
    stream.set_nonblocking(false)?;
    let (caller, helper) = (users.caller(uid), Arc::clone(helper));
    let work = move || {
        let _place = place;
        if let Err(error) = converse(&helper, caller, stream) {
            tracing::debug!(?caller, error = format!("{error:#}"), "A connection ended early");
        }
    };
    thread::Builder::new().name("request".into()).spawn(work).context("start a thread")?;
    Ok(())
}

/// Answers one request after the other until the other side ends or is silent for too long.
fn converse(helper: &Helper, caller: Caller, mut stream: UnixStream) -> anyhow::Result<()> {
    stream.set_write_timeout(Some(limits::FRAME_PAUSE))?;
    loop {
        stream.set_read_timeout(Some(limits::CONNECTION_IDLE))?;
        let Some(length) = frame::read_length(&mut stream, MAX_REQUEST)? else { return Ok(()) };
        stream.set_read_timeout(Some(limits::FRAME_PAUSE))?;
        let body = frame::read_body(&mut stream, length)?;
        let request = match serde_json::from_slice::<Request>(&body) {
            Ok(request) => request,
            Err(error) => {
                // Where it stopped being a request, not what it said: that may hold a password.
                let cause = anyhow!("no request: line {} column {}", error.line(), error.column());
                let answer = helper.failed("That was no request. Nothing was changed.", &cause);
                return send(helper, &mut stream, &answer);
            }
        };
        drop(body);
        send(helper, &mut stream, &helper.answer(caller, request))?;
    }
}

fn send(helper: &Helper, stream: &mut UnixStream, answer: &Response) -> anyhow::Result<()> {
    let body = zeroize::Zeroizing::new(serde_json::to_vec(answer).context("write the answer as JSON")?);
    match frame::write(stream, &body, MAX_RESPONSE) {
        Err(error @ FrameError::TooLong { .. }) => {
            let failed = helper.failed("The answer was too long to send.", &error.into());
            Ok(frame::write(stream, &serde_json::to_vec(&failed)?, MAX_RESPONSE)?)
        }
        other => Ok(other?),
    }
}

/// A place among the open connections.
struct Place {
    open: Open,
    uid: u32,
}

impl Place {
    fn take(open: &Open, uid: u32) -> Option<Self> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let count = counts.entry(uid).or_default();
        if all >= limits::MAX_CONNECTIONS || *count >= limits::MAX_CONNECTIONS_PER_USER {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Self { open: Arc::clone(open), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.uid) {
            *count = count.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_every_place() {
        let open = Open::default();
        let mut places: Vec<Place> = (0..100).filter_map(|_| Place::take(&open, 990)).collect();
        assert_eq!(places.len(), limits::MAX_CONNECTIONS_PER_USER);
        assert!(Place::take(&open, 991).is_some(), "the console gets one");
        places.pop();
        assert!(Place::take(&open, 990).is_some(), "an ended connection gives its place back");
        drop(places);
        assert!(open.lock().unwrap().is_empty());
    }
}
