"""JUnit classes, each in a JVM of its own with clients and servers in it, run by java/RunTests.java."""
import re

from .common import HERE, OUT, ZK_HOME, Result, fresh, lines_of, retry, run, say

CLASSES = OUT / "classes"
LIMIT = 600
OPENS = ["java.base/java.lang", "java.base/java.util", "java.base/java.net", "java.base/java.io", "java.base/java.lang.reflect"]


class Junit:
    """name: the suite's; jars: where its tests and their dependencies lie; package: what its list's class names are below of;
    options: JVM options of its own, a function of the class's folder."""

    def __init__(self, name, jars, package, options):
        self.name, self.jars, self.package, self.options = name, jars, package, options

    def classes(self, full):
        """NAME-tests.txt: lines `CLASS [full]`; classes with `full` run with FULL=1 only."""
        for line in lines_of(HERE / f"{self.name}-tests.txt"):
            name, *words = line.split()
            if full or "full" not in words:
                yield name

    def classpath(self, side):
        """The server's own jars come first, and in the server's versions."""
        home = {artifact(jar): jar for jar in sorted(ZK_HOME.glob("*.jar"))}
        others = [jar for jar in sorted(self.jars.glob("*.jar")) if artifact(jar) not in home]
        return ":".join([*map(str, [*home.values(), *others]), *side.jars(), str(CLASSES)])

    def run_class(self, side, name, attempt=1):
        """{test: Result}; a test that had begun when the JVM ended failed."""
        directory = fresh(OUT / self.name / side.name / f"{name}{'.again' if attempt > 1 else ''}")
        command = ["nice", "-n", "10", "java", "-Xmx512m", *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
                   f"-Dlogback.configurationFile={HERE / 'logback.xml'}", f"-Dconformance.factory={side.factory}",
                   "-Dtest.junit.threads=2", f"-Dzookeeper.junit.threadid={2 if side.plugin else 1}", *self.options(directory),
                   *side.properties(directory), "-cp", self.classpath(side), "RunTests", str(directory / "results.tsv"), f"{self.package}.{name}"]
        code = run(command, directory / "log", LIMIT, cwd=directory)
        return read(name, directory / "results.tsv", code)

    def run_side(self, side, full, only=()):
        found = {}
        for name in only or list(self.classes(full)):
            results = self.run_class(side, name)
            if any(r.status == "failed" for r in results.values()):
                retry(results, self.run_class(side, name, attempt=2))
            found.update(results)
            bad = [test for test, r in results.items() if r.status == "failed"]
            say(f"{self.name} {side.name}: {name}: {len(results) - len(bad)} of {len(results)}{' FAILED: ' + ', '.join(bad) if bad else ''}")
        return found


def artifact(jar):
    """zookeeper-3.9.5-tests.jar: zookeeper-tests; natives of one artifact are several."""
    found = re.fullmatch(r"(.*?)-\d[^-]*(-.*)?\.jar", jar.name)
    return found[1] + (found[2] or "").removesuffix(".Final") if found else jar.name


def read(name, file, code):
    found, ended = {}, False
    for line in file.read_text(errors="replace").splitlines() if file.exists() else []:
        status, _, test, message = line.split("\t", 3)
        ended = ended or status == "end"
        if status == "started":
            found[f"{name}.{test}"] = Result("failed", "it didn't end within the time limit" if code is None else f"the JVM ended: {code}")
        elif status != "end":
            found[f"{name}.{test}"] = Result(status, message)
    if not ended and not any(r.status == "failed" for r in found.values()):
        found[f"{name}.(class)"] = Result("failed", f"the JVM ended: {'time limit' if code is None else code}")
    if not found:
        found[f"{name}.(class)"] = Result("failed", "no test was found in it")
    return found
