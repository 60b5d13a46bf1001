//! Maps as applications see them: the monitor map, and the bytes of OSD maps.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::messages::MOsdMap;
use crate::peer::{entity_addr, socket_addr};
use crate::types;
use crate::types::{
    AddrType, CephRelease, CryptoType, CryptoTypeWord, EntityAddr, EntityAddrvec, MonElectionStrategy, MonFeatureSet,
    MonFeatures, MonInfo,
};
use crate::wire::{Bool, Encode, Text, Utime, Uuid};

/// The monitors of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonMap {
    /// The cluster's id.
    pub fsid: Uuid,
    /// The map's number.
    pub epoch: u32,
    /// When it last changed.
    pub last_changed: Utime,
    /// When the cluster was made.
    pub created: Utime,
    /// What the monitors have agreed upon.
    pub features: MonFeatures,
    /// The oldest release that a monitor may have.
    pub min_mon_release: CephRelease,
    /// The monitors in the order of their ranks.
    pub mons: Vec<Monitor>,
}

/// A monitor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    /// Its name, without `mon.`.
    pub name: String,
    /// Its addresses, one for each messenger that it speaks.
    pub addrs: Vec<EntityAddr<'static>>,
    /// Clients choose among those with the lowest.
    pub priority: u16,
    /// How often clients choose it among those with its priority.
    pub weight: u16,
}

impl Monitor {
    /// A monitor that speaks messenger v2 alone.
    pub fn new(name: impl Into<String>, addr: SocketAddr) -> Self {
        let addrs = vec![entity_addr(AddrType::MSGR2, addr, 0)];
        Monitor { name: name.into(), addrs, ..Monitor::default() }
    }

    /// Where it speaks messenger v2, if it does.
    pub fn v2(&self) -> Option<SocketAddr> {
        self.addrs.iter().find(|addr| addr.r#type == AddrType::MSGR2).and_then(socket_addr)
    }
}

impl MonMap {
    /// Where monitors speak messenger v2, in the order of their ranks.
    pub fn v2(&self) -> impl Iterator<Item = SocketAddr> {
        self.mons.iter().filter_map(Monitor::v2)
    }

    /// From the wire. Monitors without a rank come last.
    pub fn from_wire(map: &types::MonMap<'_>) -> Self {
        let mut infos: Vec<&MonInfo<'_>> = map.mon_info.iter().flatten().map(|(_, info)| info).collect();
        let ranks = map.ranks.as_deref().unwrap_or_default();
        infos.sort_by_key(|info| ranks.iter().position(|name| *name == info.name).unwrap_or(usize::MAX));
        MonMap {
            fsid: map.fsid,
            epoch: map.epoch,
            last_changed: map.last_changed,
            created: map.created,
            features: map.persistent_features.as_ref().map(|set| set.features).unwrap_or_default(),
            min_mon_release: map.min_mon_release.unwrap_or_default(),
            mons: infos.into_iter().map(monitor).collect(),
        }
    }

    /// As a monitor of a release writes it, from 14 on.
    pub fn to_wire(&self, release: CephRelease) -> types::MonMap<'_> {
        let (pacific, tentacle) = (release >= CephRelease::PACIFIC, release >= CephRelease::TENTACLE);
        let feature_set = |features| Some(MonFeatureSet { features, ..Default::default() });
        let aes = CryptoTypeWord(CryptoType::AES.0.into());
        let krb5 = CryptoTypeWord(CryptoType::AES256KRB5.0.into());
        types::MonMap {
            struct_v: match () {
                () if tentacle => 10,
                () if pacific => 9,
                () => 7,
            },
            fsid: self.fsid,
            epoch: self.epoch,
            last_changed: self.last_changed,
            created: self.created,
            persistent_features: feature_set(self.features),
            optional_features: feature_set(MonFeatures::default()),
            mon_info: Some(sorted(
                self.mons.iter().map(|mon| (text(&mon.name), info(mon, release, self.created))).collect(),
            )),
            ranks: Some(self.mons.iter().map(|mon| text(&mon.name)).collect()),
            min_mon_release: Some(self.min_mon_release),
            removed_ranks: pacific.then(Vec::new),
            strategy: pacific.then_some(MonElectionStrategy::CLASSIC),
            disallowed_leaders: pacific.then(Vec::new),
            stretch_mode_enabled: pacific.then(Bool::default),
            tiebreaker_mon: pacific.then(Text::default),
            stretch_marked_down_mons: pacific.then(Vec::new),
            auth_epoch: tentacle.then_some(0),
            // what is read out of maps from before
            auth_service_cipher: tentacle.then_some(aes),
            auth_allowed_ciphers: tentacle.then(|| vec![aes, krb5]),
            auth_preferred_cipher: tentacle.then_some(aes),
            ..Default::default()
        }
    }
}

/// What a release's monitors have agreed upon, all of them being of that release.
pub(super) fn features(release: CephRelease) -> MonFeatures {
    let by_release = [
        (CephRelease::KRAKEN, MonFeatures::KRAKEN),
        (CephRelease::LUMINOUS, MonFeatures::LUMINOUS),
        (CephRelease::MIMIC, MonFeatures::MIMIC | MonFeatures::OSDMAP_PRUNE),
        (CephRelease::NAUTILUS, MonFeatures::NAUTILUS),
        (CephRelease::OCTOPUS, MonFeatures::OCTOPUS),
        (CephRelease::PACIFIC, MonFeatures::PACIFIC | MonFeatures::PINGING),
        (CephRelease::QUINCY, MonFeatures::QUINCY),
        (CephRelease::REEF, MonFeatures::REEF),
        (CephRelease::SQUID, MonFeatures::SQUID),
        (CephRelease::TENTACLE, MonFeatures::TENTACLE | MonFeatures::NVMEOF_BEACON_DIFF),
    ];
    let of_release = by_release.into_iter().filter(|(since, _)| *since <= release);
    of_release.fold(MonFeatures::default(), |all, (_, features)| all | features)
}

fn info(mon: &Monitor, release: CephRelease, created: Utime) -> MonInfo<'_> {
    let (pacific, tentacle) = (release >= CephRelease::PACIFIC, release >= CephRelease::TENTACLE);
    MonInfo {
        struct_v: match () {
            () if tentacle => 6,
            () if pacific => 5,
            () => 3,
        },
        name: text(&mon.name),
        public_addrs: Some(EntityAddrvec { addrs: mon.addrs.clone() }),
        priority: Some(mon.priority),
        weight: pacific.then_some(mon.weight),
        crush_loc: pacific.then(Vec::new),
        time_added: tentacle.then_some(created),
        ..Default::default()
    }
}

fn monitor(info: &MonInfo<'_>) -> Monitor {
    let one = info.public_addr.iter();
    let addrs = info.public_addrs.iter().flat_map(|addrs| &addrs.addrs).chain(one);
    // an address of a family that has none here can't be dialled
    let addrs = addrs.filter_map(|addr| Some(entity_addr(addr.r#type, socket_addr(addr)?, addr.nonce)));
    Monitor {
        name: info.name.to_string(),
        addrs: addrs.collect(),
        priority: info.priority.unwrap_or_default(),
        weight: info.weight.unwrap_or_default(),
    }
}

fn text(text: &str) -> Text<'_> {
    Text::from(text)
}

/// Maps stand on the wire in the order of their keys.
fn sorted<'a, V>(mut items: Vec<(Text<'a>, V)>) -> Vec<(Text<'a>, V)> {
    items.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
    items
}

/// Versions of the OSD map as they came. Their bytes aren't looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsdMaps {
    /// The cluster's id.
    pub fsid: Uuid,
    /// Differences to the version before, by the number of the version that they lead to.
    pub incrementals: Vec<(u32, Bytes)>,
    /// Whole maps by their numbers.
    pub maps: Vec<(u32, Bytes)>,
    /// The oldest version that the monitor has.
    pub oldest: u32,
    /// The newest version that the monitor has.
    pub newest: u32,
}

impl OsdMaps {
    /// The newest of the versions that came.
    pub fn last(&self) -> Option<u32> {
        self.incrementals.iter().chain(&self.maps).map(|(epoch, _)| *epoch).max()
    }

    /// From the wire. What can be read is written as it was, so the maps are the bytes that came.
    pub(super) fn from_wire(body: &MOsdMap<'_>) -> Self {
        let incrementals = body.incrementals.iter().map(|(epoch, blob)| (*epoch, written(blob.map.as_ref())));
        let maps = body.maps.iter().map(|(epoch, blob)| (*epoch, written(blob.map.as_ref())));
        OsdMaps {
            fsid: body.fsid,
            incrementals: incrementals.collect(),
            maps: maps.collect(),
            oldest: body.oldest_map,
            newest: body.newest_map,
        }
    }
}

/// The bytes of what a blob holds.
fn written(map: Option<&impl Encode>) -> Bytes {
    map.and_then(|map| map.to_bytes().ok()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Composite as _, Reader};
    use crate::{Context, wire};

    fn map(release: CephRelease) -> MonMap {
        MonMap {
            epoch: 3,
            created: Utime { sec: 1_700_000_000, nsec: 1 },
            features: features(release),
            min_mon_release: release,
            mons: vec![
                Monitor::new("b", "127.0.0.1:3300".parse().unwrap()),
                Monitor::new("a", "[::1]:3301".parse().unwrap()),
            ],
            ..MonMap::default()
        }
    }

    #[test]
    fn as_each_release_writes_it() {
        for (release, version, info_version) in [
            (CephRelease::NAUTILUS, 7, 3),
            (CephRelease::PACIFIC, 9, 5),
            (CephRelease::REEF, 9, 5),
            (CephRelease::TENTACLE, 10, 6),
        ] {
            let map = map(release);
            let bytes = map.to_wire(release).to_bytes().unwrap();
            let read = types::MonMap::decode(&mut Reader::new(&bytes), &Context::default(), &mut ()).unwrap();
            assert_eq!(read.struct_v, version);
            let infos = read.mon_info.as_ref().unwrap();
            assert!(infos.iter().all(|(_, info)| info.struct_v == info_version));
            assert_eq!(infos[0].0, wire::Text::from("a"), "in the order of names");
            assert_eq!(MonMap::from_wire(&read), map, "in the order of ranks");
        }
    }

    #[test]
    fn features_as_the_captures_have_them() {
        assert_eq!(features(CephRelease::NAUTILUS), MonFeatures(0x1f));
        assert_eq!(features(CephRelease::PACIFIC), MonFeatures(0xff));
        assert_eq!(features(CephRelease::REEF), MonFeatures(0x3ff));
    }
}
