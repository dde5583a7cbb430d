//! Transfers: REFER within the dialog (RFC 3515, 3892), blind or with a Replaces (RFC 3891), and what NOTIFY says of them.

use super::{Call, Side, seen::uri};
use crate::{
    limits,
    sip::{Header, Message, Uri, fields},
    time::Timestamp,
};

/// One transfer that was asked for.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) time: Timestamp,
    pub(super) by: Side,
    pub(super) is_attended: bool,
    pub(super) target: Box<str>,
    pub(super) referred_by: Option<Box<str>>,
    /// Answer to the REFER.
    pub(super) status: Option<u16>,
    /// What the one who was transferred got, by NOTIFY.
    pub(super) outcome: Option<u16>,
    cseq: u32,
}

/// The transfers of a call, at most [`limits::TRANSFERS`].
#[derive(Debug, Default)]
pub(super) struct Transfers(pub(super) Vec<Transfer>);

impl Transfers {
    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let one = |one: &Transfer| {
            let referred_by = one.referred_by.as_ref().map_or(0, |text| text.len());
            size_of::<Transfer>().saturating_add(one.target.len()).saturating_add(referred_by)
        };
        self.0.iter().map(one).fold(0, usize::saturating_add)
    }
}

impl Call {
    pub(super) fn refer(&mut self, message: &Message<'_>, side: Side, time: Timestamp, is_new: bool) {
        let Some(value) = message.first(Header::ReferTo).filter(|_| is_new) else { return };
        let (target, replaces) = refer_target(value);
        let transfers = &mut self.transfers.get_or_insert_default().0;
        let is_known = transfers.iter().any(|known| known.cseq == message.cseq && known.by == side);
        if is_known || transfers.len() >= limits::TRANSFERS {
            return;
        }
        let referred_by = message.first(Header::ReferredBy);
        transfers.push(Transfer {
            time,
            by: side,
            is_attended: replaces.is_some(),
            target: fields::text(target, limits::URI_BYTES).into(),
            referred_by: referred_by.map(|value| fields::text(uri(value), limits::URI_BYTES).into()),
            status: None,
            outcome: None,
            cseq: message.cseq,
        });
    }

    pub(super) fn refer_answer(&mut self, status: u16, message: &Message<'_>, side: Side) {
        let Some(transfers) = self.transfers.as_mut().filter(|_| status >= 200) else { return };
        let asked = |one: &&mut Transfer| one.cseq == message.cseq && one.by == side.other();
        if let Some(transfer) = transfers.0.iter_mut().find(asked) {
            transfer.status = Some(status);
        }
    }

    /// A NOTIFY of `refer` carries the status line that the one who was transferred got (RFC 3515, section 2.4.5).
    pub(super) fn notify(&mut self, message: &Message<'_>, side: Side) {
        let Some(transfers) = self.transfers.as_mut() else { return };
        let Some(event) = message.first(Header::Event).filter(|event| is_refer(event)) else { return };
        let Some(status) = fragment_status(message.body) else { return };
        let id = crate::sip::Parameters(parameters(event)).get(b"id").and_then(super::session::number);
        let mut mine = transfers.0.iter_mut().filter(|one| one.by == side.other());
        let transfer = match id {
            Some(id) => mine.find(|one| one.cseq == id),
            None => mine.next_back(),
        };
        if let Some(transfer) = transfer
            && (transfer.outcome.is_none_or(|known| known < 200) || status >= 200)
        {
            transfer.outcome = Some(status);
        }
    }
}

fn parameters(value: &[u8]) -> &[u8] {
    value.iter().position(|&byte| byte == b';').and_then(|at| value.get(at..)).unwrap_or_default()
}

/// Says whether an Event is the subscription that a REFER makes.
pub fn is_refer(event: &[u8]) -> bool {
    event.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"refer")
}

/// The status of a `message/sipfrag` body.
pub fn fragment_status(body: &[u8]) -> Option<u16> {
    let digits = body.trim_ascii_start().strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    u16::try_from(fields::number(digits)?).ok().filter(|status| (100..700).contains(status))
}

/// The target of a Refer-To value without its headers, and the Call-ID that it wants replaced.
pub fn refer_target(value: &[u8]) -> (&[u8], Option<Vec<u8>>) {
    let whole = uri(value);
    let end = whole.iter().position(|&byte| byte == b'?').unwrap_or(whole.len());
    let headers = Uri::parse(whole).and_then(|uri| uri.headers).unwrap_or_default();
    let replaces = headers.split(|&byte| byte == b'&').find_map(|header| {
        let (name, value) = header.split_at_checked(header.iter().position(|&byte| byte == b'=')?)?;
        name.eq_ignore_ascii_case(b"Replaces").then(|| unescaped(value.get(1..).unwrap_or_default()))
    });
    let call_id = replaces.map(|value| super::invite::replaced(&value).to_vec());
    (whole.get(..end).unwrap_or(whole), call_id)
}

/// Bytes with their %-escapes resolved.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                plain.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refer_to_with_replaces_names_the_call_that_is_replaced() {
        let value = b"<sip:carol@x?Replaces=425928%40bobster.example.org%3Bto-tag%3D7743%3Bfrom-tag%3D6472>";
        assert_eq!(refer_target(value), (&b"sip:carol@x"[..], Some(b"425928@bobster.example.org".to_vec())));
        assert_eq!(refer_target(b"sip:carol@x;method=INVITE"), (&b"sip:carol@x"[..], None));
        assert_eq!(refer_target(b"<sip:carol@x?Replaces=%zz%>").1, Some(b"%zz%".to_vec()));
    }

    #[test]
    fn a_sip_fragment_has_a_status() {
        assert_eq!(fragment_status(b"SIP/2.0 200 OK\r\n"), Some(200));
        for body in [&b""[..], b"SIP/2.0", b"SIP/2.0 20", b"SIP/2.0 999 x", b"HTTP/1.1 200"] {
            assert_eq!(fragment_status(body), None);
        }
    }
}
