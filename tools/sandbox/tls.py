"""A CA, a certificate for each server and one for clients, by the openssl program. For sandboxes only."""
import os
import secrets
import subprocess

from . import SandboxError

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*args):
    try:
        done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SandboxError("NOOPENSSL", f"openssl can't be run: {error}", "run 'make deps'") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise SandboxError("OPENSSL", f"openssl {args[0]} failed: {lines[-1] if lines else 'no message'}", "is the directory writable?")


def _make_ca(tls):
    _openssl("req", "-x509", *NEW_KEY, "-days", 3650, "-subj", "/CN=gk-sandbox CA", "-keyout", tls / "ca.key", "-out", tls / "ca.pem",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def _issue(tls, name, san):
    """NAME.key, NAME.pem (certificate), NAME.store.pem (both, as ZooKeeper's PEM key store wants it), NAME.p12."""
    key, cert, request = tls / f"{name}.key", tls / f"{name}.pem", tls / f"{name}.csr"
    extensions = tls / f"{name}.ext"
    extensions.write_text(f"basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={san}\n")
    _openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key", "-CAcreateserial", "-days", 3650,
             "-extfile", extensions, "-out", cert)
    (tls / f"{name}.store.pem").write_text(key.read_text() + cert.read_text())
    _openssl("pkcs12", "-export", "-inkey", key, "-in", cert, "-name", name, "-passout", f"file:{tls / 'password'}",
             "-out", tls / f"{name}.p12")
    request.unlink()


def make(ensemble):
    """Makes what is missing; a server whose addresses changed gets a new certificate."""
    tls = ensemble.dir / "tls"
    tls.mkdir(exist_ok=True)
    mask = os.umask(0o077)
    try:
        if not (tls / "password").exists():
            (tls / "password").write_text(secrets.token_hex(16))
        if not (tls / "ca.pem").exists():
            _make_ca(tls)
        if not (tls / "client.p12").exists():
            _issue(tls, "client", "DNS:localhost,IP:127.0.0.1")
        for server in ensemble.members:
            addresses = sorted({"127.0.0.1", server.host, server.quorum_host})
            san = ",".join(["DNS:localhost"] + [f"IP:{a}" for a in addresses])
            extensions = tls / f"server-{server.id}.ext"
            if not extensions.exists() or san not in extensions.read_text():
                _issue(tls, f"server-{server.id}", san)
    finally:
        os.umask(mask)


def server_stores(server, prefix):
    tls = server.ensemble.dir / "tls"
    return {f"{prefix}.keyStore.location": tls / f"server-{server.id}.store.pem", f"{prefix}.keyStore.type": "PEM",
            f"{prefix}.trustStore.location": tls / "ca.pem", f"{prefix}.trustStore.type": "PEM"}


def client_stores(ensemble):
    tls = ensemble.dir / "tls"
    return {"ssl.keyStore.location": tls / "client.store.pem", "ssl.keyStore.type": "PEM",
            "ssl.trustStore.location": tls / "ca.pem", "ssl.trustStore.type": "PEM"}
