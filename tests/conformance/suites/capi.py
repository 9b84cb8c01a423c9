"""The C client's API, all calls, by our capi.c: transcripts of a plain and of a TLS connection to three servers, call by call."""
import difflib
import json
import subprocess

from .common import OUT, ROOT, Result, fresh, run, say

NAME = "capi"
SANDBOX = ROOT / "tools" / "gk-sandbox"
PROGRAM = OUT / "bin" / "capi"
LIMIT = 300


def blocks(file):
    """A call with the lines that belong to it."""
    found = []
    for line in file.read_text(errors="replace").splitlines():
        if line.startswith("  ") and found:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def transcripts(side):
    """{connection: ([call], exit code)}"""
    found = {}
    for tls in ("off", "on"):
        directory = fresh(OUT / NAME / side.name / f"tls-{tls}")
        servers = directory / "servers"
        servers.mkdir()
        if side.plugin:
            side.keyring(servers)
        sandbox = lambda *words, at=servers: subprocess.run([SANDBOX, words[0], "--dir", at, *words[1:]], check=True, capture_output=True, text=True)
        sandbox("start", "--servers", "3", "--tls", tls, "--plugin", "on" if side.plugin else "off", "--jvm", "-Xmx256m")
        try:
            status = json.loads(sandbox("status", "--json").stdout)["servers"][0]
            certs = ",".join(str(servers / "tls" / name) for name in ("ca.pem", "client.pem", "client.key"))
            words = [status["secure"], certs] if tls == "on" else [status["client"], "-"]
            code = run([PROGRAM, *words], directory / "transcript", LIMIT, cwd=directory)
        finally:
            sandbox("stop")
        found["TLS" if tls == "on" else "plain"] = (blocks(directory / "transcript"), code)
    return found


def run_sides(sides, _full, _only=()):
    stock, plugin = (transcripts(side) for side in sides)
    found = ({}, {})
    for connection, (expected, code) in stock.items():
        seen, seen_code = plugin[connection]
        expected, seen = [*expected, f"exit {code}"], [*seen, f"exit {seen_code}"]
        names = [f"{connection} {number:03} {block.splitlines()[0]}" for number, block in enumerate(expected)]
        found[0].update({name: Result("passed") for name in names})
        for kind, a, b, c, d in difflib.SequenceMatcher(None, expected, seen, autojunk=False).get_opcodes():
            result = Result("passed") if kind == "equal" else Result("failed", f"expected {expected[a:b]}, saw {seen[c:d]}"[:600])
            found[1].update({name: result for name in (names[a:b] or names[max(a - 1, 0):a or 1])})
    bad = [test for test, result in found[1].items() if result.status == "failed"]
    say(f"{NAME}: {len(found[0])} calls, {len(bad)} answered otherwise{': ' + ', '.join(bad) if bad else ''}")
    return found
