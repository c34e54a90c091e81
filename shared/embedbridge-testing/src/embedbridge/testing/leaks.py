"""Looking for a secret in whatever is shown, logged, raised or written down."""

from __future__ import annotations

import base64
import pickle
import traceback
import urllib.parse
from collections.abc import Iterable, Iterator

from embedbridge.testing.faults import Exchange, Fault

SHORTEST = 8
"""Characters of a part of a secret that are worth looking for: fewer stand anywhere by chance."""


def spellings(secret: str) -> Iterator[str]:
    """A secret as logs, headers and URLs may spell it, and the beginning of it."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield from filter(lambda spelled: len(spelled) >= SHORTEST, _in_base64(secret.encode()))
    yield repr(secret)[1:-1]
    yield secret[: max(SHORTEST, len(secret) // 2)]


def _in_base64(secret: bytes) -> Iterator[str]:
    """A secret within a longer text, as the password of HTTP's basic authentication stands behind a user.

    Three bytes become four characters: it begins at one of three places of a group, and what its first
    and last character share with a neighbour is left out.
    """
    for shift, shared in ((0, 0), (1, 2), (2, 3)):
        end = -1 if (shift + len(secret)) % 3 else None
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b" " * shift + secret).decode().rstrip("=")[shared:end]


def leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """The spellings of any of the secrets that stand in a text."""
    return [spelled for secret in secrets for spelled in spellings(secret) if spelled in text]


def everything_about(error: BaseException) -> str:
    """What logs, reports and debuggers show of an exception and all that it hangs on."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or any(found is other for other in seen):
            continue
        seen.append(found)
        waiting += [found.__cause__, found.__context__]
    parts = [str(part) + repr(part) + repr(part.args) + repr(vars(part)) for part in seen]
    return "".join(
        [*parts, *traceback.format_exception(error), pickle.dumps(error).decode("latin-1")]
    )


def echoing(status: int, secrets: Iterable[str]) -> Fault:
    """A server that repeats every header of the request, and the secrets in every spelling."""
    told = [spelled for secret in secrets for spelled in spellings(secret)]

    async def play(exchange: Exchange) -> None:
        headers = [f"{name}={value}" for name, value in exchange.request.headers.items()]
        message = " | ".join([*told, *headers])
        if status == 200:
            body = exchange.wire.error(message)
            await exchange.connection.respond(200, body, headers={"content-type": "text/json+json"})
        else:
            await exchange.refuse(status, message)

    return Fault(f"echo-{status}", play)
