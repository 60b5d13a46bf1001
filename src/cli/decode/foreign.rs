//! Which protocol a connection speaks that isn't msgr2's, by its first bytes.

/// As many bytes as it takes.
pub(super) const ENOUGH: usize = 16;

/// The protocol's name.
pub(super) fn recognise(first: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 15] = [
        (b"ceph v0", "the legacy messenger (msgr1)"),
        (b"HTTP/", "HTTP"),
        (b"GET ", "HTTP"),
        (b"HEAD ", "HTTP"),
        (b"POST ", "HTTP"),
        (b"PUT ", "HTTP"),
        (b"DELETE ", "HTTP"),
        (b"OPTIONS ", "HTTP"),
        (b"CONNECT ", "HTTP"),
        (b"PRI * HTTP", "HTTP"),
        (&[0x16, 3], "TLS"),
        (&[0x15, 3], "TLS"),
        (b"SSH-", "SSH"),
        (b"220 ", "SMTP"),
        (b"220-", "SMTP"),
    ];
    KNOWN.iter().find(|(start, _)| first.starts_with(start)).map(|(_, name)| *name)
}
