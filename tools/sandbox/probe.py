"""Is a server serving? Asked as a client would: the four-letter word `srvr`, and a real session."""
import re
import socket
import ssl
import struct
import time

from . import SandboxError

OPENING, CLOSE_SESSION = 0, -11


def srvr(server, timeout=1.0):
    """The server's mode (leader, follower, observer, standalone, read-only), or None when it doesn't serve."""
    try:
        with socket.create_connection((server.host, server.port("client")), timeout) as sock:
            sock.sendall(b"srvr")
            answer = b""
            while chunk := sock.recv(4096):
                answer += chunk
    except OSError:
        return None
    found = re.search(rb"^Mode: (\S+)", answer, re.M)
    return found[1].decode() if found else None


def _frame(sock):
    def take(count):
        data = b""
        while len(data) < count:
            chunk = sock.recv(count - len(data))
            if not chunk:
                raise ConnectionError("closed")
            data += chunk
        return data
    return take(struct.unpack(">i", take(4))[0])


def handshake(server, timeout=3.0):
    """Opens a session and closes it again; True when both worked. Over TLS where the ensemble has it."""
    tls = server.ensemble.options.tls
    body = struct.pack(">iqiqi", 0, 0, 10000, 0, 16) + bytes(17)
    try:
        with socket.create_connection((server.host, server.port("secure" if tls else "client")), timeout) as sock:
            if tls:
                folder = server.ensemble.dir / "tls"
                context = ssl.create_default_context(cafile=folder / "ca.pem")
                context.load_cert_chain(folder / "client.pem", folder / "client.key")
                sock = context.wrap_socket(sock, server_hostname=server.host)
            sock.sendall(struct.pack(">i", len(body)) + body)
            if struct.unpack(">iiq", _frame(sock)[:16])[2] == 0:
                return False
            sock.sendall(struct.pack(">iii", 8, 1, CLOSE_SESSION))
            _frame(sock)
            return True
    except (OSError, struct.error):
        return False


def serving(server):
    """The mode once sessions work, too: a server with the plugin may answer `srvr` before it lets a client in."""
    mode = srvr(server)
    return mode if mode and (not server.plugin or handshake(server)) else None


def reason(server, begin):
    """Why a server went down: its own last word in the log since this start."""
    with open(server.log, "rb") as handle:
        handle.seek(begin)
        lines = handle.read().decode(errors="replace").splitlines()
    own = [line for line in lines if re.match(r"groupkeeper: error: ", line) or re.search(r" ERROR .*groupkeeper: ", line)]
    if own:
        return own[-1].strip()
    errors = [i for i, line in enumerate(lines) if re.search(r"\bERROR\b", line) and "Exiting JVM" not in line]
    if errors:
        tail = lines[errors[-1]:]
        causes = [line.strip() for line in tail[1:] if re.match(r"(Caused by: |[\w.$]+(Exception|Error)\b)", line)]
        return " / ".join([tail[0].strip()] + causes[:1] + causes[-1:] * (len(causes) > 1))
    rest = [line.strip() for line in lines if line.strip()] or ["it wrote nothing"]
    if any("Could not create the Java Virtual Machine" in line for line in rest):
        return next(line for line in rest if not line.startswith("Picked up"))
    return next((line for line in reversed(rest) if re.search(r"Exception in thread|Error: ", line)), rest[-1])


def wait(starts, seconds=60.0):
    """Waits until every started server serves. `starts` is a list of (server, process, begin of its log)."""
    deadline = time.monotonic() + seconds
    pending = list(starts)
    modes = {}
    while pending:
        for item in list(pending):
            server, process, begin = item
            mode = serving(server)
            if mode:
                modes[server.id] = mode
                pending.remove(item)
            elif process.poll() is not None:
                raise SandboxError("DIED", f"server {server.id} ended: {reason(server, begin)}", f"the log is {server.log}")
        if pending and time.monotonic() > deadline:
            server, _, begin = pending[0]
            raise SandboxError("NOTSERVING", f"server {server.id} does not serve after {seconds:.0f} s: {reason(server, begin)}",
                               f"the log is {server.log}")
        time.sleep(0.1 if pending else 0)
    return modes
