#!/usr/bin/env python3
"""Reads a coffer store without coffer: a second, independent implementation of docs/format.md.

It needs Python 3.9 and the programs `age` and `age-keygen` (apt-get install age); no packages, no git,
no network. It writes nothing. `§n` below are sections of docs/format.md.

    recovery.py STORE -i IDENTITY_FILE --pin PIN           all values as JSON
    recovery.py STORE -i IDENTITY_FILE --pin PIN NAME      one value, its exact bytes
    recovery.py STORE --pin PIN --check                    verify everything that needs no private key

Exit status: 0; 1 if anything was refused (one line on stderr: CODE, then what); 2 for wrong arguments.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import stat
import struct
import subprocess
import sys


class Refused(Exception):
    """Something that a reader must not accept, under the code that coffer has for it."""

    def __init__(self, code, what):
        super().__init__(f"{code}: {what}")
        self.code = code


# --- Text (§1) -----------------------------------------------------------------------------------


class Word(str):
    """A plain word, as opposed to a string in quotes."""


class Field(str):
    """A plain field name, as opposed to the quoted key of a map."""


ESCAPED = re.compile('["\\\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]')
QUOTED = re.compile(r'"((?:[^"\\]|\\["\\]|\\u[0-9a-f]{4})*)"\Z')
ENTRY = re.compile(r'([a-z][A-Za-z0-9]{0,31}|"(?:[^"\\]|\\.)*"):(?: (.*))?\Z')
BASE64_LINE = re.compile(r"[A-Za-z0-9+/]+=*\Z")
INTEGER = re.compile(r"[1-9][0-9]{0,9}\Z")
WORD = re.compile(r"[a-z]+(?:/[0-9]+)?\Z")
MAX_INTEGER = 2**31 - 1


def bad(why):
    return Refused("NOT_CANONICAL", why)


def quote(text):
    def escape(match):
        char = match.group()
        return "\\" + char if char in '"\\' else f"\\u{ord(char):04x}"

    return '"' + ESCAPED.sub(escape, text) + '"'


def unquote(text):
    match = QUOTED.match(text)
    if not match or len(text) > 4098:
        raise bad("a string is not quoted as it must be")
    out = re.sub(r"\\(u([0-9a-f]{4})|.)", lambda m: chr(int(m.group(2), 16)) if m.group(2) else m.group(1), match.group(1))
    for char in out:
        code = ord(char)
        if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or 0xD800 <= code <= 0xDFFF:
            raise bad("a string holds a noncharacter")
    return out


class Parser:
    """The subset of YAML that the files are written in; what it lets through by mistake, printing finds."""

    def __init__(self, text):
        if not text.endswith("\n"):
            raise bad("no line feed at the end")
        self.lines = text[:-1].split("\n")
        self.at = 0

    def peek(self, indent):
        """The rest of the next line if it has just this indent."""
        if self.at < len(self.lines) and self.lines[self.at].startswith(indent):
            rest = self.lines[self.at][len(indent):]
            return None if rest.startswith(" ") else rest
        return None

    def file(self):
        out = self.map("")
        if self.at < len(self.lines):
            raise bad(f"line {self.at + 1} does not belong there")
        return out

    def map(self, indent):
        if len(indent) > 6:
            raise bad("nested too deep")
        out = {}
        while (rest := self.peek(indent)) is not None and not rest.startswith("- "):
            match = ENTRY.match(rest)
            if not match:
                raise bad(f"line {self.at + 1} is no field")
            key = unquote(match.group(1)) if match.group(1).startswith('"') else Field(match.group(1))
            if key in out:
                raise bad(f"line {self.at + 1} repeats a field")
            self.at += 1
            out[key] = self.value(match.group(2), indent)
        return out

    def value(self, text, indent):
        if text is None:
            return self.list(indent + "  ") if (self.peek(indent + "  ") or "").startswith("- ") else self.filled(self.map(indent + "  "))
        if text == "|":
            return self.block(indent + "  ")
        if text in ("[]", "{}"):
            return [] if text == "[]" else {}
        if text.startswith('"'):
            return unquote(text)
        if INTEGER.match(text) and int(text) <= MAX_INTEGER:
            return int(text)
        if WORD.match(text):
            return Word(text)
        raise bad(f"line {self.at} has a value of no known form")

    def filled(self, out):
        if not out:
            raise bad("something empty is not written as empty")
        return out

    def list(self, indent):
        out = []
        while (rest := self.peek(indent)) is not None and rest.startswith("- "):
            if rest == "- |":
                self.at += 1
                out.append(self.block(indent + "  "))
            elif rest.startswith('- "'):
                self.at += 1
                out.append(unquote(rest[2:]))
            else:
                self.lines[self.at] = indent + "  " + rest[2:]
                out.append(self.filled(self.map(indent + "  ")))
        return self.filled(out)

    def block(self, indent):
        lines = []
        while (rest := self.peek(indent)) is not None and BASE64_LINE.match(rest):
            lines.append(rest)
            self.at += 1
        try:
            return self.filled(base64.b64decode("".join(lines), validate=True))
        except ValueError:
            raise bad("a block is not base64") from None


def print_value(value, indent):
    if isinstance(value, bytes):
        text = base64.b64encode(value).decode()
        return " |\n" + "".join(f"{indent}  {text[i:i + 76]}\n" for i in range(0, len(text), 76))
    if isinstance(value, dict):
        return "\n" + print_map(value, indent + "  ") if value else " {}\n"
    if isinstance(value, list):
        return "\n" + "".join(print_item(item, indent + "  ") for item in value) if value else " []\n"
    return f" {value}\n" if isinstance(value, (int, Word)) else f" {quote(value)}\n"


def print_item(item, indent):
    if isinstance(item, dict):
        return indent + "- " + print_map(item, indent + "  ")[len(indent) + 2:]
    return f"{indent}-{print_value(item, indent)}"


def print_map(value, indent=""):
    keys = list(value) if all(isinstance(key, Field) for key in value) else sorted(value)
    return "".join(f"{indent}{key if isinstance(key, Field) else quote(key)}:{print_value(value[key], indent)}" for key in keys)


def parse_file(data, kind, fields, max_bytes):
    """The fields of a file in the one form that it can have (§1.3)."""
    if len(data) > max_bytes:
        raise bad(f"larger than {max_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise bad("not UTF-8") from None
    first = re.match(r"coffer: ([a-z]+)/([1-9][0-9]*)\n", text)
    if not first or first.group(1) != kind:
        raise bad(f"not a file of kind {kind}")
    if first.group(2) != "1":
        raise Refused("NEWER_FORMAT", f"format {kind}/{first.group(2)}")
    # Said before anything else is found wrong: a newer format may have other forms of values, too.
    unknown = [name for name in re.findall(r"^([a-z][A-Za-z0-9]{0,31}):", text, re.M) if name not in fields]
    if unknown:
        raise Refused("NEWER_FORMAT", f"unknown field {unknown[0]}")
    values = Parser(text).file()
    if not all(isinstance(key, Field) for key in values) or print_map(values) != text:
        raise bad("printed again, it is another file")
    return values


# --- Grammar (§2, §4, §5) ------------------------------------------------------------------------

HEX32, HEX64 = re.compile(r"[0-9a-f]{32}\Z"), re.compile(r"[0-9a-f]{64}\Z")
KEY_ID = re.compile(r"([1-9][0-9]{0,9})-[0-9a-f]{8}\Z")
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)", re.I)
META_KEY = re.compile(r"[a-z][A-Za-z0-9._-]{0,31}\Z")
UNPRINTABLE = re.compile("[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")
RECIPIENT = re.compile(r"[!-~]+( [!-~]+)*\Z")


def is_name(text):
    segments = text.split("/")
    good = len(text) <= 200 and len(segments) <= 16
    return good and all(
        SEGMENT.match(s) and not s.endswith(".") and not s.lower().endswith(".yaml") and not DEVICE.match(s) for s in segments
    )


def is_group(text):
    if text == "default":
        return True
    segments = text.split("/")
    return is_name(text) and len(text) <= 198 and len(segments) <= 15 and segments[0].lower() != "default"


def is_key_id(text):
    match = KEY_ID.match(text)
    return bool(match) and int(match.group(1)) <= MAX_INTEGER


def is_time(text):
    match = TIME.match(text)
    if not match:
        return False
    year, month, day, hour, minute, second = map(int, match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60 and second < 60


def text_of(pattern):
    test = pattern if callable(pattern) else pattern.match
    return lambda value: type(value) is str and bool(test(value))


def word_of(*words):
    return lambda value: isinstance(value, Word) and value in words


def bytes_of(length=None):
    return lambda value: isinstance(value, bytes) and (length is None or len(value) == length)


def list_of(item, most, least=0):
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(item(entry) for entry in value)


def map_of(test, most):
    def check(value):
        good = isinstance(value, dict) and len(value) <= most
        return good and all(not isinstance(key, Field) and type(item) is str and test(key, item) for key, item in value.items())

    return check


def fields_of(**tests):
    def check(value):
        return isinstance(value, dict) and list(value) == list(tests) and all(test(value[name]) for name, test in tests.items())

    return check


def is_integer(value):
    return isinstance(value, int)


def is_value_key(text):
    group, slash, key = text.rpartition("/")
    return bool(slash) and is_group(group) and is_key_id(key)


def is_previous(text):
    match = re.match(r"([1-9][0-9]{0,9})-([0-9a-f]{40}|[0-9a-f]{64})\Z", text)
    return bool(match) and int(match.group(1)) <= MAX_INTEGER


META_FORMS = {
    "rotateAfter": re.compile(r"[1-9][0-9]{0,4}d\Z").match,
    "expires": is_time,
    "env": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z").match,
    "movedTo": is_name,
}


def is_meta(key, value):
    good = META_KEY.match(key) and not UNPRINTABLE.search(value) and len(value.encode()) <= 1024
    return bool(good) and bool(META_FORMS.get(key, lambda _: True)(value))


def is_member(value):
    if not isinstance(value, dict):
        return False
    tests = {"name": text_of(MEMBER), "role": word_of("reader", "writer", "rotator", "admin"), "recipient": text_of(RECIPIENT)}
    if "signingKey" in value:
        tests["signingKey"] = text_of(HEX64)
    return fields_of(**tests)(value)


def is_policy(value):
    sections = {"rotation": ["interval", "maxOperations", "maxVersions"], "retention": ["maxVersions", "maxAge"]}

    def in_order(present, known):
        return isinstance(present, dict) and [name for name in known if name in present] == list(present)

    return in_order(value, sections) and all(
        part and in_order(part, sections[name]) and all(map(is_integer, part.values())) for name, part in value.items()
    )


SECRET = {
    "coffer": word_of("secret/1"),
    "store": text_of(HEX32),
    "group": text_of(is_group),
    "name": text_of(is_name),
    "version": is_integer,
    "state": word_of("current", "deleted"),
    "type": word_of("text", "binary"),
    "valueKeys": list_of(text_of(is_value_key), 16, 1),
    "created": text_of(is_time),
    "author": text_of(MEMBER),
    "previous": list_of(text_of(is_previous), 4),
    "meta": map_of(is_meta, 32),
    "digest": text_of(HEX64),
    "signer": text_of(MEMBER),
    "signature": bytes_of(64),
    "key": text_of(is_key_id),
    "nonce": bytes_of(24),
    "value": bytes_of(),
    "sum": text_of(re.compile(r"[0-9a-f]{16}\Z")),
}
RECORD = {
    "coffer": word_of("key/1"),
    "store": text_of(HEX32),
    "group": text_of(is_group),
    "number": is_integer,
    "commitment": text_of(HEX64),
    "parents": list_of(fields_of(id=text_of(is_key_id), sha256=text_of(HEX64)), 8),
    "reason": word_of("init", "add", "remove", "replace", "rotate", "merge", "policy", "group"),
    "members": list_of(is_member, 500),
    "policy": is_policy,
    "groups": map_of(lambda group, sha256: group != "default" and is_group(group) and bool(HEX64.match(sha256)), 1000),
    "oldest": is_integer,
    "created": text_of(is_time),
    "author": text_of(MEMBER),
    "wrap": list_of(bytes_of(), 500),
    "previous": list_of(fields_of(id=text_of(is_key_id), nonce=bytes_of(24), key=bytes_of(48)), 64),
    "signature": bytes_of(64),
}
STORE = {"coffer": word_of("store/1"), "store": text_of(HEX32)}


def check_fields(values, tests):
    if list(values) != list(tests):
        raise bad("its fields are not those of its format, in their order")
    for name, test in tests.items():
        if not test(values[name]):
            raise bad(f'"{name}" has a value that it cannot have')


def is_sorted(items, strict=True):
    return all(a < b or (a == b and not strict) for a, b in zip(items, items[1:]))


def parse_store(data):
    values = parse_file(data, "store", STORE, 4096)
    check_fields(values, STORE)
    return values


def parse_secret(data):
    values = parse_file(data, "secret", SECRET, 2 * 1024 * 1024)
    check_fields(values, SECRET)
    above = data[: data.rindex(b"sum: ")]
    if hashlib.sha256(above).hexdigest()[:16] != values["sum"]:
        raise Refused("DAMAGED", "its sum does not fit")
    return values


def parse_record(data):
    values = parse_file(data, "key", RECORD, 4 * 1024 * 1024)
    tests = dict(RECORD)
    if values.get("group") != "default":
        del tests["groups"]
    check_fields(values, tests)
    parents = [(parent["id"], parent["sha256"]) for parent in values["parents"]]
    previous = [entry["id"] for entry in values["previous"]]
    members = [member["name"] for member in values["members"]]
    if not is_sorted(parents) or not is_sorted(previous) or not is_sorted(members, strict=False):
        raise bad("a list is not sorted")
    if len(values["wrap"]) != len(members):
        raise bad('"wrap" has not one entry per member')
    return values


def bytes_above(data, field):
    """All bytes of a file above a field: what is signed, or sealed to."""
    at = data.index(f"\n{field}: ".encode()) + 1
    return data[:at]


# --- Cryptography (§7) ---------------------------------------------------------------------------


def pae(*parts):
    out = struct.pack(">Q", len(parts))
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        out += struct.pack(">Q", len(part)) + part
    return out


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf(secret, salt, info):
    """HKDF-SHA256 with 32 bytes out: one block (RFC 5869)."""
    info = info.encode() if isinstance(info, str) else info
    extracted = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def derive_keys(data_key, store, group, number):
    context = sha256(pae("coffer/v1/key", store, group, str(number)))
    return {use: hkdf(data_key, context, f"coffer/v1/{use}") for use in ("seal", "previous", "commitment")}


CHACHA = struct.unpack("<4I", b"expand 32-byte k")


def chacha_rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] ^= x[a]
        x[d] = (x[d] << 16 | x[d] >> 16) & 0xFFFFFFFF
        x[c] = (x[c] + x[d]) & 0xFFFFFFFF
        x[b] ^= x[c]
        x[b] = (x[b] << 12 | x[b] >> 20) & 0xFFFFFFFF
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] ^= x[a]
        x[d] = (x[d] << 8 | x[d] >> 24) & 0xFFFFFFFF
        x[c] = (x[c] + x[d]) & 0xFFFFFFFF
        x[b] ^= x[c]
        x[b] = (x[b] << 7 | x[b] >> 25) & 0xFFFFFFFF

    for _ in range(10):
        quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15)
        quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14)
    return x


def chacha_block(key, counter, nonce):
    """RFC 8439 §2.3; nonce of 12 bytes."""
    state = CHACHA + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(chacha_rounds(state), state)))


def hchacha(key, nonce):
    """The subkey of XChaCha20; nonce of 16 bytes (draft-irtf-cfrg-xchacha-03 §2.2)."""
    x = chacha_rounds(CHACHA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *(x[:4] + x[12:]))


def poly1305(key, message):
    """RFC 8439 §2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    tag = 0
    for at in range(0, len(message), 16):
        tag = (tag + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((tag + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def xchacha_open(key, nonce, sealed, data):
    """XChaCha20-Poly1305; None where the tag does not fit."""
    if len(sealed) < 16:
        return None
    text, tag = sealed[:-16], sealed[-16:]
    subkey, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    padded = data + bytes(-len(data) % 16) + text + bytes(-len(text) % 16)
    expected = poly1305(chacha_block(subkey, 0, nonce)[:32], padded + struct.pack("<QQ", len(data), len(text)))
    if not hmac.compare_digest(expected, tag):
        return None
    stream = b"".join(chacha_block(subkey, 1 + at // 64, nonce) for at in range(0, len(text), 64))
    return bytes(a ^ b for a, b in zip(text, stream))


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return P - x if x % 2 != sign else x


def point_add(a, b):
    """On extended coordinates (RFC 8032 §5.1.4)."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_multiply(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = point_add(out, point)
        point, scalar = point_add(point, point), scalar >> 1
    return out


def encode_point(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % P)
IDENTITY_POINT = encode_point((0, 1, 1, 0))


def decode_signing_key(key):
    """A canonical point that is not of small order, or None (§7.5)."""
    number = int.from_bytes(key, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = recover_x(y, sign) if y < P else None
    if x is None:
        return None
    point = (x, y, 1, x * y % P)
    return None if encode_point(point_multiply(8, point)) == IDENTITY_POINT else point


def verify_signature(key, message, signature):
    """Ed25519 as OpenSSL checks it: without cofactor, S < L."""
    point = decode_signing_key(key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    negative = (P - point[0], point[1], 1, P - point[3])
    return encode_point(point_add(point_multiply(s, BASE), point_multiply(k, negative))) == signature[:32]


def is_signed(label, data, key_hex, signature):
    return verify_signature(bytes.fromhex(key_hex), pae(label, sha256(bytes_above(data, "signature"))), signature)


def padme(n):
    if n < 2:
        return n
    e = n.bit_length() - 1
    step = 2 ** max(0, e - e.bit_length())
    return -(-n // step) * step


def open_value(seal_key, data, values):
    """The value of a secret's file (§7.3)."""
    context = pae("coffer/v1/secret", bytes_above(data, "nonce"))
    nonce = values["nonce"]
    key = hkdf(seal_key, nonce, pae("coffer/v1/value", sha256(context)))
    plain = xchacha_open(key, nonce, values["value"], context)
    if plain is None or len(plain) < 36:
        raise Refused("TAMPERED", "the value does not open")
    salt, length = plain[:32], struct.unpack(">I", plain[32:36])[0]
    value, rest = plain[36 : 36 + length], plain[36 + length :]
    if length > 2**20 or len(plain) != padme(max(128, 36 + length)) or rest.strip(b"\0"):
        raise Refused("TAMPERED", "the value is not padded as it must be")
    if sha256(pae("coffer/v1/digest", salt, value)).hex() != values["digest"]:
        raise Refused("TAMPERED", "the value is not the one that was signed")
    return value


STANZA = re.compile(r"-> [!-~]+(?: [!-~]+)*\Z")
MAC = re.compile(r"--- ([A-Za-z0-9+/]{43})\Z")


def is_unpadded(text):
    """Base64 without padding, in its one spelling."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return False
    return base64.b64encode(decoded).decode().rstrip("=") == text


def stanza_types(message):
    """Types of the stanzas of an age file (§7.6); none where it is not one."""
    lines = iter(message[: 64 * 1024].decode("latin-1").split("\n")[:-1])
    types = []
    if next(lines, None) != "age-encryption.org/v1":
        return []
    for line in lines:
        mac = MAC.match(line)
        if mac:
            return types if is_unpadded(mac.group(1)) else []
        if not STANZA.match(line):
            return []
        types.append(line[3:].split(" ")[0])
        body = []
        # Full lines and one shorter, which may be empty.
        while not body or len(body[-1]) == 64:
            body.append(next(lines, "=" * 65))
        if len(body[-1]) > 64 or not is_unpadded("".join(body)):
            return []
    return []


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_bytes(text):
    """How many bytes a lower-case Bech32 string holds (BIP 173, of any length), and its prefix; or None."""
    prefix, one, data = text.rpartition("1")
    values = [BECH32.find(char) for char in data]
    if not prefix or len(values) < 6 or -1 in values or not all("!" <= char <= "~" for char in prefix):
        return None
    check = 1
    for value in [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix] + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    bits = 5 * (len(values) - 6)
    spare = bits % 8
    if check != 1 or spare > 4 or (spare and values[-7] & (1 << spare) - 1):
        return None
    return prefix, bits // 8


# --- Keyrings (§5.2, §8: 2-14) -------------------------------------------------------------------


class Record:
    def __init__(self, path, data):
        self.path, self.data, self.sha256 = path, data, hashlib.sha256(data).hexdigest()
        self.values = parse_record(data)
        self.id = f"{self.values['number']}-{self.values['commitment'][:8]}"
        self.parents = []

    def __getitem__(self, field):
        return self.values[field]

    def member(self, name):
        return next((member for member in self["members"] if member["name"] == name), None)

    def refuse(self, code, why):
        return Refused(code, f"{self.path}: {why}")


def ancestors(record):
    """The record and all its ancestors, by hash."""
    out, todo = {}, [record]
    while todo:
        node = todo.pop()
        if node.sha256 not in out:
            out[node.sha256] = node
            todo.extend(node.parents)
    return out


def recipient_kind(recipient):
    if recipient.startswith("age1pq1"):
        return "hybrid"
    return "x25519" if recipient.startswith("age1") and "1" not in recipient[4:] else "other"


def check_members(record):
    members = record["members"]
    if not any(member["role"] == "admin" for member in members):
        raise record.refuse("NO_ADMIN", "no member is an admin")
    for field in ("name", "recipient", "signingKey"):
        values = [member[field] for member in members if field in member]
        if len(set(values)) != len(values):
            raise record.refuse("MEMBER_TWICE", f"two members have one {field}")
    for member in members:
        key = member.get("signingKey")
        good = key is None if member["role"] == "reader" else key is not None and decode_signing_key(bytes.fromhex(key))
        form = {"x25519": ("age", 32), "hybrid": ("age1pq", 1216)}.get(recipient_kind(member["recipient"]))
        if not good or (form and bech32_bytes(member["recipient"]) != form):
            raise record.refuse("MEMBER_INVALID", f"the keys of {member['name']}")
    kinds = [recipient_kind(member["recipient"]) for member in members]
    if "hybrid" in kinds and set(kinds) != {"hybrid"}:
        raise record.refuse("MIXED_RECIPIENTS", "hybrid and classic recipients")
    for kind, member, wrap in zip(kinds, members, record["wrap"]):
        wanted = {"x25519": ["X25519"], "hybrid": ["mlkem768x25519"]}.get(kind)
        stanzas = stanza_types(wrap)
        if not stanzas or (wanted and stanzas != wanted):
            raise record.refuse("WRAP_SHAPE", f"the wrap of {member['name']}")


def link_parents(record, records):
    for parent in record["parents"]:
        found = records.get(parent["sha256"])
        if found is None:
            raise record.refuse("PARENT_MISSING", f"its parent {parent['id']}")
        if found.id != parent["id"] or found["created"] > record["created"]:
            raise record.refuse("RECORD_INVALID", "it does not fit its parents")
        record.parents.append(found)
    if record["number"] != 1 + max((parent["number"] for parent in record.parents), default=0):
        raise record.refuse("RECORD_INVALID", "its number")


def check_previous(record):
    older = {node.id for node in ancestors(record).values()} - {record.id}
    if not all(entry["id"] in older for entry in record["previous"]):
        raise record.refuse("RECORD_INVALID", "it links a data key that is not of an ancestor")


def find_signer(record):
    """The key and the right that a record is signed under, or None."""
    judges = record.parents or [record]
    entries = [judge.member(record["author"]) or {} for judge in judges]
    key = entries[0].get("signingKey")
    if key is None or any(entry.get("signingKey") != key for entry in entries):
        return None
    roles = {str(entry["role"]) for entry in entries}
    if roles == {"admin"}:
        return key, "admin"
    same = all(record.values.get(field) == parent.values.get(field) for parent in record.parents for field in ("members", "policy", "groups"))
    return (key, "rotator") if record.parents and roles <= {"admin", "rotator"} and same else None


def check_signature(record):
    signer = find_signer(record)
    if signer is None:
        raise record.refuse("SIGNER_NOT_ALLOWED", f"{record['author']} may not sign it")
    if not is_signed("coffer/v1/record", record.data, signer[0], record["signature"]):
        raise record.refuse("SIGNATURE", f"this is not what {record['author']} signed")


def check_oldest(record):
    if record["oldest"] == record["number"]:
        return
    parents = record.parents
    keeps = len(parents) == 1 and all(member in record["members"] for member in parents[0]["members"])
    if not keeps or not parents[0]["oldest"] <= record["oldest"] <= record["number"]:
        raise record.refuse("OLDEST_INVALID", "it allows data keys that it must retire")


def rights(members):
    """Keys with the rights to sign records that they have; an admin may do what a rotator may."""
    out = set()
    for member in members:
        if member["role"] in ("admin", "rotator"):
            out |= {(member["signingKey"], right) for right in ("admin", "rotator") if right == "rotator" or member["role"] == "admin"}
    return out


def yields(b, a):
    """§8, 12."""
    in_a, in_b = ancestors(a), ancestors(b)
    only_a, only_b = ([own[h] for h in own if h not in other] for own, other in ((in_a, in_b), (in_b, in_a)))
    signer_of = lambda node: find_signer(node) or (node.member(node["author"])["signingKey"], "admin")
    had = set().union(*(rights(node["members"]) for node in in_a.values()))
    lost = had - rights(a["members"])
    if any(signer_of(node) in lost and not given_anew(signer_of(node), node, only_a, in_a) for node in only_b):
        return True
    is_admin = lambda node: signer_of(node)[1] == "admin"
    return not any(map(is_admin, only_b)) and any(map(is_admin, only_a))


def given_anew(right, node, only_a, in_a):
    """§8, 12: whether the right was lost before the lines parted, and given again by records that a has not."""
    has = lambda record: right in rights(record["members"])
    if any(has(record) or any(map(has, record.parents)) for record in only_a):
        return False
    holders = [node]
    for holder in holders:
        for parent in filter(has, holder.parents):
            if parent.sha256 in in_a:
                return False
            if parent not in holders:
                holders.append(parent)
    return True


def choose_current(group, records, is_anchored):
    """§8, 10-13: the tips that count, and warnings."""
    parents = {parent.sha256 for record in records.values() for parent in record.parents}
    tips = [record for record in records.values() if record.sha256 not in parents]
    anchored = [tip for tip in tips if is_anchored(ancestors(tip))]
    if not anchored:
        raise Refused("FORKED", f"no line of the key records of {group} holds what is trusted")
    current = []
    for tip in tips:
        better = [other for other in anchored if other is not tip and yields(tip, other)]
        if tip in anchored and any(yields(other, tip) for other in better):
            raise Refused("FORKED", f"two lines of the key records of {group} exclude each other")
        if better:
            warn(f"FORK_REFUSED: {tip.path} by {tip['author']}")
        else:
            current.append(tip)
    if len(current) > 1:
        warn(f"DIVERGED: {group} has {len(current)} current key records")
    roots = [{node.sha256 for node in ancestors(tip).values() if not node.parents} for tip in current]
    if len(current) > 1 and not set.intersection(*roots):
        raise Refused("FORKED", f"{group} has unrelated first records")
    return current


def warn(text):
    print(text, file=sys.stderr)


def outside(what, strict):
    """What is no part of a store is an error to whoever checks it, and in nobody's way who reads it."""
    if strict:
        raise bad(what)
    warn(f"not looked at: {what}")


def read_records(store, store_id, strict):
    """§8, 2: all records by group and hash."""
    folder, groups = os.path.join(store, ".coffer/keys"), {}
    for path, data in walk(folder, 4 * 1024 * 1024):
        if "/" not in path:
            outside(f".coffer/keys/{path} is in no group's folder", strict)
            continue
        try:
            record = Record(f".coffer/keys/{path}", data)
        except Refused as error:
            raise Refused(error.code, f".coffer/keys/{path}: {error}") from None
        if record["store"] != store_id or path != f"{record['group']}/{record.id}.yaml":
            raise record.refuse("RECORD_MOVED", "it belongs elsewhere")
        groups.setdefault(record["group"], {})[record.sha256] = record
    return groups


def verify_group(group, records, trusted, is_anchored):
    """§8, 3-13. `trusted` are trusted by hash, with their ancestors."""
    for record in records.values():
        check_members(record)
    for record in sorted(records.values(), key=lambda record: record["number"]):
        link_parents(record, records)
    for record in records.values():
        check_previous(record)
    by_hash = set().union(*(ancestors(records[h]) for h in trusted)) if trusted else set()
    for record in records.values():
        if not record.parents and record.sha256 not in by_hash:
            raise record.refuse("RECORD_UNTRUSTED", "a first record that nothing trusted descends from")
    for check in (check_signature, check_oldest):
        for record in records.values():
            if record.sha256 not in by_hash:
                check(record)
    return choose_current(group, records, is_anchored)


def pin_of(store_id, record):
    digest = sha256(pae("coffer/v1/pin", store_id, bytes.fromhex(record.sha256)))
    return f"coffer1-{record['number']}-{base64.b32encode(digest).decode().lower().rstrip('=')}"


def verify_store(store, pin, strict):
    """§8, 1-14: the current records of each group."""
    store_id = parse_store(read_regular(os.path.join(store, ".coffer/store.yaml"), 4096))["store"]
    groups = read_records(store, store_id, strict)
    root = groups.get("default", {})
    if pin is None:
        warn("UNPINNED: no pin was given, so the store's own first record is believed")
        # Its first record is trusted, but not by hash: its signature is checked like any other.
        trusted = [record.sha256 for record in root.values() if not record["parents"]]
        if len(trusted) != 1:
            raise Refused("RECORD_UNTRUSTED", "there is not one first record")
    else:
        trusted = [record.sha256 for record in root.values() if pin_of(store_id, record) == pin]
        if not trusted:
            raise Refused("PIN_MISMATCH", "the pinned record is not here")
    current = {"default": verify_group("default", root, trusted, lambda held: trusted[0] in held)}
    listed = {}
    for record in current["default"]:
        for group, digest in record["groups"].items():
            listed.setdefault(group, set()).add(digest)
    for group in groups:
        if group != "default" and group not in listed:
            raise Refused("GROUP_NOT_LISTED", f".coffer/keys/{group}")
    for group, hashes in listed.items():
        records = groups.get(group, {})
        for digest in hashes:
            if digest not in records:
                raise Refused("GROUP_MISSING", f"the listed record of {group}")
        current[group] = verify_group(group, records, hashes, lambda held, hashes=hashes: not hashes.isdisjoint(held))
    return store_id, current


# --- Secrets (§8: 15-17, 19-23) ------------------------------------------------------------------


def group_of(name, groups):
    above = [group for group in groups if name.startswith(group + "/")]
    return max(above, key=len, default="default")


def verify_secret(path, data, store_id, current):
    """§8, 15-17: the fields of a file, and the record of its data key."""
    try:
        values = parse_secret(data)
        if values["store"] != store_id or path != values["name"] + ".yaml":
            raise Refused("SECRET_MOVED", "it is another secret's file")
        if values["group"] != group_of(values["name"], [group for group in current if group != "default"]):
            raise Refused("SECRET_WRONG_GROUP", values["group"])
        holders = [(tip, node) for tip in current[values["group"]] for node in ancestors(tip).values() if node.id == values["key"]]
        if not holders:
            raise Refused("KEY_UNKNOWN", values["key"])
        if any(node["number"] < tip["oldest"] for tip, node in holders):
            raise Refused("KEY_RETIRED", values["key"])
        record = holders[0][1]
        signer = record.member(values["signer"])
        if signer is None or signer["role"] not in ("writer", "admin"):
            raise Refused("WRITER_NOT_ALLOWED", values["signer"])
        if not is_signed("coffer/v1/write", data, signer["signingKey"], values["signature"]):
            raise Refused("WRITE_SIGNATURE", f"this is not what {values['signer']} signed")
    except Refused as error:
        raise Refused(error.code, f"{path}: {error}") from None
    return values, record


class Opener:
    """Data keys of one group, by way of the age program."""

    def __init__(self, group, current, identity_file, recipients):
        self.group, self.current, self.identity_file, self.recipients = group, current, identity_file, recipients
        self.opened = {}
        if not any(self.my_wrap(tip) for tip in current):
            known = any(self.my_wrap(node) for tip in current for node in ancestors(tip).values())
            raise Refused("REMOVED" if known else "NOT_A_MEMBER", f"no identity reads {group}")

    def my_wrap(self, record):
        for member, wrap in zip(record["members"], record["wrap"]):
            if member["recipient"] in self.recipients:
                return wrap
        return None

    def prove(self, record, data_key):
        """The derived keys, if this is the data key that the record publishes."""
        if data_key is None or len(data_key) != 32:
            return None
        keys = derive_keys(data_key, record["store"], record["group"], record["number"])
        return keys if keys["commitment"].hex() == record["commitment"] else None

    def unwrap(self, record):
        done = run_age("age", "--decrypt", "-i", self.identity_file, stdin=self.my_wrap(record))
        keys = self.prove(record, done.stdout if done.returncode == 0 else None)
        if keys is None:
            raise record.refuse("WRAP_BROKEN", f"what {record['author']} wrapped is not the data key")
        return keys

    def keys_of(self, wanted):
        """§8, 19-20: my wrap in a current record, then along `previous`."""
        for tip in self.current:
            if self.my_wrap(tip) and tip.sha256 not in self.opened:
                self.opened[tip.sha256] = self.unwrap(tip)
        todo = [node for tip in self.current for node in ancestors(tip).values() if node.sha256 in self.opened]
        broken = False
        while todo:
            record = todo.pop()
            if record.sha256 == wanted.sha256:
                return self.opened[wanted.sha256]
            older = {node.id: node for node in ancestors(record).values()}
            for entry in record["previous"]:
                node = older[entry["id"]]
                if node.sha256 in self.opened:
                    continue
                data = pae("coffer/v1/previous", record.id, node.id)
                key = xchacha_open(self.opened[record.sha256]["previous"], entry["nonce"], entry["key"], data)
                keys = self.prove(node, key)
                broken = broken or keys is None
                if keys is not None:
                    self.opened[node.sha256] = keys
                    todo.append(node)
        if wanted.sha256 not in self.opened and self.my_wrap(wanted):
            self.opened[wanted.sha256] = self.unwrap(wanted)
        if wanted.sha256 not in self.opened:
            raise wanted.refuse("PREVIOUS_BROKEN" if broken else "HISTORY_CUT", "nothing here opens its data key")
        return self.opened[wanted.sha256]


# --- Files and command line ----------------------------------------------------------------------


def read_regular(path, max_bytes):
    """Never follows a link, never waits for a pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise bad(f"{path}: {error.strerror}") from None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise bad(f"{path} is not a regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise bad(f"{path} is larger than {max_bytes} bytes")
    return data


def list_files(folder):
    """Paths of all that is no folder, sorted; links to folders are among them."""
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if at != folder or name != ".coffer")
        for name in sorted(files) + [name for name in folders if os.path.islink(os.path.join(at, name))]:
            yield os.path.relpath(os.path.join(at, name), folder)


def walk(folder, max_bytes):
    for path in list_files(folder):
        yield path, read_regular(os.path.join(folder, path), max_bytes)


ATTRIBUTES = b"* -text -filter -ident -working-tree-encoding merge=binary\n*.yaml diff=coffer\n"


def read_secrets(store, strict):
    """Names and bytes of the secrets' files (§2.1, §3)."""
    if strict and read_regular(os.path.join(store, ".gitattributes"), 4096) != ATTRIBUTES:
        raise bad(".gitattributes is not the one of a store")
    for path in list_files(store):
        name = path[: -len(".yaml")]
        if path.endswith(".yaml") and is_name(name):
            yield name, path, read_regular(os.path.join(store, path), 2 * 1024 * 1024)
        elif path != ".gitattributes":
            outside(f"{path} is no secret", strict)


def run_age(*command, stdin=None):
    try:
        return subprocess.run(command, input=stdin, capture_output=True, check=False)
    except OSError as error:
        raise Refused("IO_FAILED", f"{command[0]}: {error.strerror} (apt-get install age, brew install age)") from None


def read_recipients(identity_file):
    done = run_age("age-keygen", "-y", identity_file)
    if done.returncode != 0:
        raise Refused("IDENTITY_INVALID", (done.stderr.decode("utf-8", "replace").splitlines() or [identity_file])[0])
    return set(done.stdout.decode().split())


def main(argv):
    parser = argparse.ArgumentParser(description="Reads a coffer store without coffer.")
    parser.add_argument("store", help="the store's folder")
    parser.add_argument("name", nargs="?", help="print one value")
    parser.add_argument("-i", "--identity", help="identity file of age")
    parser.add_argument("--pin", help="coffer1-…: the key record that you trust")
    parser.add_argument("--check", action="store_true", help="verify, and open nothing")
    arguments = parser.parse_intermixed_args(argv)
    if not arguments.check and arguments.identity is None:
        parser.error("an identity file is needed: -i FILE")
    store_id, current = verify_store(arguments.store, arguments.pin, arguments.check)
    verified = {}
    for name, path, data in read_secrets(arguments.store, arguments.check):
        if arguments.name is None or name == arguments.name:
            verified[name] = (data, *verify_secret(path, data, store_id, current))
    if arguments.check:
        print(f"{len(verified)} secrets and {len(current)} groups are in order", file=sys.stderr)
        return
    if arguments.name is not None and arguments.name not in verified:
        raise Refused("NOT_FOUND", arguments.name)
    recipients, openers, refusals, out = read_recipients(arguments.identity), {}, [], {}
    for name, (data, values, record) in verified.items():
        group = values["group"]
        try:
            if group not in openers:
                openers[group] = Opener(group, current[group], arguments.identity, recipients)
        except Refused as error:
            if arguments.name is not None:
                raise
            refusals.append(error)
            openers[group] = None
        if openers[group] is None:
            continue
        if arguments.name is not None and values["state"] == "deleted":
            raise Refused("NOT_FOUND", f'"{name}" was deleted by {values["author"]}, {values["created"]}')
        try:
            value = open_value(openers[group].keys_of(record)["seal"], data, values)
            if values["state"] == "deleted" and value:
                raise Refused("TAMPERED", "a tombstone seals a value")
        except Refused as error:
            raise Refused(error.code, f"{name}: {error}") from None
        if arguments.name is not None:
            sys.stdout.buffer.write(value)
            return
        if values["state"] == "current":
            out[name] = {"version": values["version"], "author": values["author"], **as_json(value)}
    if refusals and not any(openers.values()):
        raise refusals[0]
    for refusal in refusals:
        warn(str(refusal))
    print(json.dumps(out, indent=1, ensure_ascii=False))


def as_json(value):
    try:
        return {"value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"valueBase64": base64.b64encode(value).decode()}


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        main(sys.argv[1:])
    except Refused as refused:
        sys.exit(f"refused: {refused}")
