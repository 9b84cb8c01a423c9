"""zoo.cfg and what stands beside it. Written anew before each start, because ZooKeeper rewrites the file itself after a reconfig."""
from .runtime import PLUGIN_FACTORY, plugin_properties
from .tls import client_stores, server_stores

FACTORIES = {"netty": "org.apache.zookeeper.server.NettyServerCnxnFactory", "nio": "org.apache.zookeeper.server.NIOServerCnxnFactory"}
LOGBACK = """<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5p [%t] %c{0}: %m%n</pattern></encoder>
  </appender>
  <root level="${zookeeper.log.level:-INFO}"><appender-ref ref="OUT"/></root>
</configuration>
"""


def _dynamic_file(server):
    """After a reconfig the server list lives in a file of its own, which zoo.cfg then names: that one counts."""
    if not server.cfg.exists():
        return None
    for line in server.cfg.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "dynamicConfigFile":
            return value.strip()
    return None


def _peer_lines(ensemble):
    for peer in ensemble.members:
        role = ":observer" if peer.observer else ""
        yield f"server.{peer.id}", f"{peer.quorum_host}:{peer.port('quorum')}:{peer.port('election')}{role}"


def _settings(server):
    ensemble = server.ensemble
    options = ensemble.options
    settings = {
        "tickTime": "500", "initLimit": "20", "syncLimit": "10", "maxSessionTimeout": "60000",
        "dataDir": server.data, "dataLogDir": server.datalog,
        "clientPort": server.port("client"), "clientPortAddress": server.host,
        "maxClientCnxns": "0", "syncEnabled": "true", "4lw.commands.whitelist": "*", "extendedTypesEnabled": "true",
        "admin.serverAddress": server.host, "admin.serverPort": server.port("admin"),
    }
    if options.tls:
        settings |= {"secureClientPort": server.port("secure"), "secureClientPortAddress": server.host, **server_stores(server, "ssl")}
    if not ensemble.standalone:
        settings |= dict(_peer_lines(ensemble))
        settings["standaloneEnabled"] = "true" if options.servers > 1 else "false"
        if server.observer:
            settings["peerType"] = "observer"
        if options.tls:
            settings |= {"sslQuorum": "true", **server_stores(server, "ssl.quorum")}
    if server.plugin:
        settings |= plugin_properties(ensemble)
    else:
        settings["serverCnxnFactory"] = FACTORIES[options.factory or "netty"]
    return settings


def _with_user_settings(settings, server):
    for pair in server.ensemble.options.set:
        key, _, value = pair.partition("=")
        key = key.removeprefix("zookeeper.")
        if not server.plugin and (key.startswith("groupkeeper.") or value == PLUGIN_FACTORY):
            continue
        settings[key] = value
    return settings


def write(server, keep_dynamic=True):
    server.data.mkdir(parents=True, exist_ok=True)
    server.datalog.mkdir(parents=True, exist_ok=True)
    settings = _with_user_settings(_settings(server), server)
    dynamic = _dynamic_file(server) if keep_dynamic else None
    if dynamic:
        old = {line.partition("=")[0] for line in server.cfg.read_text().splitlines()}
        movable = {key for key in settings if key.startswith("server.") or key in ("clientPort", "clientPortAddress", "peerType")}
        settings = {key: value for key, value in settings.items() if key not in movable - old}
        settings["dynamicConfigFile"] = dynamic
    lines = ["# Written by gk-sandbox before each start; use its --set to change something."]
    # ZooKeeper takes each key that begins with "group" for a part of a hierarchical quorum: the plugin's stand under their property's name.
    settings = {"zookeeper." + key if key.startswith("groupkeeper.") else key: value for key, value in settings.items()}
    server.cfg.write_text("\n".join(lines + [f"{key}={value}" for key, value in settings.items()]) + "\n")
    (server.dir / "logback.xml").write_text(LOGBACK)
    if not server.ensemble.standalone:
        (server.data / "myid").write_text(f"{server.id}\n")


def write_client_config(ensemble):
    """tls/client.cfg: for `zkCli -client-configuration`, and for any Java client as ZKClientConfig."""
    settings = {"zookeeper.client.secure": "true", "zookeeper.clientCnxnSocket": "org.apache.zookeeper.ClientCnxnSocketNetty",
                **{f"zookeeper.{key}": value for key, value in client_stores(ensemble).items()}}
    (ensemble.dir / "tls" / "client.cfg").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
