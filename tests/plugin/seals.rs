//! What cephx seals, opened in the tree and in panes of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::again::{same_in_any_order, same_in_two_passes};
use crate::common::{Scratch, capture, keyring_of, tshark};
use crate::pdml::{self, Item};

/// The rotating key of osd-cephx.pcap's cluster, which is no more; and another one.
const KEY: &str = "AQBP9wJrsrZYIRAAhCzckh2rt4exbNoCER01hw==";
const OTHER: &str = "AQAA8VNlAAAAABAA8PHy8/T19vf4+fr7/P3+/w==";

/// A folder with the capture and a keyring, and the option that names the keyring.
fn lab(key: &str) -> (Scratch, String) {
    let scratch = Scratch::new();
    fs::write(scratch.file("keyring"), format!("[service.osd]\nkey.2 = {key}\n")).unwrap();
    fs::copy(capture("osd-cephx.pcap"), scratch.file("osd.pcap")).unwrap();
    let option = format!("msgr2.keyring:{}", scratch.file("keyring").display());
    (scratch, option)
}

fn find<'i>(items: &'i [Item], name: &str) -> Option<&'i Item> {
    items.iter().find_map(|item| if item.name == name { Some(item) } else { find(&item.children, name) })
}

#[test]
fn a_ticket_is_shown_opened() {
    let (scratch, option) = lab(KEY);
    let path = scratch.file("osd.pcap");
    let wanted = ["msgr2.tag", "msgr2.auth_entity_name.id", "msgr2.crypto_key.secret"];
    let mut arguments = vec!["-o", &option, "-Y", "msgr2.cephx_ticket_blob.ticket.opened", "-T", "fields"];
    arguments.extend(wanted.iter().flat_map(|field| ["-e", field]));
    let shown = tshark(&path, arguments);
    assert_eq!(shown.lines().collect::<Vec<_>>(), ["2\tadmin\t16 bytes, secret", "5\tadmin\t16 bytes, secret"]);

    // the ciphertext stays what it was, and has in it what it holds
    let with = pdml::read(&tshark(&path, ["-o", &option, "-T", "pdml"]));
    let packet = with.iter().find(|packet| find(&packet.protos, "msgr2.cephx_authorizer.proof").is_some()).unwrap();
    let ticket = find(&packet.protos, "msgr2.cephx_ticket_blob.ticket").unwrap();
    let [opened] = ticket.children.as_slice() else { panic!("{ticket:?}") };
    assert_eq!(
        (opened.name.as_str(), opened.showname.as_str()),
        ("msgr2.cephx_ticket_blob.ticket.opened", "Decrypted ticket")
    );
    assert_eq!(opened.children[0].pos, 0, "a place in a pane of its own");
    assert!(find(&opened.children, "msgr2.auth_ticket.expires").is_some());
    // what follows is in the packet's pane again
    let proof = find(&packet.protos, "msgr2.cephx_authorizer.proof").unwrap();
    assert_eq!(proof.pos, ticket.pos + ticket.size);
}

#[test]
fn panes_have_no_secrets() {
    let (scratch, option) = lab(KEY);
    let text = tshark(&scratch.file("osd.pcap"), ["-o", &option, "-V", "-x"]);
    for pane in ["ticket", "proof", "challenge", "reply"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("Decrypted {pane} ("))), "{pane}");
    }
    let (_, pane) = text.split_once("\nDecrypted ticket (").unwrap();
    let dump: Vec<&str> = pane.lines().skip(1).take_while(|line| line.starts_with('0')).collect();
    // the key is at the end, behind its length
    let bytes: Vec<&str> = dump.iter().flat_map(|line| line[6..53].split_whitespace()).collect();
    assert!(bytes.len() > 60 && bytes.ends_with(&[&["10", "00"][..], &["00"; 16]].concat()), "{dump:#?}");
}

#[test]
fn without_the_key_nothing_is_opened() {
    let (scratch, option) = lab(OTHER);
    let path = scratch.file("osd.pcap");
    let trees = |options: &[&str]| {
        let text = tshark(&path, [options, &["-V", "-x"]].concat());
        assert!(!text.contains("Decrypted"));
        text
    };
    assert_eq!(trees(&["-o", &option]), trees(&[]));
}

#[test]
fn it_is_the_same_in_any_order() {
    let (scratch, option) = lab(KEY);
    let path = scratch.file("osd.pcap");
    same_in_two_passes(&path, &["-o", &option]);
    let keyring = scratch.file("keyring").display().to_string();
    same_in_any_order(&path, &[("msgr2.keyring", &keyring)]);
}

#[test]
fn the_proposal_too() {
    for (name, field) in [
        ("proposal-exchange.pcapng", "msgr2.cephx_ticket_blob.ticket.opened"),
        ("proposal-exchange.pcapng", "msgr2.cephx_authorizer_reply.sealed.opened"),
        ("proposal-ticket.pcapng", "msgr2.cephx_ticket.service_ticket.opened"),
        ("proposal-ticket.pcapng", "msgr2.cephx_sealed_connection_secret.sealed.opened"),
        ("proposal-reconnect.pcapng", "msgr2.cephx_sealed_ticket.sealed.opened"),
    ] {
        let path = capture(name);
        let option = format!("msgr2.keyring:{}", keyring_of(&path).unwrap().display());
        let opened = |options: &[&str]| tshark(&path, [options, &["-Y", field]].concat()).lines().count();
        assert!(opened(&["-o", &option]) > 0, "{name}: {field}");
        assert_eq!(opened(&[]), 0, "{name}: {field}");
    }
}

/// Keys may be in several files and in a folder; where two of them have different keys for one entity that is said.
#[test]
fn keys_from_several_files() {
    let scratch = Scratch::new();
    let (path, keyring) = (capture("secure-tickets.pcap"), keyring_of(&capture("secure-tickets.pcap")).unwrap());
    let folder = scratch.file("keys");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(&keyring, folder.join("client.keyring")).unwrap();
    let other = scratch.file("other.keyring");
    fs::write(&other, format!("[osd.77]\n\tkey = {OTHER}\n")).unwrap();
    let opened = |keys: &str| {
        let option = format!("msgr2.keyring:{keys}");
        tshark(&path, ["-o", &option, "-Y", "msgr2.message and msgr2.mode == \"secure\""]).lines().count()
    };
    let (alone, other_only) = (opened(&keyring.display().to_string()), opened(&other.display().to_string()));
    assert!(alone > 5 && other_only == 0, "{alone} {other_only}");
    assert_eq!(opened(&folder.display().to_string()), alone, "a folder");
    assert_eq!(opened(&format!("{}:{}", other.display(), keyring.display())), alone, "two files");
    let wrong = scratch.file("wrong.keyring");
    fs::write(
        &wrong,
        fs::read_to_string(&keyring)
            .unwrap()
            .lines()
            .map(|line| if line.contains("key") { format!("\tkey = {OTHER}\n") } else { format!("{line}\n") })
            .collect::<String>(),
    )
    .unwrap();
    let option = format!("msgr2.keyring:{}:{}", wrong.display(), keyring.display());
    let told = tshark(&path, ["-o", &option, "-q", "-z", "expert"]);
    assert!(told.contains("client.admin has another key here than before"), "{told}");
}
