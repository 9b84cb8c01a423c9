"""gk-sandbox: starts, breaks and mends ensembles of unmodified ZooKeeper servers on one machine."""
from pathlib import Path

VERSION = "0.1.0"
TOOL = "gk-sandbox"
ROOT = Path(__file__).resolve().parents[2]
DEFAULT_ZK_VERSION = "3.9.5"


class SandboxError(Exception):
    """What the user sees on stderr: `gk-sandbox: error: CODE: text (hint: what to do)`."""

    def __init__(self, code, text, hint, status=1):
        super().__init__(text)
        self.code, self.text, self.hint, self.status = code, text, hint, status

    def __str__(self):
        return f"{TOOL}: error: {self.code}: {self.text} (hint: {self.hint})"
