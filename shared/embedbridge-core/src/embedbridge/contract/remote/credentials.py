"""Credential validation: where keys and tokens come from, and whether they can be right.

A key that cannot be right is refused before anything is sent, with what to do about it.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from types import MethodType
from typing import Any, TypeAlias

from pydantic import SecretStr

from embedbridge.contract.by_identity import ByIdentity
from embedbridge.contract.errors import AuthenticationError, InvalidKeyError
from embedbridge.contract.remote.key_shapes import vendor_of
from embedbridge.contract.remote.sending import NOTHING_SENT
from embedbridge.contract.remote.vendor import Vendor

Credential: TypeAlias = "str | Callable[[], Awaitable[str]]"
"""A key or token: itself, or a function that is asked before each request."""

PLACEHOLDER = re.compile(r"[$<{%]|(?:sk-)?your[-_ ]|.*\.\.\.", re.IGNORECASE)
VISIBLE_ASCII = re.compile(r"[!-~]+")
SALT = os.urandom(16)
"""Random for each process: without it, a digest cannot be compared with guessed keys."""
SHORTEST_KEY = 20
"""Characters; the vendors' own keys have 32 and more."""

_counter = itertools.count(1)
_numbers: ByIdentity[int] = ByIdentity()  # of functions and clients


def checked_key(key: object, *, hint: str, vendor: Vendor | None = None) -> str:
    """The key, if it can be one.

    Args:
        key: What was set, or fetched.
        hint: What to do about it.
        vendor: The vendor, if the key goes to that vendor's own server.

    Raises:
        InvalidKeyError: It cannot; the message does not repeat it.
    """
    if key is None:
        raise InvalidKeyError("There is no API key.", hint=hint)
    if isinstance(key, SecretStr):
        key = key.get_secret_value()
    if not isinstance(key, str):
        raise InvalidKeyError(f"The API key is {type(key).__name__}, not text.", hint=hint)
    problem = _problem(key) or (vendor and _foreign(key, vendor))
    if problem:
        raise InvalidKeyError(f"The API key {problem}.", hint=hint)
    return key


def _problem(key: str) -> str | None:
    if not key.strip():
        return "is empty"
    if key != key.strip() or key[0] in "'\"":
        return "begins or ends with white space or a quote"
    if PLACEHOLDER.match(key):
        return "is a placeholder, not a key"
    if key.lower().startswith("bearer"):
        return "begins with 'Bearer', which is added by itself"
    if not VISIBLE_ASCII.fullmatch(key):
        return "holds white space or characters that no HTTP header can hold"
    return None


def _foreign(key: str, vendor: Vendor) -> str | None:
    owner = vendor_of(key, dict.fromkeys(vendor.key_starts, vendor.name))
    if owner not in (None, vendor.name):
        return f"looks like one of {owner}, and {vendor.name}'s server would refuse it"
    return f"has only {len(key)} characters" if len(key) < SHORTEST_KEY else None


def fetched(fetch: Callable[[], Any], check: Callable[[object], str]) -> Credential:
    """The function of a user as a client takes it: async, never blocking, and checked.

    Args:
        fetch: Sync or async; a sync one may block, for example on a vault, so it runs in a thread.
        check: Looks at what it returned.
    """

    async def provide() -> str:
        with NOTHING_SENT:
            return check(await ask())

    async def ask() -> object:
        try:
            if inspect.iscoroutinefunction(fetch):
                return await fetch()
            key = await asyncio.to_thread(fetch)
            return await key if inspect.isawaitable(key) else key
        except Exception as error:
            # Told apart from a failure of the vendor's server, which it might look like.
            raise AuthenticationError(
                f"The function that fetches the key failed with {type(error).__name__}.",
                hint="The cause is attached (`__cause__`).",
            ) from error

    return provide


def digest(*parts: object) -> str:
    """Stands for credentials without being one: equal in this process where they are equal."""
    text = "\0".join(map(_plain, parts))
    return hashlib.blake2b(text.encode(), key=SALT, digest_size=16).hexdigest()


def _plain(part: object) -> str:
    if isinstance(part, SecretStr):
        return part.get_secret_value()
    if isinstance(part, Mapping):
        return repr(sorted((name, _plain(value)) for name, value in part.items()))
    if part is None or isinstance(part, str):
        return part or ""
    # A function or a client stands for itself alone, also after its end: its `id` has another one then.
    if isinstance(part, MethodType):  # made anew each time that it is asked for
        return f"{_plain(part.__self__)}.{_plain(part.__func__)}"
    return str(_numbers.get(part, _counter.__next__))
