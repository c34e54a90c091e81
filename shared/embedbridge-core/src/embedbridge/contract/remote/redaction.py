"""Redaction of secrets in messages: servers and libraries repeat keys in their errors.

Hidden are the secrets that are known, in several spellings and in pieces, and everything that looks
like a key of a well-known vendor.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from embedbridge.contract.remote.key_shapes import KEY_LIKE

HIDDEN = "[hidden]"
SHORTEST = 6
"""Shorter values are no secrets, and hiding them would garble every message."""
BEGINNING = 8
"""Characters from the beginning of a secret that do not come by chance."""
MIDDLE = 12
"""The same from anywhere in it."""
MAX_QUOTED = 2000
"""Characters of a server's message that are looked at; fewer are shown in the end."""
WORD = re.compile(r"[^\s\"'<>,;]*")
"""What a secret's piece belongs to, up to where the message goes on."""


class Secrets:
    """The secrets that one client has used, hidden where they or pieces of them appear."""

    def __init__(self) -> None:
        # A key that is fetched changes now and then, and a server repeats a recent one.
        self._known: deque[tuple[str, list[str]]] = deque(maxlen=16)

    def add(self, secret: str) -> None:
        """Hide this from now on, as it is and as URLs, Python and base64 spell it."""
        if len(secret) >= SHORTEST and all(secret != known for known, _ in self._known):
            self._known.append((secret, list(dict.fromkeys(_spellings(secret)))))

    def hide(self, text: str, most: int = MAX_QUOTED) -> str:
        """The beginning of the text, without any of them."""
        return _redacted(text[:most], [one for _, found in self._known for one in found])


def hide(text: str, secrets: Iterable[str]) -> str:
    """The whole text without any of these secrets, and without what looks like a key."""
    known = [secret for secret in secrets if len(secret) >= SHORTEST]
    return _redacted(text, [one for secret in known for one in _spellings(secret)])


def _redacted(text: str, spellings: list[str]) -> str:
    text = KEY_LIKE.sub(HIDDEN, text)
    if not spellings:
        return text
    for short in (spelling for spelling in spellings if len(spelling) < BEGINNING):
        text = text.replace(short, HIDDEN)
    beginnings = {spelling[:BEGINNING] for spelling in spellings if len(spelling) >= BEGINNING}
    middles = {
        spelling[start : start + MIDDLE]
        for spelling in spellings
        for start in range(len(spelling) - MIDDLE + 1)
    }
    kept, offset = [], 0
    while offset <= len(text) - BEGINNING:
        piece = text[offset : offset + MIDDLE]
        if piece[:BEGINNING] in beginnings or piece in middles:
            kept.append(HIDDEN)
            offset = _end_of_word(text, offset)
        else:
            kept.append(text[offset])
            offset += 1
    return "".join([*kept, text[offset:]])


def _end_of_word(text: str, offset: int) -> int:
    word = WORD.match(text, offset)
    return max(offset + BEGINNING, word.end() if word else 0)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield secret.encode("unicode_escape").decode()
    # Within a longer text, base64 may begin at any of three places of its groups.
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        yield base64.b64encode(b" " * shift + secret.encode()).decode()[lost:]
        yield base64.urlsafe_b64encode(b" " * shift + secret.encode()).decode()[lost:]
