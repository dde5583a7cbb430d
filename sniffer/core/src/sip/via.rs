//! Via values (RFC 3261, section 20.42): where a request came along.

use super::{address::Parameters, uri::host_and_port};

/// One hop. White space and folds around the slashes are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `TLS`, `WS`, … as written.
    pub transport: &'a [u8],
    /// Who sent it: a host or an address without brackets.
    pub host: &'a [u8],
    /// The port as written.
    pub port: Option<&'a [u8]>,
    /// `branch`, `received`, `rport` and others.
    pub parameters: Parameters<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value; none when it is not SIP 2.0 or has no sender.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (name, rest) = split_at_slash(value)?;
        let (version, rest) = split_at_slash(rest)?;
        let rest = rest.trim_ascii_start();
        let (transport, rest) = rest.split_at_checked(rest.iter().position(u8::is_ascii_whitespace)?)?;
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" || !super::is_token(transport) {
            return None;
        }
        let end = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
        let (sender, parameters) = rest.split_at_checked(end)?;
        let (host, port) = host_and_port(sender);
        (!host.is_empty()).then_some(Self { transport, host, port, parameters: Parameters(parameters) })
    }

    /// The branch, which names the transaction.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.parameters.get(b"branch")
    }
}

fn split_at_slash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(bytes.iter().position(|&byte| byte == b'/')?)?;
    Some((before.trim_ascii(), after.get(1..)?))
}
