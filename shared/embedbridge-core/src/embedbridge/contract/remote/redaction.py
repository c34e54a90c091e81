"""What must not be read in a message: servers repeat keys in their errors."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
SHORTEST = 8
"""Shorter values are no secrets, and hiding them would garble every message."""
TELLING = 12
"""Characters from the middle of a secret that do not come by chance."""
MAX_QUOTED = 2000
"""Characters of a server's message that are looked at; fewer are shown in the end."""
WORD = re.compile(r"[^\s\"'<>,;]*")
"""What a secret's piece belongs to, up to where the message goes on."""
KEY_LIKE = re.compile(r"\b(?:sk|sess)-[\w-]{8,}")
"""A key by its looks, also one that we never saw, such as a gateway's own."""


class Secrets:
    """The secrets that one client has used, hidden where they or pieces of them appear."""

    def __init__(self) -> None:
        # A key that is fetched changes now and then, and a server repeats a recent one.
        self._known: deque[tuple[str, list[str]]] = deque(maxlen=16)

    def add(self, secret: str) -> None:
        """Hide this from now on, as it is and as URLs, Python and base64 spell it."""
        if len(secret) >= SHORTEST and all(secret != known for known, _ in self._known):
            self._known.append((secret, list(dict.fromkeys(_spellings(secret)))))

    def hide(self, text: str) -> str:
        """The beginning of the text, without any of them."""
        text = KEY_LIKE.sub(HIDDEN, text[:MAX_QUOTED])
        spellings = [spelling for _, found in self._known for spelling in found]
        beginnings = {spelling[:SHORTEST] for spelling in spellings}
        everything = "\n".join(spellings)
        kept, place = [], 0
        while place <= len(text) - SHORTEST:
            piece = text[place : place + TELLING]
            if piece[:SHORTEST] in beginnings or (len(piece) == TELLING and piece in everything):
                kept.append(HIDDEN)
                place = _end_of_word(text, place)
            else:
                kept.append(text[place])
                place += 1
        return "".join([*kept, text[place:]])


def _end_of_word(text: str, place: int) -> int:
    word = WORD.match(text, place)
    return max(place + SHORTEST, word.end() if word else 0)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield secret.encode("unicode_escape").decode()
    # Within a longer text, base64 may begin at any of three places of its groups.
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        yield base64.b64encode(b" " * shift + secret.encode()).decode()[lost:]
        yield base64.urlsafe_b64encode(b" " * shift + secret.encode()).decode()[lost:]
