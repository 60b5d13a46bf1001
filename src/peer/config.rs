//! What an endpoint is, wants, and allows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::EntityName;
use crate::auth::ServiceKeys;
use crate::auth::cephx::client::{Credentials, Ticket};
use crate::auth::cephx::server::Authority;
use crate::frame::compress;
use crate::session::{Policies, QueueLimits};
use crate::types::{
    AddrType, AddressFamily, AuthMethod, CephFeatures, CephxServices, CompressionAlgorithm, ConnectionMode, EntityAddr,
    EntityType, Msgr2Features, Sockaddr, SockaddrAddress, SockaddrInet, SockaddrInet6,
};
use crate::{limits, wire};

/// What an endpoint is, wants, and allows.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this process is.
    pub entity: EntityName,
    /// What it speaks.
    pub family: Family,
    /// Its number. With method none a client's 0 asks for a new one.
    pub gid: u64,
    /// Its addresses, at least one. The nonce should be random: it tells processes apart.
    pub addrs: Vec<EntityAddr<'static>>,
    /// Features that it supports.
    pub features_supported: CephFeatures,
    /// Features that a peer must support.
    pub features_required: CephFeatures,
    /// In the proposal: sessions end with their connections.
    pub lossy: bool,
    /// In the proposal: it understands how sessions are resumed. Without it all sessions are lossy.
    pub reconnect: bool,
    /// In the proposal: whether it encrypts.
    pub encryption: Encryption,
    /// What an accepting side allows.
    pub server: ServerAuth,
    /// What the family [`Msgr2`](Family::Msgr2) alone has.
    pub v2: V2,
    /// [`Event::Handshake`](super::Event::Handshake) tells of every frame of the handshake.
    pub report_handshake: bool,
    /// Limits.
    pub limits: Limits,
    /// Times.
    pub times: Times,
}

impl Config {
    /// The usual configuration for a process of this name.
    pub fn new(entity: EntityName) -> Self {
        Config {
            entity,
            family: Family::default(),
            gid: 0,
            addrs: vec![entity_addr(AddrType::ANY, SocketAddr::from(([0, 0, 0, 0], 0)), 0)],
            features_supported: CephFeatures(SUPPORTED),
            features_required: CephFeatures::MSG_ADDR2,
            lossy: false,
            reconnect: true,
            encryption: Encryption::default(),
            server: ServerAuth::default(),
            v2: V2::default(),
            report_handshake: false,
            limits: Limits::default(),
            times: Times::default(),
        }
    }
}

impl Config {
    /// What is done about sessions.
    pub(crate) fn policies(&self) -> Policies {
        match (&self.v2.policies, self.entity.kind) {
            (Some(policies), _) => policies.clone(),
            (None, EntityType::MON) => Policies::mon(),
            (None, EntityType::OSD) => Policies::osd_public(),
            (None, EntityType::MDS) => Policies::mds(),
            (None, EntityType::MGR) => Policies::mgr(),
            (None, _) => Policies::client(),
        }
    }
}

/// What a Ceph of release 18 supports.
const SUPPORTED: u64 = 0x3f01_cfbf_fffd_ffff;

/// Dialects between which two peers can agree. Which family it is isn't negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// v2.0 and v2.1, which the banners decide between.
    #[default]
    Msgr2,
    /// The proposal alone.
    Proposal,
}

/// Whether a side encrypts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// It can't.
    Never,
    /// If the peer requires it.
    #[default]
    Possible,
    /// If the peer can.
    Wanted,
    /// Always, in both directions; a peer that can't is refused.
    Required,
}

/// What v2.0 and v2.1 alone have.
#[derive(Clone, Debug)]
pub struct V2 {
    /// The type in HELLO; that of the entity unless told otherwise.
    pub entity_type: Option<EntityType>,
    /// The number in CLIENT_IDENT and SERVER_IDENT. Unless told otherwise it is [`Config::gid`] or, for a client, what
    /// is known when it connects: the number in its ticket, or the one of its connection before, or else -1.
    pub gid: Option<i64>,
    /// What the banner says to be supported. Without REVISION_1 this side is one of v2.0.
    pub features: Msgr2Features,
    /// What a peer's banner must support.
    pub required: Msgr2Features,
    /// The modes that a client asks for, best first. Without keys (method none) it can only be crc.
    pub dial_modes: Vec<ConnectionMode>,
    /// The modes that it asks monitors for, if they differ.
    pub mon_dial_modes: Option<Vec<ConnectionMode>>,
    /// The modes that a server allows; the client's preference decides.
    pub accept_modes: Vec<ConnectionMode>,
    /// What is done about sessions, by the type of the peer. Unless told otherwise it is what Ceph's own processes of
    /// the entity's type do.
    pub policies: Option<Policies>,
    /// Compression.
    pub compression: Compression,
}

impl V2 {
    /// The modes that a client asks such a server for, best first.
    pub(crate) fn dial_modes_to(&self, server: EntityType) -> &[ConnectionMode] {
        let of_mons = self.mon_dial_modes.as_deref().filter(|_| server == EntityType::MON);
        of_mons.unwrap_or(&self.dial_modes)
    }
}

impl Default for V2 {
    fn default() -> Self {
        V2 {
            entity_type: None,
            gid: None,
            features: Msgr2Features::REVISION_1 | Msgr2Features::COMPRESSION,
            required: Msgr2Features::default(),
            dial_modes: vec![ConnectionMode::SECURE, ConnectionMode::CRC],
            mon_dial_modes: None,
            accept_modes: vec![ConnectionMode::SECURE, ConnectionMode::CRC],
            policies: None,
            compression: Compression::default(),
        }
    }
}

/// Whether and how frames are compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// It is wanted. Both sides must want it.
    pub force: bool,
    /// Towards which peers; OSDs unless told otherwise.
    pub peers: Vec<EntityType>,
    /// Algorithms, best first; the client's preference decides.
    pub algorithms: Vec<CompressionAlgorithm>,
    /// Frames with fewer bytes in their segments aren't compressed.
    pub min_size: usize,
    /// In secure mode too, which lets lengths tell of contents.
    pub with_secure: bool,
}

impl Default for Compression {
    fn default() -> Self {
        Compression {
            force: false,
            peers: vec![EntityType::OSD],
            algorithms: vec![CompressionAlgorithm::SNAPPY],
            min_size: 1024,
            with_secure: false,
        }
    }
}

impl Compression {
    /// The same towards a peer of this type, in this mode.
    pub(crate) fn towards(&self, peer: EntityType, mode: ConnectionMode) -> Compression {
        let mut wish = self.clone();
        if !self.peers.contains(&peer) {
            (wish.force, wish.algorithms) = (false, Vec::new());
        }
        wish.algorithms.retain(|algorithm| compress::ALGORITHMS.contains(algorithm));
        wish.force &= mode != ConnectionMode::SECURE || self.with_secure;
        wish
    }
}

/// What a server allows.
#[derive(Clone, Debug, Default)]
pub struct ServerAuth {
    /// Methods, best first. None at all lets nobody in; `none` is left out if encryption is required.
    pub methods: Vec<AuthMethod>,
    /// What it takes to authenticate clients, which a mon does.
    pub authority: Option<Arc<Authority>>,
    /// The keys that open tickets for this kind of server.
    pub service_keys: Option<ServiceKeys>,
    /// Tickets take a second round, with a challenge.
    pub challenge: bool,
}

/// How a client shows who it is.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// It says so, with method none.
    None {
        /// What the server is to be.
        service: EntityType,
    },
    /// To a mon, with its key.
    Authenticate {
        /// Its name and key, and what it got before.
        credentials: Credentials,
        /// The services for which it wants tickets.
        services: CephxServices,
    },
    /// To a server of the ticket's service.
    Authorize {
        /// The ticket.
        ticket: Ticket,
    },
}

impl ClientAuth {
    /// The method.
    pub fn method(&self) -> AuthMethod {
        match self {
            ClientAuth::None { .. } => AuthMethod::NONE,
            ClientAuth::Authenticate { .. } | ClientAuth::Authorize { .. } => AuthMethod::CEPHX,
        }
    }

    /// What the server is to be.
    pub fn service(&self) -> EntityType {
        match self {
            ClientAuth::None { service } => *service,
            ClientAuth::Authenticate { .. } => EntityType::MON,
            ClientAuth::Authorize { ticket } => ticket.service,
        }
    }
}

/// Whom a client connects to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What the client would do to authenticate, best first. Of several with the same method the first is taken.
    pub auth: Vec<ClientAuth>,
    /// The number that the server must have.
    pub peer_gid: Option<u64>,
    /// The server's addresses as maps have them, with nonces. If there are none it is one of v2, with a nonce of 0, as
    /// monitors have. The proposal doesn't know of them.
    pub entity_addrs: Vec<EntityAddr<'static>>,
    /// The type that the server must have; unless told otherwise that of the service that `auth` begins with. The
    /// proposal doesn't know of it.
    pub peer_type: Option<EntityType>,
}

impl Target {
    /// A server of any number.
    pub fn new(addr: SocketAddr, auth: Vec<ClientAuth>) -> Self {
        Target { addr, auth, peer_gid: None, entity_addrs: Vec::new(), peer_type: None }
    }
}

impl Target {
    /// The server's addresses.
    pub(crate) fn addrs(&self) -> Vec<EntityAddr<'static>> {
        if self.entity_addrs.is_empty() { vec![self.dialled()] } else { self.entity_addrs.clone() }
    }

    /// The type that the server must have.
    pub(crate) fn expects(&self) -> Option<EntityType> {
        self.peer_type.or_else(|| self.auth.first().map(ClientAuth::service))
    }

    /// The address that is dialled, as the server must know it.
    pub(crate) fn dialled(&self) -> EntityAddr<'static> {
        let known = self.entity_addrs.iter().find(|addr| socket_addr(addr) == Some(self.addr));
        let of_v2 = || self.entity_addrs.iter().find(|addr| addr.r#type == AddrType::MSGR2);
        known.or_else(of_v2).cloned().unwrap_or_else(|| entity_addr(AddrType::MSGR2, self.addr, 0))
    }
}

/// Limits, all of them for this endpoint alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame_len before the sender's IDENT has taken effect. The spec's limit is the most.
    pub early_frame: u32,
    /// The largest frame_len. The spec's limit is the most.
    pub frame: u32,
    /// The most accepted connections.
    pub connections: usize,
    /// How many of them may be in the handshake.
    pub half_open: usize,
    /// The most sessions of a server, with and without a connection.
    pub sessions: usize,
    /// The most bytes in all receive buffers together. Connections in the handshake may fill half of it.
    pub memory: usize,
    /// The most messages queued and unacknowledged in a session.
    pub queue_messages: usize,
    /// The most bytes of them. A single message may be larger.
    pub queue_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            early_frame: limits::PROPOSAL_MAX_EARLY_FRAME as u32,
            frame: limits::PROPOSAL_MAX_FRAME as u32,
            connections: 4096,
            half_open: 1024,
            sessions: 4096,
            memory: 1 << 30,
            queue_messages: 1024,
            queue_bytes: 64 << 20,
        }
    }
}

impl Limits {
    pub(crate) fn queue(&self) -> QueueLimits {
        QueueLimits { messages: self.queue_messages, bytes: self.queue_bytes }
    }
}

/// Times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the connect to START or RECONNECT_OK.
    pub handshake: Duration,
    /// How long a connection may be without a frame from the peer.
    pub idle: Duration,
    /// When a KEEPALIVE2 asks whether a silent peer is there.
    pub keepalive: Duration,
    /// How long a session may be without a connection.
    pub session: Duration,
    /// How long an acknowledgement may take.
    pub ack: Duration,
    /// How long the answer to a CLOSE may take.
    pub close: Duration,
    /// The pause before a client that failed dials again; it doubles each time.
    pub pause_first: Duration,
    /// The longest such pause.
    pub pause_most: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(900),
            keepalive: Duration::from_secs(300),
            session: Duration::from_secs(900),
            ack: Duration::from_secs(30),
            close: Duration::from_secs(30),
            pause_first: Duration::from_millis(200),
            pause_most: Duration::from_secs(15),
        }
    }
}

/// An address for [`Config::addrs`].
pub fn entity_addr(kind: AddrType, addr: SocketAddr, nonce: u32) -> EntityAddr<'static> {
    let (family, address) = match addr {
        SocketAddr::V4(v4) => {
            let inet = SockaddrInet { port: wire::Be(v4.port()), ip: *v4.ip(), ..Default::default() };
            (AddressFamily::INET, SockaddrAddress::Inet(inet))
        }
        SocketAddr::V6(v6) => {
            let inet6 = SockaddrInet6 { port: wire::Be(v6.port()), ip: *v6.ip(), ..Default::default() };
            (AddressFamily::INET6, SockaddrAddress::Inet6(inet6))
        }
    };
    let sockaddr = Sockaddr { family, address, ..Default::default() };
    EntityAddr { r#type: kind, nonce, sockaddr: Some(sockaddr), ..Default::default() }
}

/// Where an endpoint of this address listens, if that can be said.
pub fn socket_addr(addr: &EntityAddr<'_>) -> Option<SocketAddr> {
    match &addr.sockaddr.as_ref()?.address {
        SockaddrAddress::Inet(inet) => Some(SocketAddr::from((inet.ip, inet.port.0))),
        SockaddrAddress::Inet6(inet) => Some(SocketAddr::from((inet.ip, inet.port.0))),
        SockaddrAddress::Other(_) => None,
    }
}

/// Whether two addresses are the same: type, nonce, IP address and port.
pub(crate) fn same_addr(one: &EntityAddr<'_>, other: &EntityAddr<'_>) -> bool {
    (one.r#type, one.nonce, socket_addr(one)) == (other.r#type, other.nonce, socket_addr(other))
}
