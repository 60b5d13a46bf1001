//! Client and server on TCP.
//!
//! An [`Endpoint`] is one process's end of all its connections: it [`connect`](Endpoint::connect)s to servers and
//! [`listen`](Endpoint::listen)s for clients. Either gives a [`Session`], over which messages go both ways. A session
//! that isn't lossy outlives its connections: it dials again, and each message arrives once and in order.
//!
//! [`MonClient`] and [`MonServer`] are a client of monitors and a monitor on top of it.
//!
//! Everything about the protocol is decided in [`peer`](crate::peer); here are sockets, timers and waiting.
//!
//! ```
//! use std::time::Duration;
//!
//! use msgr2::net::{Config, Endpoint};
//! use msgr2::peer::{ClientAuth, Message, Target};
//! use msgr2::types::{AuthMethod, EntityType, MessageType};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // a server that lets everybody in, and sends back what comes
//! let mut config = Config::new("mon.a".parse()?);
//! config.peer.server.methods = vec![AuthMethod::NONE];
//! let (server, mut listener) = Endpoint::bind(config, "127.0.0.1:0").await?;
//! let addr = listener.local_addr();
//! tokio::spawn(async move {
//!     while let Some(session) = listener.accept().await {
//!         tokio::spawn(async move {
//!             while let Ok(Some(message)) = session.receive().await {
//!                 if session.send(message).await.is_err() {
//!                     break;
//!                 }
//!             }
//!         });
//!     }
//! });
//!
//! // a client
//! let client = Endpoint::new(Config::new("client.admin".parse()?));
//! let auth = vec![ClientAuth::None { service: EntityType::MON }];
//! let session = client.connect(Target::new(addr, auth)).await?;
//! session.send(Message::new(MessageType::PING, "hello")).await?;
//! let reply = session.receive().await?.ok_or("closed")?;
//! assert_eq!(reply.front, "hello");
//! session.close().await?;
//! server.shutdown(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```

mod clock;
mod config;
mod connection;
mod endpoint;
mod error;
mod fault;
mod listener;
mod mon;
mod random;
#[cfg(feature = "capture")]
mod recorder;
mod session;
mod shared;
mod tap;

pub use config::Config;
pub use endpoint::{Endpoint, Events, Stats};
pub use error::{ConnectError, Ended, SendError};
pub use fault::{Fault, UnknownFault};
pub use listener::Listener;
pub use mon::{MonClient, MonEvent, MonServer};
pub use random::OsRandom;
#[cfg(feature = "capture")]
pub use recorder::Recorder;
pub use session::Session;
pub use tap::Tap;
