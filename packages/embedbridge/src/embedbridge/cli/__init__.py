"""The command line: `embedbridge providers`, `embedbridge embed` and `embedbridge demo`."""

from embedbridge.cli.app import main

__all__ = ["main"]
