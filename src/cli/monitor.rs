//! `msgr2 serve --behave mon`: a monitor for real clients, as far as handshake, map, settings and subscriptions.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use msgr2::crypto::Random as _;
use msgr2::mon::{Answered, MonMap, Monitor, ServerConfig, Setting};
use msgr2::net::{Config, MonEvent, MonServer, OsRandom};
use msgr2::peer::entity_addr;
use msgr2::types::AddrType;
use msgr2::wire::{Utime, Uuid};
use tokio::sync::mpsc;

use crate::peer::{self, now};
use crate::serve::Args;
use crate::signals::Signals;

/// How long sessions have to be closed at the end.
const LEAVE: Duration = Duration::from_secs(5);

/// A setting for clients, as `WHO/OPTION=VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct SettingArg(Setting);

impl FromStr for SettingArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(who, rest)| Some((who, rest.split_once('=')?)));
        match parts {
            Some((who, (name, value))) if !who.is_empty() && !name.is_empty() => {
                Ok(SettingArg(Setting { section: who.to_owned(), name: name.to_owned(), value: value.to_owned() }))
            }
            _ => Err("WHO/OPTION=VALUE is a setting: client/debug_ms=1, global/mon_host=…".to_owned()),
        }
    }
}

/// Serves until a signal, or until there were as many sessions as asked for.
pub(crate) async fn run(
    args: &Args,
    mut config: Config,
    mut signals: Signals,
    mut strangers: mpsc::Receiver<String>,
) -> Result<()> {
    if let Some(addr) = args.monmap_addr {
        config.peer.addrs = vec![entity_addr(AddrType::MSGR2, addr, 0)];
    }
    let server = MonServer::bind(config, &args.listen, |listens| served(args, listens));
    let mut server = server.await.with_context(|| {
        format!("can't listen at {:?}; HOST:PORT is asked for, with a port that is free", args.listen)
    })?;
    {
        let mut out = io::stdout().lock();
        writeln!(out, "listening on {}", server.local_addr())?;
        out.flush()?;
    }
    let mut events = server.endpoint().events();
    let most = args.most();
    let (mut begun, mut ended) = (0u64, 0u64);
    while most.is_none_or(|most| begun < most || ended < begun) {
        tokio::select! {
            biased;
            Some(event) = events.next(), if args.peer.events => peer::print(&event),
            Some(event) = server.next() => {
                begun += u64::from(matches!(event, MonEvent::Began { .. }));
                ended += u64::from(matches!(event, MonEvent::Ended { .. }));
                if args.peer.events {
                    print(&event);
                }
            }
            Some(stranger) = strangers.recv() => eprintln!("msgr2: {stranger}"),
            _ = signals.next() => break,
        }
    }
    server.endpoint().shutdown(LEAVE).await;
    while let (true, Some(event)) = (args.peer.events, events.try_next()) {
        peer::print(&event);
    }
    Ok(())
}

/// What the monitor has to say.
fn served(args: &Args, listens: SocketAddr) -> ServerConfig {
    let now = now();
    let time = Utime { sec: now.as_secs() as u32, nsec: now.subsec_nanos() };
    let mut fsid = [0; 16];
    OsRandom.fill(&mut fsid);
    // version 4: random
    fsid[6] = fsid[6] & 0x0f | 0x40;
    fsid[8] = fsid[8] & 0x3f | 0x80;
    let map = MonMap {
        fsid: Uuid(fsid),
        epoch: 1,
        last_changed: time,
        created: time,
        mons: vec![Monitor::new(args.name.id.clone(), args.monmap_addr.unwrap_or(listens))],
        ..MonMap::default()
    };
    let settings = args.settings.iter().map(|setting| setting.0.clone()).collect();
    ServerConfig { settings, ..ServerConfig::new(map, None) }
}

/// Prints on standard error what clients ask for.
fn print(event: &MonEvent) {
    let (session, what) = match event {
        // the endpoint has told
        MonEvent::Began { .. } | MonEvent::Ended { .. } => return,
        MonEvent::Answered { session, answered } => (session, said(answered)),
        _ => return,
    };
    // whoever closed standard error doesn't want to know
    let _ = writeln!(io::stderr(), "{session} {what}");
}

fn said(answered: &Answered) -> String {
    match answered {
        Answered::Ping => "asked for a sign of life, which was given".to_owned(),
        Answered::Map => "asked for the monmap, which was sent".to_owned(),
        Answered::Subscribed { served, unserved } => {
            let subscribed = (!served.is_empty()).then(|| format!("subscribed to {}", served.join(", ")));
            let wanted = (!unserved.is_empty()).then(|| format!("wanted {}, not served", unserved.join(", ")));
            [subscribed, wanted].into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        Answered::Auth(op) => format!("asked for {op}, which was given"),
        Answered::AuthRefused(refused) => format!("asked for tickets or keys, refused: {refused}"),
        Answered::NoAuth(method) => format!("asked for what the method {method} doesn't have"),
        Answered::Version { what, version } => format!("asked for the version of {what}: {version}"),
        Answered::Command(command) => format!("gave a command, refused: {}", command.join(" ")),
        Answered::Ignored(kind) => format!("sent {kind}, ignored"),
        Answered::Unreadable(kind, error) => format!("sent {kind}, which can't be read: {error}"),
        other => format!("{other:?}"),
    }
}
