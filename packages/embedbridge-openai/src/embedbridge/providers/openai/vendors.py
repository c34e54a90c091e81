"""OpenAI-compatible vendors by name: one row of data each, and where it was read.

`vendors.toml` is the table. Rows of users have the same fields, see `VendorRow`. Nothing heavy is
imported here: plugins load it.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from embedbridge.contract.errors import ConfigurationError, short_repr
from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.contract.remote import Vendor, checked_url, is_loopback

TABLE = Path(__file__).with_name("vendors.toml")
OUR_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
"""Fields of a request that a row or a user may not add: there are options for them."""
FORMATS = ("base64", "float", "none")
"""Values of `VendorRow.encoding_format`."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")
"""An environment variable in an address."""
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
UNSHOWN = frozenset({"base_url", "document_body", "extra_body", "key_variables", "query_body"})
"""Fields whose values no message repeats, for somebody may have written a key there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorRow:
    """One vendor, or one kind of server, that speaks OpenAI's API.

    Example:
        VendorRow(
            title="Acme", base_url="https://api.acme.example/v1", key_variables=("ACME_API_KEY",)
        )

    Raises:
        ConfigurationError: A field has a value that cannot be; it is named.
    """

    title: str
    """As people say it, for messages."""
    base_url: str | None = None
    """Where `/embeddings` follows; `{NAME}` in it stands for an environment variable. Left out where
    every user has an address of their own."""
    base_url_variable: str | None = None
    """Environment variable that may hold another address."""
    path: str | None = None
    """What is added to an address without a path; that of `base_url` if left out."""
    hosts: tuple[str, ...] = ()
    """Further hosts of the vendor's own servers."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key; the first one that is set counts."""
    key_starts: tuple[str, ...] = ("sk-",)
    """How its keys begin, if like those of others. Write `[]` where a key with `sk-` is not its own."""
    needs_key: bool = True
    """Whether a request without a key is refused."""
    max_items: int | None = None
    """Texts per request. If left out, requests begin with 32 and grow while the server takes them."""
    max_tokens_per_input: int | None = None
    """Tokens of one text."""
    max_tokens_per_request: int | None = None
    """Tokens of all texts in a request."""
    encoding_format: str = "base64"
    """How vectors are asked for: `"base64"`, `"float"`, or `"none"`: the field is left out."""
    dimensions: bool = True
    """Whether a request may have the field `dimensions`; else vectors are shortened here."""
    model_prefix: str = ""
    """What stands in front of a model's name that has no slash."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of every request."""
    query_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of requests for queries."""
    document_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of requests for documents."""
    example: str = ""
    """The name of a model, for documentation."""
    closed: str | None = None
    """The day on which the vendor ended its service."""
    sources: tuple[str, ...] = ()
    """Where this was read."""

    def __post_init__(self) -> None:
        for name, problem in _problems(self):
            raise ConfigurationError(f"{name} {problem}")

    @property
    def vendor(self) -> Vendor:
        """What the HTTP kit asks for."""
        return Vendor(
            name=self.title,
            url=self.base_url,
            hosts=self.hosts,
            keys=self.key_variables,
            key_starts=self.key_starts,
            url_variable=self.base_url_variable,
            needs_key=self.needs_key,
            start_hint=self._start_hint,
        )

    @property
    def _start_hint(self) -> str | None:
        """What to do where no server answers on this machine."""
        if not self.is_on_this_machine:
            return None
        where = f"set {self.base_url_variable}, or " if self.base_url_variable else ""
        return f"Start {self.title} there; for another address {where}pass base_url."

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its server is usually the user's own, so that each is a vendor of its own."""
        return is_loopback(urlsplit(self.base_url or "").hostname or "")

    @property
    def default_path(self) -> str:
        """What an address without a path lacks."""
        return urlsplit(self.base_url or "").path if self.path is None else self.path

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Environment variables in the address."""
        return tuple(PLACEHOLDER.findall(self.base_url or ""))


def row_of(values: Mapping[str, object]) -> VendorRow:
    """A row from what somebody wrote.

    Raises:
        ConfigurationError: A field is unknown, missing, or has a value that cannot be.
    """
    known = [one.name for one in dataclasses.fields(VendorRow)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
            raise ConfigurationError(f"{short_repr(name)} is no field of a vendor.", hint=hint)
    if "title" not in values:
        raise ConfigurationError("title is missing: how people call the vendor.")
    frozen: Any = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return VendorRow(**frozen)


@cache
def rows() -> Mapping[str, VendorRow]:
    """The table, by what users type before the colon."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return MappingProxyType({name: row_of(values) for name, values in table.items()})


def spec_of(name: str, row: VendorRow) -> ProviderSpec:
    """How a vendor is announced."""
    url_variable = [row.base_url_variable] if row.base_url_variable else []
    return ProviderSpec(
        name=name,
        factory="embedbridge.providers.openai.vendor_model:vendor_class",
        variant=row,
        summary="Vendors and servers with OpenAI's API, by name.",
        variables=() if row.closed else (*row.key_variables, *row.placeholders, *url_variable),
    )


class Announced:
    """A plugin with one provider: what an entry point of the group `embedbridge` names.

    Example:
        acme = Announced(spec_of("acme", VendorRow(title="Acme", base_url="https://…")))
    """

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        """What is announced."""
        return self._spec


def _problems(row: VendorRow) -> list[tuple[str, str]]:
    """What cannot be in a row: fields, and what they must be. Values that may hold a secret are not shown."""
    found = [
        (
            one.name,
            f"must be {wanted}."
            if one.name in UNSHOWN
            else f"must be {wanted}, not {short_repr(value)}.",
        )
        for one in dataclasses.fields(row)
        if (wanted := _wanted(one.name, value := getattr(row, one.name)))
    ]
    if not found and not (row.base_url or row.base_url_variable):
        found.append(("base_url", "is missing: the address up to where `/embeddings` follows."))
    return found


def _wanted(name: str, value: object) -> str | None:
    """What a field must be, if this value is not."""
    if name in ("title", "model_prefix", "example"):
        return None if isinstance(value, str) and (value or name != "title") else "a text"
    if name == "base_url":
        return (
            None
            if value is None or _is_address(value)
            else "an address such as https://HOST/v1, without a password"
        )
    if name == "base_url_variable":
        return None if value is None or _is_variable(value) else "the name of a variable"
    if name == "path":
        sound = value is None or (isinstance(value, str) and (not value or value[0] == "/"))
        return None if sound else "a path such as /v1"
    if name == "closed":
        return None if value is None or isinstance(value, str) else "a day, as text"
    if name == "key_variables":
        sound = isinstance(value, tuple) and all(map(_is_variable, value))
        return None if sound else "a list of names of variables"
    if name in ("hosts", "key_starts", "sources"):
        sound = isinstance(value, tuple) and all(one and isinstance(one, str) for one in value)
        return None if sound else "a list of texts"
    if name in ("needs_key", "dimensions"):
        return None if isinstance(value, bool) else "true or false"
    if name == "encoding_format":
        return None if value in FORMATS else f"one of {', '.join(FORMATS)}"
    if name.startswith("max_"):
        sound = value is None or (type(value) is int and value > 0)
        return None if sound else "a whole number above 0"
    sound = isinstance(value, Mapping) and not OUR_FIELDS & set(value)
    return None if sound else f"a table of fields without {', '.join(sorted(OUR_FIELDS))}"


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(checked_url(PLACEHOLDER.sub("x", value)))
    except ValueError:
        return False


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and VARIABLE.fullmatch(value) is not None
