"""The demo, chapter by chapter. Each states promises; one that breaks makes the demo fail."""
import time

from kazoo.client import KazooClient

from .orders import Orders, client
from .search import search
from .show import Show
from .stage import Stage, StageError

WRITERS = 3
FAILOVER_SECONDS = 20
STOCK = "stock servers encrypt nothing"


def brief(text, width=60):
    return text if len(text) <= width else f"{text[:width - 20]}... ({len(text)} characters)"


class Demo:
    """One run: `show` has the promises, `figures` the numbers."""

    def __init__(self, folder, plugin, quiet=False):
        self.show = Show(quiet)
        self.stage = Stage(folder, plugin)
        self.plugin = plugin
        self.excuse = "" if plugin else STOCK
        self.figures = {}
        self.begin = time.monotonic()

    def play(self):
        what = ("One jar and two lines of zoo.cfg, and everything that ZooKeeper stores is encrypted: names, data, queue items, locks. "
                "Servers and clients stay as they are. Watch." if self.plugin else
                "This run is WITHOUT the plugin: stock servers, to compare with. What should be secret lies open.")
        self.show.title("Groupkeeper", what)
        self.servers()
        self.clients()
        self.two_views()
        self.disks()
        self.leader_dies()
        self.summary()
        return self.figures

    # ---- 1 ----

    def servers(self):
        show, stage = self.show, self.stage
        show.chapter("Three servers", "Unmodified ZooKeeper 3.9.5, TLS between them and to their clients.")
        begin = time.monotonic()
        stage.start()
        entries = stage.servers()
        for entry in entries:
            show.row(f"server {entry['id']}", f"{entry['mode']:<9} clients over TLS at {entry['secure']}")
        lines = [line for line in (stage.folders[0] / "zoo.cfg").read_text().splitlines() if line.startswith(("serverCnxnF", "zookeeper.groupkeeper."))]
        show.line("What is in zoo.cfg for it:" if self.plugin else "No plugin in zoo.cfg:")
        for line in lines:
            show.line("  " + line)
        show.promise(sorted(e["mode"] for e in entries) == ["follower", "follower", "leader"], "three servers, one leader")
        self.figures |= {"servers": 3, "start_seconds": round(time.monotonic() - begin, 1)}

    # ---- 2 ----

    def clients(self):
        show, stage = self.show, self.stage
        show.chapter("Stock clients", "Programs as they are in use today, over TLS, not one line changed. They must notice nothing.")
        node = f"{stage.root}/{stage.names['node']}"
        stage.zkcli("create", stage.root, "")
        show.command(f"zkCli.sh create {node} '{stage.data}'")
        stage.zkcli("create", node, stage.data)
        show.command(f"zkCli.sh get {node}")
        lines = stage.zkcli("get", node)
        for line in lines:
            show.line("  " + line)
        show.promise(stage.data in lines, "zkCli reads back what it wrote")
        kazoo = stage.kazoo()
        show.promise(True, f"kazoo (Python): {kazoo['orders']} sequential nodes up to {kazoo['last'][-10:]}, a watch, a transaction")
        lock = stage.curator()
        show.promise(lock["counter"] == lock["clients"] * lock["rounds"],
                     f"Curator lock (Java): {lock['clients']} clients counted to {lock['counter']}, never two at once")
        native = stage.c_client()
        show.promise(True, f"C client: {native['requests']} requests, its sequential node got number {native['sequence'][-10:]}")
        self.figures |= {"kazoo_orders": kazoo["orders"], "lock_rounds": lock["counter"], "c_requests": native["requests"]}

    # ---- 3 ----

    def two_views(self):
        show, stage = self.show, self.stage
        show.chapter("One node, seen twice", "The same transaction: as a client sees it, and as the disk of server 1 holds it "
                     "(read by ZooKeeper's own SnapshotFormatter).")
        path = f"{stage.root}/{stage.names['node']}"
        zk = client(stage.connect(), stage.tls)
        zk.start(timeout=20)
        data, stat = zk.get(path)
        zk.stop()
        zk.close()
        disk_path, disk_data, snapshot = stage.on_disk(stat.czxid)
        show.row("client", f"path  {path}")
        show.row("", f"data  {data.decode()}")
        show.row("disk", f"path  {brief(disk_path)}")
        show.row("", f"data  {brief(disk_data.hex())}")
        show.row("", f"in {snapshot.name}, transaction 0x{stat.czxid:x} in both")
        show.promise(disk_path != path and stage.names["node"] not in disk_path, "the name on disk is not the name", self.excuse)
        show.promise(data not in disk_data and disk_data != data, "the data on disk is not the data", self.excuse)
        show.promise(stat.dataLength == len(data) == len(stage.data), f"yet the client is told its own length: {stat.dataLength} bytes")

    # ---- 4 ----

    def disks(self):
        show, stage = self.show, self.stage
        show.chapter("Searching the disks", "Four secrets were planted: a folder, a node's name, a queue's prefix, a payload. Searched are "
                     "all files of all servers, for each secret raw, in hex, in UTF-16 and in base64.")
        self.search("disks", snapshots=True)
        control = self.control()
        show.promise(control.total > 0, f"and the search works: a stock server beside them, with the same node, shows it {control.total} times")
        self.figures["control_found"] = control.total

    def search(self, name, snapshots=False):
        show, result = self.show, search(self.stage.folders, self.stage.secrets)
        show.row("searched", f"{result.files} files, {result.bytes / 1e6:.1f} MB: {result.snapshots} snapshots, {result.logs} transaction logs, "
                 f"{result.text_logs} server logs")
        show.row("found", ", ".join(f"{result.found.get(form, 0)} {form}" for form in ("raw", "hex", "UTF-16", "base64")))
        for secret, path in result.where.items():
            show.row("", f"'{secret}' in {path.relative_to(self.stage.dir)}")
        show.promise(result.total == 0, "no secret lies on any disk", self.excuse)
        if snapshots:
            show.promise(result.snapshots >= 3 and result.logs >= 3, "snapshots and transaction logs of all three servers were among it")
        self.figures |= {f"{name}_found": result.total, f"{name}_bytes": result.bytes, f"{name}_files": result.files}

    def control(self):
        stage = self.stage
        zk = KazooClient(hosts=stage.control_connect())
        zk.start(timeout=20)
        zk.create(f"/{stage.names['node']}", stage.data.encode())
        zk.stop()
        zk.close()
        return search([stage.control_dir / "server-1"], stage.secrets)

    # ---- 5 ----

    def leader_dies(self):
        show, stage = self.show, self.stage
        old = next(s["id"] for s in stage.servers() if s["mode"] == "leader")
        show.chapter("The leader dies", f"{WRITERS} clients create sequential nodes without pause. In the middle of it server {old}, "
                     "the leader, gets SIGKILL.")
        parent = f"{stage.root}/orders"
        reader = client(stage.connect(*({1, 2, 3} - {old})), stage.tls)
        reader.start(timeout=20)
        reader.ensure_path(parent)
        orders = Orders(stage.connect(), stage.tls, parent, stage.names["order"], WRITERS)
        orders.begin()
        time.sleep(4)
        before = orders.acknowledged()
        stage.sandbox("kill", old)
        killed = time.monotonic()
        show.row("before", f"{before} nodes acknowledged, then: kill -9 server {old}")
        new = self.next_leader(old)
        took = time.monotonic() - killed
        show.row("after", f"server {new} leads, {took:.1f} s later")
        time.sleep(3)
        show.promise(self.going_on(orders), "the same clients go on through the new leader")
        stage.sandbox("restart", old)
        show.row("then", f"server {old} is started again on the disk it left, and catches up")
        time.sleep(2)
        orders.end()
        self.reckoning(orders, before, old)
        reader.stop()
        reader.close()
        self.figures |= {"failover_seconds": round(took, 1), "orders_before_kill": before}

    def next_leader(self, old):
        deadline = time.monotonic() + FAILOVER_SECONDS
        while time.monotonic() < deadline:
            leaders = [s["id"] for s in self.stage.servers() if s["mode"] == "leader" and s["id"] != old]
            if leaders:
                return leaders[0]
            time.sleep(0.1)
        raise StageError(f"no new leader within {FAILOVER_SECONDS} s")

    @staticmethod
    def going_on(orders):
        count, deadline = orders.acknowledged(), time.monotonic() + FAILOVER_SECONDS
        while orders.acknowledged() <= count and time.monotonic() < deadline:
            time.sleep(0.1)
        return orders.acknowledged() > count

    def reckoning(self, orders, before, old):
        """Everything is read through the server that was dead: what it tells is what it caught up with."""
        show, stage = self.show, self.stage
        zk = client(stage.connect(old), stage.tls)
        zk.start(timeout=20)
        counts = orders.reckon(zk)
        data, _ = zk.get(f"{stage.root}/{stage.names['node']}")
        zk.stop()
        zk.close()
        total = orders.acknowledged()
        show.row("reckoning", f"read through server {old}: {total} acknowledged, {before} of them before the kill; "
                 f"the longest pause was {orders.pause_seconds():.1f} s")
        show.promise(counts["lost"] == 0 and counts["kept"] == total, f"nothing lost: all {total} are there, each with its own data")
        show.promise(counts["gaps"] == 0, f"sequence numbers continue: 0 to {counts['nodes'] - 1}, no gap, no repetition")
        show.promise(counts["twice"] == counts["unknown"] == 0, f"nothing twice, nothing invented (the kill cut off {counts['in_doubt_written']} "
                     "more that were written unanswered)")
        show.promise(data.decode() == stage.data, "what zkCli wrote in the beginning is read as it was")
        self.figures |= {"orders": total, **{f"orders_{k}": v for k, v in counts.items()}, "pause_seconds": round(orders.pause_seconds(), 2)}

    # ---- 6 ----

    def summary(self):
        show, f = self.show, self.figures
        show.chapter("What you saw", "The disks once more, after crash and recovery; then the figures.")
        self.search("disks_after")
        elapsed = time.monotonic() - self.begin
        f |= {"seconds": round(elapsed, 1), "promises_kept": len(show.kept), "promises_broken": len(show.broken), "plugin": self.plugin}
        show.row("servers", f"3, up in {f['start_seconds']} s, over TLS, plugin {'on' if self.plugin else 'off'}")
        show.row("clients", f"zkCli; kazoo with {f['kazoo_orders']} nodes; Curator with {f['lock_rounds']} locked rounds; "
                 f"the C client with {f['c_requests']} requests")
        show.row("secrets", f"{f['disks_found'] + f['disks_after_found']} found in {(f['disks_bytes'] + f['disks_after_bytes']) / 1e6:.1f} MB of disk")
        show.row("failover", f"{f['failover_seconds']} s to a new leader, {f['pause_seconds']} s without an answer, "
                 f"{f['orders_lost']} of {f['orders']} lost")
        show.row("promises", f"{len(show.kept)} kept, {len(show.broken)} broken" + (f", {len(show.excused)} not made without the plugin" * bool(show.excused)))
        show.row("time", f"{elapsed:.0f} s")
        for text in show.broken:
            show.line(show.style("red", f"BROKEN: {text}"))
        if self.stage.dir.parent.name.startswith("gk-demo-"):
            show.line("(The servers and their files are removed now; --keep DIR leaves them.)")


