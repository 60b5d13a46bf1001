//! Keys in files: what opens the encrypted connections of a capture.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::auth::{EntityName, KeyringError};
use crate::tracker::Knowledge;

/// The most bytes of a file that are taken for keys.
const MOST_BYTES: u64 = 4 << 20;
/// What the names of files have in them that are taken from a folder: `ceph.client.admin.keyring`, `service-keys`.
const NAMED: &str = "key";

/// What is wrong with a file of keys. All others are used all the same.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It can't be read.
    #[error("{path}: {cause}", path = path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is too large for a keyring.
    #[error("{path}: too large for a keyring", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no keyring; none of its keys is used.
    #[error("{path}: no key of it is used: {cause}", path = path.display())]
    Keyring {
        /// The file.
        path: PathBuf,
        /// What is wrong in which line.
        #[source]
        cause: KeyringError,
    },
    /// An entity has two different keys, here or here and in a file before.
    #[error("{path}: {name} has another key here than before; this one is used", path = path.display())]
    Conflict {
        /// The file with the key that is used.
        path: PathBuf,
        /// Whose key.
        name: EntityName,
    },
    /// A folder has no file of keys.
    #[error("{path}: no file in this folder has `key` in its name", path = path.display())]
    NoFile {
        /// The folder.
        path: PathBuf,
    },
}

/// Adds the keys of a file; those of a folder's files that have `key` in their names; or those of several such, with `:`
/// between them. Returns what is wrong with any of them.
pub fn add_key_files(knowledge: &Knowledge, paths: &OsStr) -> Vec<KeyFileError> {
    let mut errors = Vec::new();
    // a name may have the separator in it
    let whole = Path::new(paths);
    let several = if whole.exists() { vec![whole.to_owned()] } else { std::env::split_paths(paths).collect() };
    for path in several.iter().filter(|path| !path.as_os_str().is_empty()) {
        match files(path) {
            Ok(files) if files.is_empty() => errors.push(KeyFileError::NoFile { path: path.clone() }),
            Ok(files) => files.iter().for_each(|file| add_file(knowledge, file, &mut errors)),
            Err(cause) => errors.push(KeyFileError::Unreadable { path: path.clone(), cause }),
        }
    }
    errors
}

/// The file, or the files in a folder that may be keyrings, by name.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let named = file.file_name().is_some_and(|name| name.to_string_lossy().contains(NAMED));
        if named && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn add_file(knowledge: &Knowledge, path: &Path, errors: &mut Vec<KeyFileError>) {
    let path = path.to_owned();
    let text = match read(&path) {
        Ok(text) => text,
        Err(cause) => return errors.push(KeyFileError::Unreadable { path, cause }),
    };
    // more than that is no keyring, whatever is in it
    if text.len() as u64 > MOST_BYTES {
        return errors.push(KeyFileError::TooLarge { path });
    }
    match knowledge.add_text(&text) {
        Ok(conflicts) => {
            errors.extend(conflicts.into_iter().map(|name| KeyFileError::Conflict { path: path.clone(), name }));
        }
        Err(cause) => errors.push(KeyFileError::Keyring { path, cause }),
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[client.a]\n\tkey = AQBAWgRXAAAAABAAAAECAwQFBgcICQoLDA0ODw==\n";
    const OTHER: &str = "[client.a]\n\tkey = AQBAWgRXAAAAABAAAQECAwQFBgcICQoLDA0ODw==\n";

    fn said(knowledge: &Knowledge, paths: &str) -> Vec<String> {
        add_key_files(knowledge, OsStr::new(paths)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_folders_and_several() {
        let folder = std::env::temp_dir().join(format!("msgr2-keys-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let knowledge = Knowledge::default();
        let a = file("a.keyring", ONE);
        assert_eq!(said(&knowledge, &a), [""; 0]);
        assert_eq!(said(&knowledge, &a), [""; 0], "the same key again is no conflict");
        let b = file("b.keyring", OTHER);
        let conflict = format!("{b}: client.a has another key here than before; this one is used");
        assert_eq!(said(&knowledge, &format!("{a}:{b}")).last(), Some(&conflict));
        let twice = file("twice", &format!("{ONE}{OTHER}"));
        assert!(said(&Knowledge::default(), &twice)[0].contains("client.a has another key"));
        // of a folder what may be a keyring
        file("ceph.conf", "[client.x]\nmon host = 192.0.2.1\n");
        let all = folder.display().to_string();
        assert_eq!(said(&Knowledge::default(), &all), [conflict]);
        let broken = file("c.keyring", "[client.b]\nkey = none\n");
        assert!(said(&Knowledge::default(), &all)[1].starts_with(&format!("{broken}: no key of it is used: line 2: ")));
        let missing = said(&Knowledge::default(), &format!("{all}/missing:{a}"));
        assert!(missing.len() == 1 && missing[0].contains("missing: "), "{missing:?}");
        let empty = folder.join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(said(&Knowledge::default(), &empty.display().to_string())[0].contains("no file in this folder"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
