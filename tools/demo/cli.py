"""The demo's command line."""
import argparse
import json
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import VERSION

EXAMPLE = """example:
  make demo                  builds what is needed and runs it
  gk-demo --keep /tmp/look   leaves the servers' files there
  gk-demo --plugin off       the same on stock ZooKeeper: what lies open today"""


def fail(code, text, hint):
    print(f"gk-demo: error: {code}: {text} (hint: {hint})", file=sys.stderr)
    return 1


def _on_off(text):
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither on nor off")
    return text == "on"


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.exit(fail("USAGE", message, "see 'gk-demo --help'") + 1)


def parse(argv):
    parser = Parser(prog="gk-demo", description="Three servers, stock clients, searched disks, a killed leader.", epilog=EXAMPLE,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin", type=_on_off, default=True, metavar="on|off", help="off runs stock servers: then leaks are expected (on)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put the servers' files into this new folder and leave them there")
    parser.add_argument("--json", action="store_true", help="no text, only the figures as one JSON document")
    parser.add_argument("--version", action="version", version=f"gk-demo {VERSION}")
    return parser.parse_args(argv)


def _terminate(*_):
    raise KeyboardInterrupt


def main(argv):
    args = parse(argv)
    try:
        from .chapters import Demo, StageError
    except ImportError as error:
        return fail("DEPS", f"{error}", "run 'make deps'")
    signal.signal(signal.SIGTERM, _terminate)
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # reconnecting is what we show, not what we report
    if args.keep and args.keep.exists():
        return fail("EXISTS", f"{args.keep} is there already", "name a new folder")
    folder = (args.keep or Path(tempfile.mkdtemp(prefix="gk-demo-"))).resolve()
    demo = Demo(folder, args.plugin, quiet=args.json)
    try:
        figures = demo.play()
        if args.json:
            print(json.dumps(figures))
        return 1 if demo.show.broken else 0
    except StageError as error:
        return fail("STAGE", str(error), "run with --keep DIR and look at DIR/ensemble/server-*/log")
    except KeyboardInterrupt:
        return fail("INTERRUPTED", "interrupted", "the servers are stopped")
    finally:
        demo.stage.stop()
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
