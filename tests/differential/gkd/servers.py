"""The servers under test: through tools/gk-sandbox, or, for a stock standalone server, by java alone."""
import json
import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SANDBOX = ROOT / 'tools' / 'gk-sandbox'
JARS = ROOT / 'build' / 'deps' / 'zookeeper-3.9.5'

SUPERUSER = 'super:differential'

LOGBACK = '''<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d [%thread] %-5level %logger{20} - %msg%n%ex{3}</pattern></encoder>
  </appender>
  <root level="LEVEL"><appender-ref ref="OUT"/></root>
</configuration>
'''


def super_digest():
    import base64
    import hashlib
    return 'super:' + base64.b64encode(hashlib.sha1(SUPERUSER.encode()).digest()).decode()


def settings(enforce_quota=False, container_ms=3600000, tick=100, heap='1g', extra=()):
    """The zoo.cfg keys and JVM options that both servers get. Nothing may happen by the clock alone while operations are
    compared, so containers are reaped only where a case asks for it; sessions can be short enough to wait for."""
    keys = {
        'tickTime': tick, 'minSessionTimeout': 2 * tick, 'maxSessionTimeout': 600000, 'maxClientCnxns': 0,
        'extendedTypesEnabled': 'true', 'reconfigEnabled': 'true' if tick <= 200 else 'false', 'forceSync': 'no', 'snapCount': 1000000, 'preAllocSize': 8192,
        'DigestAuthenticationProvider.superDigest': super_digest(),
    }
    if tick > 200:                                  # an ensemble: limits in ticks, and slow machines
        keys.update(syncLimit=20, initLimit=40)
    if enforce_quota:
        keys['enforceQuota'] = 'true'
    keys.update(k.split('=', 1) for k in extra)
    return keys, [f'-Dznode.container.checkIntervalMs={container_ms}', f'-Xmx{heap}']


def free_base(count=1):
    """A base port whose derived ports are free, `count` of them, 600 apart."""
    rng = random.Random(os.urandom(8))
    for _ in range(200):
        base = rng.randrange(20000, 31000, 10)
        ok = True
        for n in range(count):
            for offset in (1, 2, 3, 4, 101, 201, 202, 203, 204, 301, 302, 303, 304, 401):
                with socket.socket() as s:
                    try:
                        s.bind(('127.0.0.1', base + 600 * n + offset))
                    except OSError:
                        ok = False
        if ok:
            return base
    raise RuntimeError('no free ports')


class Java:
    """A stock standalone server started by java, for when there is no gk-sandbox."""

    def __init__(self, directory, base, keys, jvm, level='OFF'):
        self.dir, self.port, self.proc = Path(directory), base + 1, None
        self.dir.mkdir(parents=True, exist_ok=True)
        cfg = {'clientPort': self.port, 'clientPortAddress': '127.0.0.1', 'dataDir': self.dir / 'data',
               'admin.enableServer': 'false', '4lw.commands.whitelist': '*', 'syncLimit': 5, 'initLimit': 10,
               'serverCnxnFactory': 'org.apache.zookeeper.server.NettyServerCnxnFactory', **keys}
        (self.dir / 'zoo.cfg').write_text(''.join(f'{k}={v}\n' for k, v in cfg.items()))
        (self.dir / 'logback.xml').write_text(LOGBACK.replace('LEVEL', level))
        self.jvm = [*jvm, f'-Dlogback.configurationFile={self.dir}/logback.xml', '-XX:+UseSerialGC']
        self.entries = [('127.0.0.1', self.port)]
        self.start()

    def start(self):
        with open(self.dir / 'log', 'ab') as log:
            self.proc = subprocess.Popen(
                ['java', *self.jvm, '-cp', f'{JARS}/*', 'org.apache.zookeeper.server.quorum.QuorumPeerMain',
                 str(self.dir / 'zoo.cfg')], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_serving(self.entries, lambda: self.proc.poll())

    def restart(self, hard):
        (self.proc.kill if hard else self.proc.terminate)()
        self.proc.wait()
        self.start()

    def alive(self):
        return self.proc.poll() is None

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


def settle(entry, still=2.0, seconds=60):
    """Waits until the server's zxid stands still: servers with settings of their own may write when they start."""
    deadline, last, since = time.monotonic() + seconds, None, 0.0
    while time.monotonic() < deadline:
        with socket.create_connection(entry, 10) as s:
            s.sendall(b'srvr')
            answer = b''.join(iter(lambda: s.recv(65536), b''))
        now = [line for line in answer.splitlines() if line.startswith(b'Zxid')]
        if now != last:
            last, since = now, time.monotonic()
        elif now and time.monotonic() - since > still:
            return
        time.sleep(0.1)
    raise RuntimeError(f'{entry} goes on writing')


class Sandbox:
    """Servers of tools/gk-sandbox; the directory is removed at the end by the caller."""

    def __init__(self, directory, base, keys, jvm, plugin, servers=1, observers=0, level='OFF'):
        self.dir, self.count, self.observers = Path(directory), servers, observers
        self.dir.parent.mkdir(parents=True, exist_ok=True)
        logback = self.dir.parent / (self.dir.name + '-logback.xml')
        logback.write_text(LOGBACK.replace('LEVEL', level))
        args = ['start', '--dir', str(self.dir), '--servers', str(servers), '--observers', str(observers),
                '--plugin', plugin, '--factory', 'netty', '--base-port', str(base)]
        for key, value in keys.items():
            args += ['--set', f'{key}={value}']
        for option in [*jvm, f'-Dlogback.configurationFile={logback}', '-XX:+UseSerialGC']:
            args += ['--jvm', option]
        self.tool(*args)
        connect = [s['client'] for s in self.status()['servers']]
        self.entries = [(c.rsplit(':', 1)[0], int(c.rsplit(':', 1)[1])) for c in connect]
        wait_serving(self.entries, lambda: None)

    def tool(self, *args, check=True):
        got = subprocess.run([str(SANDBOX), *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if check and got.returncode:
            raise RuntimeError(f'gk-sandbox {args[0]}: exit {got.returncode}: {got.stderr.strip()[-600:]}')
        return got.stdout

    def status(self):
        return json.loads(self.tool('status', '--dir', str(self.dir), '--json'))

    def restart(self, hard, which=None):
        for number in [which] if which else range(1, self.count + self.observers + 1):
            if hard:
                self.tool('kill', '--dir', str(self.dir), str(number))
            self.tool('restart', '--dir', str(self.dir), str(number))
        wait_serving(self.entries, lambda: None)

    def alive(self):
        return all(s['state'] == 'running' for s in self.status()['servers'])

    def stop(self):
        self.tool('stop', '--dir', str(self.dir), check=False)


def wait_serving(entries, dead, limit=60):
    """Until each entry gives a session."""
    from . import wire
    end = time.monotonic() + limit
    for entry in entries:
        while True:
            if dead() is not None:
                raise RuntimeError(f'the server for {entry[0]}:{entry[1]} ended with {dead()}')
            try:
                conn = wire.Conn(entry, 2.0)
                got = conn.connect(timeout=4000)
                if got.session:
                    conn.send(b'\0\0\0\x08\0\0\0\x01\xff\xff\xff\xf5')
                    conn.drain_to_close(2.0)
                conn.close()
                if got.session:
                    break
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f'{entry[0]}:{entry[1]} does not serve')
            time.sleep(0.1)


def start(directory, plugin, base, keys, jvm, servers=1, observers=0, level='OFF'):
    if SANDBOX.exists():
        return Sandbox(directory, base, keys, jvm, plugin, servers, observers, level)
    if plugin == 'on' or servers > 1 or observers:
        raise RuntimeError('tools/gk-sandbox is needed for this')
    return Java(directory, base, keys, jvm, level)


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)
