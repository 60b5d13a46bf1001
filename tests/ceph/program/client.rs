//! `msgr2 connect` at a real monitor and a real OSD.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::{dialect, msgr2, shows};
use crate::cluster::{Cluster, cephx, mode, output};

/// Runs the program; whether it succeeds, what it shows, and what it says of a failure.
fn connect(arguments: &[&str]) -> (bool, String, String) {
    let Output { status, stdout, stderr } =
        msgr2().args(["connect", "--no-conf", "--dialect", dialect()]).args(arguments).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// How to authenticate.
fn auth(cluster: &Cluster) -> Vec<&str> {
    if cephx() { vec!["--keyring", cluster.keyring.to_str().unwrap()] } else { vec!["--auth", "none"] }
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn finds_the_mon() {
    let cluster = Cluster::given();
    let (mon, mode) = (cluster.mon.to_string(), mode().to_string());
    let (ok, out, said) = connect(&[&["--mon", &mon, "--mode", &mode], &auth(&cluster)[..]].concat());
    assert!(ok, "{said}");
    let monmap = cluster.json(&["ceph", "mon", "dump"]);
    let osdmap = cluster.json(&["ceph", "osd", "dump"]);
    let fsid = monmap["fsid"].as_str().unwrap();
    shows(
        &out,
        "what is shown",
        &[
            "< SERVER_IDENT",
            &format!("mode {mode}"),
            &format!("monmap      epoch {}, of cluster {fsid}, 1 mon(s)", monmap["epoch"]),
            &format!("mon.a [v2:{mon}/0]"),
            &format!("osdmap      epoch {}, of cluster {fsid}", osdmap["epoch"]),
            "option(s) for client.admin",
            "keepalive   answered",
            "client.admin can reach this mon",
        ],
    );
    if cephx() {
        shows(
            &out,
            "what is shown",
            &["tickets     mon for 60 min, osd for 60 min", "clock       in step with the mon's"],
        );
    }
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn finds_the_mon_by_the_configuration() {
    let cluster = Cluster::given();
    let (mon, mode, keyring) = (cluster.mon, mode(), cluster.keyring.display());
    let method = if cephx() { "cephx" } else { "none" };
    let text = format!(
        "[global]\nmon host = [v2:{mon}/0]\nauth client required = {method}\n[client]\nms_mon_client_mode = {mode}\n\
         keyring = /nonexistent/$cluster.$name,{keyring}\n"
    );
    let conf = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.conf", std::process::id()));
    fs::write(&conf, text).unwrap();
    let ended = msgr2().args(["connect", "--dialect", dialect(), "--mon"]).env("CEPH_CONF", &conf).output().unwrap();
    fs::remove_file(&conf).unwrap();
    let [out, said] = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(ended.status.success(), "{said}");
    shows(&said, "what is said", &[&conf.display().to_string(), &keyring.to_string()]);
    shows(&out, "what is shown", &[&format!("method {method}, mode {mode}"), "client.admin can reach this mon"]);
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn a_mon_says_how_it_is() {
    let cluster = Cluster::given();
    let (mon, mode) = (cluster.mon.to_string(), mode().to_string());
    let mut command = msgr2();
    command.args(["connect", "--no-conf", "--dialect", dialect(), "--mode", &mode, &mon]).args(auth(&cluster));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let status: Value = serde_json::from_slice(&out).unwrap();
    let status = &status["mon_status"];
    assert_eq!((&status["name"], &status["state"]), (&"a".into(), &"leader".into()), "{status}");
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn finds_an_osd() {
    let cluster = Cluster::given();
    let (addr, nonce) = cluster.osd("public_addrs");
    let (addr, nonce, mon, mode) =
        (addr.to_string(), nonce.nonce.to_string(), cluster.mon.to_string(), mode().to_string());
    let at = |nonce: &str| {
        let arguments =
            [&addr, "--check", "--service", "osd", "--nonce", nonce, "--mode", &mode, "--ticket-from", &mon];
        connect(&[&arguments[..], &auth(&cluster)[..]].concat())
    };
    let (ok, out, said) = at(&nonce);
    assert!(ok, "{said}");
    shows(&out, "what is shown", &["daemon      osd.0", "keepalive   answered", "client.admin can reach this osd"]);
    // the nonce of another life
    let (ok, _, said) = at("1");
    assert!(!ok);
    shows(&said, "what is said", &["behind CLIENT_IDENT", "ceph osd dump"]);
}

#[test]
#[ignore = "needs Ceph: make check-ceph"]
fn says_what_is_wrong() {
    let cluster = Cluster::given();
    let mon = cluster.mon.to_string();
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("wrong-{}.keyring", std::process::id()));
    fs::write(&scratch, output(msgr2().args(["keyring", "new", "client.admin"]))).unwrap();
    let wrong = ["--keyring", scratch.to_str().unwrap()];
    let says = |arguments: &[&str], words: &[&str]| {
        let (ok, out, said) = connect(&[&["--mon", &mon], arguments].concat());
        assert!(!ok, "{out}");
        shows(&said, "what is said", words);
    };
    if cephx() {
        says(&wrong, &["doesn't accept the key of client.admin (E", "ceph auth get client.admin"]);
        says(&["--auth", "none"], &["doesn't take the method none, only cephx", "auth_client_required"]);
        let (other, allowed) = if mode().to_string() == "crc" { ("secure", "crc") } else { ("crc", "secure") };
        let auth = [&auth(&cluster)[..], &["--mode", other]].concat();
        says(&auth, &[&format!("only {allowed}"), "ms_mon_service_mode"]);
    } else {
        says(&wrong, &["doesn't take the method cephx, only none", "--auth none"]);
    }
    fs::remove_file(&scratch).unwrap();
}
