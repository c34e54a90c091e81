"""Provenance: how vectors were made. It stands in every file that holds them, and in a store beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from embedbridge.contract.errors import SpaceMismatchError
from embedbridge.contract.vocabulary import Role, Task

FORMAT_VERSION = "1"
PREFIX = "embedbridge."
"""How the keys of our metadata begin, in a schema, in a Parquet file and in a store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How vectors were made. `Embedder.check_compatible` takes it.

    Example:
        embedder.check_compatible(read_provenance("vectors"))
    """

    space: str
    """Which vectors they may be compared with."""
    fingerprint: str
    """Exactly how they were made."""
    role: Role
    """Which side of a search they are."""
    task: Task | None = None
    """The task that the model was told, if any."""

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, str] | Mapping[bytes, bytes] | None
    ) -> Provenance:
        """What a schema of Arrow, or the metadata of a store, says.

        Args:
            metadata: Keys and values, texts or bytes; other keys do not matter.

        Raises:
            SpaceMismatchError: It says nothing about its vectors.
        """
        facts = {_text(key): value for key, value in (metadata or {}).items()}
        try:
            space, fingerprint, role = (
                _text(facts[f"{PREFIX}{name}"]) for name in ("space", "fingerprint", "role")
            )
        except KeyError as missing:
            raise SpaceMismatchError(
                f"The metadata does not say how its vectors were made: it has no {missing}.",
                hint="Keep `read_provenance(folder).to_metadata()` with the vectors.",
            ) from None
        task = _text(facts.get(f"{PREFIX}task") or "") or None
        return cls(
            space=space, fingerprint=fingerprint, role=cast("Role", role), task=cast("Task", task)
        )

    def to_metadata(self) -> dict[str, str]:
        """As texts, by keys that begin with `embedbridge.`: what a store can keep."""
        return {f"{PREFIX}{name}": value for name, value in self.described().items()}

    def described(self) -> dict[str, str]:
        """As texts, by the names of its fields."""
        facts = {"space": self.space, "fingerprint": self.fingerprint, "role": self.role}
        return {**facts, "task": self.task or "", "version": FORMAT_VERSION}


def facts_of(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """What of ours the metadata of a file or a schema says, without the beginning of the keys."""
    texts = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (metadata or {}).items()
    }
    return {key.removeprefix(PREFIX): text for key, text in texts.items() if key.startswith(PREFIX)}


def say_how_made(facts: Mapping[str, str]) -> bool:
    """Whether facts are of vectors that a bulk job made."""
    return {"space", "fingerprint", "version"} <= set(facts)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
