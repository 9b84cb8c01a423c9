"""Apache ZooKeeper's own Java tests."""
import subprocess

from .common import DEPS, OUT
from .junit import Junit

NAME = "zookeeper"
TESTS = DEPS / "zookeeper-tests-3.9.5"
SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="  # what Apache's build sets for its tests


def test_data():
    """The key stores that Apache's tests look for in their source tree, with their password, made here."""
    data = OUT / "testdata"
    ssl = data / "ssl"
    if not (ssl / "testTrustStore.jks").exists():
        ssl.mkdir(parents=True, exist_ok=True)
        keytool("-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=localhost,OU=ZooKeeper,O=Apache,L=Unknown,ST=Unknown,C=Unknown", "-ext", "SAN=DNS:localhost,IP:127.0.0.1",
                "-validity", "3650", "-keypass", "testpass", "-keystore", ssl / "testKeyStore.jks")
        keytool("-exportcert", "-rfc", "-keystore", ssl / "testKeyStore.jks", "-file", ssl / "test.cer")
        keytool("-importcert", "-file", ssl / "test.cer", "-keystore", ssl / "testTrustStore.jks")
    return data


def keytool(*words):
    subprocess.run(["keytool", *words, "-alias", "test", "-storepass", "testpass", "-noprompt"], check=True, capture_output=True)


def options(directory):
    agent = next(TESTS.glob("jmockit-*.jar"))
    return [f"-javaagent:{agent}", f"-Dbuild.test.dir={directory}", f"-Dtest.data.dir={test_data()}",
            f"-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER}"]


SUITE = Junit(NAME, TESTS, "org.apache.zookeeper", options)
run_side = SUITE.run_side
