//! Names of entities.

use std::fmt;
use std::str::FromStr;

use crate::types::{AuthEntityName, EntityType, EntityTypeWord};
use crate::wire::Text;

/// Whom a key belongs to, for example `client.admin`; the monitors share `mon.`, whose id is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityName {
    /// What it is.
    pub kind: EntityType,
    /// What stands behind the dot.
    pub id: String,
}

/// A text or a structure of the wire that names no entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of an entity")]
pub struct BadEntityName(pub String);

/// The kinds that a name can begin with.
pub(super) const KINDS: [EntityType; 6] =
    [EntityType::MON, EntityType::MDS, EntityType::OSD, EntityType::CLIENT, EntityType::MGR, EntityType::AUTH];

/// The most bytes of an id: what the spec allows on the wire.
const LONGEST_ID: usize = 256;

/// A kind by its name, as keyrings have it.
pub(super) fn kind(name: &str) -> Option<EntityType> {
    KINDS.into_iter().find(|kind| kind.name() == Some(name))
}

/// The name of a kind, as keyrings have it.
pub(super) fn kind_name(kind: EntityType) -> &'static str {
    kind.name().unwrap_or("?")
}

impl EntityName {
    /// A name of its parts.
    pub fn new(kind: EntityType, id: impl Into<String>) -> Self {
        EntityName { kind, id: id.into() }
    }

    /// As it stands on the wire.
    pub fn to_wire(&self) -> AuthEntityName<'static> {
        let id = Text::from(self.id.clone().into_bytes());
        AuthEntityName { r#type: EntityTypeWord(self.kind.0.into()), id }
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", kind_name(self.kind), self.id)
    }
}

impl FromStr for EntityName {
    type Err = BadEntityName;

    fn from_str(text: &str) -> Result<Self, BadEntityName> {
        let bad = || BadEntityName(text.chars().take(LONGEST_ID).collect());
        let (name, id) = text.split_once('.').ok_or_else(bad)?;
        let kind = kind(name).ok_or_else(bad)?;
        // these could not be written to a keyring
        if id.len() > LONGEST_ID || id.contains(|c: char| c == ']' || c.is_control()) {
            return Err(bad());
        }
        Ok(EntityName::new(kind, id))
    }
}

impl TryFrom<&AuthEntityName<'_>> for EntityName {
    type Error = BadEntityName;

    fn try_from(name: &AuthEntityName<'_>) -> Result<Self, BadEntityName> {
        let bad = || BadEntityName(name.to_string());
        let kind = KINDS.into_iter().find(|kind| u32::from(kind.0) == name.r#type.0).ok_or_else(bad)?;
        let id = std::str::from_utf8(&name.id).map_err(|_| bad())?;
        Ok(EntityName::new(kind, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_structures() {
        for text in ["client.admin", "mon.", "osd.12", "mgr.x", "mds.a.b", "auth.", "client.with space"] {
            let name: EntityName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(EntityName::try_from(&name.to_wire()), Ok(name));
        }
        for text in ["", "admin", "clients.admin", "client", ".admin", "client.a]b", "client.a\nb"] {
            assert_eq!(text.parse::<EntityName>(), Err(BadEntityName(text.into())));
        }
        let unknown = AuthEntityName { r#type: EntityTypeWord(0x108), id: "admin".into() };
        assert!(EntityName::try_from(&unknown).is_err());
        let latin = AuthEntityName { r#type: EntityTypeWord::CLIENT, id: Text::from(&b"\xe4"[..]) };
        assert!(EntityName::try_from(&latin).is_err());
    }
}
