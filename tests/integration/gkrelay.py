"""A TCP relay in this process: each piece of data is handed on after a random delay, in order; or not at all, while it is cut. Emulates links, since
the kernel at hand has no netem."""
import asyncio
import random
import threading


class Relay:
    """Listens on a free port of loopback and relays to (host, port). delay: (least, most) seconds, uniform, one way each. cut_at: bytes that don't pass, nor
    does anything after them."""

    def __init__(self, target, delay=(0, 0), cut_at=None):
        self.target, self.delay, self.dead, self.cut_at = target, delay, False, cut_at
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    def cut(self):
        """From now on nothing passes; connections stay open, as behind a cut cable."""
        self.dead = True

    def heal(self):
        self.dead = False

    async def _accept(self, reader, writer):
        try:
            there, back = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader, writer):
        queue = asyncio.Queue()
        hand_on = asyncio.ensure_future(self._deliver(queue, writer))
        last = 0
        try:
            while data := await reader.read(65536):
                last = max(last, self.loop.time() + random.uniform(*self.delay))
                queue.put_nowait((last, data))
        except OSError:
            pass
        queue.put_nowait((max(last, self.loop.time()), None))
        await hand_on

    async def _deliver(self, queue, writer):
        try:
            while True:
                when, data = await queue.get()
                await asyncio.sleep(max(0, when - self.loop.time()))
                self.dead = self.dead or bool(self.cut_at and data and self.cut_at in data)
                while self.dead:
                    await asyncio.sleep(0.05)
                if data is None:
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()
