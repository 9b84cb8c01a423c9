"""Writers that go on while servers die. What a writer saw acknowledged it remembers; what was cut off in between may have happened or not."""
import itertools
import threading
import time

from gkraw import Closed, Failure, Raw

# What a server says when it lost its leader in the middle of a request.
CUT_OFF = {-4, -7, -112, -118}


class Writer(threading.Thread):
    """Calls step(connection) for ever, on another server after each loss. `count` counts steps, done or not."""

    PAUSE = 0.005  # a server that starts again beside the load needs some of the machine, too
    PATIENCE = 8  # seconds with a server that says nothing

    def __init__(self, number, addresses):
        super().__init__(daemon=True)
        self.number, self.addresses = number, addresses
        self.stop, self.error = threading.Event(), None
        self.acked, self.count, self.done, self.unknown = [], 0, 0, 0

    def step(self, zk):
        raise NotImplementedError

    def lost(self):
        """Called after a step whose outcome is unknown."""

    def connect(self, turn):
        while not self.stop.is_set():
            try:
                zk = Raw(self.addresses[next(turn) % len(self.addresses)], patience=self.PATIENCE)
                if zk.session:
                    return zk
                zk.drop()
            except (OSError, Closed):
                pass
            time.sleep(0.02)
        return None

    def run(self):
        turn = itertools.count(self.number)
        zk = None
        try:
            while not self.stop.is_set():
                zk = zk or self.connect(turn)
                if zk is None:
                    break
                try:
                    self.step(zk)
                    self.done += 1
                except (Closed, Failure) as error:
                    if isinstance(error, Failure) and error.code not in CUT_OFF:
                        raise
                    self.unknown += 1
                    self.lost()
                    zk.drop()
                    zk = None
                self.count += 1
                time.sleep(self.PAUSE)
            if zk:
                zk.close()
        except Exception as error:  # noqa: BLE001 (shown by Load)
            self.error = error


class Load:
    """Runs writers for the time of a with block."""

    def __init__(self, writers):
        self.writers = writers

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    @property
    def done(self):
        return sum(writer.done for writer in self.writers)

    @property
    def unknown(self):
        return sum(writer.unknown for writer in self.writers)

    def go_on(self, steps, seconds=60):
        """Waits until that many more steps are done."""
        goal, deadline = self.done + steps, time.monotonic() + seconds
        while self.done < goal:
            for writer in self.writers:
                if writer.error:
                    raise AssertionError(f"writer {writer.number}, step {writer.count}: {writer.error!r}") from writer.error
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.done} of {goal} steps within {seconds} s")
            time.sleep(0.02)

    def __exit__(self, kind, *_):
        for writer in self.writers:
            writer.stop.set()
        for writer in self.writers:
            writer.join(60)
        if kind is None:
            for writer in self.writers:
                if writer.error:
                    raise AssertionError(f"writer {writer.number}: {writer.error!r}") from writer.error
