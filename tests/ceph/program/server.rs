//! `msgr2 serve` as the monitor of `ceph` and `rados`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{dialect, msgr2, shows};
use crate::cluster::{cephx, mode, output, root};

/// How long a client may take, in seconds.
const LONGEST: &str = "30";

/// A folder that clients see, also if their system is in a folder itself.
struct Scratch {
    /// As clients see it.
    inside: PathBuf,
    /// As it is here.
    outside: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Self {
        let inside = PathBuf::from(format!("/tmp/msgr2-{name}-{}", std::process::id()));
        let outside = root().unwrap_or_else(|| "/".into()).join(inside.strip_prefix("/").unwrap());
        fs::create_dir_all(&outside).unwrap();
        Scratch { inside, outside }
    }

    fn inside(&self, file: &str) -> String {
        self.inside.join(file).to_str().unwrap().to_owned()
    }

    /// A new keyring; its path as it is here.
    fn keyring(&self, file: &str) -> String {
        let path = self.outside.join(file);
        fs::write(&path, output(msgr2().args(["keyring", "new", "client.admin"]))).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outside);
    }
}

/// `msgr2 serve` as a mon.
struct Mon {
    child: Child,
    addr: String,
}

impl Mon {
    fn start(keyring: &str) -> Self {
        let mode = mode().to_string();
        let mut command = msgr2();
        command.args(["serve", "--dialect", dialect(), "--name", "mon.a", "--listen", "127.0.0.1:0", "--events"]);
        command.args(["--mode", &mode, "--setting", "client/debug_objecter=3"]);
        if cephx() {
            command.args(["--keyring", keyring]);
        } else {
            command.args(["--auth", "none"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).trim().to_owned();
        Mon { child, addr }
    }

    /// Ends it; what it has logged.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Mon {
    fn drop(&mut self) {
        // it has ended already, or a test has failed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a client of Ceph ended, what it said, and what it has logged.
struct Client {
    code: Option<i32>,
    said: String,
    log: String,
}

/// Runs a client of Ceph at a mon.
fn client(scratch: &Scratch, mon: &Mon, keyring: &str, command: &[&str]) -> Client {
    let (mode, method) = (mode().to_string(), if cephx() { "cephx" } else { "none" });
    let mut inside = match root() {
        Some(root) => {
            let mut chroot = Command::new("chroot");
            chroot.arg(root).arg("timeout");
            chroot
        }
        None => Command::new("timeout"),
    };
    let log = "client.log";
    // what was logged before is another client's
    let _ = fs::remove_file(scratch.outside.join(log));
    inside.env("LC_ALL", "C.UTF-8").arg(LONGEST).args(command).args([
        "--conf=/dev/null",
        "--name=client.admin",
        &format!("--mon-host=[v2:{}/0]", mon.addr),
        &format!("--keyring={}", scratch.inside(keyring)),
        &format!("--log-file={}", scratch.inside(log)),
        &format!("--ms-mon-client-mode={mode}"),
        &format!("--auth-client-required={method}"),
        "--client-mount-timeout=3",
        "--rados-mon-op-timeout=3",
        "--debug-ms=10",
        "--debug-monc=10",
    ]);
    let ended = inside.stdin(Stdio::null()).output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let log = fs::read(scratch.outside.join(log)).unwrap_or_default();
    Client { code: ended.status.code(), said, log: String::from_utf8_lossy(&log).into_owned() }
}

/// Both sides have logged the handshake, the map, the settings and the subscription.
fn begins_a_session(name: &str, command: &[&str]) -> Client {
    let scratch = Scratch::new(name);
    let mon = Mon::start(&scratch.keyring("keyring"));
    let client = client(&scratch, &mon, "keyring", command);
    let ours = mon.stop();
    let mode = mode().to_string();
    let method = if cephx() { "cephx" } else { "none" };
    let done = ours.lines().find_map(|line| line.split_once("> AUTH_DONE global_id "));
    let global_id = done.and_then(|(_, rest)| rest.split_once(',')).unwrap_or_else(|| panic!("{ours}")).0;
    shows(
        &ours,
        "our log",
        &[
            "< CLIENT_IDENT",
            "> SERVER_IDENT",
            &format!("with client.admin ({global_id}), {}, method {method}, mode {mode}", dialect()),
            "asked for the monmap, which was sent",
            "subscribed to config, monmap",
        ],
    );
    shows(
        &client.log,
        "the client's log",
        &[
            "mon_subscribe({config=0+,monmap=0+})",
            &format!("({mode} "),
            "handle_monmap mon_map",
            "got monmap 1 from mon.",
            "handle_config config(1 keys)",
            &format!("authenticate success, global_id {global_id}"),
        ],
    );
    for wrong in ["bad crc", "bad authorizer", "decode", "fault"] {
        let line = client.log.lines().find(|line| line.contains(wrong) && !line.contains("mark_down"));
        assert!(line.is_none(), "{line:?}");
    }
    client
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn ceph_begins_a_session() {
    let client = begins_a_session("ceph", &["ceph", "-s", "--connect-timeout=5"]);
    // it gets as far as its command
    shows(&client.log, "the client's log", &["get_command_descriptions", "this monitor takes no commands"]);
    assert_ne!(client.code, Some(0), "{}", client.said);
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn ceph_is_answered_at_once() {
    let scratch = Scratch::new("at-once");
    let mon = Mon::start(&scratch.keyring("keyring"));
    let ask = |command: &[&str]| {
        let begun = Instant::now();
        let client = client(&scratch, &mon, "keyring", &[command, &["--connect-timeout=10"]].concat());
        assert!(begun.elapsed() < Duration::from_secs(8), "{command:?} takes {:?}", begun.elapsed());
        client
    };
    let ping = ask(&["ceph", "ping", "mon.a"]);
    assert_eq!(ping.code, Some(0), "{}", ping.said);
    shows(&ping.said, "what it says", &["{\"mon_status\":{\"monmap\":{\"epoch\":1,"]);
    let tell = ask(&["ceph", "tell", "mon.a", "version"]);
    assert_ne!(tell.code, Some(0), "{}", tell.said);
    let ours = mon.stop();
    shows(&ours, "our log", &["asked for a sign of life, which was given", "gave a command, refused"]);
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn rados_begins_a_session() {
    let client = begins_a_session("rados", &["rados", "lspools"]);
    shows(&client.log, "the client's log", &["mon_subscribe({osdmap=0"]);
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn a_wrong_key_is_refused_as_by_ceph() {
    if !cephx() {
        return; // nobody looks at keys
    }
    let scratch = Scratch::new("wrong-key");
    let mon = Mon::start(&scratch.keyring("keyring"));
    scratch.keyring("wrong");
    let ceph = client(&scratch, &mon, "wrong", &["ceph", "-s", "--connect-timeout=5"]);
    assert_eq!(ceph.code, Some(13), "EACCES: {}", ceph.said);
    shows(&ceph.said, "what it says", &["[errno 13]"]);
    let rados = client(&scratch, &mon, "wrong", &["rados", "lspools"]);
    assert_eq!(rados.code, Some(1), "{}", rados.said);
    shows(&rados.said, "what it says", &["failed to fetch mon config"]);
    let ours = mon.stop();
    shows(&ours, "our log", &["> AUTH_BAD_METHOD cephx: EACCES"]);
    assert!(!ours.contains("AUTH_DONE"), "{ours}");
}
