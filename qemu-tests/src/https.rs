//! A small HTTPS client that trusts a certificate by its fingerprint, as a person does who compares it with the
//! console. It fetches pages and certificates; the browser does everything else.

use crate::clock;
use anyhow::{Context, Result, anyhow, bail};
use openssl::hash::MessageDigest;
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// A machine under emulation takes its time for a handshake; a port without a listener behind it says nothing at all.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// The longest answer that is read.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// The certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the whole certificate, upper case with colons, as the console shows it.
    pub fingerprint: String,
    /// SHA-256 of its public key in base 64: what Chromium's `--ignore-certificate-errors-spki-list` takes.
    pub key_pin: String,
    /// DNS names in it.
    pub names: Vec<String>,
    /// Addresses in it.
    pub addresses: Vec<IpAddr>,
    /// Whether its signature is by its own key.
    pub is_self_signed: bool,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header field of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

fn handshake(server: SocketAddr) -> Result<SslStream<TcpStream>> {
    let tcp = TcpStream::connect_timeout(&server, CONNECT_LIMIT)?;
    tcp.set_read_timeout(Some(CONNECT_LIMIT))?;
    tcp.set_write_timeout(Some(CONNECT_LIMIT))?;
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    // No authority vouches for a certificate that the machine made; `fetch` compares its fingerprint instead.
    builder.set_verify(SslVerifyMode::NONE);
    let configuration = builder.build().configure()?.verify_hostname(false).use_server_name_indication(false);
    configuration.connect("callward", tcp).map_err(|error| anyhow!("TLS handshake with {server}: {error}"))
}

fn shown_by(stream: &SslStream<TcpStream>) -> Result<X509> {
    stream.ssl().peer_certificate().context("the server showed no certificate")
}

fn hex_with_colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn describe(certificate: &X509) -> Result<Certificate> {
    let key = certificate.public_key()?;
    let pin = openssl::hash::hash(MessageDigest::sha256(), &key.public_key_to_der()?)?;
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for name in certificate.subject_alt_names().into_iter().flatten() {
        names.extend(name.dnsname().map(str::to_owned));
        let bytes = name.ipaddress().unwrap_or_default();
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
        addresses.extend(v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok()));
    }
    Ok(Certificate {
        fingerprint: hex_with_colons(&certificate.digest(MessageDigest::sha256())?),
        key_pin: openssl::base64::encode_block(&pin),
        names,
        addresses,
        is_self_signed: certificate.verify(&key)?,
    })
}

/// The certificate which the server shows.
///
/// # Errors
/// When no TLS server answers.
pub fn certificate(server: SocketAddr) -> Result<Certificate> {
    describe(&shown_by(&handshake(server)?)?)
}

/// The web process asks for a certificate that changed every 2 s; a loaded emulator is slower.
const CERTIFICATE_LIMIT: Duration = Duration::from_secs(30);

/// The certificate which the server shows, where its fingerprint is the expected one or becomes it soon.
///
/// # Errors
/// When no TLS server answers, or it is another one.
pub fn expect_certificate(server: SocketAddr, fingerprint: &str) -> Result<Certificate> {
    let found = clock::wait_until(CERTIFICATE_LIMIT, || {
        certificate(server).map(|found| (found.fingerprint == fingerprint).then_some(found))
    })?;
    let found = match found {
        Some(found) => found,
        None => certificate(server)?,
    };
    if found.fingerprint != fingerprint {
        bail!(
            "{server} shows a certificate with fingerprint {}, and the console says {fingerprint}",
            found.fingerprint
        );
    }
    Ok(found)
}

/// Fetches a page, without following redirects. Where a fingerprint is given, nothing is sent to a server with another.
///
/// # Errors
/// When no answer comes, or the certificate is another one.
pub fn fetch(server: SocketAddr, fingerprint: Option<&str>, path: &str) -> Result<Answer> {
    request(server, fingerprint, &format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"))
}

/// Sends a request as it is written and reads the answer to its end.
///
/// # Errors
/// As [`fetch`].
pub fn request(server: SocketAddr, fingerprint: Option<&str>, text: &str) -> Result<Answer> {
    let mut stream = handshake(server)?;
    if let Some(expected) = fingerprint {
        let found = describe(&shown_by(&stream)?)?.fingerprint;
        if found != expected {
            bail!("another certificate: {found}");
        }
    }
    stream.write_all(text.as_bytes())?;
    let mut bytes = Vec::new();
    match stream.take(MAX_ANSWER).read_to_end(&mut bytes) {
        Ok(_) => {}
        // A server that ends the connection without TLS's goodbye has still answered.
        Err(error) if !bytes.is_empty() && error.kind() != std::io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error.into()),
    }
    parse(&bytes).context("no HTTP answer")
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let field =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Answer { status, headers: lines.filter_map(field).collect(), body: body.to_owned() })
}

/// Waits until the server answers a page over HTTPS with a status below 500.
///
/// # Errors
/// When the limit is over (with the last failure), or `alive` fails.
pub fn wait_until_answers(
    server: SocketAddr,
    limit: Duration,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<Answer> {
    let mut last = None;
    let found = clock::wait_until(limit, || {
        alive()?;
        match fetch(server, None, "/login") {
            Ok(answer) if answer.status < 500 => Ok(Some(answer)),
            Ok(answer) => {
                last = Some(anyhow!("status {}", answer.status));
                Ok::<_, anyhow::Error>(None)
            }
            Err(error) => {
                last = Some(error);
                Ok(None)
            }
        }
    })?;
    found.ok_or_else(|| last.unwrap_or_else(|| anyhow!("nothing tried")).context(format!("no HTTPS at {server}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_headers() {
        let answer = parse(b"HTTP/1.1 303 See Other\r\nLocation: /setup\r\n\r\nbody").unwrap();
        assert_eq!((answer.status, answer.header("location"), answer.body.as_str()), (303, Some("/setup"), "body"));
        assert_eq!(parse(b"garbage"), None);
    }
}
