//! A call as a record.

use super::{Call, Side, invite::ForkState, millis, parties, texts::Field};
use crate::{
    record::{CallDetails, CallRecord, HoldRecord, ReasonRecord, SidesSeen, TransferRecord},
    time::Timestamp,
};

impl Call {
    /// The call as a record. `grouped` says whether calls are correlated at all.
    pub fn record(&self, grouped: bool) -> CallRecord {
        let end = self.end.map(|end| end.max(self.start));
        let bounded = |time: Timestamp| end.map_or(time, |end| time.min(end)).max(self.start);
        let answered = self.answered.map(bounded);
        CallRecord {
            call_id: self.call_id_text(),
            from: self.texts.owned(Field::From).unwrap_or_default(),
            to: self.texts.owned(Field::To).unwrap_or_default(),
            start: self.start,
            answered,
            end,
            state: self.state,
            final_status: self.final_status,
            lost_here: self.refused > 0,
            details: Box::new(self.details(answered, end, grouped)),
            ..CallRecord::default()
        }
    }

    fn details(&self, answered: Option<Timestamp>, end: Option<Timestamp>, grouped: bool) -> CallDetails {
        let since = |from: Option<Timestamp>, to: Option<Timestamp>| Some(millis(to?.since(from?)));
        let list = |field: Field| self.texts.all(field).map(str::to_owned).collect();
        let rang = self.rang.filter(|rang| end.is_none_or(|end| *rang <= end));
        let (challenges, stale) = self.invite.challenges();
        let forks = || self.invite.forks();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let session = self.session();
        let release = &self.release;
        let reason = (release.q850.is_some() || release.sip.is_some() || self.texts.has(Field::ReasonText))
            .then(|| ReasonRecord { q850: release.q850, sip: release.sip, text: self.texts.owned(Field::ReasonText) });
        let holds: Vec<_> = session
            .holds()
            .iter()
            .map(|hold| {
                let start = hold.start.max(self.start);
                HoldRecord { by: hold.by.who(), start, end: hold.end.or(end).map(|end| end.max(start)) }
            })
            .collect();
        CallDetails {
            caller: parties::party(&self.texts, Side::Caller, self.hop.source().to_string()),
            callee: parties::party(&self.texts, Side::Callee, self.hop.destination().to_string()),
            request_uri: self
                .texts
                .owned(Field::RequestUri)
                .or_else(|| if self.invite.is_seen() { self.texts.owned(Field::To) } else { None }),
            diversion: list(Field::Diversion),
            history: list(Field::History),
            redirects: list(Field::Redirect),
            transport: self.transport,
            post_dial_delay_ms: since(Some(self.start), rang),
            ring_ms: since(rang, answered.or(end)),
            setup_ms: since(Some(self.start), answered),
            duration_ms: since(answered, end),
            ended_by: release.by.filter(|_| self.end.is_some()).map(Side::who),
            timeout: release.timeout,
            reason,
            rounds: self.invite.rounds().collect(),
            challenges: u32::from(challenges),
            stale: u32::from(stale),
            forks: count(forks().count()),
            answers: count(forks().filter(|fork| fork.was_confirmed).count()),
            answers_open: count(forks().filter(|fork| fork.state == ForkState::Confirmed).count()),
            early_media: self.invite.has_early_media(),
            reliable: u32::from(session.reliable),
            pracks: u32::from(session.pracks),
            prack_missing: self.lacks_prack(),
            reinvites: u32::from(session.reinvites),
            updates: u32::from(session.updates),
            infos: u32::from(session.infos),
            dtmf_infos: u32::from(session.dtmf),
            session_expires_s: session.expires_s(),
            session_refresher: session.refresher.filter(|_| session.expires_s().is_some()).map(Side::who),
            refreshes: u32::from(session.refreshes),
            held_ms: held(&holds, end.unwrap_or(self.last_message)),
            holds,
            transfers: self.transfers.iter().flat_map(|transfers| &transfers.0).map(transfer).collect(),
            replaces: self.texts.owned(Field::Replaces),
            referred_by: self.texts.owned(Field::ReferredBy),
            messages: self.messages,
            retransmissions: self.seen.retransmissions,
            copies: self.seen.copies,
            invite_seen: self.invite.is_seen(),
            sides_seen: match self.invite.seen_sides() {
                (true, false) => SidesSeen::Caller,
                (false, true) => SidesSeen::Callee,
                (true, true) | (false, false) => SidesSeen::Both,
            },
            correlation: grouped.then(|| self.group.as_deref().map_or_else(|| self.key(), |(group, _)| *group)),
            correlated_by: self.group.as_deref().filter(|_| grouped).map(|(_, how)| *how),
        }
    }
}

fn transfer(one: &super::transfer::Transfer) -> TransferRecord {
    TransferRecord {
        time: one.time,
        by: one.by.who(),
        attended: one.is_attended,
        target: one.target.to_string(),
        referred_by: one.referred_by.as_deref().map(str::to_owned),
        status: one.status,
        outcome: one.outcome,
    }
}

/// Milliseconds in which at least one side held the other.
fn held(holds: &[HoldRecord], until: Timestamp) -> f64 {
    let mut spans: Vec<_> = holds.iter().map(|hold| (hold.start, hold.end.unwrap_or(until).max(hold.start))).collect();
    spans.sort_unstable();
    let mut total = std::time::Duration::ZERO;
    let mut reached = Timestamp::from_nanos(i64::MIN);
    for (start, end) in spans {
        total = total.saturating_add(end.since(start.max(reached)));
        reached = reached.max(end);
    }
    millis(total)
}
