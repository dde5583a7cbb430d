//! A blocking client of the helper, for the console, `psactl` and tests.

use crate::{frame, limits};
use anyhow::Context;
use psa_model::limits::{MAX_REQUEST, MAX_RESPONSE};
use psa_model::protocol::{Request, Response};
use std::os::unix::net::UnixStream;
use std::path::Path;
use zeroize::Zeroizing;

/// Asks the helper behind a socket one question.
///
/// # Errors
/// When nobody listens, the helper ends the connection, or its answer is none. An applied change may take as long as
/// its units' reloads.
pub fn ask(socket: &Path, request: &Request) -> anyhow::Result<Response> {
    let mut stream = UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
    stream.set_write_timeout(Some(limits::FRAME_PAUSE))?;
    stream.set_read_timeout(Some(limits::CONNECTION_IDLE))?;
    let body = Zeroizing::new(serde_json::to_vec(request).context("write the request as JSON")?);
    frame::write(&mut stream, &body, MAX_REQUEST).context("send the request")?;
    let length = frame::read_length(&mut stream, MAX_RESPONSE).context("read the answer")?;
    let body = frame::read_body(&mut stream, length.context("the helper ended the connection")?)?;
    serde_json::from_slice(&body).context("read the answer as JSON")
}
