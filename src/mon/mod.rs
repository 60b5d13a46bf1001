//! What a client and a monitor say to each other once they are connected.
//!
//! A [`Client`] asks for the monitor map, subscribes to what it wants, renews subscriptions and tickets, looks whether
//! the monitor is still there, and goes to another one if it isn't. A [`Server`] is a monitor as far as that: it hands
//! out its map and settings, takes subscriptions, and answers what cephx asks within a session.
//!
//! Like [`peer`](crate::peer) these are without sockets and clocks: they take messages and the time, and say what is to
//! be sent. [`MonHost`] and [`Conf`] read where the monitors are.

mod client;
mod conf;
mod host;
mod map;
mod message;
mod server;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tickets;

pub use client::{Client, ClientConfig, Event, Lost, Output, Times};
pub use conf::{Conf, ConfError};
pub use host::{BadMonHost, Host, Messenger, MonAddr, MonAddrs, MonHost};
pub use map::{MonMap, Monitor, OsdMaps};
pub use message::{decode, encode};
pub use server::{Answered, Server, ServerConfig, Setting};
pub use status::pong_status;
pub use subscriptions::Subscription;
