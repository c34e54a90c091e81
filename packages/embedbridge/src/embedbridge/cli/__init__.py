"""The command line `embedbridge`: each command has a folder, or a file where one is enough.

app.py                                    the commands, error handling, exit codes
embed/ run/ demo/ doctor/ export/ new/    the larger commands
cache.py check.py providers.py            the smaller ones
options.py tables.py                      what several of them share
"""

from embedbridge.cli.app import main

__all__ = ["main"]
