"""Looking for planted secrets in all that a server wrote, in the spellings in which they could lie there."""
import base64
import os

# What a server keeps for its operator, not for its clients: our own settings, and the process's number.
OWN_FILES = {"zoo.cfg", "logback.xml", "pid", "myid"}


def _base64_forms(secret):
    """Inside of longer text the same bytes can start at three places of a base64 group; the ends mix with neighbours and are cut off."""
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        begin = -(-shift * 4 // 3)
        yield text[begin:(shift + len(secret)) // 3 * 4]


def spellings(secret):
    """Name of the spelling -> byte strings to look for."""
    raw = secret.encode()
    hexed = raw.hex()
    plain64 = list(_base64_forms(raw))
    return {
        "raw": [raw],
        "hex": [hexed.encode(), hexed.upper().encode()],
        "UTF-16": [secret.encode("utf-16-le"), secret.encode("utf-16-be")],
        "base64": plain64 + [text.translate(bytes.maketrans(b"+/", b"-_")) for text in plain64],
    }


def files_of(servers):
    """All files under the servers' folders: snapshots, transaction logs, epochs, text logs."""
    for folder in servers:
        yield from sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in OWN_FILES and not p.name.startswith("zoo.cfg"))


def written(path):
    """A file's content without the zeros it was padded with (64 MiB for a transaction log): what was never written isn't read, and of
    zeros at the end one stays, which may be the last byte of UTF-16."""
    parts = []
    with open(path, "rb", buffering=0) as handle:
        end = handle.seek(0, os.SEEK_END)
        hole = 0
        while hole < end:
            try:
                data = handle.seek(hole, os.SEEK_DATA)
            except OSError:
                break
            hole = handle.seek(data, os.SEEK_HOLE)
            parts.append(os.pread(handle.fileno(), hole - data, data))
    return b"\0".join(parts).rstrip(b"\0") + b"\0"


class Result:
    """Counts of one search."""

    def __init__(self):
        self.bytes = self.files = self.snapshots = self.logs = self.text_logs = 0
        self.found = {}
        self.where = {}

    @property
    def total(self):
        return sum(self.found.values())


def search(folders, secrets):
    result = Result()
    forms = {secret: spellings(secret) for secret in secrets}
    for path in files_of(folders):
        try:
            content = written(path)
        except FileNotFoundError:
            continue
        result.files += 1
        result.bytes += len(content)
        result.snapshots += path.name.startswith("snapshot.")
        result.logs += path.name.startswith("log.")
        result.text_logs += path.suffix == ".log"
        for secret, named in forms.items():
            for name, patterns in named.items():
                count = sum(content.count(pattern) for pattern in set(patterns))
                if count:
                    result.found[name] = result.found.get(name, 0) + count
                    result.where.setdefault(secret, path)
    return result
