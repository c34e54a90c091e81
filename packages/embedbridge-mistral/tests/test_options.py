"""Widths, output types and what Mistral says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InvalidOptionError,
    ModelOptions,
    RateLimitedError,
    UnknownModelError,
)
from embedbridge.contract.remote import Secrets
from embedbridge.core import Embedder
from embedbridge.providers.mistral import MistralOptions
from embedbridge.providers.mistral.model import REFUSALS
from embedbridge.testing import FaultServer, MistralWire

Load: TypeAlias = Callable[..., Embedder]

CODE = "codestral-embed"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=MistralWire(), dimensions=1536) as server:
        yield server


@pytest.mark.parametrize("asked", [256, 1000, 1536, 3072])
def test_any_width_of_the_code_model(server: FaultServer, load: Load, asked: int) -> None:
    """Up to twice what it makes unless asked."""
    assert load(CODE, dimensions=asked).embed_query("a text").shape == (asked,)
    assert server.requests[0].json["output_dimension"] == asked


@pytest.mark.parametrize(
    ("model", "asked", "says"),
    [(CODE, 3073, "It takes: 1 to 3072"), ("mistral-embed", 512, "It takes: 1024")],
)
def test_widths_that_cannot_be(
    server: FaultServer, load: Load, model: str, asked: int, says: str
) -> None:
    """An error before anything is sent, which says what can be."""
    with pytest.raises(InvalidOptionError, match=says):
        load(model, dimensions=asked).embed_query("a text")

    assert not server.requests


@pytest.mark.parametrize(
    ("output_type", "least", "most", "width"),
    [
        ("int8", -128, 127, 1536),
        ("uint8", 0, 255, 1536),
        ("binary", -128, 127, 192),
        ("ubinary", 0, 255, 192),
    ],
)
def test_whole_numbers_come_as_they_are(
    server: FaultServer, load: Load, output_type: str, least: int, most: int, width: int
) -> None:
    """As float32 of the same value, and asked for as numbers."""
    embedder = load(CODE, output_type=output_type)
    found = embedder.embed_documents(["one", "two"])

    assert embedder.dimensions == width
    assert found.shape == (2, width)
    assert bool((found == np.rint(found)).all())
    assert least <= found.min() < found.max() <= most
    assert server.requests[0].json["output_dtype"] == output_type
    assert "encoding_format" not in server.requests[0].json


def test_dimensions_of_binary_vectors_are_those_one_gets(server: FaultServer, load: Load) -> None:
    """64 values of 8 dimensions each are 512 dimensions of Mistral's."""
    found = load(CODE, output_type="ubinary", dimensions=64).embed_documents(["one", "two"])
    bits = server.vector("two", CODE, 512) > 0

    assert server.requests[0].json["output_dimension"] == 512
    assert np.array_equal(found[1], np.packbits(bits))


def test_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """And nothing else."""
    usual = load(CODE).fingerprint
    others: list[dict[str, Any]] = [
        {"dimensions": 256},
        {"output_type": "int8"},
        {"output_type": "ubinary"},
    ]

    assert load(CODE, timeout=5.0).fingerprint == usual
    found = {load(CODE, **options).fingerprint for options in others}
    assert len({usual, *found}) == 1 + len(others)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"detail": "Unauthorized"}, AuthenticationError),
        (400, {"object": "error", "message": "Invalid model: mistral-embed-9", "type": "invalid_model", "code": "1500"}, UnknownModelError),
        (400, {"object": "error", "message": "This model does not support output_dimension.", "type": "invalid_request_invalid_args", "param": None, "code": "3051"}, InvalidOptionError),
        (429, {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "service_tier_capacity_exceeded", "code": "3505"}, RateLimitedError),
    ],
)  # fmt: skip
def test_what_mistral_says(
    status: int, body: dict[str, Any], expected: type[EmbedBridgeError]
) -> None:
    """Word for word, from public bug reports."""
    assert type(REFUSALS.error(status, body, {}, Secrets())) is expected


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = MistralOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
