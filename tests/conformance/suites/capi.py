"""The C client's API, all calls, by our capi.c: transcripts of a plain and of a TLS connection to three servers, call by call."""
import json
import subprocess

from .common import OUT, ROOT, Result, fresh, run, say

NAME = "capi"
SANDBOX = ROOT / "tools" / "gk-sandbox"
PROGRAM = OUT / "capi"
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
        for number, block in enumerate([*expected, f"exit {code}"]):
            test = f"{connection} {number:03} {block.splitlines()[0]}"
            other = [*seen, f"exit {seen_code}"][number] if number <= len(seen) else "nothing"
            found[0][test] = Result("passed")
            found[1][test] = Result("passed") if other == block else Result("failed", f"expected {block!r}, saw {other!r}")
    bad = [test for test, result in found[1].items() if result.status == "failed"]
    say(f"{NAME}: {len(found[0])} calls, {len(bad)} answered otherwise{': ' + ', '.join(bad) if bad else ''}")
    return found
