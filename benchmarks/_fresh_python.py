"""Fresh processes that start as an installed package does."""

from __future__ import annotations

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """This process's, in which Python may keep bytecode: pip compiles what it installs.

    Without it, each process would compile the sources of this repository anew.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
