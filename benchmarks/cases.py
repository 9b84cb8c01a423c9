"""Which combinations are measured. Not every one: payload, depth and path depth are varied one at a time around 1 KiB, 16 and 2."""
from dataclasses import dataclass

CONFIGURATIONS = ("nio", "netty", "tuned", "encrypted")
LABELS = {"nio": "stock NIO (default)", "netty": "stock Netty", "tuned": "stock Netty, our tuning", "encrypted": "encrypted"}
LISTING = "list 10000 d1"


@dataclass(frozen=True)
class Case:
    """Phases of the load generator; each with a name is measured under that name."""
    phases: tuple

    def names(self):
        return [name for name, _ in self.phases if name]


def one(op, name, **options):
    return Case(((name, " ".join([op, *(f"{k.replace('_', '-')}={v}" for k, v in options.items())])),))


def pair(name, payload, depth, more=""):
    """Nodes are made, then deleted: both are measured; a delete has as many as were made."""
    size = "1k" if payload == 1024 else payload
    return Case(((f"create {size} {name}", f"create payload={payload} depth={depth}{more}"), (f"delete {name}" if payload == 1024 else "", f"delete depth={depth}{more}")))


def size(n):
    return {1024: "1k", 2560: "2.5k", 16384: "16k"}.get(n, str(n))


def get(payload, depth, path=2):
    return one("get", f"get {size(payload)} d{depth}" + ("" if path == 2 else f" path {path}"), payload=payload, depth=depth, path=path)


def set_(payload, depth, path=2):
    return one("set", f"set {size(payload)} d{depth}" + ("" if path == 2 else f" path {path}"), payload=payload, depth=depth, path=path)


def mixed(reads, depth):
    return one("mixed", f"{'9:1' if reads == 90 else '1:1'} 1k d{depth}", reads=reads, payload=1024, depth=depth)


# The mixes by which stock's own configurations are usually compared.
CORE = (get(1024, 1), get(128, 16), get(1024, 16), get(1024, 64), set_(1024, 1), set_(1024, 16), set_(1024, 64), mixed(90, 16), mixed(50, 16),
        pair("d16", 1024, 16))
MORE = (get(0, 16), get(2560, 16), get(16384, 16), get(1024, 16, 8), set_(128, 16), set_(2560, 16), set_(16384, 16), set_(1024, 16, 8), mixed(90, 1),
        pair("d1", 1024, 1), pair("d64", 128, 64), Case((("sequential 128 d16", "sequential payload=128 depth=16"), ("", "delete depth=16"))),
        one("ephemeral", "ephemeral 128 d16", payload=128, depth=16), one("exists", "exists d1", payload=128, depth=1),
        one("exists", "exists d16", payload=128, depth=16), one("list", "list 100 d16", children=100, depth=16), one("list", LISTING, children=10000, depth=1))
ENSEMBLE = (get(1024, 1), get(1024, 16), get(1024, 64), set_(1024, 1), set_(1024, 16), set_(1024, 64), mixed(90, 16), mixed(50, 16), pair("d16", 1024, 16))
QUICK = (get(1024, 1), get(1024, 16), set_(1024, 1), set_(1024, 16), mixed(90, 16), pair("d16", 1024, 16), one("list", LISTING, children=10000, depth=1))
FEW = (get(1024, 1), get(1024, 16), set_(1024, 16), mixed(90, 16))

ZPP_PAYLOADS = (0, 512, 1024, 1536, 2048, 2560)
ZPP_MODES = {"sync": 1, "async": 64}


def zpp(payloads):
    """ZPP's figures 4 to 7: create and delete, getData and setData, synchronous and asynchronous."""
    cases = []
    for mode, depth in ZPP_MODES.items():
        for n in payloads:
            cases += [Case(((f"create {n} {mode}", f"create payload={n} depth={depth}"), (f"delete {n} {mode}", f"delete depth={depth}"))),
                      one("get", f"getData {n} {mode}", payload=n, depth=depth), one("set", f"setData {n} {mode}", payload=n, depth=depth)]
    return tuple(cases)


@dataclass(frozen=True)
class Part:
    """One set of servers, and what is measured on it."""
    title: str
    servers: int
    tls: bool
    cases: tuple
    launches: int
    repetitions: int = 1
    seconds: float = 0.6 # for each figure
    warm_up: float = 40  # for each configuration, at most
    configurations: tuple = CONFIGURATIONS
    connections: int = 8


FULL = {
    "standalone": Part("1 server", 1, False, CORE + MORE, 10),
    "standalone-tls": Part("1 server, TLS", 1, True, CORE + (one("list", LISTING, children=10000, depth=1),), 8),
    "ensemble": Part("3 servers", 3, False, ENSEMBLE, 8),
    "ensemble-tls": Part("3 servers, TLS for clients and between servers", 3, True, ENSEMBLE, 8),
    "zpp": Part("ZPP's figures, 3 servers", 3, False, zpp(ZPP_PAYLOADS), 5, 3, 0.2),
}
QUICK_PARTS = {
    "standalone": Part("1 server", 1, False, QUICK, 2, seconds=0.4, warm_up=3),
    "standalone-tls": Part("1 server, TLS", 1, True, FEW, 1, seconds=0.4, warm_up=3),
    "ensemble": Part("3 servers", 3, False, FEW, 1, seconds=0.4, warm_up=3),
    "zpp": Part("ZPP's figures, 3 servers", 3, False, zpp((0, 2560)), 1, 1, 0.15, 3),
}
