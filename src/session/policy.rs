//! Policies: what a messenger of the shipped protocol does about its peers, by their type.

use std::collections::BTreeMap;

use crate::types::EntityType;
use crate::wire::Role;

/// What an endpoint does about a kind of peer. The names of the constants are Ceph's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// A session ends with its connection.
    pub lossy: bool,
    /// This side waits for the peer to dial, and wins when both do.
    pub server: bool,
    /// With nothing to send, a session waits without connection.
    pub standby: bool,
    /// A peer that has lost its session makes this side drop what is queued, and tell its application.
    pub resetcheck: bool,
    /// The session is found again when the peer comes back. A lossy one of a server usually isn't even looked for.
    pub register: bool,
}

impl Policy {
    /// A server whose clients come back to their sessions.
    pub const STATEFUL_SERVER: Policy =
        Policy { lossy: false, server: true, standby: true, resetcheck: true, register: true };
    /// A server that forgets a client with its connection, and knows only one connection of each.
    pub const STATELESS_REGISTERED_SERVER: Policy =
        Policy { lossy: true, server: true, standby: false, resetcheck: false, register: true };
    /// A server that forgets a client with its connection.
    pub const STATELESS_SERVER: Policy =
        Policy { lossy: true, server: true, standby: false, resetcheck: false, register: false };
    /// Two that dial each other.
    pub const LOSSLESS_PEER: Policy =
        Policy { lossy: false, server: false, standby: true, resetcheck: false, register: true };
    /// Two that dial each other, and may come back as somebody new at the same address.
    pub const LOSSLESS_PEER_REUSE: Policy =
        Policy { lossy: false, server: false, standby: true, resetcheck: true, register: true };
    /// A client that begins anew whenever its connection ends.
    pub const LOSSY_CLIENT: Policy =
        Policy { lossy: true, server: false, standby: false, resetcheck: false, register: true };
    /// A client that comes back to its session.
    pub const LOSSLESS_CLIENT: Policy =
        Policy { lossy: false, server: false, standby: false, resetcheck: true, register: true };
}

/// The policies of a messenger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// For peers of every other type.
    pub default: Policy,
    /// For peers of these types, as they say in HELLO.
    pub by_type: BTreeMap<EntityType, Policy>,
}

impl Policies {
    /// The same for all.
    pub fn all(policy: Policy) -> Self {
        Policies { default: policy, by_type: BTreeMap::new() }
    }

    /// The policy for a peer of a type.
    pub fn of(&self, peer: EntityType) -> Policy {
        self.by_type.get(&peer).copied().unwrap_or(self.default)
    }

    fn with(mut self, peers: &[EntityType], policy: Policy) -> Self {
        self.by_type.extend(peers.iter().map(|&peer| (peer, policy)));
        self
    }

    /// A client of librados: every session is lossy.
    pub fn client() -> Self {
        Policies::all(Policy::LOSSY_CLIENT)
    }

    /// A client of libcephfs: as every client, but its sessions with metadata servers outlive their connections.
    pub fn cephfs() -> Self {
        Policies::client().with(&[EntityType::MDS], Policy::LOSSLESS_CLIENT)
    }

    /// The messenger of a monitor.
    pub fn mon() -> Self {
        Policies::all(Policy::STATELESS_SERVER).with(&[EntityType::MON], Policy::LOSSLESS_PEER_REUSE)
    }

    /// The messenger of an OSD that clients talk to.
    pub fn osd_public() -> Self {
        Policies::all(Policy::STATELESS_REGISTERED_SERVER)
            .with(&[EntityType::MON, EntityType::MGR], Policy::LOSSY_CLIENT)
    }

    /// The messenger of an OSD that other OSDs talk to.
    pub fn osd_cluster() -> Self {
        Policies::all(Policy::STATELESS_SERVER)
            .with(&[EntityType::MON], Policy::LOSSY_CLIENT)
            .with(&[EntityType::OSD], Policy::LOSSLESS_PEER)
    }

    /// The messengers by which OSDs watch each other: one dials, another one accepts.
    pub fn osd_heartbeat(role: Role) -> Self {
        Policies::all(match role {
            Role::Client => Policy::LOSSY_CLIENT,
            Role::Server => Policy::STATELESS_SERVER,
        })
    }

    /// The messenger of a metadata server.
    pub fn mds() -> Self {
        Policies::all(Policy::STATEFUL_SERVER)
            .with(&[EntityType::MON, EntityType::OSD, EntityType::MGR], Policy::LOSSY_CLIENT)
            .with(&[EntityType::MDS], Policy::LOSSLESS_PEER)
    }

    /// The messenger of a manager.
    pub fn mgr() -> Self {
        Policies::all(Policy::STATELESS_SERVER)
    }
}

impl Default for Policies {
    fn default() -> Self {
        Policies::client()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_names_mean() {
        let flags = |policy: Policy| {
            let Policy { lossy, server, standby, resetcheck, register } = policy;
            [lossy, server, standby, resetcheck, register].map(u8::from)
        };
        assert_eq!(flags(Policy::STATEFUL_SERVER), [0, 1, 1, 1, 1]);
        assert_eq!(flags(Policy::STATELESS_REGISTERED_SERVER), [1, 1, 0, 0, 1]);
        assert_eq!(flags(Policy::STATELESS_SERVER), [1, 1, 0, 0, 0]);
        assert_eq!(flags(Policy::LOSSLESS_PEER), [0, 0, 1, 0, 1]);
        assert_eq!(flags(Policy::LOSSLESS_PEER_REUSE), [0, 0, 1, 1, 1]);
        assert_eq!(flags(Policy::LOSSY_CLIENT), [1, 0, 0, 0, 1]);
        assert_eq!(flags(Policy::LOSSLESS_CLIENT), [0, 0, 0, 1, 1]);
    }

    #[test]
    fn every_pair_of_types() {
        const PEER: Policy = Policy::LOSSLESS_PEER;
        const REUSE: Policy = Policy::LOSSLESS_PEER_REUSE;
        const LOSSY: Policy = Policy::LOSSY_CLIENT;
        const REGISTERED: Policy = Policy::STATELESS_REGISTERED_SERVER;
        const STATELESS: Policy = Policy::STATELESS_SERVER;
        const STATEFUL: Policy = Policy::STATEFUL_SERVER;
        let peers = [EntityType::MON, EntityType::OSD, EntityType::MDS, EntityType::MGR, EntityType::CLIENT];
        for (local, policies, expected) in [
            ("mon", Policies::mon(), [REUSE, STATELESS, STATELESS, STATELESS, STATELESS]),
            ("osd, public", Policies::osd_public(), [LOSSY, REGISTERED, REGISTERED, LOSSY, REGISTERED]),
            ("osd, cluster", Policies::osd_cluster(), [LOSSY, PEER, STATELESS, STATELESS, STATELESS]),
            ("osd, heartbeat dialling", Policies::osd_heartbeat(Role::Client), [LOSSY; 5]),
            ("osd, heartbeat accepting", Policies::osd_heartbeat(Role::Server), [STATELESS; 5]),
            ("mds", Policies::mds(), [LOSSY, LOSSY, PEER, LOSSY, STATEFUL]),
            ("mgr", Policies::mgr(), [STATELESS; 5]),
            ("client", Policies::client(), [LOSSY; 5]),
            ("cephfs", Policies::cephfs(), [LOSSY, LOSSY, Policy::LOSSLESS_CLIENT, LOSSY, LOSSY]),
        ] {
            assert_eq!(peers.map(|peer| policies.of(peer)), expected, "{local}");
        }
        assert_eq!(Policies::default(), Policies::client());
    }
}
