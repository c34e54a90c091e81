"""The body of a refusal: message, codes, and the field or input that is named, in any format."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from embedbridge.contract.remote.numbers import is_whole, whole_number
from embedbridge.contract.remote.status import wait_in

MESSAGES = ("message", "error", "detail", "msg", "data", "errors", "title", "description")
"""Where a message may stand, the most telling first; a value may hold another object."""
CODES = ("code", "type", "status", "error_code", "error_type", "__type")
"""Where a code may stand."""
WAIT = re.compile(r"(\d{1,6}(?:\.\d+)?)s")
"""A duration in JSON of Protocol Buffers."""
MAX_DEPTH = 8
"""Of objects and lists within one another that are read."""
MAX_BEGINNING, MAX_END = 3000, 1000
"""Characters of a message that are read. It may repeat the whole input, with the reason behind it."""
MAX_PARTS = 8
"""Entries of a list of errors that are read."""
SHOWN = reprlib.Repr()
"""Shows JSON without a sentence, whatever its size and depth."""
SHOWN.maxlevel = MAX_DEPTH
SHOWN.maxdict = SHOWN.maxlist = SHOWN.maxlong = SHOWN.maxstring = SHOWN.maxother = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalBody:
    """What a server says about a request that it refuses."""

    message: str
    """For people; may be empty."""
    codes: tuple[str, ...] = ()
    """For programs."""
    field: str | None = None
    """The field of the request that is named."""
    index: int | None = None
    """The position in the request of the input that is named."""
    most: int | None = None
    """The size that the server takes."""
    size: int | None = None
    """The size that it counted."""
    wait: float | None = None
    """Seconds that it asks to wait."""


def read_refusal(
    body: bytes | bytearray | object, *, position_field: str | None = None
) -> RefusalBody:
    """Read the body of a refusal: JSON of any shape, or text.

    Args:
        body: As it came, or what a library has already parsed.
        position_field: Where this vendor says the position of an input, see `Refusals`.
    """
    if isinstance(body, bytes | bytearray):
        try:
            parsed: object = from_json(body)
        except ValueError:
            message = _bounded(body.decode("utf-8", "replace"))
            return RefusalBody(message=message, wait=_wait([], message))
    else:
        parsed = body
    objects = list(_objects(parsed))
    message = _bounded(_message(parsed))
    field, index = _place(objects)
    if position_field is not None:
        named = _first_number(objects, position_field, least=0)
        index = index if named is None else named
    return RefusalBody(
        message=message,
        codes=tuple(
            str(value)
            for each in objects
            for name in CODES
            if isinstance(value := each.get(name), str | int) and not isinstance(value, bool)
        ),
        field=field,
        index=index,
        most=_first_number(objects, "n_ctx"),
        size=_first_number(objects, "n_prompt_tokens"),
        wait=_wait(objects, message),
    )


def _objects(value: object, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The JSON objects within a value, outer ones first."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _objects(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:MAX_PARTS]:
            yield from _objects(inner, depth + 1)


def _bounded(message: str) -> str:
    message = message.strip()
    if len(message) <= MAX_BEGINNING + MAX_END:
        return message
    return f"{message[:MAX_BEGINNING]} … {message[-MAX_END:]}"


def _message(value: object, depth: int = 0) -> str:
    if depth > MAX_DEPTH:
        return ""
    if isinstance(value, Mapping):
        found = next((value[name] for name in MESSAGES if value.get(name)), None)
        return _sentence(value, depth) if found is None else _message(found, depth + 1)
    if isinstance(value, list):
        parts = (_message(part, depth + 1) for part in value[:MAX_PARTS])
        return "; ".join(filter(None, parts))
    return "" if value is None else str(value)


def _sentence(value: Mapping[str, Any], depth: int) -> str:
    """The message of an object without a name that is known: its longest sentence, or what it wraps."""
    sentences = [text for text in value.values() if isinstance(text, str) and " " in text.strip()]
    if sentences:
        return max(sentences, key=len)
    wrapped = [inner for inner in value.values() if isinstance(inner, Mapping)]
    if len(wrapped) == 1:  # {"fault": {"code": "item_too_long", "text": "…"}}
        return _message(wrapped[0], depth + 1)
    return SHOWN.repr(dict(value)) if value else ""


def _place(objects: list[Mapping[str, Any]]) -> tuple[str | None, int | None]:
    """Field and position: OpenAI's `param`, pydantic's `loc`, Google's `fieldViolations`."""
    for each in objects:
        location = each.get("loc")
        if isinstance(location, list):  # FastAPI: ["body", "input", 3]
            return _within(location)
        named = each.get("param") or each.get("field")
        if named == "None":  # LiteLLM's proxy writes Python's `None` as a text
            continue
        if isinstance(named, str) and "->" in named:  # Jina: "body -> jina-embeddings-v3 -> task"
            parts = [part.strip() for part in named.split("->")]
            numbers = [whole_number(part) for part in parts if part.isdigit()]
            return _within([*parts, *numbers])
        if isinstance(named, str):  # "input[3]", "requests[3].content"
            name, bracket, rest = named.partition("[")
            return name, whole_number(rest.partition("]")[0]) if bracket else None
    return None, None


def _within(location: list[object]) -> tuple[str | None, int | None]:
    """Field and position in a path of pydantic's, which also names the member of a union."""
    names = [part for part in location if isinstance(part, str) and part != "body"]
    fields = [name for name in names if name.isidentifier()]  # `jina-embeddings-v3` is none
    numbers = [part for part in location if is_whole(part)]
    return (fields[0] if fields else None), (numbers[0] if numbers else None)


def _wait(objects: list[Mapping[str, Any]], message: str) -> float | None:
    """Google's `{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}`, else the sentence."""
    told = (WAIT.fullmatch(str(each.get("retryDelay"))) for each in objects)
    seconds = next((float(found[1]) for found in told if found), None)
    return wait_in(message) if seconds is None else seconds


def _first_number(objects: list[Mapping[str, Any]], *names: str, least: int = 1) -> int | None:
    values = (each.get(name) for name in names for each in objects)
    return next((value for value in values if is_whole(value) and value >= least), None)
