"""gk-demo: what Groupkeeper promises, shown on three real servers with stock clients."""
VERSION = "0.1.0"
