"""Name validation: which names a new provider may have."""

from __future__ import annotations

import keyword
import re

from embedbridge.core.tooling import BUNDLED, DISTRIBUTIONS, OBJECTS

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""A part of a distribution's name (PEP 508), of a module's name, and of `provider:model`."""
MAX_LENGTH = 24
RESERVED = frozenset({*DISTRIBUTIONS, *OBJECTS, *BUNDLED, "bulk", "core", "none", "testing"})
"""Ours, and those of our other distributions."""


def problem_with(name: str) -> str | None:
    """Why a provider cannot have this name; `None` if it can."""
    if name.startswith("embedbridge-"):
        return f"the package becomes embedbridge-NAME by itself: write {name[12:]!r}"
    if not NAME.fullmatch(name) or len(name) > MAX_LENGTH:
        near = "-".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789-")
        hint = f"; for example {near[:MAX_LENGTH]!r}" if near else ""
        return (
            f"a name has lower-case letters, digits and single hyphens, begins with a letter, and "
            f"has at most {MAX_LENGTH} characters{hint}"
        )
    if name in RESERVED:
        return f"{name!r} is reserved for a provider of embedbridge's own"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"{name!r} is a word of Python's own, which no module can be named after"
    return None
