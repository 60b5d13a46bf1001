//! The structures that have examples of their own.

/// Calls a macro with all of them.
#[macro_export]
macro_rules! with_examples {
    ($each:ident) => {
        $each!(
            types::CephxRotatingSecrets,
            types::CephxSessionReply,
            types::CephxSessionRequest,
            types::EntityAddr,
            types::MessageHeader,
            types::Pong,
            v2_0::Banner,
            v2_0::Preamble,
            v2_0::Epilogue,
            v2_0::SecureEpilogue,
            v2_1::SegmentCrc,
            v2_1::Epilogue,
            v2_1::SecureEpilogue,
            proposal::Banner,
            proposal::FrameHeader,
            proposal::RecordHeader,
            proposal::RecordTag,
        )
    };
}
