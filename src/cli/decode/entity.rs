//! Who is at the ends of connections, as far as frames say it.

use std::collections::HashMap;
use std::net::SocketAddr;

use msgr2::auth::EntityName;
use msgr2::peer::socket_addr;
use msgr2::proposal;
use msgr2::tracker::{AnyFrame, Direction, Unit, UnitKind, frame_of};
use msgr2::types::{CephxRequestBody, EntityAddr, EntityType};
use msgr2::v2_0::AuthRequestPayload;
use msgr2::v2_1;

use super::filter::Entity;

/// The most names of one end that are kept; real ones have three.
const MOST_NAMES: usize = 8;

/// The most entities that are remembered beyond their connection.
const MOST_KNOWN: usize = 1 << 16;

/// What connections have told that helps with others.
#[derive(Default)]
pub(super) struct Book {
    /// Who listens where.
    addrs: HashMap<SocketAddr, Vec<Name>>,
    /// Who was given which id in the cluster.
    ids: HashMap<u64, Name>,
}

/// Who is at the two ends of one connection.
#[derive(Default)]
pub(super) struct Ends {
    /// By the direction in which each sends.
    ends: [Vec<Name>; 2],
}

/// A name of an entity; without what stands behind the dot if only the type was said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    kind: EntityType,
    id: Option<String>,
}

impl Name {
    fn is(&self, entity: &Entity) -> bool {
        entity.is(self.kind, self.id.as_slice())
    }
}

impl From<EntityName> for Name {
    fn from(EntityName { kind, id }: EntityName) -> Self {
        Name { kind, id: Some(id) }
    }
}

impl Ends {
    /// Whether one of these is at either end; `addrs` are those of the ends.
    pub(super) fn include(&self, entities: &[Entity], book: &Book, addrs: [SocketAddr; 2]) -> bool {
        let there = addrs.iter().filter_map(|addr| book.addrs.get(addr)).flatten();
        let mut names = self.ends.iter().flatten().chain(there);
        names.any(|name| entities.iter().any(|entity| name.is(entity)))
    }

    /// Learns from a unit, whose frame may say who sends it.
    pub(super) fn learn(&mut self, unit: &Unit, bytes: &[u8], book: &mut Book) {
        if !tells(unit) {
            return;
        }
        let (from, to) = (unit.direction, unit.direction.other());
        let Some(frame) = frame_of(unit, bytes) else { return };
        match frame {
            AnyFrame::Shipped(v2_1::Frame::Hello(hello)) => self.add(from, Name { kind: hello.entity_type, id: None }),
            AnyFrame::Shipped(v2_1::Frame::AuthRequest(request)) => match &request.payload {
                Some(AuthRequestPayload::None(none)) => self.add_entity(from, (&none.entity).try_into().ok()),
                Some(AuthRequestPayload::Cephx(cephx)) => match &cephx.body {
                    CephxRequestBody::Mon(mon) => self.add_entity(from, (&mon.entity).try_into().ok()),
                    CephxRequestBody::Authorizer(authorizer) => self.add_id(from, authorizer.global_id, book),
                    CephxRequestBody::Other(_) => {}
                },
                _ => {}
            },
            AnyFrame::Shipped(v2_1::Frame::AuthDone(done)) => {
                let named = self.ends[to as usize].iter().find(|name| name.id.is_some());
                if let Some(name) = named
                    && done.global_id != 0
                    && book.ids.len() < MOST_KNOWN
                {
                    book.ids.insert(done.global_id, name.clone());
                }
            }
            AnyFrame::Shipped(v2_1::Frame::ClientIdent(ident)) => self.ident(from, ident.gid, &ident.addrs.addrs, book),
            AnyFrame::Shipped(v2_1::Frame::ServerIdent(ident)) => self.ident(from, ident.gid, &ident.addrs.addrs, book),
            AnyFrame::Proposal(proposal::Frame::AuthRequest(request)) => {
                let id = String::from_utf8_lossy(&request.entity_id).into_owned();
                self.add(from, Name { kind: request.entity_type, id: Some(id) });
            }
            AnyFrame::Proposal(proposal::Frame::Ident(ident)) => {
                self.add(from, Name { kind: ident.entity_type, id: None });
                self.ident(from, ident.gid.cast_signed(), &ident.addrs, book);
            }
            _ => {}
        }
    }

    /// An IDENT: a number, which is the name of an OSD and the id in the cluster of others, or -1 if there is none yet; and
    /// addresses.
    fn ident(&mut self, end: Direction, gid: i64, addrs: &[EntityAddr<'_>], book: &mut Book) {
        let kinds = self.ends[end as usize].iter().filter(|name| name.id.is_none()).map(|name| name.kind);
        let kinds: Vec<_> = kinds.filter(|_| gid >= 0).collect();
        for kind in kinds {
            self.add(end, Name { kind, id: Some(gid.to_string()) });
        }
        self.add_id(end, gid.try_into().unwrap_or_default(), book);
        // of a client that doesn't listen the port is 0
        for addr in addrs.iter().filter_map(socket_addr).filter(|addr| addr.port() != 0) {
            if book.addrs.len() < MOST_KNOWN || book.addrs.contains_key(&addr) {
                book.addrs.insert(addr, self.ends[end as usize].clone());
            }
        }
    }

    /// The entity that was given an id.
    fn add_id(&mut self, end: Direction, id: u64, book: &Book) {
        if let Some(name) = book.ids.get(&id) {
            self.add(end, name.clone());
        }
    }

    fn add_entity(&mut self, end: Direction, name: Option<EntityName>) {
        if let Some(name) = name {
            self.add(end, name.into());
        }
    }

    fn add(&mut self, end: Direction, name: Name) {
        let names = &mut self.ends[end as usize];
        if names.len() < MOST_NAMES && !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Whether the unit is one of the frames that say who somebody is.
fn tells(unit: &Unit) -> bool {
    if !unit.inner().is_empty() {
        return false;
    }
    match unit.kind {
        UnitKind::Frame(head) | UnitKind::Segments(head) => matches!(
            v2_1::Tag(head.tag),
            v2_1::Tag::HELLO
                | v2_1::Tag::AUTH_REQUEST
                | v2_1::Tag::AUTH_DONE
                | v2_1::Tag::CLIENT_IDENT
                | v2_1::Tag::SERVER_IDENT
        ),
        UnitKind::Plain(head) => matches!(head.tag, proposal::Tag::AUTH_REQUEST | proposal::Tag::IDENT),
        _ => false,
    }
}
