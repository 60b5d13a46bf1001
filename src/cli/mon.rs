//! `msgr2 connect --mon`: why can't a client reach its cluster?

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use msgr2::auth::cephx::client::{Credentials, Ticket};
use msgr2::auth::{EntityName, time};
use msgr2::messages::{Body, MMonGetVersion, MMonSubscribe};
use msgr2::mon::{Host, MonHost, MonMap, decode, encode};
use msgr2::net::Session;
use msgr2::peer::{ClientAuth, Target, entity_addr};
use msgr2::types::{AddrType, CephxServices, EntityAddrvec, EntityType, MonSubscription, MonSubscriptionItem};
use msgr2::wire::Text;
use tokio::time::timeout;

use crate::advice::{self, Advice, Asked};
use crate::check::{Checker, fact, say};
use crate::connect::Args;
use crate::identity::Identity;
use crate::peer::{Method, now, resolve};
use crate::signals::Signals;

/// From which difference on a clock is worth a word.
const SKEW: Duration = Duration::from_secs(2);
/// The services whose tickets a client of all of Ceph would want.
const SERVICES: [EntityType; 4] = [EntityType::MON, EntityType::OSD, EntityType::MGR, EntityType::MDS];
/// The number of the question for the version of the OSD map.
const OSDMAP: u64 = 1;
/// What is subscribed to.
const MAPS: [&str; 3] = ["monmap", "config", "osdmap"];

/// Looks whether mons, or a daemon, can be reached.
pub(crate) async fn run(args: &Args, identity: &Identity, mut signals: Signals) -> Result<()> {
    args.check_ticket(&identity.methods)?;
    let methods = methods(identity)?;
    let (mut config, recording) = args.peer.config(args.name.clone(), &identity.key_files())?;
    identity.set_modes(args, args.service(), &mut config)?;
    let mut checker = Checker::new(config);
    let work = async {
        match &args.mon {
            Some(hosts) => check_mons(args, &mut checker, &mon_host(identity, hosts.as_deref())?, &methods).await,
            None => check_daemon(args, &mut checker, &methods).await,
        }
    };
    let result = signals.or(work).await;
    tokio::select! {
        () = checker.leave() => {}
        // whoever says it twice doesn't want to wait
        _ = signals.next() => {}
    }
    let recorded = recording.map_or(Ok(()), |recording| recording.finish());
    result.and(recorded)
}

/// How to authenticate, best first; with cephx whose key.
fn methods(identity: &Identity) -> Result<Vec<(Method, Option<Credentials>)>> {
    let with_key = |method: &Method| {
        let credentials = (*method == Method::Cephx).then(|| identity.credentials()).transpose()?;
        Ok((*method, credentials))
    };
    identity.methods.iter().map(with_key).collect()
}

/// Where the mons are: the user says it, or the configuration.
fn mon_host(identity: &Identity, hosts: Option<&str>) -> Result<MonHost> {
    if let Some(hosts) = hosts {
        return parse(hosts);
    }
    let settings = &identity.settings;
    let found = settings.conf.mon_host().with_context(|| settings.origin())?;
    found.ok_or_else(|| {
        let advice = Advice::new(match &settings.path {
            Some(path) => format!("{} doesn't say where mons are: it has no mon_host", path.display()),
            None => "there is no ceph.conf that says where mons are".to_owned(),
        });
        advice.or_try("--mon HOSTS, or --conf FILE; the DNS isn't asked for mons").into()
    })
}

fn parse(hosts: &str) -> Result<MonHost> {
    hosts.parse().context("--mon takes HOST, HOST:PORT or [v2:IP:PORT/0,v1:IP:PORT/0]")
}

/// Tries one mon after the other until one can be reached.
async fn check_mons(
    args: &Args,
    checker: &mut Checker,
    hosts: &MonHost,
    methods: &[(Method, Option<Credentials>)],
) -> Result<()> {
    let mut failed = None;
    for addr in mons(hosts).await? {
        if let Some(error) = failed.take() {
            eprintln!("msgr2: {error:#}");
        }
        match check_mon(args, checker, addr, methods).await {
            Ok(()) => return Ok(()),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| {
        Advice::new("no mon is named that speaks msgr2")
            .or_try("--mon HOST, HOST:PORT or [v2:IP:PORT/0], as mon_host in ceph.conf has them; port 6789 is msgr1's")
            .into()
    }))
}

/// The addresses of mons.
async fn mons(hosts: &MonHost) -> Result<Vec<SocketAddr>> {
    let mut addrs = Vec::new();
    for (host, port) in hosts.v2() {
        match host {
            Host::Ip(ip) => addrs.push(SocketAddr::new(*ip, port)),
            Host::Name(name) => {
                let found = tokio::net::lookup_host((&**name, port)).await.map_err(|error| {
                    Advice::new(format!("no address is known for {name}: {error}"))
                        .or_try(format!("see what `getent hosts {name}` says, or give the IP address"))
                })?;
                addrs.extend(found);
            }
        }
    }
    Ok(addrs)
}

async fn check_mon(
    args: &Args,
    checker: &mut Checker,
    addr: SocketAddr,
    methods: &[(Method, Option<Credentials>)],
) -> Result<()> {
    let asked = Asked { name: args.name.clone(), addr, service: EntityType::MON, dialect: args.peer.dialect };
    let session = authenticate(args, checker, &asked, methods).await?;
    maps(&asked, &session, Duration::from_secs(args.wait)).await?;
    checker.keepalive(&asked, &session, Duration::from_secs(args.wait)).await?;
    session.close().await?;
    say(format_args!("{} can reach this mon", args.name))?;
    Ok(())
}

/// Gets a session with a mon, and says what came with it.
async fn authenticate(
    args: &Args,
    checker: &mut Checker,
    asked: &Asked,
    methods: &[(Method, Option<Credentials>)],
) -> Result<Session> {
    let services = SERVICES.into_iter().chain(args.service).fold(0, |all, service| all | u32::from(service.0));
    let auth = methods.iter().map(|(_, credentials)| match credentials {
        None => ClientAuth::None { service: EntityType::MON },
        Some(credentials) => {
            ClientAuth::Authenticate { credentials: credentials.clone(), services: CephxServices(services) }
        }
    });
    let session = checker.connect(asked, Target::new(asked.addr, auth.collect())).await?;
    if let Some(credentials) = session.credentials() {
        tickets(&credentials)?;
    }
    Ok(session)
}

/// The tickets, and what they say of the mon's clock.
fn tickets(credentials: &Credentials) -> Result<()> {
    let now = now();
    fact("global_id", format_args!("{}", credentials.global_id()))?;
    let tickets = SERVICES.iter().filter_map(|service| credentials.ticket(*service, now));
    let list: Vec<_> = tickets.map(|ticket| format!("{} for {}", ticket.service, validity(ticket, now))).collect();
    if list.is_empty() {
        fact("tickets", format_args!("none that is valid"))?;
    } else {
        fact("tickets", format_args!("{}", list.join(", ")))?;
    }
    if let Some(ticket) = credentials.ticket(EntityType::AUTH, now) {
        clock(time(ticket.session_key.created()), now)?;
    }
    Ok(())
}

fn validity(ticket: &Ticket, now: Duration) -> String {
    let left = ticket.valid_until.saturating_sub(now).as_secs_f64();
    if left < 120.0 { format!("{left:.0} s") } else { format!("{:.0} min", left / 60.0) }
}

/// The mon has made a key a moment ago; that was at this time by its clock.
fn clock(mon: Duration, now: Duration) -> Result<()> {
    let (apart, how) = if mon > now { (mon - now, "ahead of") } else { (now - mon, "behind") };
    if apart < SKEW {
        fact("clock", format_args!("in step with the mon's: {:.3} s apart or less", apart.as_secs_f64()))?;
        return Ok(());
    }
    fact("clock", format_args!("the mon's is {:.1} s {how} this host's", apart.as_secs_f64()))?;
    eprintln!("msgr2: {}", advice::on_clocks(apart));
    Ok(())
}

/// Subscribes, and shows what comes.
async fn maps(asked: &Asked, session: &Session, wait: Duration) -> Result<()> {
    let item = |once| MonSubscriptionItem {
        start: 0,
        flags: if once { MonSubscription::ONCE } else { MonSubscription::LASTING },
    };
    let what = vec![
        (Text::from("config"), item(false)),
        (Text::from("monmap"), item(false)),
        (Text::from("osdmap"), item(true)),
    ];
    let hostname = Some(Text::from(""));
    session.send(encode(MMonSubscribe { what, hostname, ..Default::default() })?).await?;
    // of what isn't there nothing comes
    let osdmap = MMonGetVersion { handle: OSDMAP, what: Text::from("osdmap"), ..Default::default() };
    session.send(encode(osdmap)?).await?;
    let mut missing: Vec<&str> = MAPS.to_vec();
    let arrive = async {
        while !missing.is_empty() {
            let Some(message) = session.receive().await? else { bail!("the session is over") };
            let came = match decode(&message).transpose()? {
                Some(Body::MonMap(body)) => {
                    if let Some(map) = &body.monmap {
                        monmap(&MonMap::from_wire(map))?;
                    }
                    "monmap"
                }
                Some(Body::Config(body)) => {
                    fact("config", format_args!("{} option(s) for {}", body.config.len(), asked.name))?;
                    for (name, value) in &body.config {
                        fact("", format_args!("{name} = {value}"))?;
                    }
                    "config"
                }
                Some(Body::OsdMap(body)) => {
                    let epochs = body.maps.iter().map(|(epoch, _)| *epoch);
                    let epochs = epochs.chain(body.incrementals.iter().map(|(epoch, _)| *epoch));
                    fact(
                        "osdmap",
                        format_args!("epoch {}, of cluster {}", epochs.max().unwrap_or_default(), body.fsid),
                    )?;
                    "osdmap"
                }
                Some(Body::MonGetVersionReply(body)) if (body.handle, body.version) == (OSDMAP, 0) => {
                    fact("osdmap", format_args!("none: this mon has no map of OSDs, as `msgr2 serve` hasn't"))?;
                    "osdmap"
                }
                Some(Body::MonSubscribe(_)) => {
                    return Err(Advice::new(format!(
                        "{} sends back what it gets: it is an echo, and no mon",
                        asked.addr
                    ))
                    .or_try("`msgr2 serve` without --behave echo answers as a mon")
                    .into());
                }
                _ => continue,
            };
            missing.retain(|map| *map != came);
        }
        Ok(())
    };
    let outcome = timeout(wait, arrive).await;
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.is::<Advice>() => Err(error),
        Ok(Err(error)) => Err(unserved(asked, &missing, &format!("ended the session: {error}"))),
        Err(_) => Err(unserved(asked, &missing, &format!("sent nothing more for {} s", wait.as_secs()))),
    }
}

/// Not all that was wanted has come.
fn unserved(asked: &Asked, missing: &[&str], how: &str) -> anyhow::Error {
    let advice = Advice::new(format!(
        "the mon has authenticated {}, and then {how}; missing: {}",
        asked.name,
        missing.join(", ")
    ));
    if missing.contains(&"monmap") {
        advice
            .or_try("it isn't in a quorum: `ceph daemon mon.ID mon_status` on its host must say leader or peon")
            .or_try("another mon of the cluster")
            .into()
    } else {
        advice.or_try(format!("`ceph auth get {}`: without caps (mon 'allow r') mons tell nothing", asked.name)).into()
    }
}

fn monmap(map: &MonMap) -> Result<()> {
    fact("monmap", format_args!("epoch {}, of cluster {}, {} mon(s)", map.epoch, map.fsid, map.mons.len()))?;
    for mon in &map.mons {
        let addrs = EntityAddrvec { addrs: mon.addrs.clone() };
        fact("", format_args!("mon.{} {addrs}", mon.name))?;
    }
    Ok(())
}

/// Looks whether a daemon can be reached, with a ticket from a mon if it wants one.
async fn check_daemon(args: &Args, checker: &mut Checker, methods: &[(Method, Option<Credentials>)]) -> Result<()> {
    let Some(addr) = &args.addr else { bail!("--check needs the ADDR of a daemon, or --mon") };
    let addr = resolve(addr).await?;
    let service = args.service();
    let wait = Duration::from_secs(args.wait);
    let mut auth = vec![ClientAuth::None { service }];
    if methods.iter().any(|(_, credentials)| credentials.is_some()) {
        if service == EntityType::MON {
            return check_mon(args, checker, addr, methods).await;
        }
        let Some(mon) = &args.ticket_from else {
            bail!("{service} takes nobody without a ticket: --ticket-from HOST of a mon that gives one");
        };
        auth = vec![ClientAuth::Authorize { ticket: ticket(args, checker, mon, service, methods).await? }];
    }
    let asked = Asked { name: args.name.clone(), addr, service, dialect: args.peer.dialect };
    let mut target = Target::new(addr, auth);
    target.entity_addrs = vec![entity_addr(AddrType::MSGR2, addr, args.nonce.unwrap_or(0))];
    let session = checker.connect(&asked, target).await?;
    fact("daemon", format_args!("{}.{}", session.peer().entity.kind, session.peer().gid))?;
    checker.keepalive(&asked, &session, wait).await?;
    session.close().await?;
    say(format_args!("{} can reach this {service}", args.name))?;
    Ok(())
}

/// Gets a ticket for a service.
async fn ticket(
    args: &Args,
    checker: &mut Checker,
    mon: &str,
    service: EntityType,
    methods: &[(Method, Option<Credentials>)],
) -> Result<Ticket> {
    let name: &EntityName = &args.name;
    let Some(addr) = mons(&parse(mon)?).await?.first().copied() else {
        bail!("{mon:?} names no mon that speaks msgr2")
    };
    let asked = Asked { name: name.clone(), addr, service: EntityType::MON, dialect: args.peer.dialect };
    let session = authenticate(args, checker, &asked, methods).await?;
    let credentials = session.credentials();
    session.close().await?;
    let ticket = credentials.and_then(|credentials| credentials.ticket(service, now()).cloned());
    ticket.ok_or_else(|| {
        Advice::new(format!("the mon gave {name} no valid ticket for {service}"))
            .or_try(format!("`ceph auth get {name}`: it must have caps for {service}"))
            .or_try("see whether auth_service_ticket_ttl is a sensible time")
            .into()
    })
}
