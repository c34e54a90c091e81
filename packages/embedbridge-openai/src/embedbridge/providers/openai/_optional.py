"""Fields of a request that a server may not know: left out after a refusal, and remembered.

`encoding_format` goes from base64 (four times smaller and faster) to float, then away. `user` can be
left out as well, and `dimensions` where the model's own width was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from embedbridge.contract.batch import Batch
from embedbridge.contract.remote import read_refusal

STATUSES = frozenset({400, 404, 415, 422})
"""With which servers refuse a field."""
FORMATS = ("base64", "float", None)
"""Of vectors, the best first; `None` leaves the field out."""
WORDS = {
    "encoding_format": r"encoding_?format|base64",
    "dimensions": r"\bdimensions?\b|matryoshka",
    "user": r"\buser\b",
}
"""How refusals name the fields."""


@dataclass(slots=True)
class OptionalFields:
    """Which optional fields one server takes; found out once for each client."""

    format: int = 0
    """Index in `FORMATS`."""
    unknown: set[str] = field(default_factory=set)
    """Fields that the server does not know."""

    def fields(self, batch: Batch, user: str | None) -> dict[str, Any]:
        """What to send with a batch."""
        wanted = {
            "encoding_format": FORMATS[self.format],
            "dimensions": batch.dimensions,
            "user": user,
        }
        return {
            name: value
            for name, value in wanted.items()
            if value is not None and name not in self.unknown
        }

    def refused(self, status: int, body: object, sent: dict[str, Any]) -> str | None:
        """The field of `sent` that a refusal blames, if any.

        Args:
            status: Of the refusal.
            body: What the server said.
            sent: What `fields` gave for that request.
        """
        if status not in STATUSES:
            return None
        said = read_refusal(body)
        named = f"{said.field or ''} {said.message}"
        for name, pattern in WORDS.items():
            if name in sent and re.search(pattern, named, re.IGNORECASE):
                return name
        return None

    def give_up(self, name: str, sent: dict[str, Any]) -> None:
        """Ask another way from now on, or not at all.

        Args:
            name: Of the field.
            sent: What `fields` gave for the request that was refused.
        """
        if name == "encoding_format":
            # Another request may have learned it meanwhile.
            tried = FORMATS.index(sent[name])
            self.format = max(self.format, tried + 1)
        else:
            self.unknown.add(name)

    def answered(self, *, base64: bool) -> None:
        """Do not ask a server for base64 again that answers numbers all the same."""
        if FORMATS[self.format] == "base64" and not base64:
            self.format = FORMATS.index("float")
