"""Server processes. Every signal goes to one pid, after a look whether that pid is still this server."""
import os
import signal
import subprocess
import time

from . import SandboxError
from .runtime import server_command


def _cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as handle:
            return handle.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def pid_of(server):
    """The pid of a living server, or None. A pid that went to another program, or a zombie, doesn't count."""
    try:
        pid = int(server.pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if str(server.cfg) in _cmdline(pid) else None


def _state(pid):
    """The kernel's letter for the process, or "" when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            return handle.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return ""


def is_paused(pid):
    return _state(pid) == "T"


def is_gone(pid):
    """True once the process holds no port any more. Its command line vanishes before its sockets do, and its first thread may be a
    zombie before the others have ended."""
    try:
        return _state(pid) in ("", "Z", "X") and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True


def signal_server(server, number):
    """Returns the pid that got the signal, or None when the server doesn't run."""
    pid = pid_of(server)
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
    return pid


def launch(server):
    """Starts the server in a session of its own. Returns the process and the place in the log where this run begins."""
    server.log.parent.mkdir(parents=True, exist_ok=True)
    with open(server.log, "ab") as log:
        begin = log.tell()
        try:
            process = subprocess.Popen(server_command(server), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=server.dir,
                                       start_new_session=True)
        except OSError as error:
            raise SandboxError("LAUNCH", f"server {server.id} can't be started: {error}", "run 'make deps'") from error
    server.pid_file.write_text(f"{process.pid}\n")
    return process, begin


def end(servers, grace=10.0):
    """SIGTERM, then SIGKILL after the grace. Returns the ids of those that ran."""
    waiting = {}
    for server in servers:
        pid = signal_server(server, signal.SIGTERM)
        if pid is not None:
            waiting[server] = pid
            signal_server(server, signal.SIGCONT)
    ended = sorted(server.id for server in waiting)
    deadline = time.monotonic() + grace
    killed = False
    while waiting:
        waiting = {server: pid for server, pid in waiting.items() if not is_gone(pid)}
        if waiting and not killed and time.monotonic() > deadline:
            killed = True
            for server in waiting:
                signal_server(server, signal.SIGKILL)
        if waiting and time.monotonic() > deadline + grace:
            raise SandboxError("UNKILLABLE", f"pid {sorted(waiting.values())} did not go away", "look at it with ps")
        time.sleep(0.05 if waiting else 0)
    for server in servers:
        server.pid_file.unlink(missing_ok=True)
    return ended
