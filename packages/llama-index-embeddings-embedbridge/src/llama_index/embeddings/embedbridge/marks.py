"""Marks: what is written down of a model beside its configuration, for caches that know nothing else.

A pipeline's cache knows a model by what is written down of it. That a name and options do not say
everything is the rule for an object that was bridged, for a model of a user's own, for a server that
the environment names, and for a folder. Marks are no arguments: they are read by nobody.
"""

from __future__ import annotations

from contextlib import suppress

from embedbridge.contract import EmbedBridgeError
from embedbridge.contract.local import LazyModel
from embedbridge.core import Embedder
from embedbridge.core.adapting import files_mark

FILES = "embedder_files"
"""The state of the files of a model in a folder."""
FINGERPRINT = "embedder_fingerprint"
"""The fingerprint of an embedder, which is how its vectors are made."""

MARKS = frozenset({FILES, FINGERPRINT})


def marks(embedder: Embedder) -> dict[str, str]:
    """The marks of an embedder, by their names. No weights are loaded, and no server is asked."""
    found: dict[str, str] = {}
    files = files_mark(embedder.model)
    if files is not None:
        found[FILES] = files
    # A model that is loaded from files tells its fingerprint only then, and its files tell as much.
    if not isinstance(embedder.model, LazyModel):
        with suppress(EmbedBridgeError):  # its address is not known, say: then it makes no vector
            found[FINGERPRINT] = embedder.fingerprint
    return found
