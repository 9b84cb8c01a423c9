"""Clients that create sequential nodes without pause while servers die, and the reckoning afterwards."""
import itertools
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

PAUSE = 0.012
# With the session, not the transaction, in doubt: the write may have happened or not. Kazoo says so by one of these.
IN_DOUBT = (KazooException, KazooTimeoutError, OSError)


def client(connect, tls):
    return KazooClient(hosts=connect, timeout=10, use_ssl=True, ca=f"{tls}/ca.pem", certfile=f"{tls}/client.pem", keyfile=f"{tls}/client.key",
                       randomize_hosts=True)


class Writer(threading.Thread):
    """One client. `done` maps what was acknowledged to its path, `doubt` holds what was cut off."""

    def __init__(self, connect, tls, prefix, name):
        super().__init__(daemon=True)
        self.zk, self.prefix, self.name_ = client(connect, tls), prefix, name
        self.done, self.doubt, self.times = {}, [], []
        self.ending = threading.Event()

    def run(self):
        self.zk.start(timeout=30)
        for number in itertools.count():
            if self.ending.is_set():
                break
            order = f"{self.name_}/{number}"
            try:
                self.done[order] = self.zk.create(self.prefix, order.encode(), sequence=True)
                self.times.append(time.monotonic())
            except IN_DOUBT:
                self.doubt.append(order)
                self._wait_for_session()
            time.sleep(PAUSE)
        self.zk.stop()
        self.zk.close()

    def _wait_for_session(self):
        while not self.zk.connected and not self.ending.is_set():
            time.sleep(0.02)


class Orders:
    """Several writers on one parent."""

    def __init__(self, connect, tls, parent, prefix, writers):
        self.parent, self.prefix = parent, prefix
        self.writers = [Writer(connect, tls, f"{parent}/{prefix}", f"writer-{i}") for i in range(writers)]

    def begin(self):
        for writer in self.writers:
            writer.start()

    def end(self):
        for writer in self.writers:
            writer.ending.set()
        for writer in self.writers:
            writer.join(60)

    def acknowledged(self):
        return sum(len(writer.done) for writer in self.writers)

    def pause_seconds(self):
        """The longest time in which no writer got an answer."""
        times = sorted(itertools.chain.from_iterable(writer.times for writer in self.writers))
        return max((after - before for before, after in zip(times, times[1:])), default=0.0)

    def reckon(self, zk):
        """Reads everything back through another client. Returns counts by name; all but `kept` and `in_doubt_written` must be 0."""
        zk.sync(self.parent)
        children = sorted(zk.get_children(self.parent))
        numbers = [int(name[len(self.prefix):]) for name in children if name.startswith(self.prefix)]
        held = {}
        reads = [(name, zk.get_async(f"{self.parent}/{name}")) for name in children]
        for name, read in reads:
            held.setdefault(read.get(timeout=60)[0].decode(), []).append(f"{self.parent}/{name}")
        acknowledged = {order: path for writer in self.writers for order, path in writer.done.items()}
        doubted = {order for writer in self.writers for order in writer.doubt}
        return {
            "kept": sum(held.get(order) == [path] for order, path in acknowledged.items()),
            "lost": sum(path not in held.get(order, []) for order, path in acknowledged.items()),
            "twice": sum(len(paths) > 1 for paths in held.values()),
            "unknown": len(set(held) - set(acknowledged) - doubted),
            "in_doubt_written": sum(order in held for order in doubted),
            "gaps": sum(number != place for place, number in enumerate(numbers)) + len(children) - len(numbers),
            "nodes": len(children),
        }
