//! `msgr2 connect`: a client to try things with.

use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args as ClapArgs;
use msgr2::auth::EntityName;
use msgr2::mon::pong_status;
use msgr2::net::{ConnectError, Endpoint, Session};
use msgr2::peer::{ClientAuth, Error, Message, Target, Why, entity_addr};
use msgr2::types::{AddrType, CephxServices, EntityType, MessageType};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::advice::{self, Asked};
use crate::conf::ConfArgs;
use crate::identity::Identity;
use crate::peer::{self, Dialect, Method, PeerArgs, entity_type, message_type, now, resolve};
use crate::signals::Signals;
use crate::witness::{Seen, Witness};
use crate::{measure, mon};

/// Connect to a server, send each line of standard input as a message, and print what comes back.
///
/// It ends when as many messages have come back as were sent. With cephx it authenticates at a mon, or, with
/// --ticket-from, gets a ticket from a mon first and presents it to the server.
///
/// Like Ceph's own tools it reads ceph.conf and the keyring that this names, and says which files these are.
///
/// With --mon it is the tool to find out why a client can't reach its cluster: it shows the handshake step by step,
/// the tickets and maps that the mon gives, and if something fails what is wrong and what to try.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR", required_unless_present = "mon")]
    pub(crate) addr: Option<String>,
    /// Look whether the mons of a Ceph cluster can be reached, one after the other: HOST, HOST:PORT, or as mon_host in
    /// ceph.conf has them; without HOSTS those of ceph.conf itself. The usual port is 3300.
    #[arg(long, value_name = "HOSTS", num_args = 0..=1, conflicts_with_all = ["addr", "ticket_from", "nonce", "kind", "one_way", "measure"])]
    pub(crate) mon: Option<Option<String>>,
    /// Only look whether the server at ADDR can be reached, and show how, as --mon does for mons.
    #[arg(long, conflicts_with_all = ["mon", "kind", "one_way", "measure"])]
    check: bool,
    /// Who the client is.
    #[arg(long, value_name = "NAME", default_value = "client.admin")]
    pub(crate) name: EntityName,
    /// What the server is: mon, osd, mds, mgr; without it a mon, or with --ticket-from an osd.
    #[arg(long, value_name = "TYPE", value_parser = entity_type)]
    pub(crate) service: Option<EntityType>,
    /// Authenticate at this mon first, and present the ticket that it gives.
    #[arg(long, value_name = "ADDR")]
    pub(crate) ticket_from: Option<String>,
    /// The nonce of the server's address, as Ceph's maps have it behind the slash; mons have 0.
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<u32>,
    /// The type of the messages to send.
    #[arg(long = "type", value_name = "TYPE", default_value = "PING", value_parser = message_type)]
    kind: MessageType,
    /// Don't wait for answers: close behind the last line.
    #[arg(long)]
    one_way: bool,
    /// How long to wait for the next message before giving up, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u64,
    /// Measure how quickly messages come back from an echo, instead of sending lines.
    #[arg(long, conflicts_with = "one_way")]
    measure: bool,
    #[command(flatten)]
    measurement: measure::Args,
    #[command(flatten)]
    pub(crate) conf: ConfArgs,
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
}

/// How many lines are read ahead.
const LINES: usize = 64;
/// How long sessions have to be closed at the end.
const LEAVE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args) -> Result<()> {
    check(args)?;
    let identity = Identity::read(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        match &args.addr {
            Some(addr) if !args.check => connect(args, &identity, addr, signals).await,
            _ => mon::run(args, &identity, signals).await,
        }
    })
}

/// Refuses what can't work together.
fn check(args: &Args) -> Result<()> {
    let (service, proposal) = (args.service(), args.peer.dialect == Dialect::Proposal);
    if proposal && args.mon.is_some() {
        bail!("--mon is for Ceph's mons, which speak v2.1 and v2.0, not the proposal");
    }
    if proposal && args.nonce.is_some() {
        bail!("--nonce is for v2.1 and v2.0; the proposal doesn't know of it");
    }
    if args.ticket_from.is_some() && service == EntityType::MON {
        bail!("mons take no tickets: --ticket-from is for other servers, which --service names");
    }
    Ok(())
}

impl Args {
    /// What the server is to be.
    pub(crate) fn service(&self) -> EntityType {
        self.service.unwrap_or(match self.ticket_from {
            Some(_) => EntityType::OSD,
            None => EntityType::MON,
        })
    }

    /// A ticket can only be had with a key. Who says that there is no authentication needs none.
    pub(crate) fn check_ticket(&self, methods: &[Method]) -> Result<()> {
        if self.ticket_from.is_some() && !self.peer.has_methods() && !methods.contains(&Method::Cephx) {
            bail!("without a key there are no tickets to be had by --ticket-from: add a --keyring");
        }
        Ok(())
    }
}

async fn connect(args: &Args, identity: &Identity, addr: &str, mut signals: Signals) -> Result<()> {
    args.check_ticket(&identity.methods)?;
    let addr = resolve(addr).await?;
    let (mut config, recording) = args.peer.config(args.name.clone(), &identity.key_files())?;
    identity.set_modes(args, args.service(), &mut config)?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    config.capture = Some(Arc::new(Mutex::new(Witness::new(seen.clone(), config.capture.take()))));
    let explain = |addr, error| explain(args, addr, error, &seen.lock().unwrap_or_else(PoisonError::into_inner));
    let endpoint = Endpoint::new(config);
    let printer = args.peer.events.then(|| print_events(&endpoint));

    let work = async {
        let auth = auth(args, identity, &endpoint, explain).await?;
        let mut target = Target::new(addr, auth);
        if let Some(nonce) = args.nonce {
            target.entity_addrs = vec![entity_addr(AddrType::MSGR2, addr, nonce)];
        }
        let session = endpoint.connect(target).await.map_err(|error| explain(addr, error))?;
        if args.peer.events {
            eprintln!("connected to {}", peer::describe(&session.peer()));
        }
        tokio::select! {
            biased;
            talked = talk(args, &session) => talked?,
            lost = peer::forgotten(&session) => bail!(has_forgotten(lost)),
        }
        session.close().await?;
        // the last messages may have been among those that were lost
        match peer::has_forgotten(&session) {
            Some(lost) => bail!(has_forgotten(lost)),
            None => Ok(()),
        }
    };
    let result = signals.or(work).await;

    tokio::select! {
        _ = endpoint.shutdown(LEAVE) => {}
        // whoever says it twice doesn't want to wait
        _ = signals.next() => {}
    }
    drop(endpoint);
    if let Some(printer) = printer {
        // it ends with the endpoint
        let _ = timeout(LEAVE, printer).await;
    }
    // why there was nothing to record says more
    let recorded = recording.map_or(Ok(()), |recording| recording.finish());
    result.and(recorded)
}

/// A session that goes on is another one for the server.
fn has_forgotten(lost: usize) -> String {
    format!(
        "the server has forgotten the session (a full reset): {lost} message(s) may be lost, and answers that were on \
         their way"
    )
}

async fn talk(args: &Args, session: &Session) -> Result<()> {
    if args.measure {
        let result = args.measurement.run(session, args.kind, Duration::from_secs(args.wait)).await?;
        writeln!(io::stdout(), "{result}")?;
        return Ok(());
    }
    converse(args, session).await
}

fn print_events(endpoint: &Endpoint) -> JoinHandle<()> {
    let mut events = endpoint.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            peer::print(&event);
        }
    })
}

/// How to authenticate, in order of preference.
async fn auth(
    args: &Args,
    identity: &Identity,
    endpoint: &Endpoint,
    explain: impl Fn(SocketAddr, ConnectError) -> anyhow::Error,
) -> Result<Vec<ClientAuth>> {
    let service = args.service();
    let mut auth = Vec::new();
    for method in &identity.methods {
        auth.push(match method {
            Method::None => ClientAuth::None { service },
            Method::Cephx => cephx(args, identity, endpoint, &explain).await?,
        });
    }
    Ok(auth)
}

async fn cephx(
    args: &Args,
    identity: &Identity,
    endpoint: &Endpoint,
    explain: &impl Fn(SocketAddr, ConnectError) -> anyhow::Error,
) -> Result<ClientAuth> {
    let (service, credentials) = (args.service(), identity.credentials()?);
    let Some(mon) = &args.ticket_from else {
        if service != EntityType::MON {
            bail!("{service} takes nobody without a ticket: --ticket-from ADDR of a mon that gives one");
        }
        return Ok(ClientAuth::Authenticate { credentials, services: CephxServices(0) });
    };
    let auth = ClientAuth::Authenticate { credentials, services: CephxServices(u32::from(service.0)) };
    let addr = resolve(mon).await?;
    let session = endpoint.connect(Target::new(addr, vec![auth])).await.map_err(|error| explain(addr, error))?;
    let credentials = session.credentials();
    session.close().await?;
    let ticket = credentials.and_then(|credentials| credentials.ticket(service, now()).cloned());
    let Some(ticket) = ticket else {
        bail!(
            "the mon gave no ticket for {service}: start it with --service-keys that have a section [service.{service}]"
        );
    };
    Ok(ClientAuth::Authorize { ticket })
}

/// Adds what may help.
fn explain(args: &Args, addr: SocketAddr, error: ConnectError, seen: &Seen) -> anyhow::Error {
    let dialect = args.peer.dialect;
    let asked = Asked { name: args.name.clone(), addr, service: args.service(), dialect };
    if let ConnectError::Handshake { .. } | ConnectError::TimedOut { .. } = &error
        && let Some(advice) = advice::speaks_other(&asked, seen)
    {
        return advice.into();
    }
    let help = match &error {
        ConnectError::Unreachable { addr, .. } => {
            let server =
                if addr.ip().is_loopback() { format!("; `msgr2 serve --listen {addr}`?") } else { String::new() };
            format!("is a server running there{server}")
        }
        ConnectError::Handshake { why: Why::Failed(Error::Denied { .. }), .. } => {
            "has the server the same key under this name, and is it the kind of server that takes this?".to_owned()
        }
        ConnectError::Handshake { why: Why::Failed(Error::MethodsExhausted { .. }), .. } => {
            "--auth says what to try; --keyring has the key for cephx".to_owned()
        }
        ConnectError::Handshake { why: Why::Failed(Error::ModesExhausted { .. }), .. } => {
            "--mode says what to ask for".to_owned()
        }
        ConnectError::Handshake { .. } | ConnectError::TimedOut { .. } => {
            format!("does the server speak the dialect {dialect}? --events shows the handshake")
        }
        _ => return error.into(),
    };
    // the help is behind what has happened
    match std::error::Error::source(&error) {
        Some(source) => anyhow!("{error}: {source} ({help})"),
        None => anyhow!("{error} ({help})"),
    }
}

/// Sends lines and prints what comes.
async fn converse(args: &Args, session: &Session) -> Result<()> {
    let mut lines = read_lines();
    let (mut sent, mut received) = (0u64, 0u64);
    let mut open = true;
    let wait = Duration::from_secs(args.wait);
    while open || (!args.one_way && received < sent) {
        tokio::select! {
            line = lines.recv(), if open => match line {
                Some(line) => {
                    // what comes meanwhile waits in the session; only so much is under way that this can't stop both
                    let mut message = Some(Message::new(args.kind, line?));
                    while let Some(next) = message.take() {
                        tokio::select! {
                            result = session.send(next.clone()) => result?,
                            come = session.receive() => {
                                print(come?)?;
                                received += 1;
                                message = Some(next);
                            }
                        }
                    }
                    sent += 1;
                }
                None => open = false,
            },
            come = session.receive() => {
                print(come?)?;
                received += 1;
            }
            () = tokio::time::sleep(wait), if !open => {
                bail!(
                    "{received} of {sent} messages came back, and nothing more for {} s: \
                     --wait changes that, --one-way doesn't wait at all",
                    args.wait
                );
            }
        }
    }
    Ok(())
}

fn print(message: Option<Message>) -> Result<()> {
    let Some(message) = message else { bail!("the server has closed the session") };
    let mut out = io::stdout().lock();
    // a mon says how it is
    match pong_status(&message) {
        Some(status) => out.write_all(status.as_bytes())?,
        None => out.write_all(&message.front)?,
    }
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// The lines of standard input, read by a thread: a read can't be given up.
fn read_lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(LINES);
    thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}
