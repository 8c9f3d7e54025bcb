"""The command line: one small file a command, and the only place that wires the floors together."""

from stepalign.cli.main import main

__all__ = ["main"]
