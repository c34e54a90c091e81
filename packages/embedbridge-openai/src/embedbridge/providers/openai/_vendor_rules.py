"""What the fields of a vendor's row may be, and how a message says so."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from embedbridge.contract.errors import short_repr
from embedbridge.contract.remote import checked_url

OUR_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
"""Fields of a request that a row or a user may not add: there are options for them."""
FORMATS = ("base64", "float", "none")
"""Values of `VendorRow.encoding_format`."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")
"""An environment variable in an address."""
JSON = (str, int, bool, type(None))
"""The simple values of JSON, beside numbers with a fraction."""
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
UNSHOWN = frozenset({"base_url", "document_body", "extra_body", "key_variables", "query_body"})
"""Fields whose values no message repeats, for somebody may have written a key there."""


def problems(row: Any) -> list[tuple[str, str]]:
    """What is wrong with a `VendorRow`: each field, and what it must be."""
    found = []
    for one in dataclasses.fields(row):
        value, (fits, wanted) = getattr(row, one.name), RULES[one.name]
        if not (fits(value) or (value is None and one.default is None)):
            shown = "" if one.name in UNSHOWN else f", not {short_repr(value)}"
            found.append((one.name, f"must be {wanted}{shown}."))
        elif isinstance(value, Mapping) and (place := _not_json(value, one.name)):
            found.append((place, "must be what JSON can hold: no date, no time, no nan, no inf."))
    if not found and not (row.base_url or row.base_url_variable):
        found.append(("base_url", "is missing: the address up to where `/embeddings` follows."))
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and VARIABLE.fullmatch(value) is not None


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(checked_url(PLACEHOLDER.sub("x", value)))
    except ValueError:
        return False


def _is_path(value: object) -> bool:
    return isinstance(value, str) and (not value or value[0] == "/")


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_body(value: object) -> bool:
    return isinstance(value, Mapping) and not OUR_FIELDS & set(value)


def _not_json(value: object, place: str) -> str | None:
    """The place of the first value that JSON cannot hold; TOML has some of them."""
    if isinstance(value, Mapping):
        each = [(item, f"{place}.{name}") for name, item in value.items()]
    elif isinstance(value, list | tuple):
        each = [(item, f"{place}[{number}]") for number, item in enumerate(value)]
    else:
        fits = math.isfinite(value) if isinstance(value, float) else isinstance(value, JSON)
        return None if fits else place
    return next((found for one in each if (found := _not_json(*one))), None)


def _list_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and all(map(fits, value))


TEXT = (_is_text, "a text")
TEXTS = (_list_of(_is_name), "a list of texts")
FLAG = (_is_flag, "true or false")
COUNT = (_is_count, "a whole number above 0")
BODY = (_is_body, f"a table of fields without {', '.join(sorted(OUR_FIELDS))}")
RULES: Mapping[str, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        "title": (_is_name, "a text"),
        "base_url": (_is_address, "an address such as https://HOST/v1, without a password"),
        "base_url_variable": (_is_variable, "the name of a variable"),
        "path": (_is_path, "a path such as /v1"),
        "hosts": TEXTS,
        "key_variables": (_list_of(_is_variable), "a list of names of variables"),
        "key_starts": TEXTS,
        "needs_key": FLAG,
        "max_items": COUNT,
        "max_tokens_per_input": COUNT,
        "max_tokens_per_request": COUNT,
        "encoding_format": (FORMATS.__contains__, f"one of {', '.join(FORMATS)}"),
        "dimensions": FLAG,
        "rate_limit_codes": TEXTS,
        "quota_codes": TEXTS,
        "model_prefix": TEXT,
        "extra_body": BODY,
        "query_body": BODY,
        "document_body": BODY,
        "example": TEXT,
        "closed": (_is_name, "a day, as text"),
        "sources": TEXTS,
    }
)
"""Of each field: what it may be, and how a message says so."""
