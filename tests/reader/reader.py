#!/usr/bin/python3
"""Reads every example of the spec in another language, with no knowledge of the protocol but `msgr2 spec json`.

    reader.py PROGRAM           runs `PROGRAM spec json`, and reads all examples in it
    reader.py PROGRAM FOLDER    the same for the spec files in FOLDER

Each example's bytes must give its value, and each refused example its error. It needs nothing but Python's own library.
The exit status is 1 if anything differs.
"""

import functools
import ipaddress
import json
import operator
import struct
import subprocess
import sys
import uuid

SIZES = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "s8": "<b", "s16": "<h", "s32": "<i", "s64": "<q",
         "u16be": ">H", "u32be": ">I", "u64be": ">Q", "f32": "<f", "f64": "<d"}


class Refused(Exception):
    """Bytes that are not allowed; its text is the name of the error."""


class Reader:
    """Bytes, and how many of them have been read."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Refused("incomplete")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, scalar):
        return struct.unpack(SIZES[scalar], self.take(struct.calcsize(SIZES[scalar])))[0]

    def end(self):
        if self.left():
            raise Refused("trailing")


class Body:
    """A body that is being read: what conditions, unions and measures of its fields look at."""

    def __init__(self, spec, body, context):
        self.spec, self.body, self.context = spec, body, context
        self.read, self.value, self.struct_v = {}, {}, None

    def operand(self, operand):
        """A number that decides, or None if nobody has told it."""
        origin = operand["origin"]
        if "context" in origin:
            return self.context.get(origin["context"])
        if origin["path"]["struct_v"]:
            return self.struct_v
        value, body = self.read, self.body
        steps = iter(origin["path"]["fields"])
        for index in steps:
            field = body["fields"][index]
            value = value.get(index) if value is self.read else value.get(field["name"])
            ty = (field["content"] or field["node"])["ty"]
            if "union" in ty:
                case = ty["union"]["cases"][next(steps)]
                value = value.get(case["name"]) if isinstance(value, dict) else None
                ty = case["node"]["ty"]
            if value is None:
                return None
            body = self.spec.json["bodies"][ty["struct"]] if "struct" in ty else None
        return value

    def of(self, item, body):
        """What is asked for fields of an item of a list."""
        this = Body(self.spec, body, self.context)
        this.read = {index: item[field["name"]] for index, field in enumerate(body["fields"]) if field["name"] in item}
        return this

    def there(self, field, r):
        version = self.operand(self.body["version"]) if self.body["version"] else None
        if field["since"] is not None and version is not None and version < field["since"]:
            return False
        if field["until"] is not None and (version is None or version > field["until"]):
            return False
        return not field["when"] or self.holds(field["when"]["test"], r)

    def holds(self, test, r):
        if test == "more":
            return r.left() > 0
        if "all" in test or "any" in test:
            join, parts = next(iter(test.items()))
            return {"all": all, "any": any}[join](self.holds(part, r) for part in parts)
        operand, how, number = test["compare"]
        value = self.operand(operand)
        return value is not None and {"equal": value == number, "not_equal": value != number,
                                      "at_least": value >= number, "at_most": value <= number, "above": value > number,
                                      "below": value < number, "any_bit": value & number != 0}[how]

    def fields(self, r, fields):
        for index, field in fields:
            if not self.there(field, r):
                continue
            if field["each"]:
                item = self.spec.json["bodies"][field["each"]["item"]]
                items = self.read[field["each"]["list"]]
                value = self.read[index] = [self.told(r, field, self.of(one, item)) for one in items]
            else:
                value = self.read[index] = self.told(r, field, self)
            derived = field["derived"]
            if derived is None:
                self.value[field["name"]] = value
            elif "number" in derived and value != derived["number"]:
                raise Refused("not_constant")
            elif "bytes" in derived and value != "".join(derived["bytes"]["segments"]):
                raise Refused("not_constant")

    def told(self, r, field, asked):
        """A field, whose length and context `asked` knows."""
        context = self.context
        self.context = context | {name: asked.operand(operand) for name, operand in field["given"]}
        length = (asked.operand(field["length"]) or 0) if field["length"] else None
        value = self.field(r, field, length)
        self.context = context
        return value

    def field(self, r, field, length):
        most = field["max"] and field["max"]["value"]
        if field["measured_by"] is not None:
            length = self.read[field["measured_by"]]
        if field["content"] is None:
            return self.node(r, field["node"], most, length)
        inner = Reader(bytes.fromhex(self.node(r, field["node"], most, length)))
        if not inner.left():
            return None
        value = self.node(inner, field["content"], None, None)
        inner.end()
        return value

    def node(self, r, node, most, length):
        """A value; `most` bounds its items or bytes, `length` is their number if another field says it."""

        def bounded(count):
            if most is not None and count > most:
                raise Refused("too_many")
            return count

        def items(count, *parts):
            if count * sum(self.spec.min_size(part["ty"]) for part in parts) > r.left():
                raise Refused("incomplete")
            return [[self.node(r, part, None, None) for part in parts] for _ in range(bounded(count))]

        ty = node["ty"]
        kind, what = (ty, None) if isinstance(ty, str) else next(iter(ty.items()))
        if kind == "scalar":
            return self.scalar(r, what, bounded, length)
        if kind in ("enum", "flags"):
            return r.number(self.spec.json["enums" if kind == "enum" else "flags"][what]["base"])
        if kind == "struct":
            return self.spec.structure(r, self.spec.json["bodies"][what], self.context)
        if kind == "blob":
            return r.take(bounded(r.number(what))).hex()
        if kind in ("rest", "sized"):
            return r.take(bounded(r.left() if kind == "rest" else length)).hex()
        if kind == "empty":
            return None
        if kind == "list":
            return [item for [item] in items(bounded(r.number("u32")), what)]
        if kind == "counted":
            return [item for [item] in items(bounded(length), what)]
        if kind == "array":
            return [item for [item] in items(what[1], what[0])]
        if kind == "items":
            found = []
            while r.left():
                found.append(self.node(r, what, None, None))
                bounded(len(found))
            return found
        if kind == "tuple":
            return [self.node(r, part, None, None) for part in what]
        if kind == "map":
            return items(bounded(r.number("u32")), *what[1:])
        if kind == "optional":
            return self.node(r, what, most, None) if self.boolean(r) else None
        return self.union(r, what)

    def boolean(self, r):
        value = r.number("u8")
        if value > 1:
            raise Refused("not_boolean")
        return bool(value)

    def scalar(self, r, scalar, bounded, length):
        if isinstance(scalar, dict):
            return r.take(scalar["bytes"]).hex()
        if scalar in SIZES:
            return r.number(scalar)
        if scalar == "text":
            return r.take(bounded(r.number("u32") if length is None else length)).decode(errors="replace")
        if scalar == "utime":
            return "%d.%09d" % (r.number("u32"), r.number("u32"))
        if scalar == "duration":
            seconds, nanoseconds = r.number("s32"), r.number("s32")
            return "-" * (min(seconds, nanoseconds) < 0) + "%d.%09d" % (abs(seconds), abs(nanoseconds))
        return {"bool": lambda: self.boolean(r), "uuid": lambda: str(uuid.UUID(bytes=r.take(16))),
                "ipv4": lambda: str(ipaddress.IPv4Address(r.take(4))),
                "ipv6": lambda: str(ipaddress.IPv6Address(r.take(16)))}[scalar]()

    def union(self, r, union):
        number = self.operand(union["by"])
        for case in union["cases"]:
            if number is not None and any(of["start"] <= number <= of["end"] for of in case["numbers"]):
                value = self.node(r, case["node"], None, None)
                return case["name"] if case["node"]["ty"] == "empty" else {case["name"]: value}
        return {"other": r.take(r.left()).hex()}


class Spec:
    """The spec as `msgr2 spec json` writes it."""

    def __init__(self, text):
        self.json = json.loads(text)

    def min_size(self, ty):
        kind, what = (ty, None) if isinstance(ty, str) else next(iter(ty.items()))
        if kind == "scalar" and isinstance(what, dict):
            return what["bytes"]
        scalars = {"text": 4, "utime": 8, "duration": 8, "bool": 1, "uuid": 16, "ipv4": 4, "ipv6": 16}
        size = {name: struct.calcsize(form) for name, form in SIZES.items()} | scalars
        if kind in ("scalar", "blob"):
            return size[what]
        if kind in ("enum", "flags"):
            return size[self.json["enums" if kind == "enum" else "flags"][what]["base"]]
        if kind == "struct":
            return self.json["bodies"][what]["min_size"]
        if kind == "tuple":
            return sum(self.min_size(part["ty"]) for part in what)
        return {"list": 4, "map": 4, "optional": 1}.get(kind) or (self.min_size(what[0]["ty"]) * what[1]
                                                                  if kind == "array" else 0)

    def structure(self, r, body, context):
        this = Body(self, body, context)
        if body["text"]:
            return self.text(r, body, this)
        versioned, outer = body["versioned"], r
        if versioned:
            if versioned["marker"] is not None and r.number("u8") != versioned["marker"]:
                raise Refused("not_constant")
            this.struct_v = this.value["struct_v"] = r.number("u8")
            if versioned["compat"] is not None:
                this.value["struct_compat"] = r.number("u8")
                if this.value["struct_compat"] > versioned["version"]:
                    raise Refused("incompatible")
                r = Reader(outer.take(r.number("u32")))
        this.fields(r, list(enumerate(body["fields"])))
        if r is not outer or body["open"]:
            this.value["extra"] = r.take(r.left()).hex()
        return this.value

    def text(self, r, body, this):
        start = r.at
        for piece in body["text"]["pieces"]:
            if "text" in piece:
                words = piece["text"].encode()
                if r.data[r.at:r.at + len(words)] != words:
                    raise Refused("incomplete" if words.startswith(r.data[r.at:]) else "not_text")
                r.at += len(words)
                continue
            field = body["fields"][piece["field"][0]["fields"][0]]
            digits = 0
            while r.left() > digits and chr(r.data[r.at + digits]) in "0123456789abcdef":
                digits += 1
            if not digits and r.left():
                raise Refused("not_text")
            text = r.take(digits).decode()
            if len(text) > 2 * self.min_size(field["node"]["ty"]):
                raise Refused("not_text")
            if not r.left():
                raise Refused("incomplete")
            this.value[field["name"]] = int(text, 16)
        if body["text"]["max"] is not None and r.at - start > body["text"]["max"]:
            raise Refused("not_text")
        return this.value

    def whole(self, body, segments, context):
        """A body with nothing behind it, from its segments."""
        kind = next(iter(body["kind"])) if isinstance(body["kind"], dict) else body["kind"]
        segments = [bytes.fromhex(segment) for segment in segments]
        context = {name: self.number(self.json["context"][name]["item"]["ty"], value) for name, value in context.items()}
        if kind == "struct" or kind == "frame" and not body["kind"]["frame"]["segmented"]:
            r = Reader(segments[0])
            value = self.structure(r, body, context)
            r.end()
            if any(segments[1:]):
                raise Refused("trailing")
            return value
        if kind == "message":
            context.setdefault("message_version", body["kind"]["message"]["versions"]["head"])
        this, kept = Body(self, body, context), [("extra", "extra"), ("middle", "middle_extra"), ("data", "data_extra")]
        for at, part in enumerate(body["segments"]):
            r = Reader(segments[at] if at < len(segments) else b"")
            fields = list(enumerate(body["fields"]))[part["start"]:part["end"]]
            this.fields(r, fields)
            if kind == "message" and not (fields and fields[-1][1]["node"]["ty"] == "rest"):
                this.value[kept[at][1 if fields else 0]] = r.take(r.left()).hex()
            r.end()
        if any(segments[len(body["segments"]):]):
            raise Refused("trailing")
        return this.value

    def number(self, ty, value):
        """The number of a name or of several."""
        if isinstance(value, list):
            return functools.reduce(operator.or_, (self.number(ty, name) for name in value), 0)
        if isinstance(value, str):
            if value.startswith("0x"):
                return int(value, 16)
            if "enum" in ty:
                return self.json["enums"][ty["enum"]]["says"]["values"][value]["number"]
            flag = self.json["flags"][ty["flags"]]["says"]["values"][value]
            return sum(1 << bit for bit in flag["bits"] or [flag["bit"]])
        return value

    def same(self, node, read, said):
        """Whether a value that was read is what the example says."""
        ty = node["ty"]
        kind, what = (ty, None) if isinstance(ty, str) else next(iter(ty.items()))
        if read is None or said is None:
            return read is None and said is None
        if kind in ("enum", "flags") or kind == "scalar" and isinstance(what, str) and what in SIZES:
            return read == self.number(ty, said)
        if kind == "struct":
            return self.same_body(self.json["bodies"][what], read, said)
        if kind in ("list", "counted", "items", "array"):
            item = what[0] if kind == "array" else what
            return len(read) == len(said) and all(self.same(item, *pair) for pair in zip(read, said))
        if kind == "map":
            pairs = [pair for entries in zip(read, said) for pair in zip(what[1:], *entries)]
            return len(read) == len(said) and all(self.same(*pair) for pair in pairs)
        if kind == "tuple":
            return len(read) == len(said) and all(self.same(*part) for part in zip(what, read, said))
        if kind == "optional":
            return self.same(what, read, said)
        if kind == "union" and isinstance(said, dict) and isinstance(read, dict):
            nodes = {case["name"]: case["node"] for case in what["cases"]} | {"other": {"ty": "rest"}}
            return read.keys() == said.keys() and all(self.same(nodes[name], read[name], said[name]) for name in read)
        bytes_in_hex = kind in ("blob", "rest", "sized") or kind == "scalar" and isinstance(what, dict)
        return read == (said.replace(" ", "") if bytes_in_hex else said)

    def same_body(self, body, read, said):
        versioned = body["versioned"] or {}
        said = {"struct_v": versioned.get("version"), "struct_compat": versioned.get("compat")} | said
        nodes = {field["name"]: field["content"] or field["node"] for field in body["fields"]}
        each = {field["name"] for field in body["fields"] if field["each"]}
        for name, value in read.items():
            if name not in nodes:
                good = said.pop(name, "") == value
            elif name in each:
                pairs = list(zip(value, said.get(name, [])))
                good = len(value) == len(said.pop(name, [])) and all(self.same(nodes[name], *pair) for pair in pairs)
            else:
                good = self.same(nodes[name], value, said.pop(name, None))
            if not good:
                return False
        return all(value is None for value in said.values())


def main():
    spec = Spec(subprocess.run([sys.argv[1], "spec", "json", *sys.argv[2:]], check=True, capture_output=True).stdout)
    read, wrong = 0, []
    for body in spec.json["bodies"]:
        for example in body["examples"] + body["refused"]:
            says, read = example["says"], read + 1
            try:
                value, error = spec.whole(body, example["segments"], says["context"]), None
            except Refused as refused:
                value, error = None, str(refused)
            if error != says.get("error") or error is None and not spec.same_body(body, value, says["value"]):
                wrong.append(f"{body['site']['key']}: {says['doc']}: {error or json.dumps(value)}")
    print("\n".join(wrong))
    print(f"{read} examples, {len(wrong)} differ")
    sys.exit(bool(wrong) or not read)


if __name__ == "__main__":
    main()
