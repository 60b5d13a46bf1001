//! What `msgr2 connect` reads without being told: `ceph.conf` and the usual keyring.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::common::{Scratch, msgr2};
use crate::programs::{Ended, Keys, Server};

/// A user's home, and what is in it.
struct Home {
    scratch: Scratch,
    keys: Keys,
}

impl Home {
    fn new() -> Self {
        Home { scratch: Scratch::new(), keys: Keys::make("aes") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.file(name)
    }

    /// Writes a configuration; where it is.
    fn conf(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `msgr2 connect` of this user.
    fn connect(&self) -> Command {
        let mut command = msgr2();
        command.arg("connect").env("HOME", self.path("")).env_remove("CEPH_CONF").env_remove("CEPH_KEYRING");
        command.current_dir(self.path(""));
        command
    }

    /// A mon that takes these keys alone.
    fn mon(&self) -> Server {
        Server::start(&["--keyring", &self.keys.keyring(), "--service-keys", &self.keys.services()])
    }
}

fn end(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.stdin(std::process::Stdio::null()).output().unwrap();
    let [out, said] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    Ended { success: status.success(), out, said }
}

/// It can reach the mon, and says which files it took.
fn reaches(command: &mut Command, taken: &[&str]) -> String {
    let ended = end(command);
    assert!(ended.success && ended.out.contains("client.admin can reach this mon"), "{}\n{}", ended.out, ended.said);
    let line = ended.said.lines().next().unwrap_or_default();
    assert!(line.starts_with("msgr2: ") && taken.iter().all(|path| line.contains(path)), "{taken:?}: {}", ended.said);
    ended.out
}

#[test]
fn where_monitors_and_keys_are() {
    let home = Home::new();
    let (mon, keyring) = (home.mon(), home.keys.keyring());
    fs::copy(&keyring, home.path("c1.client.admin.keyring")).unwrap();
    let with = |list: &str| format!("[global]\nmon host = [v2:{}/0]\nkeyring = {list}\n", mon.addr);
    let expanded =
        format!("{0}/none.$name,{0}/$cluster.$type.${{id}}.keyring", home.path("none").parent().unwrap().display());
    let c1 = home.conf("c1.conf", &with(&expanded));
    let (c1_key, other) = (home.path("c1.client.admin.keyring"), home.conf("other", &with("/nonexistent")));
    let c1_key = c1_key.to_str().unwrap();

    // named
    reaches(home.connect().args(["--mon", "--conf", &c1]), &[&c1, c1_key]);
    reaches(home.connect().args(["-c", &c1, "--mon"]), &[&c1, c1_key]);
    // by the environment, as a list, and its keyring before that of the configuration
    reaches(home.connect().arg("--mon").env("CEPH_CONF", format!("/nonexistent,{c1}")), &[&c1, c1_key]);
    let list = format!("/nonexistent {keyring}");
    reaches(home.connect().args(["--mon", "-c", &other]).env("CEPH_KEYRING", list), &[&other, &keyring]);
    // options win
    reaches(home.connect().args(["--mon", "-c", &other, "--keyring", &keyring]), &[&other]);
    let nowhere = home.conf("nowhere", "[global]\nmon_host = 127.0.0.1:1\n");
    reaches(home.connect().args(["--mon", &mon.addr, "-c", &nowhere, "--keyring", &keyring]), &[&nowhere]);

    // the user's own, unless the system has one
    if PathBuf::from("/etc/ceph/ceph.conf").exists() {
        eprintln!("skipped: there is a /etc/ceph/ceph.conf");
        return;
    }
    let own = home.conf(".ceph/ceph.conf", &with(c1_key));
    reaches(home.connect().arg("--mon"), &[&own, c1_key]);
    // lines are sent with them too
    let ended = end(home.connect().args([&mon.addr, "--one-way"]));
    assert!(ended.success && ended.said.contains(&own), "{}", ended.said);
    // unless it isn't wanted
    let ended = end(home.connect().args(["--mon", "--no-conf"]));
    assert!(!ended.success && ended.said.contains("there is no ceph.conf"), "{}", ended.said);
    let ended = end(home.connect().args(["--mon", &mon.addr, "--no-conf"]));
    assert!(!ended.success && ended.said.contains("doesn't take the method none"), "{}", ended.said);
}

#[test]
fn modes_and_methods() {
    let home = Home::new();
    let (mon, keyring) = (home.mon(), home.keys.keyring());
    let conf = |name: &str, more: &str| {
        home.conf(name, &format!("[global]\nmon_host = {}\nkeyring = {keyring}\n{more}", mon.addr))
    };
    let agreed = |out: &str, mode: &str| assert!(out.contains(&format!("method cephx, mode {mode}")), "{mode}: {out}");
    let crc = conf("crc", "ms_mon_client_mode = crc\nms_client_mode = secure\n");
    agreed(&reaches(home.connect().args(["--mon", "-c", &crc]), &[&crc]), "crc");
    agreed(&reaches(home.connect().args(["--mon", "-c", &crc, "--mode", "secure"]), &[&crc]), "secure");
    // an osd gets other modes than the mon that has given the ticket
    let osd = home.keys.echo("osd.0", &[]);
    let ticket = ["--ticket-from", &mon.addr, "--events", "--one-way", "-c", &crc];
    let ended = end(home.connect().arg(&osd.addr).args(ticket));
    let modes =
        |what: &str| ended.said.lines().filter(|line| line.contains("AUTH_REQUEST ") && line.contains(what)).count();
    assert!(ended.success && modes("[crc]") == 1 && modes("[secure]") == 1, "{}", ended.said);

    // as Ceph has it, cephx first and none after it; only cephx if the configuration says so
    let open = Server::start(&["--auth", "none"]);
    let usual = conf("usual", "");
    let said = reaches(home.connect().args(["--mon", &open.addr, "-c", &usual]), &[&usual, &keyring]);
    assert!(said.contains("method none"), "{said}");
    let strict = conf("strict", "auth_client_required = cephx\n");
    let ended = end(home.connect().args(["--mon", &open.addr, "-c", &strict]));
    assert!(!ended.success && ended.said.contains("doesn't take the method cephx"), "{}", ended.said);
    reaches(home.connect().args(["--mon", &open.addr, "-c", &strict, "--auth", "none"]), &[&strict]);
}

#[test]
fn what_can_not_be_had() {
    let home = Home::new();
    let fails = |command: &mut Command, words: &[&str]| {
        let ended = end(command);
        assert!(!ended.success, "{}", ended.out);
        assert!(words.iter().all(|word| ended.said.contains(word)), "{words:?}: {}", ended.said);
    };
    let mon = |path: &str| {
        let mut command = home.connect();
        command.args(["--mon", "-c", path]);
        command
    };
    fails(&mut mon("/nonexistent/ceph.conf"), &["--conf /nonexistent/ceph.conf", "No such file"]);
    fails(home.connect().arg("--mon").env("CEPH_CONF", "/nonexistent"), &["$CEPH_CONF", "/nonexistent"]);
    fails(&mut mon("/dev/zero"), &["--conf /dev/zero", "too long"]);
    let text = |name: &str, text: &str| home.conf(name, text);
    fails(&mut mon(&text("a", "[global]\nfsid = 1\n")), &["has no mon_host", "--mon HOSTS", "DNS"]);
    fails(&mut mon(&text("b", "[global]\nwhat\n")), &["/b: line 2"]);
    fails(&mut mon(&text("c", "[global]\nmon_host = :\n")), &["/c", "mon_host"]);
    let psp = "[global]\nmon_host = 127.0.0.1:1\nms_mon_client_mode = psp\n";
    fails(&mut mon(&text("d", psp)), &["/d", "no connection mode"]);
    let gss = "[global]\nmon_host = 127.0.0.1:1\nauth_client_required = gss\n";
    fails(&mut mon(&text("e", gss)), &["/e", "no method of authentication"]);
    let secure = "[global]\nmon_host = 127.0.0.1:1\nms_mon_client_mode = secure\nauth_client_required = none\n";
    fails(&mut mon(&text("f", secure)), &["no keys for mode secure"]);
    let key = "[global]\nmon_host = 127.0.0.1:1\nauth_client_required = cephx\nkeyring = /nonexistent\n";
    fails(&mut mon(&text("g", key)), &["cephx needs a key", "--keyring FILE"]);
    // somebody else's key
    let others = home.keys.keyring();
    let other = format!("[global]\nmon_host = 127.0.0.1:1\nauth_client_required = cephx\nkeyring = {others}\n");
    fails(mon(&text("h", &other)).args(["--name", "client.nobody"]), &["no key of client.nobody, but of client.admin"]);
}
