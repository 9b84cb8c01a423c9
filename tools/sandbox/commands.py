"""What each command of gk-sandbox does. Results go to stdout."""
import json
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

from . import SandboxError, net, probe, process, runtime, tls, zoocfg
from .model import LAYOUT, PER_START, Ensemble, Options


def _usage(text, hint):
    return SandboxError("USAGE", text, hint, 2)


# ---- start ----

def _bindable(host, port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def _pick_base_port(ensemble):
    """Below the kernel's range of outgoing ports, so that no client's connection can sit on one of ours."""
    for _ in range(100):
        ensemble.options.base_port = random.randrange(12000, 31500)
        if all(_bindable("127.0.0.1", port) for server in ensemble.members for port in server.ports):
            return
    raise SandboxError("NOPORTS", "no free range of ports found", "give --base-port")


def _merge(ensemble, given, plugin, running):
    """Takes over the options that were given. Of the others, those that say what the ensemble is keep their last value, and those
    that only tune it (lists, --netns) go back to nothing. Returns the names of what changed."""
    if not running:
        given = {name: getattr(Options(), name) for name in PER_START} | given
    changed = {name for name, value in given.items() if getattr(ensemble.options, name) != value}
    for name in changed:
        setattr(ensemble.options, name, given[name])
    options = ensemble.options
    wanted = {i: ensemble.plugin.get(i, True) if plugin is None else plugin for i in range(1, ensemble.count + 1)}
    if wanted != ensemble.plugin:
        changed.add("plugin")
    ensemble.plugin = wanted
    if options.servers < 1 or options.observers < 0 or ensemble.count > 60:
        raise _usage("an ensemble has 1 to 60 servers", "gk-sandbox start --help")
    if options.factory == "nio" and options.tls:
        raise _usage("--factory nio can't do --tls on", "leave --factory away")
    if options.factory == "nio" and any(wanted.values()):
        raise _usage("the plugin works on Netty: --factory nio needs --plugin off", "leave --factory away")
    return changed


def _prepare(ensemble, fresh_layout):
    """Everything that must stand before a process starts."""
    runtime.need_zookeeper(ensemble.options.zk_version)
    if any(ensemble.plugin.values()):
        runtime.need_plugin(ensemble)
    if ensemble.options.netns:
        if not ensemble.net:
            ensemble.use_net(net.free_subnet(ensemble.dir))
            ensemble.save()
        ensemble.net.up([server.id for server in ensemble.members])
    else:
        ensemble.net = None
    if not ensemble.options.base_port:
        _pick_base_port(ensemble)
    if ensemble.options.tls:
        tls.make(ensemble)
        zoocfg.write_client_config(ensemble)
    ensemble.save()
    for server in ensemble.members:
        if process.pid_of(server) is None:
            zoocfg.write(server, keep_dynamic=not fresh_layout)


def _check_ports(servers):
    for server in servers:
        busy = [port for port in server.ports if not server.ensemble.net and not _bindable(server.host, port)]
        if busy:
            raise SandboxError("PORT", f"port {busy[0]} of server {server.id} is in use", "give another --base-port, or stop what uses it")


def _launch_and_wait(servers):
    starts = []
    try:
        for server in servers:
            starts.append((server, *process.launch(server)))
        return probe.wait(starts)
    except (SandboxError, KeyboardInterrupt):
        for _, child, _ in starts:
            if child.poll() is None:
                child.terminate()
        process.end([server for server, _, _ in starts], grace=3.0)
        raise


def start(args):
    ensemble = Ensemble(args.dir)
    given = {name: getattr(args, name) for name in vars(ensemble.options) if getattr(args, name, None) is not None}
    with ensemble.lock():
        running = {server.id for server in ensemble.members if process.pid_of(server)}
        changed = _merge(ensemble, given, args.plugin, running)
        if running and changed:
            raise SandboxError("RUNNING", f"servers run in {ensemble.dir} and these options differ: {', '.join(sorted(changed))}",
                               f"gk-sandbox stop --dir {args.dir}")
        _prepare(ensemble, fresh_layout=bool(changed & set(LAYOUT)))
        todo = [server for server in ensemble.members if server.id not in running]
        _check_ports(todo)
        modes = _launch_and_wait(todo)
    for server in ensemble.members:
        mode = modes.get(server.id) or probe.srvr(server) or "none"
        print(f"server {server.id}: {mode}, pid {process.pid_of(server)}, {server.address('client')}, log {server.log}")
    print(f"connect={ensemble.connect()}")


# ---- looking ----

def _describe(server):
    pid = process.pid_of(server)
    paused = pid is not None and process.is_paused(pid)
    if pid is None:
        state = "stopped"
    elif paused:
        state = "paused"
    else:
        state = "partitioned" if server.id in server.ensemble.partitioned else "running"
    mode = probe.srvr(server) if pid is not None and not paused else None
    return {"id": server.id, "pid": pid, "state": state, "mode": mode if mode and mode != "read-only" else "none", "plugin": server.plugin,
            "client": server.address("client"), "secure": server.address("secure") if server.ensemble.options.tls else None,
            "admin": server.address("admin")}


def status(args):
    ensemble = Ensemble.existing(args.dir)
    servers = [_describe(server) for server in ensemble.members]
    if args.json:
        print(json.dumps({"connect": ensemble.connect(), "servers": servers}))
        return
    for entry in servers:
        print(f"server {entry['id']}: {entry['state']}, {entry['mode']}, plugin {'on' if entry['plugin'] else 'off'}, "
              f"pid {entry['pid'] or '-'}, {entry['client']}")
    print(f"connect={ensemble.connect()}")


def env(args):
    values = runtime.environment(Ensemble(args.dir))
    if args.json:
        print(json.dumps(values))
    else:
        print("\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items()))


def logs(args):
    server = Ensemble.existing(args.dir).member(args.server)
    if not server.log.exists():
        raise SandboxError("NOLOG", f"server {server.id} has written no log yet", f"gk-sandbox start --dir {args.dir}")
    with open(server.log, errors="replace") as handle:
        shutil.copyfileobj(handle, sys.stdout)
        while args.follow:
            sys.stdout.flush()
            time.sleep(0.2)
            shutil.copyfileobj(handle, sys.stdout)


# ---- changing ----

def _report(args, what, value):
    print(json.dumps({what: value}) if args.json else f"{what}: {' '.join(map(str, value)) or 'none'}")


def stop(args):
    ensemble = Ensemble(args.dir)
    if not ensemble.known:
        print(f"gk-sandbox: {args.dir} holds no sandbox: nothing to stop", file=sys.stderr)
        _report(args, "stopped", [])
        return
    with ensemble.lock():
        ended = process.end(ensemble.members)
        if ensemble.net:
            ensemble.net.down()
        ensemble.partitioned.clear()
        ensemble.save()
    _report(args, "stopped", ended)


def _signal(args, number, word):
    server = Ensemble.existing(args.dir).member(args.server)
    pid = process.signal_server(server, number)
    if pid is None:
        raise SandboxError("NOTRUNNING", f"server {server.id} does not run", f"gk-sandbox restart --dir {args.dir} {server.id}")
    if number == signal.SIGKILL:
        while not process.is_gone(pid):
            time.sleep(0.01)
    print(f"server {server.id}: {word}, pid {pid}")


def kill(args):
    _signal(args, signal.SIGKILL, "killed")


def pause(args):
    _signal(args, signal.SIGSTOP, "paused")


def resume(args):
    _signal(args, signal.SIGCONT, "resumed")


def partition(args):
    ensemble = Ensemble.existing(args.dir)
    server = ensemble.member(args.server)
    if not ensemble.net:
        raise SandboxError("NONETNS", "this sandbox has no network to cut", "start it with --netns")
    with ensemble.lock():
        if server.id not in ensemble.partitioned:
            ensemble.net.cut(server.id)
            ensemble.partitioned.add(server.id)
            ensemble.save()
    print(f"server {server.id}: partitioned")


def heal(args):
    ensemble = Ensemble.existing(args.dir)
    with ensemble.lock():
        healed = sorted(ensemble.partitioned)
        for ident in healed:
            ensemble.net.join(ident)
        ensemble.partitioned.clear()
        ensemble.save()
    _report(args, "healed", healed)


def _has_quorum(ensemble, server):
    voters = [peer for peer in ensemble.members if not peer.observer]
    able = [peer for peer in voters if peer.id == server.id or (process.pid_of(peer) and not process.is_paused(process.pid_of(peer)))]
    able = [peer for peer in able if peer.id not in ensemble.partitioned]
    return server.id not in ensemble.partitioned and len(able) > len(voters) // 2


def _launch_alone(server):
    """Without a quorum nobody serves; then a process that stays alive for two seconds is all there is to wait for."""
    child, begin = process.launch(server)
    try:
        child.wait(2.0)
    except subprocess.TimeoutExpired:
        return "none (no quorum yet)"
    raise SandboxError("DIED", f"server {server.id} ended: {probe.reason(server, begin)}", f"the log is {server.log}")


def restart(args):
    ensemble = Ensemble.existing(args.dir)
    server = ensemble.member(args.server)
    with ensemble.lock():
        process.end([server])
        if args.plugin is not None:
            ensemble.plugin[server.id] = args.plugin
        if server.plugin:
            runtime.need_plugin(ensemble)
        if ensemble.net:
            ensemble.net.up([peer.id for peer in ensemble.members])
        ensemble.save()
        zoocfg.write(server)
        _check_ports([server])
        mode = _launch_and_wait([server])[server.id] if _has_quorum(ensemble, server) else _launch_alone(server)
    print(f"server {server.id}: {mode}, pid {process.pid_of(server)}, plugin {'on' if server.plugin else 'off'}")
