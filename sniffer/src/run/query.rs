//! The query socket: length-prefixed JSON over a Unix stream socket (`sniffer_core::query`). Who may connect is decided
//! by the socket's folder and its mode.

use std::{
    fs,
    io::{self, BufWriter, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::Builder,
};

use anyhow::{Context, Result};
use sniffer_core::query::{
    CallKey, MAX_ANSWER, MAX_REQUEST, MAX_ROWS, RecordKind, Request, Response, body_length, frame,
};
use tracing::{debug, warn};

use super::{Config, Shared, now};
use crate::{
    limits,
    packets::{PcapngWriter, Wanted},
};

/// Makes the socket and starts the thread that takes connections. It ends with the process.
pub fn spawn(config: &Config, shared: Arc<Shared>) -> Result<()> {
    let path = &config.socket;
    // One that a killed process left behind would refuse every connection.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("replace {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("make the socket {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
        .with_context(|| format!("set the mode of {}", path.display()))?;
    let thread = Builder::new().name("query".into()).spawn(move || accept(&listener, &shared));
    thread.context("start the query thread")?;
    Ok(())
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                warn!("A query connection could not be taken: {error}");
                // Out of descriptors, for example: not in a circle.
                if shared.wait_for_stop(std::time::Duration::from_millis(200)) {
                    return;
                }
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::SeqCst) >= limits::QUERY_CLIENTS {
            clients.fetch_sub(1, Ordering::SeqCst);
            warn!("A query connection was refused: there are {} already", limits::QUERY_CLIENTS);
            continue;
        }
        let (shared, of_thread) = (Arc::clone(shared), Arc::clone(&clients));
        let thread = Builder::new().name("query-client".into()).spawn(move || {
            if let Err(error) = serve(stream, &shared) {
                debug!("A query connection ended: {error}");
            }
            of_thread.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = thread {
            clients.fetch_sub(1, Ordering::SeqCst);
            warn!("A query connection could not be served: {error}");
        }
    }
}

/// Answers requests until the client goes away or misbehaves.
fn serve(mut stream: UnixStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(limits::QUERY_WAIT))?;
    stream.set_write_timeout(Some(limits::QUERY_WAIT))?;
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header)?;
        let length = body_length(header, MAX_REQUEST).map_err(io::Error::other)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let request = serde_json::from_slice::<Request>(&body);
        let response = match &request {
            Ok(request) => answer(request, shared),
            Err(error) => Response::Error { message: format!("the request cannot be read: {error}") },
        };
        let is_capture = matches!(response, Response::Capture { .. });
        stream.write_all(&encode(response)?)?;
        if let (Ok(Request::Capture { id, kind }), true) = (request, is_capture) {
            send_capture(&mut stream, shared, id, kind)?;
        }
    }
}

/// Where the packets of a call or a record are; none when none are kept.
fn packets_of(shared: &Shared, id: CallKey, kind: Option<RecordKind>) -> anyhow::Result<Option<Wanted>> {
    let Some(kind) = kind else {
        let Some((call, Some(packets))) = shared.call(id)? else { return Ok(None) };
        // Of a call in progress everything up to this moment.
        let end = call.summary.end.unwrap_or_else(now);
        return Ok(Some(packets.of_call(call.summary.start, end)));
    };
    let Some((row, Some(packets))) = shared.record(kind, id)? else { return Ok(None) };
    Ok(Some(packets.of_record(&row)))
}

/// Sends packets as messages of raw bytes, and an empty one at the end.
fn send_capture(stream: &mut UnixStream, shared: &Shared, id: CallKey, kind: Option<RecordKind>) -> io::Result<()> {
    let mut writer = PcapngWriter::new(BufWriter::with_capacity(limits::QUERY_CHUNK, Chunks(&mut *stream)))?;
    let wanted = packets_of(shared, id, kind).map_err(io::Error::other)?;
    if let (Some(wanted), Some(store)) = (wanted, shared.sinks.packets()) {
        store.cut(&wanted, |packet| writer.packet(packet))?;
    }
    writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    stream.write_all(&[0; 4])
}

/// Each write is a message with its length before it.
struct Chunks<'a>(&'a mut UnixStream);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            self.0.write_all(&frame(bytes, MAX_ANSWER).map_err(io::Error::other)?)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn answer(request: &Request, shared: &Shared) -> Response {
    match request {
        Request::Calls { limit, before } => match shared.calls(usize::from((*limit).min(MAX_ROWS)), *before) {
            Ok((calls, more)) => Response::Calls { calls, more },
            Err(error) => Response::Error { message: format!("{error:#}") },
        },
        Request::Search { limit, before, filter } => {
            match shared.search(filter, usize::from((*limit).min(MAX_ROWS)), *before) {
                Ok(found) => Response::Found { calls: found.calls, next: found.next },
                Err(error) => Response::Error { message: format!("{error:#}") },
            }
        }
        Request::Call { id } => match shared.call(*id) {
            Ok(call) => Response::Call(call.map(|(call, _)| Box::new(call))),
            Err(error) => Response::Error { message: format!("{error:#}") },
        },
        Request::Records { limit, before, filter } => {
            match shared.search_records(filter, usize::from((*limit).min(MAX_ROWS)), *before) {
                Ok(found) => Response::Records { records: found.rows, next: found.next },
                Err(error) => Response::Error { message: format!("{error:#}") },
            }
        }
        Request::Record { kind, id } => match shared.record(*kind, *id) {
            Ok(record) => Response::Record(record.map(|(record, _)| Box::new(record))),
            Err(error) => Response::Error { message: format!("{error:#}") },
        },
        Request::Capture { id, kind } => match packets_of(shared, *id, *kind) {
            Ok(packets) => Response::Capture { kept: packets.is_some() },
            Err(error) => Response::Error { message: format!("{error:#}") },
        },
        Request::Storage => Response::Storage(Box::new(shared.sinks.report())),
        Request::Counters => Response::Counters(Box::new(shared.counters(now()))),
        Request::Registrations { limit } => {
            let (registrations, all) = shared.registrations(usize::from((*limit).min(MAX_ROWS)));
            let more = all > registrations.len();
            Response::Registrations { registrations, more }
        }
    }
}

/// The response with its length; half as many rows for as long as it is too long.
fn encode(mut response: Response) -> io::Result<Vec<u8>> {
    loop {
        let body = serde_json::to_vec(&response)?;
        match frame(&body, MAX_ANSWER) {
            Ok(message) => return Ok(message),
            Err(error) => match &mut response {
                Response::Calls { calls, more } if calls.len() > 1 => {
                    calls.truncate(calls.len() / 2);
                    *more = true;
                }
                Response::Registrations { registrations, more } if registrations.len() > 1 => {
                    registrations.truncate(registrations.len() / 2);
                    *more = true;
                }
                Response::Records { records, next } if records.len() > 1 => {
                    records.truncate(records.len() / 2);
                    *next = records.last().map(|record| record.id);
                }
                Response::Found { calls, next } if calls.len() > 1 => {
                    calls.truncate(calls.len() / 2);
                    *next = calls.last().map(|call| call.id);
                }
                Response::Calls { .. }
                | Response::Found { .. }
                | Response::Call(_)
                | Response::Records { .. }
                | Response::Record(_)
                | Response::Capture { .. }
                | Response::Storage(_)
                | Response::Registrations { .. }
                | Response::Counters(_)
                | Response::Error { .. } => {
                    return Err(io::Error::other(error));
                }
            },
        }
    }
}
