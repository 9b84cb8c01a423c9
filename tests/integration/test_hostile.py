"""Clients that mean harm, or are broken: ten thousand that send half a packet and stay, slow readers, clients that ask without reading, and bytes
that are no requests. What they cost is bounded, ZooKeeper's own throttling acts, others are served, and no log shows what they sent.
GK_MEASURE=1 runs the same on stock, too, and prints the table of docs/OPERATIONS.md."""
import os
import random
import re
import resource
import secrets
import socket
import struct
import subprocess
import threading
import time
import unittest

import gktest
from gkleak import Search
from gkraw import OPEN, Closed, Raw, jute, metrics, proto
from gktest import Sandbox

CONNECTIONS = 10000
HEAP = "256m"
MEASURE = "GK_MEASURE" in os.environ
SEED = int(os.environ.get("GK_SEED", time.time_ns() % 1000000))
HELLO = proto.connect_request(0, 60000, 0, bytes(16), 0)


def many_files():
    """Each connection is a file here and one in the server, which inherits the limit."""
    wanted, (_, hard) = CONNECTIONS + 2000, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))


def connect(address, number):
    """From one of several addresses of this machine, so that ports don't run short."""
    host, port = address.split(":")
    sock = socket.socket()
    sock.bind((f"127.0.0.{2 + number // 4000}", 0))
    sock.settimeout(30)
    sock.connect((host, int(port)))
    return sock


class Server:
    """A standalone server in a sandbox, and what it costs."""

    def __init__(self, test, plugin, *args):
        self.sandbox = Sandbox(test)
        self.address = self.sandbox.start("--servers", 1, "--plugin", plugin, "--jvm", f"-Xmx{HEAP}", "--jvm", f"-Xms{HEAP}", *args)
        self.pid = self.sandbox.server(1)["pid"]

    def alive(self):
        return self.sandbox.server(1)["pid"] == self.pid

    def cost(self):
        """MiB: the heap after a collection, the whole process."""
        heap = subprocess.run(["jcmd", str(self.pid), "GC.run"], capture_output=True, check=True)
        heap = subprocess.run(["jcmd", str(self.pid), "GC.heap_info"], capture_output=True, text=True, check=True).stdout
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            rss = int(re.search(r"VmRSS:\s*(\d+)", status.read())[1])
        return int(re.search(r"used (\d+)K", heap)[1]) / 1024, rss / 1024


class Others(threading.Thread):
    """A client that means no harm, at work all the time."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.zk, self.stop, self.times, self.error = Raw(address, timeout=60000, patience=60), threading.Event(), [], None

    def run(self):
        try:
            path = self.zk.create("/others-", b"", 3)
            while not self.stop.is_set():
                begin = time.monotonic()
                value = os.urandom(20)
                self.zk.set(path, value)
                if self.zk.get(path)[0] != value:
                    raise AssertionError("another value")
                self.times.append(time.monotonic() - begin)
                time.sleep(0.01)
        except Exception as error:  # noqa: BLE001 (shown by the test)
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        self.join(60)
        self.zk.drop()
        if kind is None and (self.error or len(self.times) < 3):
            raise AssertionError(f"an honest client was not served: {self.error!r}, {len(self.times)} answers")


class HalfPackets(unittest.TestCase):
    def run_on(self, plugin, claimed, sent, count):
        """(before, with them, after) of Server.cost(), and the slowest answer to an honest client. A third each: half a handshake; a session and
        half a request; half the four bytes of a length. claimed: the request's length; sent: how much of it is."""
        server = Server(self, plugin)
        Raw(server.address).close()
        before, connections = server.cost(), []
        half = struct.pack(">iii", claimed, 1, 1) + os.urandom(sent)
        with Others(server.address) as others:
            for number in range(count):
                connections.append(connect(server.address, number))
                connections[-1].sendall((HELLO[:20], HELLO + half, HELLO[:2])[number % 3])
            for sock in connections[1::3]:
                sock.recv(64)
            time.sleep(1)
            cost = server.cost()
            alive = sum(self.stays(sock) for sock in connections)
            self.assertEqual(alive, count, "connections that were closed")
        for sock in connections:
            sock.close()
        deadline = time.monotonic() + 30
        while metrics(server.address)["zk_num_alive_connections"] > 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        after = server.cost()
        self.assertTrue(server.alive())
        return before, cost, after, max(others.times)

    @staticmethod
    def stays(sock):
        sock.setblocking(False)
        try:
            return sock.recv(64) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def test_ten_thousand_that_stay(self):
        many_files()
        for plugin in ("off", "on") if MEASURE else ("on",):
            before, cost, after, slowest = self.run_on(plugin, 1000, 500, CONNECTIONS)
            each = [(cost[i] - before[i]) * 1024 / CONNECTIONS for i in (0, 1)]
            print(f"plugin {plugin}: {CONNECTIONS} half packets: heap {before[0]:.0f}, {cost[0]:.0f}, {after[0]:.0f} MiB; RSS {before[1]:.0f}, {cost[1]:.0f}, "
                  f"{after[1]:.0f} MiB; {each[0]:.1f} and {each[1]:.1f} KiB each; slowest honest answer {slowest * 1000:.0f} ms ... ", end="", flush=True)
            self.assertLess(each[0], 8, "KiB of heap for a connection")
            self.assertLess(each[1], 16, "KiB of memory for a connection")

    def test_claims_cost_nothing(self):
        """A length of a megabyte and a few bytes of it: stock allocates what is claimed, the plugin holds what came."""
        many_files()
        before, cost, _, _ = self.run_on("on", 1000000, 200, 1500)
        self.assertLess(cost[0] - before[0], 32, "MiB of heap for 500 MB that were claimed")
        self.assertLess(cost[1] - before[1], 96, "MiB in all")


class SlowReaders(unittest.TestCase):
    CLIENTS, ASKED, SIZE = 20, 200, 200000  # 800 MB of answers, three times the heap

    def run_on(self, plugin):
        server = Server(self, plugin)
        with Raw(server.address) as zk:
            zk.create("/large", os.urandom(self.SIZE))
        before, greedy, peak = server.cost(), [], 0
        with Others(server.address) as others:
            for _ in range(self.CLIENTS):
                greedy.append(Raw(server.address, timeout=60000, patience=60))
            for _ in range(self.ASKED // 5):
                for zk in greedy:
                    try:
                        for _ in range(5):
                            zk.send("getData", "/large", 0)
                    except Closed:
                        pass
                time.sleep(0.02)
            time.sleep(1)
            cost = server.cost()
            peak = max(peak, cost[1])
            if plugin == "on":  # who reads in the end gets it all, right and in order
                for zk in greedy[:3]:
                    for expected in range(1, self.ASKED + 1):
                        answer = zk.reply()
                        self.assertEqual((answer.xid, answer.err, len(answer.values[0])), (expected, 0, self.SIZE))
        for zk in greedy:
            zk.drop()
        with Raw(server.address, patience=30) as zk:
            zk.create("/after")
        return before, cost, max(others.times), server.alive()

    def test_who_does_not_read_is_not_read_from(self):
        for plugin in ("off", "on") if MEASURE else ("on",):
            try:
                before, cost, slowest, alive = self.run_on(plugin)
            except (AssertionError, Closed, OSError, subprocess.CalledProcessError) as error:
                if plugin == "on":
                    raise
                print(f"plugin off: {self.CLIENTS} slow readers: {error} ... ", end="", flush=True)
                continue
            print(f"plugin {plugin}: {self.CLIENTS} slow readers: heap {before[0]:.0f}, {cost[0]:.0f} MiB; RSS {before[1]:.0f}, {cost[1]:.0f} MiB; slowest honest answer "
                  f"{slowest * 1000:.0f} ms ... ", end="", flush=True)
            if plugin == "on":
                self.assertTrue(alive)
                self.assertLess(cost[1] - before[1], 400, "MiB for 800 MB of answers that nobody reads")


class Throttling(unittest.TestCase):
    def pipelined(self, *args):
        """A server at which four clients have had 300 creates each, all sent at once, answered in order."""
        server = Server(self, "on", *args)
        clients = [Raw(server.address, patience=60) for _ in range(4)]
        for zk in clients:
            zk.sock.setblocking(True)
            zk.send_bytes(b"".join(jute.frame(struct.pack(">ii", xid, 1) + proto.encode("sdai", [f"/{zk.session:x}-{xid}", "x" * 100, OPEN, 0]))
                                   for xid in range(1, 301)))
        for zk in clients:
            zk.asked = [(xid, 1) for xid in range(1, 301)]
            for xid in range(1, 301):
                answer = zk.reply()
                self.assertEqual((answer.xid, answer.ok()), (xid, f"/{zk.session:x}-{xid}"))
            zk.close()
        return server

    def test_stocks_own_still_acts(self):
        """globalOutstandingLimit=5: connections with more than that are not read from, and each answer comes, in order."""
        server = self.pipelined("--jvm", "-Dzookeeper.globalOutstandingLimit=5", "--jvm", "-Dzookeeper.log.level=DEBUG")
        log = server.sandbox.run("logs", 1).stdout
        self.assertGreater(log.count("Throttling - disabling recv"), 3)
        self.assertGreater(log.count("Sending unthrottle event"), 3)

    def test_the_throttlers_thread(self):
        """Requests wake it only while it has something to throttle, or where the operator wants that; then it throttles as ever."""
        for option, works, waits in (((), False, False), (("--set", "groupkeeper.throttler-thread=true"), True, False),
                                     (("--jvm", "-Dzookeeper.request_throttle_max_requests=2"), True, True),
                                     (("--jvm", "-Dzookeeper.throttled_op_wait_time=100000"), True, False)):
            with self.subTest(option=option):
                server = self.pipelined(*option)
                threads = subprocess.run(["jcmd", str(server.pid), "Thread.print"], capture_output=True, text=True, check=True).stdout
                (cpu,) = re.findall(r'^"RequestThrottler".* cpu=([0-9.]+)ms', threads, re.M)
                self.assertEqual(float(cpu) > 3, works, f"{cpu} ms of CPU for 1,200 requests")
                self.assertEqual(int(metrics(server.address)["zk_request_throttle_wait_count"]) > 0, waits)

    def test_with_advanced_flow_control(self):
        """Then ZooKeeper asks for each read itself; no request may wait for ever. (Apache's NettyServerCnxnTest throttles from outside: `make conformance`.)"""
        server = Server(self, "on", "--jvm", "-Dzookeeper.globalOutstandingLimit=10", "--jvm", "-Dzookeeper.netty.advancedFlowControl.enabled=true")
        asked = [(xid, 4 if xid % 2 else 5) for xid in range(1, 4001)]  # getData of a large node, whose replies make windows small, and setData
        request = b"".join(jute.frame(struct.pack(">ii", xid, op) + (proto.encode("sb", ["/large", 0]) if op == 4 else proto.encode("sdi", ["/small", "x", -1])))
                           for xid, op in asked)
        with Raw(server.address) as zk:
            zk.create("/large", os.urandom(20000))
            zk.create("/small")
        clients = [Raw(server.address, patience=30) for _ in range(4)]
        for zk in clients:
            zk.sock.setblocking(True)
            zk.asked = list(asked)
            threading.Thread(target=zk.send_bytes, args=[request], daemon=True).start()
        for zk in clients:
            for xid, _ in asked:
                answer = zk.reply()
                self.assertEqual((answer.xid, answer.err), (xid, 0))
            zk.close()


class Bytes(unittest.TestCase):
    def hostile(self, rng, canary):
        """A request with a canary in it, changed at random; mostly no request any more."""
        path, data = f"/{canary}", canary * rng.choice((1, 3, 200))
        code, body = rng.choice((
            (1, proto.encode("sdai", [path, data, OPEN, rng.choice((0, 1, 2, 3, 9))])), (5, proto.encode("sdi", [path, data, -1])), (4, proto.encode("sb", [path, 0])),
            (3, proto.encode("sb", [path, 1])), (2, proto.encode("si", [path, -1])), (8, proto.encode("sb", [path, 0])), (9, proto.encode("s", [path])),
            (106, proto.encode("si", [path, rng.choice((0, 1, 7))])), (14, struct.pack(">ibi", rng.choice((1, 5, 99)), 0, -1) + proto.encode("sd", [path, data])),
            (rng.choice((-20, -10, 0, 13, 57, 99, 103, 105, 110, 1999)), canary.encode() * 3)))  # not auth and sasl, which pass as they are
        frame = bytearray(struct.pack(">ii", rng.randrange(1, 9), code) + body)
        for _ in range(rng.choice((0, 0, 1, 2, 8))):
            at = rng.randrange(len(frame))
            frame[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        cut = rng.choice((len(frame), len(frame), rng.randrange(len(frame))))
        length = rng.choice((cut, cut, cut, cut + 100, rng.choice((-1, 0, 1 << 20, 1 << 31 - 1))))
        return struct.pack(">i", length) + bytes(frame[:cut])

    def test_no_log_shows_them(self):
        """At TRACE, where stock's Netty connection dumps all that it gets."""
        rng, common = random.Random(SEED), f"c{secrets.token_hex(6)}"
        server = Server(self, "on", "--jvm", "-Dzookeeper.log.level=TRACE", "--jvm", "-XX:TieredStopAtLevel=1", "--jvm", "-Dzookeeper.globalOutstandingLimit=5")
        canaries = [f"{common}{number:06}" for number in range(1200)]
        for begin in range(0, len(canaries), 6):
            try:
                zk = Raw(server.address, patience=2, handshake=rng.random() < 0.9)
                for canary in canaries[begin:begin + 6]:
                    zk.send_bytes(self.hostile(rng, canary))
                    zk.sock.settimeout(0.005)
                    try:
                        zk.sock.recv(4096)
                    except TimeoutError:
                        pass
                if rng.random() < 0.5:
                    zk.closed_by_server(0.01)
                zk.drop()
            except (Closed, OSError):
                pass
        with Raw(server.address) as zk:
            zk.create("/after")
        server.sandbox.run("stop")
        files = Search(canaries).servers(server.sandbox.dir)
        self.assertEqual(sorted((form, places[0]) for (_, form), places in files.found.items()), [])
        self.assertIn("TRACE", server.sandbox.run("logs", 1).stdout)
        print(f"seed {SEED}: 0 of {len(canaries)} canaries in {files} ... ", end="")


if __name__ == "__main__":
    gktest.main("hostile")
