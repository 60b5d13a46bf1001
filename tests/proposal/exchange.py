#!/usr/bin/python3
"""The exchange of the proposal, byte for byte, made and checked apart from the Rust code.

    exchange.py make                prints the exchange as YAML, for a spec file
    exchange.py check FILE.yaml     recomputes every exchange in FILE from its bytes and secrets
    exchange.py damage FILE.yaml    changes each byte of each exchange in turn; `check` must notice every change

`make` writes with its own inputs, which stand below. `check` reads with a reader of its own, and knows only what is in
FILE. The exit status of `check` and `damage` is 1 if anything differs.

Needs Debian's packages python3-cryptography and python3-yaml (which only `check` and `damage` use).
"""

import copy
import hashlib
import hmac
import re
import sys
from struct import pack, unpack

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# ---- the inputs of `make`, which `check` doesn't look at ------------------------------------------------------------

# keys and random bytes: no two are alike, so that a wrong byte shows where it comes from
ROTATING_KEY = bytes(range(0x00, 0x10))
SESSION_KEY = bytes(range(0x10, 0x20))
CONNECTION_SECRET = bytes(range(0x20, 0x60))
CLIENT_SALT = bytes(range(0x60, 0x70))
SERVER_SALT = bytes(range(0x70, 0x80))
CLIENT_NONCE = bytes.fromhex("ff81828384858687")  # one more carries
CLIENT_COOKIE = bytes(range(0x88, 0x90))
SERVER_COOKIE = bytes(range(0x90, 0x98))

ROTATING_KEY_CREATED = 1463996400
CREATED = 1464000000  # 2016-05-23; the ticket, and its session key
EXPIRES = CREATED + 3600
CLOCK = 1464000060
SECRET_ID = 2
NAME = "admin"
CAPS = "allow *"
GLOBAL_ID = 4107
OSD = 3

FEATURES_SUPPORTED = 0x3F01CFBFFFFDFFFF  # those of 18.2.7
FEATURES_REQUIRED = 1 << 59  # MSG_ADDR2
CLIENT_ADDR = ("192.0.2.10", 0, 0x1A2B3C4D)
SERVER_ADDR = ("192.0.2.1", 6800, 7)

CLIENT_MSG = {"tid": 0x11, "ack_seq": 0, "front": b"hello", "middle": b"", "data": b"over there"}
SERVER_MSG = {"tid": 0x22, "ack_seq": 1, "front": b"likewise", "middle": b"in between", "data": b""}

# ---- what both sides of this script take from the protocol's text ----------------------------------------------------

TAGS = {
    0x07: "msg",
    0x20: "auth_methods",
    0x21: "auth_set_method",
    0x23: "auth_request",
    0x24: "auth_reply",
    0x25: "encrypt_begin",
    0x26: "ident",
    0x28: "start",
    0x2F: "signature",
}
TAG = {name: number for number, name in TAGS.items()}
ENTITIES = {1: "mon", 2: "mds", 4: "osd", 8: "client", 16: "mgr", 32: "auth"}
METHODS = {1: "none", 2: "cephx"}
ADDR_TYPES = {1: "legacy", 2: "msgr2", 3: "any"}
MESSAGE_TYPES = {2: "PING"}
FEATURES = {1: "ENCRYPT", 2: "RECONNECT"}
CONNECTION_FLAGS = {1: "LOSSY"}
MESSAGE_FLAGS = {1: "COMPLETE", 2: "NOCRC", 4: "SIGNED"}
MSG_ADDR2 = 1 << 59

CEPHX_IV = b"cephsageyudagreg"
CEPHX_MAGIC = 0xFF009CAD8826AA55
SEAL_INFO = b"msgr2 proposal seal "
SIGN_INFO = b"msgr2 proposal sign "
WAY = {"client": b"c2s", "server": b"s2c"}


def expand(key, info, length):
    return HKDFExpand(SHA256(), length, info).derive(key)


def connection_key(transcripts, session_key, connection_secret):
    """HKDF-Extract, which is one HMAC with the salt as its key."""
    salt = hashlib.sha256(transcripts["client"]).digest() + hashlib.sha256(transcripts["server"]).digest()
    return hmac.new(salt, session_key + connection_secret, hashlib.sha256).digest()


class Direction:
    """What one side's bytes are signed and sealed with."""

    def __init__(self, sender):
        self.way = WAY[sender]
        self.sign_key = self.seal_key = self.nonce_base = None
        self.signatures = self.records = 0

    def start_signing(self, key):
        self.sign_key = expand(key, SIGN_INFO + self.way, 32)

    def start_sealing(self, key, salt):
        both = expand(key, SEAL_INFO + self.way + salt, 16 + 12)
        self.seal_key, self.nonce_base = both[:16], both[16:]

    def next_signature(self, frame):
        n, self.signatures = self.signatures, self.signatures + 1
        return hmac.new(self.sign_key, pack("<Q", n) + frame, hashlib.sha256).digest()

    def next_nonce(self):
        n, self.records = self.records, self.records + 1
        return bytes(a ^ b for a, b in zip(self.nonce_base, pack("<QI", n, 0)))


# ---- writing ---------------------------------------------------------------------------------------------------------


class Quoted(str):
    """Text that is always quoted, or folded if it is long: bytes, and numbers that are text."""


class Word(int):
    """A number that YAML shows in hex."""


def blob(data):
    return pack("<I", len(data)) + data


def frame(tag, payload):
    return pack("<IB", 1 + len(payload), TAG[tag]) + payload


def cephx_seal(key, structure):
    plain = pack("<BQ", 1, CEPHX_MAGIC) + structure
    rest = 16 - len(plain) % 16
    aes = Cipher(algorithms.AES(key), modes.CBC(CEPHX_IV)).encryptor()
    return aes.update(plain + bytes([rest]) * rest) + aes.finalize()


def ticket_blob():
    name = pack("<I", 8) + blob(NAME.encode())
    caps = pack("<BB", 1, 0) + blob(blob(CAPS.encode()))
    times = pack("<IIII", CREATED, 0, EXPIRES, 0)
    ticket = b"\x02" + name + pack("<QQ", GLOBAL_ID, 2**64 - 1) + times + caps + pack("<I", 0)
    session_key = pack("<HIIH", 1, CREATED, 0, len(SESSION_KEY)) + SESSION_KEY
    return cephx_seal(ROTATING_KEY, b"\x01" + ticket + session_key)


def entity_addr(ip, port, nonce):
    sockaddr = pack("<H", 2) + pack(">H", port) + bytes(int(part) for part in ip.split(".")) + bytes(8)
    body = pack("<II", 2, nonce) + blob(sockaddr)
    return b"\x01" + pack("<BB", 1, 1) + blob(body)


def entity_addr_value(ip, port, nonce):
    inet = {"port": port, "ip": ip, "zero": Quoted("00" * 8)}
    return {"type": "msgr2", "nonce": Word(nonce), "sockaddr": {"family": "inet", "address": {"inet": inet}}}


def ident(addr, entity, gid, cookie):
    number = {"osd": 4, "client": 8}[entity]
    words = pack("<BQQQQQ", number, gid, 1, FEATURES_SUPPORTED, FEATURES_REQUIRED, 0)
    payload = pack("<BI", 2, 1) + entity_addr(*addr) + words + cookie
    value = {
        "addrs": [entity_addr_value(*addr)],
        "entity_type": entity,
        "gid": gid,
        "global_seq": 1,
        "features_supported": Quoted(hex(FEATURES_SUPPORTED)),
        "features_required": Quoted(hex(FEATURES_REQUIRED)),
        "flags": [],
        "cookie": Quoted(hex(int.from_bytes(cookie, "little"))),
    }
    return "ident", payload, value


def msg(content):
    parts = [content[part] for part in ("front", "middle", "data")]
    header = pack("<QQHHHIHQBHH", 1, content["tid"], 2, 127, 1, 0, 0, content["ack_seq"], 3, 1, 0)
    payload = header + pack("<III", *map(len, parts)) + b"".join(parts)
    value = {
        "header": {
            "seq": 1,
            "tid": content["tid"],
            "type": "PING",
            "priority": 127,
            "version": 1,
            "data_pre_padding_len": 0,
            "data_off": 0,
            "ack_seq": content["ack_seq"],
            "flags": ["COMPLETE", "NOCRC"],
            "compat_version": 1,
            "reserved": 0,
        },
        "front": Quoted(parts[0].hex()),
        "middle": Quoted(parts[1].hex()),
        "data": Quoted(parts[2].hex()),
    }
    return "msg", payload, value


def encrypt_begin(salt):
    return "encrypt_begin", pack("<I", 1) + salt, {"cipher": "aes_128_gcm", "salt": Quoted(salt.hex())}


def make():
    """Writes the exchange, frame by frame."""
    directions = {sender: Direction(sender) for sender in WAY}
    transcripts = {sender: b"" for sender in WAY}
    flights = []

    def flight(sender, doc):
        flights.append({"from": sender, "doc": doc, "hex": [], "frames": []})

    def send(piece, tag, value, **how):
        flights[-1]["hex"].append(piece.hex())
        transcripts[flights[-1]["from"]] += piece
        flights[-1]["frames"].append({"tag": tag, **how, "value": value})

    def clear(tag, payload, value, **how):
        send(frame(tag, payload), tag, value, **how)

    def sealed(tag, payload, value):
        direction = directions[flights[-1]["from"]]
        plain = frame(tag, payload)
        plain += frame("signature", direction.next_signature(plain))
        length = pack("<I", len(plain) + 16)
        record = length + AESGCM(direction.seal_key).encrypt(direction.next_nonce(), plain, length)
        send(record, tag, value, sealed=True, signed=True)

    ticket = ticket_blob()
    proof = cephx_seal(SESSION_KEY, b"\x02" + CLIENT_NONCE + pack("<BQ", 0, 0))
    authorizer = pack("<BQIBQ", 1, GLOBAL_ID, 4, 1, SECRET_ID) + blob(ticket) + blob(proof)
    nonce_plus_one = pack("<Q", int.from_bytes(CLIENT_NONCE, "little") + 1)
    reply = cephx_seal(SESSION_KEY, b"\x02" + nonce_plus_one + blob(CONNECTION_SECRET))

    flight("server", "The server greets, and names the methods that it allows.")
    send(b"ceph 3 0\n", "banner", {"supported": ["ENCRYPT", "RECONNECT"], "required": []})
    clear("auth_methods", pack("<II", 1, 2), {"methods": ["cephx"]})

    flight("client", "The client greets, insists on encryption, and shows its ticket.")
    send(b"ceph 3 1\n", "banner", {"supported": ["ENCRYPT", "RECONNECT"], "required": ["ENCRYPT"]})
    clear("auth_set_method", pack("<I", 2), {"method": "cephx"})
    clear(
        "auth_request",
        pack("<BB", 2, 8) + blob(NAME.encode()) + pack("<Q", GLOBAL_ID) + blob(authorizer),
        {
            "purpose": "authorize",
            "entity_type": "client",
            "entity_id": NAME,
            "global_id": GLOBAL_ID,
            "payload": {
                "authorize": {
                    "version": 1,
                    "authorizer": {
                        "global_id": GLOBAL_ID,
                        "service": "osd",
                        "ticket": {"struct_v": 1, "secret_id": SECRET_ID, "ticket": Quoted(ticket.hex())},
                        "proof": Quoted(proof.hex()),
                    },
                },
            },
        },
    )

    flight("server", "The server could open the ticket, and gives the connection its secret.")
    clear(
        "auth_reply",
        pack("<BiQ", 1, 0, GLOBAL_ID) + blob(b"") + blob(blob(reply)),
        {
            "status": "done",
            "result": "ok",
            "global_id": GLOBAL_ID,
            "message": Quoted(""),
            "payload": {"done": {"reply": {"authorizer": {"sealed": Quoted(reply.hex())}}}},
        },
        context={"auth_method": "cephx", "auth_mode": "authorizer"},
    )

    key = connection_key(transcripts, SESSION_KEY, CONNECTION_SECRET)
    for sender, salt in (("client", CLIENT_SALT), ("server", SERVER_SALT)):
        directions[sender].start_signing(key)
        directions[sender].start_sealing(key, salt)

    flight("client", "The client begins to encrypt, and says who it is.")
    clear(*encrypt_begin(CLIENT_SALT))
    sealed(*ident(CLIENT_ADDR, "client", GLOBAL_ID, CLIENT_COOKIE))

    flight("server", "The server begins to encrypt, and says who it is.")
    clear(*encrypt_begin(SERVER_SALT))
    sealed(*ident(SERVER_ADDR, "osd", OSD, SERVER_COOKIE))

    flight("client", "The client begins a session, and sends a message right behind.")
    sealed("start", pack("<Q", 0), {"flags": Quoted("0x0")})
    sealed(*msg(CLIENT_MSG))

    flight("server", "The server sends a message, which also says that the client's has arrived.")
    sealed(*msg(SERVER_MSG))

    print_exchange(flights)


SECRETS = (
    ("rotating_key", ROTATING_KEY.hex(), f"key {SECRET_ID} of the service osd, type AES"),
    ("rotating_key_created", str(ROTATING_KEY_CREATED), "seconds since 1970; no byte of the exchange depends on it"),
    ("session_key", SESSION_KEY.hex(), "the ticket's, type AES"),
    ("session_key_created", str(CREATED), "seconds since 1970"),
    ("client_nonce", CLIENT_NONCE.hex(), "of the authorizer; bytes as on the wire"),
    ("connection_secret", CONNECTION_SECRET.hex(), "made by the server"),
    ("client_salt", CLIENT_SALT.hex(), "of the client's ENCRYPT_BEGIN"),
    ("client_cookie", CLIENT_COOKIE.hex(), "of the client's IDENT; bytes as on the wire"),
    ("server_salt", SERVER_SALT.hex(), "of the server's ENCRYPT_BEGIN"),
    ("server_cookie", SERVER_COOKIE.hex(), "of the server's IDENT; bytes as on the wire"),
    ("clock", str(CLOCK), "when it happens, in seconds since 1970: the ticket is valid"),
)

WIDTH = 124


def flow(value):
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Word):
        return f"{value:#x}"
    if isinstance(value, str) and (isinstance(value, Quoted) or not re.fullmatch(r"[A-Za-z]\w*|\d+(\.\d+){3}", value)):
        return f'"{value}"'
    return str(value)


def block(key, value, indent):
    """A key and its value: on one line if that is short enough."""
    line = f"{indent}{key}: {flow(value)}"
    if len(line) <= WIDTH or not isinstance(value, (dict, list, Quoted)):
        print(line)
    elif isinstance(value, Quoted):
        fold(key, [value], indent)
    elif isinstance(value, list):
        print(f"{indent}{key}:")
        for item in value:
            entry(item, indent + "  ")
    else:
        print(f"{indent}{key}:")
        for inner, item in value.items():
            block(inner, item, indent + "  ")


def entry(item, indent):
    """An item of a list, a map: on one line if that is short enough."""
    line = f"{indent}- {flow(item)}"
    if len(line) <= WIDTH:
        print(line)
        return
    first, *others = item
    print(f"{indent}- {first}: {flow(item[first])}")
    for key in others:
        block(key, item[key], indent + "  ")


def fold(key, pieces, indent):
    """Bytes over several lines; each piece begins a line."""
    print(f"{indent}{key}: >-")
    for piece in pieces:
        for at in range(0, len(piece), 96):
            print(f"{indent}  {piece[at:at + 96]}")


def print_exchange(flights):
    print("exchanges:\n  pipelined:")
    print("    doc: A client shows its ticket to an osd, both begin to encrypt, and a message goes each way.")
    print("    source: The proposal of May 2016, point 7")
    print("    secrets:")
    for name, text, comment in SECRETS:
        print(f"      # {comment}")
        print(f'      {name}: "{text}"')
    print("    flights:")
    for flight in flights:
        print(f"      - from: {flight['from']}\n        doc: {flight['doc']}")
        fold("hex", flight["hex"], " " * 8)
        print("        frames:")
        for item in flight["frames"]:
            entry(item, " " * 10)


# ---- reading ---------------------------------------------------------------------------------------------------------


class Wrong(Exception):
    """The exchange is not what it should be."""


def want(condition, what):
    if not condition:
        raise Wrong(what)


def named(names, number, what):
    want(number in names, f"{what}: {number} has no name here")
    return names[number]


def flags(names, word, what):
    found = [name for bit, name in names.items() if word & bit]
    want(word == sum(bit for bit in names if word & bit), f"{what}: {word:#x} has unknown bits")
    return found


class Reader:
    """Reads fields one after the other; `what` says of what, for errors."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        want(count <= self.left(), f"{self.what}: {count} bytes at {self.at}, {self.left()} are left")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size, order="little"):
        return int.from_bytes(self.take(size), order)

    def u8(self):
        return self.number(1)

    def u16(self):
        return self.number(2)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def blob(self):
        return self.take(self.u32())

    def text(self):
        return self.blob().decode()

    def constant(self, size, expected, field):
        found = self.number(size)
        want(found == expected, f"{self.what}: {field} is {found:#x}, not {expected:#x}")
        return found

    def end(self):
        want(self.left() == 0, f"{self.what}: {self.left()} bytes left over")


def cephx_open(key, sealed, what):
    want(sealed and len(sealed) % 16 == 0, f"{what}: {len(sealed)} bytes are no whole blocks")
    aes = Cipher(algorithms.AES(key), modes.CBC(CEPHX_IV)).decryptor()
    plain = aes.update(sealed) + aes.finalize()
    rest = plain[-1]
    want(1 <= rest <= 16 and plain[-rest:] == bytes([rest]) * rest, f"{what}: padding")
    reader = Reader(plain[:-rest], what)
    reader.constant(1, 1, "header version")
    reader.constant(8, CEPHX_MAGIC, "magic")
    return reader


def read_banner(reader):
    line = b""
    while not line.endswith(b"\n"):
        want(len(line) < 39, "banner: no newline within 39 bytes")
        line += reader.take(1)
    match = re.fullmatch(rb"ceph ([0-9a-f]{1,16}) ([0-9a-f]{1,16})\n", line)
    want(match, f"banner: {line!r}")
    supported, required = (int(digits, 16) for digits in match.groups())
    return {
        "supported": flags(FEATURES, supported, "banner.supported"),
        "required": flags(FEATURES, required, "banner.required"),
    }


def read_auth_methods(reader):
    return {"methods": [named(METHODS, reader.u32(), "method") for _ in range(reader.u32())]}


def read_auth_set_method(reader):
    return {"method": named(METHODS, reader.u32(), "method")}


def read_auth_request(reader):
    reader.constant(1, 2, "purpose")
    value = {
        "purpose": "authorize",
        "entity_type": named(ENTITIES, reader.u8(), "entity_type"),
        "entity_id": reader.text(),
        "global_id": reader.u64(),
    }
    inner = Reader(reader.blob(), "authorizer")
    version = inner.constant(1, 1, "version")
    authorizer = {
        "global_id": inner.u64(),
        "service": named(ENTITIES, inner.u32(), "service"),
        "ticket": {"struct_v": inner.constant(1, 1, "ticket"), "secret_id": inner.u64(), "ticket": inner.blob().hex()},
        "proof": inner.blob().hex(),
    }
    inner.end()
    value["payload"] = {"authorize": {"version": version, "authorizer": authorizer}}
    return value


def read_auth_reply(reader):
    reader.constant(1, 1, "status")
    reader.constant(4, 0, "result")
    value = {"status": "done", "result": "ok", "global_id": reader.u64(), "message": reader.text()}
    inner = Reader(reader.blob(), "reply")
    value["payload"] = {"done": {"reply": {"authorizer": {"sealed": inner.blob().hex()}}}}
    inner.end()
    return value


def read_encrypt_begin(reader):
    reader.constant(4, 1, "cipher")
    return {"cipher": "aes_128_gcm", "salt": reader.take(16).hex()}


def read_entity_addr(reader):
    for field in ("marker", "struct_v", "struct_compat"):
        reader.constant(1, 1, field)
    body = Reader(reader.blob(), "entity_addr")
    value = {"type": named(ADDR_TYPES, body.u32(), "address type"), "nonce": body.u32()}
    sockaddr = Reader(body.blob(), "sockaddr")
    body.end()
    sockaddr.constant(2, 2, "family")
    port, ip = sockaddr.number(2, "big"), ".".join(map(str, sockaddr.take(4)))
    inet = {"port": port, "ip": ip, "zero": sockaddr.take(8).hex()}
    sockaddr.end()
    value["sockaddr"] = {"family": "inet", "address": {"inet": inet}}
    return value


def read_ident(reader):
    reader.constant(1, 2, "marker")
    count = reader.u32()
    want(1 <= count <= 16, f"ident: {count} addresses")
    return {
        "addrs": [read_entity_addr(reader) for _ in range(count)],
        "entity_type": named(ENTITIES, reader.u8(), "entity_type"),
        "gid": reader.u64(),
        "global_seq": reader.u64(),
        "features_supported": reader.u64(),
        "features_required": reader.u64(),
        "flags": flags(CONNECTION_FLAGS, reader.u64(), "ident.flags"),
        "cookie": reader.u64(),
    }


def read_start(reader):
    return {"flags": reader.constant(8, 0, "flags")}


def read_msg(reader):
    header = {
        "seq": reader.u64(),
        "tid": reader.u64(),
        "type": named(MESSAGE_TYPES, reader.u16(), "message type"),
        "priority": reader.u16(),
        "version": reader.u16(),
        "data_pre_padding_len": reader.constant(4, 0, "data_pre_padding_len"),
        "data_off": reader.u16(),
        "ack_seq": reader.u64(),
        "flags": flags(MESSAGE_FLAGS, reader.u8(), "header.flags"),
        "compat_version": reader.u16(),
        "reserved": reader.constant(2, 0, "reserved"),
    }
    lengths = [reader.u32() for _ in range(3)]
    parts = [reader.take(length).hex() for length in lengths]
    return {"header": header, "front": parts[0], "middle": parts[1], "data": parts[2]}


READERS = {
    "auth_methods": read_auth_methods,
    "auth_set_method": read_auth_set_method,
    "auth_request": read_auth_request,
    "auth_reply": read_auth_reply,
    "encrypt_begin": read_encrypt_begin,
    "ident": read_ident,
    "start": read_start,
    "msg": read_msg,
}


class Check:
    """One exchange, read from its bytes; what is found on the way is kept for what comes later."""

    def __init__(self, secrets):
        self.secrets = {name: "".join(text.split()) for name, text in secrets.items()}
        self.used = set()
        self.directions = {sender: Direction(sender) for sender in WAY}
        self.transcripts = {sender: b"" for sender in WAY}
        self.values = {sender: {} for sender in WAY}  # the last of each tag
        self.order = {sender: [] for sender in WAY}
        self.session_key = self.nonce = self.key = None
        self.unsealed = 0
        self.verified = []

    def note(self, line):
        self.verified.append(line)

    def given(self, name):
        """A secret that must be known beforehand."""
        want(name in self.secrets, f"secret {name} is missing")
        self.used.add(name)
        return self.secrets[name]

    def secret(self, name, found):
        """A secret that the bytes hold."""
        want(self.given(name) == found, f"secret {name} is {self.secrets[name]}, found {found}")

    def flight(self, sender, data):
        """All frames of a flight, as the YAML lists them."""
        direction, frames = self.directions[sender], []
        reader = Reader(data, f"flight of the {sender}")
        while reader.left():
            begin = reader.at
            if direction.seal_key:
                frames.append(self.record(sender, reader))
                continue
            if not self.order[sender]:
                tag, value = "banner", read_banner(reader)
            else:
                tag, value, _ = self.frame(reader)
            want(self.key is None or tag == "encrypt_begin", f"{tag} of the {sender} in the clear")
            if self.key is None:
                self.transcripts[sender] += data[begin:reader.at]
            frames.append({"tag": tag, "sealed": False, "signed": False, "value": value})
            self.seen(sender, tag, value)
        return frames

    def frame(self, reader):
        """A frame: its tag, its value (a signature's bytes), all its bytes."""
        begin = reader.at
        frame_len = reader.u32()
        want(0 < frame_len <= 65536, f"frame_len is {frame_len}")
        tag = named(TAGS, reader.u8(), "tag")
        payload = Reader(reader.take(frame_len - 1), tag)
        value = payload.take(32) if tag == "signature" else READERS[tag](payload)
        payload.end()
        return tag, value, reader.data[begin:reader.at]

    def record(self, sender, reader):
        """A sealed record: one frame and its signature."""
        direction = self.directions[sender]
        length = reader.take(4)
        sealed = reader.take(unpack("<I", length)[0])
        try:
            plain = AESGCM(direction.seal_key).decrypt(direction.next_nonce(), sealed, length)
        except (InvalidTag, ValueError) as error:
            raise Wrong(f"record {direction.records - 1} of the {sender} doesn't open") from error
        inner = Reader(plain, f"record {direction.records - 1} of the {sender}")
        tag, value, data = self.frame(inner)
        want(tag not in ("signature", "encrypt_begin"), f"{tag} where a signed frame belongs")
        second, signature, _ = self.frame(inner)
        want(second == "signature", f"{tag} is followed by {second}")
        inner.end()
        want(hmac.compare_digest(signature, direction.next_signature(data)), f"signature of {tag} of the {sender}")
        self.unsealed += 1
        self.note(f"{sender}: record {direction.records - 1} opened, "
                  f"signature {direction.signatures - 1} of {tag.upper()} verified")
        self.seen(sender, tag, value)
        return {"tag": tag, "sealed": True, "signed": True, "value": value}

    def seen(self, sender, tag, value):
        """What a frame means for what comes behind it."""
        self.order[sender].append(tag)
        self.values[sender][tag] = value
        if tag == "auth_request":
            self.auth_request(value)
        elif tag == "auth_reply":
            self.auth_reply(value)
        elif tag == "encrypt_begin":
            self.encrypt_begin(sender, value)
        elif tag == "ident":
            self.ident(sender, value)
        elif tag == "start":
            want("ident" in self.values["server"], "START before the server's IDENT")
        elif tag == "msg":
            self.msg(sender, value)

    def auth_request(self, value):
        authorizer = value["payload"]["authorize"]["authorizer"]
        rotating_key = bytes.fromhex(self.given("rotating_key"))
        info = cephx_open(rotating_key, bytes.fromhex(authorizer["ticket"]["ticket"]), "ticket")
        info.constant(1, 1, "version of the ticket info")
        info.constant(1, 2, "version of the ticket")
        name = (named(ENTITIES, info.u32(), "type of the name"), info.text())
        want(name == (value["entity_type"], value["entity_id"]), f"the ticket is {name[0]}.{name[1]}'s")
        global_id = info.u64()
        want(global_id == value["global_id"] == authorizer["global_id"] != 0, f"the ticket's global_id is {global_id}")
        info.constant(8, 2**64 - 1, "auid")
        created, expires = (info.u32() + info.u32() / 10**9 for _ in range(2))
        clock = int(self.given("clock"))
        want(created <= clock < expires, f"the ticket is valid from {created} to {expires}, not at {clock}")
        want(int(self.given("rotating_key_created")) <= created, "the ticket is older than the key that seals it")
        info.constant(1, 1, "version of the caps")
        info.constant(1, 0, "allow_all")
        caps = Reader(info.blob(), "caps")
        allowed = caps.text()
        caps.end()
        info.constant(4, 0, "flags of the ticket")
        info.constant(2, 1, "type of the session key")
        self.secret("session_key_created", str(info.u32()))
        info.constant(4, 0, "nanoseconds of the session key")
        self.session_key = info.take(info.u16())
        want(len(self.session_key) == 16, f"session key of {len(self.session_key)} bytes")
        info.end()
        self.secret("session_key", self.session_key.hex())
        self.note(f"ticket opened: {name[0]}.{name[1]}, global_id {global_id}, {allowed!r}, "
                  f"{int(created)} to {int(expires)}")

        proof = cephx_open(self.session_key, bytes.fromhex(authorizer["proof"]), "proof")
        proof.constant(1, 2, "version")
        self.nonce = proof.u64()
        proof.constant(1, 0, "have_challenge")
        proof.constant(8, 0, "server_challenge_plus_one")
        proof.end()
        self.secret("client_nonce", pack("<Q", self.nonce).hex())
        self.note("proof opened with the ticket's session key")

    def auth_reply(self, value):
        want("auth_request" in self.values["client"], "AUTH_REPLY before AUTH_REQUEST")
        request = self.values["client"]["auth_request"]
        want(value["global_id"] == request["global_id"], "global_id of the AUTH_REPLY")
        want(self.values["client"]["auth_set_method"]["method"] == "cephx", "method of the client")
        want("cephx" in self.values["server"]["auth_methods"]["methods"], "methods of the server")
        sealed = bytes.fromhex(value["payload"]["done"]["reply"]["authorizer"]["sealed"])
        reply = cephx_open(self.session_key, sealed, "reply")
        reply.constant(1, 2, "version")
        reply.constant(8, (self.nonce + 1) % 2**64, "nonce + 1")
        connection_secret = reply.blob()
        want(len(connection_secret) == 64, f"connection secret of {len(connection_secret)} bytes")
        reply.end()
        self.secret("connection_secret", connection_secret.hex())
        self.note("reply opened: the nonce plus one, and the connection secret")

        # `flight` adds a frame to the transcript before it calls `seen`
        for sender, transcript in self.transcripts.items():
            self.note(f"transcript of the {sender}: {len(transcript)} bytes, "
                      f"SHA-256 {hashlib.sha256(transcript).hexdigest()}")
        self.key = connection_key(self.transcripts, self.session_key, connection_secret)
        self.note(f"connection key {self.key.hex()}")
        for sender, direction in self.directions.items():
            direction.start_signing(self.key)
            self.note(f"{sender}: signing key {direction.sign_key.hex()}")

    def encrypt_begin(self, sender, value):
        want(self.key is not None, "ENCRYPT_BEGIN before authentication is complete")
        for peer, values in self.values.items():
            want("ENCRYPT" in values["banner"]["supported"], f"the {peer} doesn't support ENCRYPT")
        self.secret(f"{sender}_salt", value["salt"])
        direction = self.directions[sender]
        direction.start_sealing(self.key, bytes.fromhex(value["salt"]))
        self.note(f"{sender}: seal key {direction.seal_key.hex()}, nonce base {direction.nonce_base.hex()}")

    def ident(self, sender, value):
        want(self.order[sender].count("ident") == 1, f"second IDENT of the {sender}")
        request = self.values["client"]["auth_request"]
        if sender == "client":
            want(value["entity_type"] == request["entity_type"], "the client's entity_type")
            want(value["gid"] == request["global_id"], "the client's gid")
        else:
            service = request["payload"]["authorize"]["authorizer"]["service"]
            want(value["entity_type"] == service, "the server's entity_type")
        for word in ("features_supported", "features_required"):
            want(value[word] & MSG_ADDR2, f"{word} of the {sender} lacks MSG_ADDR2")
        want(value["features_supported"] & value["features_required"] == value["features_required"],
             f"the {sender} requires what it doesn't support")
        want(value["flags"] == [] and value["cookie"] != 0, f"session of the {sender}")
        want("RECONNECT" in self.values[sender]["banner"]["supported"], f"the {sender} doesn't support RECONNECT")
        want(value["global_seq"] >= 1, f"global_seq of the {sender}")
        self.secret(f"{sender}_cookie", pack("<Q", value["cookie"]).hex())

    def msg(self, sender, value):
        want("start" in self.values["client"], f"MSG of the {sender} before START")
        peer = "server" if sender == "client" else "client"
        header = value["header"]
        want(header["seq"] == self.order[sender].count("msg"), f"seq of the {sender}")
        want(header["ack_seq"] <= self.order[peer].count("msg"), f"ack_seq of the {sender}")
        want(header["flags"] == ["COMPLETE", "NOCRC"], f"header flags of the {sender}")

    def end(self):
        required = {sender: values["banner"]["required"] for sender, values in self.values.items()}
        want("ENCRYPT" in required["client"] + required["server"], "nobody requires ENCRYPT")
        orders = {
            "server": ["banner", "auth_methods", "auth_reply", "encrypt_begin", "ident", "msg"],
            "client": ["banner", "auth_set_method", "auth_request", "encrypt_begin", "ident", "start", "msg"],
        }
        want(self.order == orders, f"order of the frames: {self.order}")
        idents = {sender: values["ident"] for sender, values in self.values.items()}
        for sender, peer in (("client", "server"), ("server", "client")):
            lacking = idents[sender]["features_required"] & ~idents[peer]["features_supported"]
            want(lacking == 0, f"the {peer} lacks features {lacking:#x}")
        want(set(self.secrets) == self.used, f"secrets without a use: {sorted(set(self.secrets) - self.used)}")


def same(listed, found, path):
    """Compares a value of the YAML with one that was read: numbers may be text in hex, and bytes may be folded."""
    if isinstance(found, dict):
        want(isinstance(listed, dict) and set(listed) == set(found), f"{path}: fields are {sorted(found)}")
        for key in found:
            same(listed[key], found[key], f"{path}.{key}")
    elif isinstance(found, list):
        want(isinstance(listed, list) and len(listed) == len(found), f"{path}: {len(found)} items were read")
        for at, item in enumerate(found):
            same(listed[at], item, f"{path}[{at}]")
    else:
        if isinstance(found, int) and isinstance(listed, str):
            want(re.fullmatch(r"0x[0-9a-f]+", listed), f"{path}: {listed!r} is no number")
            listed = int(listed, 16)
        elif isinstance(listed, str):
            listed = "".join(listed.split())
        want(type(listed) is type(found) and listed == found, f"{path}: {listed!r} is listed, {found!r} was read")


def check_exchange(exchange):
    """Everything about one exchange; says what was verified."""
    check = Check(exchange["secrets"])
    total = 0
    for number, flight in enumerate(exchange["flights"], 1):
        data = bytes.fromhex("".join(flight["hex"].split()))
        total += len(data)
        frames = check.flight(flight["from"], data)
        listed = flight["frames"]
        want(len(frames) == len(listed), f"flight {number}: {len(frames)} frames were read, {len(listed)} are listed")
        for item, found in zip(listed, frames):
            path = f"flight {number}, {found['tag']}"
            for key in ("tag", "sealed", "signed"):
                same(item.get(key, False), found[key], f"{path}.{key}")
            same(item["value"], found["value"], path)
            known = {"tag", "sealed", "signed", "context", "value"}
            want(set(item) <= known, f"{path}: unknown {set(item) - known}")
    check.end()
    count = sum(map(len, check.order.values()))
    check.note(f"{len(exchange['flights'])} flights, {total} bytes, {count} frames as listed, "
               f"{check.unsealed} of them sealed")
    return check.verified


def fault(exchange):
    """Why an exchange is wrong, or None."""
    try:
        check_exchange(exchange)
    except (Wrong, ValueError, KeyError) as error:
        return error
    return None


def load(path):
    import yaml

    with open(path, encoding="utf-8") as file:
        exchanges = yaml.safe_load(file).get("exchanges")
    want(exchanges, f"{path}: no exchanges")
    return exchanges


def check_file(path):
    for name, exchange in load(path).items():
        try:
            for line in check_exchange(exchange):
                print(f"{name}: {line}")
        except (ValueError, KeyError) as error:
            raise Wrong(f"{name}: {type(error).__name__}: {error}") from error
        except Wrong as error:
            raise Wrong(f"{name}: {error}") from error


def damage_file(path):
    """`check` must notice each change of a byte, in the flights and in those secrets that the bytes depend on."""
    for name, exchange in load(path).items():
        why = fault(exchange)
        want(why is None, f"{name}: wrong before any damage: {why}")
        places = [(flight, "hex") for flight in range(len(exchange["flights"]))]
        numbers = ("clock", "rotating_key_created", "session_key_created")
        places += [("secrets", secret) for secret in exchange["secrets"] if secret not in numbers]
        changes = 0
        for where, key in places:
            damaged = copy.deepcopy(exchange)
            holder = damaged["secrets"] if where == "secrets" else damaged["flights"][where]
            whole = bytes.fromhex("".join(holder[key].split()))
            for at in range(len(whole)):
                for mask in (0x01, 0x80, 0xFF):
                    holder[key] = (whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1:]).hex()
                    want(fault(damaged) is not None, f"{name}: byte {at} of {where} {key}: change {mask:#x} unnoticed")
                    changes += 1
        print(f"{name}: {changes} changes, all noticed")


def main(arguments):
    commands = {"check": check_file, "damage": damage_file}
    if arguments == ["make"]:
        make()
    elif len(arguments) == 2 and arguments[0] in commands:
        try:
            commands[arguments[0]](arguments[1])
        except (Wrong, OSError) as error:
            print(f"exchange.py: {error}", file=sys.stderr)
            return 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
