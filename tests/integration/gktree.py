"""The tree that an application keeps in ZooKeeper, as a client reads it, without what differs from run to run: to compare one run with another."""
import json
import re

from gkraw import Raw


class Tree:
    """random: {pattern: text} for what a run makes up; passing: a pattern of paths below which nothing lasts; shape: a function of JSON that does the same by structure."""

    def __init__(self, random, passing, shape):
        self.random, self.passing, self.shape = [(re.compile(pattern), text) for pattern, text in random.items()], re.compile(passing), shape

    def masked(self, text):
        for pattern, replacement in self.random:
            text = pattern.sub(replacement, text)
        return text

    def content(self, data):
        try:
            return self.masked(json.dumps(self.shape(json.loads(data)), sort_keys=True))
        except (TypeError, ValueError):
            return None if data is None else self.masked(data.decode("latin-1"))

    def read(self, address):
        """Path -> (what stands there, whether it is ephemeral), of all that lasts; of the rest, that its parent is there."""
        found, todo = {}, ["/"]
        with Raw(address, patience=30) as zk:
            zk.call("sync", "/")
            while todo:
                path = todo.pop()
                data, stat = zk.get(path)
                lasts = not self.passing.match(path)
                found[self.masked(path)] = (self.content(data) if lasts else "", stat["ephemeralOwner"] != 0)
                if lasts:
                    todo += [f"{path.rstrip('/')}/{name}" for name in zk.children(path)]
        return found

    def of_all(self, test, connect):
        """The tree, which all servers have to show alike."""
        trees = [self.read(address) for address in connect.split(",")]
        for tree in trees[1:]:
            test.assertEqual(tree, trees[0], "all servers show the same")
        return trees[0]


def same(test, expected, seen):
    different = {path: (expected.get(path), seen.get(path)) for path in expected.keys() | seen.keys() if expected.get(path) != seen.get(path)}
    test.assertEqual(different, {})
