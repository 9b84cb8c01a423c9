"""Looks for secrets in what servers wrote or sent: raw, hex, UTF-16 and base64 at any offset, in files as they are and decompressed."""
import base64
import gzip
import os
import struct
import zlib

# What a server keeps for its operator: our own settings, and the process's number.
OWN_FILES = {"pid", "myid", "logback.xml", "snapshot.old"}
XERIAL = b"\x82SNAPPY\0"


def _base64_forms(raw):
    """In a longer text the same bytes can begin at three places of a base64 group; what mixes with neighbours is cut off."""
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw)
        begin = -(-shift * 4 // 3)
        yield text[begin:(shift + len(raw)) // 3 * 4]


def spellings(secret):
    """Spelling -> byte strings; secret is text of at least 8 characters."""
    raw = secret.encode()
    plain = list(_base64_forms(raw))
    return {
        "raw": [raw],
        "hex": [raw.hex().encode(), raw.hex().upper().encode(), raw.hex(" ").encode(), b",".join(b"%d" % byte for byte in raw)],
        "utf-16": [secret.encode("utf-16-le"), secret.encode("utf-16-be")],
        "base64": plain + [text.translate(bytes.maketrans(b"+/", b"-_")) for text in plain],
    }


def snappy_block(data):
    """One block of Snappy's raw format."""
    size, at, shift = 0, 0, 0
    while True:
        byte = data[at]
        size |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            break
    out = bytearray()
    while at < len(data):
        tag, kind = data[at], data[at] & 3
        at += 1
        if kind == 0:
            length = (tag >> 2) + 1
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[at:at + extra], "little") + 1
                at += extra
            out += data[at:at + length]
            at += length
            continue
        if kind == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        for _ in range(length):
            out.append(out[-offset])
    if len(out) != size:
        raise ValueError("snappy: the length is wrong")
    return bytes(out)


def snappy_stream(data):
    """What SnappyOutputStream wrote: a header of 16 bytes, then blocks behind their length; ZooKeeper adds its checksum behind."""
    out, at = [], 16
    while at + 4 <= len(data):
        (length,) = struct.unpack_from(">i", data, at)
        if data[at:at + 8] == XERIAL:
            at += 16
            continue
        if length < 0 or at + 4 + length > len(data):
            break
        out.append(snappy_block(data[at + 4:at + 4 + length]))
        at += 4 + length
    return b"".join(out)


def forms_of(content):
    """A file's content as it is, and decompressed where it is compressed."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield zlib.decompressobj(31).decompress(content) if content[-8:] else gzip.decompress(content)
    elif content[:8] == XERIAL:
        yield snappy_stream(content)


class Search:
    """Counts of what was looked at and found. `found` maps (secret, spelling) to the places. The secrets have a beginning of at least 8
    characters in common, which is all that is looked for at first."""

    def __init__(self, secrets):
        common = os.path.commonprefix(list(secrets))
        if len(common) < 8:
            raise ValueError("secrets must begin alike")
        self.common = common
        self.beginnings = {pattern: spelling for spelling, patterns in spellings(common).items() for pattern in patterns}
        self.whole = {pattern: (secret, spelling) for secret in secrets for spelling, patterns in spellings(secret).items() for pattern in patterns}
        self.lengths = sorted({len(pattern) for pattern in self.whole}, reverse=True)
        self.files = self.bytes = self.snapshots = self.logs = self.texts = self.compressed = 0
        self.found = {}

    def look(self, content, place):
        self.bytes += len(content)
        for beginning, spelling in self.beginnings.items():
            at = content.find(beginning)
            while at >= 0:
                hit = next((self.whole[content[at:at + n]] for n in self.lengths if content[at:at + n] in self.whole), (self.common, spelling))
                self.found.setdefault(hit, []).append(place)
                at = content.find(beginning, at + len(beginning))

    def file(self, path):
        content = path.read_bytes()
        self.files += 1
        self.snapshots += path.name.startswith("snapshot.")
        self.logs += path.name.startswith("log.")
        self.texts += path.suffix == ".log"
        parts = list(forms_of(content.rstrip(b"\0") if path.name.startswith("log.") else content))
        self.compressed += len(parts) - 1
        for part in parts:
            self.look(part, str(path))

    def servers(self, folder, stored_only=False):
        """All files below an ensemble's server-N folders, but for our own settings; stored_only: data and datalog."""
        for path in sorted(folder.glob("server-*/data*/**/*" if stored_only else "server-*/**/*")):
            if path.is_file() and path.name not in OWN_FILES and not path.name.startswith("zoo.cfg"):
                self.file(path)
        return self

    def secrets(self):
        return {secret for secret, _ in self.found}

    def __str__(self):
        return (f"{self.files} files ({self.snapshots} snapshots, {self.logs} transaction logs, {self.texts} server logs, {self.compressed} of them "
                f"compressed), {self.bytes} bytes")
