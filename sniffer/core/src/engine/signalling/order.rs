//! Which call goes first when the table is full: one that has ended and waits for retransmissions, then the oldest that
//! nobody has answered, and only then the oldest of those that talk. A flood of INVITEs pushes out its own calls.

use std::collections::VecDeque;

use crate::{
    engine::call::Call,
    slab::{Id, Slab},
};

/// The calls in the order in which they go. Calls that are gone may be in it too.
#[derive(Debug, Default)]
pub(super) struct Order {
    ended: VecDeque<Id>,
    setup: VecDeque<Id>,
    talking: VecDeque<Id>,
}

impl Order {
    /// A call has begun.
    pub(super) fn begin(&mut self, id: Id, calls: &Slab<Call>, most: usize) {
        self.setup.push_back(id);
        let all = [&mut self.ended, &mut self.setup, &mut self.talking];
        for queue in all.into_iter().filter(|queue| queue.len() > most.saturating_mul(2)) {
            queue.retain(|&id| calls.get(id).is_some());
        }
    }

    /// Takes note where a call stands after a message.
    pub(super) fn look(&mut self, id: Id, call: &mut Call) {
        if call.has_ended() && !call.is_listed {
            call.is_listed = true;
            self.ended.push_back(id);
        }
    }

    /// The call that goes next.
    pub(super) fn next(&mut self, calls: &mut Slab<Call>) -> Option<Id> {
        while let Some(id) = self.ended.pop_front() {
            if let Some(call) = calls.get_mut(id) {
                call.is_listed = false;
                if call.has_ended() {
                    return Some(id);
                }
            }
        }
        while let Some(id) = self.setup.pop_front() {
            match calls.get(id) {
                Some(call) if call.is_answered() && !call.has_ended() => self.talking.push_back(id),
                Some(_) => return Some(id),
                None => {}
            }
        }
        std::iter::from_fn(|| self.talking.pop_front()).find(|&id| calls.get(id).is_some())
    }
}
