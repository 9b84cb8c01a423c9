"""Curator's own tests: its TestingServer starts servers in the JVM of the tests, with JMX off."""
from .common import DEPS
from .junit import Junit

NAME = "curator"
TESTS = DEPS / "curator-tests-5.9.0"


def options(directory):
    return [f"-Djava.io.tmpdir={directory}"]


SUITE = Junit(NAME, TESTS, "org.apache.curator.framework", options)
run_side = SUITE.run_side
