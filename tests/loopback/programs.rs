//! Servers and clients, run as processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Scratch, msgr2, run};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until it is told to end.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: String,
}

/// The dialect of the proposal is spoken.
const PROPOSAL: [&str; 2] = ["--dialect", "proposal"];

impl Server {
    /// One that speaks the proposal.
    pub(crate) fn proposal(arguments: &[&str]) -> Self {
        Self::start(&[&PROPOSAL, arguments].concat())
    }

    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    pub(crate) fn start_at(listen: &str, arguments: &[&str]) -> Self {
        let mut child = msgr2()
            .args(["serve", "--listen", listen])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(addr) = line.strip_prefix("listening on ") else {
            let output = child.wait_with_output().unwrap();
            panic!("serve {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        Server { addr: addr.trim().to_owned(), child }
    }

    /// Ends it as a user would; what it said.
    pub(crate) fn stop(self) -> Ended {
        self.stop_by("TERM")
    }

    /// The same by another signal.
    pub(crate) fn stop_by(self, signal: &str) -> Ended {
        kill(&self.child, signal);
        self.end()
    }

    /// Waits for its end; what it said.
    pub(crate) fn end(mut self) -> Ended {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = wait(&mut self.child);
        Ended { success: status, out: String::new(), said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it has ended already, or a test has failed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A client that is told one line after the other.
pub(crate) struct Client {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(addr: &str, arguments: &[&str]) -> Self {
        let mut child = msgr2()
            .args(["connect", "--no-conf", addr])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Client { child, output }
    }

    /// Gives it lines.
    pub(crate) fn say(&mut self, lines: &str) {
        self.child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    }

    /// The next line that comes back.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// Waits until it has said something on standard error.
    pub(crate) fn expect(&mut self, word: &str) {
        let said = self.child.stderr.as_mut().unwrap();
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(word) {
            let mut byte = [0];
            assert_eq!(said.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
        }
    }

    /// Sends it a signal; what it said.
    pub(crate) fn stop_by(mut self, signal: &str) -> Ended {
        kill(&self.child, signal);
        // its input stays open
        let stdin = self.child.stdin.take();
        let ended = self.end();
        drop(stdin);
        ended
    }

    /// Waits for its end; what it said.
    pub(crate) fn end(mut self) -> Ended {
        let success = wait(&mut self.child);
        let (mut out, mut said) = (String::new(), String::new());
        self.output.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        Ended { success, out, said }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // it has ended already, or a test has failed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) out: String,
    pub(crate) said: String,
}

fn wait(child: &mut Child) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(Instant::now() < until, "a program doesn't end");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The same in the dialect of the proposal.
pub(crate) fn connect_proposal(addr: &str, arguments: &[&str], lines: &str) -> Ended {
    connect(addr, &[&PROPOSAL, arguments].concat(), lines)
}

/// Runs a client that is given these lines.
pub(crate) fn connect(addr: &str, arguments: &[&str], lines: &str) -> Ended {
    client(&[&[addr], arguments].concat(), lines)
}

/// Runs a client that only looks whether a server can be reached.
pub(crate) fn diagnose(arguments: &[&str]) -> Ended {
    client(arguments, "")
}

fn client(arguments: &[&str], lines: &str) -> Ended {
    let mut child = msgr2()
        .args(["connect", "--no-conf"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    // a client that has failed doesn't read
    thread::spawn(move || drop(input.write_all(lines.as_bytes())));
    let id = child.id().to_string();
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ = Command::new("kill").args(["-KILL", &id]).status();
        panic!("connect {arguments:?} doesn't end");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    Ended {
        success: status.success(),
        out: String::from_utf8(stdout).unwrap(),
        said: String::from_utf8(stderr).unwrap(),
    }
}

/// Keys of a small cluster, in files.
pub(crate) struct Keys {
    scratch: Scratch,
}

impl Keys {
    pub(crate) fn make(kind: &str) -> Self {
        let keys = Keys { scratch: Scratch::new() };
        let keyring = run(msgr2().args(["keyring", "new", "--type", kind, "client.admin", "client.other"]));
        fs::write(keys.path("keyring"), keyring).unwrap();
        let services = run(msgr2().args(["keyring", "service", "--type", kind, "auth", "osd", "mds"]));
        fs::write(keys.path("services"), services).unwrap();
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.file(name)
    }

    pub(crate) fn keyring(&self) -> String {
        self.path("keyring").to_str().unwrap().to_owned()
    }

    pub(crate) fn services(&self) -> String {
        self.path("services").to_str().unwrap().to_owned()
    }

    /// A mon of this cluster that speaks the proposal.
    pub(crate) fn mon(&self, more: &[&str]) -> Server {
        let (keyring, services) = (self.keyring(), self.services());
        let mut arguments = vec!["--keyring", keyring.as_str(), "--service-keys", &services];
        arguments.extend(PROPOSAL);
        arguments.extend(more);
        Server::start(&arguments)
    }

    /// A server of it that echoes, in v2.1 or as it is told.
    pub(crate) fn echo(&self, name: &str, more: &[&str]) -> Server {
        let (keyring, services) = (self.keyring(), self.services());
        let mut arguments = vec!["--behave", "echo", "--name", name, "--service-keys", &services];
        if name.starts_with("mon.") {
            arguments.extend(["--keyring", &keyring]);
        }
        arguments.extend(more);
        Server::start(&arguments)
    }

    /// An osd of it that speaks the proposal.
    pub(crate) fn osd(&self, more: &[&str]) -> Server {
        let services = self.services();
        let mut arguments = vec!["--name", "osd.3", "--service-keys", services.as_str()];
        arguments.extend(PROPOSAL);
        arguments.extend(more);
        Server::start(&arguments)
    }
}

/// Some lines, one of them empty, one long.
pub(crate) fn lines() -> String {
    format!("hello\n\nthere is more\n{}\ngr\u{fc}\u{df}e\n", "long ".repeat(40_000))
}
