//! What a client has subscribed to.

use std::collections::BTreeMap;

use crate::auth::Time;
use crate::messages::MMonSubscribe;
use crate::types::{MonSubscription, MonSubscriptionItem};
use crate::wire::Text;

/// Something that is wanted of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, for example `osdmap`.
    pub what: String,
    /// The first version that is wanted; 0 means the newest.
    pub start: u64,
    /// Until it has been answered; else as long as the client goes on.
    pub once: bool,
}

impl Subscription {
    /// A lasting one, which begins with the newest version.
    pub fn new(what: impl Into<String>) -> Self {
        Subscription { what: what.into(), start: 0, once: false }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: BTreeMap<String, MonSubscriptionItem>,
    /// The monitor hasn't been told of all.
    new: bool,
    /// When they are told once more.
    renew_at: Option<Time>,
}

impl Subscriptions {
    pub(super) fn want(&mut self, subscription: Subscription) {
        let flags = if subscription.once { MonSubscription::ONCE } else { MonSubscription::LASTING };
        let item = MonSubscriptionItem { start: subscription.start, flags };
        let before = self.wanted.insert(subscription.what, item.clone());
        self.new |= before.is_none_or(|before| before != item);
    }

    pub(super) fn forget(&mut self, what: &str) {
        // a monitor can't be told to stop; the next one won't hear of it
        self.wanted.remove(what);
    }

    /// A version has come: what comes next is wanted, or nothing more.
    pub(super) fn got(&mut self, what: &str, version: u64) {
        let Some(item) = self.wanted.get_mut(what).filter(|item| item.start <= version) else { return };
        item.start = version.saturating_add(1);
        if item.flags == MonSubscription::ONCE {
            self.wanted.remove(what);
        }
    }

    /// There is another monitor, which knows of nothing.
    pub(super) fn begin(&mut self) {
        (self.new, self.renew_at) = (!self.wanted.is_empty(), None);
    }

    /// The monitor wants to be told again within an interval: half of it is waited.
    pub(super) fn acked(&mut self, interval: Time, now: Time) {
        self.renew_at = Some(now.saturating_add(interval / 2));
    }

    pub(super) fn renew_at(&self) -> Option<Time> {
        self.renew_at
    }

    /// What to tell the monitor, if there is something.
    pub(super) fn due(&mut self, hostname: &str, now: Time) -> Option<MMonSubscribe<'_>> {
        let renew = self.renew_at.is_some_and(|at| at <= now);
        if !self.new && !renew || self.wanted.is_empty() {
            return None;
        }
        // the answer says when the next time is
        (self.new, self.renew_at) = (false, None);
        let what = self.wanted.iter().map(|(name, item)| (Text::from(name.as_str()), item.clone())).collect();
        let hostname = Some(Text::from(hostname.as_bytes()).into_owned());
        Some(MMonSubscribe { what, hostname, ..Default::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_is_not_asked_for_again() {
        let mut all = Subscriptions::default();
        assert!(all.due("host", Time::ZERO).is_none());
        all.want(Subscription::new("osdmap"));
        all.want(Subscription { what: "mgrmap".into(), start: 4, once: true });
        let shown = |all: &mut Subscriptions| all.due("host", Time::ZERO).map(|body| body.to_string());
        assert_eq!(shown(&mut all).unwrap(), "{mgrmap=4,osdmap=0+}");
        assert_eq!(shown(&mut all), None, "it knows");
        all.got("osdmap", 17);
        all.got("mgrmap", 3);
        all.begin();
        assert_eq!(shown(&mut all).unwrap(), "{mgrmap=4,osdmap=18+}");
        all.got("mgrmap", 4);
        all.got("osdmap", 5);
        all.want(Subscription { what: "osdmap".into(), start: 18, once: false });
        assert_eq!(shown(&mut all), None, "nothing new");
        all.begin();
        assert_eq!(shown(&mut all).unwrap(), "{osdmap=18+}");
    }
}
