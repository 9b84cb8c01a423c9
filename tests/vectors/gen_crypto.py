#!/usr/bin/env python3
"""Known answers for native/crypto and native/keyring, from an implementation that shares no code with them.

SIV (RFC 5297), XAES-256-GCM (C2SP), HKDF-Expand (RFC 5869) and the keyring file (docs/FORMAT.md) are written out here on top of
AES, CMAC, HMAC and AES-GCM of the Python package `cryptography`. Inputs come from SHAKE128, so the output is always the same.

usage: gen_crypto.py            write the files
       gen_crypto.py --check    compare them with what is there; exit 1 when they differ
       gen_crypto.py --wycheproof DIR
                                also convert DIR/testvectors_v1/*.json (github.com/C2SP/wycheproof, Apache License 2.0)
"""
import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

HERE = pathlib.Path(__file__).resolve().parent
PURPOSE = {"name": 1, "payload": 2, "seed": 3, "session": 4, "pending": 5}
SIZE = {"name": 64, "payload": 32, "seed": 32}
STATE = {"active": 1, "decrypt": 2}


class Stream:
    """Bytes that look random and are always the same."""

    def __init__(self, label):
        self.data = hashlib.shake_128(label.encode()).digest(1 << 20)
        self.at = 0

    def take(self, n):
        self.at += n
        return self.data[self.at - n:self.at]


# --- primitives ------------------------------------------------------------------------------------------------------------

def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def double(block):
    n = int.from_bytes(block, "big") << 1
    return (n & ((1 << 128) - 1) ^ (0x87 if n >> 128 else 0)).to_bytes(16, "big")


def cmac(key, data):
    c = CMAC(algorithms.AES(key))
    c.update(data)
    return c.finalize()


def aes_blocks(key, data):
    e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return e.update(data) + e.finalize()


def siv(key, ads, plaintext):
    """RFC 5297 sections 2.4 and 2.6: tag | ciphertext."""
    k1, k2 = key[:len(key) // 2], key[len(key) // 2:]
    d = cmac(k1, bytes(16))
    for ad in ads:
        d = xor(double(d), cmac(k1, ad))
    if len(plaintext) >= 16:
        t = plaintext[:-16] + xor(plaintext[-16:], d)
    else:
        t = xor(double(d), plaintext + b"\x80" + bytes(15 - len(plaintext)))
    v = cmac(k1, t)
    q = (int.from_bytes(v, "big") & ~(1 << 63 | 1 << 31)).to_bytes(16, "big")
    e = Cipher(algorithms.AES(k2), modes.CTR(q)).encryptor()
    return v + e.update(plaintext) + e.finalize()


def xaes(key, nonce, aad, plaintext):
    """C2SP XAES-256-GCM: ciphertext | tag."""
    k1 = double(aes_blocks(key, bytes(16)))
    kx = b"".join(aes_blocks(key, xor(bytes([0, i]) + b"X\0" + nonce[:12], k1)) for i in (1, 2))
    return AESGCM(kx).encrypt(nonce[12:], plaintext, aad)


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(prk, info, n):
    out, t, i = b"", b"", 1
    while len(out) < n:
        t = hmac256(prk, t + info + bytes([i]))
        out, i = out + t, i + 1
    return out[:n]


def var(data):
    return struct.pack(">H", len(data)) + data


def derive(seed, purpose, context):
    return expand(seed, var(b"groupkeeper v1 " + purpose.encode()) + var(context), 32)


def kcv(key):
    return hmac256(key, b"kcv")[:8]


# --- files -----------------------------------------------------------------------------------------------------------------

def text(source, cases):
    lines = ["# " + s for s in source.splitlines()]
    for case in cases:
        lines.append("")
        lines += [f"{k} = {v.hex() if isinstance(v, bytes) else v}".rstrip() for k, v in case]
    return "\n".join(lines) + "\n"


OWN = "Written by tests/vectors/gen_crypto.py."


def siv_file():
    s = Stream("siv")
    cases = []
    for ad_n, pt_n in [(16, n) for n in list(range(1, 34)) + [47, 48, 49, 63, 64, 65, 127, 128, 255, 256]] + \
                      [(n, 12) for n in (1, 2, 15, 17, 31, 32, 33, 64, 200)]:
        key, ad, pt = s.take(64), s.take(ad_n), s.take(pt_n)
        cases.append([("key", key), ("aad", ad), ("msg", pt), ("ct", siv(key, [ad], pt)), ("result", "valid")])
    return text("AES-256-SIV with one associated datum. " + OWN, cases)


def xaes_file():
    nonce, pt = b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM"
    given = [(bytes([1]) * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
             (bytes([3]) * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d")]
    cases = []
    for key, aad, want in given:
        ct = xaes(key, nonce, aad, pt)
        assert ct.hex() == want
        cases.append([("key", key), ("nonce", nonce), ("aad", aad), ("msg", pt), ("ct", ct)])
    s = Stream("xaes")
    for aad_n, pt_n in [(0, 0), (0, 1), (1, 0), (54, 15), (54, 16), (54, 17), (16, 1024), (300, 4096), (1000, 100), (7, 8193)]:
        key, n24, aad, pt = s.take(32), s.take(24), s.take(aad_n), s.take(pt_n)
        cases.append([("key", key), ("nonce", n24), ("aad", aad), ("msg", pt), ("ct", xaes(key, n24, aad, pt))])
    return text("XAES-256-GCM. The first two cases are those of https://c2sp.org/XAES-256-GCM; all were computed anew.\n" + OWN, cases)


def xaes_accumulated_file():
    """The accumulated test of the specification, computed here as well."""
    n, want = 10000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    data, at, d = hashlib.shake_128().digest(n * 568), 0, hashlib.shake_128()
    for _ in range(n):
        key, nonce, at = data[at:at + 32], data[at + 32:at + 56], at + 56
        pt, at = data[at + 1:at + 1 + data[at]], at + 1 + data[at]
        aad, at = data[at + 1:at + 1 + data[at]], at + 1 + data[at]
        d.update(xaes(key, nonce, aad, pt))
    assert d.hexdigest(32) == want
    return text("The accumulated test of https://c2sp.org/XAES-256-GCM: the inputs are SHAKE128 of nothing, the digest is SHAKE128 over all\n"
                "ciphertexts. " + OWN, [[("iterations", n), ("digest", bytes.fromhex(want))]])


def derive_file():
    s = Stream("derive")
    cases = []
    for context_n in (0, 1, 16, 255):
        seed, context = s.take(32), s.take(context_n)
        cases.append([("seed", seed), ("context", context), ("check", kcv(seed))] +
                     [(p, derive(seed, p, context)) for p in ("session", "pending")] +
                     [(p + " check", kcv(derive(seed, p, context))) for p in ("session", "pending")])
    return text("gk_key_derive and gk_key_check_value (docs/FORMAT.md, \"Keys and derivation\"). " + OWN, cases)


# --- keyring files ---------------------------------------------------------------------------------------------------------

def keyring(s, keys, zone_name=b"root", **change):
    """One file and what it holds. change overrides a field with a wrong one, before everything is sealed."""
    ensemble, zone, dk, nonce = s.take(16), s.take(16), s.take(32), s.take(24)
    rows, body = b"", b""
    made = []
    for i, (ident, purpose, state, created) in enumerate(keys):
        raw = s.take(SIZE.get(purpose, 32))
        check = bytes(8) if change.get("bad_check") == i else kcv(raw)
        made.append((ident, purpose, state, created, raw))
        rows += struct.pack(">IBBQ", ident, PURPOSE.get(purpose, 9), STATE.get(state, 3), created) + check
        body += var(raw[:-1] if change.get("short_key") == i else raw)
    header = change.get("magic", b"GKKEYRNG") + struct.pack(">H", change.get("format", 1)) + ensemble + zone + var(zone_name)
    header += struct.pack(">H", change.get("count", len(keys))) + rows
    header += bytes([change.get("wrap", 0)]) + var(dk[:change.get("dk_size", 32)])
    body += change.get("body_tail", b"")
    sealed = xaes(change.get("seal_key", dk), nonce, change.get("aad", header), body)
    file = header + nonce + var(sealed) + change.get("tail", b"")
    return file, made, ensemble, zone, dk, nonce


def describe(made, zone):
    out = [(i, p, st, c, kcv(raw), "stored") for i, p, st, c, raw in made]
    for purpose in ("session", "pending"):
        out += [(i, purpose, st, c, kcv(derive(raw, purpose, zone)), "derived") for i, p, st, c, raw in made if p == "seed"]
    return [("key", f"{i} {p} {st} {c} {check.hex()} {kind}") for i, p, st, c, check, kind in out]


def keyring_file():
    s = Stream("keyring")
    t = 1700000000123
    basic = [(1, "name", "active", t), (1, "payload", "active", t), (1, "seed", "active", t)]
    rotated = [(3, "name", "active", 0), (1, "payload", "decrypt", t), (2, "payload", "active", t + 1), (4294967295, "payload", "decrypt", t),
               (7, "seed", "decrypt", t), (9, "seed", "active", 18446744073709551615)]
    many = [(1, "name", "active", t)] + [(i, "payload", "active" if i == 300 else "decrypt", t) for i in range(1, 511)] + [(1, "seed", "active", t)]
    cases = []
    for title, keys, zone_name in (("fresh", basic, b"root"), ("rotated", rotated, b"Team-A_1.x"), ("longest zone name", basic, b"z" * 64)):
        file, made, ensemble, zone, dk, nonce = keyring(s, keys, zone_name)
        label = b"groupkeeper v1 keyring fingerprint"
        rows = b"".join(struct.pack(">BI", PURPOSE[p], i) + kcv(raw) for i, p, _, _, raw in made)
        cases.append([("case", title), ("result", "GK_OK"), ("dk", dk), ("nonce", nonce), ("ensemble", ensemble), ("zone", zone),
                      ("zone name", zone_name.decode()), ("fingerprint", hashlib.sha256(var(label) + ensemble + rows).digest()[:8])] +
                     describe(made, zone) + [("file", file)])
    name, payload, seed = basic
    bad = [("later format", "VERSION", basic, {"format": 2}), ("format 0", "MALFORMED", basic, {"format": 0}),
           ("wrong magic", "MALFORMED", basic, {"magic": b"GKKEYRNX"}), ("later wrap type", "VERSION", basic, {"wrap": 1}),
           ("short data key", "MALFORMED", basic, {"dk_size": 31}), ("no keys", "MALFORMED", [], {}),
           ("more keys than allowed", "MALFORMED", basic, {"count": 513}), ("more keys than there are", "TRUNCATED", basic, {"count": 512}),
           ("no name key", "MALFORMED", [payload, seed], {}), ("no seed", "MALFORMED", [name, payload], {}),
           ("no active payload key", "MALFORMED", [name, (1, "payload", "decrypt", t), seed], {}),
           ("two active payload keys", "MALFORMED", [name, payload, (2, "payload", "active", t), seed], {}),
           ("a second name key", "MALFORMED", [name, (2, "name", "decrypt", t), payload, seed], {}),
           ("one key twice", "MALFORMED", [name, payload, (1, "payload", "decrypt", t), seed], {}),
           ("ids descend", "MALFORMED", [name, (2, "payload", "active", t), (1, "payload", "decrypt", t), seed], {}),
           ("purposes descend", "MALFORMED", [payload, name, seed], {}), ("id 0", "MALFORMED", [name, (0, "payload", "active", t), seed], {}),
           ("a stored session key", "MALFORMED", basic + [(1, "session", "active", t)], {}),
           ("unknown purpose", "MALFORMED", basic + [(1, "other", "active", t)], {}),
           ("unknown state", "MALFORMED", basic + [(2, "seed", "retired", t)], {}),
           ("empty zone name", "MALFORMED", basic, {"zone_name": b""}), ("long zone name", "MALFORMED", basic, {"zone_name": b"z" * 65}),
           ("control character in the zone name", "MALFORMED", basic, {"zone_name": b"ro\not"}),
           ("wrong check value", "AUTH", basic, {"bad_check": 1}), ("short key", "MALFORMED", basic, {"short_key": 2}),
           ("bytes behind the keys", "MALFORMED", basic, {"body_tail": b"\0"}), ("bytes behind the body", "MALFORMED", basic, {"tail": b"\0"}),
           ("sealed under another key", "AUTH", basic, {"seal_key": bytes(32)}), ("sealed with another header", "AUTH", basic, {"aad": b"x"})]
    for title, result, keys, change in bad:
        cases.append([("case", title), ("result", "GK_ERR_" + result), ("file", keyring(s, keys, **change)[0])])
    file = keyring(s, many)[0]
    cases.append([("case", "as many keys as allowed"), ("result", "GK_OK"), ("count", len(many) + 2), ("sha256", hashlib.sha256(file).digest()),
                  ("file", file)])
    return text("Keyring files (docs/FORMAT.md, \"Keyring file\"), good and bad. A key: id, purpose, state, created, check value. " + OWN, cases)


def corpus():
    """First inputs of tests/fuzz/fuzz_keyring.c: its first byte says whether the body is sealed (0) or plain text (1)."""
    s = Stream("corpus")
    t = 1700000000123
    basic = [(1, "name", "active", t), (1, "payload", "active", t), (1, "seed", "active", t)]
    rotated = [(3, "name", "active", 0), (1, "payload", "decrypt", t), (2, "payload", "active", t + 1), (7, "seed", "decrypt", t),
               (9, "seed", "active", t)]
    out = {"empty": b"", "later-version": b"\0" + keyring(s, basic, format=2)[0]}
    for name, keys, zone_name in (("fresh", basic, b"root"), ("rotated", rotated, b"Team-A"), ("wrong-order", basic[::-1], b"root")):
        file, made = keyring(s, keys, zone_name)[:2]
        body = b"".join(var(raw) for *_, raw in made)
        out[name] = b"\0" + file
        out[name + "-plain"] = b"\1" + file[:len(file) - len(body) - 16] + body
    return {f"../fuzz/corpus/keyring/{name}": data for name, data in out.items()}


# --- Wycheproof ------------------------------------------------------------------------------------------------------------

def wycheproof(folder):
    def groups(name):
        return json.loads((folder / "testvectors_v1" / name).read_text())["testGroups"]

    source = "github.com/C2SP/wycheproof, testvectors_v1/{} (Apache License 2.0){}, converted by tests/vectors/gen_crypto.py."
    cases = [[("id", t["tcId"]), ("key", t["key"]), ("aad", t["aad"]), ("msg", t["msg"]), ("ct", t["ct"]), ("result", t["result"])]
             for g in groups("aes_siv_cmac_test.json") if g["keySize"] == 512 for t in g["tests"]]
    for c in cases:
        f = {k: v if k in ("id", "result") else bytes.fromhex(v) for k, v in c}
        if f["msg"] or f["result"] == "valid":
            assert (siv(f["key"], [f["aad"]], f["msg"]) == f["ct"]) == (f["result"] == "valid"), f["id"]
    yield "siv_wycheproof.txt", text(source.format("aes_siv_cmac_test.json", ", keys of 512 bits"), cases)
    cases = []
    for g in groups("hkdf_sha256_test.json"):
        for t in g["tests"]:
            prk = hmac256(bytes.fromhex(t["salt"]) or bytes(32), bytes.fromhex(t["ikm"]))
            assert t["result"] != "valid" or expand(prk, bytes.fromhex(t["info"]), t["size"]).hex() == t["okm"]
            cases.append([("id", t["tcId"]), ("prk", prk), ("info", t["info"]), ("size", t["size"]), ("okm", t["okm"]), ("result", t["result"])])
    yield "hkdf_wycheproof.txt", text(source.format("hkdf_sha256_test.json", ", with HKDF-Extract done"), cases)
    cases = [[("id", t["tcId"]), ("key", t["key"]), ("msg", t["msg"]), ("tag", t["tag"]), ("result", t["result"])]
             for g in groups("hmac_sha256_test.json") if g["tagSize"] == 256 and g["keySize"] == 256 for t in g["tests"]]
    yield "hmac_wycheproof.txt", text(source.format("hmac_sha256_test.json", ", keys and tags of 256 bits"), cases)


def main(args):
    files = {"siv.txt": siv_file(), "xaes.txt": xaes_file(), "xaes_accumulated.txt": xaes_accumulated_file(), "derive.txt": derive_file(),
             "keyring.txt": keyring_file()}
    files = {name: content.encode() for name, content in files.items()} | corpus()
    if args[:1] == ["--wycheproof"] and len(args) == 2:
        files.update((name, content.encode()) for name, content in wycheproof(pathlib.Path(args[1])))
    elif args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    differ = [name for name, content in files.items() if args == ["--check"] and (HERE / name).read_bytes() != content]
    for name in differ:
        print(f"gen_crypto.py: {name} differs", file=sys.stderr)
    if args != ["--check"]:
        for name, content in files.items():
            (HERE / name).write_bytes(content)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
