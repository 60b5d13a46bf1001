//! Reads what `tshark -T pdml` prints, which has one element a line.

/// A packet.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub number: u32,
    pub protos: Vec<Item>,
}

/// A protocol or a field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub name: String,
    pub showname: String,
    pub pos: usize,
    pub size: usize,
    pub children: Vec<Item>,
}

/// All packets.
pub(crate) fn read(text: &str) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    let mut open: Vec<Item> = Vec::new();
    // what is hidden is for filters alone
    for line in text.lines().map(str::trim).filter(|line| !line.contains(" hide=\"yes\"")) {
        if line == "<packet>" {
            packets.push(Packet::default());
        } else if line.starts_with("<proto ") || line.starts_with("<field ") {
            if attribute(line, "name") == "num" {
                packets.last_mut().unwrap().number = attribute(line, "show").parse().unwrap();
            }
            let number = |name| attribute(line, name).parse().unwrap_or_default();
            open.push(Item {
                name: attribute(line, "name"),
                showname: attribute(line, "showname"),
                pos: number("pos"),
                size: number("size"),
                children: Vec::new(),
            });
            if line.ends_with("/>") {
                close(&mut open, &mut packets);
            }
        } else if line == "</proto>" || line == "</field>" {
            close(&mut open, &mut packets);
        }
    }
    assert!(open.is_empty() && !packets.is_empty());
    packets
}

fn close(open: &mut Vec<Item>, packets: &mut [Packet]) {
    // Wireshark 4.0 ends the packet's general data twice
    let Some(item) = open.pop() else { return };
    match open.last_mut() {
        Some(parent) => parent.children.push(item),
        None => packets.last_mut().unwrap().protos.push(item),
    }
}

fn attribute(line: &str, name: &str) -> String {
    let Some((_, rest)) = line.split_once(&format!(" {name}=\"")) else { return String::new() };
    let value = rest.split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&#x27;", "'").replace("&amp;", "&")
}
