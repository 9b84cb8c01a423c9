"""Network namespaces: one for each server and a hub that carries the traffic between servers.

Clients reach server i over a link of its own (host end .1, server end .2 of a /30), so that cutting a server off from its peers,
which happens in the hub, leaves them untouched. The hub drops silently in both directions, as a broken switch does.
"""
import hashlib
import ipaddress
import json
import os
import subprocess

from . import SandboxError


def enter(namespace):
    """What goes before a command. Not `ip netns exec`, nor `ip -n`: these remount /sys, which fails in a chroot."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def _run(command, namespace, check):
    command = (enter(namespace) if namespace else []) + [str(a) for a in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SandboxError("NOIP", f"{command[0]} can't be run: {error}", "run 'make deps'") from error
    if check and done.returncode:
        raise SandboxError("NETNS", f"'{' '.join(command)}' failed: {done.stderr.strip()}", "namespaces need root and veth in the kernel")
    return done.stdout


def _ip(*args, namespace=None, check=True):
    return _run(["ip", *args], namespace, check)


def free_subnet(directory):
    """A /23 of private addresses that nothing on this machine uses; the same for the same directory when it can be."""
    used = []
    for link in json.loads(_ip("-j", "addr")):
        used += [ipaddress.ip_interface(f"{a['local']}/{a['prefixlen']}").network for a in link["addr_info"] if a["family"] == "inet"]
    seed = int(hashlib.sha256(str(directory).encode()).hexdigest()[:6], 16)
    for step in range(64 * 128):
        number = (seed + step) % (64 * 128)
        net = ipaddress.ip_network(f"10.{64 + number // 128}.{number % 128 * 2}.0/23")
        if not any(net.overlaps(other) for other in used):
            return str(net)
    raise SandboxError("NOSUBNET", "no free private subnet", "stop other sandboxes with --netns")


class Network:
    """The namespaces of one sandbox."""

    def __init__(self, directory, subnet):
        self.subnet = subnet
        self.tag = "gk" + hashlib.sha256(str(directory).encode()).hexdigest()[:5]
        self.clients, self.quorum = ipaddress.ip_network(subnet).subnets(new_prefix=24)
        self.hub = f"{self.tag}-hub"

    enter = staticmethod(enter)

    def namespace(self, ident):
        return f"{self.tag}-{ident}"

    @staticmethod
    def _end(net, ident, end):
        return str(net[4 * (ident - 1) + end])

    def client_address(self, ident):
        return self._end(self.clients, ident, 2)

    def quorum_address(self, ident):
        return self._end(self.quorum, ident, 2)

    def _existing(self):
        return {line.split()[0] for line in _ip("netns", "list").splitlines() if line.strip()}

    def up(self, idents):
        if os.geteuid() != 0:
            raise SandboxError("NOROOT", "--netns needs root", "run as root, or without --netns")
        there = self._existing()
        try:
            if self.hub not in there:
                _ip("netns", "add", self.hub)
                _ip("link", "set", "lo", "up", namespace=self.hub)
                _run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], self.hub, True)
            for ident in idents:
                if self.namespace(ident) not in there:
                    self._add(ident)
        except SandboxError:
            for name in self._existing() - there:  # half a network helps nobody
                if name.startswith(self.tag):
                    _ip("netns", "del", name, check=False)
            raise

    def _add(self, ident):
        inside = self.namespace(ident)
        _ip("netns", "add", inside)
        _ip("link", "set", "lo", "up", namespace=inside)
        self._link(ident, self.clients, "c", None)
        self._link(ident, self.quorum, "q", self.hub)
        _ip("route", "add", self.quorum, "via", self._end(self.quorum, ident, 1), namespace=inside)

    def _link(self, ident, net, kind, outer):
        """A veth pair: the outer end stays on the host or goes to the hub."""
        inside, near, far = self.namespace(ident), f"{self.tag}{kind}{ident}", f"{kind}{ident}"
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", inside)
        if outer:
            _ip("link", "set", near, "netns", outer)
        for space, name, end in ((outer, near, 1), (inside, far, 2)):
            _ip("addr", "add", f"{self._end(net, ident, end)}/30", "dev", name, namespace=space)
            _ip("link", "set", name, "up", namespace=space)

    def down(self):
        mine = [name for name in self._existing() if name.startswith(self.tag + "-")]
        for name in mine:
            _ip("netns", "del", name, check=False)
        for link in json.loads(_ip("-j", "link")):
            if link["ifname"].startswith(self.tag):
                _ip("link", "del", link["ifname"], check=False)
        return bool(mine)

    def cut(self, ident):
        address = self.quorum_address(ident)
        for side in ("from", "to"):
            _ip("rule", "add", side, address, "blackhole", namespace=self.hub)

    def join(self, ident):
        address = self.quorum_address(ident)
        for side in ("from", "to"):
            _ip("rule", "del", side, address, "blackhole", namespace=self.hub, check=False)
