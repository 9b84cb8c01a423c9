"""kazoo's own tests: their harness starts three servers; `java` on its path is ours and adds jar and properties."""
import os
import shutil
import xml.etree.ElementTree as xml

from .common import DEPS, HERE, OUT, ZK_HOME, Result, fresh, lines_of, retry, run, say

NAME = "kazoo"
SOURCE = DEPS / "kazoo-tests"
PYTHON = DEPS / "conformance-venv" / "bin" / "python"
LIMIT, TEST_LIMIT = 1800, 120
PORTS = {"stock": 22000, "plugin": 22100}


def server_environment(side, directory):
    """What java-with-factory.sh wants."""
    jars = [*map(str, sorted(ZK_HOME.glob("*.jar"))), *side.jars()]
    logback = f"-Dlogback.configurationFile={HERE / 'logback.xml'}"
    return {"CONFORMANCE_JAVA": shutil.which("java"), "CONFORMANCE_CLASSPATH": ":".join(jars), "CONFORMANCE_FACTORY": side.factory,
            "CONFORMANCE_PROPERTIES": " ".join([logback, *side.properties(directory)])}


def files(full):
    """kazoo-tests.txt: lines `FILE [full]`."""
    for line in lines_of(HERE / "kazoo-tests.txt"):
        name, *words = line.split()
        if full or "full" not in words:
            yield name


def run_side(side, full, only=()):
    directory = fresh(OUT / NAME / side.name)
    tools = directory / "bin"
    tools.mkdir()
    (tools / "java").symlink_to(HERE / "java-with-factory.sh")
    (directory / "tmp").mkdir()
    environment = {**server_environment(side, directory), "PATH": f"{tools}:{os.environ['PATH']}", "ZOOKEEPER_VERSION": "3.9.5",
                   "ZOOKEEPER_CLASSPATH": "x", "ZOOKEEPER_PORT_OFFSET": str(PORTS[side.name]), "TMPDIR": str(directory / "tmp"),
                   "PYTHONPATH": str(SOURCE)}
    found = {}
    for name in only or list(files(full)):
        results = run_tests(directory, name, [name], environment)
        failed = [test for test, result in results.items() if result.status == "failed"]
        if failed:
            retry(results, run_tests(directory, f"{name}.again", [node(name, test) for test in failed], environment))
        bad = [test for test, result in results.items() if result.status == "failed"]
        say(f"{NAME} {side.name}: {name}: {len(results) - len(bad)} of {len(results)}{' FAILED: ' + ', '.join(bad) if bad else ''}")
        found.update(results)
    return found


def node(name, test):
    """test_lock.KazooLockTests.test_lock -> test_lock.py::KazooLockTests::test_lock"""
    parts = test.removeprefix(name.removesuffix(".py") + ".").split(".", 1)
    return name if test.endswith("(file)") else "::".join([name, *parts])


def run_tests(directory, name, nodes, environment):
    report = directory / f"{name}.xml"
    tests = SOURCE / "kazoo" / "tests"
    run(["nice", "-n", "10", PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_LIMIT}", "-o", "junit_family=xunit1",
         f"--junitxml={report}", *(str(tests / one) for one in nodes)], directory / f"{name}.log", LIMIT, cwd=directory, env=environment)
    return read(name, report)


def read(name, report):
    if not report.exists():
        return {f"{name}.(file)": Result("failed", "pytest wrote no report")}
    found = {}
    for case in xml.parse(report).getroot().iter("testcase"):
        status, message = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                status, message = "failed", child.get("message", "")
            elif child.tag == "skipped":
                status, message = "skipped", child.get("message", "")
        found[f"{case.get('classname', '').removeprefix('kazoo.tests.')}.{case.get('name')}"] = Result(status, " ".join(message.split())[:300])
    return found
