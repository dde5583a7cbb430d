//! All settings of a machine, and the list of features they are made of.
//!
//! A feature is one line in `features!` at the end of this file and one module beside it which implements
//! [`Feature`]. Everything else (storing, comparing, rendering, undoing) follows from that line.

use crate::network::{Facts, NetworkSettings};
use crate::ntp::NtpSettings;
use crate::render::{ConfigFile, DiffRow, Reload, Risk};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a settings page's type must say of itself. All of it is pure.
pub trait Feature: Clone + PartialEq + Serialize {
    /// The page's title, which is also its menu entry.
    const TITLE: &'static str;

    /// The rows by which `new` differs from `self`, in the order of the page.
    fn diff(&self, new: &Self) -> Vec<DiffRow>;

    /// Whether changing from `self` to `new` may cost the administrator her access.
    fn risk(&self, new: &Self) -> Risk;

    /// The files that these settings become on the machine that `facts` describes.
    fn render(&self, facts: &Facts) -> Vec<ConfigFile>;

    /// Whom to tell when one of the files changed.
    fn reloads(&self) -> &'static [Reload];
}

/// The number of a state of all settings. The first is 1; each change makes the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation of a machine that nobody has changed yet.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident, $field:ident: $type:ty;)+) => {
        /// All settings of a machine.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        pub struct Settings {
            $($(#[$doc])* #[serde(default)] pub $field: $type,)+
        }

        /// New settings for one page.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Change {
            $($(#[$doc])* $variant($type),)+
        }

        impl Change {
            /// The feature's name on every floor: file, folder, log, audit.
            #[must_use]
            pub const fn feature(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($field),)+ }
            }

            /// The page's title.
            #[must_use]
            pub const fn title(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$type as Feature>::TITLE,)+ }
            }

            /// The settings after this change.
            #[must_use]
            pub fn apply_to(&self, settings: &Settings) -> Settings {
                let mut after = settings.clone();
                match self { $(Self::$variant(new) => after.$field = new.clone(),)+ }
                after
            }
        }

        impl Settings {
            /// What differs from these settings to `new`: feature, its title and the rows.
            #[must_use]
            pub fn diff(&self, new: &Self) -> Vec<(&'static str, &'static str, Vec<DiffRow>)> {
                let mut all = Vec::new();
                $(if self.$field != new.$field {
                    all.push((stringify!($field), <$type as Feature>::TITLE, self.$field.diff(&new.$field)));
                })+
                all
            }

            /// The worst that a change to `new` may do to the administrator's access.
            #[must_use]
            pub fn risk(&self, new: &Self) -> Risk {
                [$(self.$field.risk(&new.$field),)+].into_iter().max().unwrap_or(Risk::None)
            }

            /// Every file that these settings become, with those to tell when it changed.
            #[must_use]
            pub fn render(&self, facts: &Facts) -> Vec<(ConfigFile, &'static [Reload])> {
                let mut all = Vec::new();
                $(all.extend(self.$field.render(facts).into_iter().map(|file| (file, self.$field.reloads())));)+
                all
            }
        }
    };
}

features! {
    /// Which port is for management and which ones listen.
    Network, network: NetworkSettings;
    /// Time servers and the time zone of pages and reports.
    Ntp, ntp: NtpSettings;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_its_own_feature_only() {
        let before = Settings::default();
        let ntp =
            crate::ntp::NtpForm { servers: vec!["ntp1.example.net".into()], ..Default::default() }.parse().unwrap();
        let change = Change::Ntp(ntp);
        let after = change.apply_to(&before);
        let diff = before.diff(&after);
        assert_eq!(diff.iter().map(|d| d.0).collect::<Vec<_>>(), ["ntp"]);
        assert_eq!((change.feature(), change.title()), ("ntp", "Time"));
        assert!(before.diff(&before).is_empty());
    }

    #[test]
    fn settings_survive_being_stored() {
        let text = serde_json::to_string(&Settings::default()).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), Settings::default());
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
    }
}
