"""The shim under the JVM's own eyes: -Xcheck:jni, and the ways in which Netty can hand it memory. The JVM must have nothing to say."""
import unittest

import gktest
from gkraw import MARSHALLINGERROR, UNIMPLEMENTED, Raw
from gkserver import Server, make_keyring

PAYLOADS = (b"", b"x", b"y" * 1024, b"w" * 5000, b"z" * 300_000)  # from 4096 on read in the heap


class Jni(unittest.TestCase):
    def check(self, *properties):
        server = Server(self)
        make_keyring(server.keyring)
        with server.start("zookeeper.groupkeeper.path-cache-bytes=100000", properties=("-Xcheck:jni", *properties)).serves() as zk:
            self.walk(zk)
            self.assertEqual(zk.call("create", body=b"\0\0\0").err, MARSHALLINGERROR)
            with Raw(server.address) as other:
                self.assertEqual(other.call(99, body=b"secret").err, UNIMPLEMENTED)
        server.process.terminate()
        server.ends()
        said = [line for line in server.output().splitlines() if "native method" in line or "JNI" in line or "hs_err" in line]
        self.assertEqual(said, [])

    def walk(self, zk):
        self.assertEqual(zk.create("/dir"), "/dir")
        for i, payload in enumerate(PAYLOADS):
            name = zk.create("/dir/n-", payload, flags=2)
            self.assertEqual(name, f"/dir/n-{i:010d}")
            self.assertEqual(zk.get(name)[0], payload)
        self.assertEqual(len(zk.children("/dir")), len(PAYLOADS))
        for i in range(500):  # more names than the small cache holds
            zk.create(f"/dir/some-longer-name-{i}")
        self.assertEqual(len(zk.children("/dir")), len(PAYLOADS) + 500)

    def test_plain(self):
        self.check()

    def test_without_unsafe(self):
        self.check("-Dio.netty.noUnsafe=true")

    def test_heap_buffers(self):
        self.check("-Dio.netty.noPreferDirect=true")

    def test_nio_transport(self):
        self.check("-Dzookeeper.netty.nio=true", "-Dio.netty.transport.noNative=true")


if __name__ == "__main__":
    gktest.main("jni")
