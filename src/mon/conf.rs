//! What a `ceph.conf` says to an entity.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use super::host::{BadMonHost, MonHost};
use crate::auth::EntityName;
use crate::auth::ini::{self, Line};
use crate::types::{AuthMethod, ConnectionMode, EntityType};
use crate::wire::Uuid;

/// Where clients find their keys if nobody says anything else.
const KEYRINGS: &str =
    "/etc/ceph/$cluster.$name.keyring,/etc/ceph/$cluster.keyring,/etc/ceph/keyring,/etc/ceph/keyring.bin";

/// The options that a `ceph.conf` sets for an entity: those of `[global]`, of its type's section and of its own, the
/// later before the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    options: BTreeMap<String, String>,
    /// What stands for `$cluster` and the like.
    variables: BTreeMap<&'static str, String>,
    is_client: bool,
}

/// Why a `ceph.conf` can't be read, or an option of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// It isn't text in UTF-8.
    #[error("not a text in UTF-8")]
    NotText,
    /// A line can't be read.
    #[error("line {line} can't be read")]
    Line {
        /// Its number, from 1.
        line: usize,
    },
    /// A setting stands in front of the first section.
    #[error("line {line} stands in no section")]
    OutsideSection {
        /// Its number, from 1.
        line: usize,
    },
    /// `mon_host` names no monitors.
    #[error("mon_host: {0}")]
    MonHost(#[from] BadMonHost),
    /// `fsid` is no UUID.
    #[error("fsid: `{0}` is no UUID")]
    Fsid(String),
}

impl Conf {
    /// Reads a file's content for an entity of a cluster (which is mostly called `ceph`).
    pub fn parse(bytes: impl AsRef<[u8]>, cluster: &str, name: &EntityName) -> Result<Self, ConfError> {
        let text = std::str::from_utf8(bytes.as_ref()).map_err(|_| ConfError::NotText)?;
        let own = name.to_string();
        let kind = own.split_once('.').map_or(&*own, |(kind, _)| kind);
        // how much a section counts
        let rank = |section: &str| [("global", 0), (kind, 1), (&own, 2)].into_iter().find(|(name, _)| *name == section);
        let mut options: BTreeMap<String, (usize, String)> = BTreeMap::new();
        let mut section = None;
        for (line, content) in ini::lines(text) {
            match content.map_err(|()| ConfError::Line { line })? {
                Line::Blank => {}
                Line::Section(name) => section = Some(rank(&name).map(|(_, rank)| rank)),
                Line::Setting(name, value) => match section {
                    None => return Err(ConfError::OutsideSection { line }),
                    Some(None) => {}
                    Some(Some(rank)) => {
                        let name = name.replace('-', "_");
                        if options.get(&name).is_none_or(|(before, _)| *before <= rank) {
                            options.insert(name, (rank, value.to_string()));
                        }
                    }
                },
            }
        }
        let variables =
            [("cluster", cluster), ("type", kind), ("id", &name.id), ("name", &own)].map(|(k, v)| (k, v.to_owned()));
        Ok(Conf {
            options: options.into_iter().map(|(name, (_, value))| (name, value)).collect(),
            variables: variables.into(),
            is_client: name.kind == EntityType::CLIENT,
        })
    }

    /// The cluster's name that a file's name stands for: `NAME.conf` is of the cluster NAME, all others are of `ceph`.
    pub fn cluster(path: &Path) -> String {
        let is_conf = path.extension().is_some_and(|extension| extension == "conf");
        let name = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_conf);
        name.unwrap_or("ceph").to_owned()
    }

    /// An option by its name with underscores, `$cluster` and the like put in; `None` if it isn't set.
    pub fn get(&self, option: &str) -> Option<String> {
        self.options.get(option).map(|value| self.expand(value))
    }

    /// Where the monitors are, if it says so.
    pub fn mon_host(&self) -> Result<Option<MonHost>, ConfError> {
        Ok(self.get("mon_host").map(|text| text.parse()).transpose()?)
    }

    /// The cluster's id, if it says so.
    pub fn fsid(&self) -> Result<Option<Uuid>, ConfError> {
        self.get("fsid").map(|text| uuid(&text).ok_or(ConfError::Fsid(text))).transpose()
    }

    /// The files that may hold the entity's key, the first that is there counts. For a client those that all clients
    /// have, unless it says otherwise.
    pub fn keyrings(&self) -> Vec<String> {
        let usual = self.is_client.then_some(KEYRINGS);
        self.files(self.options.get("keyring").map(String::as_str).or(usual).unwrap_or_default())
    }

    /// The methods of authentication that the entity is to use as a client, if it says so. Unknown ones are left out.
    pub fn auth_methods(&self) -> Option<Vec<AuthMethod>> {
        let known = [AuthMethod::NONE, AuthMethod::CEPHX, AuthMethod::GSS];
        let all = self.get("auth_supported").filter(|methods| !methods.is_empty());
        all.or_else(|| self.get(&format!("auth_{}_required", self.side()))).map(|text| words(&text, &known))
    }

    /// The connection modes that the entity is to ask such a server for, best first, if it says so. Unknown ones are
    /// left out.
    pub fn dial_modes(&self, server: EntityType) -> Option<Vec<ConnectionMode>> {
        let known = [ConnectionMode::CRC, ConnectionMode::SECURE];
        let mon = if server == EntityType::MON { "mon_" } else { "" };
        self.get(&format!("ms_{mon}{}_mode", self.side())).map(|text| words(&text, &known))
    }

    /// What options call the entity's side of a connection.
    fn side(&self) -> &'static str {
        if self.is_client { "client" } else { "cluster" }
    }

    /// What lists of files name, such as those of `$CEPH_KEYRING`, `$cluster` and the like put in.
    pub fn files(&self, list: &str) -> Vec<String> {
        let list = self.expand(list);
        list.split([',', ';', ' ']).filter(|file| !file.is_empty()).map(str::to_owned).collect()
    }

    /// Puts in what stands behind `$name` or `${name}`; what isn't known stays.
    fn expand(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let braced = part.strip_prefix('{').and_then(|part| part.split_once('}'));
            let end = part.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(part.len());
            let (variable, rest) = braced.unwrap_or(part.split_at(end));
            match self.variables.get(variable) {
                Some(value) => {
                    expanded.push_str(value);
                    expanded.push_str(rest);
                }
                None => {
                    expanded.push('$');
                    expanded.push_str(part);
                }
            }
        }
        expanded
    }
}

/// Those of a list that are known, in its order.
fn words<T: Copy + Display>(list: &str, known: &[T]) -> Vec<T> {
    let words = list.split(|c: char| c.is_whitespace() || ",;=\t".contains(c)).filter(|word| !word.is_empty());
    words.filter_map(|word| known.iter().copied().find(|known| known.to_string() == word)).collect()
}

/// A UUID from its text, with hyphens or without.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(Uuid(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        # a cluster\n\
        [client.admin]\n keyring = /tmp/$cluster.${name}.keyring ; own\n\
        [global]\n fsid = b14c6c7c-e316-4780-9181-bad27e1c72b7\n mon host = 192.0.2.1, [::1]\n\
        keyring = /etc/$type.$id/$nothing\n log-file = a\n\
        [osd]\n mon_host = 192.0.2.9\n\
        [client]\n log file = \"$name.log\"\n";

    fn conf(name: &str) -> Conf {
        Conf::parse(TEXT, "c1", &name.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_nearest_section_counts() {
        let admin = conf("client.admin");
        assert_eq!(admin.keyrings(), ["/tmp/c1.client.admin.keyring"]);
        assert_eq!(admin.fsid().unwrap().unwrap().to_string(), "b14c6c7c-e316-4780-9181-bad27e1c72b7");
        assert_eq!(admin.mon_host().unwrap().unwrap().mons.len(), 2);
        assert_eq!(admin.get("log_file").unwrap(), "client.admin.log");
        assert_eq!(admin.get("nothing"), None);
        let osd = conf("osd.3");
        assert_eq!(osd.keyrings(), ["/etc/osd.3/$nothing"]);
        assert_eq!(osd.mon_host().unwrap().unwrap().mons.len(), 1);
        assert_eq!(osd.get("log_file").unwrap(), "a");
    }

    #[test]
    fn what_all_clients_have() {
        let empty = |name: &str| Conf::parse("", "ceph", &name.parse().unwrap()).unwrap();
        let files = empty("client.x").keyrings();
        assert_eq!(files[..2], ["/etc/ceph/ceph.client.x.keyring", "/etc/ceph/ceph.keyring"]);
        assert!(empty("osd.0").keyrings().is_empty());
        assert_eq!((empty("osd.0").mon_host(), empty("osd.0").fsid()), (Ok(None), Ok(None)));
    }

    #[test]
    fn methods_and_modes() {
        let text = "[global]\nauth client required = cephx, none\nauth_cluster_required = cephx\n\
                    ms client mode = crc secure\nms_mon_client_mode = secure-psp secure\n[osd]\nms_cluster_mode = new\n";
        let conf = |name: &str| Conf::parse(text, "ceph", &name.parse().unwrap()).unwrap();
        let (client, osd) = (conf("client.a"), conf("osd.0"));
        assert_eq!(client.auth_methods().unwrap(), [AuthMethod::CEPHX, AuthMethod::NONE]);
        assert_eq!(osd.auth_methods().unwrap(), [AuthMethod::CEPHX]);
        assert_eq!(client.dial_modes(EntityType::OSD).unwrap(), [ConnectionMode::CRC, ConnectionMode::SECURE]);
        assert_eq!(client.dial_modes(EntityType::MON).unwrap(), [ConnectionMode::SECURE]);
        assert_eq!((osd.dial_modes(EntityType::OSD), osd.dial_modes(EntityType::MON)), (Some(vec![]), None));
        let old = Conf::parse("[global]\nauth_supported = none\n", "ceph", &"client.a".parse().unwrap()).unwrap();
        assert_eq!(old.auth_methods().unwrap(), [AuthMethod::NONE]);
    }

    #[test]
    fn names_of_clusters() {
        for (path, name) in [("/etc/ceph/ceph.conf", "ceph"), ("a/backup.conf", "backup"), ("/tmp/x", "ceph")] {
            assert_eq!(Conf::cluster(Path::new(path)), name);
        }
    }

    #[test]
    fn errors() {
        let admin = "client.admin".parse().unwrap();
        let parse = |text: &str| Conf::parse(text, "ceph", &admin);
        assert_eq!(parse("a = 1"), Err(ConfError::OutsideSection { line: 1 }));
        assert_eq!(parse("[global]\nwhat"), Err(ConfError::Line { line: 2 }));
        assert_eq!(Conf::parse([0xff], "ceph", &admin), Err(ConfError::NotText));
        let wrong = parse("[global]\nfsid = 1\nmon_host = :\n").unwrap();
        assert_eq!(wrong.fsid(), Err(ConfError::Fsid("1".into())));
        assert!(matches!(wrong.mon_host(), Err(ConfError::MonHost(_))));
    }
}
