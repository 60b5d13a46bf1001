//! What a monitor says of itself when it is pinged.

use std::fmt::Write as _;

use super::map::MonMap;
use crate::Context;
use crate::session::Message;
use crate::types::{EntityAddrvec, MessageType, Pong};
use crate::wire::{Composite as _, Encode as _, Error, Reader, Text};

/// A PING that answers one.
pub(super) fn pong(map: &MonMap) -> Result<Message, Error> {
    let status = status(map);
    Ok(Message::new(MessageType::PING, Pong { status: Text::from(&*status) }.to_bytes()?))
}

/// What a monitor's answer to a PING says, as JSON; `None` if the message is none.
pub fn pong_status(message: &Message) -> Option<String> {
    if message.kind != MessageType::PING {
        return None;
    }
    let mut reader = Reader::new(&message.front);
    let pong = Pong::decode(&mut reader, &Context::default(), &mut ()).ok()?;
    (reader.left() == 0).then(|| pong.status.to_string())
}

/// The monitors that there are, in the words of Ceph, which says health and state beside them.
fn status(map: &MonMap) -> String {
    let mut mons = String::new();
    for (rank, mon) in map.mons.iter().enumerate() {
        let separator = if rank == 0 { "" } else { "," };
        let addrs = EntityAddrvec { addrs: mon.addrs.clone() }.to_string();
        let (name, addrs) = (quoted(&mon.name), quoted(&addrs));
        // a String takes everything
        let _ = write!(mons, "{separator}{{\"rank\":{rank},\"name\":{name},\"addrs\":{addrs}}}");
    }
    let MonMap { epoch, fsid, .. } = map;
    format!("{{\"mon_status\":{{\"monmap\":{{\"epoch\":{epoch},\"fsid\":\"{fsid}\",\"mons\":[{mons}]}}}}}}")
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mon::Monitor;

    #[test]
    fn is_told_in_json() {
        let mons = vec![
            Monitor::new("a", "127.0.0.1:3300".parse().unwrap()),
            Monitor::new("\"\\\n", "[::1]:1".parse().unwrap()),
        ];
        let message = pong(&MonMap { epoch: 7, mons, ..MonMap::default() }).unwrap();
        let status = pong_status(&message).unwrap();
        assert_eq!(
            status,
            "{\"mon_status\":{\"monmap\":{\"epoch\":7,\"fsid\":\"00000000-0000-0000-0000-000000000000\",\"mons\":[\
             {\"rank\":0,\"name\":\"a\",\"addrs\":\"[v2:127.0.0.1:3300/0]\"},\
             {\"rank\":1,\"name\":\"\\\"\\\\\\u000a\",\"addrs\":\"[v2:[::1]:1/0]\"}]}}}"
        );
        assert_eq!(pong_status(&Message::new(MessageType::PING, "")), None);
        assert_eq!(pong_status(&Message::new(MessageType::PING, "hello")), None);
        assert_eq!(pong_status(&Message::new(MessageType::MON_MAP, message.front)), None);
    }
}
