//! What the tests share that run programs: the programs themselves, and captures.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod packets;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A file of this work tree.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// One of our own captures.
pub(crate) fn capture(name: &str) -> PathBuf {
    let path = file("tests/captures").join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// All of them.
pub(crate) fn captures() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(file("tests/captures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"))
        .collect();
    all.sort();
    assert!(all.len() >= 10, "captures are missing: {all:?}");
    all
}

/// The keys that open a capture: the file beside it.
pub(crate) fn keyring_of(capture: &Path) -> Option<PathBuf> {
    Some(capture.with_extension("keyring")).filter(|path| path.exists())
}

/// A check can't be made here: says so, and notes it in the file that `scripts/test` counts at its end.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(path) = std::env::var_os("MSGR2_SKIPPED") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        // in one piece: tests run side by side
        file.write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

/// A file of the folder beside this work tree that holds whole recordings; who lacks it is told.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = file("../shared/captures").join(name);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("there is no ../shared/captures/{name}"));
    None
}

/// Further recordings, as `record` of the shared lab makes them (`NAME.pcapng`, `NAME.keyring`, …): those in the folder that
/// the environment names. Who names none is told.
pub(crate) fn fresh() -> Vec<PathBuf> {
    const FOLDER: &str = "MSGR2_RECORDINGS";
    let Some(folder) = std::env::var_os(FOLDER) else {
        skip(&format!("{FOLDER} names no folder with recordings"));
        return Vec::new();
    };
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "pcapng") && keyring_of(path).is_some()).collect();
    all.sort();
    assert!(!all.is_empty(), "no recordings");
    all
}

/// The plugin under test.
pub(crate) fn plugin() -> PathBuf {
    let path = std::env::var_os("MSGR2_PLUGIN").map(PathBuf::from);
    match path {
        Some(path) if path.exists() => path,
        Some(path) => panic!("MSGR2_PLUGIN is {}, and there is no such file: run `make test`", path.display()),
        None => panic!("MSGR2_PLUGIN doesn't say where the plugin is: run `make test`"),
    }
}

/// Where a Wireshark program finds its plugin.
#[derive(Clone, Copy)]
pub(crate) enum With<'a> {
    Plugin,
    This(&'a Path),
    Nothing,
}

/// One of Wireshark's programs, ready to run.
pub(crate) fn wireshark(program: &str, with: With<'_>) -> Command {
    let mut command = Command::new(file("scripts/tshark"));
    command.args(["--program", program]).env("WIRESHARK_SERIES", series());
    match with {
        With::Plugin => command.arg("--plugin").arg(plugin()),
        With::This(path) => command.arg("--plugin").arg(path),
        With::Nothing => command.arg("--without-plugin"),
    };
    command
}

/// Which Wireshark is installed, as X.Y; asked once.
fn series() -> &'static str {
    static SERIES: OnceLock<String> = OnceLock::new();
    SERIES.get_or_init(|| {
        let version = run(Command::new("tshark").arg("--version"));
        let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        number.unwrap().splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
    })
}

/// Whether a tool is there; who lacks it is told.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        skip(&format!("{program} isn't installed"));
    }
    found
}

/// Runs a command that must succeed, and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{said}");
    // the built-in dissector of the legacy messenger has its own
    let ours = said
        .lines()
        .find(|line| line.contains("ERROR") || (line.contains("issector bug") && !line.contains("protocol Ceph")));
    assert!(ours.is_none(), "{command:?}: {said}");
    String::from_utf8(stdout).unwrap()
}

/// What tshark prints of a capture.
pub(crate) fn tshark<S: AsRef<OsStr>>(capture: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    run(wireshark("tshark", With::Plugin).arg("-r").arg(capture).args(arguments))
}

/// The same without the plugin.
pub(crate) fn plain_tshark<S: AsRef<OsStr>>(capture: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    run(wireshark("tshark", With::Nothing).arg("-r").arg(capture).args(arguments))
}

/// The program `msgr2`.
pub(crate) fn msgr2() -> Command {
    Command::new(env!("CARGO_BIN_EXE_msgr2"))
}

/// The frames of a capture, as `msgr2 decode` sees them.
pub(crate) fn decode(capture: &Path) -> Vec<Value> {
    decode_with(capture, None)
}

/// The same with keys.
pub(crate) fn decode_with(capture: &Path, keyring: Option<&Path>) -> Vec<Value> {
    let keys = keyring.into_iter().flat_map(|path| ["--keyring".as_ref(), path.as_os_str()]);
    let lines = run(msgr2().args(["decode", "--json"]).args(keys).arg(capture));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder of one test's own, readable for everybody; it goes with this value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("msgr2-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Scratch(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // a folder left behind harms nobody
        let _ = fs::remove_dir_all(&self.0);
    }
}
