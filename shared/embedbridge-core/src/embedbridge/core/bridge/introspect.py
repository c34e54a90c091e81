"""Introspection of a foreign object: its model's name, its configuration, its secrets."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from embedbridge.contract.remote.redaction import SHORTEST

SECRET_WORDS = frozenset(
    [
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "header",
        "headers",
        "key",
        "keys",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
    ]
)
"""A field with one of these words in its name may hold a secret. `max_tokens` does not."""

NEUTRAL = frozenset(
    [
        "async_client",
        "async_http_client",
        "batch_size",
        "cache_folder",
        "callback_manager",
        "chunk_size",
        "client",
        "device",
        "embed_batch_size",
        "embeddings_cache",
        "http_async_client",
        "http_client",
        "max_retries",
        "multi_process",
        "num_workers",
        "rate_limiter",
        "request_timeout",
        "retry_max_seconds",
        "retry_min_seconds",
        "reuse_client",
        "show_progress",
        "show_progress_bar",
        "timeout",
        "verbose",
    ]
)
"""Fields that change how a vector is fetched, and not the vector."""

NAMES = ("model_name", "model", "model_id", "repo_id", "deployment_name", "deployment")
"""Fields in which classes keep their model's name."""

NO_NAME = frozenset({"", "unknown"})
"""Default values of such fields; the second is LlamaIndex's."""

PLAIN_HEADERS = frozenset({"accept", "accept-encoding", "connection", "content-type", "user-agent"})
"""Headers that hold no secret: their words stand in many messages."""


def model_name(wrapped: object) -> str | None:
    """The name of the model that an object works with, if one of its fields has it."""
    for name in NAMES:
        value = getattr(wrapped, name, None)
        if isinstance(value, str) and value not in NO_NAME:
            return value
    return None


def public_config(wrapped: object) -> dict[str, Any]:
    """What was set on an object and may change its vectors, as JSON values and without secrets.

    A field of its own default is left out, so that a new version of its package, with new fields,
    is no other model. So is the model's name, see `model_name`.
    """
    known = model_name(wrapped)
    return {
        name: _as_json(value)
        for name, value in _fields(wrapped).items()
        if name not in NEUTRAL
        and not (name in NAMES and value == known)
        and not is_secret_name(name)
        and not isinstance(value, SecretStr | SecretBytes)
        and not _is_default(wrapped, name, value)
    }


def digest_of(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that stand for a configuration."""
    text = json.dumps(config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def secrets_of(wrapped: object) -> set[str]:
    """The secret values of an object, as far as types and the names of fields show them.

    At any depth of pydantic models, dataclasses, mappings and lists; objects of other kinds, such as
    clients, are not looked into.
    """
    found = {*_secrets_in(_fields(wrapped)), *_secrets_in(_private(wrapped))}
    return {secret for secret in found if len(secret) >= SHORTEST}


def is_secret_name(name: str) -> bool:
    """Whether a field or a header of this name may hold a secret: `openai_api_key`, `X-Token`."""
    return not SECRET_WORDS.isdisjoint(re.split(r"[\W_]+", name.lower()))


def _fields(wrapped: object) -> dict[str, Any]:
    """The fields of a pydantic object, the public attributes of any other."""
    if isinstance(wrapped, BaseModel):
        return {name: getattr(wrapped, name, None) for name in type(wrapped).model_fields}
    return {name: value for name, value in _attributes(wrapped).items() if not name.startswith("_")}


def _private(wrapped: object) -> dict[str, Any]:
    private = getattr(wrapped, "__pydantic_private__", None) or {}
    extra = getattr(wrapped, "__pydantic_extra__", None) or {}
    attributes = _attributes(wrapped).items()
    return {
        **private,
        **extra,
        **{name: value for name, value in attributes if name.startswith("_")},
    }


def _attributes(wrapped: object) -> dict[str, Any]:
    return vars(wrapped) if hasattr(wrapped, "__dict__") else {}


def _is_default(wrapped: object, name: str, value: object) -> bool:
    if not isinstance(wrapped, BaseModel):
        return False
    field: FieldInfo = type(wrapped).model_fields[name]
    try:
        if field.default_factory is not None:  # not asked: it may read the environment
            return value is None or value in ((), [], {})
        return bool(value == field.default)
    except Exception:  # noqa: BLE001  # arrays and unknown types compare as they like
        return False


def _as_json(value: object) -> Any:
    """A value as JSON, in an order that does not depend on the process; an unknown object is its type."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # JSON has no word for it
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        named = {str(name): inner for name, inner in value.items()}
        return {name: _as_json(named[name]) for name in named if not is_secret_name(name)}
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_as_json(inner), sort_keys=True) for inner in value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_as_json(inner) for inner in value]
    if isinstance(value, BaseModel):
        return public_config(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _secrets_in(
    value: object, *, named: bool = False, seen: frozenset[int] = frozenset()
) -> Iterator[str]:
    """The secrets within a value, at any depth.

    Args:
        value: Any field of an object.
        named: Whether a name around it says that its texts are secrets, as `api_keys` and `headers`.
        seen: What lies around it, for objects that hold themselves.
    """
    if isinstance(value, SecretStr | SecretBytes):
        value, named = value.get_secret_value(), True
    if isinstance(value, str | bytes | bytearray):
        if named:
            yield value if isinstance(value, str) else value.decode("utf-8", "replace")
        return
    if id(value) in seen:
        return
    seen |= {id(value)}
    if isinstance(value, BaseModel):
        value = {**_fields(value), **_private(value)}
    elif is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name, None) for each in fields(value)}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            is_plain = str(name).lower() in PLAIN_HEADERS
            within = not is_plain and (named or is_secret_name(str(name)))
            yield from _secrets_in(inner, named=within, seen=seen)
    elif isinstance(value, list | tuple | set | frozenset):
        if isinstance(next(iter(value), None), int | float):
            return  # a vector that is kept: there may be millions
        for inner in value:
            yield from _secrets_in(inner, named=named, seen=seen)
