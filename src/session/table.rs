//! Who has a session with this server.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// What tells peers apart: their authenticated name and number, and the addresses of their IDENT, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerKey {
    /// The entity type.
    pub entity_type: u8,
    /// The entity id.
    pub id: Vec<u8>,
    /// The global id.
    pub gid: u64,
    /// The addresses as they stand in IDENT. Empty while that isn't known.
    pub addrs: Vec<u8>,
}

/// The sessions of a server: at most one with each peer.
#[derive(Debug)]
pub struct SessionTable<S> {
    sessions: HashMap<PeerKey, S>,
}

impl<S> Default for SessionTable<S> {
    fn default() -> Self {
        SessionTable { sessions: HashMap::new() }
    }
}

impl<S: Copy + PartialEq> SessionTable<S> {
    /// The session with a peer.
    pub fn get(&self, key: &PeerKey) -> Option<S> {
        self.sessions.get(key).copied()
    }

    /// Puts a session in the place of the one before.
    pub fn insert(&mut self, key: PeerKey, session: S) -> Option<S> {
        self.sessions.insert(key, session)
    }

    /// Takes a session out, if it is still the peer's.
    pub fn remove(&mut self, key: &PeerKey, session: S) {
        if self.sessions.get(key) == Some(&session) {
            self.sessions.remove(key);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// Cookies that a server gave to peers whose START it hasn't seen, with the connections that they were given on.
///
/// A client that asks for such a session has lost nothing: no message of it was ever taken. The peers are known here
/// by what authentication said, since their IDENT may not have come.
#[derive(Debug)]
pub struct Given<C> {
    cookies: BTreeMap<u64, Gift<C>>,
    order: VecDeque<(Duration, u64)>,
    most: usize,
    keep: Duration,
}

#[derive(Debug)]
struct Gift<C> {
    peer: PeerKey,
    connection: C,
}

impl<C: Copy> Given<C> {
    /// Remembers so many cookies for so long.
    pub fn new(most: usize, keep: Duration) -> Self {
        Given { cookies: BTreeMap::new(), order: VecDeque::new(), most, keep }
    }

    /// A cookie was given to a peer (without addresses).
    pub fn add(&mut self, now: Duration, cookie: u64, peer: PeerKey, connection: C) {
        self.expire(now);
        while self.order.len() >= self.most.max(1) {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.cookies.remove(&oldest);
        }
        self.cookies.insert(cookie, Gift { peer, connection });
        self.order.push_back((now, cookie));
    }

    fn expire(&mut self, now: Duration) {
        while let Some(&(since, cookie)) = self.order.front()
            && now.saturating_sub(since) > self.keep
        {
            self.cookies.remove(&cookie);
            self.order.pop_front();
        }
    }

    /// The START for this cookie came.
    pub fn started(&mut self, cookie: u64) {
        // its place in the order goes when its time comes
        self.cookies.remove(&cookie);
    }

    /// The connection on which this peer got this cookie, if no START came since.
    pub fn unstarted(&mut self, now: Duration, cookie: u64, peer: &PeerKey) -> Option<C> {
        self.expire(now);
        let gift = self.cookies.get(&cookie)?;
        let same = (gift.peer.entity_type, &gift.peer.id, gift.peer.gid) == (peer.entity_type, &peer.id, peer.gid);
        same.then_some(gift.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(gid: u64) -> PeerKey {
        PeerKey { entity_type: 8, id: b"admin".to_vec(), gid, addrs: Vec::new() }
    }

    #[test]
    fn given_cookies_are_bounded_in_number_and_time() {
        let second = Duration::from_secs(1);
        let mut given = Given::new(2, 10 * second);
        for cookie in 1..=3 {
            given.add(cookie as u32 * second, cookie, peer(7), cookie);
        }
        assert_eq!(given.unstarted(3 * second, 1, &peer(7)), None, "the oldest had to go");
        assert_eq!(given.unstarted(3 * second, 2, &peer(7)), Some(2));
        assert_eq!(given.unstarted(3 * second, 2, &peer(8)), None, "somebody else's");
        given.started(2);
        assert_eq!(given.unstarted(3 * second, 2, &peer(7)), None);
        assert_eq!(given.unstarted(13 * second, 3, &peer(7)), Some(3));
        assert_eq!(given.unstarted(14 * second, 3, &peer(7)), None, "too old");
    }

    #[test]
    fn one_session_with_each_peer() {
        let mut table = SessionTable::default();
        assert_eq!(table.insert(peer(7), 1), None);
        assert_eq!(table.insert(peer(7), 2), Some(1));
        table.remove(&peer(7), 1);
        assert_eq!(table.get(&peer(7)), Some(2));
        table.remove(&peer(7), 2);
        assert!(table.is_empty());
    }
}
