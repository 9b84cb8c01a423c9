"""Whether gkchaos.py sees what it is there to see. groups_run.{tree,flat}.json are the records of a short real run (GK_SEED=7 GK_SECONDS=30
GK_RECORD=groups_run.json test_groups_chaos.py), which are good. Each test alters it in one way: as a controller might that has all keys, so that signatures, hashes, confirmations and
fingerprints are right again, and only what is wrong can be found."""
import base64
import copy
import struct
import unittest
import zlib
from pathlib import Path

import gkchaos
import gktest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gkraw import jute
from gkrecord import DERIVE, REMOVE, Message, load, records, sha, writes
from gkstore import CREATE, CREATE2, DELETE, ERROR, LOG_MAGIC, MULTI, SET_DATA

GOOD, FLAT = (load(Path(__file__).parent / f"groups_run.json.{group}") for group in ("tree", "flat"))


class Forger:
    """A copy of the good record that can be altered: `m` are its messages by epoch. done() makes all that follows from them right again."""

    def __init__(self, good=GOOD):
        self.doc = copy.deepcopy(good)
        record = gkchaos.Record(self.doc)
        self.closure = gkchaos.Closure(record)
        self.closure.run()
        self.closure.compute({})
        self.good, self.m, self.old = record.chain, dict(record.chain), {e: m.hash for e, m in record.chain.items()}
        self.spans = gkchaos.membership(record)
        self.newest = max(self.m)
        self.root = {m.epoch: self.closure.keys.get(term) for m, term, _ in self.closure.roots if m.hash not in self.closure.lost}
        self.signers = {name: Ed25519PrivateKey.generate() for name in self.doc["controllers"]}
        self.by = {}  # epoch -> who signs it instead
        for name, c in self.doc["controllers"].items():
            for m in self.m.values():
                if m.signer == sha(bytes.fromhex(c["public"]))[:16]:
                    self.by[m.epoch] = name
        self.publics = {name: k.public_key().public_bytes_raw() for name, k in self.signers.items()}

    def member(self, leaf):
        return next(name for name, m in self.doc["members"].items() if m["states"] and m["states"][0]["path"][0][0] == leaf)

    def run(self, name):
        return self.doc["members"][name]["runs"][0]

    def entries(self, epoch):
        return [e for e in self.doc["epochs"] if e["epoch"] == epoch]

    def gone(self):
        """(leaf, epoch of its removal) of a member that was there a while, and was removed in the middle."""
        return next((leaf, out) for leaf, (into, out) in self.spans.items() if out and out - into > 1 and 5 < out < self.newest - 3
                    and any(leaf == m["states"][0]["path"][0][0] for m in self.doc["members"].values()))

    def change(self, epoch, **changes):
        old = self.m[epoch]
        self.m[epoch] = old.but(**changes)

    def key(self, node, epoch):
        """A node's key when an epoch began: what messages before it made of it."""
        world = gkchaos.World()
        for e in range(1, epoch):
            world = self.closure.apply(world, self.good[e])
        return self.closure.keys[world.of[node]]

    def sign(self, m, name):
        m = m.but(signer=sha(self.publics[name])[:16])
        return m.but(signature=self.signers[name].sign(gkchaos.signed(m)))

    def done(self, follow=()):
        """follow: epochs whose prev is left as it is."""
        before = bytes(32)
        hashes, prints = {}, {}
        for epoch in sorted(self.m):
            m = self.m[epoch]
            m = m.but(prev=m.prev if epoch in follow else before)
            if self.root[epoch]:
                confirm, prints[epoch] = gkchaos.outcome(m, self.root[epoch])
                m = m.but(confirm=confirm)
            m = self.sign(m, self.by[epoch])
            before = sha(m.dump())
            hashes[self.old[epoch]] = before.hex(), base64.b64encode(m.dump()).decode()
            self.m[epoch] = m
        for entry in self.doc["epochs"]:
            entry["message"] = hashes.get(sha(base64.b64decode(entry["message"])), (0, entry["message"]))[1]
        self.doc["stored"] = {e: hashes[bytes.fromhex(h)][0] for e, h in self.doc["stored"].items()}
        for name, member in self.doc["members"].items():
            for state in member["states"]:
                state["hash"] = hashes.get(bytes.fromhex(state["hash"]), (state["hash"],))[0]
            for line in (line for run in member["runs"] for line in run if line["event"] == "key"):
                line["fingerprint"] = prints[line["epoch"]]
        for name, c in self.doc["controllers"].items():
            c["public"] = self.publics[name].hex()
        return self.doc

    def cut(self, newest):
        """As if the run had ended with that epoch."""
        self.m = {e: m for e, m in self.m.items() if e <= newest}
        self.doc["epochs"] = [e for e in self.doc["epochs"] if e["epoch"] <= newest]
        self.doc["stored"] = {e: h for e, h in self.doc["stored"].items() if int(e) <= newest}
        for member in self.doc["members"].values():
            member["states"] = [s for s in member["states"] if s["epoch"] <= newest]
            leaf = member["states"][0]["path"][0][0] if member["states"] else None
            out = self.spans[leaf][1] if leaf else None
            member["runs"] = [[line for line in run if line.get("epoch", 0) <= newest and (line["event"] != "evicted" or (out and out <= newest))]
                              for run in member["runs"] if leaf]

    def joined_alone(self):
        """The last epoch in which somebody was admitted and keys were derived, and nobody left."""
        return max(e for e, m in self.m.items() if any(op == DERIVE for op, _ in m.ops) and not any(op == REMOVE for op, _ in m.ops))


class Checker(unittest.TestCase):
    def setUp(self):
        self.f = Forger()

    def found(self, *kinds):
        """That, and nothing else."""
        findings, _ = gkchaos.judge(self.f.doc)
        self.assertEqual({kind for kind, _ in findings}, set(kinds), findings[:5])

    def sees(self, kind):
        self.assertIn(kind, {kind for kind, _ in gkchaos.judge(self.f.doc)[0]})

    def test_the_good_one(self):
        findings, figures = gkchaos.judge(GOOD)
        self.assertEqual(findings, [])
        self.assertGreater(figures["keys_computed"], 100)
        self.assertEqual(figures["unknown_grants"], 0)
        self.assertGreater(len({c["version"] for c in GOOD["claims"]}), 2, "the controller epoch changed")
        self.assertEqual(figures["fingerprints"] + 1, figures["epochs"])

    def test_the_forger_alone_changes_nothing(self):
        self.f.done()
        self.found()

    # ---- epochs ----

    def test_an_epoch_is_lost(self):
        f, epoch = self.f, self.f.newest // 2
        f.doc["epochs"] = [e for e in f.doc["epochs"] if e["epoch"] != epoch]
        del f.doc["stored"][str(epoch)]
        self.sees("lost")  # and much that follows from it

    def test_the_newest_epoch_is_lost(self):
        f = self.f
        f.doc["epochs"] = [e for e in f.doc["epochs"] if e["epoch"] != f.newest]
        del f.doc["stored"][str(f.newest)]
        self.found("lost")

    def test_an_epoch_is_gone_from_zookeeper(self):
        del self.f.doc["stored"][str(self.f.newest // 2)]
        self.found("lost")

    def test_an_epoch_is_made_twice(self):
        f, epoch = self.f, self.f.newest // 2
        f.doc["epochs"].append({**f.entries(epoch)[0], "zxid": f.entries(epoch + 1)[0]["zxid"] + 1})
        self.found("twice")

    def fork(self, servers, salt=bytes(range(1, 33))):
        """Another message of a periodic epoch, good in itself, after which its branch ends."""
        f = self.f
        f.done()
        epoch = max(e for e, m in f.m.items() if len(m.wraps) == 1 and not m.ops and e < f.newest)
        m, root = f.m[epoch], bytes(range(32))
        node, under, _ = m.wraps[0]
        m = m.but(salt=salt or m.salt)
        m = m.but(wraps=[(node, under, gkchaos.wrap(f.key(under, epoch), m, node, under, root))])
        m = f.sign(m.but(confirm=gkchaos.outcome(m, root)[0]), f.by[epoch])
        f.doc["epochs"].append({"zxid": f.entries(epoch)[0]["zxid"] - 1, "servers": servers, "epoch": epoch,
                                "message": base64.b64encode(m.dump()).decode()})

    def test_another_message_was_committed(self):
        self.fork([1, 2])
        self.found("twice")

    def test_a_message_that_lost_is_none(self):
        self.fork([3])
        self.found()
        self.assertEqual(gkchaos.judge(self.f.doc)[1]["forks"], 1 + gkchaos.judge(GOOD)[1]["forks"])

    def test_branches_share_a_salt(self):
        self.fork([3], salt=None)
        self.sees("salt-again")

    def test_a_hash_that_does_not_follow(self):
        self.f.change(self.f.newest // 2, prev=bytes(32))
        self.f.done(follow=[self.f.newest // 2])
        self.found("prev")

    def test_epochs_out_of_order(self):
        f, epoch = self.f, self.f.newest - 2
        one, two = f.entries(epoch)[0], f.entries(epoch + 1)[0]
        one["zxid"], two["zxid"] = two["zxid"], one["zxid"]
        self.found("order")

    def test_noise(self):
        self.f.entries(self.f.newest // 2)[0]["message"] = base64.b64encode(bytes(300)).decode()
        self.sees("malformed")

    # ---- controllers ----

    def test_two_lead(self):
        controllers = self.f.doc["controllers"]
        line = next(line for c in controllers.values() for line in c["lines"] if line["role"] == "leader")
        for c in controllers.values():
            c["lines"].append(line)
        self.found("two-leaders")

    def test_the_token_is_taken_twice(self):
        claim = self.f.doc["claims"][-1]
        self.f.doc["claims"].append({**claim, "zxid": claim["zxid"] + 1, "servers": [1, 2, 3]})
        self.found("two-leaders")

    def test_another_one_signs(self):
        f, epoch = self.f, self.f.newest // 2
        f.by[epoch] = next(name for name in f.signers if name != f.by[epoch])
        f.done()
        self.found("two-leaders")

    def test_a_signature_is_wrong(self):
        f = self.f
        f.done()
        entry = f.entries(f.newest)[0]
        raw = base64.b64decode(entry["message"])
        entry["message"] = base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()
        f.doc["stored"][str(f.newest)] = sha(base64.b64decode(entry["message"])).hex()
        for member in f.doc["members"].values():
            member["states"] = [s for s in member["states"] if s["epoch"] < f.newest]
        self.found("unsigned")

    def test_a_fenced_one_writes(self):
        f = self.f
        epoch = next(e for e in sorted(f.m) if e > 2 and f.m[e].by > f.m[e - 1].by)
        f.change(epoch, by=f.m[epoch - 1].by)
        f.by[epoch] = f.by[epoch - 1]
        f.done()
        self.found("fenced")

    def test_one_writes_before_it_leads(self):
        f = self.f
        epoch = next(e for e in sorted(f.m) if e > 2 and f.m[e + 1].by > f.m[e].by)
        f.change(epoch, by=f.m[epoch + 1].by)
        f.by[epoch] = f.by[epoch + 1]
        f.done()
        self.found("fenced")

    # ---- members ----

    def test_a_member_has_another_key(self):
        line = next(line for line in self.f.run("tree-stay0") if line["epoch"] == self.f.newest - 1)
        line["fingerprint"] = "00" * 8
        self.found("other-key")

    def test_all_members_have_another_key(self):
        for member in self.f.doc["members"].values():
            for line in (line for run in member["runs"] for line in run if line.get("epoch") == self.f.newest):
                line["fingerprint"] = "00" * 8
        self.found("other-key")

    def test_a_member_lost_a_key(self):
        run = self.f.run("tree-stay1")
        del run[len(run) // 2]
        self.found("lost")

    def test_a_member_missed_the_last_key(self):
        self.f.run("tree-stay1").pop()
        self.found("lost")

    def test_a_key_for_one_who_was_out(self):
        leaf, out = self.f.gone()
        run = self.f.run(self.f.member(leaf))
        run[:] = [line for line in run if line["event"] == "key"] + [next(line for line in self.f.run("tree-stay0") if line["epoch"] == out)]
        self.found("outsider")

    def test_a_key_from_before_the_admission(self):
        run = self.f.run("tree-stay2")
        run.insert(0, next(line for line in self.f.run("tree-stay0") if line["epoch"] == run[0]["epoch"] - 1))
        self.found("outsider")

    def test_events_after_the_end(self):
        leaf, _ = self.f.gone()
        self.f.run(self.f.member(leaf)).append({"event": "stale"})
        self.found("outsider")

    # ---- who reaches what ----

    def leak(self, epoch, under):
        f = self.f
        m = f.m[epoch]
        f.change(epoch, wraps=m.wraps + [(m.root, under, gkchaos.wrap(f.key(under, epoch), m, m.root, under, f.root[epoch]))])
        f.done()

    def test_an_evicted_member_reaches_the_next_key(self):
        leaf, out = self.f.gone()
        self.leak(out, leaf)
        self.found("later")

    def test_an_evicted_member_reaches_a_key_by_a_node_that_is_gone(self):
        f = self.f
        leaf, out = f.gone()
        inner = f.doc["members"][f.member(leaf)]["states"][0]["path"][1][0]
        self.leak(out, inner)
        self.found("later")

    def test_an_evicted_member_reaches_a_much_later_key(self):
        leaf, out = self.f.gone()
        self.leak(out + 3, leaf)
        self.found("later")

    def test_a_newcomer_reaches_an_earlier_key(self):
        f = self.f
        epoch = f.joined_alone()
        f.cut(epoch)
        m = f.m[epoch]
        kept = {node: f.key(node, epoch) for op, node in m.ops if op == DERIVE}
        f.root[epoch] = kept.get(m.root, f.root[epoch])
        f.change(epoch, ops=[row for row in m.ops if row[0] != DERIVE])
        for member in f.doc["members"].values():
            for state in (s for s in member["states"] if s["epoch"] == epoch):
                state["path"] = [[node, kept[node].hex() if node in kept else key] for node, key in state["path"]]
        f.done()
        self.found("earlier")

    def test_a_member_is_left_out(self):
        """A message without one of its wraps."""
        f = self.f
        epoch = max(e for e, m in f.m.items() if len(m.wraps) > 1)
        f.cut(epoch)
        f.change(epoch, wraps=f.m[epoch].wraps[1:])
        f.done()
        self.sees("unreachable")

    def test_a_node_comes_again(self):
        f = self.f
        epoch = max(e for e, m in f.m.items() if len(m.wraps) == 1 and not m.ops)
        f.cut(epoch)
        m = f.m[epoch]
        node, under = f.m[3].root, m.wraps[0][1]
        f.change(epoch, root=node, wraps=[(node, under, gkchaos.wrap(f.key(under, epoch), m, node, under, f.root[epoch]))])
        for member in f.doc["members"].values():
            member["states"] = [s for s in member["states"] if s["epoch"] < epoch]
        f.done()
        self.sees("node-again")

    # ---- flat mode ----

    def test_the_good_flat_one(self):
        findings, figures = gkchaos.judge(FLAT)
        self.assertEqual(findings, [])
        self.assertGreater(figures["keys_computed"], 100)
        self.f = Forger(FLAT)
        self.f.done()
        self.found()

    def test_an_evicted_member_gets_a_message_with_the_next_kek(self):
        self.f = f = Forger(FLAT)
        leaf, out = f.gone()
        m = f.m[out]
        (kek, under, wrapped), row = next((row, kek) for kek in f.doc["keks"] if kek["zxid"] == f.entries(out)[0]["zxid"]
                                          for row in Message.parse(base64.b64decode(kek["message"])).wraps)
        key = gkchaos.unwrap(f.key(under, out), m, kek, under, wrapped)
        own = Message.parse(base64.b64decode(row["message"])).but(wraps=[(kek, leaf, gkchaos.wrap(f.key(leaf, out), m, kek, leaf, key))])
        f.doc["keks"].append({**row, "message": base64.b64encode(own.dump()).decode()})
        self.found("later")

    # ---- bytes ----

    def test_a_wrap_of_something_else(self):
        f = self.f
        epoch = next(e for e in range(f.newest, 1, -1) if f.m[e].wraps)
        node, under, wrapped = f.m[epoch].wraps[0]
        f.change(epoch, wraps=[(node, under, bytes([wrapped[0] ^ 1]) + wrapped[1:])] + f.m[epoch].wraps[1:])
        f.done()
        self.found("arithmetic")

    def test_a_key_that_is_used_again(self):
        """A periodic rekey that makes a new node with the key of the one before."""
        f = self.f
        epoch = max(e for e, m in f.m.items() if len(m.wraps) == 1 and not m.ops and f.m[e - 1].wraps)
        f.cut(epoch)
        m = f.m[epoch]
        node, under, _ = m.wraps[0]
        f.root[epoch] = f.root[epoch - 1]
        f.change(epoch, wraps=[(node, under, gkchaos.wrap(f.key(under, epoch), m, node, under, f.root[epoch]))])
        for member in f.doc["members"].values():
            member["states"] = [s for s in member["states"] if s["epoch"] < epoch]
        f.done()
        self.found("arithmetic")

    def test_a_grant_with_another_key(self):
        state = self.f.doc["members"]["tree-stay2"]["states"][0]
        state["path"][-1][1] = "00" * 32
        self.sees("arithmetic")


class Logs(unittest.TestCase):
    """What is read of transaction logs."""
    HEAD = struct.pack(">qiqq", 1, 2, 77, 3)

    def txn(self, kind, body):
        return self.HEAD + jute.put_int(kind) + body

    def node(self, path, version=None):
        acl = b"" if version is not None else jute.put_int(0) + b"\0"
        return jute.put_string(path) + jute.put_buffer(b"data") + acl + jute.put_int(version or 0)

    def multi(self, *parts):
        return self.txn(MULTI, jute.put_int(len(parts)) + b"".join(jute.put_int(kind) + jute.put_buffer(body) for kind, body in parts))

    def read(self, *txns, cut=0):
        data = LOG_MAGIC + bytes(12) + b"".join(jute.put_long(zlib.adler32(t)) + jute.put_buffer(t) + b"B" for t in txns)
        return [w for t in records(data[:len(data) - cut] + bytes(64)) for w in writes(t)]

    def test_writes(self):
        made, put = (77, "/a", b"data", 0), (77, "/b", b"data", 5)
        self.assertEqual(self.read(self.txn(CREATE, self.node("/a")), self.txn(SET_DATA, self.node("/b", 5))), [made, put])
        self.assertEqual(self.read(self.multi((CREATE2, self.node("/a")), (DELETE, jute.put_string("/c")), (SET_DATA, self.node("/b", 5)))), [made, put])
        self.assertEqual(self.read(self.multi((ERROR, jute.put_int(-2)), (ERROR, jute.put_int(-110)))), [], "a multi that failed")

    def test_a_log_that_was_being_written(self):
        one, two = self.txn(CREATE, self.node("/a")), self.txn(CREATE, self.node("/b"))
        for cut in range(1, len(two) + 13):
            self.assertEqual([path for _, path, _, _ in self.read(one, two, cut=cut)], ["/a"], cut)


if __name__ == "__main__":
    gktest.main("groups-checker")
