//! What Ceph's own clients read without being told: `ceph.conf`, and the keyring that it names.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use msgr2::auth::{EntityName, Keyring};
use msgr2::mon::Conf;

use crate::peer::parse;

/// Where Ceph's clients look for a configuration, one after the other; `~` is the user's home.
const USUAL: [&str; 3] = ["/etc/ceph/ceph.conf", "~/.ceph/ceph.conf", "ceph.conf"];

/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Which configuration to read.
#[derive(Args)]
pub(crate) struct ConfArgs {
    /// The configuration to read: where monitors are, methods, modes, the keyring. Without it the one that $CEPH_CONF
    /// names, or the first that there is of /etc/ceph/ceph.conf, ~/.ceph/ceph.conf and ceph.conf in this folder.
    /// Options given here win.
    #[arg(short = 'c', long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Read neither a ceph.conf nor the usual keyrings.
    #[arg(long, conflicts_with = "conf")]
    no_conf: bool,
}

/// A configuration, and where it is from.
pub(crate) struct Settings {
    pub(crate) conf: Conf,
    /// The file, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// Files of keys may be taken that nobody has named.
    keyrings: bool,
}

/// A keyring that the user hasn't named.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) keyring: Keyring,
}

impl ConfArgs {
    /// What the configuration says to an entity.
    pub(crate) fn read(&self, name: &EntityName) -> Result<Settings> {
        if self.no_conf {
            return Ok(Settings { conf: Conf::parse("", "ceph", name)?, path: None, keyrings: false });
        }
        let Some((path, text)) = self.file()? else {
            return Ok(Settings { conf: Conf::parse("", "ceph", name)?, path: None, keyrings: true });
        };
        let conf = Conf::parse(text, &Conf::cluster(&path), name).with_context(|| format!("{}", path.display()))?;
        Ok(Settings { conf, path: Some(path), keyrings: true })
    }

    /// The file that counts, and what is in it.
    fn file(&self) -> Result<Option<(PathBuf, Vec<u8>)>> {
        if let Some(path) = &self.conf {
            let text = read(path).with_context(|| format!("--conf {}", path.display()))?;
            return Ok(Some((path.clone(), text)));
        }
        if let Some(list) = set("CEPH_CONF") {
            let found = first(list.split([',', ';', ' ']).filter(|path| !path.is_empty()).map(PathBuf::from))?;
            let Some(found) = found else { bail!("$CEPH_CONF names {list:?}, and there is no such file") };
            return Ok(Some(found));
        }
        first(USUAL.iter().filter_map(|path| at_home(path)))
    }
}

impl Settings {
    /// The keyring that Ceph's clients would take: the first that there is, of those of $CEPH_KEYRING or of the
    /// configuration.
    pub(crate) fn keyring(&self) -> Result<Option<Found>> {
        if !self.keyrings {
            return Ok(None);
        }
        let files = set("CEPH_KEYRING").map_or_else(|| self.conf.keyrings(), |list| self.conf.files(&list));
        let Some(path) = files.into_iter().map(PathBuf::from).find(|path| path.exists()) else { return Ok(None) };
        if File::open(&path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            // it may do without
            eprintln!("msgr2: the keyring {} may not be read by this user", path.display());
            return Ok(None);
        }
        let keyring = parse(&path, |text| Keyring::parse(text))?;
        Ok(Some(Found { path, keyring }))
    }

    /// Where an option comes from, for messages.
    pub(crate) fn origin(&self) -> String {
        self.path.as_ref().map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string())
    }
}

/// Says which files were taken that the user hasn't named.
pub(crate) fn say_taken(settings: &Settings, keyring: Option<&Path>) {
    let conf = settings.path.as_ref().map(|path| format!("configuration {}", path.display()));
    let keyring = keyring.map(|path| format!("keyring {}", path.display()));
    let taken: Vec<_> = conf.into_iter().chain(keyring).collect();
    if !taken.is_empty() {
        eprintln!("msgr2: {}", taken.join(", "));
    }
}

/// A variable of the environment that isn't empty.
fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

/// A usual place; nothing if it is at home and there is none.
fn at_home(path: &str) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        None => Some(PathBuf::from(path)),
        Some(rest) => Some(PathBuf::from(set("HOME")?).join(rest)),
    }
}

/// What is in a file, if it isn't too long to be a configuration.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long for a configuration"));
    }
    Ok(text)
}

/// The first of these files that there is.
fn first(paths: impl Iterator<Item = PathBuf>) -> Result<Option<(PathBuf, Vec<u8>)>> {
    for path in paths {
        match read(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        }
    }
    Ok(None)
}
