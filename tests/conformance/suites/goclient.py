"""The Go client's own tests: they start servers by `zkServer.sh` of ZOOKEEPER_BIN_PATH, which is ours and adds jar and properties."""
import json
import os
import shutil
import subprocess

from .common import HERE, OUT, Result, fresh, run, say
from .kazoo import server_environment

NAME = "go-zookeeper"
MODULE = "github.com/go-zookeeper/zk@v1.0.4"
LIMIT = 1500
# Its helper waits for `srvr` to say when ZooKeeper was built, in the words of versions before 3.6. In the copy it takes 3.9's.
SRVR_DATE = ((r"(\d\d/\d\d/\d\d\d\d \d\d:\d\d ", r"([\d/-]+ \d\d:\d\d "),
             ("time.Parse(\"01/02/2006 15:04 MST\", match[1])",
              "time.Parse(map[bool]string{true: \"2006-01-02 15:04 MST\", false: \"01/02/2006 15:04 MST\"}[match[1][4] == '-'], match[1])"))


def source():
    """The module as the proxy has it, copied: the module cache is read-only, and a test writes beside itself."""
    copy = OUT / NAME / "source"
    if not (copy / "go.mod").exists():
        with_module = fresh(OUT / NAME / "fetch")
        (with_module / "go.mod").write_text("module fetch\n\ngo 1.19\n")
        done = subprocess.run(["go", "mod", "download", "-json", MODULE], cwd=with_module, check=True, capture_output=True, text=True)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(json.loads(done.stdout)["Dir"], copy)
        for folder, _, _ in os.walk(copy):
            os.chmod(folder, 0o755)
        words = copy / "flw.go"
        text = words.read_text()
        for old, new in SRVR_DATE:
            if old not in text:
                raise SystemExit(f"conformance: error: SOURCE: {words} has no {old} (hint: another version of the Go client?)")
            text = text.replace(old, new)
        words.chmod(0o644)
        words.write_text(text)
    return copy


def run_side(side, _full, only=()):
    directory = fresh(OUT / NAME / side.name)
    tools = directory / "bin"
    tools.mkdir()
    for name in ("zkServer.sh", "java-with-factory.sh"):
        (tools / name).symlink_to(HERE / name)
    (directory / "tmp").mkdir()
    environment = {**server_environment(side, directory), "ZOOKEEPER_BIN_PATH": str(tools), "TMPDIR": str(directory / "tmp"),
                   "GOFLAGS": "-mod=mod", "ZK_VERSION": "3.9.5"}
    pattern = "|".join(only) or "Integration"  # the others start no server
    run(["nice", "-n", "10", "go", "test", "-json", "-count=1", f"-timeout={LIMIT}s", "-run", pattern, "."], directory / "log", LIMIT + 60,
        cwd=source(), env=environment)
    found = read(directory / "log")
    bad = [test for test, result in found.items() if result.status == "failed"]
    say(f"{NAME} {side.name}: {len(found) - len(bad)} of {len(found)}{' FAILED: ' + ', '.join(bad) if bad else ''}")
    return found


def read(log):
    found, output = {}, {}
    for line in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        test, action = event.get("Test"), event.get("Action")
        if not test:
            continue
        if action == "run":
            found[test] = Result("failed", "it didn't end")
        elif action == "output":
            output[test] = (output.get(test, "") + event["Output"])[-600:]
        elif action in ("pass", "fail", "skip"):
            found[test] = Result({"pass": "passed", "fail": "failed", "skip": "skipped"}[action],
                                 "" if action == "pass" else " ".join(output.get(test, "").split()))
    return found or {"(package)": Result("failed", "go test ran no test: see the log")}
