//! `msgr2 serve`: a server to try things with.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;
use msgr2::auth::cephx::server::Authority;
use msgr2::auth::{EntityName, ServiceKeys, utime};
use msgr2::frame::Dialect as Spoken;
use msgr2::net::{Ended, Endpoint, OsRandom, Session};
use msgr2::peer::{ServerAuth, Why};
use msgr2::types::{AuthMethod, CryptoType, EntityType};
use tokio::task::JoinSet;

use crate::monitor::{self, SettingArg};
use crate::peer::{self, Dialect, Method, PeerArgs, check_modes, now, parse};
use crate::porter::Porter;
use crate::script::Script;
use crate::signals::Signals;

/// Serve the protocol at an address, until SIGINT, SIGTERM or SIGHUP.
///
/// A mon (--name mon.a, the default) authenticates clients by the keys of its --keyring and gives them tickets for
/// the services in --service-keys. Any other server lets in who has a ticket for it, which it opens with its
/// --service-keys. `msgr2 keyring` makes both files.
///
/// A mon answers real clients of Ceph so far that they get its map and their settings; with --events it says what they
/// ask for. Other servers send messages back.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Where to listen; port 0 lets the system choose, and the first line of output says which it is.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: String,
    /// What to do with messages: echo sends them back, sink drops them, script=FILE goes by a file with lines
    /// "expect TYPE TEXT" and "send TYPE TEXT", mon answers as a mon. Without it echo, or mon if it is one and doesn't
    /// speak the proposal.
    #[arg(long, value_name = "HOW")]
    behave: Option<Behaviour>,
    /// As a mon: its address in the map, if it isn't where it listens. Clients must dial just that.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) monmap_addr: Option<SocketAddr>,
    /// As a mon: a setting that its clients get; may be repeated. WHO is global, a type of entity or an entity.
    #[arg(long = "setting", value_name = "WHO/OPTION=VALUE")]
    pub(crate) settings: Vec<SettingArg>,
    /// Who the server is; its type decides what it serves.
    #[arg(long, value_name = "NAME", default_value = "mon.a")]
    pub(crate) name: EntityName,
    /// The keys of services: a mon makes tickets with them, other servers open them.
    #[arg(long, value_name = "FILE")]
    service_keys: Option<PathBuf>,
    /// In the proposal: answer a ticket with a challenge, which costs a round trip. In v2.1 and v2.0 it is always so.
    #[arg(long)]
    challenge: bool,
    /// End after so many sessions.
    #[arg(long, value_name = "N")]
    sessions: Option<u64>,
    /// End after one session.
    #[arg(long, conflicts_with = "sessions")]
    once: bool,
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
}

impl Args {
    fn dialect(&self) -> Dialect {
        self.peer.dialect
    }

    fn behaviour(&self) -> Behaviour {
        let mon = self.name.kind == EntityType::MON && self.dialect() != Dialect::Proposal;
        self.behave.clone().unwrap_or(if mon { Behaviour::Mon } else { Behaviour::Echo })
    }

    /// After how many sessions it is over.
    pub(crate) fn most(&self) -> Option<u64> {
        if self.once { Some(1) } else { self.sessions }
    }
}

#[derive(Clone, Debug)]
enum Behaviour {
    Mon,
    Echo,
    Sink,
    Script(PathBuf),
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "echo" => Ok(Behaviour::Echo),
            None if text == "sink" => Ok(Behaviour::Sink),
            None if text == "mon" => Ok(Behaviour::Mon),
            Some(("script", file)) if !file.is_empty() => Ok(Behaviour::Script(file.into())),
            _ => Err("echo, sink, mon and script=FILE are known".to_owned()),
        }
    }
}

/// When a client of v2.0 or v2.1 that has a stateful session, and doesn't come again, is taken to have left.
const GONE: Duration = Duration::from_secs(60);
/// How long sessions have to be closed at the end.
const LEAVE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &Args) -> Result<()> {
    let behave = args.behaviour();
    let script = match &behave {
        Behaviour::Script(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
            Some(text.parse::<Script>().with_context(|| format!("{}", file.display()))?)
        }
        Behaviour::Echo | Behaviour::Sink | Behaviour::Mon => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, behave, script))
}

/// What clients have to do to get in.
fn admission(args: &Args) -> Result<ServerAuth> {
    let keyring = args.peer.keyring()?;
    let service_keys =
        args.service_keys.as_deref().map(|path| parse(path, |text| ServiceKeys::parse(text))).transpose()?;
    let usual = if keyring.is_some() || service_keys.is_some() { Method::Cephx } else { Method::None };
    let methods = args.peer.methods(&[usual])?;
    let mut auth = ServerAuth { challenge: args.challenge, ..ServerAuth::default() };
    auth.methods = methods.iter().map(|method| method.number()).collect();
    if !methods.contains(&Method::Cephx) {
        return Ok(auth);
    }
    if args.name.kind == EntityType::MON {
        let Some(keyring) = keyring else {
            bail!("a mon that speaks cephx needs the keys of its clients: --keyring FILE, or --auth none");
        };
        let mut keys = service_keys.clone().unwrap_or_default();
        // nobody else has to know it
        let mut own = vec![EntityType::AUTH];
        if let (Behaviour::Mon, None) = (args.behaviour(), &service_keys) {
            // there is nobody else, and real clients expect these tickets
            own.extend([EntityType::MON, EntityType::OSD, EntityType::MGR, EntityType::MDS]);
        }
        for service in own {
            if keys.current(service).is_none() {
                keys.rotate(service, CryptoType::AES, utime(now()), &mut OsRandom)?;
            }
        }
        auth.authority = Some(Authority::new(keyring, keys, FIRST_GLOBAL_ID, &mut OsRandom)?.into());
    } else if service_keys.as_ref().is_none_or(|keys| keys.current(args.name.kind).is_none()) {
        bail!(
            "{} needs the keys of its service to open tickets: --service-keys FILE, made by `msgr2 keyring service {}`, \
             or --auth none",
            args.name,
            args.name.kind
        );
    }
    auth.service_keys = service_keys;
    Ok(auth)
}

/// Where the numbers of clients begin, as in a young cluster.
const FIRST_GLOBAL_ID: u64 = 4100;

/// Refuses what can't work together.
fn check(args: &Args, behave: &Behaviour, admission: &ServerAuth) -> Result<()> {
    let (is_mon, is_cephx) = (args.name.kind == EntityType::MON, admission.methods.contains(&AuthMethod::CEPHX));
    if matches!(behave, Behaviour::Mon) && !is_mon {
        bail!("{} isn't a mon: --behave mon is for --name mon.ID", args.name);
    }
    if !matches!(behave, Behaviour::Mon) && (args.monmap_addr.is_some() || !args.settings.is_empty()) {
        bail!("--monmap-addr and --setting are for --behave mon; this server only handles messages otherwise");
    }
    if args.challenge && (is_mon || !is_cephx) {
        bail!("--challenge is for servers that take tickets: not for mons, and not with method none");
    }
    Ok(())
}

async fn serve(args: &Args, behave: Behaviour, script: Option<Script>) -> Result<()> {
    let mut signals = Signals::new()?;
    let admission = admission(args)?;
    check(args, &behave, &admission)?;
    let keys: Vec<_> = args.peer.keyring_path().into_iter().chain(args.service_keys.as_deref()).collect();
    let (mut config, recording) = args.peer.config(args.name.clone(), &keys)?;
    if args.dialect() != Dialect::Proposal {
        let methods: Vec<_> = admission.methods.iter().filter_map(|method| Method::of(*method)).collect();
        check_modes(&methods, &config.peer.v2.accept_modes)?;
        config.peer.times.session = GONE;
    }
    let mut strangers = Porter::install(args.dialect(), &mut config);
    config.peer.server = admission;
    config.peer.gid = args.name.id.parse().unwrap_or(0);
    if let Behaviour::Mon = behave {
        let result = monitor::run(args, config, signals, strangers).await;
        let recorded = recording.map_or(Ok(()), |recording| recording.finish());
        return result.and(recorded);
    }
    let (endpoint, mut listener) = Endpoint::bind(config, &args.listen).await.with_context(|| {
        format!("can't listen at {:?}; HOST:PORT is asked for, with a port that is free", args.listen)
    })?;
    let mut events = endpoint.events();
    {
        let mut out = io::stdout().lock();
        writeln!(out, "listening on {}", listener.local_addr())?;
        out.flush()?;
    }

    let behave = Arc::new((behave, script));
    let most = args.most();
    let (mut accepted, mut failed) = (0u64, 0u64);
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            session = listener.accept(), if most.is_none_or(|most| accepted < most) => {
                let Some(session) = session else { break };
                accepted += 1;
                let behave = behave.clone();
                sessions.spawn(async move { attend(session, &behave.0, behave.1.as_ref()).await });
            }
            Some(ended) = sessions.join_next() => {
                if let Err(error) = ended? {
                    failed += 1;
                    eprintln!("msgr2: {error:#}");
                }
            }
            Some(event) = events.next(), if args.peer.events => peer::print(&event),
            Some(stranger) = strangers.recv() => eprintln!("msgr2: {stranger}"),
            _ = signals.next() => break,
        }
        if most.is_some_and(|most| accepted >= most) && sessions.is_empty() {
            break;
        }
    }
    sessions.detach_all();
    drop(listener);
    let broken = endpoint.shutdown(LEAVE).await;
    while let (true, Some(event)) = (args.peer.events, events.try_next()) {
        peer::print(&event);
    }
    if let Some(recording) = recording {
        recording.finish()?;
    }
    if broken > 0 {
        eprintln!("msgr2: {broken} session(s) were broken off");
    }
    if failed > 0 {
        bail!("{failed} of {accepted} session(s) failed");
    }
    Ok(())
}

/// Serves a client until the session is over.
async fn attend(session: Session, behave: &Behaviour, script: Option<&Script>) -> Result<()> {
    if let Some(script) = script {
        let result = script.run(&session).await;
        // what went wrong before says more
        let closed = session.close().await;
        result?;
        return Ok(closed?);
    }
    tokio::select! {
        biased;
        ended = answer(&session, behave) => match ended {
            Err(ended) if !has_left(&session, &ended) => return Err(ended.into()),
            _ => {}
        },
        lost = peer::forgotten(&session) => bail!(has_forgotten(lost)),
    }
    match peer::has_forgotten(&session) {
        Some(lost) => bail!(has_forgotten(lost)),
        None => Ok(()),
    }
}

async fn answer(session: &Session, behave: &Behaviour) -> Result<(), Ended> {
    while let Some(mut message) = session.receive().await? {
        if matches!(behave, Behaviour::Echo) {
            message.seq = 0;
            // nobody is there to be answered
            if session.send(message).await.is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Whether a session has ended as it should. v2.0 and v2.1 know no farewell: who goes ends the connection, behind a
/// whole frame, and doesn't come again.
fn has_left(session: &Session, ended: &Ended) -> bool {
    session.peer().dialect != Spoken::Proposal && matches!(ended, Ended::Because(Why::Ended | Why::Expired))
}

/// The client goes on with another session.
fn has_forgotten(lost: usize) -> String {
    format!("a client has forgotten its session (a full reset): {lost} message(s) may be lost")
}
