#!/usr/bin/env python3
"""The rules of the house style that a machine can check, over all files that git knows. Ends in `lint: N passed, N failed, 0 skipped`
(rules, not files). A finding is `FILE:LINE: RULE: text`."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ME = "tests/lint.py"
BANNED = "strcpy strcat sprintf vsprintf gets atoi atol atoll strtok alloca".split()
# From the bottom up: a folder includes itself and what stands left of it.
LAYERS = "base crypto keyring wire group codec".split()
SECRET = re.compile(r"key|tag|mac|siv|secret|password|passwd|token", re.I)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# clang-format breaks C at 140 columns; what it leaves alone (comments) and other languages get a little more, tables of tests any width.
TESTS = ("tests/", "benchmarks/")
MAX_LINE, MAX_FILE, MAX_TEST_FILE, MAX_FUNCTION = 160, 400, 600, 70


class File:
    """One tracked file; `code` is C or Java text with comments and strings blanked, line for line."""

    def __init__(self, name):
        self.name = name
        self.lines = (ROOT / name).read_text(errors="replace").split("\n")
        self.suffix = Path(name).suffix
        self.is_c = self.suffix in (".c", ".h")
        if self.is_c:
            blank = COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), "\n".join(self.lines))
            self.code = blank.split("\n")

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if found:
                yield number, found[1]


def tracked():
    """What git tracks; all files where there is no git."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.split("\0") if done.returncode == 0 else sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob("*"))
    ours = (name for name in names if name and not name.startswith(("build/", ".git/")) and "__pycache__" not in name)
    return [File(name) for name in ours if (ROOT / name).is_file()]


def banned_functions(files):
    pattern = re.compile(r"\b(%s)\s*\(" % "|".join(BANNED))
    for file in (f for f in files if f.is_c):
        for number, line in enumerate(file.code, 1):
            if found := pattern.search(line):
                yield file, number, f"{found[1]} has no bound or no error"


def memcmp_on_secrets(files):
    """Secrets are compared by gk_bytes_equal. A comparison of public bytes that looks like one says `/* public */` in its line."""
    for file in (f for f in files if f.is_c and f.name.startswith(("native/", "jni-glue/", "tools/"))):
        for number, line in enumerate(file.code, 1):
            found = re.search(r"\bmemcmp\s*\((.*)", line)
            if found and SECRET.search(found[1]) and "/* public */" not in file.lines[number - 1]:
                yield file, number, "memcmp leaks by its time where secrets differ: gk_bytes_equal"


def headers_in_their_place(files):
    for file in (f for f in files if f.is_c):
        for number, name in file.includes():
            if Path(name).name in ("jni.h", "jni_md.h") and not file.name.startswith("jni-glue/"):
                yield file, number, "jni.h belongs to jni-glue/"
            if Path(name).name == "zookeeper.h" and not file.name.startswith(("tools/", "tests/clients/", "tests/conformance/")):
                yield file, number, "zookeeper.h belongs to tools/"


def layers(files):
    home = {Path(f.name).name: f.name.split("/")[1] for f in files if f.suffix == ".h" and re.match(r"native/\w+/", f.name)}
    for file in files:
        found = re.match(r"native/(\w+)/", file.name)
        if not found or not file.is_c or found[1] not in LAYERS:
            continue
        for number, name in file.includes():
            other = home.get(Path(name).name)
            if other in LAYERS and LAYERS.index(other) > LAYERS.index(found[1]):
                yield file, number, f"{found[1]} lies below {other} and must not include {name}"


def unfinished(files):
    pattern = re.compile(r"\b(FIXME|TODO|XXX)\b")
    for file in (f for f in files if f.name != ME and f.suffix not in (".json", ".txt", ".bin")):
        for number, line in enumerate(file.lines, 1):
            if found := pattern.search(line):
                yield file, number, f"{found[1]}: do it, or write it down as a limit"


def tidy_text(files):
    """Width, tabs and blanks at line ends."""
    for file in (f for f in files if f.suffix in (".c", ".h", ".py", ".java")):
        for number, line in enumerate(file.lines, 1):
            if len(line) > MAX_LINE and not file.name.startswith(TESTS):
                yield file, number, f"{len(line)} columns"
            if line != line.rstrip() or "\t" in line:
                yield file, number, "a tab, or a blank at the end"


def small_files(files):
    for file in (f for f in files if f.suffix in (".c", ".h", ".py", ".java")):
        most = MAX_TEST_FILE if file.name.startswith(TESTS) else MAX_FILE
        if len(file.lines) > most + 1:
            yield file, len(file.lines), f"{len(file.lines)} lines: split it (at most {most})"


def small_functions(files):
    """A function body is what stands between a line `{`-opened at column 0's signature and the `}` in column 0."""
    for file in (f for f in files if f.suffix == ".c"):
        begin = None
        for number, line in enumerate(file.code, 1):
            if re.match(r"[A-Za-z_].*\)\s*\{\s*$", line) or (line.startswith("{") and begin is None):
                begin = number
            elif line.startswith("}") and begin:
                if number - begin + 1 > MAX_FUNCTION:
                    yield file, begin, f"a function of {number - begin + 1} lines (at most {MAX_FUNCTION})"
                begin = None


def valid_scripts(files):
    for file in files:
        shebang = file.lines[0] if file.lines else ""
        path = ROOT / file.name
        if file.suffix == ".sh" or re.match(r"#!.*\b(ba)?sh\b", shebang):
            done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
            if done.returncode:
                yield file, 1, done.stderr.strip().splitlines()[0]
        elif file.suffix == ".py" or re.match(r"#!.*python", shebang):
            try:
                compile(path.read_text(), file.name, "exec")
            except SyntaxError as error:
                yield file, error.lineno or 1, str(error)


RULES = (banned_functions, memcmp_on_secrets, headers_in_their_place, layers, unfinished, tidy_text, small_files, small_functions, valid_scripts)


def main():
    files = tracked()
    failed = 0
    for rule in RULES:
        findings = list(rule(files))
        failed += bool(findings)
        for file, number, text in findings:
            print(f"{file.name}:{number}: {rule.__name__.replace('_', '-')}: {text}")
    print(f"lint: {len(RULES) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
