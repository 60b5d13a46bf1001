//! What is registered, and what a frame's fields look like.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use msgr2::FINDINGS;
use msgr2::field::FIELDS;
use msgr2::frame::{self, Revision};
use msgr2::types::Errno;
use msgr2::v2_1::{AuthBadMethod, Frame};
use msgr2::wire::{EnumInfo, FieldInfo, Kind};

use crate::common::packets::{self, Segment, Wire, conversation};
use crate::common::{Scratch, With, capture, captures, file, keyring_of, msgr2, run, tshark, wireshark};
use crate::pdml::{self, Item, Packet};
use crate::table::fields;

#[test]
fn the_protocol_is_registered() {
    let protocols = run(wireshark("tshark", With::Plugin).args(["-G", "protocols"]));
    let ours: Vec<&str> = protocols.lines().filter(|line| line.to_lowercase().contains("msgr2")).collect();
    assert_eq!(ours, ["Ceph Messenger v2\tMSGR2\tmsgr2"]);
    let plain = run(wireshark("tshark", With::Nothing).args(["-G", "protocols"]));
    assert!(!plain.contains("MSGR2"));
}

#[test]
fn it_is_among_the_plugins() {
    let plugins = run(wireshark("tshark", With::Plugin).args(["-G", "plugins"]));
    let ours: Vec<&str> = plugins.lines().filter(|line| line.contains("msgr2")).collect();
    let [line] = ours.as_slice() else { panic!("{plugins}") };
    let cells: Vec<&str> = line.split('\t').collect();
    assert_eq!(&cells[1..3], [env!("CARGO_PKG_VERSION"), "dissector"], "{line}");
}

#[test]
fn ports_and_heuristic_are_registered() {
    let decodes = run(wireshark("tshark", With::Plugin).args(["-G", "decodes"]));
    let mut ports: Vec<u32> = decodes
        .lines()
        .filter(|line| line.ends_with("\tmsgr2"))
        .map(|line| line.strip_prefix("tcp.port\t").expect(line).split('\t').next().unwrap().parse().unwrap())
        .collect();
    ports.sort();
    // 7000, too, which another plugin takes, gryphon
    assert_eq!(ports, [3300].into_iter().chain(6800..=7568).collect::<Vec<u32>>());
    let heuristics = run(wireshark("tshark", With::Plugin).args(["-G", "heuristic-decodes"]));
    assert!(heuristics.lines().any(|line| line.starts_with("tcp\tmsgr2\tT")), "{heuristics}");
}

#[test]
fn every_field_says_what_it_is() {
    // the spec's fields and flags, the findings, and two that only the plugin has
    let of_plugin = ["msgr2.finding.not_shown", "msgr2.finding.bad_keyring"];
    let flags = FIELDS.iter().flat_map(|field| match field.kind {
        Kind::Flags(_, word) => word.flags,
        _ => &[],
    });
    let expected: BTreeSet<String> = (FIELDS.iter().map(|field| field.filter.to_owned()))
        .chain(flags.map(|flag| flag.filter.to_owned()))
        .chain(FINDINGS.iter().map(|finding| finding.filter.to_owned()))
        .chain(of_plugin.map(String::from))
        .collect();
    let there: BTreeSet<String> = fields().iter().map(|field| field.filter.clone()).collect();
    assert_eq!(there.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody knows them");
    assert_eq!(expected.difference(&there).collect::<Vec<_>>(), Vec::<&String>::new(), "they are missing");
    let undescribed: Vec<&str> = fields()
        .iter()
        .filter(|field| field.doc.is_empty() && !field.filter.starts_with("msgr2.finding."))
        .map(|field| field.filter.as_str())
        .collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
    for field in fields() {
        assert!(!field.label.is_empty(), "{}", field.filter);
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        assert!(field.filter.starts_with("msgr2.") && field.filter.chars().all(sound), "{}", field.filter);
    }
}

#[test]
fn a_filter_has_one_type() {
    let mut kinds: HashMap<&str, (&str, &str)> = HashMap::new();
    for field in fields() {
        let this = (field.kind.as_str(), field.base.as_str());
        let first = kinds.entry(&field.filter).or_insert(this);
        assert_eq!(*first, this, "{}", field.filter);
    }
}

/// The lines of `-T fields`.
fn values(name: &str, filter: &str, wanted: &[&str]) -> Vec<String> {
    let mut arguments = vec!["-Y", filter, "-T", "fields", "-E", "separator=|"];
    arguments.extend(wanted.iter().flat_map(|field| ["-e", field]));
    tshark(&capture(name), arguments).lines().map(String::from).collect()
}

#[test]
fn values_of_a_handshake() {
    let hello = ["frame.number", "msgr2.dialect", "msgr2.mode", "msgr2.tag", "msgr2.hello.entity_type"];
    assert_eq!(values("crc-mon-cephx.pcap", "msgr2.hello", &hello), ["8|v2.1|crc|1|8", "9|v2.1|crc|1|1"]);
    let sender = ["msgr2.tag", "msgr2.sender"];
    assert_eq!(
        values("crc-mon-cephx.pcap", "msgr2.tag in {2,6,8,9}", &sender),
        ["2|client", "6|server", "8|client", "9|server"]
    );
    assert_eq!(values("v20-mon.pcap", "msgr2.hello", &hello[..4]), ["8|v2.0|crc|1", "9|v2.0|crc|1"]);
    assert_eq!(values("secure-mon.pcap", "msgr2.hello", &hello[..4]), ["8|v2.1|crc|1", "9|v2.1|crc|1"]);
    let request = ["msgr2.tag", "msgr2.auth_request.method"];
    assert_eq!(values("crc-mon-cephx.pcap", "msgr2.auth_request", &request), ["2|2"]);
    assert_eq!(values("none-mon.pcap", "msgr2.auth_request", &request), ["2|1"]);
    // without the key there is nothing to be seen in it; the frames in crc mode before it do have tags
    let secure = values("secure-mon.pcap", "msgr2.mode==\"secure\"", &["msgr2.tag", "msgr2.mode"]);
    assert_eq!(secure, ["|secure"; 6]);
}

#[test]
fn values_of_messages() {
    let wanted = ["msgr2.tag", "msgr2.message.type", "msgr2.message.seq"];
    let lines = values("crc-mon-cephx.pcap", "msgr2.message", &wanted);
    assert_eq!(lines, ["17,17|5,15|1,2", "17,17,17|4,62,4|1,2,3"], "the message types and numbers of a `ceph` command");
    let bodies = ["msgr2.mon_subscribe.what.key", "msgr2.mon_subscribe.hostname", "msgr2.monmap.min_mon_release"];
    let lines =
        values("crc-mon-cephx.pcap", "msgr2.mon_subscribe.what.key == \"config\" or msgr2.monmap.epoch", &bodies);
    assert_eq!(lines, ["config,monmap|vm|", "||16,16"], "what they say");
    // ping and pong times of KEEPALIVE2 are echoed
    let alive = values("keepalive.pcap", "msgr2.tag in {18,19}", &["msgr2.tag", "_ws.col.Info"]);
    assert_eq!(alive.len(), 4, "{alive:?}");
}

#[test]
fn names_can_be_filtered_for() {
    let number = values("crc-mon-cephx.pcap", "msgr2.tag==1", &["frame.number"]);
    assert_eq!(number, ["8", "9"]);
    assert_eq!(values("crc-mon-cephx.pcap", "msgr2.tag==\"HELLO\"", &["frame.number"]), number);
    assert_eq!(values("crc-mon-cephx.pcap", "msgr2.msgr2_features.revision_1==1", &["frame.number"]), ["4", "6"]);
}

/// Our part of `-V`.
#[test]
fn the_tree_of_a_handshake() {
    let text = tshark(&capture("none-mon.pcap"), ["-V", "-O", "msgr2", "-Y", "msgr2.tag<=9"]);
    let mut ours = String::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("Frame ") {
            ours.push_str(&format!("packet {}\n", number.split(':').next().unwrap()));
        }
        inside = if line.starts_with(' ') { inside } else { line.starts_with("Ceph Messenger v2") };
        if inside {
            ours.push_str(line);
            ours.push('\n');
        }
    }
    let golden = file("tests/plugin/handshake.txt");
    if std::env::var_os("MSGR2_BLESS").is_some() {
        fs::write(&golden, &ours).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    let first = ours.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(
        ours == expected,
        "tests/plugin/handshake.txt is another from line {:?} on; if the new one is right: MSGR2_BLESS=1 \n{ours}",
        first.map(|line| line + 1)
    );
}

/// Fields that no byte holds.
const GENERATED: &[&str] = &[
    "msgr2.dialect",
    "msgr2.mode",
    "msgr2.sender",
    "msgr2.record",
    "msgr2.signature.status",
    "msgr2.signs",
    "msgr2.resumes",
    "msgr2.opened",
    "msgr2.frame_len",
    "msgr2.message.front_len",
    "msgr2.message.middle_len",
    "msgr2.message.data_len",
    "msgr2.key_type.client",
    "msgr2.key_type.service",
];

/// Whether an item is a field that bytes hold.
fn is_read(item: &Item) -> bool {
    item.name != "msgr2" && !GENERATED.contains(&item.name.as_str())
}

/// Whether an item is what was in a sealed field.
fn is_opened(item: &Item) -> bool {
    item.name.ends_with(".opened")
}

/// The units of all packets, and where each begins. Those in another unit follow it, and stand one behind the other in
/// what that opens to; for them PDML has another place.
fn units(packets: &[Packet]) -> Vec<(&Item, usize)> {
    fn ours(items: &[Item]) -> impl Iterator<Item = &Item> {
        items.iter().filter(|item| item.name == "msgr2")
    }
    fn add<'i>(unit: &'i Item, start: usize, all: &mut Vec<(&'i Item, usize)>) {
        all.push((unit, start));
        let mut start = 0;
        for inner in ours(&unit.children) {
            add(inner, start, all);
            start += inner.size;
        }
    }
    let mut all = Vec::new();
    for unit in packets.iter().flat_map(|packet| ours(&packet.protos)) {
        add(unit, unit.pos, &mut all);
    }
    all
}

/// What is compared of a field: depth, first byte, bytes, label.
type Place = (usize, usize, usize, String);

/// The places of all fields of our protocol, unit by unit, as the plugin has them.
fn shown_places(units: &[(&Item, usize)]) -> Vec<Vec<Place>> {
    let kinds: HashMap<&str, (&str, &str)> =
        fields().iter().map(|f| (f.filter.as_str(), (f.kind.as_str(), f.base.as_str()))).collect();
    fn walk(item: &Item, depth: usize, base: usize, kinds: &HashMap<&str, (&str, &str)>, out: &mut Vec<Place>) {
        for child in &item.children {
            if child.name.is_empty() || child.name.starts_with("_ws.") || !is_read(child) {
                continue;
            }
            // the flags of a word, which the codec has as one value
            let is_flag = kinds.get(child.name.as_str()).is_some_and(|k| k.0 == "FT_BOOLEAN")
                && kinds.get(item.name.as_str()).is_some_and(|k| k.0.starts_with("FT_UINT") && k.1 == "BASE_HEX");
            if !is_flag {
                // what was sealed has places of its own, but PDML adds that of the ciphertext to the first one
                let base = if is_opened(child) { 0 } else { base };
                let start = if is_opened(child) { 0 } else { child.pos - base };
                let label = child.showname.split(':').next().unwrap_or_default().to_string();
                out.push((depth, start, child.size, label));
                walk(child, depth + 1, base, kinds, out);
            }
        }
    }
    let places = |(unit, start): &(&Item, usize)| {
        let mut out = Vec::new();
        walk(unit, 0, *start, &kinds, &mut out);
        out
    };
    units.iter().map(places).collect()
}

/// The same as `msgr2 decode --verbose` has them.
fn decoded_places(text: &str) -> Vec<Vec<Place>> {
    let mut units: Vec<Vec<Place>> = Vec::new();
    for line in text.lines() {
        let Some(field) = line.strip_prefix("    ") else {
            units.push(Vec::new());
            continue;
        };
        let (start, rest) = field.trim_start().split_once('+').unwrap();
        // in front of it may be the number of what was sealed
        let start = start.rsplit(':').next().unwrap();
        let (length, rest) = rest.split_at(rest.find(' ').unwrap());
        // behind the length, which is padded to five, stands one more space
        let rest = &rest[1 + 5usize.saturating_sub(length.len())..];
        let depth = (rest.len() - rest.trim_start().len()) / 2;
        let label = rest.trim_start().split(':').next().unwrap().to_string();
        units.last_mut().unwrap().push((depth, start.parse().unwrap(), length.parse().unwrap(), label));
    }
    units
}

/// All our captures, without keys; those that keys open also with them.
fn captures_and_keys() -> Vec<(PathBuf, Option<PathBuf>)> {
    let all = captures();
    let opened = all.iter().filter_map(|path| Some((path.clone(), Some(keyring_of(path)?))));
    all.iter().map(|path| (path.clone(), None)).chain(opened).collect()
}

/// All packets of a capture.
fn read(path: &Path, keyring: Option<&Path>) -> Vec<Packet> {
    let mut arguments: Vec<String> = ["-T", "pdml", "-J", "msgr2"].map(String::from).into();
    if let Some(keyring) = keyring {
        arguments.extend(["-o".into(), format!("msgr2.keyring:{}", keyring.display())]);
    }
    pdml::read(&tshark(path, arguments))
}

#[test]
fn places_are_those_that_the_codec_read() {
    let all = captures_and_keys();
    assert!(all.iter().any(|(_, keyring)| keyring.is_some()));
    for (path, keyring) in all.into_iter().filter(|(path, _)| !path.to_string_lossy().contains("msgr1")) {
        let packets = read(&path, keyring.as_deref());
        let mut decode = msgr2();
        decode.args(["decode", "--verbose"]).arg(&path);
        if let Some(keyring) = &keyring {
            decode.arg("--keyring").arg(keyring);
        }
        let (mut shown, mut decoded) = (shown_places(&units(&packets)), decoded_places(&run(&mut decode)));
        // what isn't there the codec tells all the same
        decoded.iter_mut().for_each(|places| places.retain(|place| place.2 > 0));
        shown.iter_mut().for_each(|places| places.retain(|place| place.2 > 0));
        let name = format!("{} with {keyring:?}", path.display());
        if keyring.is_none() {
            // of what is encrypted `msgr2 decode` tells but once
            let told = |places: &Vec<Place>| places.len() != 1 || places[0].3 != "Encrypted";
            shown.retain(told);
            decoded.retain(told);
        }
        assert_eq!(shown.len(), decoded.len(), "{name}");
        for (number, (shown, decoded)) in shown.iter().zip(&decoded).enumerate() {
            let other = shown.iter().zip(decoded).find(|(a, b)| a != b);
            assert!(
                shown.len() == decoded.len() && other.is_none(),
                "{name}: unit {number}: {other:?}\n{shown:?}\n{decoded:?}"
            );
        }
    }
}

/// Each field lies within the one that it belongs to, no byte belongs to two innermost fields, and none to nobody, but
/// for the versions, lengths and counts in front of structures, blobs and lists, and for what pads segments in secure mode.
#[test]
fn fields_cover_their_frame_once() {
    for (path, keyring) in captures_and_keys() {
        let packets = read(&path, keyring.as_deref());
        for (unit, start) in units(&packets) {
            let what = format!("{} with {keyring:?}: {}", path.display(), unit.showname);
            let shipped = !path.to_string_lossy().contains("proposal");
            let padded = shipped && unit.children.iter().any(|child| child.showname == "Mode: secure");
            let at = cover(unit, start, if padded { PADDING } else { UNSHOWN }, &what);
            // a banner that is text has a line feed behind its last field
            let text = usize::from(unit.showname.contains("Banner") && !shipped);
            let end = start + unit.size;
            if padded {
                assert!((at..=at + PADDING).contains(&end), "{what}");
            } else {
                assert_eq!(at + text, end, "{what}");
            }
        }
    }
}

/// The most bytes in front of something that no field has: a version, a compat version, a length; or the length of what
/// holds a list, and the number of that one's items.
const UNSHOWN: usize = 8;
/// The same with what pads the first segment of a frame in secure mode.
const PADDING: usize = UNSHOWN + 48;

/// Holds the innermost fields of an item against each other, and returns where the last one ends.
fn cover(item: &Item, start: usize, most: usize, what: &str) -> usize {
    let mut leaves = Vec::new();
    innermost(item, (start, start + item.size), what, &mut leaves);
    leaves.sort();
    leaves.into_iter().fold(start, |at, (start, end)| {
        assert!((at..=at + most).contains(&start), "{what}: a field begins at {start}, the last ended at {at}");
        end
    })
}

/// The places of the innermost fields of an item, which is at `place` itself.
fn innermost(item: &Item, place: (usize, usize), what: &str, leaves: &mut Vec<(usize, usize)>) {
    for opened in item.children.iter().filter(|child| is_opened(child)) {
        assert_eq!(cover(opened, 0, UNSHOWN, what), opened.size, "{what}: {}", opened.showname);
    }
    let ours =
        |child: &&Item| is_read(child) && child.name.starts_with("msgr2.") && child.size > 0 && !is_opened(child);
    let children: Vec<&Item> = item.children.iter().filter(ours).collect();
    let place_of = |item: &Item| (item.pos, item.pos + item.size);
    // a word and its flags
    let flags = |child: &&Item| {
        place_of(child) == place && [": True", ": False"].iter().any(|end| child.showname.ends_with(end))
    };
    if children.iter().all(|child| flags(child) && child.children.is_empty()) {
        leaves.push(place);
        return;
    }
    for child in children {
        let within = child.pos >= place.0 && child.pos + child.size <= place.1;
        assert!(within, "{what}: {} reaches out of {}", child.showname, item.showname);
        innermost(child, place_of(child), what, leaves);
    }
}

/// The fields whose numbers may be negative and have names, with those.
fn signed_enumerations() -> impl Iterator<Item = (&'static FieldInfo, &'static EnumInfo)> {
    let signed = |field: &'static FieldInfo| match field.kind {
        Kind::Enum(_, info) if info.signed && info.values.iter().any(|value| value.number < 0) => Some((field, info)),
        _ => None,
    };
    FIELDS.iter().filter_map(signed)
}

#[test]
fn a_negative_number_is_found_by_its_name_and_by_itself() {
    const FILTER: &str = "msgr2.auth_bad_method.result";
    let (_, info) = signed_enumerations().find(|(field, _)| field.filter == FILTER).unwrap();
    let mut said = conversation(&capture("crc-mon-cephx.pcap"))[..2].to_vec();
    for value in info.values {
        let refused = AuthBadMethod { result: Errno(value.number as i32), ..Default::default() };
        let bytes = frame::encode(Revision::V2_1, &Frame::AuthBadMethod(refused)).unwrap().to_vec();
        said.push(Segment { client: false, bytes });
    }
    let mut wire = Wire::new();
    wire.connection("192.0.2.1:20000", "192.0.2.2:3300", &said);
    let scratch = Scratch::new();
    let path = scratch.file("errors.pcap");
    packets::write(&path, &wire.packets);
    let found =
        |value: &str| tshark(&path, ["-Y", &format!("{FILTER} == {value}"), "-T", "fields", "-e", "frame.number"]);
    for value in info.values {
        let (by_name, by_number) = (found(&format!("\"{}\"", value.name)), found(&value.number.to_string()));
        assert_eq!(by_name.lines().count(), 1, "{}", value.name);
        assert_eq!(by_name, by_number, "{}", value.name);
    }
}
