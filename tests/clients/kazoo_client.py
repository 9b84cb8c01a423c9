#!/usr/bin/env python3
"""Stock kazoo: a queue of sequential nodes, an ephemeral, a watch, a transaction. Knows nothing of Groupkeeper.

The last line on stdout is JSON: {"requests":..,"orders":..,"first":"..","last":"..","watch":"..","children":..}; exit 1 when anything came back
other than it was written.
"""
import argparse
import json
import sys
import threading

from kazoo.client import KazooClient


def connect(hosts, tls):
    options = {"use_ssl": True, "ca": f"{tls}/ca.pem", "certfile": f"{tls}/client.pem", "keyfile": f"{tls}/client.key"} if tls else {}
    zk = KazooClient(hosts=hosts, timeout=10, **options)
    zk.start(timeout=20)
    return zk


def check(condition, what):
    if not condition:
        sys.exit(f"kazoo_client: error: MISMATCH: {what} (hint: this is a bug)")


def queue(zk, parent, prefix, secret, count):
    """Sequential creates: names must count up from 0, and every order must hold what was put into it."""
    made = [zk.create(f"{parent}/{prefix}", f"{secret} #{i}".encode(), sequence=True) for i in range(count)]
    check(made == [f"{parent}/{prefix}{i:010d}" for i in range(count)], "sequence numbers do not count up")
    children = sorted(zk.get_children(parent))
    check(children == [path.rsplit("/", 1)[1] for path in made], "the list of children differs from what was created")
    for number in (0, count // 2, count - 1):
        data, stat = zk.get(made[number])
        check(data == f"{secret} #{number}".encode() and stat.dataLength == len(data), f"order {number} came back changed")
    return made


def watched_change(zk, path, secret):
    """A watch must name the path that the client knows, and fire once."""
    fired = threading.Event()
    events = []
    zk.create(path, b"before", ephemeral=True)
    zk.get(path, watch=lambda event: (events.append(event), fired.set()))
    zk.set(path, secret.encode())
    check(fired.wait(10) and events[0].path == path, "the watch did not fire with the node's path")
    return f"{events[0].type} {events[0].path}"


def transaction(zk, parent):
    batch = zk.transaction()
    batch.create(f"{parent}/from", b"90")
    batch.create(f"{parent}/to", b"10")
    batch.check(f"{parent}/from", 0)
    check(batch.commit()[:2] == [f"{parent}/from", f"{parent}/to"], "the transaction gave other results")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: kazoo_client.py --connect 127.0.0.1:2281 --tls D/tls /demo")
    parser.add_argument("--connect", required=True)
    parser.add_argument("--tls", help="a folder with ca.pem, client.pem, client.key")
    parser.add_argument("--count", type=int, default=300, help="orders to create")
    parser.add_argument("--secret", default="secret", help="what the nodes hold")
    parser.add_argument("--prefix", default="order-", help="what the sequential nodes are called")
    parser.add_argument("parent")
    args = parser.parse_args()
    zk = connect(args.connect, args.tls)
    queue_root = f"{args.parent}/queue"
    for path in (args.parent, queue_root):
        zk.ensure_path(path)
    made = queue(zk, queue_root, args.prefix, args.secret, args.count)
    event = watched_change(zk, f"{args.parent}/{args.secret}-presence", args.secret)
    transaction(zk, args.parent)
    children = len(zk.get_children(args.parent))
    zk.stop()
    zk.close()
    print(json.dumps({"requests": args.count + 12, "orders": len(made), "first": made[0], "last": made[-1], "watch": event, "children": children}))


if __name__ == "__main__":
    main()
