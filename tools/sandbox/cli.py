"""The command line: parsing, help, exit codes (0 success, 1 failure, 2 usage)."""
import argparse
import os
import sys

from . import DEFAULT_ZK_VERSION, TOOL, VERSION, SandboxError, commands

ABOUT = "Starts, breaks and mends ensembles of unmodified ZooKeeper servers on this machine."
EXAMPLE = """example:
  gk-sandbox start --dir /tmp/zk --servers 3 --tls on
  gk-sandbox kill --dir /tmp/zk 2
  gk-sandbox restart --dir /tmp/zk 2
  gk-sandbox stop --dir /tmp/zk"""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"{TOOL}: error: USAGE: {message} (hint: see '{self.prog} --help')", file=sys.stderr)
        sys.exit(2)


def _on_off(text):
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither on nor off")
    return text == "on"


def _pair(text):
    if "=" not in text.lstrip("="):
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return text


def _port(text):
    if not text.isdigit() or not 1024 <= int(text) <= 65000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 1024 to 65000")
    return int(text)


def _add_start(sub):
    parser = sub("start", commands.start, "start all servers and wait until they serve; data that is there is reused",
                 "gk-sandbox start --dir /tmp/zk --servers 3 --observers 1 --tls on --set tickTime=1000 --jvm -Xmx1g")
    add = parser.add_argument
    add("--servers", type=int, metavar="N", help="voting servers (3)")
    add("--observers", type=int, metavar="M", help="observers (0)")
    add("--plugin", type=_on_off, metavar="on|off", help="with Groupkeeper, or stock (on)")
    add("--tls", type=_on_off, metavar="on|off", help="TLS between servers, and a secure port for clients (off)")
    add("--base-port", type=_port, metavar="P", help="client ports P+i, secure P+100+i, quorum P+200+i, election P+300+i, admin P+400+i")
    add("--zk-version", metavar="V", help=f"ZooKeeper's version ({DEFAULT_ZK_VERSION}); fetched when missing")
    add("--factory", choices=("netty", "nio"), help="connection factory without the plugin (netty)")
    add("--set", action="append", type=_pair, metavar="KEY=VALUE", help="a line of zoo.cfg; may be repeated")
    add("--jvm", action="append", metavar="OPTION", help="a JVM option instead of -Xmx512m; may be repeated")
    add("--classpath-add", action="append", metavar="PATH", type=os.path.abspath, help="one more jar or folder; may be repeated")
    add("--netns", action="store_true", default=None, help="each server in a network namespace of its own (root)")


def _parser():
    parser = Parser(prog=TOOL, description=ABOUT, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"{TOOL} {VERSION}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)

    def sub(name, function, text, example, json=False, server=False):
        made = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=f"example:\n  {example}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
        made.set_defaults(function=function)
        made.add_argument("--version", action="version", version=f"{TOOL} {VERSION}")
        made.add_argument("--dir", required=True, metavar="D", help="the sandbox's folder")
        if json:
            made.add_argument("--json", action="store_true", help="one JSON document")
        if server:
            made.add_argument("server", type=int, metavar="I", help="the server's number")
        return made

    _add_start(sub)
    sub("status", commands.status, "show every server's state and mode", "gk-sandbox status --dir /tmp/zk --json", json=True)
    sub("stop", commands.stop, "end all servers and remove their namespaces; data stays", "gk-sandbox stop --dir /tmp/zk", json=True)
    sub("heal", commands.heal, "undo all partitions", "gk-sandbox heal --dir /tmp/zk", json=True)
    sub("env", commands.env, "print what another program needs to start a server with the plugin",
        "eval \"$(gk-sandbox env --dir /tmp/zk)\"; echo $GK_JAR", json=True)
    sub("kill", commands.kill, "end a server with SIGKILL", "gk-sandbox kill --dir /tmp/zk 1", server=True)
    sub("pause", commands.pause, "stop a server with SIGSTOP", "gk-sandbox pause --dir /tmp/zk 1", server=True)
    sub("resume", commands.resume, "let a paused server go on", "gk-sandbox resume --dir /tmp/zk 1", server=True)
    sub("partition", commands.partition, "cut a server off from the others, not from its clients (needs --netns)",
        "gk-sandbox partition --dir /tmp/zk 1", server=True)
    follow = sub("logs", commands.logs, "print a server's log", "gk-sandbox logs --dir /tmp/zk 1 | grep ERROR", server=True)
    follow.add_argument("--follow", action="store_true", help="go on printing what is added")
    again = sub("restart", commands.restart, "start a server again, whether it runs or was killed",
                "gk-sandbox restart --dir /tmp/zk 1 --plugin off", server=True)
    again.add_argument("--plugin", type=_on_off, metavar="on|off", help="with Groupkeeper, or stock (as before)")
    return parser


def _join_jvm(argv):
    """A JVM option starts with a dash, which argparse would take for an option of ours."""
    joined = []
    words = iter(argv)
    for word in words:
        value = next(words, None) if word == "--jvm" else None
        joined.append(word if value is None else f"--jvm={value}")
    return joined


def main(argv):
    args = _parser().parse_args(_join_jvm(argv))
    try:
        args.function(args)
        return 0
    except SandboxError as error:
        print(error, file=sys.stderr)
        return error.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(SandboxError("INTERRUPTED", "interrupted", "gk-sandbox status shows what runs"), file=sys.stderr)
        return 1
    except OSError as error:
        print(SandboxError("SYSTEM", str(error), "is the folder writable, and the disk not full?"), file=sys.stderr)
        return 1
