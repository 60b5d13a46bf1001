//! What the tests are told of a cluster, and how to ask it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use std::{env, fs};

use bytes::Bytes;
use msgr2::auth::cephx::client::Credentials;
use msgr2::auth::{EntityName, Keyring};
use msgr2::messages::Body;
use msgr2::net::{Config, Session};
use msgr2::peer::{ClientAuth, Message, Target, entity_addr};
use msgr2::types::{AddrType, CephxServices, ConnectionMode, EntityAddr, EntityType, Errno, Msgr2Features};
use serde_json::Value;
use tokio::time::timeout;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An environment variable that `scripts/check-ceph` sets.
fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} isn't set: run `make check-ceph`"))
}

/// The mode that is tried.
pub(crate) fn mode() -> ConnectionMode {
    match told("MSGR2_CEPH_MODE").as_str() {
        "crc" => ConnectionMode::CRC,
        "secure" => ConnectionMode::SECURE,
        other => panic!("MSGR2_CEPH_MODE is {other}"),
    }
}

/// Whether there is authentication.
pub(crate) fn cephx() -> bool {
    told("MSGR2_CEPH_AUTH") == "cephx"
}

/// The folder of the system that Ceph runs in, if it isn't this one.
pub(crate) fn root() -> Option<PathBuf> {
    env::var("MSGR2_CEPH_ROOT").ok().filter(|root| !root.is_empty()).map(PathBuf::from)
}

/// A cluster that runs.
pub(crate) struct Cluster {
    dir: String,
    pub(crate) mon: SocketAddr,
    pub(crate) keyring: PathBuf,
}

impl Cluster {
    /// That of `scripts/check-ceph`.
    pub(crate) fn given() -> Self {
        let dir = told("MSGR2_CEPH_DIR");
        let paths = output(mini_ceph().args(["paths", &dir]));
        let path = |key: &str| {
            let line = paths.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
            line.unwrap_or_else(|| panic!("mini-ceph says no {key}")).to_owned()
        };
        // [v2:127.0.0.1:3300/0]
        let addr = path("mon_addr");
        let mon = addr.strip_prefix("[v2:").and_then(|rest| rest.split_once('/')).unwrap().0.parse().unwrap();
        Cluster { dir, mon, keyring: path("keyring").into() }
    }

    /// What a program of Ceph prints, run with the cluster's configuration.
    pub(crate) fn exec(&self, command: &[&str]) -> String {
        output(mini_ceph().args(["exec", &self.dir]).args(command))
    }

    /// The same, as JSON.
    pub(crate) fn json(&self, command: &[&str]) -> Value {
        serde_json::from_str(&self.exec(&[command, &["--format", "json"]].concat())).unwrap()
    }

    /// How its monitors refuse a wrong key.
    pub(crate) fn denied(&self) -> Errno {
        // ceph version 16.2.15 (618f…) pacific (stable)
        let version = self.exec(&["ceph", "--version"]);
        let major: u32 = version.split([' ', '.']).nth(2).and_then(|major| major.parse().ok()).unwrap();
        if major < 15 { Errno::EPERM } else { Errno::EACCES }
    }

    /// What an OSD has logged.
    pub(crate) fn log(&self, daemon: &str) -> String {
        let root = root().unwrap_or_else(|| "/".into());
        let path = root.join(self.dir.trim_start_matches('/')).join("log").join(format!("{daemon}.log"));
        String::from_utf8_lossy(&fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).into_owned()
    }

    /// Who somebody of the keyring is.
    pub(crate) fn credentials(&self, name: &str) -> Credentials {
        let keyring = Keyring::parse(fs::read(&self.keyring).unwrap()).unwrap();
        let name: EntityName = name.parse().unwrap();
        let key = keyring.get(&name).unwrap_or_else(|| panic!("no key of {name}")).key.clone();
        Credentials::new(name, key)
    }

    /// How somebody connects to the mon.
    pub(crate) fn at_mon(&self, name: &str) -> Target {
        let auth = if cephx() {
            let services = CephxServices::MON | CephxServices::OSD | CephxServices::MGR;
            ClientAuth::Authenticate { credentials: self.credentials(name), services }
        } else {
            ClientAuth::None { service: EntityType::MON }
        };
        Target::new(self.mon, vec![auth])
    }

    /// The addresses of an OSD, as the OSD map has them: `public_addrs` or `cluster_addrs`.
    pub(crate) fn osd(&self, which: &str) -> (SocketAddr, EntityAddr<'static>) {
        let dump = self.json(&["ceph", "osd", "dump"]);
        let addr = &dump["osds"][0][which]["addrvec"][0];
        assert_eq!(addr["type"], "v2", "{dump}");
        let socket = addr["addr"].as_str().unwrap().parse().unwrap();
        (socket, entity_addr(AddrType::MSGR2, socket, addr["nonce"].as_u64().unwrap() as u32))
    }
}

/// A configuration of somebody, in the mode and the revision that are tried.
pub(crate) fn config(name: &str) -> Config {
    let mut config = Config::new(name.parse().unwrap());
    config.peer.v2.dial_modes = vec![mode()];
    config.peer.v2.accept_modes = vec![mode()];
    if told("MSGR2_CEPH_REVISION") == "0" {
        config.peer.v2.features = Msgr2Features(0);
    }
    config
}

/// A message with this body.
pub(crate) fn message(body: &Body<'_>) -> Message {
    let [front, middle, data] = body.encode().unwrap().map(Bytes::from);
    let (version, compat_version) = body.versions();
    Message { version, compat_version, middle, data, ..Message::new(body.message_type(), front) }
}

/// The next message of a type.
pub(crate) async fn next(session: &Session, kind: msgr2::types::MessageType) -> Message {
    let wait = async {
        loop {
            let message = session.receive().await.unwrap().expect("the session goes on");
            if message.kind == kind {
                return message;
            }
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {kind} came"))
}

fn mini_ceph() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ceph/mini-ceph"))
}

/// What a command prints, which must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
