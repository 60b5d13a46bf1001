//! Who a client is, and how it shows it: options first, then what Ceph's own clients would read.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use msgr2::auth::cephx::client::Credentials;
use msgr2::auth::{EntityName, Keyring};
use msgr2::net::Config;
use msgr2::types::{ConnectionMode, EntityType};

use crate::advice::Advice;
use crate::conf::{Settings, say_taken};
use crate::connect::Args;
use crate::peer::{Dialect, Method, check_modes};

/// A client.
pub(crate) struct Identity {
    pub(crate) settings: Settings,
    name: EntityName,
    keyring: Option<Keyring>,
    keyring_path: Option<PathBuf>,
    /// The methods that it tries, best first.
    pub(crate) methods: Vec<Method>,
}

impl Identity {
    /// Reads what there is to be read, and says what that was.
    pub(crate) fn read(args: &Args) -> Result<Self> {
        let settings = args.conf.read(&args.name)?;
        let named = args.peer.keyring().map_err(|error| {
            Advice::new(format!("the keyring can't be read: {error:#}"))
                .or_try("Ceph's own is /etc/ceph/ceph.client.admin.keyring, which only root may read")
                .or_try(format!("`ceph auth get {} -o FILE` writes one, on a host that has access", args.name))
        })?;
        let is_named = named.is_some();
        let (keyring, keyring_path) = match named {
            Some(keyring) => (Some(keyring), args.peer.keyring_path().map(Path::to_owned)),
            None => settings.keyring()?.map(|found| (found.keyring, found.path)).unzip(),
        };
        say_taken(&settings, keyring_path.as_deref().filter(|_| !is_named));

        let has_key = keyring.as_ref().is_some_and(|keyring| keyring.get(&args.name).is_some());
        let mut usual = match settings.conf.auth_methods() {
            _ if is_named => vec![Method::Cephx],
            Some(methods) => methods.into_iter().filter_map(Method::of).collect(),
            // as Ceph has it unless told otherwise
            None => vec![Method::Cephx, Method::None],
        };
        if !is_named && !has_key && usual.contains(&Method::None) {
            usual.retain(|method| *method == Method::None);
        }
        let methods = args.peer.methods(&usual)?;
        if methods.is_empty() {
            bail!("{} names no method of authentication that is known here: --auth does", settings.origin());
        }
        Ok(Identity { settings, name: args.name.clone(), keyring, keyring_path, methods })
    }

    /// Its name and key, for cephx.
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        let Self { name, .. } = self;
        let Some(keyring) = &self.keyring else {
            return Err(Advice::new(format!("cephx needs a key, and there is no keyring for {name}"))
                .or_try(format!("--keyring FILE with a section [{name}]"))
                .or_try(format!("`ceph auth get {name} -o FILE` writes one, on a host that has access"))
                .into());
        };
        let Some(entity) = keyring.get(name) else {
            let others: Vec<_> = keyring.iter().map(|(name, _)| name.to_string()).collect();
            let others = if others.is_empty() { "nobody".to_owned() } else { others.join(", ") };
            return Err(Advice::new(format!("the keyring has no key of {name}, but of {others}"))
                .or_try("--name says whose key is to be used; clients are called client.ID, not ID")
                .or_try(format!("`ceph auth get {name} -o FILE` writes its keyring, on a host that has access"))
                .into());
        };
        Ok(Credentials::new(name.clone(), entity.key.clone()))
    }

    /// The file with its keys, for recordings.
    pub(crate) fn key_files(&self) -> Vec<&Path> {
        self.keyring_path.as_deref().into_iter().collect()
    }

    /// Takes the modes of the configuration, unless there are options; and refuses those that can't be had.
    pub(crate) fn set_modes(&self, args: &Args, service: EntityType, config: &mut Config) -> Result<()> {
        if args.peer.dialect == Dialect::Proposal {
            return Ok(());
        }
        let v2 = &mut config.peer.v2;
        if !args.peer.has_modes() {
            if let Some(modes) = self.modes(EntityType::OSD)? {
                v2.dial_modes = modes;
            }
            v2.mon_dial_modes = self.modes(EntityType::MON)?;
        }
        let modes = v2.mon_dial_modes.as_ref().filter(|_| service == EntityType::MON).unwrap_or(&v2.dial_modes);
        check_modes(&self.methods, modes)
    }

    /// The modes of the configuration towards such a server.
    fn modes(&self, server: EntityType) -> Result<Option<Vec<ConnectionMode>>> {
        let modes = self.settings.conf.dial_modes(server);
        if modes.as_ref().is_some_and(Vec::is_empty) {
            bail!("{} names no connection mode that is known here: --mode does", self.settings.origin());
        }
        Ok(modes)
    }
}
