//! The form of the generated table of findings.

/// How bad a finding is, in Wireshark's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Usual workflow.
    Chat,
    /// Notable.
    Note,
    /// Unusual.
    Warn,
    /// A serious problem.
    Error,
}

/// The kind of trouble, in Wireshark's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A checksum that doesn't match.
    Checksum,
    /// Something out of order.
    Sequence,
    /// Bytes that can't be read.
    Malformed,
    /// A rule of the protocol is broken.
    Protocol,
    /// Encryption and decryption.
    Decryption,
    /// Something that isn't known.
    Undecoded,
}

/// What is known of a kind of finding.
#[derive(Debug)]
pub struct FindingInfo {
    /// Its name in the spec.
    pub name: &'static str,
    /// Its filter in Wireshark.
    pub filter: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The kind of trouble.
    pub group: Group,
    /// A few words.
    pub summary: &'static str,
    /// One sentence.
    pub doc: &'static str,
}
