//! Via values (RFC 3261, section 20.42): where a request came along.

use memchr::memchr;

use super::{address::Parameters, method::is_token_byte, uri::host_and_port};

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

    /// The branch of a value; none where there is none or the value cannot be read. Asked for with each message: where it
    /// is the first parameter, as nearly everywhere, only what is before it is read.
    #[must_use]
    pub fn branch_of(value: &'a [u8]) -> Option<&'a [u8]> {
        first_branch(value).or_else(|| Self::parse(value)?.branch())
    }

    /// The branch, which names the transaction.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.parameters.get(b"branch")
    }
}

/// The branch of a value that is written without white space where there need be none, and has it as its first parameter.
fn first_branch(value: &[u8]) -> Option<&[u8]> {
    let rest = value.strip_prefix(b"SIP/2.0/")?;
    let (transport, rest) = rest.split_at_checked(rest.iter().position(|&byte| !is_token_byte(byte))?)?;
    let sender = rest.strip_prefix(b" ")?;
    let begin = memchr(b';', sender)?;
    // An address of IPv6 begins with a bracket; what has a name or a number has a sender.
    if transport.is_empty() || !sender.first()?.is_ascii_alphanumeric() {
        return None;
    }
    let branch = sender.get(begin..)?.strip_prefix(b";branch=")?;
    let end = branch.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(branch.len());
    matches!(branch.get(end), None | Some(b';')).then(|| branch.get(..end))?
}

fn split_at_slash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(bytes.iter().position(|&byte| byte == b'/')?)?;
    Some((before.trim_ascii(), after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_a_branch_finds_what_the_long_way_finds() {
        let mut quick = 0;
        for value in [
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77ef4c2312983.1;rport",
            "SIP/2.0/TLS pc33.example.com;branch=z9hG4bKnashds8",
            "SIP/2.0/UDP pc33.example.com;branch=",
            "SIP/2.0/UDP pc33.example.com;branch=a;branch=b",
            "SIP/2.0/UDP host;branch=a, SIP/2.0/UDP other;branch=b",
            "SIP/2.0/UDP host, SIP/2.0/UDP other;branch=b",
            "SIP/2.0/UDP host, SIP/2.0/UDP other;received=1;branch=b",
            "SIP/2.0/UDP host;rport;branch=b",
            "SIP/2.0/UDP host;branch = b",
            "SIP/2.0/UDP host;Branch=b",
            "SIP/2.0/UDP host ;branch=b",
            "SIP/2.0/UDP host;branch=\"b;c\"",
            "SIP/2.0/UDP host;branch=<b;c>;x",
            "SIP/2.0/UDP host;branch=b c;x",
            "SIP/2.0/UDP [2001:db8::1]:5060;branch=b",
            "SIP/2.0/UDP  host;branch=b",
            "SIP/2.0/UDP ;branch=b",
            "SIP/2.0/UDP :5060;branch=b",
            "SIP/2.0/ UDP host;branch=b",
            "SIP / 2.0 / UDP host;branch=b",
            "sip/2.0/UDP host;branch=b",
            "SIP/2.1/UDP host;branch=b",
            "SIP/2.0/ host;branch=b",
            "SIP/2.0/U(P host;branch=b",
            "SIP/2.0/UDP\thost;branch=b",
            "SIP/2.0/UDP",
            "",
        ] {
            let value = value.as_bytes();
            let text = String::from_utf8_lossy(value);
            assert_eq!(Via::branch_of(value), Via::parse(value).and_then(|via| via.branch()), "{text}");
            quick += usize::from(first_branch(value).is_some());
        }
        assert_eq!(quick, 6, "most of the world's");
    }
}
