"""The table of vendors: announced, sourced, and the same on the page; wrong rows say what is wrong."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core import Registry, load_embedder
from embedbridge.core.tooling import DISTRIBUTIONS
from embedbridge.providers.openai.vendors import VendorRow, row_of, rows

MEMBER = Path(__file__).parents[1]
README = MEMBER / "README.md"
SOURCE = re.compile(r"https://\S+|[\w-]+ \d+(?:\.\d+)+, \S+")
"""An address, or a package with its version and file."""


@pytest.mark.parametrize("name", rows())
def test_a_row_says_where_it_was_read(name: str) -> None:
    """A row without a source does not belong in the table, nor one without an example."""
    row = rows()[name]

    assert row.sources
    assert all(SOURCE.match(source) for source in row.sources)
    assert row.example


def test_every_row_is_announced_and_reserved() -> None:
    """Entry points, the reserved names and the table are the same list."""
    project = tomllib.loads((MEMBER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    announced = {
        name: value
        for name, value in project["entry-points"]["embedbridge"].items()
        if name not in ("openai", "azure-openai", "openai-compatible")
    }

    assert announced == {
        name: f"embedbridge.providers.openai.plugin:{name.replace('-', '_')}" for name in rows()
    }
    assert {name: DISTRIBUTIONS.get(name) for name in rows()} == dict.fromkeys(
        rows(), "embedbridge-openai"
    )


def test_the_installed_metadata_is_that_of_the_table() -> None:
    """If this fails, the package was installed before a vendor was added: install it again."""
    registry = Registry()

    assert {name: registry.spec(name).name for name in rows()} == {name: name for name in rows()}


def test_the_page_has_the_table() -> None:
    """`EMBEDBRIDGE_WRITE_DOCS=1` writes it anew."""
    begin, end = "<!-- begin vendors -->", "<!-- end vendors -->"
    wanted = "\n".join([begin, "", *table(), "", end])
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    assert pattern.search(text)
    if os.environ.get("EMBEDBRIDGE_WRITE_DOCS"):
        text = pattern.sub(lambda _: wanted, text)
        README.write_text(text, encoding="utf-8")

    assert wanted in text


def table() -> Iterable[str]:
    """What a user needs to know of each vendor."""
    yield from ("| name | is | key | address | texts per request |", "|---|---|---|---|---|")
    for name, row in rows().items():
        if row.closed:
            cells = [f"ended on {row.closed}", "", "", ""]
        else:
            key = ", ".join(f"`{one}`" for one in row.key_variables) or "none"
            needed = "" if row.needs_key or not row.key_variables else ", if it asks for one"
            variable = f"`{row.base_url_variable}`" if row.base_url_variable else ""
            known = f"`{row.base_url}`" if row.base_url else f"…`{row.path}`"
            address = f"{known}; {variable}" if variable else known
            most = f"{row.max_items:,}" if row.max_items else "found out"
            cells = [row.title, f"{key}{needed}", address, most]
        yield f"| `{name}:{row.example}` | {' | '.join(cells)} |"


GOOD: Mapping[str, Any] = {"title": "Acme", "base_url": "https://api.acme.example/v1"}
WRONG = [
    ({}, "title is missing"),
    ({"title": "Acme"}, "base_url is missing"),
    ({**GOOD, "bas_url": "x"}, "'bas_url' is no field of a vendor.*base_url"),
    ({**GOOD, "title": 3}, "title must be a text, not 3"),
    ({**GOOD, "title": ""}, "title must be a text"),
    ({**GOOD, "base_url": "api.acme.example/v1"}, "base_url must be an address such as"),
    ({**GOOD, "base_url": "https://me:secret@host/v1"}, "base_url must be an address"),
    ({**GOOD, "base_url_variable": "NOT A NAME"}, "base_url_variable must be the name"),
    ({**GOOD, "path": "v1"}, "path must be a path such as /v1"),
    ({**GOOD, "hosts": "acme.example"}, "hosts must be a list"),
    ({**GOOD, "key_variables": "ACME_API_KEY"}, "key_variables must be a list of names"),
    ({**GOOD, "key_variables": ["sk-1234"]}, "key_variables must be a list of names"),
    ({**GOOD, "key_starts": [1]}, "key_starts must be a list of texts"),
    ({**GOOD, "needs_key": "no"}, "needs_key must be true or false"),
    ({**GOOD, "max_items": 0}, "max_items must be a whole number above 0"),
    ({**GOOD, "max_items": True}, "max_items must be a whole number"),
    ({**GOOD, "max_tokens_per_input": "8k"}, "max_tokens_per_input must be a whole number"),
    ({**GOOD, "rate_limit_codes": "insufficient_quota"}, "rate_limit_codes must be a list"),
    ({**GOOD, "quota_codes": [1113]}, "quota_codes must be a list of texts"),
    ({**GOOD, "encoding_format": "int8"}, "encoding_format must be one of base64, float, none"),
    ({**GOOD, "dimensions": 512}, "dimensions must be true or false"),
    ({**GOOD, "extra_body": {"model": "x"}}, "extra_body must be a table of fields without"),
    ({**GOOD, "query_body": "query"}, "query_body must be a table"),
    ({**GOOD, "closed": 2026}, "closed must be a day"),
    (
        {**GOOD, "extra_body": {"a": [{"b": date(2026, 1, 2)}]}},
        r"extra_body\.a\[0\]\.b must be what JSON",
    ),
    ({**GOOD, "query_body": {"a": math.nan}}, r"query_body\.a must be what JSON can hold"),
    (
        {**GOOD, "document_body": {"a": [1.5, -math.inf]}},
        r"document_body\.a\[1\] must be what JSON",
    ),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_row_says_what_to_write(values: dict[str, Any], said: str) -> None:
    """The field is named, and the nearest one where it is misspelt."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        row_of(values)

    assert "secret" not in str(caught.value)


def test_rows_in_code_are_checked_alike() -> None:
    """By whom they are written does not matter."""
    with pytest.raises(ConfigurationError, match="max_items must be"):
        VendorRow(title="Acme", base_url="https://api.acme.example/v1", max_items=-1)


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A providers file of the user's."""
    path = tmp_path / "my_providers.toml"
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS_FILE", str(path))
    return path


def test_a_user_adds_a_vendor_in_a_file(user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of the file is a provider like those of ours; its bodies go into requests."""
    from embedbridge.testing import FaultServer

    with FaultServer(dimensions=8) as server:
        user_file.write_text(
            f"""
            [acme]
            like = "openai-compatible"
            title = "Acme"
            base_url = "{server.url}"
            key_variables = ["ACME_API_KEY"]
            max_items = 2
            extra_body = {{ tier = "low" }}
            query_body = {{ input_type = "query" }}
            document_body = {{ input_type = "passage" }}
            """,
            encoding="utf-8",
        )
        monkeypatch.setenv("ACME_API_KEY", "acme-0123456789abcdef")
        with load_embedder("acme:acme-1") as embedder:
            embedder.embed_documents(["one", "two", "three"])
            embedder.embed_query("which?")
        bodies = [record.json for record in server.requests]

    assert sorted(len(body["input"]) for body in bodies) == [1, 1, 2]
    assert {body["tier"] for body in bodies} == {"low"}
    assert [body["input_type"] for body in bodies] == ["passage", "passage", "query"]
    assert server.requests[0].request.headers["authorization"] == "Bearer acme-0123456789abcdef"


@pytest.mark.parametrize("value", ["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "nan", "-inf"])
def test_a_value_of_toml_alone_is_refused_in_the_file(user_file: Path, value: str) -> None:
    """JSON has no dates and no infinite numbers; file, table and key are named."""
    row = 'like = "openai-compatible"\ntitle = "A"\nbase_url = "https://a.example/v1"\n'
    user_file.write_text(f"[acme]\n{row}extra_body = {{ since = [{value}] }}\n", "utf-8")

    with pytest.raises(
        ConfigurationError, match=r"my_providers\.toml', \[acme\]: extra_body\.since\[0\] must"
    ):
        load_embedder("acme:acme-1")


def test_a_wrong_row_of_the_file_is_named(user_file: Path) -> None:
    """File, table and field; every other provider works."""
    user_file.write_text('[acme]\nlike = "openai-compatible"\ntitle = "A"\nkeys = []\n', "utf-8")
    with pytest.raises(
        ConfigurationError, match=r"my_providers\.toml', \[acme\]: 'keys' is no field"
    ):
        load_embedder("acme:acme-1")

    assert load_embedder("fake:small").embed_query("a text").shape == (8,)
