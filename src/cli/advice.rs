//! Why a server can't be reached: what is wrong, and what to try.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use msgr2::auth::EntityName;
use msgr2::foreign::{self, Foreign};
use msgr2::net::ConnectError;
use msgr2::peer::{Error, Why};
use msgr2::types::{AuthMethod, ConnectionMode, EntityType, Errno};

use crate::peer::Dialect;
use crate::witness::{Ending, Seen};

/// The port of mons that speak msgr2.
const PORT: u16 = 3300;
/// The port of mons that speak the messenger before it.
const OLD_PORT: u16 = 6789;
/// How many of the first bytes of something unknown are shown.
const SHOWN: usize = 24;

/// Who wanted to connect to what.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The client.
    pub(crate) name: EntityName,
    /// The server.
    pub(crate) addr: SocketAddr,
    /// What it is to be.
    pub(crate) service: EntityType,
    /// What the client speaks.
    pub(crate) dialect: Dialect,
}

/// What is wrong, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) wrong: String,
    pub(crate) tries: Vec<String>,
}

impl Advice {
    pub(crate) fn new(wrong: impl Into<String>) -> Self {
        Advice { wrong: wrong.into(), tries: Vec::new() }
    }

    /// One more thing to try.
    #[must_use]
    pub(crate) fn or_try(mut self, what: impl Into<String>) -> Self {
        self.tries.push(what.into());
        self
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wrong)?;
        self.tries.iter().try_for_each(|what| write!(f, "\n  try: {what}"))
    }
}

impl std::error::Error for Advice {}

/// What to make of a connect that has failed.
pub(crate) fn on(asked: &Asked, error: &ConnectError, seen: &Seen) -> Advice {
    match error {
        ConnectError::Unreachable { source, .. } => unreachable(asked, source),
        ConnectError::Handshake { why, .. } => handshake(asked, why, seen),
        ConnectError::TimedOut { after, last, .. } => match last {
            Some(why) => handshake(asked, why, seen),
            None => too_slow(asked, &format!("{} s", after.as_secs()), seen),
        },
        other => Advice::new(other.to_string()),
    }
}

/// No TCP connection.
fn unreachable(asked: &Asked, source: &io::Error) -> Advice {
    let Asked { addr, .. } = asked;
    match source.kind() {
        io::ErrorKind::ConnectionRefused => {
            let advice = Advice::new(format!("nobody listens at {addr}: {source}"));
            with_port(asked, advice).or_try(alive(asked))
        }
        io::ErrorKind::TimedOut => {
            Advice::new(format!("no answer from {addr}: the host is down, or a firewall drops the packets"))
                .or_try(format!("let TCP connections to port {} pass, on the way and on the host", addr.port()))
                .or_try("ping the host; see that it has this address")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Advice::new(format!("no way to {addr}: {source}"))
                .or_try(
                    "see whether this machine is in the cluster's public network, or has a route to it: `ip \
                    route get`",
                )
                .or_try("a firewall that rejects looks the same: let the port pass")
        }
        _ => Advice::new(format!("no connection to {addr}: {source}")),
    }
}

/// Where mons are found.
fn with_port(asked: &Asked, advice: Advice) -> Advice {
    let Asked { addr, service, .. } = asked;
    match addr.port() {
        _ if *service != EntityType::MON => {
            advice.or_try(format!("take address and nonce of today from `ceph {service} dump`"))
        }
        OLD_PORT => advice.or_try(format!(
            "port {OLD_PORT} is the old messenger's (msgr1); msgr2 has {PORT}: --mon {}",
            host(addr, PORT)
        )),
        PORT => advice.or_try(
            "the cluster may speak the old messenger alone: `ceph mon dump` shows a v2 address if it doesn't, \
             `ceph mon enable-msgr2` changes it",
        ),
        _ => advice.or_try(format!(
            "`ceph mon dump` and mon_host in ceph.conf have the addresses; the usual port is \
                    {PORT}"
        )),
    }
}

fn host(addr: &SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(addr.ip(), port)
}

fn alive(asked: &Asked) -> String {
    format!(
        "see on its host whether the {} runs and listens: `ss -tlnp`, `systemctl status 'ceph-{0}@*'`",
        asked.service
    )
}

fn handshake(asked: &Asked, why: &Why, seen: &Seen) -> Advice {
    match why {
        Why::Failed(error) => failed(asked, error, seen),
        Why::Ended => ended(asked, seen),
        Why::Wait => Advice::new("the server asks to come again later")
            .or_try("another connection of the same client is in the way; end it"),
        other => Advice::new(format!("the handshake failed {}: {other}", step(seen))),
    }
}

/// Where the handshake was.
fn step(seen: &Seen) -> String {
    match (seen.last_received, seen.last_sent) {
        (None, _) => "before the server had sent its banner".to_owned(),
        (Some(received), Some(sent)) => format!("when {sent} was sent and {received} had come"),
        (Some(received), None) => format!("behind the server's {received}"),
    }
}

fn failed(asked: &Asked, error: &Error, seen: &Seen) -> Advice {
    let Asked { name, service, addr, .. } = asked;
    let proven = seen.last_sent == Some("AUTH_REQUEST_MORE");
    match error {
        Error::Banner(_) => not_msgr2(asked, seen),
        Error::Denied { result, .. } if is_denial(*result) && *service == EntityType::MON => Advice::new(format!(
            "the mon doesn't accept the key of {name} ({result}{}): the key is wrong, or the mon doesn't know {name}",
            if proven { ", after the proof" } else { "" }
        ))
        .or_try(format!(
            "compare the key in the keyring with `ceph auth get {name}`, asked with another key or \
                    on a mon's host"
        ))
        .or_try("see whether the keyring is of this cluster: was it made anew, or is the address another cluster's?")
        .or_try(format!("if {name} isn't known: `ceph auth get-or-create {name} mon 'allow r'`")),
        Error::Denied { result, .. } if is_denial(*result) => {
            Advice::new(format!("the {service} doesn't accept the ticket ({result})"))
                .or_try(format!(
                    "the {service} may have old service keys: see whether it is up in `ceph -s`, \
                    and whether the clocks of its host and of the mons agree"
                ))
                .or_try(format!("see whether {name} may do anything there: `ceph auth get {name}` lists its caps"))
                .or_try(format!("see whether the {service} is of the same cluster as the mon"))
        }
        Error::Denied { result, message } => {
            let message = if message.is_empty() { String::new() } else { format!(": {message}") };
            Advice::new(format!("the {service} refuses {name} with {result}{message}"))
                .or_try(format!("the log of the {service} says more, with debug_ms=10 and debug_auth=20"))
        }
        Error::ModesExhausted { allowed } => mode_refused(asked, allowed),
        Error::MethodsExhausted { tried, allowed } => method_refused(asked, tried, allowed),
        Error::FeaturesLacking { features } => Advice::new(format!(
            "this client lacks features that the \
                    {service} requires: {features}"
        ))
        .or_try(
            "the cluster is newer than this program, or was told to require them: `ceph osd \
                    require-osd-release`, `ceph osd set-require-min-compat-client` and `ceph features` tell",
        ),
        Error::FeaturesMissing { features } => Advice::new(format!(
            "the {service} lacks features that this \
                    client requires: {features}"
        ))
        .or_try("it is a Ceph from before 14, which doesn't speak msgr2 well; update it"),
        Error::Msgr2FeaturesUnsupported { features } => Advice::new(format!(
            "the {service} requires of the \
                    messenger what this program doesn't have: {features}"
        ))
        .or_try("without --dialect v2.0, if that was given: then REVISION_1 isn't offered"),
        Error::Msgr2FeaturesRequired { features } => Advice::new(format!(
            "the {service} doesn't offer \
                    {features} of the messenger"
        ))
        .or_try("--dialect v2.0 for Ceph before 14.2.11"),
        Error::IdentityMismatch { field: "entity_type", found, .. } => {
            let found = u8::try_from(*found).map_or_else(|_| found.to_string(), |found| EntityType(found).to_string());
            Advice::new(format!("there is a {found} at {addr}, not a {service}")).or_try(match service {
                &EntityType::MON => "`ceph mon dump` has the mons' addresses".to_owned(),
                _ => format!(
                    "--service {found}, or the address of the {service}; addresses change when daemons \
                    start again"
                ),
            })
        }
        Error::WrongAddress { found } => Advice::new(format!(
            "the {service} doesn't know itself by the address \
                    that was dialled, {found}"
        ))
        .or_try(same_address(asked)),
        Error::Auth(error) => Advice::new(format!("the {service} didn't prove that it knows the key: {error}"))
            .or_try(format!("compare the key in the keyring with `ceph auth get {name}`"))
            .or_try("somebody else may answer at this address"),
        Error::BadSignature { .. } => Advice::new(
            "what both sides have seen of the handshake isn't the same: \
                    the signature doesn't verify",
        )
        .or_try("something between client and server changes bytes: a proxy, or somebody who shouldn't be there"),
        Error::TimedOut { .. } => too_slow(asked, "10 s", seen),
        other => Advice::new(format!("the handshake failed {}: {other}", step(seen)))
            .or_try("--capture FILE records it, `msgr2 decode FILE` and Wireshark show the bytes"),
    }
}

/// Whether this is how a key or a ticket is refused.
fn is_denial(result: Errno) -> bool {
    [Errno::EACCES, Errno::EPERM, Errno::ENOENT].contains(&result)
}

fn mode_refused(asked: &Asked, allowed: &[ConnectionMode]) -> Advice {
    let Asked { service, .. } = asked;
    let (option, section) = if *service == EntityType::MON {
        ("ms_mon_service_mode", "mon".to_owned())
    } else {
        ("ms_service_mode", service.to_string())
    };
    let modes = list(allowed);
    let advice = Advice::new(format!("the {service} allows none of the modes that were asked for, only {modes}"));
    let advice =
        if allowed.is_empty() { advice } else { advice.or_try(format!("--mode {}", modes.replace(", ", ","))) };
    let advice = advice.or_try(format!(
        "the server's option is {option}: `ceph config get {section} {option}`; a client's are ms_mon_client_mode \
         and ms_client_mode"
    ));
    if allowed.contains(&ConnectionMode::CRC) {
        return advice;
    }
    advice.or_try("with --auth none there are no keys for secure mode: crc is all that it can do")
}

fn method_refused(asked: &Asked, tried: &[AuthMethod], allowed: &[AuthMethod]) -> Advice {
    let Asked { service, name, .. } = asked;
    let option = if *service == EntityType::MON { "auth_client_required" } else { "auth_service_required" };
    let (tried, wanted) = (list(tried), list(allowed));
    let advice = Advice::new(format!("the {service} doesn't take the method {tried}, only {wanted}"));
    let advice = if allowed.contains(&AuthMethod::CEPHX) {
        advice.or_try(format!("--keyring FILE with the key of {name}, and --auth cephx"))
    } else if allowed.contains(&AuthMethod::NONE) {
        advice.or_try("--auth none")
    } else {
        advice
    };
    advice.or_try(format!(
        "the server's option is {option}, in its ceph.conf or `ceph config get {service} \
                    {option}`"
    ))
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// A server that speaks something else, if its first bytes say so.
pub(crate) fn speaks_other(asked: &Asked, seen: &Seen) -> Option<Advice> {
    is_other(asked.dialect, &seen.first).then(|| not_msgr2(asked, seen))
}

/// A client that speaks something else than the server. `ended`: it has nothing more to say.
pub(crate) fn stranger(own: Dialect, from: SocketAddr, first: &[u8], ended: bool) -> Option<String> {
    // a banner that is cut off may become anything
    if !is_other(own, first) || (!ended && b"ceph ".starts_with(first.get(..5).unwrap_or(first)) && first.len() < 9) {
        return None;
    }
    let what = match foreign::recognise(first) {
        Some(Foreign::Proposal) => PROPOSAL.to_owned(),
        Some(Foreign::Msgr2) => SHIPPED.to_owned(),
        Some(other) => other.to_string(),
        None => format!("something unknown, {}", shown(first)),
    };
    Some(format!("{from} speaks {what}, and this server {own}"))
}

/// Whether somebody who begins so speaks something else. Of nothing, or of too little, that can't be said.
fn is_other(own: Dialect, first: &[u8]) -> bool {
    let banner: &[u8] = if own == Dialect::Proposal { b"ceph " } else { b"ceph v2\n" };
    match foreign::recognise(first) {
        Some(Foreign::Msgr2) => own == Dialect::Proposal,
        Some(Foreign::Proposal) => own != Dialect::Proposal,
        Some(_) => true,
        None => !banner.starts_with(&first[..first.len().min(banner.len())]),
    }
}

/// What the dialects are called where they aren't expected.
const PROPOSAL: &str = "the proposal of 2016";
const SHIPPED: &str = "msgr2 as Ceph does (v2.0 or v2.1)";

/// The bytes aren't a banner of msgr2, or not one of the dialect that is spoken here.
fn not_msgr2(asked: &Asked, seen: &Seen) -> Advice {
    let Asked { addr, dialect, .. } = asked;
    let other = |what: &str, try_dialect: Dialect| {
        Advice::new(format!("{addr} speaks {what}, and this client {dialect}"))
            .or_try(format!("--dialect {try_dialect}, or another server"))
    };
    let first = &*seen.first;
    let what = match foreign::recognise(first) {
        Some(Foreign::Proposal) if *dialect != Dialect::Proposal => return other(PROPOSAL, Dialect::Proposal),
        Some(Foreign::Msgr2) if *dialect == Dialect::Proposal => return other(SHIPPED, Dialect::V2_1),
        Some(Foreign::Msgr1) => {
            let version = String::from_utf8_lossy(&first[..first.len().min(9)]).into_owned();
            let advice =
                Advice::new(format!("{addr} speaks the old messenger msgr1 (its banner is {version:?}), not msgr2"));
            return match addr.port() {
                OLD_PORT => advice.or_try(format!("msgr2 has port {PORT}: --mon {}", host(addr, PORT))),
                _ => advice.or_try(format!(
                    "the v2 address, which `ceph mon dump` shows; the usual port is {PORT}, {OLD_PORT} is msgr1's"
                )),
            }
            .or_try("if there is no v2 address: `ceph mon enable-msgr2`, and ms_bind_msgr2 mustn't be false");
        }
        Some(Foreign::Msgr2) => "sends a banner of msgr2 that is cut off or can't be read".to_owned(),
        Some(Foreign::Ceph) => format!("sends an unknown banner of Ceph, {}", shown(first)),
        Some(Foreign::Http) => "speaks HTTP: a web server, an RGW or the dashboard".to_owned(),
        Some(Foreign::Tls) => "speaks TLS: a web server, an RGW or the dashboard with a certificate".to_owned(),
        Some(other) => format!("speaks {other}"),
        None => format!("sends {}", shown(first)),
    };
    with_port(asked, Advice::new(format!("{addr} doesn't speak msgr2: it {what}")))
}

/// Bytes for people.
fn shown(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}{more}\"", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}

/// The server's end, or somebody's in between.
fn ended(asked: &Asked, seen: &Seen) -> Advice {
    let Asked { service, addr, .. } = asked;
    let how = match seen.ending {
        Some(Ending::Reset) => "reset",
        _ => "closed",
    };
    match (seen.last_received, seen.last_sent) {
        (None, _) if seen.received == 0 => Advice::new(format!(
            "{addr} takes the connection, and it is {how} \
                    before a byte came"
        ))
        .or_try(
            "something in between answers for a server that isn't there: a firewall, a load balancer, \
                    the port of a container",
        )
        .or_try(alive(asked)),
        (None, _) => not_msgr2(asked, seen),
        (_, Some("AUTH_REQUEST" | "AUTH_REQUEST_MORE")) if *service == EntityType::MON => Advice::new(format!(
            "the mon {} the connection instead of answering {}: it is not in a quorum, or can't serve now (EBUSY)",
            if how == "reset" { "reset" } else { "closed" },
            seen.last_sent.unwrap_or_default()
        ))
        .or_try("`ceph daemon mon.ID mon_status` on its host: the state must be leader or peon, and quorum not empty")
        .or_try("another mon of the cluster"),
        (_, Some("CLIENT_IDENT" | "SESSION_RECONNECT")) => Advice::new(format!(
            "the {service} {how} the connection behind CLIENT_IDENT, which names the address that was dialled \
                    ({addr}): it may not be its own",
        ))
        .or_try(same_address(asked)),
        (Some("BANNER"), _) | (Some("HELLO"), None | Some("BANNER" | "HELLO")) => Advice::new(format!(
            "the \
                    connection was {how} {}",
            step(seen)
        ))
        .or_try("a firewall or proxy that looks into connections, and doesn't know this one")
        .or_try(format!("a {service} that ends: see its log")),
        _ => Advice::new(format!("the connection was {how} {}", step(seen)))
            .or_try(format!("the log of the {service} says more, with debug_ms=10 and debug_auth=20")),
    }
}

fn same_address(asked: &Asked) -> String {
    match asked.service {
        EntityType::MON => "dial the address of `ceph mon dump`, exactly: not one that is translated (NAT, a \
                    forwarded port) or another of the host's"
            .to_owned(),
        service => format!(
            "take address and nonce (--nonce, behind the slash) of `ceph {service} dump`: both change when the \
                    daemon starts again; \
             a translated address (NAT, a forwarded port) can't do"
        ),
    }
}

fn too_slow(asked: &Asked, after: &str, seen: &Seen) -> Advice {
    let Asked { addr, service, .. } = asked;
    if seen.received == 0 {
        return Advice::new(format!(
            "{addr} takes the connection, and says nothing for {after}: a server of msgr2 sends its banner at once"
        ))
        .or_try(
            "something that waits for the client to speak, or a server that hangs: see what listens there, `ss \
                    -tlnp`",
        )
        .or_try("packets may get lost behind the first: an MTU that is too large for the way, a firewall");
    }
    if seen.last_received.is_none() {
        return not_msgr2(asked, seen);
    }
    let quorum = matches!(seen.last_sent, Some("AUTH_REQUEST" | "AUTH_REQUEST_MORE" | "CLIENT_IDENT"));
    let advice = Advice::new(format!("no answer from the {service} for {after} {}", step(seen)));
    if quorum && *service == EntityType::MON {
        return advice.or_try("a mon without a quorum may do so: `ceph daemon mon.ID mon_status` on its host");
    }
    advice
        .or_try("large packets may get lost: an MTU that is too large for the way")
        .or_try(format!("the {service} may hang: see its log"))
}

/// The clocks of this host and of a mon differ.
pub(crate) fn on_clocks(apart: Duration) -> Advice {
    Advice::new(format!("the clocks of this host and of the mon are {:.1} s apart", apart.as_secs_f64())).or_try(
        "set both by NTP (chronyd, systemd-timesyncd): tickets are valid for a time, and daemons whose clocks differ \
         refuse them",
    )
}

#[cfg(test)]
mod tests;
