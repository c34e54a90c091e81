"""Keyword arguments of `Embedder.using`, written out for editors and type checkers."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

from embedbridge.core.cache.base import VectorCache
from embedbridge.core.remote.limit import Limiter
from embedbridge.core.settings import SettingArguments


class Changes(SettingArguments, total=False):
    """What `Embedder.using` changes: settings, and what an embedder works with."""

    cache: VectorCache | str | PathLike[str] | bool | None
    """Where vectors are kept; `None` or `False` for nowhere."""
    limiter: Limiter | None
    """How fast requests may go out."""
    listeners: Iterable[object] | None
    """Who hears the events, in place of those who did; `None` for nobody."""
