"""Errors know whether anything was sent: a rate limiter takes back the ticket of a request that was not.

Nobody knows that but whoever sends, for a key or an image may fail in the middle of it.
"""

from __future__ import annotations

from types import TracebackType

from embedbridge.contract.errors import EmbedBridgeError


class Sent:
    """What fails inside has this `never_sent`; nesting is allowed, and the outer one decides."""

    __slots__ = ("_never_sent",)

    def __init__(self, *, never_sent: bool) -> None:
        self._never_sent = never_sent

    def __enter__(self) -> None:
        """Nothing is kept: tasks and threads share the object."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, EmbedBridgeError):
            error.never_sent = self._never_sent


NOTHING_SENT = Sent(never_sent=True)
"""`with NOTHING_SENT:` around what a request needs before it goes out: a client, a key, a body."""
SOMETHING_SENT = Sent(never_sent=False)
"""`with SOMETHING_SENT:` around what is done when one request of `embed_batch` has gone out already."""
