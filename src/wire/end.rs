//! How a direction of a connection ends.

/// How a direction of a TCP connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Its sender has finished (FIN).
    Fin,
    /// Its sender has broken the connection off (RST).
    Reset,
    /// The capture, or what is remembered of the connection, ends before it does.
    Capture,
}
