#!/usr/bin/env python3
"""Whether all generated vectors, corpora and examples are what their generators make. Ends in `vectors: N passed, N failed, 0 skipped`.

usage: check.py [--java]   --java: those of GenJava.java as well (half a minute; a JDK 17 and build/deps/zookeeper-*)
"""
import glob
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GENERATORS = [HERE / "gen_crypto.py", HERE / "gen_codec.py", HERE / "gen_agreement.py", HERE / "gen_frames.py", HERE / "gen_group.py", ROOT / "tests" / "fuzz" / "gen_corpus.py"]


def java():
    """Runs GenJava.java into a folder of its own and compares."""
    with tempfile.TemporaryDirectory() as folder:
        classes = glob.glob(str(ROOT / "build" / "deps" / "zookeeper-*" / "*.jar"))
        done = subprocess.run(["java", "-cp", ":".join(classes), HERE / "GenJava.java", folder], capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return False
        return all((HERE / f.name).read_bytes() == f.read_bytes() for f in pathlib.Path(folder).iterdir())


def main(args):
    results = {g.name: subprocess.run([sys.executable, g, "--check"], check=False).returncode == 0 for g in GENERATORS}
    if args == ["--java"]:
        results["GenJava.java"] = java()
    for name in (n for n, good in results.items() if not good):
        print(f"{name}: what it makes is not what is there")
    bad = list(results.values()).count(False)
    print(f"vectors: {len(results) - bad} passed, {bad} failed, 0 skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
