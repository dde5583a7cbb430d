//! Which process asks (by its user, which the kernel vouches for), and what it may ask.

use nix::unistd::{Uid, User};
use psa_model::protocol::Request;

/// The users that the helper knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Users {
    /// The web process's.
    pub web: Option<u32>,
    /// The console's.
    pub console: Option<u32>,
    /// Who may ask everything: the developer who owns a scratch folder. Nobody on the appliance.
    pub owner: Option<u32>,
}

impl Users {
    /// The users of this machine.
    #[must_use]
    pub fn of_machine(is_scratch: bool) -> Self {
        let find = |name: &str| User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
        Self { web: find("psa"), console: find("console"), owner: is_scratch.then(|| Uid::effective().as_raw()) }
    }

    /// Who has this user id.
    #[must_use]
    pub fn caller(&self, uid: u32) -> Caller {
        let uid = Some(uid);
        if uid == self.owner {
            Caller::Owner
        } else if uid == Some(0) {
            Caller::Root
        } else if uid == self.web {
            Caller::Web
        } else if uid == self.console {
            Caller::Console
        } else {
            Caller::Unknown
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The web process.
    Web,
    /// The console.
    Console,
    /// Root: `psactl` at the console.
    Root,
    /// The owner of a scratch folder.
    Owner,
    /// Anybody else.
    Unknown,
}

impl Caller {
    /// Whether this process may make this request. Whether the person may is another question.
    #[must_use]
    pub fn may_ask(self, request: &Request) -> bool {
        match (self, request) {
            (Self::Owner, _) => true,
            (Self::Unknown, _) => false,
            (_, Request::Machine) => true,
            (Self::Console | Self::Root, Request::Console) => true,
            (Self::Web, Request::Console) => false,
            (Self::Web, _) => true,
            (
                Self::Console | Self::Root,
                Request::TlsIdentity | Request::FirstAccount { .. } | Request::LogIn { .. } | Request::As { .. },
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::account::UserName;
    use psa_model::protocol::{Action, SessionToken};
    use psa_model::secret::Secret;

    #[test]
    fn each_process_may_ask_what_its_work_needs_and_nothing_else() {
        let (secret, from) = (Secret::new("x".into()), [192, 0, 2, 1].into());
        let name = UserName::parse("anna").unwrap();
        let session = SessionToken(secret.clone());
        let requests = [
            Request::Machine,
            Request::Console,
            Request::TlsIdentity,
            Request::FirstAccount { code: secret.clone(), name, password: secret.clone(), from },
            Request::LogIn { name: "anna".into(), password: secret, from, previous: None },
            Request::As { session, from, is_background: false, action: Action::WhoAmI },
        ];
        let may = |caller: Caller| requests.iter().map(|r| u8::from(caller.may_ask(r)).to_string()).collect::<String>();
        assert_eq!(may(Caller::Web), "101111");
        assert_eq!(may(Caller::Console), "110000");
        assert_eq!(may(Caller::Root), "110000");
        assert_eq!(may(Caller::Owner), "111111");
        assert_eq!(may(Caller::Unknown), "000000");
    }

    #[test]
    fn a_user_id_is_taken_for_nobody_else() {
        let users = Users { web: Some(990), console: Some(991), owner: None };
        let callers: Vec<_> = [0, 990, 991, 1000, u32::MAX].iter().map(|uid| users.caller(*uid)).collect();
        assert_eq!(callers, [Caller::Root, Caller::Web, Caller::Console, Caller::Unknown, Caller::Unknown]);
        assert_eq!(Users::default().caller(990), Caller::Unknown, "no such users on this machine");
        assert_eq!(Users { owner: Some(1000), ..users }.caller(1000), Caller::Owner);
        assert_eq!(Users::of_machine(false).owner, None);
    }
}
