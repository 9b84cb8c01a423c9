"""Judges a record of gkrecord.py: that no epoch was lost or made twice, that no two controllers wrote in one controller epoch, and who can reach which key.

The last is a symbolic closure (Dolev and Yao) over everything that was ever written: terms are versions of nodes' keys; who has a node's key has what is
wrapped under it and what is derived or ratcheted from it, and nothing else. Each of these rules needs one key, so a coalition knows what its members
know and no more; hence it is enough to know, of each term, who reaches it: an epoch's root has to be reached by exactly those who were members then.
So no coalition of others does: all evicted and all later ones together, with all they were ever told and all messages, those of losing forks, too.

The same edges are then walked with the keys of members' state files and the bytes of the messages (AES-SIV, HKDF), so that the symbols are what really
happened: each root that a member reaches has to confirm its epoch's message and to give the fingerprint that members printed.

usage: gkchaos.py RECORD"""
import base64
import collections
import hmac
import json
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from gkrecord import ADD, DERIVE, REMOVE, Message, load, sha

V1 = b"groupkeeper v1 "


def kdf(key, label, context, n=32):
    """HKDF-Expand (RFC 5869) with a label of ours."""
    info, out, block = var(V1 + label) + context, b"", b""
    while len(out) < n:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:n]


def var(data):
    return struct.pack(">H", len(data)) + data


def signed(m):
    """What a controller signs of a message."""
    return var(V1 + b"epoch") + m.body() + m.confirm + m.signer


class Record:
    """A record, read: `chain` holds the messages that count, by epoch; `forks` those that lost."""

    def __init__(self, document):
        self.document, self.findings = document, []
        self.where = collections.defaultdict(list)  # hash of a message -> [(zxid, servers)]
        self.messages = {}
        for entry in document["epochs"]:
            self._read(entry)
        self.keks = collections.defaultdict(list)   # zxid -> wraps of members' own messages (flat mode)
        for entry in document.get("keks", ()):
            self.keks[entry["zxid"]] += Message.parse(base64.b64decode(entry["message"])).wraps
        self.stored = {int(epoch): value for epoch, value in document["stored"].items()}
        self.chain = self._chain()
        on_it = {m.hash for m in self.chain.values()}
        self.forks = [m for h, m in self.messages.items() if h not in on_it]

    def find(self, kind, text):
        self.findings.append((kind, text))

    def _read(self, entry):
        raw = base64.b64decode(entry["message"])
        try:
            m = Message.parse(raw)
        except (ValueError, struct.error):
            self.find("malformed", f"what lies at epoch {entry['epoch']} is no epoch message")
            return
        m.hash = sha(raw)
        if m.epoch != entry["epoch"]:
            self.find("malformed", f"the message of epoch {m.epoch} lies at {entry['epoch']}")
        self.messages[m.hash] = m
        self.where[m.hash].append((entry["zxid"], set(entry["servers"])))

    def quorum(self, servers):
        return 2 * len(servers) > self.document["servers"]

    def zxid(self, m):
        """Where a message was committed."""
        return max(self.where[m.hash], key=lambda at: len(at[1]))[0]

    def _chain(self):
        """From the newest message in ZooKeeper back to the first, by prev."""
        newest = max(self.stored, default=0)
        if sorted(self.stored) != list(range(1, newest + 1)):
            self.find("lost", f"not in ZooKeeper: epochs {sorted(set(range(1, newest + 1)) - set(self.stored))}")
        chain, m = {}, self.messages.get(bytes.fromhex(self.stored.get(newest, "")))
        if m is None:
            self.find("lost", f"the newest epoch, {newest}, is in no transaction log")
        while m is not None:
            chain[m.epoch] = m
            if m.epoch == 1:
                break
            before = self.messages.get(m.prev)
            if before is None or before.epoch != m.epoch - 1:
                others = [x for x in self.messages.values() if x.epoch == m.epoch - 1]
                before = next((x for x in others if self.stored.get(x.epoch) == x.hash.hex()), others[0] if others else None)
                self.find("prev" if others else "lost", f"epoch {m.epoch} doesn't follow from {m.epoch - 1}" if others else f"epoch {m.epoch - 1} is in no log")
            m = before
        return dict(sorted(chain.items()))


# --- the order of things --------------------------------------------------------------------------------------------------------------

def check_epochs(r):
    """None lost, none twice, in order."""
    on_it, zxid = {m.hash for m in r.chain.values()}, 0
    for epoch, m in r.chain.items():
        if r.stored.get(epoch, m.hash.hex()) != m.hash.hex():
            r.find("twice", f"epoch {epoch}: another message lies in ZooKeeper than the one that later epochs follow")
        if r.zxid(m) <= zxid:
            r.find("order", f"epoch {epoch} was committed before the one before")
        zxid = r.zxid(m)
    salts = collections.Counter(m.salt for m in r.messages.values())
    for h, m in r.messages.items():
        if salts[m.salt] > 1:
            r.find("salt-again", f"epoch {m.epoch}: two messages have one salt, so branches can share derived keys")
        committed = sum(r.quorum(servers) for _, servers in r.where[h])
        if committed > 1 or (committed and h not in on_it):
            r.find("twice" if m.epoch in r.chain else "lost", f"epoch {m.epoch} was committed {'more than once' if m.epoch in r.chain else 'and is gone'}")


def check_controllers(r):
    """One controller in each controller epoch, and none writes once another took over."""
    leaders = collections.defaultdict(set)
    for name, controller in r.document["controllers"].items():
        for line in controller["lines"]:
            if line["role"] == "leader":
                leaders[line["controller_epoch"]].add(name)
    claims = collections.defaultdict(set)
    for version in {c["version"] for c in r.document["claims"]} - {0}:
        them = [c for c in r.document["claims"] if c["version"] == version]
        acknowledged = [c for c in them if c["id"] in leaders[version]][-1:]  # one that is on few servers may have been lost, and repeated
        claims[version] = {(c["zxid"], c["id"]) for c in [c for c in them if r.quorum(c["servers"])] or acknowledged}
    for version in sorted(set(leaders) | set(claims)):
        who = leaders[version] | {name for _, name in claims[version]}
        if len(who) > 1 or len(claims[version]) > 1:
            r.find("two-leaders", f"controller epoch {version} had {sorted(who)}, taken {len(claims[version])} times")
    publics = {sha(bytes.fromhex(c["public"]))[:16]: (name, bytes.fromhex(c["public"])) for name, c in r.document["controllers"].items()}
    for m in r.messages.values():
        name, public = publics.get(m.signer, (None, bytes(32)))
        who = {name for _, name in claims.get(m.by, ())} | leaders.get(m.by, set())
        if {name} != who and len(who) < 2:
            r.find("two-leaders", f"epoch {m.epoch} of controller epoch {m.by} is signed by {name}, but {sorted(who)} led")
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(m.signature, signed(m))
        except InvalidSignature:
            r.find("unsigned", f"epoch {m.epoch}: the signature isn't {name}'s")
    taken = sorted((zxid, version) for version, them in claims.items() for zxid, _ in them)
    by = 0
    for epoch, m in r.chain.items():
        last = max((version for zxid, version in taken if zxid < r.zxid(m)), default=0)
        if m.by < max(by, last):
            r.find("fenced", f"epoch {epoch} is by controller epoch {m.by}, when {max(by, last)} had begun")
        elif m.by > last:
            r.find("fenced", f"epoch {epoch} is by controller epoch {m.by}, which had not begun")
        by = max(by, m.by)


def membership(r):
    """Leaf -> [epoch in which it was added, epoch in which it was removed or None]."""
    spans = {}
    for epoch, m in r.chain.items():
        for op, node in m.ops:
            if op == ADD:
                spans[node] = [epoch, None]
            elif op == REMOVE:
                spans.setdefault(node, [1, None])[1] = epoch
    return spans


def check_members(r):
    """Members agree on each key, have every epoch of theirs, and none of others'."""
    spans, truth = membership(r), {}
    losses = () if r.document.get("mode") == "flat" else ("missed",)  # there, who is late finds its next message in the place of the one before
    for name, member in r.document["members"].items():
        added, removed = spans.get(member["states"][0]["path"][0][0], (None, None)) if member["states"] else (None, None)
        if member["states"] and added is None:
            r.find("lost", f"{name} was admitted by an epoch that isn't there")
        for lines in member["runs"]:
            check_run(r, name, lines, (added, removed), truth)
        if member["stays"]:
            got = {line["epoch"] for lines in member["runs"] for line in lines if line["event"] == "key"}
            if max(r.chain, default=0) not in got or any(line["event"] in (*losses, "refused", "evicted") for lines in member["runs"] for line in lines):
                r.find("lost", f"{name}, which stays, has not got everything")
    return truth


def check_run(r, name, lines, span, truth):
    added, removed = span
    epochs = [line["epoch"] for line in lines if line["event"] == "key"]
    for line in lines:
        if line["event"] == "key":
            epoch, fingerprint = line["epoch"], line["fingerprint"]
            if epoch not in r.chain:
                r.find("lost", f"{name} has a key of epoch {epoch}, which isn't there")
            if added is None or epoch < added or (removed is not None and epoch >= removed):
                r.find("outsider", f"{name} has the key of epoch {epoch}, but is a member from {added} until {removed}")
            if truth.setdefault(epoch, fingerprint) != fingerprint:
                r.find("other-key", f"{name} has another key in epoch {epoch}: {fingerprint}, not {truth[epoch]}")
    missed = {e for line in lines if line["event"] == "missed" for e in range(line["from"], line["to"] + 1)}
    if epochs and epochs != [e for e in range(epochs[0], epochs[-1] + 1) if e not in missed]:
        r.find("lost", f"{name} got epochs {epochs}")
    if any(line["event"] == "evicted" for line in lines[:-1]):
        r.find("outsider", f"{name} got something after it was out")


# --- the closure ----------------------------------------------------------------------------------------------------------------------

class World:
    """The tree's keys after some epoch of some branch: term of each node (nodes that are gone stay), and the members' leaves: node -> who."""

    def __init__(self, of=None, leaves=None):
        self.of, self.leaves = of or {}, leaves or {}


class Closure:
    def __init__(self, r):
        self.r = r
        self.terms, self.edges, self.told = {}, [], collections.defaultdict(set)
        self.out = collections.defaultdict(list)   # term -> [edge]
        self.roots = []                            # (message, term, who is a member)
        self.people, self.unknown = {}, set()      # origin of a leaf -> its name; those whose grant nobody knows
        self.keys = {}                             # term -> bytes, of state files
        self.lost = {m.hash for m in r.forks}
        self.states = collections.defaultdict(list)
        for name, member in r.document["members"].items():
            for state in member["states"]:
                self.states[bytes.fromhex(state["hash"])].append((name, state))
        self.branches = collections.defaultdict(list)
        for m in r.messages.values():
            self.branches[m.prev].append(m)
        self.names = {state["path"][0][0]: name for name, member in r.document["members"].items() for state in member["states"]}

    def term(self, *what):
        return self.terms.setdefault(what, len(self.terms))

    def edge(self, source, to, how, *args):
        if source is not None:
            self.out[source].append(len(self.edges))
            self.edges.append((source, to, how, args))

    def run(self):
        world = World()
        for m in self.r.chain.values():
            for lost in self.branches[m.prev]:
                if lost.hash in self.lost:
                    self._lost(world, lost)
            world = self.apply(world, m)
            self._told_by_states(world, m)
        if len(self.roots) != len(self.r.messages):
            self.r.find("prev", f"{len(self.r.messages) - len(self.roots)} messages follow from none")

    def _lost(self, world, m):
        """A branch that lost, with all that follows from it."""
        world = self.apply(world, m)
        for later in self.branches[m.hash]:
            self._lost(world, later)

    def apply(self, before, m):
        now, made = World(dict(before.of), dict(before.leaves)), {}
        highest = max(before.of, default=0)

        def fresh(node):
            if node <= highest:
                self.r.find("node-again", f"epoch {m.epoch}: node {node} comes again")
            made[node] = now.of[node] = self.term("fresh", node, m.salt)
        for op, node in m.ops:
            if op == REMOVE:
                now.leaves.pop(node, None)
            elif op == ADD:
                fresh(node)
                now.leaves[node] = made[node]
                self.people[made[node]] = self.names.get(node, f"leaf {node}")
            elif op == DERIVE:
                now.of[node] = self.term("derived", before.of.get(node), node, m.epoch, m.salt)
                self.edge(before.of.get(node), now.of[node], derive, m, node)
        for node, under, wrapped in m.wraps + [row for zxid, _ in self.r.where[m.hash] for row in self.r.keks[zxid]]:
            if node not in made and (DERIVE, node) not in m.ops:
                fresh(node)
            if under not in made and under not in before.of:
                fresh(under)  # above two joiners' leaves: named as `under` alone
            self.edge(made.get(under, before.of.get(under)), now.of[node], unwrap, m, node, under, wrapped)
        if m.root not in now.of:
            fresh(m.root)
        for leaf in now.leaves:
            if leaf not in made:
                old, now.of[leaf] = now.of[leaf], self.term("ratcheted", now.of[leaf], m.epoch)
                self.edge(old, now.of[leaf], ratchet, m)
        joiners = [node for op, node in m.ops if op == ADD]
        for node in joiners:  # what its grant told it: of one joiner alone the message says it, of several their states
            alone = len(joiners) == 1 and not any(op == REMOVE for op, _ in m.ops)
            path = [n for n in now.of if alone and (n in made or (DERIVE, n) in m.ops)]
            self.told[made[node]].update([made[node], now.of[m.root]] + [now.of[n] for n in path])
            if not alone:
                self.unknown.add(made[node])
        self.roots.append((m, now.of[m.root], set(now.leaves.values())))
        return now

    def _told_by_states(self, world, m):
        for name, state in self.states.pop(m.hash, ()):
            who = world.leaves.get(state["path"][0][0])
            if who is None:
                self.r.find("outsider", f"{name} has keys of epoch {m.epoch}, in which it is no member")
                continue
            self.unknown.discard(who)
            for node, key in state["path"]:
                term = world.of.get(node)
                if term is None:
                    self.r.find("arithmetic", f"{name} has a key of node {node}, which isn't there in epoch {m.epoch}")
                else:
                    self.told[who].add(term)
                    self._key(term, bytes.fromhex(key), f"{name} at epoch {m.epoch}, node {node}")

    def _key(self, term, key, where):
        if self.keys.setdefault(term, key) != key:
            self.r.find("arithmetic", f"two keys of one node: {where}")

    def reached(self):
        """Term -> bits of who reaches it."""
        order = list(self.people)
        bits, todo = collections.defaultdict(int), []
        for i, who in enumerate(order):
            for term in self.told[who]:
                bits[term] |= 1 << i
                todo.append(term)
        while todo:
            term = todo.pop()
            for e in self.out[term]:
                to = self.edges[e][1]
                if bits[term] & ~bits[to]:
                    bits[to] |= bits[term]
                    todo.append(to)
        return order, bits

    def check(self):
        for state in (s for them in self.states.values() for s in them):
            self.r.find("lost", f"{state[0]} follows epoch {state[1]['epoch']}, which isn't there")
        order, bits = self.reached()
        span = {}
        for m, _, here in self.roots:
            for who in here if m.hash not in self.lost else ():
                span.setdefault(who, []).append(m.epoch)
        for m, root, here in self.roots:
            for i, who in enumerate(order):
                knows = bits[root] >> i & 1
                if knows and who not in here:
                    kind = "earlier" if m.epoch < min(span.get(who, [0])) else "later"
                    self.r.find(kind, f"{self.people[who]} reaches the root of epoch {m.epoch}, in which it is no member")
                elif not knows and who in here and who not in self.unknown:
                    self.r.find("unreachable", f"{self.people[who]} doesn't reach the root of epoch {m.epoch}, in which it is a member")

    # ---- with bytes ----

    def compute(self, truth):
        """Walks the edges with real keys; returns how many keys were computed."""
        todo = list(self.keys)
        while todo:
            term = todo.pop()
            for e in self.out[term]:
                _, to, how, args = self.edges[e]
                try:
                    key = how(self.keys[term], *args)
                except InvalidTag:
                    self.r.find("arithmetic", f"epoch {args[0].epoch}: the wrap of {args[1]} under {args[2]} doesn't open")
                    continue
                if to not in self.keys:
                    todo.append(to)
                self._key(to, key, f"epoch {args[0].epoch}")
        values = collections.Counter(self.keys.values())
        if values and max(values.values()) > 1:
            self.r.find("arithmetic", "one key stands for two versions of nodes")
        for m, root, _ in self.roots:
            if root in self.keys:
                self._confirm(m, self.keys[root], truth)
        return len(self.keys)

    def _confirm(self, m, root, truth):
        confirm, fingerprint = outcome(m, root)
        if confirm != m.confirm:
            self.r.find("arithmetic", f"epoch {m.epoch}: its root doesn't confirm it")
        if m.hash not in self.lost and truth.get(m.epoch, fingerprint) != fingerprint:
            self.r.find("other-key", f"epoch {m.epoch}: its root gives {fingerprint}, members have {truth[m.epoch]}")


def outcome(m, root):
    """What a root's key makes of a message: confirm, and the fingerprint of the group key."""
    body = sha(m.body())
    context = m.group + struct.pack(">Q", m.epoch) + body
    return (hmac.digest(kdf(root, b"confirm", context), body, "sha256"),
            hmac.digest(kdf(root, b"group key", context), b"groupkeeper fingerprint", "sha256")[:8].hex())


def derive(key, m, node):
    return kdf(key, b"lkh join", m.group + struct.pack(">QQ", m.epoch, node) + m.salt)


def ratchet(key, m):
    return kdf(key, b"leaf", m.group + struct.pack(">Q", m.epoch))


def wrap_data(m, node, under):
    return [var(V1 + b"wrap") + m.group + struct.pack(">QQQ", m.epoch, node, under), m.salt]


def unwrap(key, m, node, under, wrapped):
    return AESSIV(kdf(key, b"kek", b"", 64)).decrypt(wrapped, wrap_data(m, node, under))


def wrap(key, m, node, under, what):
    return AESSIV(kdf(key, b"kek", b"", 64)).encrypt(what, wrap_data(m, node, under))


def judge(document):
    """Findings [(kind, text)], and figures."""
    r = Record(document)
    check_epochs(r)
    check_controllers(r)
    truth = check_members(r)
    c = Closure(r)
    c.run()
    c.check()
    computed = c.compute(truth)
    return r.findings, {"epochs": len(r.chain), "messages": len(r.messages), "forks": len(r.forks), "terms": len(c.terms), "edges": len(c.edges),
                        "people": len(c.people), "unknown_grants": len(c.unknown), "keys_computed": computed, "fingerprints": len(truth)}


def main(args):
    if len(args) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings, figures = judge(load(Path(args[0])))
    print(json.dumps(figures))
    for kind, text in findings:
        print(f"{kind}: {text}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
