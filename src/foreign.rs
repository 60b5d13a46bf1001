//! Who speaks at a port that is msgr2's, if it isn't msgr2: told by the first bytes of a direction.
//!
//! Each protocol is recognised by what it always begins with; what these beginnings are stands in the protocol's own
//! specification, named at each variant.

use std::fmt;

/// A protocol that is not the one that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// The messenger before msgr2 (Ceph's doc/dev/network-protocol: the banner `ceph v027`; older ones differ in the number).
    Msgr1,
    /// msgr2 as it was released, where the proposal of 2016 is spoken.
    Msgr2,
    /// The proposal of 2016, where msgr2 as it was released is spoken.
    Proposal,
    /// A banner of Ceph that nothing is known of.
    Ceph,
    /// HTTP, requests or responses (RFC 9112), or the beginning of HTTP/2 (RFC 9113, 3.4).
    Http,
    /// TLS: a handshake or alert record (RFC 8446, 5.1).
    Tls,
    /// SSH (RFC 4253, 4.2).
    Ssh,
    /// SMTP, or FTP, whose servers greet alike (RFC 5321, 4.2; RFC 959).
    Smtp,
    /// The header of a proxy or load balancer (HAProxy's PROXY protocol, versions 1 and 2).
    Proxy,
}

impl Foreign {
    /// The name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Foreign::Msgr1 => "msgr1",
            Foreign::Msgr2 => "msgr2",
            Foreign::Proposal => "the proposal of msgr2",
            Foreign::Ceph => "an unknown protocol of Ceph",
            Foreign::Http => "HTTP",
            Foreign::Tls => "TLS",
            Foreign::Ssh => "SSH",
            Foreign::Smtp => "SMTP",
            Foreign::Proxy => "the PROXY protocol",
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a direction begins with, and what that shows. Longer ones stand before those that they begin with.
const BEGINNINGS: &[(&[u8], Foreign)] = &[
    (b"ceph v0", Foreign::Msgr1),
    (b"ceph v2\n", Foreign::Msgr2),
    (b"GET ", Foreign::Http),
    (b"HEAD ", Foreign::Http),
    (b"POST ", Foreign::Http),
    (b"PUT ", Foreign::Http),
    (b"DELETE ", Foreign::Http),
    (b"OPTIONS ", Foreign::Http),
    (b"CONNECT ", Foreign::Http),
    (b"PATCH ", Foreign::Http),
    (b"TRACE ", Foreign::Http),
    (b"PRI * HTTP/2", Foreign::Http),
    (b"HTTP/", Foreign::Http),
    // an error page without a status line, as old servers send it
    (b"<", Foreign::Http),
    // alert, handshake; then the version of the record, whose first byte is 3 in all of them
    (&[0x15, 3], Foreign::Tls),
    (&[0x16, 3], Foreign::Tls),
    (b"SSH-", Foreign::Ssh),
    (b"220 ", Foreign::Smtp),
    (b"220-", Foreign::Smtp),
    (b"EHLO ", Foreign::Smtp),
    (b"HELO ", Foreign::Smtp),
    (b"PROXY ", Foreign::Proxy),
    (b"\r\n\r\n\0\r\nQUIT\n", Foreign::Proxy),
];

/// What the first bytes of a direction are, if they are of a protocol that is known. The two protocols of this project
/// are told too; whether they are foreign depends on where they stand.
pub fn recognise(bytes: &[u8]) -> Option<Foreign> {
    if let Some((_, found)) = BEGINNINGS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(*found);
    }
    let banner = bytes.strip_prefix(b"ceph ")?;
    let digits = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match banner.iter().find(|byte| !digits(byte)) {
        // two words of digits
        Some(b' ') if banner[0] != b' ' => Some(Foreign::Proposal),
        Some(_) => Some(Foreign::Ceph),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_begins_with() {
        for (bytes, is) in [
            (&b"ceph v027\0\0\0\0\x01"[..], Some(Foreign::Msgr1)),
            (b"ceph v026", Some(Foreign::Msgr1)),
            (b"ceph v2\n\x10\0", Some(Foreign::Msgr2)),
            (b"ceph 3 0\n", Some(Foreign::Proposal)),
            (b"ceph v3\n", Some(Foreign::Ceph)),
            (b"GET / HTTP/1.1\r\n", Some(Foreign::Http)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Foreign::Http)),
            (&[0x16, 3, 1, 0, 200, 1], Some(Foreign::Tls)),
            (&[0x15, 3, 3, 0, 2, 2, 70], Some(Foreign::Tls)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Some(Foreign::Ssh)),
            (b"220 mail.example ESMTP\r\n", Some(Foreign::Smtp)),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 3300\r\n", Some(Foreign::Proxy)),
            (b"", None),
            (b"ceph ", None),
            (b"ceph 3", None),
            (b"GETTING", None),
            (&[0x16, 1], None),
        ] {
            assert_eq!(recognise(bytes), is, "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn no_beginning_hides_another() {
        for (index, (start, _)) in BEGINNINGS.iter().enumerate() {
            let hidden = BEGINNINGS[..index].iter().find(|(earlier, _)| start.starts_with(earlier));
            assert_eq!(hidden, None);
        }
    }
}
