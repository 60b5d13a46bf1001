//! Options that `serve` and `connect` have in common, and what they both print.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use msgr2::auth::{EntityName, Keyring};
use msgr2::net::{Config, Fault, Recorder, Session};
use msgr2::peer::{Encryption, Event, Family, PeerInfo};
use msgr2::tracker::SECRETS_TYPE;
use msgr2::types::{AuthMethod, CompressionAlgorithm, ConnectionMode, EntityType, MessageType, Msgr2Features};
use serde_json::Value;
use zeroize::Zeroizing;

/// How a peer behaves on the wire.
#[derive(Args)]
pub(crate) struct PeerArgs {
    /// The dialect to speak.
    #[arg(long, value_name = "DIALECT", default_value = "v2.1")]
    pub(crate) dialect: Dialect,
    /// The connection modes of v2.0 and v2.1, in order of preference: a client asks for these, a server allows them.
    #[arg(long = "mode", value_name = "MODE", value_delimiter = ',')]
    modes: Vec<Mode>,
    /// A method of authentication; several in order of preference. Without it cephx if there are keys, else none; for
    /// a client what its configuration says.
    #[arg(long = "auth", value_name = "METHOD", value_delimiter = ',')]
    auth: Vec<Method>,
    /// A keyring in Ceph's format: the keys of whoever is to be known. A client without it takes the usual one.
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Encrypt what is sent, if the peer can; with `required` both directions are, and peers that can't are refused.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "wanted")]
    encrypt: Option<Encrypt>,
    /// Sessions end with their connections: nothing is sent twice. In v2.1 and v2.0 it is what Ceph does that says so,
    /// by the types of both sides.
    #[arg(long)]
    lossy: bool,
    /// Record all that goes over the sockets, in pcapng format.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Put the keys into the recording, so that who reads it can open what is encrypted. Whoever has the file has
    /// the keys.
    #[arg(long, requires = "capture")]
    capture_secrets: bool,
    /// Let something go wrong with the sockets; may be repeated. kill-after-bytes=N, kill-after-frames=N and
    /// kill-every-bytes=N reset connections, delay=MS waits before sending, split=N sends at most N bytes at a time,
    /// corrupt-byte=N changes the Nth byte that is sent.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
    /// Print what happens to connections and sessions, handshakes included, on standard error.
    #[arg(long)]
    pub(crate) events: bool,
}

/// A method of authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Everybody is who they say they are.
    None,
    /// Keys and tickets, as Ceph has them.
    Cephx,
}

impl Method {
    /// The method with this number, if it is one of these.
    pub(crate) fn of(number: AuthMethod) -> Option<Self> {
        [Method::None, Method::Cephx].into_iter().find(|method| method.number() == number)
    }

    pub(crate) fn number(self) -> AuthMethod {
        match self {
            Method::None => AuthMethod::NONE,
            Method::Cephx => AuthMethod::CEPHX,
        }
    }
}

/// When to encrypt.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encrypt {
    /// If the peer can.
    Wanted,
    /// Always.
    Required,
}

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// Revision 1 of messenger v2, as Ceph speaks it since 14.2.11.
    #[value(name = "v2.1")]
    V2_1,
    /// Revision 0, as Ceph before 14.2.11 speaks it.
    #[value(name = "v2.0")]
    V2_0,
    /// What was proposed in 2016.
    Proposal,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::V2_1 => "v2.1",
            Dialect::V2_0 => "v2.0",
            Dialect::Proposal => "proposal",
        })
    }
}

/// A connection mode of v2.0 and v2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Frames are encrypted.
    Secure,
    /// Frames have checksums.
    Crc,
}

impl Mode {
    fn number(self) -> ConnectionMode {
        match self {
            Mode::Secure => ConnectionMode::SECURE,
            Mode::Crc => ConnectionMode::CRC,
        }
    }
}

impl PeerArgs {
    /// The methods to use; unless told otherwise these.
    pub(crate) fn methods(&self, usual: &[Method]) -> Result<Vec<Method>> {
        let methods = if self.auth.is_empty() { usual.to_vec() } else { self.auth.clone() };
        if self.encrypt.is_some() && self.dialect == Dialect::Proposal {
            needs_keys(&methods, "to encrypt with")?;
        }
        Ok(methods)
    }

    /// Whether methods were asked for.
    pub(crate) fn has_methods(&self) -> bool {
        !self.auth.is_empty()
    }

    /// Whether modes were asked for.
    pub(crate) fn has_modes(&self) -> bool {
        !self.modes.is_empty()
    }

    /// What the keyring file says.
    pub(crate) fn keyring(&self) -> Result<Option<Keyring>> {
        self.keyring.as_deref().map(|path| parse(path, |text| Keyring::parse(text))).transpose()
    }

    /// The configuration of the endpoint, so far as both sides have it in common. `keys` are the files whose keys
    /// go into a recording.
    pub(crate) fn config(&self, name: EntityName, keys: &[&Path]) -> Result<(Config, Option<Recording>)> {
        let mut config = Config::new(name);
        match self.dialect {
            Dialect::Proposal if !self.modes.is_empty() => bail!("--mode is for v2.1 and v2.0; proposal has --encrypt"),
            Dialect::Proposal => config.peer.family = Family::Proposal,
            Dialect::V2_0 | Dialect::V2_1 if self.encrypt.is_some() => {
                bail!("--encrypt is for the proposal; v2.1 and v2.0 have --mode secure")
            }
            Dialect::V2_0 | Dialect::V2_1 if self.lossy => {
                bail!("--lossy is for the proposal; in v2.1 and v2.0 the types of both sides say so")
            }
            Dialect::V2_0 => config.peer.v2.features = Msgr2Features::default(),
            Dialect::V2_1 => {}
        }
        if !self.modes.is_empty() {
            let modes: Vec<_> = self.modes.iter().map(|mode| mode.number()).collect();
            config.peer.v2.dial_modes.clone_from(&modes);
            config.peer.v2.accept_modes = modes;
        }
        config.peer.lossy = self.lossy;
        config.peer.encryption = match self.encrypt {
            None => Encryption::Possible,
            Some(Encrypt::Wanted) => Encryption::Wanted,
            Some(Encrypt::Required) => Encryption::Required,
        };
        config.peer.report_handshake = self.events;
        config.faults = self.faults.clone();
        let recording = self.capture.as_deref().map(|path| self.recording(path, keys)).transpose()?;
        if let Some(recording) = &recording {
            config.capture = Some(recording.recorder.clone());
        }
        Ok((config, recording))
    }

    /// The keyring's path, for recordings.
    pub(crate) fn keyring_path(&self) -> Option<&Path> {
        self.keyring.as_deref()
    }

    fn recording(&self, path: &Path, keys: &[&Path]) -> Result<Recording> {
        let file = File::create(path).with_context(|| format!("{}", path.display()))?;
        let mut recorder = Recorder::new(BufWriter::new(file)).with_context(|| format!("{}", path.display()))?;
        if self.capture_secrets {
            if keys.is_empty() {
                bail!("--capture-secrets has no keys to put into the recording: add --keyring or --service-keys");
            }
            for keys in keys {
                let text = Zeroizing::new(fs::read(keys).with_context(|| format!("{}", keys.display()))?);
                recorder.secrets(SECRETS_TYPE, &text).with_context(|| format!("{}", path.display()))?;
            }
        }
        Ok(Recording { path: path.to_owned(), recorder: Arc::new(Mutex::new(recorder)) })
    }
}

/// Modes in which a client and a server of v2.0 or v2.1 can't do without keys, if there are none.
pub(crate) fn check_modes(methods: &[Method], modes: &[ConnectionMode]) -> Result<()> {
    if modes.contains(&ConnectionMode::CRC) {
        Ok(())
    } else {
        needs_keys(methods, "for mode secure; it can only be crc")
    }
}

/// Whether one of the methods brings keys.
fn needs_keys(methods: &[Method], what: &str) -> Result<()> {
    if methods.iter().all(|method| *method == Method::None) {
        bail!("with method none there are no keys {what}: try --auth cephx with a --keyring");
    }
    Ok(())
}

/// A recording that is being written.
pub(crate) struct Recording {
    path: PathBuf,
    recorder: Arc<Mutex<Recorder<BufWriter<File>>>>,
}

impl Recording {
    /// Writes the rest, and says whether all went well.
    pub(crate) fn finish(self) -> Result<()> {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.finish().with_context(|| format!("{}: the recording isn't complete", self.path.display()))
    }
}

/// Reads a file of keys.
pub(crate) fn parse<T, E>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, E>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = fs::read(path)
        .with_context(|| format!("{}: no keys to be had; `msgr2 keyring new NAME` makes some", path.display()))?;
    parse(&Zeroizing::new(text)).with_context(|| format!("{}", path.display()))
}

/// The time, since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The address that a name stands for.
pub(crate) async fn resolve(addr: &str) -> Result<SocketAddr> {
    let found = tokio::net::lookup_host(addr).await;
    let mut found = found.with_context(|| format!("{addr:?} is no address; HOST:PORT is"))?;
    found.next().ok_or_else(|| anyhow!("{addr:?} has no address"))
}

/// A type of message by its name or number.
pub(crate) fn message_type(text: &str) -> Result<MessageType, String> {
    from_text(text).ok_or_else(|| format!("{text:?} is no type of message; PING is one, any number below 65536 too"))
}

/// A type of entity by its name.
pub(crate) fn entity_type(text: &str) -> Result<EntityType, String> {
    from_text(text).ok_or_else(|| format!("{text:?} is no type of entity; mon, osd, mds, mgr and client are"))
}

fn from_text<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let value = match text.parse::<u64>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(text),
    };
    serde_json::from_value(value).ok()
}

/// Who the peer is, in a few words.
pub(crate) fn describe(peer: &PeerInfo) -> String {
    let entity = match peer.entity.id.as_str() {
        "" => peer.entity.kind.to_string(),
        _ => peer.entity.to_string(),
    };
    let lossy = if peer.lossy { "lossy" } else { "stateful" };
    if peer.mode != ConnectionMode::UNKNOWN {
        return format!("{entity} ({}), {}, {lossy}", peer.global_id, agreed(peer));
    }
    let sealed = match (peer.sealed_out, peer.sealed_in) {
        (true, true) => "encrypted",
        (true, false) => "encrypted from here",
        (false, true) => "encrypted from there",
        (false, false) if peer.signed => "signed",
        (false, false) => "neither signed nor encrypted",
    };
    format!("{entity} ({}), method {}, {sealed}, {lossy}", peer.gid, peer.method)
}

/// What two peers of v2.0 or v2.1 have agreed on.
pub(crate) fn agreed(peer: &PeerInfo) -> String {
    let compression = match peer.compression {
        CompressionAlgorithm::NONE => "no compression".to_owned(),
        algorithm => format!("compression {algorithm}"),
    };
    format!("{}, method {}, mode {}, {compression}", peer.dialect.name(), peer.method, peer.mode)
}

/// Waits until the peer turns out to have forgotten the session, and gives the number of messages that may be lost.
pub(crate) async fn forgotten(session: &Session) -> usize {
    while let Some(event) = session.event().await {
        if let Event::Reset { lost, .. } = &*event {
            return *lost;
        }
    }
    // whoever waits for more than that learns of the end
    std::future::pending().await
}

/// The same, if it is already known.
pub(crate) fn has_forgotten(session: &Session) -> Option<usize> {
    std::iter::from_fn(|| session.try_event()).find_map(|event| match &*event {
        Event::Reset { lost, .. } => Some(*lost),
        _ => None,
    })
}

/// Prints an event on standard error.
pub(crate) fn print(event: &Event) {
    let line = match event {
        Event::Handshake { connection, sent, frame, text } => {
            let arrow = if *sent { ">" } else { "<" };
            format!("{connection} {arrow} {frame} {text}").trim_end().to_owned()
        }
        Event::Established { session, connection, peer, resumed } => {
            let how = if *resumed { "resumed" } else { "begun" };
            format!("{session} {how} on {connection} with {}", describe(peer))
        }
        Event::Reset { session, lost } => format!("{session} reset by the server, {lost} message(s) may be lost"),
        Event::Disconnected { session, why } => format!("{session} has no connection: {why}"),
        Event::Closed { session, why, unacked } => format!("{session} is over: {why}; {unacked} message(s) unacked"),
        Event::Failed { connection, error } => format!("{connection} failed: {error}"),
        Event::Dropped { connection, what } => format!("{connection}: {what}"),
        _ => return,
    };
    // whoever closed standard error doesn't want to know
    let _ = writeln!(io::stderr(), "{line}");
}
