//! Why connections end: one name for each cause.

use std::fmt;

use super::Tag;
use crate::auth::cephx::{client, server};
use crate::frame::HeadError;
use crate::frame::compress::DecompressError;
use crate::frame::proposal::RecordError;
use crate::frame::secure::{NoncesExhausted, SecureError};
use crate::session::Unsent;
use crate::types::{
    AuthMethod, AuthPurpose, CephFeatures, ConnectionMode, EntityType, Errno, Msgr2Features, ProposalFeatures,
};
use crate::wire;

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// The handshake, up to START or RECONNECT_OK.
    Handshake,
    /// Any frame.
    Frame,
    /// An acknowledgement.
    Ack,
    /// The answer to a CLOSE.
    Close,
}

/// Why a connection ended. The other connections of its endpoint go on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The banner is none of this dialect.
    Banner(wire::Error),
    /// The peer requires features of the messenger that this side doesn't support.
    FeaturesUnsupported {
        /// Which.
        features: ProposalFeatures,
    },
    /// The peer doesn't support features of the messenger that this side requires.
    FeaturesRequired {
        /// Which.
        features: ProposalFeatures,
    },
    /// The peer requires features of msgr2 that this side doesn't support.
    Msgr2FeaturesUnsupported {
        /// Which.
        features: Msgr2Features,
    },
    /// The peer doesn't support features of msgr2 that this side requires.
    Msgr2FeaturesRequired {
        /// Which.
        features: Msgr2Features,
    },
    /// A preamble that is none, or of a frame that is too large.
    Preamble(HeadError),
    /// A segment whose CRC doesn't match.
    BadCrc {
        /// The tag.
        tag: Tag,
        /// The segment, from 0.
        segment: usize,
    },
    /// A frame that ends in a way that there isn't.
    BadEpilogue {
        /// The tag.
        tag: Tag,
        /// Its late status.
        status: u8,
    },
    /// A compressed frame, though nobody has agreed on that.
    CompressedUnasked {
        /// The tag.
        tag: Tag,
    },
    /// A compressed segment that can't be decompressed.
    NotDecompressed {
        /// The tag.
        tag: Tag,
        /// The segment, from 0.
        segment: usize,
        /// Why.
        error: DecompressError,
    },
    /// A sealed frame that doesn't open.
    Secure(SecureError),
    /// A direction has used up its nonces; another connection has new ones.
    NoncesExhausted,
    /// Frames are to be encrypted, and nobody has made a secret for that.
    NoConnectionSecret,
    /// Neither of the modes that the client asked for is allowed.
    ModesExhausted {
        /// What the server allows.
        allowed: Vec<ConnectionMode>,
    },
    /// The address that the client dialled isn't one of the server's.
    WrongAddress {
        /// The address.
        found: String,
    },
    /// A frame without a tag.
    FrameEmpty,
    /// A frame_len above the limit.
    FrameTooLarge {
        /// The frame_len, in bytes.
        frame_len: u32,
        /// The limit, in bytes.
        limit: u32,
    },
    /// A tag that the dialect doesn't have.
    UnknownTag {
        /// The tag.
        tag: u8,
    },
    /// A frame that the state doesn't allow.
    NotAllowed {
        /// The name of the state.
        state: &'static str,
        /// The tag.
        tag: Tag,
    },
    /// A payload that can't be read.
    Malformed {
        /// The tag.
        tag: Tag,
        /// Which field, at which byte of the frame.
        error: wire::Error,
    },
    /// A field whose value the protocol doesn't allow.
    BadValue {
        /// The tag.
        tag: Tag,
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// A signature that doesn't verify.
    BadSignature {
        /// Its number in this direction.
        number: u64,
    },
    /// A SIGNATURE that isn't as long as one.
    SignatureLength {
        /// The frame_len, in bytes.
        frame_len: u32,
    },
    /// A sealed record that is none.
    Record(RecordError),
    /// A sealed record with a part of a frame.
    PartOfFrame {
        /// The record's number in this direction.
        record: u64,
    },
    /// Encryption is required, and the first frame after authentication isn't ENCRYPT_BEGIN.
    NotEncrypted {
        /// The tag of what came instead.
        tag: Tag,
    },
    /// ENCRYPT_BEGIN where it can't be: it comes once, and first after authentication.
    EncryptOutOfPlace,
    /// A cipher that the dialect doesn't have.
    UnknownCipher {
        /// Its number.
        cipher: u32,
    },
    /// No method is left.
    MethodsExhausted {
        /// What the client tried.
        tried: Vec<AuthMethod>,
        /// What the server allows.
        allowed: Vec<AuthMethod>,
    },
    /// The client chose more methods than there are.
    TooManyMethods {
        /// How many.
        limit: usize,
    },
    /// The server let the client not in.
    Denied {
        /// Why.
        result: Errno,
        /// What it says to people.
        message: String,
    },
    /// This server let a client not in.
    Refused(Refusal),
    /// What the server sent to prove itself doesn't.
    Auth(client::ClientError),
    /// Something else than what the method wants, which is named.
    UnexpectedPayload {
        /// The tag.
        tag: Tag,
    },
    /// Entity type, id, global_id or purpose aren't those of the round before.
    RequestChanged,
    /// The peer isn't who was authenticated, or expected.
    IdentityMismatch {
        /// The field of IDENT.
        field: &'static str,
        /// What it says.
        found: u64,
        /// What it should say.
        expected: u64,
    },
    /// IDENT without an address.
    NoAddress,
    /// IDENT has a cookie though it says LOSSY, or none though it doesn't.
    CookieMismatch {
        /// The cookie.
        cookie: u64,
    },
    /// IDENT doesn't say LOSSY, though one side can't resume sessions.
    NotLossy,
    /// The peer lacks features that this side requires.
    FeaturesMissing {
        /// Which.
        features: CephFeatures,
    },
    /// The peer says that this side lacks features.
    FeaturesLacking {
        /// Which.
        features: CephFeatures,
    },
    /// Messages are missing.
    SequenceGap {
        /// The number that was to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A message was acknowledged that was never sent.
    AckOfUnsent(Unsent),
    /// A START from before the session that the peer has.
    LateStart {
        /// The global_seq of the START's connection.
        global_seq: u64,
        /// The session's.
        session: u64,
    },
    /// A client asks for a session again and again.
    TooManyReconnects {
        /// How many are allowed on one connection.
        limit: usize,
    },
    /// The server has as many sessions as it may have.
    TooManySessions {
        /// How many.
        limit: usize,
    },
    /// The receive buffers are full.
    MemoryExhausted {
        /// How many bytes they may hold.
        limit: usize,
    },
    /// A frame of this side that can't be written: the configuration is wrong.
    Unwritable {
        /// The tag.
        tag: Tag,
        /// Why.
        error: wire::Error,
    },
    /// Something took too long.
    TimedOut {
        /// What.
        what: Awaited,
    },
}

/// Why a server lets a client not in. The client is told less.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The server doesn't serve this purpose.
    Purpose(AuthPurpose),
    /// The server doesn't allow the method.
    Method(AuthMethod),
    /// The server allows none of the modes that the client would take.
    Mode,
    /// What the method says can't be read.
    Unreadable(wire::Error),
    /// Something where the method says nothing, or nothing where it says something.
    Unexpected,
    /// The entity's name can't be one.
    Name,
    /// cephx says no.
    Cephx(server::Refused),
}

impl Refusal {
    /// What the client is told.
    pub fn errno(&self) -> Errno {
        match self {
            Refusal::Purpose(_) | Refusal::Method(_) | Refusal::Mode => Errno::EOPNOTSUPP,
            Refusal::Unreadable(_) | Refusal::Unexpected => Errno::EINVAL,
            Refusal::Name => Errno::EACCES,
            Refusal::Cephx(refused) => refused.errno(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Purpose(purpose) => write!(f, "{purpose} isn't served here"),
            Refusal::Unreadable(error) => write!(f, "the request can't be read: {error}"),
            Refusal::Method(method) => write!(f, "the method {method} isn't allowed"),
            Refusal::Mode => f.write_str("none of the client's connection modes is allowed"),
            Refusal::Unexpected => f.write_str("the request isn't what the method wants"),
            Refusal::Name => f.write_str("the name can't be one"),
            Refusal::Cephx(refused) => refused.fmt(f),
        }
    }
}

impl Error {
    /// A name for statistics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Error::Banner(_) => "banner",
            Error::FeaturesUnsupported { .. } => "features_unsupported",
            Error::FeaturesRequired { .. } => "features_required",
            Error::Msgr2FeaturesUnsupported { .. } => "msgr2_features_unsupported",
            Error::Msgr2FeaturesRequired { .. } => "msgr2_features_required",
            Error::Preamble(_) => "preamble",
            Error::BadCrc { .. } => "bad_crc",
            Error::BadEpilogue { .. } => "bad_epilogue",
            Error::CompressedUnasked { .. } => "compressed_unasked",
            Error::NotDecompressed { .. } => "not_decompressed",
            Error::Secure(_) => "secure",
            Error::NoncesExhausted => "nonces_exhausted",
            Error::NoConnectionSecret => "no_connection_secret",
            Error::ModesExhausted { .. } => "modes_exhausted",
            Error::WrongAddress { .. } => "wrong_address",
            Error::FrameEmpty => "frame_empty",
            Error::FrameTooLarge { .. } => "frame_too_large",
            Error::UnknownTag { .. } => "unknown_tag",
            Error::NotAllowed { .. } => "not_allowed",
            Error::Malformed { .. } => "malformed",
            Error::BadValue { .. } => "bad_value",
            Error::BadSignature { .. } => "bad_signature",
            Error::SignatureLength { .. } => "signature_length",
            Error::Record(_) => "record",
            Error::PartOfFrame { .. } => "part_of_frame",
            Error::NotEncrypted { .. } => "not_encrypted",
            Error::EncryptOutOfPlace => "encrypt_out_of_place",
            Error::UnknownCipher { .. } => "unknown_cipher",
            Error::MethodsExhausted { .. } => "methods_exhausted",
            Error::TooManyMethods { .. } => "too_many_methods",
            Error::Denied { .. } => "denied",
            Error::Refused(_) => "refused",
            Error::Auth(_) => "auth",
            Error::UnexpectedPayload { .. } => "unexpected_payload",
            Error::RequestChanged => "request_changed",
            Error::IdentityMismatch { .. } => "identity_mismatch",
            Error::NoAddress => "no_address",
            Error::CookieMismatch { .. } => "cookie_mismatch",
            Error::NotLossy => "not_lossy",
            Error::FeaturesMissing { .. } => "features_missing",
            Error::FeaturesLacking { .. } => "features_lacking",
            Error::SequenceGap { .. } => "sequence_gap",
            Error::AckOfUnsent(_) => "ack_of_unsent",
            Error::LateStart { .. } => "late_start",
            Error::TooManyReconnects { .. } => "too_many_reconnects",
            Error::TooManySessions { .. } => "too_many_sessions",
            Error::MemoryExhausted { .. } => "memory_exhausted",
            Error::Unwritable { .. } => "unwritable",
            Error::TimedOut { .. } => "timed_out",
        }
    }

    /// Whether another connection would go the same way.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Error::Banner(_)
                | Error::FeaturesUnsupported { .. }
                | Error::FeaturesRequired { .. }
                | Error::Msgr2FeaturesUnsupported { .. }
                | Error::Msgr2FeaturesRequired { .. }
                | Error::ModesExhausted { .. }
                | Error::WrongAddress { .. }
                | Error::MethodsExhausted { .. }
                | Error::Denied { .. }
                | Error::Auth(_)
                | Error::IdentityMismatch { .. }
                | Error::FeaturesMissing { .. }
                | Error::FeaturesLacking { .. }
                | Error::Unwritable { .. }
        )
    }
}

/// Names in a row.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, method) in self.0.iter().enumerate() {
            write!(f, "{}{method}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Banner(error) => write!(f, "the peer's banner isn't that of this dialect: {error}"),
            Error::FeaturesUnsupported { features } => {
                write!(f, "the peer's banner requires {features}, which this side doesn't support")
            }
            Error::FeaturesRequired { features } => {
                write!(f, "this side requires {features}, which the peer's banner doesn't offer")
            }
            Error::Msgr2FeaturesUnsupported { features } => {
                write!(f, "the peer's banner requires {features}, which this side doesn't support")
            }
            Error::Msgr2FeaturesRequired { features } => {
                write!(f, "this side requires {features}, which the peer's banner doesn't offer")
            }
            Error::Preamble(error) => error.fmt(f),
            Error::BadCrc { tag, segment } => write!(f, "{tag}: the CRC of segment {segment} doesn't match"),
            Error::BadEpilogue { tag, status } => write!(f, "{tag} ends with the late status {status:#04x}"),
            Error::CompressedUnasked { tag } => write!(f, "{tag} is compressed, and nobody has agreed on that"),
            Error::NotDecompressed { tag, segment, error } => write!(f, "{tag}, segment {segment}: {error}"),
            Error::Secure(error) => error.fmt(f),
            Error::NoncesExhausted => f.write_str("all nonces are used up"),
            Error::NoConnectionSecret => f.write_str("secure mode without a secret of 40 bytes or more"),
            Error::ModesExhausted { allowed } => {
                write!(f, "no connection mode in common: the server allows {}", List(allowed))
            }
            Error::WrongAddress { found } => write!(f, "the dialled address {found} isn't one of the server's"),
            Error::FrameEmpty => f.write_str("a frame_len of 0: the frame has no tag"),
            Error::FrameTooLarge { frame_len, limit } => write!(f, "a frame_len of {frame_len}, the limit is {limit}"),
            Error::UnknownTag { tag } => write!(f, "a signed or plain frame with the unknown tag {tag:#04x}"),
            Error::NotAllowed { state, tag } => write!(f, "{tag} isn't allowed in state {state}"),
            Error::Malformed { tag, error } => write!(f, "{tag} can't be read: {error}"),
            Error::BadValue { tag, field, found } => write!(f, "{tag}: {field} can't be {found:#x}"),
            Error::BadSignature { number } => write!(f, "signature {number} of the peer doesn't verify"),
            Error::SignatureLength { frame_len } => write!(f, "a SIGNATURE with a frame_len of {frame_len}, not 33"),
            Error::Record(error) => write!(f, "sealed record: {error}"),
            Error::PartOfFrame { record } => write!(f, "sealed record {record} holds a part of a frame"),
            Error::NotEncrypted { tag } => write!(f, "{tag} came in the clear, though encryption is required"),
            Error::EncryptOutOfPlace => f.write_str("ENCRYPT_BEGIN isn't the first frame after authentication"),
            Error::UnknownCipher { cipher } => write!(f, "ENCRYPT_BEGIN with the unknown cipher {cipher}"),
            Error::MethodsExhausted { tried, allowed } => {
                write!(f, "no method is left: tried {}, the server allows {}", List(tried), List(allowed))
            }
            Error::TooManyMethods { limit } => write!(f, "the client chose more than {limit} methods"),
            Error::Denied { result, message } if message.is_empty() => write!(f, "the server denies access: {result}"),
            Error::Denied { result, message } => write!(f, "the server denies access: {result}, {message}"),
            Error::Refused(refusal) => write!(f, "access denied: {refusal}"),
            Error::Auth(error) => write!(f, "the server didn't prove itself: {error}"),
            Error::UnexpectedPayload { tag } => write!(f, "{tag} doesn't carry what the method wants"),
            Error::RequestChanged => {
                f.write_str("AUTH_REQUEST: purpose, entity or global_id aren't those of the round before")
            }
            Error::IdentityMismatch { field, found, expected } => {
                write!(f, "IDENT.{field} is {found}, but {expected} was authenticated or expected")
            }
            Error::NoAddress => f.write_str("IDENT.addrs is empty"),
            Error::CookieMismatch { cookie } => {
                write!(f, "IDENT.cookie is {cookie:#x}; it is 0 exactly if the flags say LOSSY")
            }
            Error::NotLossy => f.write_str("IDENT doesn't say LOSSY, though RECONNECT isn't supported by both sides"),
            Error::FeaturesMissing { features } => write!(f, "the peer lacks features: {features}"),
            Error::FeaturesLacking { features } => write!(f, "the peer says that this side lacks features: {features}"),
            Error::SequenceGap { expected, found } => {
                write!(f, "message {found} came where {expected} was to come")
            }
            Error::AckOfUnsent(unsent) => unsent.fmt(f),
            Error::LateStart { global_seq, session } => {
                write!(f, "a late START: its global_seq is {global_seq}, the session's {session}")
            }
            Error::TooManyReconnects { limit } => {
                write!(f, "a session was asked for more than {limit} times on one connection")
            }
            Error::TooManySessions { limit } => write!(f, "{limit} sessions, the limit"),
            Error::MemoryExhausted { limit } => write!(f, "the receive buffers hold {limit} bytes, the limit"),
            Error::Unwritable { tag, error } => {
                write!(f, "{tag} can't be written, the configuration is wrong: {error}")
            }
            Error::TimedOut { what } => {
                let what = match what {
                    Awaited::Handshake => "the handshake took too long",
                    Awaited::Frame => "nothing came from the peer for too long",
                    Awaited::Ack => "messages weren't acknowledged in time",
                    Awaited::Close => "CLOSE wasn't answered in time",
                };
                f.write_str(what)
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        Error::Record(error)
    }
}

impl From<NoncesExhausted> for Error {
    fn from(_: NoncesExhausted) -> Self {
        Error::NoncesExhausted
    }
}

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Self {
        Error::AckOfUnsent(unsent)
    }
}

/// An IDENT whose entity type isn't the right one.
pub(crate) fn wrong_type(found: EntityType, expected: EntityType) -> Error {
    Error::IdentityMismatch { field: "entity_type", found: found.0.into(), expected: expected.0.into() }
}
