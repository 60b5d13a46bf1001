//! What is known of a unit besides the fields in its bytes: the fields that are generated, with their values.

use super::key_types::KeyOwner;
use super::unit::{Mode, RelationKind, Unit, UnitKind};
use crate::field;
use crate::frame::{Dialect, Revision, secure};
use crate::v2_1::Tag;
use crate::wire::Field;

/// The value of a generated field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A name.
    Text(&'static str),
    /// A number: bytes, a record, a packet.
    Number(u64),
    /// Whether something is so.
    Truth(bool),
}

/// The generated fields of a unit, in the order in which they are shown.
pub fn facts(unit: &Unit) -> Vec<(Field, Fact)> {
    let mut all = Vec::new();
    let framed = !matches!(unit.kind, UnitKind::Banner | UnitKind::Lost | UnitKind::Ended);
    let text = |name: Option<&'static str>| name.map(Fact::Text);
    let number = |number: Option<u64>| number.map(Fact::Number);
    let mut add = |field: Field, fact: Option<Fact>| all.extend(fact.map(|fact| (field, fact)));
    add(field::COMMON_DIALECT, text(unit.dialect()));
    add(field::COMMON_MODE, text(framed.then(|| unit.mode.name())));
    add(field::COMMON_SENDER, text(unit.sender.map(|role| role.name())));
    add(field::COMMON_VERDICT, text(unit.verdict.map(|verdict| verdict.name())));
    add(field::COMMON_CRC, text(unit.crc.map(|crc| crc.name())));
    add(field::COMMON_OPENED, unit.opened().map(Fact::Truth));
    add(field::COMMON_FRAME_LEN, number(unit.frame_len().map(u64::from)));
    let parts = [field::COMMON_FRONT_LEN, field::COMMON_MIDDLE_LEN, field::COMMON_DATA_LEN];
    for (field, length) in parts.into_iter().zip(unit.message_lens().unwrap_or_default()) {
        add(field, number(unit.message_lens().map(|_| length.into())));
    }
    add(field::COMMON_RECORD, number(unit.record()));
    for key in &unit.key_types {
        let field = match key.owner {
            KeyOwner::Client(_) => field::COMMON_KEY_TYPE_CLIENT,
            KeyOwner::Service(_) => field::COMMON_KEY_TYPE_SERVICE,
        };
        add(field, text(Some(key.name())));
    }
    for relation in &unit.relations {
        let field = match relation.kind {
            RelationKind::Signs => field::COMMON_SIGNS,
            RelationKind::Resumes => field::COMMON_RESUMES,
        };
        add(field, number(Some(relation.packet.into())));
    }
    all
}

impl Unit {
    /// Whether what is sealed was opened; `None` of what isn't sealed.
    pub fn opened(&self) -> Option<bool> {
        match self.kind {
            UnitKind::Secure | UnitKind::Record => Some(!self.inner().is_empty()),
            UnitKind::Encrypted => Some(false),
            _ => None,
        }
    }

    /// The bytes of a frame on the wire, or in the record that it stands in, with all that is around its payload; `None` of what is
    /// no frame. Of a secure frame that is opened what is in it has the length.
    pub fn frame_len(&self) -> Option<u32> {
        match self.kind {
            UnitKind::Frame(head) if self.mode == Mode::Secure => {
                let revision = self.dialect.and_then(Dialect::revision).unwrap_or(Revision::V2_1);
                u32::try_from(secure::frame_len(&head, revision)).ok()
            }
            UnitKind::Frame(_) | UnitKind::Plain(_) => Some(self.length),
            UnitKind::Secure if self.inner().is_empty() => Some(self.length),
            _ => None,
        }
    }

    /// The bytes of a message's front, middle and data as its frame carries them; `None` of what is no MESSAGE of v2.0 or v2.1, and
    /// of one that is compressed, whose lengths stand at what it decompresses to.
    pub fn message_lens(&self) -> Option<[u32; 3]> {
        match self.kind {
            UnitKind::Frame(head) | UnitKind::Segments(head)
                if Tag(head.tag) == Tag::MESSAGE && self.inner().is_empty() =>
            {
                let [_, parts @ ..] = head.lengths;
                Some(parts)
            }
            _ => None,
        }
    }
}
