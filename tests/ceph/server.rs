//! Our server as the monitor of real clients: the programs `ceph` and `rados`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use msgr2::auth::cephx::server::Authority;
use msgr2::auth::keyring::Entity;
use msgr2::auth::{EntityName, Key, Keyring, ServiceKeys, utime};
use msgr2::mon::{Answered, MonMap, Monitor, ServerConfig, Setting};
use msgr2::net::{MonEvent, MonServer, OsRandom};
use msgr2::types::{AuthMethod, CryptoType, EntityType};
use msgr2::wire::Uuid;
use tokio::time::timeout;

use crate::cluster::{cephx, config, mode, root};

/// A folder that Ceph's programs see, removed in the end.
struct Folder {
    /// Where it is for us.
    here: PathBuf,
    /// Where it is for them.
    there: PathBuf,
}

impl Folder {
    fn new(name: &str) -> Self {
        let there = PathBuf::from(format!("/tmp/msgr2-{name}-{}", std::process::id()));
        let root = root().unwrap_or_else(|| "/".into());
        let here = root.join(there.strip_prefix("/").unwrap());
        fs::create_dir_all(&here).unwrap();
        Folder { here, there }
    }

    /// Writes a file, and says where it is for Ceph.
    fn file(&self, name: &str, content: &str) -> String {
        fs::write(self.here.join(name), content).unwrap();
        self.there.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.here);
    }
}

fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

fn new_key() -> Key {
    Key::generate(CryptoType::AES, utime(now()), &mut OsRandom).unwrap()
}

fn keyring(key: &Key) -> Keyring {
    let mut keyring = Keyring::new();
    keyring.insert("client.admin".parse().unwrap(), Entity::new(key.clone()));
    keyring
}

/// The cluster's id: any will do.
const FSID: Uuid = Uuid(*b"msgr2's own mon.");
/// A setting that the client is told.
const SETTING: (&str, &str) = ("rados_osd_op_timeout", "77");

/// A monitor that knows `client.admin` by this key.
async fn monitor(key: &Key) -> MonServer {
    let mut config = config("mon.a");
    let mut services = ServiceKeys::new();
    for service in [EntityType::MON, EntityType::OSD, EntityType::MGR, EntityType::MDS, EntityType::AUTH] {
        for _ in 0..3 {
            services.rotate(service, CryptoType::AES, utime(now()), &mut OsRandom).unwrap();
        }
    }
    config.peer.server.methods = vec![if cephx() { AuthMethod::CEPHX } else { AuthMethod::NONE }];
    config.peer.server.authority = Some(Arc::new(Authority::new(keyring(key), services, 4100, &mut OsRandom).unwrap()));
    let server = MonServer::bind(config, "127.0.0.1:0", |addr| {
        let map = MonMap { fsid: FSID, epoch: 1, mons: vec![Monitor::new("a", addr)], ..MonMap::default() };
        let (name, value) = (SETTING.0.into(), SETTING.1.into());
        let settings = vec![Setting { section: "global".into(), name, value }];
        ServerConfig { settings, ..ServerConfig::new(map, None) }
    });
    server.await.unwrap()
}

/// Runs a program of Ceph as `client.admin` of our monitor.
async fn run(folder: &Folder, server: &MonServer, key: &Key, program: &[&str]) -> Output {
    let mode = if mode() == msgr2::types::ConnectionMode::CRC { "crc" } else { "secure" };
    let auth = if cephx() { "cephx" } else { "none" };
    let keys = folder.file("keyring", &keyring(key).to_text());
    let conf = format!(
        "[global]\nfsid = {FSID}\nmon_host = [v2:{}/0]\nkeyring = {keys}\n\
         auth_client_required = {auth}\nauth_service_required = {auth}\nauth_cluster_required = {auth}\n\
         ms_mon_client_mode = {mode}\nms_client_mode = {mode}\n\
         log_to_stderr = true\nerr_to_stderr = true\ndebug_ms = 10\ndebug_monc = 10\ndebug_auth = 10\n",
        server.local_addr()
    );
    let conf = folder.file("ceph.conf", &conf);
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "60"]).env("LC_ALL", "C.UTF-8");
    if let Some(root) = root() {
        command.arg("chroot").arg(root);
    }
    command.args(program).args(["--conf", &conf]);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

/// What the monitor says to have happened so far.
async fn events(server: &mut MonServer) -> Vec<MonEvent> {
    let mut events = Vec::new();
    while let Ok(Some(event)) = timeout(Duration::from_millis(300), server.next()).await {
        events.push(event);
    }
    events
}

async fn is_served(program: &[&str]) {
    let key = new_key();
    let mut server = monitor(&key).await;
    let folder = Folder::new(program[0]);
    let output = run(&folder, &server, &key, program).await;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let events = events(&mut server).await;

    // our side of it
    let began = events.iter().find_map(|event| match event {
        MonEvent::Began { peer, .. } => Some(peer),
        _ => None,
    });
    let peer = began.unwrap_or_else(|| panic!("nobody came\n{log}"));
    assert_eq!((&peer.entity, peer.mode), (&"client.admin".parse::<EntityName>().unwrap(), mode()));
    let answered = |wanted: &dyn Fn(&Answered) -> bool| {
        let found = events.iter().any(|event| matches!(event, MonEvent::Answered { answered, .. } if wanted(answered)));
        assert!(found, "{events:#?}\n{log}");
    };
    answered(&|answered| {
        matches!(answered, Answered::Subscribed { served, .. }
            if ["config", "monmap"].iter().all(|what| served.iter().any(|served| served == what)))
    });
    let unreadable = |event: &&MonEvent| {
        matches!(event, MonEvent::Answered { answered: Answered::Unreadable(..) | Answered::AuthRefused(_), .. })
    };
    assert_eq!(events.iter().find(unreadable).map(|event| format!("{event:?}")), None);

    // the client's side
    for line in ["mon_subscribe({config=0+,monmap=0+})", "==== mon_map ", "==== config(", "s=READY"] {
        assert!(log.contains(line), "the client's log has no `{line}`\n{log}");
    }
    assert!(log.contains(&FSID.to_string()), "{log}");
    assert!(log.contains(SETTING.0) && log.contains(SETTING.1), "{log}");
    assert!(!log.contains("failed to decode"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ceph: make check-ceph"]
async fn ceph() {
    is_served(&["ceph", "--connect-timeout", "10", "-s"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ceph: make check-ceph"]
async fn rados() {
    // it waits for a map of OSDs, which there isn't
    is_served(&["timeout", "5", "rados", "lspools"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ceph: make check-ceph"]
async fn a_wrong_key() {
    if !cephx() {
        return; // nobody looks at keys
    }
    let mut server = monitor(&new_key()).await;
    let folder = Folder::new("wrong-key");
    let output = run(&folder, &server, &new_key(), &["ceph", "--connect-timeout", "5", "-s"]).await;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    // as from a monitor of Ceph itself
    assert_eq!(output.status.code(), Some(13), "{log}");
    // 14.2 says less
    let said = ["handle_auth_bad_method method=2 result (13) Permission denied", "[errno 13] error connecting"];
    assert!(said.iter().any(|said| log.contains(said)), "{log}");
    let began = events(&mut server).await.iter().any(|event| matches!(event, MonEvent::Began { .. }));
    assert!(!began, "nobody was let in");
}
