#!/usr/bin/env python3
"""Known answers for group keys by a controller (docs/FORMAT.md, "Groups"), from an implementation that shares no code with the native one:
Ed25519, X25519 and AES-GCM of the Python package `cryptography`, AES-SIV, XAES and HKDF of gen_crypto.py, HPKE (RFC 9180) written out here.

usage: gen_group.py            write hpke.txt, group_keys.txt, group_messages.txt
       gen_group.py --check    compare them with what is there; exit 1 when they differ
"""
import hashlib
import sys
from struct import pack

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from gen_crypto import HERE, Stream, expand, hmac256, siv, text, var, xaes

V1 = b"groupkeeper v1 "
WRITTEN = "Written by tests/vectors/gen_group.py."
# mode 0, kem 32, kdf 1, aead 2, first message: github.com/cfrg/draft-irtf-cfrg-hpke, test-vectors.json at 5f503c5 (that of RFC 9180)
CFRG = {"info": "4f6465206f6e2061204772656369616e2055726e", "skE": "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
        "skR": "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
        "pkR": "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
        "enc": "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256", "aad": "436f756e742d30",
        "pt": "4265617574792069732074727574682c20747275746820626561757479",
        "ct": "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"}


def sha(data):
    return hashlib.sha256(data).digest()


def kdf(key, label, context, n=32):
    return expand(key, var(V1 + label) + context, n)


# --- HPKE ------------------------------------------------------------------------------------------------------------------------

def x_public(sk):
    return X25519PrivateKey.from_private_bytes(sk).public_key().public_bytes_raw()


def hpke(sk_e, pk_r, info, aad, plaintext):
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"

    def extract(salt, ident, label, ikm):
        return hmac256(salt or bytes(32), b"HPKE-v1" + ident + label + ikm)

    def labeled(prk, ident, label, context, n):
        return expand(prk, pack(">H", n) + b"HPKE-v1" + ident + label + context, n)

    enc = x_public(sk_e)
    dh = X25519PrivateKey.from_private_bytes(sk_e).exchange(X25519PublicKey.from_public_bytes(pk_r))
    shared = labeled(extract(b"", kem, b"eae_prk", dh), kem, b"shared_secret", enc + pk_r, 32)
    context = b"\0" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    secret = extract(shared, suite, b"secret", b"")
    key, nonce = labeled(secret, suite, b"key", context, 32), labeled(secret, suite, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


def hpke_file():
    c = {k: bytes.fromhex(v) for k, v in CFRG.items()}
    sealed = hpke(c["skE"], c["pkR"], c["info"], c["aad"], c["pt"])
    assert sealed == c["enc"] + c["ct"] and x_public(c["skR"]) == c["pkR"]
    rows = [(c["skE"], c["skR"], c["info"], c["aad"], c["pt"])]
    s = Stream("hpke")
    rows += [(s.take(32), s.take(32), s.take(i), s.take(a), s.take(n)) for i, a, n in ((0, 0, 0), (1, 0, 1), (0, 8, 32), (64, 8, 200), (300, 100, 5000))]
    cases = [[("ephemeral", e), ("key", k), ("info", i), ("aad", a), ("msg", m), ("sealed", hpke(e, x_public(k), i, a, m))] for e, k, i, a, m in rows]
    return text("HPKE base mode, kem 32, kdf 1, aead 2. The first case is the CFRG's (test-vectors.json of RFC 9180). " + WRITTEN, cases)


# --- keys ---------------------------------------------------------------------------------------------------------------------------

def wrap(under_key, group, epoch, salt, node, under, key):
    return siv(kdf(under_key, b"kek", b"", 64), [var(V1 + b"wrap") + group + pack(">QQQ", epoch, node, under), salt], key)


def keys_file():
    s = Stream("group keys")
    cases = []
    for epoch, node, under in ((1, 2, 1), (7, 1 << 40, 3), ((1 << 64) - 1, (1 << 64) - 1, (1 << 64) - 2)):
        group, salt, key, under_key, body, sender, nonce, data = (s.take(n) for n in (16, 32, 32, 32, 32, 16, 24, 40))
        context = group + pack(">Q", epoch)
        group_key = kdf(key, b"group key", context + body)
        head = b"GKD1" + pack(">Q", epoch) + sender
        cases.append([("group", group), ("epoch", epoch), ("node", node), ("under", under), ("salt", salt), ("key", key), ("under key", under_key),
                      ("body hash", body), ("wrapped", wrap(under_key, group, epoch, salt, node, under, key)),
                      ("joined", kdf(key, b"lkh join", context + pack(">Q", node) + salt)), ("leaf", kdf(key, b"leaf", context)),
                      ("group key", group_key), ("fingerprint", hmac256(group_key, b"groupkeeper fingerprint")[:8]),
                      ("confirm", hmac256(kdf(key, b"confirm", context + body), body)), ("data", data),
                      ("sealed", head + nonce + xaes(kdf(group_key, b"app", sender), nonce, head, data))])
    return text("Derivations and wraps of group keys. " + WRITTEN, cases)


# --- messages -----------------------------------------------------------------------------------------------------------------------

def ed_public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed, label, body):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(var(V1 + label) + body)


def message(seed, label, body):
    body += sha(ed_public(seed))[:16]
    return body + sign(seed, label, body)


def messages_file():
    s = Stream("group messages")
    admin, controller, identity, reply_key, root_key, ephemeral = (s.take(32) for _ in range(6))
    now = 1700000000123
    authority = message(admin, b"authority", b"GKA1" + pack(">Q", 1) + bytes(32) + pack(">QH", now, 1) + ed_public(admin) + pack(">H", 1) + ed_public(controller))
    genesis = message(admin, b"genesis", b"GKG1\1" + sha(authority) + s.take(32) + pack(">Q", now) + var(b"team.a"))
    group = sha(genesis)[:16]
    policy = message(admin, b"policy", b"GKP1" + group + pack(">Q", 3) + var(b"\1\6") + pack(">IH", 0, 1) + var(b"uri:spiffe://td/**") +
                     pack(">7I", 3600, 200, 60, 64, 1000, 100, 6))
    nonce = s.take(16)
    command = message(admin, b"admin", b"GKC1" + group + pack(">QB", 1, 7) + bytes(32) + nonce + pack(">Q", now + 60000) + var(b"mallory") + var(b"left us") +
                      pack(">I", 0))
    token, token_id = s.take(32), s.take(8)
    token_seed = kdf(token, b"token sign", token_id)
    body = b"GKJ1\1" + group + var(b"alice") + b"\1" + pack(">I", 32) + ed_public(identity) + x_public(reply_key) + s.take(32) + pack(">Q", now + 200000) + b"\1" + token_id
    body += sign(token_seed, b"token", body)
    request = body + var(sign(identity, b"join", body))
    secret = s.take(300)
    sealed = hpke(ephemeral, x_public(reply_key), var(V1 + b"admit") + sha(request), pack(">Q", 42), secret)
    reply = message(controller, b"reply", b"GKR1" + group + sha(request) + pack(">QBI", 42, 0, len(sealed)) + sealed)
    ops = b"".join(pack(">BQ", o, n) for o, n in ((2, 5), (1, 9), (3, 4)))
    wraps = b"".join(pack(">QQ", n, u) + s.take(48) for n, u in ((10, 3), (10, 4)))
    before = b"GKE1" + group + pack(">QQQQIIIBBQ", 42, 7, 1, now, 60, 64, 3, 7, 0, 10) + s.take(32) + s.take(32) + pack(">I", 3) + ops + pack(">I", 2) + wraps
    context = group + pack(">Q", 42) + sha(before)
    epoch = message(controller, b"epoch", before + hmac256(kdf(root_key, b"confirm", context), sha(before)))
    fresh = message(controller, b"fresh", b"GKF1" + group + pack(">Q", 42) + sha(epoch) + pack(">QQQ", now, 7, 1))
    record = b"GKT1" + token_id + ed_public(token_seed) + pack(">IQ", 1, now)
    case = [("admin", admin), ("controller", controller), ("identity", sha(V1 + b"identity" + ed_public(identity))), ("reply key", reply_key), ("root key", root_key),
            ("now", now), ("authority", authority), ("genesis", genesis), ("group", group), ("policy", policy), ("command", command),
            ("command id", sha(command)), ("token", token_id + token + sha(genesis)), ("token record", record), ("request", request),
            ("once", sha(body)[:16]), ("secret", secret), ("reply", reply), ("epoch", epoch), ("body hash", sha(before)),
            ("group key", kdf(root_key, b"group key", context)), ("fresh", fresh)]
    return text("One of each message about a group. " + WRITTEN, [case])


def main(args):
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    files = {"hpke.txt": hpke_file(), "group_keys.txt": keys_file(), "group_messages.txt": messages_file()}
    if not args:
        for name, content in files.items():
            (HERE / name).write_text(content)
        return 0
    differ = [name for name, content in files.items() if (HERE / name).read_text() != content]
    for name in differ:
        print(f"gen_group.py: {name} differs", file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
