#!/usr/bin/env python3
"""First inputs of the codec's fuzz targets, made of the vectors in tests/vectors. What a target makes of its input stands in its first comment.

usage: gen_corpus.py            write tests/fuzz/corpus/{path,quota,handshake,sequence,request,reply,session,keyread,group}
       gen_corpus.py --check    compare with what is there; exit 1 when something differs or is missing
"""
import base64
import datetime
import hashlib
import pathlib
import struct
import sys

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"


def cases(name):
    for case in (VECTORS / name).read_text().split("\n\n")[1:]:
        yield {k.strip(): v.strip() for k, v in (line.split("=", 1) for line in case.splitlines())}


def raw(case, attribute):
    return bytes.fromhex(case[attribute])


def choices(label, n):
    return hashlib.shake_128(label.encode()).digest(n)


def path():
    for i, case in enumerate(list(cases("names.txt"))[::4]):
        if len(case["path"]) < 120:
            yield f"client-{i}", bytes([1 if "prefixes" in case else 0]) + raw(case, "path")
            yield f"stored-{i}", bytes([3 if "prefixes" in case else 2]) + raw(case, "stored")
            if b"/\2" in raw(case, "stored"):
                yield f"unmarked-{i}", bytes([3 if "prefixes" in case else 2]) + raw(case, "stored").replace(b"/\2", b"/")


def quota():
    for i, case in enumerate(list(cases("java_stats.txt"))[:48:2]):
        yield f"stats-{i}", b"\0" + raw(case, "text")
    for i, case in enumerate(cases("limits.txt")):
        if i % 6 == 0 and case["result"] == "GK_OK":
            yield f"limits-{i}", b"\1" + raw(case, "text")
            yield f"stored-{i}", b"\2" + raw(case, "stored")


def handshake():
    for i, case in enumerate(list(cases("sessions.txt"))[:4]):
        request = struct.pack(">iqi", 0, 77, 10000) + raw(case, "session") + struct.pack(">i", 16)
        yield f"right-{i}", b"\0" + request + raw(case, "ours") + b"\0"
        yield f"stocks-{i}", b"\0" + request + raw(case, "stock")
        yield f"response-{i}", b"\1" + struct.pack(">ii", 0, 10000) + raw(case, "session") + struct.pack(">i", 16) + raw(case, "stock") + b"\0" * (i % 2)
    yield "new", b"\0" + struct.pack(">iqiqi", 0, 0, 10000, 0, 16) + bytes(17)
    yield "null", b"\0" + struct.pack(">iqiqi", 0, 0, 10000, 5, -1)


def sequence():
    for i, case in enumerate(cases("sequence.txt")):
        if len(case["marked"]) > 400:
            continue
        number = struct.pack(">i", int(case["number"]))
        yield f"path-{i}", b"\0" + number + raw(case, "path")
        yield f"marked-{i}", b"\1" + raw(case, "marked")[:-1] + b"A\0" + raw(case, "pending")
        yield f"authentic-{i}", b"\1" + raw(case, "marked") + b"\0" + raw(case, "pending")
    for i, p in enumerate((b"/a/b\1", b"//x", b"/", b"", b"x", b"a/b", b"/a//b", b"/\xff", b"/zookeeper/quota/")):
        yield f"odd-{i}", b"\0\0\0\0\7" + p
    for i, case in enumerate(list(cases("payloads.txt"))[::6]):
        yield f"write-{i}", b"\2" + raw(case, "path") + b"\0" + raw(case, "stored")


def request():
    seen = set()
    for case in cases("frames.txt"):
        body = raw(case, "request")
        if body[4:8] in seen or len(body) > 254:
            continue
        seen.add(body[4:8])
        yield f"one-{len(seen)}", bytes([len(seen) % 4, len(body)]) + body
        yield f"stream-{len(seen)}", b"\4" + struct.pack(">i", len(body)) + body + struct.pack(">i", 8) + body[:8]
    for i, p in enumerate((b"/zookeeper/quota/", b"/zookeeper/quota//x", b"/plain/", b"/zookeeper/quota/zookeeper_limits/x")):
        for flags in (0, 2):
            body = struct.pack(">iii", 1, 1, len(p)) + p + b"\0\0\0\1x" + bytes(4) + struct.pack(">i", flags)
            yield f"odd-{i}-{flags}", bytes([i // 2 % 2, len(body)]) + body
    yield "lengths", b"\4\xff\xff\xff\xff\0\0\0\0"


def reply():
    for i in range(24):
        yield f"choices-{i}", choices(f"reply {i}", 60 + 6 * i)


def keyread():
    yield "good", bytes(400)
    for i in range(24):
        yield f"choices-{i}", choices(f"keyread {i}", 120)
        yield f"touched-{i}", bytes(i) * 3 + b"\3" * 200 + choices(f"keyread {i}", 40)


def session():
    for i in range(16):
        yield f"choices-{i}", bytes([i % 8]) + choices(f"session {i}", 80 + 20 * i)
    path, fine = bytes((0, 2, 1, 35, 12)), b"\0"  # gk_ops.c's way to /zookeeper/quota/zookeeper_stats; and to a request with no wrong byte
    for i, (value, at) in enumerate(((0, 40), (0, 54), (25, 54))):  # a wrong key, "bytes=02", "bytes=+2"
        wrong = bytes((15, 1, value, at))
        create, write = (wrong, fine) if i == 0 else (fine, wrong)
        yield f"statistics-{i}", bytes((4, 3, 0, 9, 0, 0)) + path + b"\0" + create + bytes((3, 6, 9)) + path + b"\0\0" + write + bytes((3, 10, 9)) + path + b"\0\0"


def certificate():
    """An Ed25519 certificate, which is the same each time; a pattern stands before it, as long as its first byte says."""
    key = Ed25519PrivateKey.from_private_bytes(choices("certificate", 32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "a+b, c")])
    names = x509.SubjectAlternativeName([x509.DNSName("a.example.org"), x509.UniformResourceIdentifier("spiffe://td/ns/a/sa/b")])
    day = datetime.datetime(2024, 1, 1)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    built = built.not_valid_before(day).not_valid_after(day + datetime.timedelta(days=9)).add_extension(names, critical=False).sign(key, None)
    der = built.public_bytes(Encoding.DER)
    return struct.pack(">H", len(der)) + der


def group():
    case = next(cases("group_messages.txt"))
    for i, name in enumerate(("epoch", "request", "authority", "genesis", "policy", "command", "fresh")):
        yield name, bytes([i]) + raw(case, name)
    znode = raw(case, "epoch")
    yield "znode", b"\13" + struct.pack(">I", len(znode)) + znode + b"delta"
    yield "reply", b"\14" + raw(case, "reply")
    yield "token-record", b"\10" + raw(case, "token record")
    yield "token", b"\10" + base64.urlsafe_b64encode(raw(case, "token"))
    nothing = struct.pack(">IIII", 0, 0, 0, 0)
    leaf, side = choices("leaf", 32), bytes(40) + nothing
    yield "state-empty", b"\11" + struct.pack(">BQQQI", 1, 5, 0, 0, 0) + side
    yield "state-flat", b"\11" + struct.pack(">BQQQ", 2, 5, 0, 3) + leaf + struct.pack(">I", 1) + struct.pack(">BQ", 1, 2) + leaf + struct.pack(">Q", 9) + side
    rows = b"".join(struct.pack(">BQ", i > 2, i) + leaf + (struct.pack(">Q", i) if i > 2 else b"") for i in (1, 2, 3, 4, 5))
    yield "state-tree", b"\11" + struct.pack(">BQQ", 1, 9, 6) + leaf + struct.pack(">QI", 0, 3) + rows + side
    yield "member", b"\7GKM1\1\0\0\0" + b"\0\1g\0\1m" + bytes(32) + b"\1\0\0\0\0" + bytes(32) + b"\0" + bytes(80 + 8 + 64) + b"\0\0\0" + \
        struct.pack(">HH", 0, 18) + bytes(8 * 18)
    for i, pattern in enumerate((b"dns:*.example.org", b"uri:spiffe://td/**/sa/b", b"subject:CN=a*e")):
        yield f"certificate-{i}", b"\12" + bytes([len(pattern) + 1]) + pattern + certificate()


def main(args):
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    differ = 0
    for target in (path, quota, handshake, sequence, request, reply, session, keyread, group):
        folder = HERE / "corpus" / target.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in target():
            file = folder / name
            if not args:
                file.write_bytes(data)
            elif not file.exists() or file.read_bytes() != data:
                print(f"gen_corpus.py: {target.__name__}/{name} differs", file=sys.stderr)
                differ = 1
    return differ


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
