//! Who wins when two endpoints dial each other.

use std::cmp::Ordering;

use crate::types::EntityAddr;
use crate::wire::Encode as _;

/// The bytes of an address as Ceph's memory has them: type, nonce, and a sockaddr with room for IPv6.
const NATIVE: usize = 4 + 4 + 28;

/// Ceph's order of addresses, by which a race of two connections is decided: byte by byte over type, nonce and
/// sockaddr as they lie in the memory of a little-endian machine. The low byte of the nonce counts more than IP
/// address and port do.
pub fn compare_addrs(one: &EntityAddr<'_>, other: &EntityAddr<'_>) -> Ordering {
    native(one).cmp(&native(other))
}

fn native(addr: &EntityAddr<'_>) -> [u8; NATIVE] {
    let mut bytes = [0; NATIVE];
    bytes[..4].copy_from_slice(&addr.r#type.0.to_le_bytes());
    bytes[4..8].copy_from_slice(&addr.nonce.to_le_bytes());
    // on the wire a sockaddr is laid out as in memory
    let sockaddr = addr.sockaddr.as_ref().and_then(|sockaddr| sockaddr.to_bytes().ok()).unwrap_or_default();
    bytes[8..].iter_mut().zip(sockaddr).for_each(|(to, from)| *to = from);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::peer::entity_addr;
    use crate::types::AddrType;

    fn addr(text: &str, nonce: u32) -> EntityAddr<'static> {
        entity_addr(AddrType::MSGR2, text.parse::<SocketAddr>().unwrap(), nonce)
    }

    #[test]
    fn the_low_byte_of_the_nonce_comes_first() {
        let less = |one, other| assert_eq!(compare_addrs(&one, &other), Ordering::Less);
        less(addr("10.0.0.9:6800", 0x0200), addr("10.0.0.1:6800", 0x0001));
        less(addr("10.0.0.1:6800", 5), addr("10.0.0.2:6800", 5));
        // port in network order, in front of the IP address
        less(addr("10.0.0.9:255", 5), addr("10.0.0.1:256", 5));
        less(addr("10.0.0.9:3300", 5), addr("[::1]:3300", 5));
        less(addr("[2001:db8::1]:3300", 5), addr("[2001:db8::2]:3300", 5));
        let legacy = entity_addr(AddrType::LEGACY, "10.0.0.9:1".parse().unwrap(), 9);
        less(legacy, addr("10.0.0.1:1", 1));
        assert_eq!(compare_addrs(&addr("10.0.0.1:1", 1), &addr("10.0.0.1:1", 1)), Ordering::Equal);
    }
}
