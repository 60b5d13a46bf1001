//! Recordings in a format that Wireshark reads.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use super::tap::Tap;
use crate::pcapng::{Connection, Writer};
use crate::peer::{ConnectionId, Time};
use crate::wire::Role;

/// Writes what goes over sockets into a pcapng file, as packets of TCP connections.
///
/// What can't be written is lost, and nothing more is tried: the connections go on. [`finish`](Self::finish) tells.
pub struct Recorder<W: Write> {
    writer: Writer<W>,
    open: HashMap<ConnectionId, Connection>,
    error: Option<io::Error>,
}

impl<W: Write> Recorder<W> {
    /// Begins a file.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(Recorder { writer: Writer::new(out)?, open: HashMap::new(), error: None })
    }

    /// Puts keys into the file, for what comes behind them: a Decryption Secrets Block with this Secrets Type.
    pub fn secrets(&mut self, kind: u32, secrets: &[u8]) -> io::Result<()> {
        self.writer.secrets(kind, secrets)
    }

    /// Writes all that is still in buffers. An error is the first that there was.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.writer.flush(),
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<W>) -> io::Result<()>) {
        if self.error.is_none() {
            self.error = write(&mut self.writer).err();
        }
    }
}

impl<W: Write + Send> Tap for Recorder<W> {
    fn opened(&mut self, connection: ConnectionId, client: SocketAddr, server: SocketAddr, now: Time) {
        if self.error.is_none() {
            match self.writer.connection(client, server, UNIX_EPOCH + now) {
                Ok(opened) => {
                    self.open.insert(connection, opened);
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    fn data(&mut self, connection: ConnectionId, from: Role, bytes: &[u8], now: Time) {
        if let Some(&connection) = self.open.get(&connection) {
            self.write(|writer| writer.data(connection, from == Role::Client, bytes, UNIX_EPOCH + now));
        }
    }

    fn closed(&mut self, connection: ConnectionId, from: Role, now: Time) {
        if let Some(&open) = self.open.get(&connection) {
            self.write(|writer| writer.shut_down(open, from == Role::Client, UNIX_EPOCH + now));
            if !self.writer.is_open(open) {
                self.open.remove(&connection);
            }
        }
    }

    fn reset(&mut self, connection: ConnectionId, from: Role, now: Time) {
        if let Some(open) = self.open.remove(&connection) {
            self.write(|writer| writer.reset(open, from == Role::Client, UNIX_EPOCH + now));
        }
    }
}

impl<W: Write> fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("open", &self.open.len()).field("error", &self.error).finish()
    }
}
