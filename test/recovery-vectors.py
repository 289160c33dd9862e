"""Runs docs/recovery.py on the frozen vectors and attacks; prints what differs, one line each."""
import base64
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, "docs")
import recovery  # noqa: E402

VECTORS = "test/vectors"
PARSERS = {"secret": recovery.parse_secret, "key": recovery.parse_record, "store": recovery.parse_store}
count = 0


def read(path):
    with open(os.path.join(VECTORS, path), "rb") as file:
        return file.read()


def load(path):
    return json.loads(read(path))


def same(what, got, wanted):
    global count
    count += 1
    if got != wanted:
        print(f"{what}: {got!r}, not {wanted!r}")


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def code_of(run):
    try:
        run()
        return "accepted"
    except recovery.Refused as error:
        return error.code


for vector in load("files.json"):
    parsed = plain(PARSERS[vector["kind"]](read(vector["file"])))
    same(vector["file"], {key: item for key, item in parsed.items() if key not in ("coffer", "sum")}, vector["data"])

for vector in load("refused.json"):
    same(vector["file"], code_of(lambda: PARSERS[vector["kind"]](read(vector["file"]))), vector["code"])

suite = load("suite.json")
for vector in suite["pae"]:
    same("pae", recovery.pae(*vector["parts"]).hex(), vector["bytes"])
for length, padded in suite["padme"]:
    same(f"padme {length}", recovery.padme(length), padded)
for vector in suite["deriveKeys"]:
    keys = recovery.derive_keys(bytes.fromhex(vector["dataKey"]), vector["store"], vector["group"], vector["number"])
    for use in ("seal", "previous", "commitment"):
        same(f"derive {use}", keys[use].hex(), vector[use])
for vector in suite["previousKeys"]:
    data = recovery.pae("coffer/v1/previous", vector["id"], vector["ancestorId"])
    names = ("previousKey", "nonce", "key")
    key, nonce, sealed = (bytes.fromhex(vector[name]) for name in names)
    same("previous", recovery.xchacha_open(key, nonce, sealed, data).hex(), vector["ancestor"])
    same("previous, swapped", recovery.xchacha_open(key, nonce, sealed, data[:-1]), None)


def open_vector(vector):
    data = vector["context"].encode() + b"nonce: |\n"
    values = {"nonce": bytes.fromhex(vector["nonce"]), "value": base64.b64decode(vector["sealed"]), "digest": vector.get("digest")}
    return recovery.open_value(bytes.fromhex(vector["sealKey"]), data, values)


for vector in suite["values"]:
    same("value", open_vector(vector).decode(), vector["value"])
for vector in suite["refusedValues"]:
    same(vector["why"], code_of(lambda: open_vector(vector)), vector["code"])
signed = suite["signatures"]
for label in ("write", "record"):
    for signature in ("write", "record"):
        data = signed["context"].encode() + b"signature: |\n"
        got = recovery.is_signed(f"coffer/v1/{label}", data, signed["signingKey"], bytes.fromhex(signed[signature]))
        same(f"signature {label} {signature}", got, label == signature)
for vector in suite["refusedSigningKeys"]:
    same(vector["why"], recovery.decode_signing_key(bytes.fromhex(vector["key"])), None)
for vector in suite["identities"]:
    same("signing key", recovery.decode_signing_key(bytes.fromhex(vector["signingKey"])) is not None, True)

# RFC 8439 §2.8.2 and draft-irtf-cfrg-xchacha-03 §2.2.1: the ciphers, apart from what coffer does with them.
same(
    "hchacha",
    recovery.hchacha(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex(),
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
)
same(
    "poly1305",
    recovery.poly1305(
        bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b"), b"Cryptographic Forum Research Group"
    ).hex(),
    "a8061dc1305136c6c22b8baf0c0127a9",
)


def read_store(folder, reader, pin):
    """What the script does with a store: its values or a code, and its warnings."""
    out, warnings = io.StringIO(), io.StringIO()
    identity = os.path.join(VECTORS, "store/identities", f"{reader}.txt")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(warnings):
        code = code_of(lambda: recovery.main([folder, "-i", identity, "--pin", pin]))
    return code, out.getvalue(), warnings.getvalue()


for attack in load("attacks.json"):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(os.path.join(VECTORS, "store/secrets"), folder, dirs_exist_ok=True)
        for path in attack["remove"]:
            os.remove(os.path.join(folder, path))
        if attack["put"]:
            shutil.copytree(os.path.join(VECTORS, "attacks", attack["name"]), folder, dirs_exist_ok=True)
        code, out, warnings = read_store(folder, attack["reader"], attack["pin"])
    what = f"attack {attack['name']}"
    if attack["code"] is None:
        same(what, (code, "FORK_REFUSED" in warnings), ("accepted", True))
    elif attack["code"] == "NOT_A_MEMBER":
        # One group of several: the others are read, and this one is named.
        same(what, (code, "NOT_A_MEMBER" in warnings), ("accepted", True))
    else:
        same(what, (code, out), (attack["code"], ""))
print(f"{count} compared")
