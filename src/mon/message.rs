//! Messages and their bodies.

use crate::Context;
use crate::messages::Body;
use crate::session::Message;
use crate::wire::{Error, Segments};

/// What monitors give their messages: more than clients do.
pub(super) const FROM_MON: u16 = 196;

/// A message with this body, its type and versions, to be sent.
pub fn encode<'a>(body: impl Into<Body<'a>>) -> Result<Message, Error> {
    let body = body.into();
    let (version, compat_version) = body.versions();
    let [front, middle, data] = body.encode()?.map(Into::into);
    Ok(Message { kind: body.message_type(), version, compat_version, front, middle, data, ..Message::default() })
}

/// The body of a message; `None` if the spec doesn't lay out messages of its type.
pub fn decode(message: &Message) -> Option<Result<Body<'_>, Error>> {
    let (front, middle) = (message.front.len(), message.front.len() + message.middle.len());
    let parts = [(0, &[][..]), (0, &*message.front), (front, &*message.middle), (middle, &*message.data)];
    // headers of classes without versions say 0
    let version = message.version.max(1);
    Body::decode(message.kind, version, &Segments::new(parts), &Context::default(), &mut ())
}
